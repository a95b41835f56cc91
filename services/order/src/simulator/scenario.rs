//! Orders of a simulated world.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::Instant;

use super::catalog::{REQUIRES, currency};
use crate::apply::apply;
use crate::event::Event;
use crate::flow::{self, Pinned};
use crate::order::{Action, Customer, DEFAULT_PRIORITY, Item, Order, OrderId, PaymentPlan, Place};
use crate::shared::Shared;
use crate::template::{Activity, FailurePolicy};

/// When every simulation begins.
pub(crate) const START: Instant = Instant(1_700_000_000_000_000);
/// How long payers have.
const PAYMENT_TTL: Duration = Duration::from_secs(900);

/// A line of one unit.
pub(crate) fn line(key: &str, offering: &str) -> Item {
    Item {
        key: key.to_owned(),
        offering: offering.to_owned(),
        quantity: 1,
        action: Action::Add,
        agreed_price: None,
        characteristics: BTreeMap::new(),
        return_of: None,
    }
}

/// Two plans, one broadband, one IP phone that requires the broadband.
pub(crate) fn converged_lines() -> Vec<Item> {
    let mut phone = line("phone", "ip-phone");
    phone.characteristics.insert(REQUIRES.to_owned(), "broadband".to_owned());
    vec![
        line("plan1", "plan-4g"),
        line("plan2", "plan-4g"),
        line("broadband", "broadband-100m"),
        phone,
    ]
}

/// An order as it is when it was just accepted.
pub(crate) fn accepted(
    name: &str,
    template: Pinned,
    policy: FailurePolicy,
    items: Vec<Item>,
) -> Order {
    let mut order = Order {
        id: OrderId::derive(&["simulated", name]),
        channel: "hall".to_owned(),
        channel_order_id: name.to_owned(),
        customer: Customer { id: "c1".to_owned(), ..Customer::default() }.into(),
        items: items.into(),
        item_plans: None,
        currency: currency(),
        payment: PaymentPlan { channel: "sandbox".to_owned(), ttl: PAYMENT_TTL }.into(),
        policy,
        sale: None,
        requested_start_at: None,
        promised_at: None,
        jeopardy_at: None,
        in_jeopardy: false,
        priority: DEFAULT_PRIORITY,
        urges: 0,
        urged_at: None,
        holds: Vec::new(),
        signals: Vec::new(),
        steps: flow::own_steps(&template),
        template,
        business_orders: Vec::new(),
        total: None,
        captured: 0,
        refunded: 0,
        payment_order_id: String::new(),
        reservation_id: String::new(),
        assigned: Shared::default(),
        dismissal: None,
        cancel_reason: None,
        change: None,
        failure: None,
        trace_parent: String::new(),
        created_at: START,
        updated_at: START,
        ended_at: None,
        version: 1,
        marks: Shared::default(),
        cancellations: Vec::new(),
        cancellations_changed: false,
        positions_changed: false,
        marks_changed: false,
        tasks_changed: false,
    };
    let first = Place { business_order: None, step: 0 };
    if order.step(first).activity() == Some(Activity::Prepare) {
        apply(&mut order, &Event::StepStarted(first), START);
    }
    order
}
