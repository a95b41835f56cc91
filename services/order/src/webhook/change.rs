//! Changes of webhooks and deliveries that callers ask for.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::order::v1 as proto;

use super::delivery::DeliveryId;
use super::error::WebhookError;
use super::secret::Secret;
use super::{
    MAX_WEBHOOKS, MAX_WEBHOOKS_PER_CHANNEL, Webhook, WebhookId, WebhookState, convert, store,
};
use crate::error::DOMAIN;

/// Deliveries that one request sends again.
const MAX_REDELIVERIES: u16 = 1_000;

/// Registers a webhook, or changes the one with its name.
#[derive(Debug)]
pub(crate) struct Set {
    /// Id of a new one.
    pub(crate) id: WebhookId,
    /// Channel.
    pub(crate) channel: String,
    /// Unique in the channel.
    pub(crate) name: String,
    /// Where to; checked.
    pub(crate) url: String,
    /// Events; none means all.
    pub(crate) event_types: Vec<String>,
    /// Secret of a new one.
    pub(crate) secret: Secret,
    /// Time of the request.
    pub(crate) now: Instant,
}

impl Change for Set {
    type Output = proto::SetWebhookResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        if let Some(before) = store::by_name_in(tx, &self.channel, &self.name).await? {
            let webhook = self.changed(before);
            store::update(tx, &webhook).await?;
            let webhook = Some(convert::webhook(&webhook));
            return Ok(proto::SetWebhookResponse { webhook, secret: String::new() });
        }
        if store::count_in(tx, Some(&self.channel)).await? >= MAX_WEBHOOKS_PER_CHANNEL {
            let limit = "max_webhooks_per_channel";
            return Err(Error::limit(DOMAIN, limit, MAX_WEBHOOKS_PER_CHANNEL));
        }
        if store::count_in(tx, None).await? >= MAX_WEBHOOKS {
            return Err(Error::limit(DOMAIN, "max_webhooks", MAX_WEBHOOKS));
        }
        let webhook = self.made();
        store::insert(tx, &webhook);
        Ok(proto::SetWebhookResponse {
            webhook: Some(convert::webhook(&webhook)),
            secret: webhook.secret.reveal(),
        })
    }
}

impl Set {
    fn made(&self) -> Webhook {
        Webhook {
            id: self.id.clone(),
            channel: self.channel.clone(),
            name: self.name.clone(),
            url: self.url.clone(),
            event_types: self.event_types.clone(),
            state: WebhookState::Active,
            secret: self.secret.clone(),
            previous_secret: None,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    fn changed(&self, before: Webhook) -> Webhook {
        let state = match before.state {
            WebhookState::Active | WebhookState::Disabled => WebhookState::Active,
            WebhookState::Paused => WebhookState::Paused,
        };
        Webhook {
            url: self.url.clone(),
            event_types: self.event_types.clone(),
            state,
            version: before.version + 1,
            updated_at: self.now,
            ..before
        }
    }
}

/// What is asked for by its id, and by whom.
#[derive(Debug)]
pub(crate) struct Named {
    /// Id, as it was asked for.
    pub(crate) id: String,
    /// The asking channel; none sees all.
    pub(crate) channel: Option<String>,
    /// Time of the request.
    pub(crate) now: Instant,
}

impl Named {
    async fn webhook(&self, tx: &mut Tx) -> Result<Webhook, Error> {
        let missing = || WebhookError::NotFound(self.id.clone());
        WebhookId::parse(&self.id).map_err(|_| missing())?;
        let found = store::by_id_in(tx, &self.id, self.channel.as_deref()).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Stores a webhook that was changed.
    async fn store(&self, tx: &mut Tx, mut webhook: Webhook) -> Result<proto::Webhook, Error> {
        webhook.version += 1;
        webhook.updated_at = self.now;
        store::update(tx, &webhook).await?;
        Ok(convert::webhook(&webhook))
    }
}

/// Removes a webhook.
#[derive(Debug)]
pub(crate) struct Delete(pub(crate) Named);

impl Change for Delete {
    type Output = proto::DeleteWebhookResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let webhook = self.0.webhook(tx).await?;
        store::mark_deleted(tx, &webhook.id, self.0.now).await?;
        Ok(proto::DeleteWebhookResponse {})
    }
}

/// Makes a new secret.
#[derive(Debug)]
pub(crate) struct Rotate {
    /// Which webhook.
    pub(crate) named: Named,
    /// The new one.
    pub(crate) secret: Secret,
}

impl Change for Rotate {
    type Output = proto::RotateWebhookSecretResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut webhook = self.named.webhook(tx).await?;
        webhook.rotate(self.secret.clone(), self.named.now);
        let webhook = Some(self.named.store(tx, webhook).await?);
        Ok(proto::RotateWebhookSecretResponse { webhook, secret: self.secret.reveal() })
    }
}

/// Holds deliveries back.
#[derive(Debug)]
pub(crate) struct Pause(pub(crate) Named);

impl Change for Pause {
    type Output = proto::PauseWebhookResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let webhook = self.0.webhook(tx).await?;
        let webhook = match webhook.state {
            WebhookState::Active => {
                self.0.store(tx, Webhook { state: WebhookState::Paused, ..webhook }).await?
            }
            WebhookState::Paused => convert::webhook(&webhook),
            WebhookState::Disabled => return Err(WebhookError::Disabled(self.0.id.clone()).into()),
        };
        Ok(proto::PauseWebhookResponse { webhook: Some(webhook) })
    }
}

/// Sends what waits.
#[derive(Debug)]
pub(crate) struct Resume(pub(crate) Named);

impl Change for Resume {
    type Output = proto::ResumeWebhookResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let webhook = self.0.webhook(tx).await?;
        let webhook = match webhook.state {
            WebhookState::Paused | WebhookState::Disabled => {
                self.0.store(tx, Webhook { state: WebhookState::Active, ..webhook }).await?
            }
            WebhookState::Active => convert::webhook(&webhook),
        };
        Ok(proto::ResumeWebhookResponse { webhook: Some(webhook) })
    }
}

/// Sends one delivery again.
#[derive(Debug)]
pub(crate) struct Redeliver(pub(crate) Named);

impl Change for Redeliver {
    type Output = proto::RedeliverWebhookResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Named { id, channel, now } = &self.0;
        let missing = || WebhookError::DeliveryNotFound(id.clone());
        let delivery_id = DeliveryId::parse(id).map_err(|_| missing())?;
        if !store::has_delivery(tx, &delivery_id, channel.as_deref()).await? {
            return Err(missing().into());
        }
        store::redeliver(tx, &delivery_id, *now).await?;
        Ok(proto::RedeliverWebhookResponse { deliveries: 1, more: false })
    }
}

/// Sends failed deliveries of a webhook again.
#[derive(Debug)]
pub(crate) struct RedeliverFailed {
    /// Which webhook.
    pub(crate) named: Named,
    /// Of events at or after this instant.
    pub(crate) since: Instant,
}

impl Change for RedeliverFailed {
    type Output = proto::RedeliverWebhookResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Named { now, .. } = self.named;
        let webhook = self.named.webhook(tx).await?;
        let most = i64::from(MAX_REDELIVERIES);
        store::redeliver_failed(tx, &webhook.id, self.since, now, most).await.map(|count| {
            proto::RedeliverWebhookResponse {
                deliveries: i32::try_from(count).unwrap_or(i32::MAX),
                more: count == u64::from(MAX_REDELIVERIES),
            }
        })
    }
}

#[cfg(test)]
mod tests;
