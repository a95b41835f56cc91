//! A day of a web shop of our own making: about 140 invoices with the dirt and the heavy tail of a real one.

use throughline_kit::error::{Error, Kind};

use super::super::import::{orders_of, show};
use super::super::progress::Progress;
use super::Stage;
use crate::retail::generate::write_day;
use crate::retail::invoice::read;
use crate::retail::submit::import;
use crate::retail::summary::ImportSummary;

/// Orders on the way at a time.
const IN_FLIGHT: usize = 64;
const CHANNEL: &str = "demo-channel";
/// Differences that are shown.
const MAX_SHOWN: usize = 5;

pub(super) async fn play(stage: &mut Stage, seed: u64) -> Result<(), Error> {
    let mut file = Vec::new();
    write_day(seed, &mut file).map_err(|cause| {
        Error::new(Kind::Internal, "demo", "DAY_NOT_WRITTEN", cause.to_string())
    })?;
    let day = read(file.as_slice())?;
    stage.say("");
    stage.say(format!("a day of a web shop (generated, seed {seed}):"));
    let progress = Progress::orders(orders_of(&day));
    let (channel, operator) = (stage.channel.clone(), stage.operator.clone());
    let summary = import(&channel, &operator, &day, CHANNEL, IN_FLIGHT, |n| progress.at(n)).await?;
    progress.end();
    if !stage.console.is_json() {
        show(stage.console, &summary);
    }
    let unfinished: Vec<String> = summary
        .unfinished
        .iter()
        .map(|order| format!("{} {} {}", order.invoice, order.state, order.reason))
        .collect();
    let all_completed = summary.unfinished.is_empty();
    stage.expect("every order of the day is completed", all_completed, unfinished.join("; "));
    let agrees = summary.differences.is_empty() && summary.totals.iter().all(|t| t.agree());
    stage.expect("the day's money equals the file to the penny", agrees, seen_money(&summary));
    let most = summary.reports.len();
    stage.expect("lines that make no sense are reported", most > 0, "none was reported");
    Ok(())
}

/// What the money came to, and the first invoices that differ, a line each.
fn seen_money(summary: &ImportSummary) -> String {
    let totals = summary.totals.iter().map(|totals| {
        format!(
            "captured {} of {}, refunded {} of {}",
            totals.actual_captured,
            totals.expected_captured,
            totals.actual_refunded,
            totals.expected_refunded
        )
    });
    let differences = summary.differences.iter().take(MAX_SHOWN).map(|difference| {
        let (invoice, expected) = (&difference.invoice, difference.expected);
        format!("  invoice {invoice}: the file says {expected}, the platform {}", difference.actual)
    });
    let mut lines: Vec<String> = totals.chain(differences).collect();
    let more = summary.differences.len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}
