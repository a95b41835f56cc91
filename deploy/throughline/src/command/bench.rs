//! `bench orders | proxy`

use std::process::ExitCode;

use throughline_kit::error::Error;

use crate::args::BenchCommand;
use crate::connection::Session;

mod load;
mod orders;
mod peer;
mod proxy;
mod restate;
mod roles;

pub(super) async fn run(session: &Session, command: BenchCommand) -> Result<ExitCode, Error> {
    match command {
        BenchCommand::Orders(options) => orders::run(session, options).await,
        BenchCommand::Proxy(options) => proxy::run(session, options).await,
    }
}
