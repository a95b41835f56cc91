//! `order load | timeouts | cancellations | urges | exceptions | fees`

use std::cell::RefCell;
use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::monitor_service_client::MonitorServiceClient;

use crate::args::{OrderCancellations, OrderFees, OrderLoad, OrderTimeouts, OrderUrges};
use crate::connection::{Session, bounded, refused};
use crate::console::{amount, date_time, short};
use crate::pages::Rows;
use crate::{given, pages};

const MORE: &str = "… and more: --limit shows further ones";

pub(super) async fn load(session: &Session, wanted: OrderLoad) -> Result<ExitCode, Error> {
    let (template, step_id) =
        (wanted.template.unwrap_or_default(), wanted.step.unwrap_or_default());
    let request = bounded(proto::ListLoadRequest { template, step_id });
    let answer = MonitorServiceClient::new(session.operator()?)
        .list_load(request)
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        let row = |group: &proto::LoadGroup| {
            [
                group.order_count.to_string(),
                group.step_count.to_string(),
                group.template.clone(),
                group.step_id.clone(),
                short(group.state().as_str_name(), "STEP_STATE_").to_owned(),
                date_time(group.oldest_start_time.as_ref()),
            ]
        };
        let rows: Vec<[String; 6]> = answer.groups.iter().map(row).collect();
        let heading = ["ORDERS", "STEPS", "TEMPLATE", "STEP", "STATE", "OLDEST (UTC)"];
        session.console.table(heading, &rows);
        session.console.line(format!("live orders in all: {}", answer.live_order_count));
    })
}

pub(super) async fn timeouts(session: &Session, wanted: OrderTimeouts) -> Result<ExitCode, Error> {
    let lateness = wanted.lateness.as_deref();
    let request = proto::ListTimeoutsRequest {
        template: wanted.template.unwrap_or_default(),
        step_id: wanted.step.unwrap_or_default(),
        lateness: given::enum_value("throughline.order.v1.Lateness", "LATENESS_", lateness)?,
        ..Default::default()
    };
    let client = MonitorServiceClient::new(session.operator()?);
    let groups = RefCell::new(Vec::new());
    let Rows { rows: timeouts, more } = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListTimeoutsRequest { page_size, page_token, ..request.clone() };
        let (mut client, groups) = (client.clone(), &groups);
        async move {
            let page = client.list_timeouts(bounded(request)).await.map_err(refused)?.into_inner();
            groups.borrow_mut().extend(page.groups);
            Ok((page.timeouts, page.next_page_token))
        }
    })
    .await?;
    let groups = groups.into_inner();
    let answer = proto::ListTimeoutsResponse { timeouts, groups, next_page_token: String::new() };
    session.console.answer(&answer, |answer| {
        let rows: Vec<[String; 6]> = answer.groups.iter().map(timeout_group).collect();
        let heading = ["ORDERS", "STEPS", "TEMPLATE", "STEP", "LATE", "SINCE (UTC)"];
        session.console.table(heading, &rows);
        session.console.line("");
        let rows: Vec<[String; 5]> = answer.timeouts.iter().map(timeout).collect();
        let heading = ["ORDER", "TEMPLATE", "STEP", "LATE", "SINCE (UTC)"];
        session.console.table(heading, &rows);
        more.then(|| session.console.line(MORE));
    })
}

fn lateness(lateness: proto::Lateness) -> String {
    short(lateness.as_str_name(), "LATENESS_").to_owned()
}

fn timeout_group(group: &proto::TimeoutGroup) -> [String; 6] {
    [
        group.order_count.to_string(),
        group.step_count.to_string(),
        group.template.clone(),
        group.step_id.clone(),
        lateness(group.lateness()),
        date_time(group.oldest_late_time.as_ref()),
    ]
}

fn timeout(timeout: &proto::Timeout) -> [String; 5] {
    [
        timeout.order_id.clone(),
        timeout.template.clone(),
        timeout.step_id.clone(),
        lateness(timeout.lateness()),
        date_time(timeout.late_time.as_ref()),
    ]
}

