//! Reads the command line, runs the command, and turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use throughline::args::Cli;
use throughline::command;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match Box::pin(command::run(cli)).await {
        Ok(code) => code,
        Err(error) => {
            command::complain(&error);
            ExitCode::FAILURE
        }
    }
}
