//! Registers and changes webhooks for callers, once for each request id.

use prost::Message;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::storage::{Change, Database};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::redeliver_webhook_request::What;

use super::change::{Delete, Named, Pause, Redeliver, RedeliverFailed, Resume, Rotate, Set};
use super::destination::Destination;
use super::error::WebhookError;
use super::network::Network;
use super::secret::Secret;
use super::{EVENT_TYPES, Registry, WebhookId};
use crate::error::DOMAIN;

/// Characters of a name at most.
const MAX_NAME_LENGTH: usize = 64;
/// Name of a webhook that is given none.
const DEFAULT_NAME: &str = "default";

const SET: &str = "throughline.order.v1.WebhookService/SetWebhook";
const DELETE: &str = "throughline.order.v1.WebhookService/DeleteWebhook";
const ROTATE: &str = "throughline.order.v1.WebhookService/RotateWebhookSecret";
const PAUSE: &str = "throughline.order.v1.WebhookService/PauseWebhook";
const RESUME: &str = "throughline.order.v1.WebhookService/ResumeWebhook";
const REDELIVER: &str = "throughline.order.v1.WebhookService/RedeliverWebhook";

/// Registers and changes webhooks.
#[derive(Clone, Debug)]
pub(crate) struct Registrar {
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where webhooks are read anew after a change.
    pub(crate) database: Database,
    /// Hears of changes.
    pub(crate) registry: Registry,
    /// Time.
    pub(crate) clock: Clock,
    /// How far webhooks may reach.
    pub(crate) network: Network,
}

impl Registrar {
    /// Registers a webhook, or changes the one with its name.
    pub(crate) async fn set(
        &self,
        caller: &Caller,
        request: proto::SetWebhookRequest,
    ) -> Result<proto::SetWebhookResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
        let channel = channel(caller, &request.channel, &mut wrong);
        let name = name(&request.name, &mut wrong);
        event_types(&request.event_types, &mut wrong);
        wrong.finish()?;
        let destination = Destination::parse(&request.url, self.network)
            .map_err(|why| WebhookError::UrlRefused { url: request.url.clone(), why })?;
        let key = key(caller, request_id, SET, &request)?;
        let set = Set {
            id: WebhookId::generate(),
            channel,
            name,
            url: destination.as_str().to_owned(),
            event_types: request.event_types,
            secret: Secret::generate()?,
            now: self.clock.now(),
        };
        self.once(key, set).await
    }

    /// Removes a webhook.
    pub(crate) async fn delete(
        &self,
        caller: &Caller,
        request: proto::DeleteWebhookRequest,
    ) -> Result<proto::DeleteWebhookResponse, Error> {
        let key = self.key(caller, &request.request_id, DELETE, &request)?;
        self.once(key, Delete(self.named(caller, request.webhook_id))).await
    }

    /// Makes a new secret.
    pub(crate) async fn rotate(
        &self,
        caller: &Caller,
        request: proto::RotateWebhookSecretRequest,
    ) -> Result<proto::RotateWebhookSecretResponse, Error> {
        let key = self.key(caller, &request.request_id, ROTATE, &request)?;
        let named = self.named(caller, request.webhook_id);
        self.once(key, Rotate { named, secret: Secret::generate()? }).await
    }

    /// Holds deliveries back.
    pub(crate) async fn pause(
        &self,
        caller: &Caller,
        request: proto::PauseWebhookRequest,
    ) -> Result<proto::PauseWebhookResponse, Error> {
        let key = self.key(caller, &request.request_id, PAUSE, &request)?;
        self.once(key, Pause(self.named(caller, request.webhook_id))).await
    }

    /// Sends what waits.
    pub(crate) async fn resume(
        &self,
        caller: &Caller,
        request: proto::ResumeWebhookRequest,
    ) -> Result<proto::ResumeWebhookResponse, Error> {
        let key = self.key(caller, &request.request_id, RESUME, &request)?;
        self.once(key, Resume(self.named(caller, request.webhook_id))).await
    }

    /// Sends again.
    pub(crate) async fn redeliver(
        &self,
        caller: &Caller,
        request: proto::RedeliverWebhookRequest,
    ) -> Result<proto::RedeliverWebhookResponse, Error> {
        let key = self.key(caller, &request.request_id, REDELIVER, &request)?;
        match request.what {
            Some(What::DeliveryId(id)) => {
                let delivery = self.named(caller, id);
                self.once(key, Redeliver(delivery)).await
            }
            Some(What::Failed(failed)) => {
                let since = failed.since_time.as_ref().map(Instant::from_proto);
                let named = self.named(caller, failed.webhook_id);
                let since = since.unwrap_or(Instant(i64::MIN));
                self.once(key, RedeliverFailed { named, since }).await
            }
            None => {
                let mut wrong = Violations::new(DOMAIN);
                wrong.add("what", "must be delivery_id or failed");
                wrong.finish()?;
                Ok(proto::RedeliverWebhookResponse::default())
            }
        }
    }

    fn named(&self, caller: &Caller, id: String) -> Named {
        Named { id, channel: caller.channel().map(str::to_owned), now: self.clock.now() }
    }

    fn key(
        &self,
        caller: &Caller,
        request_id: &str,
        method: &str,
        request: &impl Message,
    ) -> Result<RequestKey, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let request_id = wrong.take("request_id", RequestId::parse(request_id));
        wrong.finish()?;
        key(caller, request_id, method, request)
    }

    async fn once<C>(&self, key: RequestKey, change: C) -> Result<C::Output, Error>
    where
        C: Change,
        C::Output: Message + Default,
    {
        // Beside the call: what is stored is heard of, though the caller goes away.
        let this = self.clone();
        let changed = tokio::spawn(async move {
            let answer = this.idempotency.once(key, change).await;
            if let Err(error) = this.registry.reload(&this.database).await {
                tracing::warn!(%error, "read webhooks after a change; trying again");
            }
            this.registry.mark_changed();
            answer
        });
        changed.await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
    }
}

