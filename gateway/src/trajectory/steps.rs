//! Business steps: what the centers announce about orders, stored once each, with the place in their feeds.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::feed::{Consumer, Cursor};
use throughline_kit::storage::{Change, Tx, Writer};
use throughline_proto::event::v1::Event;

use super::{Watched, detail, store};
use crate::proxy::parse_trace_parent;

/// Name under which the gateway keeps its place in each feed.
pub(crate) const CONSUMER: &str = "trajectory";

/// Stores the events of one center.
#[derive(Debug)]
pub(crate) struct StepConsumer {
    /// Where they go.
    pub(crate) writer: Writer,
    /// Who waits for them.
    pub(crate) watched: Watched,
}

impl Consumer for StepConsumer {
    async fn consume(&self, events: Vec<Event>, cursor: Cursor) -> Result<(), Error> {
        let steps: Vec<Step> =
            events.into_iter().filter(|e| !e.order_id.is_empty()).map(Step::read).collect();
        let order_ids: Vec<String> = steps.iter().map(|step| step.order_id.clone()).collect();
        self.writer.write(StoreSteps { steps, cursor }).await?;
        self.watched.stored(order_ids.iter().map(String::as_str));
        Ok(())
    }
}

struct Step {
    event_id: String,
    order_id: String,
    occurred_at: Instant,
    center: String,
    kind: String,
    subject: String,
    detail: String,
    trace_id: String,
    sequence: i64,
}

impl Step {
    fn read(event: Event) -> Self {
        let trace = parse_trace_parent(event.trace_parent.as_bytes());
        Self {
            detail: event.payload.as_ref().map(detail::describe).unwrap_or_default(),
            occurred_at: event.occurred_time.as_ref().map(Instant::from_proto).unwrap_or_default(),
            trace_id: trace.map(|(id, ..)| format!("{id:032x}")).unwrap_or_default(),
            event_id: event.event_id,
            order_id: event.order_id,
            center: event.center,
            kind: event.r#type,
            subject: event.subject,
            sequence: event.sequence,
        }
    }
}

struct StoreSteps {
    steps: Vec<Step>,
    cursor: Cursor,
}

impl Change for StoreSteps {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for step in &self.steps {
            let row = [
                step.event_id.as_str().into(),
                step.order_id.as_str().into(),
                step.occurred_at.into(),
                step.center.as_str().into(),
                step.kind.as_str().into(),
                step.subject.as_str().into(),
                step.detail.as_str().into(),
                step.trace_id.as_str().into(),
                step.sequence.into(),
            ];
            tx.execute(store::INSERT_STEP, row).await?;
        }
        self.cursor.store(tx).await
    }
}
