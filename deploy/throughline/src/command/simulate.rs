//! `simulate`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_order::simulator::{SimulationOptions, simulate};

use crate::connection::Session;

/// Runs the engine's simulator; the exit code is failure where something did not hold.
pub(super) fn run(session: &Session, options: SimulationOptions) -> Result<ExitCode, Error> {
    let (held, told, document) = match simulate(options) {
        Ok(report) => {
            let document = serde_json::json!({
                "held": true,
                "seed": report.seed,
                "orders": report.orders,
                "events": report.events,
                "crashes": report.crashes,
                "moves": report.moves,
                "refused_saves": report.refused_saves,
                "refused_commands": report.refused_commands,
                "ended": report.ended,
            });
            (true, report.to_string(), document)
        }
        Err(failure) => {
            let document = serde_json::json!({
                "held": false,
                "seed": failure.seed,
                "order_id": failure.order_id,
                "what": failure.what,
                "trace": failure.trace,
            });
            (false, failure.to_string(), document)
        }
    };
    let told = if session.console.is_json() { document.to_string() } else { told };
    session.console.line(told.trim_end());
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