pub(super) async fn cancellations(
    session: &Session,
    wanted: OrderCancellations,
) -> Result<ExitCode, Error> {
    const KIND: &str = "throughline.order.v1.CancellationKind";
    const OUTCOME: &str = "throughline.order.v1.CancellationOutcome";
    let (kind, outcome) = (wanted.kind.as_deref(), wanted.outcome.as_deref());
    let request = proto::ListCancellationsRequest {
        kind: given::enum_value(KIND, "CANCELLATION_KIND_", kind)?,
        outcome: given::enum_value(OUTCOME, "CANCELLATION_OUTCOME_", outcome)?,
        reason: wanted.reason.unwrap_or_default(),
        ask_time_from: given::time("--from", wanted.from.as_deref())?,
        ..Default::default()
    };
    let client = MonitorServiceClient::new(session.operator()?);
    let groups = RefCell::new(Vec::new());
    let read = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListCancellationsRequest { page_size, page_token, ..request.clone() };
        let (mut client, groups) = (client.clone(), &groups);
        async move {
            let page = client.list_cancellations(bounded(request)).await.map_err(refused)?;
            let page = page.into_inner();
            groups.borrow_mut().extend(page.groups);
            Ok((page.cancellations, page.next_page_token))
        }
    });
    let Rows { rows: cancellations, more } = read.await?;
    let (groups, next_page_token) = (groups.into_inner(), String::new());
    let answer = proto::ListCancellationsResponse { cancellations, groups, next_page_token };
    session.console.answer(&answer, |answer| {
        let rows: Vec<[String; 5]> = answer.groups.iter().map(cancellation_group).collect();
        let heading = ["REQUESTS", "KIND", "OUTCOME", "OLDEST (UTC)", "REASON"];
        session.console.table(heading, &rows);
        session.console.line("");
        let rows: Vec<[String; 7]> = answer.cancellations.iter().map(cancellation).collect();
        let heading = ["ORDER", "KIND", "OUTCOME", "ASKED (UTC)", "ENDED (UTC)", "BY", "REASON"];
        session.console.table(heading, &rows);
        more.then(|| session.console.line(MORE));
    })
}

fn kind(kind: proto::CancellationKind) -> String {
    short(kind.as_str_name(), "CANCELLATION_KIND_").to_owned()
}

fn outcome(outcome: proto::CancellationOutcome) -> String {
    short(outcome.as_str_name(), "CANCELLATION_OUTCOME_").to_owned()
}

fn cancellation_group(group: &proto::CancellationGroup) -> [String; 5] {
    [
        group.count.to_string(),
        kind(group.kind()),
        outcome(group.outcome()),
        date_time(group.oldest_ask_time.as_ref()),
        group.reason.clone(),
    ]
}

fn cancellation(asked: &proto::Cancellation) -> [String; 7] {
    [
        asked.order_id.clone(),
        kind(asked.kind()),
        outcome(asked.outcome()),
        date_time(asked.ask_time.as_ref()),
        date_time(asked.end_time.as_ref()),
        asked.actor.clone(),
        asked.reason.clone(),
    ]
}

pub(super) async fn urges(session: &Session, wanted: OrderUrges) -> Result<ExitCode, Error> {
    let channel = wanted.channel.unwrap_or_default();
    let client = MonitorServiceClient::new(session.operator()?);
    let found = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListUrgesRequest { page_size, page_token, channel: channel.clone() };
        let mut client = client.clone();
        async move {
            let page = client.list_urges(bounded(request)).await.map_err(refused)?.into_inner();
            Ok((page.orders, page.next_page_token))
        }
    })
    .await?;
    let heading = ["ORDER", "STATE", "!", "URGED", "LAST (UTC)", "PRIORITY", "STANDS AT"];
    session.console.list(&found, heading, |order: &proto::UrgedOrder| {
        [
            order.order_id.clone(),
            short(order.state().as_str_name(), "ORDER_STATE_").to_owned(),
            if order.attention { "!" } else { "" }.to_owned(),
            format!("{} times", order.urge_count),
            date_time(order.urge_time.as_ref()),
            order.priority.to_string(),
            order.standing_steps.join(", "),
        ]
    })
}

pub(super) async fn exceptions(session: &Session) -> Result<ExitCode, Error> {
    let answer = MonitorServiceClient::new(session.operator()?)
        .list_exceptions(bounded(proto::ListExceptionsRequest {}))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        let row = |group: &proto::ExceptionGroup| {
            [group.order_count.to_string(), group.signature.clone()]
        };
        let rows: Vec<[String; 2]> = answer.groups.iter().map(row).collect();
        session.console.table(["ORDERS", "EXCEPTION"], &rows);
    })
}

pub(super) async fn fees(session: &Session, wanted: OrderFees) -> Result<ExitCode, Error> {
    let create_time_from = given::time("--from", wanted.from.as_deref())?;
    let client = MonitorServiceClient::new(session.operator()?);
    let found = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListFeeDifferencesRequest { page_size, page_token, create_time_from };
        let mut client = client.clone();
        async move {
            let page = client.list_fee_differences(bounded(request)).await.map_err(refused)?;
            let page = page.into_inner();
            Ok((page.differences, page.next_page_token))
        }
    })
    .await?;
    let heading = ["ORDER", "STATE", "CHANNEL", "NUMBER", "DUE", "PAID", "ACCEPTED (UTC)"];
    session.console.list(&found, heading, |found: &proto::FeeDifference| {
        [
            found.order_id.clone(),
            short(found.state().as_str_name(), "ORDER_STATE_").to_owned(),
            found.channel.clone(),
            found.channel_order_id.clone(),
            amount(found.due.as_ref()),
            amount(found.paid.as_ref()),
            date_time(found.create_time.as_ref()),
        ]
    })
}
