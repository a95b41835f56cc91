//! Configuration: defaults in code, then a TOML file, then environment `THROUGHLINE_…`, then flags. A wrong key or value
//! stops the start and names the key, its source and what was expected.

use std::fmt::Display;
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

/// Looks for values with which a section of the configuration cannot work: they read well, and would stop the work later.
#[derive(Debug)]
pub struct Check {
    section: &'static str,
    wrong: Vec<String>,
}

impl Check {
    /// Begins with a section.
    pub fn of(section: &'static str) -> Self {
        Self { section, wrong: Vec::new() }
    }

    /// Needs a value above zero: a limit, a time, an interval.
    pub fn above_zero<T: Display + Default + PartialOrd>(&mut self, key: &str, value: T) {
        if value <= T::default() {
            self.add(key, value, "must be above 0");
        }
    }

    /// Needs a value that is at least another one.
    pub fn at_least<T: Display + PartialOrd>(&mut self, key: &str, value: T, least: T) {
        if value < least {
            self.add(key, value, &format!("must be at least {least}"));
        }
    }

    /// Needs at least one entry, and each above zero.
    pub fn each_above_zero(&mut self, key: &str, values: &[u64]) {
        if values.is_empty() || values.contains(&0) {
            self.add(key, format!("{values:?}"), "must have at least one entry, each above 0");
        }
    }

    /// Needs a text.
    pub fn not_empty(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            self.add(key, "\"\"", "must not be empty");
        }
    }

    /// Says all that is wrong: key, value and what is expected.
    pub fn finish(self) -> Result<(), Error> {
        if self.wrong.is_empty() { Ok(()) } else { Err(invalid(self.wrong.join("; "))) }
    }

    fn add(&mut self, key: &str, value: impl Display, expected: &str) {
        self.wrong.push(format!("key `{}.{key}`: {expected}, it is {value}", self.section));
    }
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
