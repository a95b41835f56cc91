//! `order …`

use std::process::ExitCode;

use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;

use crate::args::OrderCommand;
use crate::connection::{Session, bounded, refused};
use crate::console::{short, time_of_day};
use crate::orders;

mod cancel;
mod change;
mod graph;
mod list;
mod monitor;
mod operate;
pub(super) mod part;
mod show;
mod waiting;

/// Whose key submits when --key-file does not say.
const CHANNEL: &str = "demo-channel";
/// Whose key follows.
const OPERATOR: &str = "operator";

pub(super) async fn run(session: &Session, command: OrderCommand) -> Result<ExitCode, Error> {
    match command {
        OrderCommand::Submit { file, watch } => {
            let request = orders::parse(&super::seed::read(&file)?)?;
            let client = session.client(CHANNEL)?;
            let accepted = orders::submit(&client, request).await?;
            session.console.answer(&accepted, |accepted| {
                session.console.line(format!("accepted {}", accepted.order_id));
            })?;
            if watch { follow(session, &accepted.order_id).await } else { Ok(ExitCode::SUCCESS) }
        }
        OrderCommand::Get { id, channel } => show::run(session, id, channel).await,
        OrderCommand::List(wanted) => list::run(session, wanted).await,
        OrderCommand::Exceptions => monitor::exceptions(session).await,
        OrderCommand::Load(wanted) => monitor::load(session, wanted).await,
        OrderCommand::Timeouts(wanted) => monitor::timeouts(session, wanted).await,
        OrderCommand::Cancellations(wanted) => monitor::cancellations(session, wanted).await,
        OrderCommand::Urges(wanted) => monitor::urges(session, wanted).await,
        OrderCommand::Fees(wanted) => monitor::fees(session, wanted).await,
        OrderCommand::Watch { id } => follow(session, &id).await,
        OrderCommand::Cancel(wanted) => cancel::run(session, wanted).await,
        OrderCommand::Change(wanted) => change::run(session, wanted).await,
        OrderCommand::Pause(part) => operate::pause(session, part).await,
        OrderCommand::Resume(part) => operate::resume(session, part).await,
        OrderCommand::Retry(step) => operate::retry(session, step).await,
        OrderCommand::Skip(step) => operate::skip(session, step).await,
        OrderCommand::Substitute(step) => operate::substitute(session, step).await,
        OrderCommand::Rerun(step) => operate::rerun(session, step).await,
        OrderCommand::ProveUndone(step) => operate::prove_undone(session, step).await,
        OrderCommand::Priority(wanted) => operate::prioritize(session, wanted).await,
        OrderCommand::Urge { id, reason, once } => operate::urge(session, id, reason, &once).await,
    }
}

/// Reads an order with the operator's key.
pub(super) async fn read(session: &Session, order_id: &str) -> Result<proto::CustomerOrder, Error> {
    let request = proto::GetOrderRequest { order_id: order_id.to_owned(), ..Default::default() };
    read_one(session, request).await
}

async fn read_one(
    session: &Session,
    request: proto::GetOrderRequest,
) -> Result<proto::CustomerOrder, Error> {
    let answer = OrderServiceClient::new(session.operator()?)
        .get_order(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    answer.order.ok_or_else(|| Error::internal("order", "the answer has no order"))
}

/// Refuses what a person gave before anything is called.
fn invalid(reason: &str, message: String) -> Error {
    Error::new(Kind::Invalid, "client", reason, message)
}

async fn follow(session: &Session, order_id: &str) -> Result<ExitCode, Error> {
    let client = session.client(OPERATOR)?;
    let console = session.console;
    let last = orders::follow(&client, order_id, |order| {
        if console.is_json() {
            let _ = console.message(order);
        } else {
            console.line(progress(order));
        }
    })
    .await?;
    if !console.is_json() {
        show::show(console, &last, &[]);
    }
    let completed = last.state() == proto::OrderState::Completed;
    Ok(if completed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn progress(order: &proto::CustomerOrder) -> String {
    let open: Vec<String> = order
        .steps
        .iter()
        .chain(order.business_orders.iter().flat_map(|bo| &bo.steps))
        .filter(|step| is_open(step.state()))
        .map(|step| {
            let state = short(step.state().as_str_name(), "STEP_STATE_");
            format!("{} {}", step.step_id, state.to_lowercase())
        })
        .collect();
    let state = order_state(order);
    format!("{}  {state:<20}  {}", time_of_day(order.update_time.as_ref()), open.join(", "))
}

fn is_open(state: proto::StepState) -> bool {
    match state {
        proto::StepState::Running
        | proto::StepState::Waiting
        | proto::StepState::Retrying
        | proto::StepState::Unknown
        | proto::StepState::Undoing
        | proto::StepState::UndoFailed => true,
        proto::StepState::Unspecified
        | proto::StepState::Scheduled
        | proto::StepState::Succeeded
        | proto::StepState::Skipped
        | proto::StepState::Failed
        | proto::StepState::Undone => false,
    }
}

/// The order's state without its prefix.
fn order_state(order: &proto::CustomerOrder) -> &'static str {
    short(order.state().as_str_name(), "ORDER_STATE_")
}

/// The order and its state, as an operation left it.
fn head(order: &proto::CustomerOrder) -> String {
    let attention = if order.attention { "  needs attention" } else { "" };
    format!("order     {}  {}{attention}", order.order_id, order_state(order))
}
