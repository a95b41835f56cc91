//! What the command line says about orders.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    Limit, Once, OrderCancellations, OrderFees, OrderLoad, OrderTimeouts, OrderUrges, Why,
};

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// Submit an order from a YAML or JSON file in the canonical protobuf JSON form.
    #[command(after_help = "Examples:
  throughline order submit deploy/throughline/samples/simple-order.yaml
  throughline order submit deploy/throughline/samples/converged-order.yaml --watch")]
    Submit {
        /// The file (a SubmitOrderRequest; without request_id one is made from the content).
        file: PathBuf,
        /// Follow the order to its end; exit code 1 unless it ends COMPLETED.
        #[arg(long)]
        watch: bool,
    },
    /// Show one order: its parts, their steps, what each waits for, and who must do something.
    #[command(after_help = "Examples:
  throughline order get ord_01JD…
  throughline order get CONVERGED-0001 --channel demo-channel")]
    Get {
        /// Id, or with --channel the channel's own number.
        id: String,
        /// Channel whose number it is.
        #[arg(long)]
        channel: Option<String>,
    },
    /// List orders, newest first.
    #[command(after_help = "Examples:
  throughline order list --attention
  throughline order list --exception telecom-broadband/install/NO_LINE_AT_ADDRESS
  throughline order list --template ims --from 2026-11-27 --limit 500")]
    List(OrderList),
    /// Show what troubles live orders, grouped by template, step and reason.
    #[command(after_help = "Example:
  throughline order exceptions                     # then: throughline order list --exception SIGNATURE")]
    Exceptions,
    /// Count where live orders stand still, by template, step and state.
    #[command(after_help = "Examples:
  throughline order load                           # then: throughline order list --step ID
  throughline order load --template telecom-broadband")]
    Load(OrderLoad),
    /// Show which steps of live orders are late, those that are so the longest first.
    #[command(after_help = "Examples:
  throughline order timeouts
  throughline order timeouts --template telecom-broadband --step install --lateness BREACHED")]
    Timeouts(OrderTimeouts),
    /// Show requests to cancel or to change, and what came of each.
    #[command(after_help = "Examples:
  throughline order cancellations --outcome STUCK  # an undo was refused: a person must undo it
  throughline order cancellations --outcome TOO_LATE --from 2026-11-01")]
    Cancellations(OrderCancellations),
    /// Show live orders whose customer asked to hurry, with where they stand.
    #[command(after_help = "Example:
  throughline order urges --channel my-shop")]
    Urges(OrderUrges),
    /// Show orders whose money is not what it should be.
    #[command(after_help = "Example:
  throughline order fees --from 2026-11-27")]
    Fees(OrderFees),
    /// Follow one order to its end; exit code 1 unless it ends COMPLETED.
    #[command(after_help = "Example:
  throughline order watch ord_01JD…")]
    Watch {
        /// Id.
        id: String,
    },
    /// Cancel an order or a part of it: what ran is undone, what was paid goes back.
    #[command(after_help = "Examples:
  throughline order cancel ord_01JD… --preview
  throughline order cancel ord_01JD… --reason 'customer moved away'
  throughline order cancel ord_01JD… --item phone --reason 'not wanted any more'
  throughline order cancel ord_01JD… --business-order telecom-broadband --reason 'no line'")]
    Cancel(CancelOrder),
    /// Change the lines of an order, or when it begins, before it is delivered.
    #[command(after_help = "Examples:
  throughline order change ord_01JD… lines.yaml --preview
  throughline order change ord_01JD… lines.yaml --reason 'other plan wanted'

The file has all lines as they shall be:
  items: [{ itemKey: plan, offeringCode: plan-4g-129, quantity: 1, action: ITEM_ACTION_ADD }]
  requestedStartTime: 2026-12-01T08:00:00Z")]
    Change(ChangeOrder),
    /// Pause an order or a part of it: nothing starts, and no time runs out.
    #[command(after_help = "Examples:
  throughline order pause ord_01JD… --reason 'customer asked to wait'
  throughline order pause ord_01JD… --step install --reason 'no technician'")]
    Pause(OrderPart),
    /// End a pause: times go on with what was left of them.
    #[command(after_help = "Example:
  throughline order resume ord_01JD… --reason 'customer is ready'")]
    Resume(OrderPart),
    /// Try a step at once: one that failed, that waits for its next attempt, or whose undo was refused.
    #[command(after_help = "Example:
  throughline order retry ord_01JD… --step install --reason 'line was repaired'")]
    Retry(OrderStep),
    /// Go on without a step that has not happened.
    #[command(after_help = "Example:
  throughline order skip ord_01JD… --step construction --reason 'line was there already'")]
    Skip(OrderStep),
    /// Do a step by the substitute call of its template.
    #[command(after_help = "Example:
  throughline order substitute ord_01JD… --step ship --reason 'courier is on strike'")]
    Substitute(OrderStep),
    /// Undo a step and all that ran after it, then run them anew.
    #[command(after_help = "Example:
  throughline order rerun ord_01JD… --step activate --reason 'number was ported wrongly'")]
    Rerun(OrderStep),
    /// Record that a person undid what the platform could not; the reason is the proof.
    #[command(after_help = "Example:
  throughline order prove-undone ord_01JD… --step install --reason 'ticket 4711, line removed by hand'")]
    ProveUndone(OrderStep),
    /// Say how urgent an order is.
    #[command(after_help = "Example:
  throughline order priority ord_01JD… 9 --reason 'hospital'")]
    Priority(UrgentOrder),
    /// Hurry an order because its customer asks; at most once in ten minutes.
    #[command(after_help = "Example:
  throughline order urge ord_01JD… --reason 'called twice today'")]
    Urge {
        /// Id.
        id: String,
        /// What the customer said, at most 200 characters.
        #[arg(long, default_value = "")]
        reason: String,
        /// What makes the request the same over its repeats.
        #[command(flatten)]
        once: Once,
    },
}

