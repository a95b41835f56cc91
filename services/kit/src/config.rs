//! Configuration: defaults in code, then a TOML file, then environment `THROUGHLINE_…`, then flags. A wrong key or value
//! stops the start and names the key, its source and what was expected.

use std::path::Path;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind};

/// Prefix of environment variables; `__` separates levels: `THROUGHLINE_TELEMETRY__LOG=debug`.
const ENVIRONMENT_PREFIX: &str = "THROUGHLINE_";
/// Set by the test setup; no keys of the configuration.
const NOT_CONFIGURATION: &[&str] = &["test_postgres"];

/// Reads the effective configuration. `flags` holds what the command line says, and nothing else.
pub fn load<C>(file: Option<&Path>, flags: &impl Serialize) -> Result<C, Error>
where
    C: Default + Serialize + DeserializeOwned,
{
    let mut figment = Figment::from(Serialized::defaults(C::default()));
    if let Some(path) = file {
        if !path.is_file() {
            return Err(invalid(format!("configuration file {} cannot be read", path.display())));
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    figment
        .merge(Env::prefixed(ENVIRONMENT_PREFIX).ignore(NOT_CONFIGURATION).split("__"))
        .merge(Serialized::defaults(flags))
        .extract()
        .map_err(|errors| {
            let all: Vec<String> = errors.into_iter().map(|e| describe(&e)).collect();
            invalid(all.join("; "))
        })
}

fn describe(error: &figment::Error) -> String {
    let key = error.path.join(".");
    let source = error.metadata.as_ref().map_or_else(
        || "the command line or the defaults".to_owned(),
        |m| {
            let place = m.source.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
            format!("{}{place}", m.name)
        },
    );
    if key.is_empty() {
        format!("{} (from {source})", error.kind)
    } else {
        format!("key `{key}`: {} (from {source})", error.kind)
    }
}

fn invalid(message: String) -> Error {
    Error::new(Kind::Invalid, "config", "CONFIG_INVALID", message)
}
