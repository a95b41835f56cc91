//! `trajectory ID`

use std::process::ExitCode;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::trajectory_entry::Entry;
use throughline_proto::gateway::v1::trajectory_service_client::TrajectoryServiceClient;

use crate::connection::{Session, bounded, refused, unbounded};
use crate::console::{Console, span, time_of_day};

pub(super) async fn run(
    session: &Session,
    order_id: &str,
    follow: bool,
) -> Result<ExitCode, Error> {
    let operator = session.client("operator")?;
    let mut client = TrajectoryServiceClient::new(operator.channel());
    let order_id = order_id.to_owned();
    if follow {
        let request = unbounded(proto::WatchTrajectoryRequest { order_id });
        let mut entries = client.watch_trajectory(request).await.map_err(refused)?.into_inner();
        let mut start = None;
        while let Some(more) = entries.message().await.map_err(refused)? {
            if session.console.is_json() {
                session.console.message(&more)?;
            } else {
                start = start.or_else(|| more.entries.iter().find_map(start_of));
                let start = start.unwrap_or_default();
                lines(&more.entries, start).iter().for_each(|line| session.console.line(line));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let trajectory = client
        .get_trajectory(bounded(proto::GetTrajectoryRequest { order_id }))
        .await
        .map_err(refused)?
        .into_inner();
    if session.console.is_json() {
        session.console.message(&trajectory)?;
    } else {
        show(session.console, &trajectory);
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows a trajectory as a tree: business steps, and under each the calls that led to it.
pub(super) fn show(console: Console, trajectory: &proto::GetTrajectoryResponse) {
    console.line(format!("trajectory of {}", trajectory.order_id));
    let start = trajectory.entries.iter().find_map(start_of).unwrap_or_default();
    lines(&trajectory.entries, start).iter().for_each(|line| console.line(line));
    if trajectory.truncated {
        console.line("… and more: only the first 10,000 entries are shown");
    }
}

/// Times are from the start. Calls stand under the step that they led to, which is the next one announced.
fn lines(entries: &[proto::TrajectoryEntry], start: Instant) -> Vec<String> {
    let mut lines = Vec::new();
    let mut calls: Vec<&proto::Hop> = Vec::new();
    for entry in entries {
        match &entry.entry {
            Some(Entry::Hop(hop)) => calls.push(hop),
            Some(Entry::Step(step)) => {
                let at = step.occurred_time.as_ref().map(Instant::from_proto).unwrap_or_default();
                lines.push(format!(
                    "{} +{:<9} {} {}  {}",
                    time_of_day(step.occurred_time.as_ref()),
                    span(at.0 - start.0),
                    step.center,
                    step.r#type,
                    step.detail
                ));
                hop_lines(&mut lines, &mut calls, start);
            }
            None => {}
        }
    }
    hop_lines(&mut lines, &mut calls, start);
    lines
}

fn hop_lines(lines: &mut Vec<String>, calls: &mut Vec<&proto::Hop>, start: Instant) {
    let last = calls.len().saturating_sub(1);
    for (index, hop) in calls.drain(..).enumerate() {
        let branch = if index == last { "└─" } else { "├─" };
        let at = hop.start_time.as_ref().map(Instant::from_proto).unwrap_or_default();
        let took =
            hop.duration.as_ref().map_or(0, |d| d.seconds * 1_000_000 + i64::from(d.nanos) / 1_000);
        let method = hop.method.strip_prefix("throughline.").unwrap_or(&hop.method);
        let failed = if hop.status_code == 0 {
            String::new()
        } else {
            let code = tonic::Code::from_i32(hop.status_code);
            format!("  {} {}", throughline_kit::error::code_name(code), hop.status_message)
        };
        lines.push(format!(
            "             {branch} +{:<9} {} → {method}  {}{failed}",
            span(at.0 - start.0),
            hop.caller,
            span(took),
        ));
    }
}

fn start_of(entry: &proto::TrajectoryEntry) -> Option<Instant> {
    let at = match entry.entry.as_ref()? {
        Entry::Step(step) => step.occurred_time.as_ref(),
        Entry::Hop(hop) => hop.start_time.as_ref(),
    };
    at.map(Instant::from_proto)
}
