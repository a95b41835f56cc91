//! Reads the command line, runs the command, and turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use throughline::args::Cli;
use throughline::command;
use throughline::console::Console;

/// A fifth of the work of an order was in the allocator of the system.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mistake) => return command::misused(&mistake),
    };
    let console = Console::new(cli.common.json);
    match Box::pin(command::run(cli)).await {
        Ok(code) => code,
        Err(error) => {
            command::complain(&error, console);
            ExitCode::FAILURE
        }
    }
}
