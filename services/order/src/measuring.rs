//! Keeps what was measured of steps over restarts.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::Clock;
use throughline_kit::storage::Writer;

use crate::duration::{Durations, Measured, StepKey};
use crate::store::duration::SaveDurations;

/// How often to store: what is measured between is lost with a crash, and measured again.
const INTERVAL: Duration = Duration::from_secs(30);

/// Stores what changed, until the token is cancelled.
pub(crate) async fn keep(
    measured: Measured,
    writer: Writer,
    clock: Clock,
    shutdown: CancellationToken,
) {
    let mut stored: Vec<(StepKey, Durations)> = measured.all();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let all = measured.all();
        let is_new = |entry: &&(StepKey, Durations)| !stored.contains(entry);
        let changed: Vec<(StepKey, Durations)> = all.iter().filter(is_new).cloned().collect();
        if changed.is_empty() {
            continue;
        }
        match writer.write(SaveDurations { measured: changed, at: clock.now() }).await {
            Ok(()) => stored = all,
            Err(error) => tracing::warn!(%error, "store durations of steps; trying again"),
        }
    }
}
