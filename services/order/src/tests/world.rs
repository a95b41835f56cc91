//! Orders to test with, and a world that answers their calls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::money::{Currency, Money};

use crate::apply::apply;
use crate::event::{Event, Gain, Outcome, Preparation, PreparedBusinessOrder};
use crate::failure::Failure;
use crate::follow_up::PAYMENT_EXPIRED;
use crate::order::{Action, Customer, Item, ItemPlan, Order, OrderId, PaymentPlan, Place, Policy};
use crate::work::{Task, Work};

pub(super) const START: Instant = Instant(1_000_000_000);

fn cny(minor: i64) -> Money {
    Money::new(Currency::parse("CNY").expect("valid"), minor)
}

/// Two plans, one broadband, one IP phone that requires the broadband.
pub(super) fn converged(policy: Policy) -> Order {
    let item = |key: &str, offering: &str| Item {
        key: key.to_owned(),
        offering: offering.to_owned(),
        quantity: 1,
        action: Action::Add,
        agreed_price: None,
        characteristics: BTreeMap::new(),
        return_of: None,
    };
    let items = vec![
        item("plan1", "plan-4g"),
        item("plan2", "plan-4g"),
        item("broadband", "broadband-100m"),
        item("phone", "ip-phone"),
    ];
    let mut order = Order {
        id: OrderId::derive(&["converged"]),
        channel: "hall".to_owned(),
        channel_order_id: "1".to_owned(),
        customer: Customer { id: "c1".to_owned(), ..Customer::default() },
        items: items.into(),
        item_plans: None,
        currency: Currency::parse("CNY").expect("valid"),
        payment: PaymentPlan { channel: "sandbox".to_owned(), ttl: Duration::from_secs(900) },
        policy,
        steps: crate::flow::first_steps(),
        business_orders: Vec::new(),
        total: None,
        captured: 0,
        refunded: 0,
        payment_order_id: String::new(),
        reservation_id: String::new(),
        assigned: BTreeMap::new(),
        dismissal: None,
        cancel_reason: None,
        failure: None,
        trace_parent: String::new(),
        created_at: START,
        updated_at: START,
        ended_at: None,
        version: 1,
    };
    apply(&mut order, &Event::StepStarted(Place { business_order: None, step: 0 }), START);
    order
}

pub(super) fn preparation() -> Preparation {
    let plan = |charge: i64, pool: &str| ItemPlan {
        charge: cny(charge),
        recurring: cny(5_900),
        demands: vec![(pool.to_owned(), 1)],
        original: None,
    };
    let business =
        |key: &str, template: &str, item: &str, requires: &[&str]| PreparedBusinessOrder {
            key: key.to_owned(),
            template: template.to_owned(),
            item_keys: vec![item.to_owned()],
            requires: requires.iter().map(|r| (*r).to_owned()).collect(),
            after: Vec::new(),
        };
    Preparation {
        items: vec![
            plan(1_000, "msisdn"),
            plan(1_000, "msisdn"),
            plan(10_000, "modem"),
            plan(2_000, "landline"),
        ],
        total: cny(14_000),
        business_orders: vec![
            business("bo-1", "telecom-plan", "plan1", &[]),
            business("bo-2", "telecom-plan", "plan2", &[]),
            business("bo-3", "telecom-broadband", "broadband", &[]),
            business("bo-4", "telecom-ip-phone", "phone", &["bo-3"]),
        ],
    }
}

pub(super) fn failure(reason: &str) -> Failure {
    Failure { reason: reason.to_owned(), domain: "test".to_owned(), message: reason.to_owned() }
}

/// What really happened outside, by request id or reference.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) captured: i64,
    pub(super) refunded: i64,
    paid: Option<Outcome>,
    closed: bool,
    operations: BTreeMap<String, Outcome>,
    refunds: BTreeSet<String>,
    pub(super) active: BTreeSet<String>,
    pub(super) ever_active: BTreeSet<String>,
    pub(super) held: bool,
    pub(super) used: BTreeSet<String>,
}

