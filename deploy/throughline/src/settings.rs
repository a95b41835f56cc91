//! The effective configuration: defaults, then the file, then the environment, then flags.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::config::{self, Check};
use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::{Instance, StorageConfig};
use throughline_kit::telemetry::TelemetryConfig;

use crate::args::{Common, LISTEN, Role};

/// A shorter lease would pass while an owner waits for its disk.
const MIN_LEASE_MS: u64 = 500;

/// Everything that can be configured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the process lives.
    pub platform: Platform,
    /// Log and traces.
    pub telemetry: TelemetryConfig,
    /// Limits of the gateway.
    pub gateway: throughline_gateway::Config,
    /// Limits of the order center.
    pub order: throughline_order::Config,
    /// Limits of the payment center.
    pub payment: throughline_payment::Config,
    /// Limits of the resource center.
    pub resource: throughline_resource::Config,
    /// Limits of the product center.
    pub product: throughline_product::Config,
    /// Limits of the notification center.
    pub notification: throughline_notification::Config,
    /// Limits of the simulators.
    pub simulators: throughline_simulators::Config,
}

/// Where a process lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Platform {
    /// Directory for SQLite files and generated keys.
    pub data_dir: PathBuf,
    /// First port.
    pub port_base: u16,
    /// Gateway to call; empty means the one at `port_base` on this machine.
    pub gateway: String,
    /// `postgres://user@host/database`; each role uses the schema of its own name there. Empty means SQLite in `data_dir`.
    pub postgres_url: String,
    /// Name of this process among several order centers on one PostgreSQL. One of them serves, the others stand by; who
    /// starts under the name of the one that serves takes over from it at once, as after a restart. Empty means this machine
    /// and `data_dir`.
    pub instance: String,
    /// How long after the last sign of life of the one that serves another takes over, in milliseconds.
    pub lease_ms: u64,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("throughline-data"),
            port_base: 7400,
            gateway: String::new(),
            postgres_url: String::new(),
            instance: String::new(),
            lease_ms: 5_000,
        }
    }
}

impl Platform {
    fn check(&self) -> Result<(), Error> {
        let mut check = Check::of("platform");
        check.at_least("lease_ms", self.lease_ms, MIN_LEASE_MS);
        check.finish()
    }
}

/// What the command line says; absent fields leave the layer below.
#[derive(Debug, Serialize)]
struct Flags<'a> {
    platform: PlatformFlags<'a>,
}

#[derive(Debug, Serialize)]
struct PlatformFlags<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port_base: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<&'a str>,
}

impl Settings {
    /// Reads the effective configuration.
    pub fn load(common: &Common) -> Result<Self, Error> {
        let flags = Flags {
            platform: PlatformFlags {
                data_dir: common.data_dir.as_deref(),
                port_base: common.port_base,
                gateway: common.gateway.as_deref(),
            },
        };
        let settings: Self = config::load(common.config.as_deref(), &flags)?;
        settings.check()?;
        Ok(settings)
    }

    /// Refuses values with which a role could not work, before any of them starts.
    fn check(&self) -> Result<(), Error> {
        self.platform.check()?;
        self.gateway.check()?;
        self.order.check()?;
        self.payment.check()?;
        self.resource.check()?;
        self.product.check()?;
        self.notification.check()?;
        self.simulators.check()
    }

    /// A copy that may be shown to anybody.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        shown.platform.postgres_url = without_password(&self.platform.postgres_url);
        shown
    }

    /// Where keys are.
    pub fn keys_directory(&self) -> PathBuf {
        self.platform.data_dir.join("keys")
    }

    /// Address of the gateway to call.
    pub fn gateway_uri(&self) -> String {
        if self.platform.gateway.is_empty() {
            format!("http://{LISTEN}:{}", self.platform.port_base)
        } else {
            self.platform.gateway.clone()
        }
    }

    /// Which of several processes of the same role this one is.
    pub fn instance(&self) -> Instance {
        let lease = Duration::from_millis(self.platform.lease_ms);
        let name = match self.platform.instance.as_str() {
            "" => format!("{}:{}", host_name(), absolute(&self.platform.data_dir).display()),
            given => given.to_owned(),
        };
        Instance { name, lease }
    }

    /// Port of a role; 0 stays 0.
    pub fn port(&self, offset: u16) -> Result<u16, Error> {
        match self.platform.port_base {
            0 => Ok(0),
            base => base.checked_add(offset).ok_or_else(|| {
                let message = format!("port_base {base} leaves no room for port +{offset}");
                Error::new(Kind::Invalid, "config", "CONFIG_INVALID", message)
            }),
        }
    }

    /// Where a role stores.
    pub fn storage(&self, role: Role) -> StorageConfig {
        let url = &self.platform.postgres_url;
        if url.is_empty() {
            let file = format!("{}.db", role.name());
            return StorageConfig::Sqlite(self.platform.data_dir.join(file));
        }
        StorageConfig::Postgres { url: url.clone(), schema: role.name().to_owned() }
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Takes the password out of "postgres://user:password@host/database?password=…".
fn without_password(url: &str) -> String {
    const MASK: &str = "***";
    let (address, query) = url.split_once('?').map_or((url, None), |(a, q)| (a, Some(q)));
    let secret = |(scheme, rest): (&str, &str)| {
        let (login, host) = rest.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:{MASK}@{host}"))
    };
    let address = address.split_once("://").and_then(secret).unwrap_or_else(|| address.to_owned());
    let Some(query) = query else { return address };
    let hidden = |pair: &str| match pair.split_once('=') {
        Some(("password", _)) => format!("password={MASK}"),
        Some(_) | None => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(hidden).collect();
    format!("{address}?{}", query.join("&"))
}

#[cfg(test)]
mod tests;
