//! Carries out what persons and systems want of an order, once for each request id.

use prost::Message;
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::idempotency::{FirstAnswer, Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::storage::Database;

use crate::engine::{Engine, Wish};
use crate::error::DOMAIN;
use crate::event::{By, Command, Operation};
use crate::order::Order;
use crate::query::Query;

/// Characters of a reason at most.
const MAX_REASON_LENGTH: usize = 200;

/// Carries operations out.
#[derive(Clone, Debug)]
pub(crate) struct Operations {
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where first answers are read.
    pub(crate) database: Database,
    /// Owns the orders.
    pub(crate) engine: Engine,
    /// Knows who may see what.
    pub(crate) query: Query,
}

/// A request that is carried out once.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) caller: Caller,
    /// Order that it is about.
    pub(crate) order_id: String,
    /// The request, to know it again.
    pub(crate) key: RequestKey,
    /// Who, and why.
    pub(crate) by: By,
}

/// The fields that every request for an operation has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    /// The client's id of the request.
    pub(crate) request_id: &'a str,
    /// Order.
    pub(crate) order_id: &'a str,
    /// Why.
    pub(crate) reason: &'a str,
    /// Whether a reason must be given.
    pub(crate) needs_reason: bool,
}

impl Asked {
    /// Reads what every request has; `check` names what else is wrong.
    pub(crate) fn read<M: Message>(
        caller: &Caller,
        method: &'static str,
        request: &M,
        fields: Fields<'_>,
        check: impl FnOnce(&mut Violations),
    ) -> Result<Self, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let request_id = wrong.take("request_id", RequestId::parse(fields.request_id));
        let shortest = usize::from(fields.needs_reason);
        wrong.length("reason", fields.reason, shortest, MAX_REASON_LENGTH);
        check(&mut wrong);
        wrong.finish()?;
        let Some(request_id) = request_id else {
            return Err(Error::internal(DOMAIN, "a request id without violation was not read"));
        };
        let actor = format!("{}:{}", caller.kind.as_str().to_lowercase(), caller.name);
        Ok(Self {
            caller: caller.clone(),
            order_id: fields.order_id.to_owned(),
            key: RequestKey::new(&caller.name, request_id, method, request),
            by: By { actor, reason: fields.reason.to_owned() },
        })
    }
}

impl Operations {
    /// The first answer to the request, where it was answered before.
    pub(crate) async fn first_answer<R: Message + Default>(
        &self,
        asked: &Asked,
    ) -> Result<Option<Result<R, Error>>, Error> {
        self.idempotency.recall(&self.database, &asked.key).await
    }

    /// Whether the request was answered before.
    pub(crate) async fn answered(&self, asked: &Asked) -> Result<bool, Error> {
        let first = self.idempotency.recall::<()>(&self.database, &asked.key).await?;
        Ok(first.is_some())
    }

    /// Carries out an operation that `make` reads from the order as it is when its turn comes, and answers with what
    /// `answer` makes of the order before and after.
    pub(crate) async fn operate<R: Message + Default + 'static>(
        &self,
        asked: Asked,
        make: impl Fn(&Order) -> Result<Operation, Error> + Send + 'static,
        answer: impl FnOnce(&Order, &Order) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let by = asked.by.clone();
        let command =
            move |order: &Order| Ok(Command::Operate { operation: make(order)?, by: by.clone() });
        self.command(asked, command, answer).await
    }

    /// Carries out a command; see [`Self::operate`].
    pub(crate) async fn command<R: Message + Default + 'static>(
        &self,
        asked: Asked,
        make: impl Fn(&Order) -> Result<Command, Error> + Send + 'static,
        answer: impl FnOnce(&Order, &Order) -> R + Send + 'static,
    ) -> Result<R, Error> {
        // Beside the call: the request id stays claimed until it is answered, though the caller goes away.
        let this = self.clone();
        let done = tokio::spawn(async move { this.once(asked, make, answer).await });
        done.await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
    }

    async fn once<R: Message + Default + 'static>(
        &self,
        asked: Asked,
        make: impl Fn(&Order) -> Result<Command, Error> + Send + 'static,
        answer: impl FnOnce(&Order, &Order) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let Asked { caller, order_id, key, .. } = asked;
        let _in_flight = self.idempotency.enter(&key)?;
        if let Some(first) = self.idempotency.recall(&self.database, &key).await? {
            return first;
        }
        let kept = key.clone();
        let reply = move |before: &Order, after: &Order, now| {
            FirstAnswer::new(kept, Ok(&answer(before, after)), now)
        };
        let wish = Wish::Command(Box::new(make), Some(Box::new(reply)));
        let done = async {
            let order = self.query.get(&caller, &order_id).await?;
            self.engine.ask(order.id, wish).await
        };
        match done.await {
            Ok(_) => self.idempotency.recall(&self.database, &key).await?.unwrap_or_else(|| {
                Err(Error::internal(DOMAIN, "an answer was not stored with what it tells of"))
            }),
            Err(refusal) => {
                if refusal.is_final() {
                    self.idempotency.keep_refusal(key, &refusal).await?;
                }
                Err(refusal)
            }
        }
    }
}