impl World {
    /// Has the effect of the work, once for its id, and says how it ended. `refuse` decides a first effect.
    pub(super) fn perform(&mut self, order: &Order, work: &Work, refuse: bool) -> Outcome {
        let done = Outcome::Succeeded(Gain::Nothing);
        match &work.task {
            Task::Prepare if refuse => Outcome::Declined(failure("EXCLUDED_BY")),
            Task::Prepare => Outcome::Succeeded(Gain::Prepared(preparation())),
            Task::Reserve { .. } => {
                let outcome = self.operation(&work.request_id, refuse, "INSUFFICIENT_STOCK");
                self.held |= outcome == done && self.used.is_empty();
                match outcome {
                    Outcome::Succeeded(_) => Outcome::Succeeded(Gain::Reserved {
                        reservation_id: "res".to_owned(),
                        assigned: BTreeMap::new(),
                    }),
                    other => other,
                }
            }
            Task::Allocate => {
                let outcome = self.operation(&work.request_id, refuse, "RESERVATION_EXPIRED");
                if outcome == done && self.held {
                    self.held = false;
                    self.used = order.items.iter().map(|item| item.key.clone()).collect();
                }
                outcome
            }
            Task::Release { .. } => {
                self.held = false;
                done
            }
            Task::ReturnAllocated { item_keys, .. } => {
                for key in item_keys {
                    self.used.remove(key);
                }
                done
            }
            Task::Pay { amount } => self.pay(amount.minor, refuse),
            Task::ClosePayment { .. } => {
                self.closed |= self.paid.is_none();
                self.paid.clone().unwrap_or_else(|| Outcome::Declined(failure(PAYMENT_EXPIRED)))
            }
            Task::Refund { amount, .. } => {
                if self.refunds.insert(work.request_id.clone()) {
                    self.refunded += amount.minor;
                }
                Outcome::Succeeded(Gain::Refunded(amount.minor))
            }
            Task::AskRefund { .. } | Task::Restock(_) => done,
            Task::Activate(_) | Task::OpenAccount { .. } | Task::Ship { .. } => {
                let outcome = self.operation(&work.reference, refuse, "NO_LINE_AT_ADDRESS");
                if outcome == done && self.ever_active.insert(work.reference.clone()) {
                    self.active.insert(work.reference.clone());
                }
                outcome
            }
            Task::AskOperation(_) => self
                .operations
                .get(&work.reference)
                .cloned()
                .unwrap_or_else(|| Outcome::NeverArrived(failure("REFERENCE_NOT_FOUND"))),
            Task::Deactivate { activation_reference: reference }
            | Task::CloseAccount { open_reference: reference }
            | Task::CancelShipment { shipment_reference: reference } => {
                assert!(self.ever_active.contains(reference), "undone what never ran");
                self.active.remove(reference);
                done
            }
        }
    }

    fn operation(&mut self, id: &str, refuse: bool, reason: &str) -> Outcome {
        let first = if refuse {
            Outcome::Declined(failure(reason))
        } else {
            Outcome::Succeeded(Gain::Nothing)
        };
        self.operations.entry(id.to_owned()).or_insert(first).clone()
    }

    fn pay(&mut self, minor: i64, refuse: bool) -> Outcome {
        if self.closed {
            return Outcome::Declined(failure(PAYMENT_EXPIRED));
        }
        let first = if refuse {
            Outcome::Declined(failure("INSUFFICIENT_FUNDS"))
        } else {
            Outcome::Succeeded(Gain::Captured { payment_order_id: "pay".to_owned(), minor })
        };
        let was_new = self.paid.is_none();
        let outcome = self.paid.get_or_insert(first).clone();
        if was_new && matches!(outcome, Outcome::Succeeded(_)) {
            self.captured += minor;
        }
        outcome
    }
}
