//! `audit`

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use throughline_kit::client::GatewayClient;
use throughline_kit::error::Error;

use crate::audit::{Report, audit};
use crate::connection::Session;

/// Looks in all while orders change and differences may be passing.
const MAX_LOOKS: u32 = 3;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(super) async fn run(session: &Session) -> Result<ExitCode, Error> {
    let report = settled(&session.client("operator")?).await?;
    if session.console.is_json() {
        let text = serde_json::to_string(&report).map_err(|e| Error::internal("audit", e))?;
        session.console.line(text);
    } else {
        session.console.line(summary(&report));
        report.differences.iter().for_each(|difference| session.console.line(difference));
    }
    let clean = report.differences.is_empty();
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Audits until nothing differs. Only what is seen at every look counts: orders that change while it looks pass.
pub(super) async fn settled(operator: &GatewayClient) -> Result<Report, Error> {
    let mut report = audit(operator).await?;
    for _ in 1..MAX_LOOKS {
        if report.differences.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        let before: HashSet<String> = report.differences.iter().map(|d| subject(d)).collect();
        report = audit(operator).await?;
        report.differences.retain(|difference| before.contains(&subject(difference)));
    }
    Ok(report)
}

/// What a difference is about: its numbers may change from look to look.
fn subject(difference: &str) -> String {
    difference.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

pub(super) fn summary(report: &Report) -> String {
    let channel = if report.channel_compared { "" } else { " (payment channel not compared)" };
    format!(
        "audit: {} orders ({} live), {} payment orders, {} reservations, {} pools{channel}: {}",
        report.orders,
        report.live,
        report.payment_orders,
        report.reservations,
        report.pools,
        match report.differences.len() {
            0 => "everything adds up".to_owned(),
            1 => "1 difference".to_owned(),
            more => format!("{more} differences"),
        }
    )
}
