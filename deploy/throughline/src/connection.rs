//! The way of a command to a running gateway.

use std::path::Path;

use throughline_gateway::load_key;
use throughline_kit::client::{CallContext, GatewayChannel, GatewayClient, GatewayConfig};
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::derived_body;
use tonic::{Request, Status};

use crate::args::Common;
use crate::console::Console;
use crate::settings::Settings;

/// Whose key operates when --key-file does not say.
const OPERATOR: &str = "operator";

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
        let api_key = self.key(caller)?;
        GatewayClient::new(&GatewayConfig { uri: self.settings.gateway_uri(), api_key })
    }

    /// A connection with --key-file, or else the generated key of the operator.
    pub fn operator(&self) -> Result<GatewayChannel, Error> {
        Ok(self.client(OPERATOR)?.channel())
    }

    /// The operator whose key it is, as centers write who did something: the key file has the name that the gateway gave.
    pub fn actor(&self) -> String {
        let stem = self.common.key_file.as_deref().and_then(Path::file_stem);
        let name = stem.map_or_else(|| OPERATOR.into(), |name| name.to_string_lossy());
        format!("operator:{name}")
    }

    /// What tells the channel that `client` speaks for from other channels: it follows from the key, which it does not
    /// give away. A channel with a new key counts as another.
    pub fn seller(&self, caller: &str) -> Result<String, Error> {
        Ok(derived_body(&["seller", &self.key(caller)?]))
    }

    fn key(&self, caller: &str) -> Result<String, Error> {
        let path = self
            .common
            .key_file
            .clone()
            .unwrap_or_else(|| self.settings.keys_directory().join(format!("{caller}.key")));
        load_key(&path)
    }

    /// Says of an error which gateway could not be reached, where that is what went wrong.
    pub fn explain(&self, error: Error) -> Error {
        // Whoever answers says in which domain; without one nobody did.
        let unreachable = error.domain.is_empty() && error.kind == Kind::Unavailable;
        if !unreachable && error.reason != UNREACHABLE {
            return error;
        }
        let (uri, cause) = (self.settings.gateway_uri(), error.message);
        let message =
            format!("gateway {uri} cannot be reached: {cause}; is `throughline up` running?");
        Error::new(error.kind, "client", UNREACHABLE, message)
    }
}

/// Reason of an error where no gateway answered.
const UNREACHABLE: &str = "GATEWAY_UNREACHABLE";

/// Reads what a call was refused with: by whoever answered, or because nobody did.
#[expect(clippy::needless_pass_by_value, reason = "it stands where a result's error is turned")]
pub fn refused(status: Status) -> Error {
    let error = Error::from_status(&status);
    let transport =
        std::error::Error::source(&status).filter(|source| source.is::<tonic::transport::Error>());
    let Some(transport) = transport else { return error };
    // Each cause names the one below it only in its source: the last one says what really happened.
    let causes = std::iter::successors(Some(transport), |cause| cause.source());
    let cause = causes.last().map_or_else(|| error.message.clone(), ToString::to_string);
    Error::new(error.kind, "client", UNREACHABLE, cause)
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
