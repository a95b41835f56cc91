//! Carries one delivery: claims it, sends it, and stores what became of it.

use std::time::Duration;

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::outbox::Announcement;
use throughline_kit::storage::{Change, Tx, Writer};
use throughline_proto::order::v1 as proto;

use super::delivery::{Attempt, Delivery, DeliveryState};
use super::post::{Letter, Post};
use super::secret::Signed;
use super::store::{self, Claimed};
use super::{Webhook, convert};

/// How much longer than the attempt a claim lasts, so that what became of it can be stored.
const CLAIM_MARGIN: Duration = Duration::from_secs(15);

/// Carries deliveries.
#[derive(Debug)]
pub(crate) struct Courier {
    /// Sends.
    pub(crate) post: Post,
    /// Time.
    pub(crate) clock: Clock,
    /// Where claims and outcomes go.
    pub(crate) writer: Writer,
}

impl Courier {
    /// Claims deliveries in one commit; gives those that nobody else has claimed or changed.
    pub(crate) async fn claim(&self, deliveries: Vec<Delivery>) -> Result<Vec<Claimed>, Error> {
        if deliveries.is_empty() {
            return Ok(Vec::new());
        }
        let until = self.clock.now().plus(self.post.timeout() + CLAIM_MARGIN);
        self.writer.write(Claim { deliveries, until }).await
    }

    /// Sends a claimed delivery and stores what became of it. Says whether the webhook was disabled.
    pub(crate) async fn carry(&self, webhook: &Webhook, claimed: Claimed) -> Result<bool, Error> {
        let delivery = &claimed.delivery;
        let letter = letter(webhook, delivery, self.clock.now());
        let attempt = self.post.send(&webhook.url, letter).await;
        let now = self.clock.now();
        let mut after = delivery.clone();
        after.settle(&attempt, now);
        let (state, code) = (after.state.as_str(), after.response_code);
        let reason = after.failure.as_ref().map(|failure| failure.reason.as_str());
        tracing::debug!(delivery = %after.id, state, code, reason, "sent a webhook delivery");
        let is_gone = matches!(attempt, Attempt::Gone { .. });
        let webhook = webhook.clone();
        self.writer.write(Settle { webhook, claimed, after, is_gone, now }).await
    }
}

fn letter(webhook: &Webhook, delivery: &Delivery, now: Instant) -> Letter {
    let (id, body) = (delivery.event_id.clone(), delivery.payload.clone());
    let timestamp = now.to_proto().seconds;
    let signed = Signed { id: &id, timestamp, body: &body };
    let signatures: Vec<String> = webhook.secrets(now).map(|secret| secret.sign(signed)).collect();
    Letter { signature: signatures.join(" "), id, timestamp, body }
}

/// Claims deliveries that are due.
struct Claim {
    deliveries: Vec<Delivery>,
    until: Instant,
}

impl Change for Claim {
    type Output = Vec<Claimed>;

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<Claimed>, Error> {
        let mut claimed = Vec::with_capacity(self.deliveries.len());
        for delivery in &self.deliveries {
            claimed.extend(store::claim(tx, delivery, self.until).await?);
        }
        Ok(claimed)
    }
}

/// Stores what became of an attempt. Says whether it disabled the webhook.
struct Settle {
    webhook: Webhook,
    claimed: Claimed,
    after: Delivery,
    is_gone: bool,
    now: Instant,
}

impl Change for Settle {
    type Output = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<bool, Error> {
        if !store::settle(tx, &self.claimed, &self.after).await? {
            // Redelivered or deleted meanwhile, or the claim ran out: what happens to it now counts.
            return Ok(false);
        }
        if self.after.state == DeliveryState::Failed {
            tx.announce(self.announcement("webhook.failed"));
        }
        let Webhook { id, url, .. } = &self.webhook;
        let is_disabled = self.is_gone && store::disable(tx, id, url, self.now).await?;
        if is_disabled {
            tx.announce(self.announcement("webhook.disabled"));
        }
        Ok(is_disabled)
    }
}

impl Settle {
    fn announcement(&self, kind: &'static str) -> Announcement {
        let payload = proto::WebhookDeliveryFailed {
            channel: self.webhook.channel.clone(),
            webhook_name: self.webhook.name.clone(),
            delivery: Some(convert::delivery(&self.after)),
        };
        let (webhook_id, order_id) = (self.webhook.id.as_str(), &self.after.order_id);
        Announcement::new(kind, webhook_id, order_id, self.now, &payload)
    }
}
