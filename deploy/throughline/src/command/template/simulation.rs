//! `template simulate`

use std::path::Path;
use std::process::ExitCode;

use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::template_service_client::TemplateServiceClient;

use crate::args::TemplateSimulation;
use crate::command::order::{part, read};
use crate::command::seed;
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, from_yaml, short, span};
use crate::orders;

/// Endings of files; anything else without a separator of directories is the name of a published template.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

pub(super) async fn run(session: &Session, wanted: TemplateSimulation) -> Result<ExitCode, Error> {
    let request = request(session, wanted).await?;
    let answer = TemplateServiceClient::new(session.operator()?)
        .simulate_template(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| show(session.console, answer))
}

async fn request(
    session: &Session,
    wanted: TemplateSimulation,
) -> Result<proto::SimulateTemplateRequest, Error> {
    let path = Path::new(&wanted.template);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_file = ENDINGS.contains(&ending) || path.components().count() > 1;
    let (source, name) = match is_file {
        true => (seed::read(path)?, String::new()),
        false => (String::new(), wanted.template),
    };
    let order_id = wanted.order.unwrap_or_default();
    let business_order_id = match &wanted.business_order {
        Some(name) => {
            let order = read(session, &order_id).await?;
            part::business_order(&order, name)?.business_order_id.clone()
        }
        None => String::new(),
    };
    let order = match &wanted.order_file {
        Some(file) => Some(orders::parse(&seed::read(file)?)?),
        None => None,
    };
    let assumed = match &wanted.assume {
        Some(file) => assumptions(&seed::read(file)?)?,
        None => proto::SimulateTemplateRequest::default(),
    };
    Ok(proto::SimulateTemplateRequest {
        source,
        name,
        order_id,
        business_order_id,
        order,
        failed_step_id: wanted.fail.unwrap_or_default(),
        failure_reason: wanted.fail_reason.unwrap_or_default(),
        ..assumed
    })
}

/// Reads what is assumed: the fields of the request that say so.
fn assumptions(text: &str) -> Result<proto::SimulateTemplateRequest, Error> {
    let document: serde_yaml_ng::Value = serde_yaml_ng::from_str(text)
        .map_err(|e| Error::new(Kind::Invalid, "client", "FILE_INVALID", e.to_string()))?;
    from_yaml("assumptions", document)
}

fn show(console: Console, answer: &proto::SimulateTemplateResponse) {
    let row = |step: &proto::SimulatedStep| {
        [
            step.step_id.clone(),
            if step.runs { "runs" } else { "left out" }.to_owned(),
            duration(step.start_offset.as_ref()),
            duration(step.median_duration.as_ref()),
            duration(step.p90_duration.as_ref()),
            if step.critical { "*" } else { "" }.to_owned(),
            step.note.clone(),
        ]
    };
    let rows: Vec<[String; 7]> = answer.steps.iter().map(row).collect();
    let heading = ["STEP", "", "BEGINS AFTER", "HALF TAKE", "9 OF 10 TAKE", "SLOWEST WAY", "NOTE"];
    console.table(heading, &rows);
    let (half, most) =
        (duration(answer.median_duration.as_ref()), duration(answer.p90_duration.as_ref()));
    console.line(format!("in all: half of such orders take {half}, 9 of 10 {most}"));
    for step in answer.steps.iter().filter(|step| !step.request.is_empty()) {
        console.line(format!("{} sends {}", step.step_id, step.request));
    }
    if let Some(failure) = &answer.failure {
        consequences(failure).iter().for_each(|line| console.line(line));
    }
}

/// What would follow a failure, each thing on a line.
fn consequences(failure: &proto::SimulatedFailure) -> Vec<String> {
    let proto::SimulatedFailure { step_id, reason, note, attempts, .. } = failure;
    let remedy = short(failure.remedy().as_str_name(), "FAILURE_REMEDY_");
    let mut lines = vec![format!("if {step_id} fails with {reason}: {remedy}, {note}")];
    if *attempts > 1 {
        lines.push(format!("  before that it is called {attempts} times: such a refusal passes"));
    }
    if failure.policy() != proto::FailurePolicy::Unspecified {
        let policy = short(failure.policy().as_str_name(), "FAILURE_POLICY_");
        lines.push(format!("  policy {policy}"));
    }
    if !failure.undone_step_ids.is_empty() {
        lines.push(format!("  undone in this order: {}", failure.undone_step_ids.join(", ")));
    }
    if let Some(plan) = &failure.plan {
        let parts = [
            ("undone", &plan.undo),
            ("ended without having run", &plan.cancel),
            ("taken back by a business order of its own", &plan.reverse),
            ("kept", &plan.keep),
        ];
        let named = parts.iter().filter(|(_, ids)| !ids.is_empty());
        lines.extend(
            named.map(|(what, ids)| format!("  business orders {what}: {}", ids.join(", "))),
        );
        let refund = plan.refund.as_ref().map(|refund| crate::console::amount(Some(refund)));
        lines.extend(refund.map(|refund| format!("  paid back: {refund}")));
    }
    if failure.end_state() != proto::OrderState::Unspecified {
        let state = short(failure.end_state().as_str_name(), "ORDER_STATE_");
        lines.push(format!("  the order ends {state}"));
    }
    lines
}

fn duration(duration: Option<&prost_types::Duration>) -> String {
    duration.map_or_else(
        || "-".to_owned(),
        |d| span(d.seconds.saturating_mul(1_000_000) + i64::from(d.nanos) / 1_000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_follow_a_failure_is_told_line_by_line() {
        let failure = proto::SimulatedFailure {
            step_id: "activate".to_owned(),
            reason: "LINE_BUSY".to_owned(),
            remedy: proto::FailureRemedy::Undo.into(),
            note: "it is undone".to_owned(),
            attempts: 3,
            policy: proto::FailurePolicy::Branch.into(),
            undone_step_ids: vec!["survey".to_owned(), "charge".to_owned()],
            ..Default::default()
        };
        let expected = [
            "if activate fails with LINE_BUSY: UNDO, it is undone",
            "  before that it is called 3 times: such a refusal passes",
            "  policy BRANCH",
            "  undone in this order: survey, charge",
        ];
        assert_eq!(consequences(&failure), expected);
    }
}