/// Which orders, and how many.
#[derive(Debug, Args)]
pub struct OrderList {
    /// Which.
    #[command(flatten)]
    pub filter: OrderFilter,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// Which orders.
#[derive(Debug, Args)]
pub struct OrderFilter {
    /// Only this customer.
    #[arg(long, value_name = "ID")]
    pub customer: Option<String>,
    /// Only customers with this phone, E.164.
    #[arg(long)]
    pub phone: Option<String>,
    /// Only this channel.
    #[arg(long)]
    pub channel: Option<String>,
    /// Only the order with this number of the channel.
    #[arg(long)]
    pub number: Option<String>,
    /// Only this state (COMPLETED, IN_PROGRESS …).
    #[arg(long)]
    pub state: Option<String>,
    /// Only orders that run, or ran, by this template.
    #[arg(long, group = "trouble")]
    pub template: Option<String>,
    /// Only live orders of which a step with this id waits, is tried again, or has failed and is decided about.
    #[arg(long, group = "trouble")]
    pub step: Option<String>,
    /// Only live orders with an exception of this signature (see `order exceptions`).
    #[arg(long, group = "trouble", value_name = "SIGNATURE")]
    pub exception: Option<String>,
    /// Only live orders that a person should look at.
    #[arg(long, group = "trouble")]
    pub attention: bool,
    /// Only live orders that will miss their promise by what was measured.
    #[arg(long, group = "trouble")]
    pub jeopardy: bool,
    /// Only orders accepted at this time or later: 2026-11-27 or 2026-11-27T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only orders accepted before this time.
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
}

/// What to cancel.
#[derive(Debug, Args)]
pub struct CancelOrder {
    /// Id.
    pub id: String,
    /// Only what delivers this line; may be given several times.
    #[arg(long = "item", value_name = "KEY", conflicts_with = "business_orders")]
    pub items: Vec<String>,
    /// Only this business order and those that require it: its id, or its template or a line where only one has it.
    #[arg(long = "business-order", value_name = "ID")]
    pub business_orders: Vec<String>,
    /// Only show what a cancel would do now.
    #[arg(long)]
    pub preview: bool,
    /// Why, 1 to 200 characters.
    #[arg(long, required_unless_present = "preview")]
    pub reason: Option<String>,
    /// What makes the request the same over its repeats.
    #[command(flatten)]
    pub once: Once,
}

/// What an order shall become.
#[derive(Debug, Args)]
pub struct ChangeOrder {
    /// Id.
    pub id: String,
    /// The file: `items` and `requestedStartTime`, as in the file of an order.
    pub file: PathBuf,
    /// Only show what the change would do now.
    #[arg(long)]
    pub preview: bool,
    /// Why, 1 to 200 characters.
    #[arg(long, required_unless_present = "preview")]
    pub reason: Option<String>,
    /// What makes the request the same over its repeats.
    #[command(flatten)]
    pub once: Once,
}

/// An order or a part of it.
#[derive(Debug, Args)]
pub struct OrderPart {
    /// Id.
    pub id: String,
    /// Business order: its id, or its template or a line where only one has it.
    #[arg(long, value_name = "ID")]
    pub business_order: Option<String>,
    /// Step; one of the order itself, or of the only business order that has it.
    #[arg(long, value_name = "ID")]
    pub step: Option<String>,
    /// Why.
    #[command(flatten)]
    pub why: Why,
}

/// A step of an order.
#[derive(Debug, Args)]
pub struct OrderStep {
    /// Id.
    pub id: String,
    /// Step; one of the order itself, or of the only business order that has it.
    #[arg(long, value_name = "ID")]
    pub step: String,
    /// Business order: its id, or its template or a line where only one has it.
    #[arg(long, value_name = "ID")]
    pub business_order: Option<String>,
    /// Why.
    #[command(flatten)]
    pub why: Why,
}

/// How urgent an order is.
#[derive(Debug, Args)]
pub struct UrgentOrder {
    /// Id.
    pub id: String,
    /// 0 (can wait) to 9 (first).
    #[arg(value_parser = clap::value_parser!(u8).range(0..=9))]
    pub priority: u8,
    /// Why.
    #[command(flatten)]
    pub why: Why,
}
