//! `import retail FILE.csv`

use std::process::ExitCode;

use throughline_gateway::load_key;
use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::error::{Error, Kind};

use super::progress::Progress;
use crate::args::ImportCommand;
use crate::connection::Session;
use crate::console::{Console, span};
use crate::retail::invoice::{Day, read};
use crate::retail::submit::import;
use crate::retail::summary::ImportSummary;

/// Channel whose key submits when --key-file does not say.
const CHANNEL: &str = "demo-channel";
/// Reports shown to people; --json has all.
const MAX_SHOWN: usize = 20;

pub(super) async fn run(session: &Session, command: ImportCommand) -> Result<ExitCode, Error> {
    let ImportCommand::Retail { file, in_flight, operator_key_file } = command;
    let input = std::fs::File::open(&file).map_err(|cause| {
        let message = format!("file {} cannot be read: {cause}", file.display());
        Error::new(Kind::Invalid, "file", "FILE_UNREADABLE", message)
    })?;
    let day = read(input).map_err(|cause| {
        let message = format!("file {}: {cause}", file.display());
        Error::new(Kind::Invalid, "retail", "FILE_INVALID", message)
    })?;
    let key =
        operator_key_file.unwrap_or_else(|| session.settings.keys_directory().join("operator.key"));
    let operator = GatewayClient::new(&GatewayConfig {
        uri: session.settings.gateway_uri(),
        api_key: load_key(&key)?,
    })?;
    let client = session.client(CHANNEL)?;
    let progress = Progress::orders(orders_of(&day));
    // Another channel sells the day anew, and needs stock of its own.
    let seller = session.seller(CHANNEL)?;
    let summary =
        import(&client, &operator, &day, &seller, usize::from(in_flight), |n| progress.at(n))
            .await?;
    progress.end();
    if session.console.is_json() {
        let text = serde_json::to_string(&summary).map_err(|e| Error::internal("retail", e))?;
        session.console.line(text);
    } else {
        show(session.console, &summary);
    }
    Ok(if summary.agrees() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn orders_of(day: &Day) -> u64 {
    u64::try_from(day.sales.len() + day.returns.len()).unwrap_or(u64::MAX)
}

pub(super) fn show(console: Console, summary: &ImportSummary) {
    let micros = |d: std::time::Duration| span(i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
    console.line(format!(
        "{} sales and {} returns with {}: {} completed, catalog and stock in {}, sales in {}, returns in {}",
        summary.sales,
        summary.returns,
        lines(summary.lines),
        summary.completed,
        micros(summary.durations.preparation),
        micros(summary.durations.sales),
        micros(summary.durations.returns),
    ));
    console.line(format!(
        "the file has {} after its header: {} in orders, {} left out, {} empty",
        lines(summary.file_lines),
        summary.lines,
        summary.lines_left_out,
        summary.empty_lines,
    ));
    for totals in &summary.totals {
        let verdict = if totals.agree() { "agree to the penny" } else { "DIFFER" };
        console.line(format!(
            "file:     sold {}, returned {}",
            totals.expected_captured, totals.expected_refunded
        ));
        console.line(format!(
            "platform: captured {}, refunded {}: {verdict}",
            totals.actual_captured, totals.actual_refunded
        ));
    }
    for order in &summary.unfinished {
        let (invoice, state, reason) = (&order.invoice, &order.state, &order.reason);
        console.line(format!("invoice {invoice} was not completed: {state} {reason}"));
    }
    for difference in &summary.differences {
        console.line(format!(
            "invoice {}: the file says {}, the platform {}",
            difference.invoice, difference.expected, difference.actual
        ));
    }
    if !summary.reports.is_empty() {
        let left_out = lines(summary.lines_left_out);
        console.line(format!("{left_out} left out, the rest of their invoices went on:"));
    }
    for report in summary.reports.iter().take(MAX_SHOWN) {
        console.line(format!("  line {} of {}: {}", report.line, report.invoice, report.reason));
    }
    if summary.reports.len() > MAX_SHOWN {
        console.line(format!("  and {} more", summary.reports.len() - MAX_SHOWN));
    }
}

/// A number of lines for people.
fn lines(number: u64) -> String {
    if number == 1 { "1 line".to_owned() } else { format!("{number} lines") }
}
