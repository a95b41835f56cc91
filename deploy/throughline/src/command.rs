//! One file for each command.

use std::io::Write;
use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_kit::telemetry::Telemetry;

use crate::args::{Cli, Command};
use crate::connection::Session;

mod audit;
mod bench;
mod channel;
mod demo;
mod import;
mod order;
mod progress;
mod seed;
mod serve;
mod services;
mod trajectory;

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

/// Says on standard error what went wrong, where, and what to do.
pub fn complain(error: &Error) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "error: {}", error.message);
    for (path, description) in &error.fields {
        let _ = writeln!(out, "  {path}: {description}");
    }
    let domain = if error.domain.is_empty() { "-" } else { &error.domain };
    let _ = writeln!(out, "  reason {} of {domain}", error.reason);
}
