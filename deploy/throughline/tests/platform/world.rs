//! The platform that the commands are tried on.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use throughline::args::Role;
use throughline::platform::Platform;
use throughline::settings::Settings;
use throughline_kit::client::GatewayClient;
use tokio::process::Command;

/// A platform, and the operator who works with it.
pub(crate) struct World {
    pub(crate) operator: GatewayClient,
    platform: Platform,
    directory: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut settings = Settings::default();
        settings.platform.data_dir = directory.path().to_owned();
        settings.platform.port_base = 0;
        let platform = Platform::start(&settings, &Role::ALL).await.expect("it starts");
        platform.ready().await.expect("all are registered");
        let operator = platform.client("operator").expect("a client");
        Self { operator, platform, directory }
    }

    /// Where it stores.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a command against it, as a person would.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_throughline"))
            .args(["--gateway", self.platform.gateway_uri(), "--data-dir"])
            .arg(self.directory())
            .args(arguments)
            .output()
            .await
            .expect("it starts")
    }

    pub(crate) async fn end(self) {
        self.platform.stop().await;
    }
}
