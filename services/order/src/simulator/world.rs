//! What really happens outside of a simulated order: every effect once for its request id or reference, whatever is repeated,
//! lost or late. What could not happen in a correct run is told as an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_kit::clock::Instant;

use super::catalog::Catalog;
use crate::event::{Direction, Gain, Outcome};
use crate::failure::Failure;
use crate::order::{Order, Place};
use crate::work::{CallPurpose, Task, Work};

mod money;
mod services;
mod stock;

pub(crate) use money::Money;
pub(crate) use services::{Services, leaves_trace};
pub(crate) use stock::Stock;

/// How the world answers something that it is asked for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It does it.
    Grant,
    /// It refuses for good, with one of the reasons that templates know or not.
    Refuse(&'static str),
    /// It takes it and does it later, where such a thing can be.
    Later,
}

/// The world of one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    catalog: Arc<Catalog>,
    /// Payments and refunds.
    pub(crate) money: Money,
    /// Reservations and what is in use.
    pub(crate) stock: Stock,
    /// What outside systems did.
    pub(crate) services: Services,
}

/// A failure that says its reason.
pub(crate) fn failure(reason: &str) -> Failure {
    Failure::new(reason, "world", reason)
}

fn done() -> Outcome {
    Outcome::Succeeded(Gain::Nothing)
}

impl World {
    /// A world in which a catalog is sold.
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, ..Self::default() }
    }

    /// What is sold in it.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Has the effect of the work, once for its id, and says how it ended. The manner decides a first effect only.
    pub(crate) fn perform(
        &mut self,
        order: &Order,
        work: &Work,
        manner: Manner,
        now: Instant,
    ) -> Result<Outcome, String> {
        let id = work.request_id.as_str();
        match &work.task {
            Task::Prepare => Ok(match manner {
                Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
                Manner::Grant | Manner::Later => {
                    Outcome::Succeeded(Gain::Prepared(self.catalog.prepare(order)))
                }
            }),
            Task::Reserve { ttl } => Ok(self.stock.reserve(id, manner, now.plus(*ttl))),
            Task::Allocate => self.stock.confirm(order, id, manner, now),
            Task::Release { .. } => self.stock.release(order, id, manner),
            Task::ReturnAllocated { item_keys, .. } => {
                self.stock.give_back(order, id, item_keys, manner)
            }
            Task::Restock(restock) => self.stock.restock(id, restock, manner),
            Task::Pay { amount } => Ok(self.money.pay(order, amount.minor, manner, now)),
            Task::ClosePayment { .. } => Ok(self.money.close(order)),
            Task::Refund { payment_order_id, amount, .. } => {
                self.money.refund(id, payment_order_id, amount.minor, manner)
            }
            Task::AskRefund { refund_id } => self.money.ask(refund_id, manner),
            Task::Call(CallPurpose::Ask) => Ok(self.services.ask(order, work.place)),
            Task::Call(CallPurpose::Do) => Ok(self.services.call(order, work.place, manner)),
            Task::Call(CallPurpose::Undo | CallPurpose::AskUndo) => {
                self.services.undo(order, work.place, manner)
            }
        }
    }

    /// A person undoes a step by hand.
    pub(crate) fn undo_by_hand(&mut self, order: &Order, place: Place) -> Result<(), String> {
        let work = crate::work::undo_of(order, place);
        if work.task == Task::Call(CallPurpose::Undo) {
            self.services.switch_off(order, place);
            return Ok(());
        }
        let by_hand = Work { request_id: format!("{} by hand", work.request_id), ..work };
        match self.perform(order, &by_hand, Manner::Grant, order.updated_at)? {
            Outcome::Succeeded(_) => Ok(()),
            other => Err(format!("undone by hand, the world says {other:?}")),
        }
    }

    /// What was taken before and not done yet is done now, or refused: what an outside system reports of its own accord.
    pub(crate) fn finish(
        &mut self,
        order: &Order,
        place: Place,
        manner: Manner,
    ) -> Option<Outcome> {
        let step = order.step(place);
        match step.activity() {
            Some(crate::template::Activity::Pay) => self.money.payer_acts(order, manner),
            Some(_) => None,
            None => self.services.finish(order, place, manner),
        }
    }
}

/// First answers, which are the answers for ever.
type Answers = BTreeMap<String, Outcome>;

fn reference(order: &Order, place: Place, direction: Direction) -> String {
    crate::work::reference(order, place, direction)
}
