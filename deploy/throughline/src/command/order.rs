//! `order submit | get | list | watch | cancel`

use std::process::ExitCode;

use throughline_kit::error::{Error, Kind};
use throughline_kit::id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;

use crate::args::OrderCommand;
use crate::connection::{Session, bounded, refused};
use crate::console::{amount, date_time, short, time_of_day};
use crate::orders;

/// Whose key submits and cancels when --key-file does not say.
const CHANNEL: &str = "demo-channel";
/// Whose key reads.
const OPERATOR: &str = "operator";

pub(super) async fn run(session: &Session, command: OrderCommand) -> Result<ExitCode, Error> {
    match command {
        OrderCommand::Submit { file, watch } => {
            let request = orders::parse(&super::seed::read(&file)?)?;
            let client = session.client(CHANNEL)?;
            let accepted = orders::submit(&client, request).await?;
            if session.console.is_json() {
                session.console.message(&accepted)?;
            } else {
                session.console.line(format!("accepted {}", accepted.order_id));
            }
            if watch { follow(session, &accepted.order_id).await } else { Ok(ExitCode::SUCCESS) }
        }
        OrderCommand::Get { id, channel } => {
            let request = match channel {
                Some(channel) => {
                    let order_id = String::new();
                    proto::GetOrderRequest { order_id, channel_order_id: id, channel }
                }
                None => proto::GetOrderRequest { order_id: id, ..Default::default() },
            };
            let answer = OrderServiceClient::new(session.client(OPERATOR)?.channel())
                .get_order(bounded(request))
                .await
                .map_err(refused)?
                .into_inner();
            show(session, &answer.order.unwrap_or_default())
        }
        OrderCommand::List { customer, state, channel, limit } => {
            list(session, customer, state, channel, limit).await
        }
        OrderCommand::Watch { id } => follow(session, &id).await,
        OrderCommand::Cancel { id, preview: true, .. } => preview(session, id).await,
        OrderCommand::Cancel { id, preview: false, reason } => cancel(session, id, reason).await,
    }
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
        show(session, &last)?;
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
    let state = short(order.state().as_str_name(), "ORDER_STATE_");
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
        | proto::StepState::Failed
        | proto::StepState::Undone => false,
    }
}

fn show(session: &Session, order: &proto::CustomerOrder) -> Result<ExitCode, Error> {
    let console = session.console;
    if console.is_json() {
        console.message(order)?;
        return Ok(ExitCode::SUCCESS);
    }
    let state = short(order.state().as_str_name(), "ORDER_STATE_");
    console.line(format!("order     {}  {state}", order.order_id));
    console.line(format!("channel   {}  {}", order.channel, order.channel_order_id));
    let total = amount(order.total.as_ref());
    console.line(format!("total     {total}, paid {}", amount(order.paid.as_ref())));
    if order.attention {
        console.line("attention a step needs a person; its REASON says why");
    }
    if let Some(failure) = &order.failure {
        console.line(format!(
            "failure   {} ({}): {}",
            failure.reason, failure.domain, failure.message
        ));
    }
    let steps = order.steps.iter().map(|step| step_row("order", step));
    let theirs = order.business_orders.iter().flat_map(|bo| {
        let state = short(bo.state().as_str_name(), "BUSINESS_ORDER_STATE_");
        let head = format!("{} [{}] {state}", bo.template, items_of(bo));
        bo.steps.iter().map(move |step| step_row(&head, step))
    });
    let rows: Vec<[String; 6]> = steps.chain(theirs).collect();
    console.table(["PART", "STEP", "STATE", "ATTEMPTS", "NEXT (UTC)", "REASON"], &rows);
    Ok(ExitCode::SUCCESS)
}

/// Items of a business order, the first few by name.
fn items_of(business_order: &proto::BusinessOrder) -> String {
    const NAMED: usize = 3;
    let keys = &business_order.item_keys;
    let named = keys.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" ");
    match keys.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn step_row(part: &str, step: &proto::Step) -> [String; 6] {
    let next = step.next_attempt_time.as_ref();
    let reason = step.failure.as_ref().map(|why| format!("{} ({})", why.reason, why.domain));
    [
        part.to_owned(),
        step.step_id.clone(),
        short(step.state().as_str_name(), "STEP_STATE_").to_owned(),
        step.attempts.to_string(),
        next.map(|at| date_time(Some(at))).unwrap_or_default(),
        reason.unwrap_or_default(),
    ]
}

