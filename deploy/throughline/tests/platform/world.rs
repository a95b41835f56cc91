//! The platform that the commands are tried on.

use tempfile::TempDir;
use throughline::args::Role;
use throughline::platform::Platform;
use throughline::settings::Settings;
use throughline_kit::client::GatewayClient;

/// A platform, and the operator who works with it.
pub(crate) struct World {
    pub(crate) operator: GatewayClient,
    platform: Platform,
    _directory: TempDir,
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
        Self { operator, platform, _directory: directory }
    }

    pub(crate) async fn end(self) {
        self.platform.stop().await;
    }
}
