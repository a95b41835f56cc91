//! Taking a message: filled in, stored durably, answered; sending follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::notification::v1::SendNotificationResponse;

use crate::convert::{self, Message};
use crate::error::{DOMAIN, Refusal};
use crate::library::Library;
use crate::notification::{Delivery, DeliveryId, DeliveryState, Notification, NotificationId};
use crate::phone::Phone;
use crate::queue::{Places, Queue};
use crate::store;
use crate::template::{MissingVariables, Template};

/// Who is told what, on whose behalf.
pub(crate) struct Draft<'a> {
    pub(crate) id: NotificationId,
    pub(crate) source: String,
    pub(crate) template: &'a Template,
    pub(crate) phone: Phone,
    pub(crate) locale: &'a str,
    pub(crate) variables: &'a BTreeMap<String, String>,
    pub(crate) order_id: &'a str,
    pub(crate) trace_parent: &'a str,
}

impl Draft<'_> {
    /// Fills the template in and makes the notification, due at once. Its delivery always has the same id for the same
    /// notification, because that is our reference at the provider.
    pub(crate) fn queue(self, provider: &str, now: Instant) -> Result<Notification, Refusal> {
        let rendered = self.template.render(self.locale, self.variables);
        let rendered = rendered.map_err(|MissingVariables(names)| Refusal::VariableMissing {
            template: self.template.code.clone(),
            names,
        })?;
        Ok(Notification {
            delivery: Delivery {
                id: DeliveryId::derive(&[self.id.as_str()]),
                state: DeliveryState::Pending,
                provider: provider.to_owned(),
                phone: self.phone,
                body: rendered.text,
                attempts: 0,
                failure_reason: String::new(),
                next_attempt_at: Some(now),
            },
            id: self.id,
            source: self.source,
            template: self.template.code.clone(),
            locale: rendered.locale,
            order_id: self.order_id.to_owned(),
            created_at: now,
            ended_at: None,
            trace_parent: self.trace_parent.to_owned(),
            version: 1,
        })
    }
}

/// Takes messages of callers.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) idempotency: Idempotency,
    pub(crate) library: Arc<Library>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) clock: Clock,
    pub(crate) provider: String,
}

impl Sending {
    /// Stores a message once for a request.
    pub(crate) async fn send(
        &self,
        key: RequestKey,
        caller: &Caller,
        message: Message,
    ) -> Result<SendNotificationResponse, Error> {
        let template = self.library.template(&message.template);
        let draft = Draft {
            id: NotificationId::generate(),
            source: caller.name.clone(),
            template: template.ok_or(Refusal::TemplateNotFound { code: message.template })?,
            phone: message.phone,
            locale: &message.locale,
            variables: &message.variables,
            order_id: &message.order_id,
            trace_parent: &caller.trace_parent,
        };
        let notification = draft.queue(&self.provider, self.clock.now())?;
        // Beside the call: a caller that goes away must not leave a stored message whose place was given back.
        let this = self.clone();
        let stored = tokio::spawn(async move { this.store(key, notification).await });
        stored.await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
    }

    async fn store(
        &self,
        key: RequestKey,
        notification: Notification,
    ) -> Result<SendNotificationResponse, Error> {
        let places = Places::new(&self.queue);
        let change = Enqueue { notification, places: Arc::clone(&places) };
        let answer = self.idempotency.once(key, change).await?;
        places.keep();
        self.queue.wake();
        Ok(answer)
    }
}

struct Enqueue {
    notification: Notification,
    places: Arc<Places>,
}

impl Change for Enqueue {
    type Output = SendNotificationResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<SendNotificationResponse, Error> {
        self.places.take(1)?;
        store::insert(tx, &self.notification);
        let notification = Some(convert::notification_to_proto(&self.notification));
        Ok(SendNotificationResponse { notification })
    }
}

#[cfg(test)]
mod tests {
    use throughline_kit::id::RequestId;
    use throughline_kit::storage::{Database, Writer, WriterLimits};
    use throughline_kit::testing::{each_database, eventually};
    use throughline_proto::notification::v1::SendNotificationRequest;
    use tonic::metadata::MetadataMap;

    use super::*;

    fn sending(database: &Database) -> Sending {
        let writer = Writer::start(database, WriterLimits::default());
        Sending {
            idempotency: Idempotency::new(writer, Clock::system(), DOMAIN),
            library: Arc::new(Library::shipped().expect("valid")),
            queue: Arc::new(Queue::new(0, 1)),
            clock: Clock::system(),
            provider: "sms".to_owned(),
        }
    }

    fn message(request_id: RequestId) -> Message {
        let variables = ["name", "channel_order_id"].map(|name| (name.to_owned(), "x".to_owned()));
        Message {
            request_id,
            template: "order.accepted".to_owned(),
            phone: "+8613800000002".parse().expect("valid"),
            locale: "en".to_owned(),
            variables: variables.into(),
            order_id: String::new(),
        }
    }

    #[tokio::test]
    async fn a_stored_message_keeps_its_place_although_its_caller_went_away() {
        for kept in each_database().await {
            let database = Database::open(DOMAIN, &kept.config, store::MIGRATIONS).await;
            let database = database.expect("opened");
            let sending = sending(&database);
            let id = RequestId::parse("0191d7a0-0000-7000-8000-000000000001").expect("valid");
            let request = SendNotificationRequest::default();
            let key = RequestKey::new("caller", id.clone(), "method", &request);
            let caller = Caller::from_metadata(&MetadataMap::new());
            tokio::select! {
                biased;
                _ = sending.send(key, &caller, message(id)) => panic!("it takes a commit"),
                // The caller goes away as soon as it has asked.
                () = std::future::ready(()) => {}
            }
            eventually("the call is over", async || {
                let stored = store::count_queued(&database).await.expect("read") == 1;
                (stored && Arc::strong_count(&sending.queue) == 1).then_some(())
            })
            .await;
            assert!(!sending.queue.is_empty(), "what is stored has its place");
        }
    }
}
