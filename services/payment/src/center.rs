//! What every use case works with.

use std::sync::Arc;

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::storage::{Change, Database, Writer};

use crate::attempt::Schedule;
use crate::channel::Channels;
use crate::config::Config;
use crate::error::{DOMAIN, Refusal};
use crate::payment_order::{Event, PaymentOrder, PaymentOrderId};
use crate::refund::{Refund, RefundId};
use crate::transition::{OrderTransition, RefundTransition};

/// A request that changes something: who sent it, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Asked<T> {
    /// Who.
    pub(crate) caller: Caller,
    /// Its id and fingerprint.
    pub(crate) key: RequestKey,
    /// What.
    pub(crate) what: T,
}

/// The payment center; clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Center {
    pub(crate) database: Database,
    pub(crate) writer: Writer,
    pub(crate) idempotency: Idempotency,
    pub(crate) clock: Clock,
    pub(crate) channels: Channels,
    pub(crate) config: Arc<Config>,
    pub(crate) schedule: Schedule,
}

impl Center {
    /// Prepares a change of a payment order.
    pub(crate) fn transition<F>(
        &self,
        id: &PaymentOrderId,
        trace_parent: &str,
        decide: F,
    ) -> OrderTransition<F>
    where
        F: Fn(&mut PaymentOrder, Instant) -> Result<Vec<Event>, Refusal> + Send + Sync + 'static,
    {
        OrderTransition {
            id: id.clone(),
            clock: self.clock.clone(),
            trace_parent: trace_parent.to_owned(),
            decide,
        }
    }

    /// Changes a payment order in the background.
    pub(crate) async fn change_order<F>(
        &self,
        id: &PaymentOrderId,
        decide: F,
    ) -> Result<PaymentOrder, Error>
    where
        F: Fn(&mut PaymentOrder, Instant) -> Result<Vec<Event>, Refusal> + Send + Sync + 'static,
    {
        self.writer.write(self.transition(id, "", decide)).await
    }

    /// Changes a refund in the background.
    pub(crate) async fn change_refund<F>(&self, id: &RefundId, decide: F) -> Result<Refund, Error>
    where
        F: Fn(&mut Refund, Option<&mut PaymentOrder>, Instant) -> Result<Vec<Event>, Refusal>
            + Send
            + Sync
            + 'static,
    {
        let change = RefundTransition { id: id.clone(), clock: self.clock.clone(), decide };
        self.writer.write(change).await
    }

    /// Makes a change whose first answer is kept, for a caller that has claimed the request id.
    pub(crate) async fn once<C>(&self, key: RequestKey, change: C) -> Result<C::Output, Error>
    where
        C: Change,
        C::Output: prost::Message + Default,
    {
        self.writer.write(self.idempotency.wrap(key, change)).await?
    }
}

/// Works on although the caller may go away: what a channel answers must be stored even when nobody waits for it.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
}
