//! Carries news of groups to the orders of their buyers.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::{RequestId, derived_uuid};
use throughline_kit::idempotency::RequestKey;
use throughline_kit::identity::{Caller, CallerKind};
use throughline_kit::storage::{Change, Database, Tx, Writer};
use throughline_proto::order::v1 as proto;

use super::news::{self, News};
use crate::error::DOMAIN;
use crate::event::{By, Command};
use crate::operations::{Asked, Operations};
use crate::order::Order;
use crate::signal::Signal;

const SIGNAL: &str = "throughline.order.v1.StepCallbackService/SignalOrder";
/// How often to look for news.
const INTERVAL: Duration = Duration::from_millis(250);
/// News carried in one round.
const BATCH: i64 = 256;

/// Carries news to orders.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    /// Where news are read.
    pub(crate) database: Database,
    /// Where they are forgotten.
    pub(crate) writer: Writer,
    /// Tells orders, once each.
    pub(crate) operations: Operations,
}

impl Carrier {
    /// Carries until the token is cancelled.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            let carried = tokio::select! {
                () = shutdown.cancelled() => return,
                carried = self.carry() => carried,
            };
            if let Err(cause) = carried {
                tracing::warn!(%cause, "carry news of groups to their orders");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn carry(&self) -> Result<(), Error> {
        for news in news::waiting(&self.database, BATCH).await? {
            match self.tell(&news).await {
                // Who has ended, or is not there any more, does not need to hear it.
                Ok(()) => {}
                Err(error) if matches!(error.kind, Kind::Precondition | Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
            self.writer.write(Carried(news)).await?;
        }
        Ok(())
    }

    async fn tell(&self, news: &News) -> Result<(), Error> {
        let event = news.kind.as_str();
        let id = derived_uuid(&[news.order_id.as_str(), event]).to_string();
        let request = proto::SignalOrderRequest {
            request_id: id.clone(),
            order_id: news.order_id.to_string(),
            event: event.to_owned(),
            data: data(news),
            business_order_id: String::new(),
        };
        let request_id = RequestId::parse(&id)
            .map_err(|cause| Error::internal(DOMAIN, format!("a derived request id: {cause}")))?;
        let asked = Asked {
            caller: Caller {
                name: DOMAIN.to_owned(),
                kind: CallerKind::Center,
                rights: Vec::new(),
                trace_parent: String::new(),
            },
            order_id: request.order_id.clone(),
            key: RequestKey::new(DOMAIN, request_id, SIGNAL, &request),
            by: By::default(),
        };
        let signal = Signal { event: request.event, data: request.data, business_order: None };
        let make = move |_: &Order| Ok(Command::Signal(signal.clone()));
        let answer = |_: &Order, _: &Order| proto::SignalOrderResponse {};
        self.operations.command(asked, make, answer).await.map(drop)
    }
}

/// The texts of the news; what is none is written as JSON.
fn data(news: &News) -> BTreeMap<String, String> {
    let read: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&news.data).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    read.into_iter().map(|(key, value)| (key, text(value))).collect()
}

/// The order has heard it.
struct Carried(News);

impl Change for Carried {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        news::taken(tx, &self.0).await
    }
}
