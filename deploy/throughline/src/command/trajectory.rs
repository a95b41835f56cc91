//! `trajectory ID`

use std::collections::HashMap;
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

/// Shows a trajectory: business steps and calls by time, calls as a tree.
pub(super) fn show(console: Console, trajectory: &proto::GetTrajectoryResponse) {
    console.line(format!("trajectory of {}", trajectory.order_id));
    let start = trajectory.entries.iter().find_map(start_of).unwrap_or_default();
    lines(&trajectory.entries, start).iter().for_each(|line| console.line(line));
    if trajectory.truncated {
        console.line("… and more: only the first 10,000 entries are shown");
    }
}

/// Deepest call that is shown further in.
const MAX_DEPTH: usize = 8;

/// One line for each entry, in order of time, which is from the start. A step does not tell which calls led to it, so calls
/// stand beside steps; a call that was made while another was served stands further in, because spans tell that.
fn lines(entries: &[proto::TrajectoryEntry], start: Instant) -> Vec<String> {
    let parents: HashMap<&str, &str> = entries
        .iter()
        .filter_map(|entry| match &entry.entry {
            Some(Entry::Hop(hop)) => Some((hop.span_id.as_str(), hop.parent_span_id.as_str())),
            Some(Entry::Step(_)) | None => None,
        })
        .collect();
    let line = |entry: &proto::TrajectoryEntry| {
        let at = start_of(entry)?;
        let text = match entry.entry.as_ref()? {
            Entry::Step(step) => format!("{} {}  {}", step.center, step.r#type, step.detail),
            Entry::Hop(hop) => {
                let depth = std::iter::successors(Some(hop.parent_span_id.as_str()), |span| {
                    parents.get(span).copied()
                })
                .take_while(|span| parents.contains_key(span))
                .take(MAX_DEPTH)
                .count();
                format!("{}└─ {}", "   ".repeat(depth), call(hop))
            }
        };
        let text = text.trim_end();
        Some(format!("{} +{:<9} {text}", time_of_day(Some(&at.to_proto())), span(at.0 - start.0)))
    };
    entries.iter().filter_map(line).collect()
}

fn call(hop: &proto::Hop) -> String {
    let took =
        hop.duration.as_ref().map_or(0, |d| d.seconds * 1_000_000 + i64::from(d.nanos) / 1_000);
    let method = hop.method.strip_prefix("throughline.").unwrap_or(&hop.method);
    let failed = if hop.status_code == 0 {
        String::new()
    } else {
        let code = tonic::Code::from_i32(hop.status_code);
        format!("  {} {}", throughline_kit::error::code_name(code), hop.status_message)
    };
    format!("{} → {method}  {}{failed}", hop.caller, span(took))
}

fn start_of(entry: &proto::TrajectoryEntry) -> Option<Instant> {
    let at = match entry.entry.as_ref()? {
        Entry::Step(step) => step.occurred_time.as_ref(),
        Entry::Hop(hop) => hop.start_time.as_ref(),
    };
    at.map(Instant::from_proto)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Option<prost_types::Timestamp> {
        Some(Instant(micros).to_proto())
    }

    fn hop(micros: i64, span: &str, parent: &str, method: &str) -> proto::TrajectoryEntry {
        let hop = proto::Hop {
            span_id: span.to_owned(),
            parent_span_id: parent.to_owned(),
            caller: "order".to_owned(),
            method: method.to_owned(),
            start_time: at(micros),
            ..Default::default()
        };
        proto::TrajectoryEntry { entry: Some(Entry::Hop(hop)) }
    }

    #[test]
    fn calls_stand_by_time_beside_steps_and_under_the_call_that_they_were_made_in() {
        let step = proto::BusinessStep {
            center: "order".to_owned(),
            r#type: "order.accepted".to_owned(),
            occurred_time: at(5),
            ..Default::default()
        };
        let entries = [
            hop(0, "a", "", "pay"),
            hop(1, "b", "a", "charge"),
            proto::TrajectoryEntry { entry: Some(Entry::Step(step)) },
            hop(9, "c", "away", "ship"),
        ];
        let shown = lines(&entries, Instant(0));
        let shown: Vec<&str> =
            shown.iter().filter_map(|line| line.get("00:00:00.000 +".len()..)).collect();
        assert_eq!(
            shown,
            [
                "0 µs      └─ order → pay  0 µs",
                "1 µs         └─ order → charge  0 µs",
                "5 µs      order order.accepted",
                "9 µs      └─ order → ship  0 µs",
            ]
        );
    }
}