fn key(
    caller: &Caller,
    request_id: Option<RequestId>,
    method: &str,
    request: &impl Message,
) -> Result<RequestKey, Error> {
    let Some(request_id) = request_id else {
        return Err(Error::internal(DOMAIN, "a request id without violation was not read"));
    };
    Ok(RequestKey::new(&caller.name, request_id, method, request))
}

fn channel(caller: &Caller, asked: &str, wrong: &mut Violations) -> String {
    match caller.channel() {
        None => wrong.length("channel", asked, 1, 64),
        Some(own) if asked.is_empty() || asked == own => {}
        Some(own) => {
            wrong.add("channel", format!("must be empty or {own}: a channel sets its own"))
        }
    }
    caller.channel().unwrap_or(asked).to_owned()
}

fn name(asked: &str, wrong: &mut Violations) -> String {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if asked.len() > MAX_NAME_LENGTH || !asked.bytes().all(is_plain) {
        wrong.add("name", format!("must have at most {MAX_NAME_LENGTH} characters of [a-z0-9-]"));
    }
    if asked.is_empty() { DEFAULT_NAME.to_owned() } else { asked.to_owned() }
}

fn event_types(asked: &[String], wrong: &mut Violations) {
    let is_twice = |(index, kind): (usize, &String)| asked[..index].contains(kind);
    for (index, kind) in asked.iter().enumerate().take(EVENT_TYPES.len() + 1) {
        let path = format!("event_types[{index}]");
        if !EVENT_TYPES.contains(&kind.as_str()) {
            wrong.add(path, format!("must be one of {}", EVENT_TYPES.join(", ")));
        } else if is_twice((index, kind)) {
            wrong.add(path, "must not be there twice");
        }
    }
}
