//! Makes deliveries of events, in the transaction that stores the events.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use throughline_kit::money::Money;
use throughline_kit::outbox::Announcement;
use throughline_kit::storage::Tx;

use super::delivery::{Delivery, DeliveryId, DeliveryState};
use super::{EVENT_PREFIX, Registry, store};
use crate::convert;
use crate::order::Order;
use crate::rollup::rollup;

/// Makes a delivery for each webhook that wants one of these events; `orders` are stored in the same transaction, as they
/// are after the events. Called by the writer only.
pub(crate) fn enqueue<'a>(
    tx: &mut Tx,
    registry: &Registry,
    orders: impl Iterator<Item = &'a Order>,
    events: &[Announcement],
) {
    let webhooks = registry.webhooks();
    let heard: HashMap<&str, &Order> = orders
        .filter(|order| !webhooks.of_channel(&order.channel).is_empty())
        .map(|order| (order.id.as_str(), order))
        .collect();
    if heard.is_empty() {
        return;
    }
    for event in events.iter().filter(|event| event.kind.starts_with(EVENT_PREFIX)) {
        let Some(order) = heard.get(event.order_id.as_str()) else { continue };
        let of_channel = webhooks.of_channel(&order.channel).iter();
        for webhook in of_channel.filter(|webhook| webhook.wants(event.kind)) {
            let delivery = Delivery {
                id: DeliveryId::generate(),
                webhook_id: webhook.id.clone(),
                channel: webhook.channel.clone(),
                event_id: event.event_id.clone(),
                event_type: event.kind.to_owned(),
                order_id: event.order_id.clone(),
                payload: payload(event, order),
                state: DeliveryState::Pending,
                attempts: 0,
                next_attempt_at: Some(event.occurred_at),
                response_code: None,
                failure: None,
                created_at: event.occurred_at,
                delivered_at: None,
            };
            store::insert_delivery(tx, &delivery);
            registry.mark_storing(&webhook.id);
        }
    }
}

/// What is sent. Nothing of the customer is in it, and of a failure only its reason: messages are written by others, and
/// may name a person.
fn payload(event: &Announcement, order: &Order) -> String {
    let failure =
        order.failure.as_ref().map(|it| json!({ "reason": it.reason, "domain": it.domain }));
    let mut data = json!({
        "order_id": order.id.as_str(),
        "channel_order_id": order.channel_order_id,
        "state": rollup(order).as_str(),
        "version": order.version,
        "attention": order.needs_attention(),
        "create_time": order.created_at.to_proto().to_string(),
        "update_time": order.updated_at.to_proto().to_string(),
        "total": order.total.map(money),
        "paid": money(convert::paid(order)),
        "failure": failure,
    });
    if let Json::Object(fields) = &mut data {
        fields.retain(|_, value| !value.is_null());
    }
    let timestamp = event.occurred_at.to_proto().to_string();
    json!({ "type": event.kind, "timestamp": timestamp, "data": data }).to_string()
}

fn money(money: Money) -> Json {
    let money = money.to_proto();
    json!({ "currency_code": money.currency_code, "minor_units": money.minor_units })
}
