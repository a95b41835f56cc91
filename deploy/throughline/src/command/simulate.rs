//! `simulate`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_order::simulator::{SimulationOptions, simulate};

use super::machine::cpu_micros;
use crate::connection::Session;

/// Runs the engine's simulator; the exit code is failure where something did not hold.
pub(super) fn run(session: &Session, options: SimulationOptions) -> Result<ExitCode, Error> {
    let before = cpu_micros(std::process::id());
    let simulated = simulate(options);
    let spent = cpu_micros(std::process::id()).saturating_sub(before);
    let (held, told, document) = match simulated {
        Ok(report) => {
            let rate = rate(report.events, spent);
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
                "events_per_cpu_second": rate,
            });
            let speed = rate.map(|rate| format!("{rate} events for each second of CPU"));
            (true, format!("{report}{}", speed.unwrap_or_default()), document)
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

/// Events for each second of CPU; `None` where the run was shorter than the system's clock ticks.
fn rate(events: u64, cpu_micros: u64) -> Option<u64> {
    events.saturating_mul(1_000_000).checked_div(cpu_micros)
}
