//! Tasks that a service cannot do without.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::layer::panic_text;

/// Runs a task for as long as the service lives. When it panics the service ends, and is started again by whoever keeps
/// it running: a service that goes on with a part of itself missing looks well and is not.
pub fn vital(
    task: &'static str,
    shutdown: &CancellationToken,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
            let cause = panic_text(panic.as_ref());
            tracing::error!(task, cause, "a vital task panicked; the service ends");
            shutdown.cancel();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vital_task_that_panics_ends_the_service_and_one_that_ends_does_not() {
        let shutdown = CancellationToken::new();
        let (ended, end) = tokio::sync::oneshot::channel();
        vital("end", &shutdown, async move { ended.send(()).expect("awaited") });
        end.await.expect("it ran");
        assert!(!shutdown.is_cancelled());
        vital("panic", &shutdown, async { panic!("on purpose") });
        shutdown.cancelled().await;
    }
}
