//! The whole platform in this process, on a directory of its own and any ports.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use throughline::args::Role;
use throughline::platform::Platform;
use throughline::settings::Settings;
use throughline_kit::testing::{LogGuard, no_unexpected_warnings};

use crate::desk::Desk;

/// How long the platform may take to drain.
const MAX_STOP_TIME: Duration = Duration::from_secs(20);

/// A platform and those who work with it.
#[derive(Debug)]
pub struct World {
    /// Who works with it.
    pub desk: Desk,
    platform: Platform,
    directory: TempDir,
    _log: LogGuard,
}

impl World {
    /// Starts it, sells what the telecom sample sells, and fails the test on unexpected warnings.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts it with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        // The drivers say so when a busy machine makes a statement slow.
        let log = no_unexpected_warnings(&["sqlx::"]);
        let directory = TempDir::new().expect("a directory");
        let mut settings = settings(directory.path());
        change(&mut settings);
        let platform = Platform::start(&settings, &Role::ALL).await.expect("it starts");
        platform.ready().await.expect("all are registered");
        let desk = Desk::open(platform.gateway_uri(), &settings.keys_directory());
        desk.seed_telecom().await;
        Self { desk, platform, directory, _log: log }
    }

    /// Address of the gateway.
    pub fn gateway_uri(&self) -> &str {
        self.platform.gateway_uri()
    }

    /// Where it stores.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends it; its books must add up.
    pub async fn end(self) {
        self.desk.books_add_up().await;
        let stopped = tokio::time::timeout(MAX_STOP_TIME, self.platform.stop()).await;
        stopped.expect("it drains in time");
    }
}

/// Any ports, and waits that are short where a person would not care.
fn settings(directory: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.platform.data_dir = directory.to_owned();
    settings.platform.port_base = 0;
    settings.payment.poll_interval_ms = 50;
    settings.simulators.late_poll_interval_ms = 50;
    settings
}

/// Gives up on outside systems early, so that their silence is soon met.
pub fn impatient(settings: &mut Settings) {
    settings.order.call_timeout_ms = 1_500;
    settings.payment.channel_timeout_ms = 300;
    settings.payment.retry_delays_ms = vec![20, 40, 80];
    settings.payment.resolve_delays_ms = vec![100, 200, 400, 800];
    settings.simulators.never_answer_ms = 3_000;
}
