//! Protobuf ⇄ webhooks.

use throughline_proto::order::v1 as proto;

use super::delivery::{Delivery, DeliveryState};
use super::{Webhook, WebhookState};
use crate::convert;

/// Writes a webhook, without its secrets.
pub(crate) fn webhook(webhook: &Webhook) -> proto::Webhook {
    let state = match webhook.state {
        WebhookState::Active => proto::WebhookState::Active,
        WebhookState::Paused => proto::WebhookState::Paused,
        WebhookState::Disabled => proto::WebhookState::Disabled,
    };
    let previous = webhook.previous_secret.as_ref().map(|(_, until)| until);
    proto::Webhook {
        webhook_id: webhook.id.to_string(),
        channel: webhook.channel.clone(),
        name: webhook.name.clone(),
        url: webhook.url.clone(),
        event_types: webhook.event_types.clone(),
        state: state.into(),
        previous_secret_expire_time: previous.map(|until| until.to_proto()),
        create_time: Some(webhook.created_at.to_proto()),
        update_time: Some(webhook.updated_at.to_proto()),
    }
}

/// Writes a delivery.
pub(crate) fn delivery(delivery: &Delivery) -> proto::WebhookDelivery {
    let state = match delivery.state {
        DeliveryState::Pending => proto::WebhookDeliveryState::Pending,
        DeliveryState::Delivered => proto::WebhookDeliveryState::Delivered,
        DeliveryState::Failed => proto::WebhookDeliveryState::Failed,
    };
    let small = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    proto::WebhookDelivery {
        delivery_id: delivery.id.to_string(),
        webhook_id: delivery.webhook_id.to_string(),
        event_id: delivery.event_id.clone(),
        event_type: delivery.event_type.clone(),
        order_id: delivery.order_id.clone(),
        state: state.into(),
        attempts: small(delivery.attempts),
        next_attempt_time: delivery.next_attempt_at.map(|at| at.to_proto()),
        response_code: delivery.response_code.map(small).unwrap_or_default(),
        failure: delivery.failure.as_ref().map(convert::failure),
        create_time: Some(delivery.created_at.to_proto()),
        deliver_time: delivery.delivered_at.map(|at| at.to_proto()),
    }
}

/// Reads a state to filter by; `None` means all.
pub(crate) fn state_filter(state: i32) -> Result<Option<DeliveryState>, String> {
    let state = proto::WebhookDeliveryState::try_from(state)
        .map_err(|_| format!("must be a state of a delivery, is {state}"))?;
    Ok(match state {
        proto::WebhookDeliveryState::Unspecified => None,
        proto::WebhookDeliveryState::Pending => Some(DeliveryState::Pending),
        proto::WebhookDeliveryState::Delivered => Some(DeliveryState::Delivered),
        proto::WebhookDeliveryState::Failed => Some(DeliveryState::Failed),
    })
}
