//! Cancels an order on request, once for each request id.

use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;

use crate::engine::Engine;
use crate::error::DOMAIN;
use crate::event::Command;
use crate::query::Query;

const METHOD: &str = "throughline.order.v1.OrderService/CancelOrder";

/// Cancels orders.
#[derive(Clone, Debug)]
pub(crate) struct Cancellation {
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where first answers are read.
    pub(crate) database: Database,
    /// Owns the orders.
    pub(crate) engine: Engine,
    /// Knows who may see what.
    pub(crate) query: Query,
}

impl Cancellation {
    /// Begins to cancel and says what is being done.
    pub(crate) async fn cancel(
        &self,
        caller: &Caller,
        request: proto::CancelOrderRequest,
    ) -> Result<proto::CancelOrderResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
        wrong.length("reason", &request.reason, 1, 200);
        wrong.finish()?;
        let Some(request_id) = request_id else {
            return Err(Error::internal(DOMAIN, "a request id without violation was not read"));
        };
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        // Beside the call: the request id stays claimed until it is answered, though the caller goes away.
        let (this, caller) = (self.clone(), caller.clone());
        let cancelled = tokio::spawn(async move { this.cancel_once(&caller, request, key).await });
        cancelled.await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
    }

    async fn cancel_once(
        &self,
        caller: &Caller,
        request: proto::CancelOrderRequest,
        key: RequestKey,
    ) -> Result<proto::CancelOrderResponse, Error> {
        let _in_flight = self.idempotency.enter(&key)?;
        if let Some(first) = self.idempotency.recall(&self.database, &key).await? {
            return first;
        }
        let cancelled = self.begin(caller, &request, key.clone()).await;
        match cancelled {
            Ok(()) => self.idempotency.recall(&self.database, &key).await?.unwrap_or_else(|| {
                Err(Error::internal(DOMAIN, "the answer to a cancel was not stored with it"))
            }),
            Err(refusal) => {
                if refusal.is_final() {
                    self.idempotency.keep_refusal(key, &refusal).await?;
                }
                Err(refusal)
            }
        }
    }

    async fn begin(
        &self,
        caller: &Caller,
        request: &proto::CancelOrderRequest,
        key: RequestKey,
    ) -> Result<(), Error> {
        let order = self.query.get(caller, &request.order_id).await?;
        let command = Command::Cancel { reason: request.reason.clone() };
        self.engine.command(order.id, command, Some(key)).await.map(|_| ())
    }
}
