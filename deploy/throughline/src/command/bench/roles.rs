//! The platform as one process for each role, so that the kernel counts what each costs.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use throughline_gateway::load_key;
use throughline_kit::client::{CallContext, GatewayClient, GatewayConfig};
use throughline_kit::error::{Error, Kind};
use throughline_kit::id;
use throughline_kit::storage::StorageConfig;
use throughline_proto::gateway::v1::ListServicesRequest;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;

use crate::args::{LISTEN, Role};

/// Gateway, five centers and six outside systems: what is registered when all is serving, the gateway itself not counted.
const REGISTERED: usize = 11;
const START_TIMEOUT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(50);

/// Processes of the platform; ended and their data removed when dropped.
#[derive(Debug)]
pub(super) struct Roles {
    children: Vec<(Role, Child)>,
    directory: PathBuf,
    port_base: u16,
}

impl Roles {
    /// Starts a process for each role on a fresh data directory and waits until all are registered.
    pub(super) async fn start(port_base: u16) -> Result<Self, Error> {
        let failed = |cause: std::io::Error| {
            Error::new(Kind::Unavailable, "bench", "START_FAILED", format!("start a role: {cause}"))
        };
        let directory = std::env::temp_dir().join(format!("throughline-bench-{}", id::new_body()));
        let mut roles = Self { children: Vec::new(), directory, port_base };
        let program = std::env::current_exe().map_err(failed)?;
        for role in Role::ALL {
            let child = Command::new(&program)
                .args(["serve", role.name(), "--port-base", &port_base.to_string(), "--data-dir"])
                .arg(&roles.directory)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .map_err(failed)?;
            roles.children.push((role, child));
        }
        roles.wait().await?;
        Ok(roles)
    }

    async fn wait(&self) -> Result<(), Error> {
        let patience = tokio::time::Instant::now() + START_TIMEOUT;
        loop {
            if let Ok(client) = self.client("operator") {
                let request = CallContext::default().request(ListServicesRequest {});
                let mut registry = RegistryServiceClient::new(client.channel());
                let listed = registry.list_services(request).await;
                let services =
                    listed.map(|answer| answer.into_inner().services).unwrap_or_default();
                if services.iter().filter(|s| s.center != "gateway").count() >= REGISTERED {
                    return Ok(());
                }
            }
            if tokio::time::Instant::now() > patience {
                let message = "the roles did not start within 30 s; is the port range free?";
                return Err(Error::new(Kind::Unavailable, "bench", "START_FAILED", message));
            }
            tokio::time::sleep(START_POLL).await;
        }
    }

    /// A client that calls through the gateway under a generated key.
    pub(super) fn client(&self, caller: &str) -> Result<GatewayClient, Error> {
        let api_key = load_key(&self.directory.join("keys").join(format!("{caller}.key")))?;
        let uri = format!("http://{LISTEN}:{}", self.port_base);
        GatewayClient::new(&GatewayConfig { uri, api_key })
    }

    /// A client that calls a role directly, past the gateway: only to compare.
    pub(super) fn direct(&self, role: Role) -> Result<GatewayClient, Error> {
        let uri = format!("http://{LISTEN}:{}", self.port_base + role.port_offset());
        GatewayClient::new(&GatewayConfig { uri, api_key: "none".to_owned() })
    }

    /// Where a role stores.
    pub(super) fn storage(&self, role: Role) -> StorageConfig {
        StorageConfig::Sqlite(self.directory.join(format!("{}.db", role.name())))
    }

    /// Address of a role.
    pub(super) fn port(&self, role: Role) -> u16 {
        self.port_base + role.port_offset()
    }

    /// The processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = (Role, u32)> {
        self.children.iter().map(|(role, child)| (*role, child.id()))
    }

    /// The process of a role.
    pub(super) fn process(&self, wanted: Role) -> u32 {
        self.processes().find(|(role, _)| *role == wanted).map_or(0, |(_, pid)| pid)
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
        }
        for (_, child) in &mut self.children {
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
