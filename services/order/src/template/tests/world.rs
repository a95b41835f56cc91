//! Facts about an order that tests make up.

use std::cell::Cell;
use std::collections::BTreeMap;

use throughline_kit::clock::Instant;
use throughline_proto::order::v1 as order;
use throughline_proto::r#type::v1::Money;

use crate::template::{Facts, StepFacts, Value};

/// Facts that count how often the order is asked for.
#[derive(Debug)]
pub(super) struct World {
    pub(super) order: order::CustomerOrder,
    pub(super) business_order: order::BusinessOrder,
    pub(super) saved: BTreeMap<(String, String), serde_json::Value>,
    pub(super) asked: Cell<u32>,
}

/// The time of every test: 2024-01-02T03:04:05Z.
pub(super) const NOW: Instant = Instant(1_704_164_645_000_000);

fn money(minor_units: i64) -> Money {
    Money { currency_code: "GBP".to_owned(), minor_units }
}

fn item(key: &str, offering: &str, quantity: i64, assigned: &[&str]) -> order::OrderItem {
    order::OrderItem {
        item_key: key.to_owned(),
        offering_code: offering.to_owned(),
        quantity,
        action: order::ItemAction::Add.into(),
        characteristics: [("access".to_owned(), "fiber".to_owned())].into(),
        assigned_items: assigned.iter().map(|&number| number.to_owned()).collect(),
        charge: Some(money(100 * quantity)),
        ..order::OrderItem::default()
    }
}

impl Default for World {
    fn default() -> Self {
        let order = order::CustomerOrder {
            order_id: "ord_1".to_owned(),
            channel: "web".to_owned(),
            state: order::OrderState::InProgress.into(),
            customer: Some(order::Customer {
                customer_id: "c-1".to_owned(),
                address: "1 High Street".to_owned(),
                ..order::Customer::default()
            }),
            items: vec![
                item("a", "broadband-300m", 1, &["+4420", "dev-7"]),
                item("b", "router", 2, &["ser-9"]),
            ],
            create_time: Some(Instant(NOW.0 - 60_000_000).to_proto()),
            ..order::CustomerOrder::default()
        };
        let business_order = order::BusinessOrder {
            business_order_id: "bo_1".to_owned(),
            recurring_charge: Some(money(2_500)),
            ..order::BusinessOrder::default()
        };
        Self { order, business_order, saved: BTreeMap::new(), asked: Cell::new(0) }
    }
}

impl Facts for World {
    fn order(&self) -> Value {
        self.asked.set(self.asked.get() + 1);
        Value::customer_order(&self.order)
    }

    fn reversed(&self) -> Value {
        Value::Null
    }

    fn business_order(&self) -> Value {
        Value::business_order(&self.business_order)
    }

    fn items(&self) -> Value {
        Value::order_items(&self.order.items)
    }

    fn step(&self) -> StepFacts {
        StepFacts {
            step_id: "install".to_owned(),
            reference: "stp_1".to_owned(),
            request_id: "req-1".to_owned(),
            done_reference: "stp_0".to_owned(),
            undo_reason: String::new(),
            attempt: 2,
            generation: 1,
        }
    }

    fn saved(&self, step: &str, name: &str) -> Value {
        let found = self.saved.get(&(step.to_owned(), name.to_owned()));
        found.map_or(Value::Null, Value::from_json)
    }

    fn now(&self) -> Instant {
        NOW
    }
}
