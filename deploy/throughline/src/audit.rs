//! Compares the centers with each other, over their public services only.
//!
//! - every order is terminal, or live with a wake-up: an open step that will be called or asked about again, or a call under
//!   way in an order that changed a short time ago;
//! - for each terminal order: captured − refunded at the payment center = price of what was delivered (there are no fees
//!   yet) = what the order itself says;
//! - no payment of a terminal order is under way; every payment and refund belongs to an order;
//! - every reservation belongs to an order and to pools that there are, and none of a terminal order is still held;
//! - every pool agrees with its journal, and its held and used units with the reservations;
//! - the payment channel saw one charge for each reference, and the same money as the payment center.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use throughline_kit::client::GatewayClient;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_proto::order::v1 as order;
use throughline_proto::payment::v1 as payment;
use throughline_proto::resource::v1 as resource;
use throughline_proto::simulator::v1 as simulator;

mod fetch;
mod money;
mod stock;

/// How long a live order may stand still without a time at which it goes on, and how long that time may be over: more than the
/// longest call, and than the wait for a turn behind as many live orders as the order center takes.
const MAX_SILENCE: Duration = Duration::from_secs(30 * 60);

/// Everything that is compared.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) orders: BTreeMap<String, order::CustomerOrder>,
    pub(crate) payment_orders: Vec<payment::PaymentOrder>,
    pub(crate) refunds: Vec<payment::Refund>,
    pub(crate) reservations: Vec<resource::Reservation>,
    pub(crate) pools: Vec<resource::VerifyPoolResponse>,
    /// What the payment channel did; `None` where the channel is none that tells.
    pub(crate) channel_effects: Option<Vec<simulator::Effect>>,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Orders compared.
    pub orders: usize,
    /// Of them not yet terminal.
    pub live: usize,
    /// Payment orders compared.
    pub payment_orders: usize,
    /// Reservations compared.
    pub reservations: usize,
    /// Pools verified.
    pub pools: usize,
    /// The payment channel told what it did, and was compared.
    pub channel_compared: bool,
    /// Each thing that does not add up, as a sentence.
    pub differences: Vec<String>,
}

/// Reads all centers and compares them. Orders that change meanwhile can show as differences: a second look tells.
pub async fn audit(operator: &GatewayClient) -> Result<Report, Error> {
    let books = fetch::books(operator).await?;
    let now = Clock::system().now();
    let mut differences = Vec::new();
    for order in books.orders.values() {
        if !is_terminal(order) && !is_awake(order, now) {
            differences.push(format!(
                "order {} is live and nothing will wake it: no step is due, and the last change was over {} min ago",
                order.order_id,
                MAX_SILENCE.as_secs() / 60
            ));
        }
    }
    money::compare(&books, &mut differences);
    stock::compare(&books, &mut differences);
    Ok(Report {
        orders: books.orders.len(),
        live: books.orders.values().filter(|order| !is_terminal(order)).count(),
        payment_orders: books.payment_orders.len(),
        reservations: books.reservations.len(),
        pools: books.pools.len(),
        channel_compared: books.channel_effects.is_some(),
        differences,
    })
}

pub(crate) fn is_terminal(order: &order::CustomerOrder) -> bool {
    order.end_time.is_some()
}

/// Keys of the lines that the customer has: delivered, and not taken back by a business order of its own.
pub(crate) fn delivered_lines(order: &order::CustomerOrder) -> BTreeSet<&String> {
    let all = &order.business_orders;
    let is_done = |bo: &&order::BusinessOrder| bo.state() == order::BusinessOrderState::Done;
    let taken_back: BTreeSet<&String> = all.iter().filter(is_done).map(|bo| &bo.reverses).collect();
    let stays = |bo: &&order::BusinessOrder| {
        bo.reverses.is_empty() && !taken_back.contains(&bo.business_order_id)
    };
    all.iter().filter(is_done).filter(stays).flat_map(|bo| &bo.item_keys).collect()
}

/// Whether something will carry a live order on. A step that waits, also for a payer who takes a day, says when it is asked
/// about next; one whose call is under way, or waits for its turn, says nothing, so that the order must have changed lately.
fn is_awake(order: &order::CustomerOrder, now: Instant) -> bool {
    let lately = |at: &prost_types::Timestamp| now.since(Instant::from_proto(at)) <= MAX_SILENCE;
    let changed_lately = order.update_time.as_ref().is_some_and(lately);
    let theirs = order.business_orders.iter().flat_map(|bo| &bo.steps);
    changed_lately
        || order.steps.iter().chain(theirs).filter(|step| is_open(step.state())).any(|step| {
            // A time that is long over has woken nobody. Who waits for a person, for an event without end or for the end of a
            // pause has no time to be late for.
            let times = [&step.next_attempt_time, &step.deadline];
            times.into_iter().flatten().any(lately) || !step.task_id.is_empty() || step.held
        })
}

fn is_open(state: order::StepState) -> bool {
    match state {
        order::StepState::Running
        | order::StepState::Waiting
        | order::StepState::Retrying
        | order::StepState::Unknown
        | order::StepState::Undoing
        | order::StepState::UndoFailed => true,
        order::StepState::Unspecified
        | order::StepState::Scheduled
        | order::StepState::Succeeded
        | order::StepState::Skipped
        | order::StepState::Failed
        | order::StepState::Undone => false,
    }
}

#[cfg(test)]
mod tests;
