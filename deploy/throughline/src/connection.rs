//! The way of a command to a running gateway.

use throughline_gateway::load_key;
use throughline_kit::client::{CallContext, GatewayClient, GatewayConfig};
use throughline_kit::error::Error;
use tonic::Request;

use crate::args::Common;
use crate::console::Console;
use crate::settings::Settings;

/// What a command works with.
#[derive(Debug)]
pub struct Session {
    /// Options of the command line.
    pub common: Common,
    /// Effective configuration.
    pub settings: Settings,
    /// Where it writes.
    pub console: Console,
}

impl Session {
    /// Reads the configuration.
    pub fn open(common: Common) -> Result<Self, Error> {
        let settings = Settings::load(&common)?;
        let console = Console::new(common.json);
        Ok(Self { common, settings, console })
    }

    /// A client with --key-file, or else the generated key of the given caller.
    pub fn client(&self, caller: &str) -> Result<GatewayClient, Error> {
        let path = self
            .common
            .key_file
            .clone()
            .unwrap_or_else(|| self.settings.keys_directory().join(format!("{caller}.key")));
        let api_key = load_key(&path)?;
        GatewayClient::new(&GatewayConfig { uri: self.settings.gateway_uri(), api_key })
    }
}

/// How long a command waits for an answer.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// A request with the usual bound on its answer.
pub fn bounded<M>(message: M) -> Request<M> {
    CallContext { timeout: Some(TIMEOUT), ..CallContext::default() }.request(message)
}

/// A request of a stream, which has no bound.
pub fn unbounded<M>(message: M) -> Request<M> {
    Request::new(message)
}