async fn list(
    session: &Session,
    customer: Option<String>,
    state: Option<String>,
    channel: Option<String>,
    limit: usize,
) -> Result<ExitCode, Error> {
    let state = state.map(|state| read_state(&state)).transpose()?;
    let mut client = OrderServiceClient::new(session.client(OPERATOR)?.channel());
    let mut request = proto::ListOrdersRequest {
        page_size: i32::try_from(limit.min(500)).unwrap_or(500),
        customer_id: customer.unwrap_or_default(),
        channel: channel.unwrap_or_default(),
        state: state.unwrap_or_default().into(),
        ..Default::default()
    };
    let mut orders = Vec::new();
    loop {
        let page =
            client.list_orders(bounded(request.clone())).await.map_err(refused)?.into_inner();
        orders.extend(page.orders);
        if page.next_page_token.is_empty() || orders.len() >= limit {
            break;
        }
        request.page_token = page.next_page_token;
    }
    orders.truncate(limit);
    if session.console.is_json() {
        orders.iter().try_for_each(|order| session.console.message(order))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 7]> = orders.iter().map(order_row).collect();
    let heading = ["ORDER", "STATE", "CHANNEL", "NUMBER", "ITEMS", "TOTAL", "ACCEPTED (UTC)"];
    session.console.table(heading, &rows);
    Ok(ExitCode::SUCCESS)
}

fn order_row(order: &proto::CustomerOrder) -> [String; 7] {
    [
        order.order_id.clone(),
        short(order.state().as_str_name(), "ORDER_STATE_").to_owned(),
        order.channel.clone(),
        order.channel_order_id.clone(),
        order.items.len().to_string(),
        amount(order.total.as_ref()),
        date_time(order.create_time.as_ref()),
    ]
}

fn read_state(name: &str) -> Result<proto::OrderState, Error> {
    let full = format!("ORDER_STATE_{}", name.to_ascii_uppercase());
    proto::OrderState::from_str_name(&full).ok_or_else(|| {
        let message = format!(
            "no state {name}; states are ACKNOWLEDGED, PENDING, IN_PROGRESS, \
             PENDING_CANCELLATION, COMPLETED, PARTIAL, FAILED, CANCELLED, REJECTED"
        );
        Error::new(Kind::Invalid, "order", "STATE_UNKNOWN", message)
    })
}

async fn preview(session: &Session, order_id: String) -> Result<ExitCode, Error> {
    let answer = OrderServiceClient::new(session.client(OPERATOR)?.channel())
        .preview_cancel(bounded(proto::PreviewCancelRequest { order_id }))
        .await
        .map_err(refused)?
        .into_inner();
    if session.console.is_json() {
        session.console.message(&answer)?;
    } else {
        show_plan(session, &answer.plan.unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

async fn cancel(session: &Session, order_id: String, reason: String) -> Result<ExitCode, Error> {
    let request = proto::CancelOrderRequest { request_id: id::new_request_id(), order_id, reason };
    let answer = OrderServiceClient::new(session.client(OPERATOR)?.channel())
        .cancel_order(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    if session.console.is_json() {
        session.console.message(&answer)?;
    } else {
        let order = answer.order.unwrap_or_default();
        let state = short(order.state().as_str_name(), "ORDER_STATE_");
        session.console.line(format!("order     {}  {state}", order.order_id));
        show_plan(session, &answer.plan.unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

fn show_plan(session: &Session, plan: &proto::CancelPlan) {
    let none_or = |ids: &[String]| if ids.is_empty() { "-".to_owned() } else { ids.join(" ") };
    session.console.line(format!("never ran, ends  {}", none_or(&plan.cancel)));
    session.console.line(format!("undone           {}", none_or(&plan.undo)));
    session.console.line(format!("kept             {}", none_or(&plan.keep)));
    session.console.line(format!("refunded         {}", amount(plan.refund.as_ref())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_shown_with_why_it_waits_and_when_it_goes_on() {
        let step = proto::Step {
            step_id: "install".to_owned(),
            state: proto::StepState::Retrying.into(),
            attempts: 3,
            next_attempt_time: Some(prost_types::Timestamp { seconds: 86_400, nanos: 0 }),
            failure: Some(proto::Failure {
                reason: "NO_INSTANCE".to_owned(),
                domain: "gateway".to_owned(),
                message: String::new(),
            }),
            ..proto::Step::default()
        };
        let shown = step_row("order", &step);
        let expected = ["order", "install", "RETRYING", "3", "1970-01-02 00:00:00"];
        assert_eq!(shown[..5], expected);
        assert_eq!(shown[5], "NO_INSTANCE (gateway)");
        let quiet = step_row("order", &proto::Step::default());
        assert_eq!(quiet[4..], ["", ""]);
    }
}
