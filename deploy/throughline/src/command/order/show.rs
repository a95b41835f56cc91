//! `order get`

use std::process::ExitCode;

use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::task_service_client::TaskServiceClient;

use super::part::label;
use super::waiting::{self, reason};
use super::{graph, order_state, read_one};
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, amount, date_time, short, table};

pub(super) async fn run(
    session: &Session,
    id: String,
    channel: Option<String>,
) -> Result<ExitCode, Error> {
    let request = match channel {
        Some(channel) => {
            proto::GetOrderRequest { order_id: String::new(), channel_order_id: id, channel }
        }
        None => proto::GetOrderRequest { order_id: id, ..Default::default() },
    };
    let order = read_one(session, request).await?;
    let tasks = if session.console.is_json() { Vec::new() } else { tasks(session, &order).await? };
    session.console.answer(&order, |order| show(session.console, order, &tasks))
}

/// Open tasks of an order. A channel may see its order and not who works on it.
async fn tasks(session: &Session, order: &proto::CustomerOrder) -> Result<Vec<proto::Task>, Error> {
    let mut steps = order.business_orders.iter().flat_map(|one| &one.steps).chain(&order.steps);
    if steps.all(|step| step.task_id.is_empty()) {
        return Ok(Vec::new());
    }
    let order_id = order.order_id.clone();
    let request = proto::ListTasksRequest { order_id, page_size: 500, ..Default::default() };
    let listed = TaskServiceClient::new(session.operator()?).list_tasks(bounded(request)).await;
    match listed.map_err(refused) {
        Ok(listed) => Ok(listed.into_inner().tasks),
        Err(error) if error.kind == Kind::PermissionDenied => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Shows an order to a person.
pub(super) fn show(console: Console, order: &proto::CustomerOrder, tasks: &[proto::Task]) {
    facts(order).iter().for_each(|line| console.line(line));
    pauses(order).iter().for_each(|line| console.line(line));
    for task in tasks {
        let who = if task.claimed_by.is_empty() { "nobody has it" } else { &task.claimed_by };
        let (id, title, group) = (&task.task_id, &task.title, &task.group);
        console.line(format!("task      {id}  {title}, group {group}, {who}"));
    }
    console.line("");
    parts(order, tasks).iter().for_each(|line| console.line(line));
}

fn facts(order: &proto::CustomerOrder) -> Vec<String> {
    let customer = order.customer.as_ref().map_or("-", |who| who.customer_id.as_str());
    let accepted = date_time(order.create_time.as_ref());
    let mut lines = vec![
        super::head(order),
        format!("channel   {}  {}, customer {customer}", order.channel, order.channel_order_id),
        format!("total     {}, paid {}", amount(order.total.as_ref()), amount(order.paid.as_ref())),
        match &order.end_time {
            Some(end) => format!("accepted  {accepted}, ended {}", date_time(Some(end))),
            None => format!("accepted  {accepted}, priority {} of 9", order.priority),
        },
    ];
    if let Some(start) = &order.requested_start_time {
        lines.push(format!("begins    {}", date_time(Some(start))));
    }
    if let Some(promise) = &order.requested_completion_time {
        let missed = if order.jeopardy { ", which it will miss by what was measured" } else { "" };
        lines.push(format!("promised  {}{missed}", date_time(Some(promise))));
    }
    let endangered = endangered(order);
    if !endangered.is_empty() {
        let steps = endangered.join(", ");
        lines.push(format!("jeopardy  {steps}: longer than allowed by what was measured"));
    }
    if order.urge_count > 0 {
        lines.push(format!("urged     {} times", order.urge_count));
    }
    if let Some(failure) = &order.failure {
        lines.push(format!("failure   {}: {}", reason(failure), failure.message));
    }
    if let Some(failure) = &order.read_failure {
        lines.push(format!("unread    {}: {}", reason(failure), failure.message));
    }
    lines
}

/// Steps that will miss their service level by what was measured.
fn endangered(order: &proto::CustomerOrder) -> Vec<&str> {
    let steps = order.steps.iter().chain(order.business_orders.iter().flat_map(|one| &one.steps));
    let steps = steps.filter(|step| step.jeopardy && super::is_open(step.state()));
    steps.map(|step| step.step_id.as_str()).collect()
}

/// Pauses that are in force, each on a line.
pub(super) fn pauses(order: &proto::CustomerOrder) -> Vec<String> {
    let line = |hold: &proto::Hold| {
        let what = match hold.scope() {
            proto::HoldScope::Order | proto::HoldScope::Unspecified => "the order".to_owned(),
            proto::HoldScope::BusinessOrder | proto::HoldScope::Step => named(order, &hold.target),
            proto::HoldScope::Template => format!("template {}", hold.target),
            proto::HoldScope::Capability => hold.target.clone(),
        };
        let since = date_time(hold.create_time.as_ref());
        format!("paused    {what} by {} since {since}: {}", hold.operator, hold.reason)
    };
    order.holds.iter().map(line).collect()
}

/// A business order, or a step of it, by the name that a person knows it by.
fn named(order: &proto::CustomerOrder, target: &str) -> String {
    let (whose, step) = target.split_once('/').unwrap_or((target, ""));
    let found = order.business_orders.iter().find(|one| one.business_order_id == whose);
    match (found, step) {
        (Some(found), "") => label(found),
        (Some(found), step) => format!("{} of {}", step, label(found)),
        (None, "") => whose.to_owned(),
        (None, step) => step.to_owned(),
    }
}

fn parts(order: &proto::CustomerOrder, tasks: &[proto::Task]) -> Vec<String> {
    let version = order.template_version;
    let own = format!("{} v{version}, {} lines", order.template, order.items.len());
    let state = order_state(order).to_owned();
    let mut rows = vec![[own, state, String::new(), String::new(), String::new()]];
    rows.extend(steps(&order.steps, tasks));
    for business_order in &order.business_orders {
        rows.push(part(order, business_order));
        let (shares, own): (Vec<_>, Vec<_>) =
            business_order.steps.iter().cloned().partition(is_share);
        rows.extend(steps(&own, tasks));
        let undone: Vec<_> = shares.into_iter().filter(|share| is_undone(share.state())).collect();
        rows.extend(undone.iter().map(|share| step_row(share, 0, false, tasks)));
    }
    table(["PART AND STEPS", "STATE", "CALLS", "WAITS FOR, OR WHY", "MILESTONE"], &rows)
}

fn part(order: &proto::CustomerOrder, business_order: &proto::BusinessOrder) -> [String; 5] {
    let state = business_order.state();
    let mut said = Vec::new();
    if let Some(failure) = &business_order.failure {
        said.push(reason(failure));
    }
    if state == proto::BusinessOrderState::Blocked {
        said.extend(blockers(order, business_order));
    }
    if state == proto::BusinessOrderState::Ready {
        said.push("a pause".to_owned());
    }
    if !business_order.reverses.is_empty() {
        said.push(format!("takes back {}", named(order, &business_order.reverses)));
    }
    if business_order.withdrawn {
        said.push("withdrawn".to_owned());
    }
    [
        format!("{} v{}", label(business_order), business_order.template_version),
        short(state.as_str_name(), "BUSINESS_ORDER_STATE_").to_owned(),
        String::new(),
        said.join(", "),
        String::new(),
    ]
}

/// What a business order waits for: those before it that have not ended.
fn blockers(order: &proto::CustomerOrder, business_order: &proto::BusinessOrder) -> Vec<String> {
    let before = business_order.requires.iter().chain(&business_order.after);
    let mut open: Vec<String> = before
        .filter_map(|id| order.business_orders.iter().find(|one| one.business_order_id == *id))
        .filter(|one| one.state() != proto::BusinessOrderState::Done)
        .map(label)
        .collect();
    open.dedup();
    open
}

/// A business order's part of what the order allocated and paid, which is only undone.
const SHARES: [&str; 2] = ["allocation", "charge"];

fn is_share(step: &proto::Step) -> bool {
    step.kind() == proto::StepKind::Activity && SHARES.contains(&step.step_id.as_str())
}

/// Whether there is, or was, something to undo.
fn is_undone(state: proto::StepState) -> bool {
    match state {
        proto::StepState::Unspecified
        | proto::StepState::Scheduled
        | proto::StepState::Succeeded
        | proto::StepState::Skipped => false,
        proto::StepState::Running
        | proto::StepState::Waiting
        | proto::StepState::Retrying
        | proto::StepState::Unknown
        | proto::StepState::Failed
        | proto::StepState::Undoing
        | proto::StepState::Undone
        | proto::StepState::UndoFailed => true,
    }
}

fn steps(steps: &[proto::Step], tasks: &[proto::Task]) -> Vec<[String; 5]> {
    let row = |place: graph::Place<'_>| step_row(place.step, place.depth, place.joins, tasks);
    graph::places(steps).into_iter().map(row).collect()
}

fn step_row(step: &proto::Step, depth: usize, joins: bool, tasks: &[proto::Task]) -> [String; 5] {
    let task = tasks.iter().find(|task| task.task_id == step.task_id);
    let meets = if joins { format!("  ({})", step.after.join(" + ")) } else { String::new() };
    let branch = if depth > 0 { "├ " } else { "" };
    let reached = step.state() == proto::StepState::Succeeded;
    [
        format!("{}{branch}{}{meets}", "  ".repeat(depth.max(1)), step.step_id),
        short(step.state().as_str_name(), "STEP_STATE_").to_owned(),
        if step.attempts > 0 { step.attempts.to_string() } else { String::new() },
        waiting::of(step, task),
        if reached { step.milestone.clone() } else { String::new() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, state: proto::StepState, after: &[&str]) -> proto::Step {
        proto::Step {
            step_id: id.to_owned(),
            state: state.into(),
            after: after.iter().map(|id| (*id).to_owned()).collect(),
            attempts: i32::from(state != proto::StepState::Scheduled),
            generation: 1,
            ..Default::default()
        }
    }

    fn order() -> proto::CustomerOrder {
        let failure = |reason: &str| proto::Failure {
            reason: reason.to_owned(),
            domain: "provisioning".to_owned(),
            message: "no line".to_owned(),
        };
        let survey = proto::Step {
            milestone: "现场勘测".to_owned(),
            ..step("survey", proto::StepState::Succeeded, &[])
        };
        let install = proto::Step {
            failure: Some(failure("NO_LINE")),
            task_id: "tsk_1".to_owned(),
            ..step("install", proto::StepState::Failed, &["survey"])
        };
        let share = |id: &str, state| proto::Step {
            kind: proto::StepKind::Activity.into(),
            ..step(id, state, &[])
        };
        let line = proto::BusinessOrder {
            business_order_id: "bo_1".to_owned(),
            template: "line".to_owned(),
            template_version: 2,
            state: proto::BusinessOrderState::Exception.into(),
            item_keys: vec!["宽带".to_owned()],
            steps: vec![
                share("allocation", proto::StepState::Succeeded),
                share("charge", proto::StepState::Undoing),
                survey,
                step("order-modem", proto::StepState::Succeeded, &["survey"]),
                install,
                step("bill", proto::StepState::Scheduled, &["order-modem", "install"]),
            ],
            failure: Some(failure("NO_LINE")),
            ..Default::default()
        };
        let phone = proto::BusinessOrder {
            business_order_id: "bo_2".to_owned(),
            template: "phone".to_owned(),
            template_version: 1,
            state: proto::BusinessOrderState::Blocked.into(),
            item_keys: vec!["phone".to_owned()],
            requires: vec!["bo_1".to_owned()],
            ..Default::default()
        };
        proto::CustomerOrder {
            order_id: "ord_1".to_owned(),
            state: proto::OrderState::InProgress.into(),
            template: "standard".to_owned(),
            template_version: 1,
            steps: vec![step("pay", proto::StepState::Succeeded, &[])],
            business_orders: vec![line, phone],
            ..Default::default()
        }
    }

    #[test]
    fn an_order_is_shown_as_its_parts_with_their_steps_and_what_each_waits_for() {
        let shown = parts(&order(), &[]);
        let expected = [
            "PART AND STEPS                   STATE        CALLS  WAITS FOR, OR WHY                          MILESTONE",
            "standard v1, 0 lines             IN_PROGRESS",
            "  pay                            SUCCEEDED    1",
            "line [宽带] v2                   EXCEPTION           NO_LINE (provisioning)",
            "  survey                         SUCCEEDED    1                                                 现场勘测",
            "  ├ order-modem                  SUCCEEDED    1",
            "  ├ install                      FAILED       1      a decision, tsk_1: NO_LINE (provisioning)",
            "  bill  (order-modem + install)  SCHEDULED",
            "  charge                         UNDOING      1      its undo",
            "phone [phone] v1                 BLOCKED             line [宽带]",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_pause_is_named_as_persons_know_the_part() {
        let hold = |scope: proto::HoldScope, target: &str| proto::Hold {
            scope: scope.into(),
            target: target.to_owned(),
            reason: "firmware".to_owned(),
            operator: "operator:anna".to_owned(),
            ..Default::default()
        };
        let holds = vec![
            hold(proto::HoldScope::Order, ""),
            hold(proto::HoldScope::BusinessOrder, "bo_2"),
            hold(proto::HoldScope::Step, "bo_1/install"),
            hold(proto::HoldScope::Step, "ord_1/pay"),
        ];
        let shown = pauses(&proto::CustomerOrder { holds, ..order() });
        let end = " by operator:anna since -: firmware";
        let expected = ["the order", "phone [phone]", "install of line [宽带]", "pay"];
        assert_eq!(shown, expected.map(|what| format!("paused    {what}{end}")));
    }
}
