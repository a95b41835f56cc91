//! One file for each command.

use std::io::Write;
use std::process::ExitCode;

use throughline_kit::error::{Error, Kind, code_name};
use throughline_kit::telemetry::Telemetry;
use throughline_order::simulator::SimulationOptions;

use crate::args::{Cli, Command};
use crate::connection::Session;
use crate::console::{Console, span};

mod audit;
mod bench;
mod campaign;
mod cart;
mod channel;
mod demo;
mod hold;
mod import;
mod machine;
mod order;
mod progress;
mod seed;
mod serve;
mod services;
mod simulate;
mod task;
mod template;
mod trajectory;
mod webhook;

/// Runs the command. The exit code is failure where the command worked and found something wrong.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    let mut session = Session::open(cli.common)?;
    let _telemetry = Telemetry::install(&session.settings.telemetry)?;
    let outcome = carry_out(&mut session, cli.command).await;
    outcome.map_err(|error| session.explain(error))
}

async fn carry_out(session: &mut Session, command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(session, &args)).await,
        Command::Up(args) => Box::pin(serve::up(session, args.check)).await,
        Command::Serve(args) => Box::pin(serve::serve(session, args.role, args.check)).await,
        Command::Seed { file } => seed::run(session, &file).await,
        Command::Order(command) => Box::pin(order::run(session, command)).await,
        Command::Task(command) => Box::pin(task::run(session, command)).await,
        Command::Template(command) => Box::pin(template::run(session, command)).await,
        Command::Hold(command) => hold::run(session, command).await,
        Command::Campaign(command) => campaign::run(session, command).await,
        Command::Cart(command) => cart::run(session, command).await,
        Command::Webhook(command) => Box::pin(webhook::run(session, command)).await,
        Command::Simulate { seed, orders } => {
            simulate::run(session, SimulationOptions { seed, orders })
        }
        Command::Trajectory { order_id, follow } => {
            trajectory::run(session, &order_id, follow).await
        }
        Command::Import(command) => Box::pin(import::run(session, command)).await,
        Command::Services { methods } => services::run(session, methods).await,
        Command::Channel(command) => channel::run(session, command).await,
        Command::Audit => audit::run(session).await,
        Command::Bench(command) => Box::pin(bench::run(session, command)).await,
    }
}

/// Exit code where the command line is not understood, as shells and clap have it.
const MISUSED: u8 = 2;

/// Answers a command line that asks for help, or is not understood.
pub fn misused(mistake: &clap::Error) -> ExitCode {
    if !mistake.use_stderr() {
        let _ = mistake.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let message = mistake.to_string();
        let error = Error::new(Kind::Invalid, "client", "USAGE_INVALID", message.trim_end());
        complain(&error, Console::new(true));
    } else {
        let _ = mistake.print();
    }
    ExitCode::from(MISUSED)
}

/// Says on standard error what went wrong, where, and what to do: one JSON object where a program reads.
pub fn complain(error: &Error, console: Console) {
    let mut out = std::io::stderr().lock();
    if console.is_json() {
        let _ = writeln!(out, "{}", as_json(error));
        return;
    }
    let _ = writeln!(out, "error: {}", error.message);
    for (path, description) in &error.fields {
        let _ = writeln!(out, "  {path}: {description}");
    }
    let domain = if error.domain.is_empty() { "-" } else { &error.domain };
    let _ = writeln!(out, "  reason {} of {domain}", error.reason);
    if let Some(delay) = error.retry_after {
        let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        let _ = writeln!(out, "  again after {}", span(micros));
    }
}

/// An error as a program reads it.
fn as_json(error: &Error) -> serde_json::Value {
    let field = |(path, description): &(String, String)| serde_json::json!({ "field": path, "description": description });
    serde_json::json!({
        "code": code_name(tonic::Status::from(error.clone()).code()),
        "reason": error.reason,
        "domain": error.domain,
        "message": error.message,
        "metadata": error.metadata,
        "fields": error.fields.iter().map(field).collect::<Vec<_>>(),
        "retry_after_ms": error.retry_after.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_program_reads_all_of_an_error() {
        let error = Error::new(Kind::Exhausted, "order", "URGED_TOO_OFTEN", "wait a little")
            .with("order_id", "ord_1")
            .retry_after(Duration::from_millis(1_500));
        let error = Error { fields: vec![("id".to_owned(), "is odd".to_owned())], ..error };
        let expected = serde_json::json!({
            "code": "RESOURCE_EXHAUSTED",
            "reason": "URGED_TOO_OFTEN",
            "domain": "order",
            "message": "wait a little",
            "metadata": { "order_id": "ord_1" },
            "fields": [{ "field": "id", "description": "is odd" }],
            "retry_after_ms": 1_500,
        });
        assert_eq!(as_json(&error), expected);
        let plain = as_json(&Error::new(Kind::NotFound, "order", "ORDER_NOT_FOUND", "no"));
        assert_eq!(plain["retry_after_ms"], serde_json::Value::Null);
    }
}
