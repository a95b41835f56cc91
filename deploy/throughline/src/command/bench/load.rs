//! A closed loop: so many at a time, each begun when another ends.

use std::time::{Duration, Instant};

use futures::StreamExt;
use hdrhistogram::Histogram;
use throughline_kit::error::Error;

/// Latencies from 1 µs to 10 minutes with three significant digits.
const MAX_LATENCY_MICROS: u64 = 600_000_000;

/// What a loop measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// How many ended well.
    pub(super) done: u64,
    /// How many failed.
    pub(super) failed: u64,
    /// From the first begin to the last end.
    pub(super) took: Duration,
    latencies: Histogram<u64>,
}

impl Measured {
    /// Per second.
    pub(super) fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        let done = u32::try_from(self.done).map_or(f64::MAX, f64::from);
        if seconds > 0.0 { done / seconds } else { 0.0 }
    }

    /// Latency that so many percent stay below, in microseconds.
    pub(super) fn percentile(&self, percent: f64) -> u64 {
        self.latencies.value_at_percentile(percent)
    }
}

/// Runs `total` pieces of work, `in_flight` at a time. A failed piece is counted and logged, and the loop goes on.
pub(super) async fn closed_loop<F>(
    total: u64,
    in_flight: usize,
    work: impl Fn(u64) -> F,
) -> Result<Measured, Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let mut latencies = Histogram::new_with_bounds(1, MAX_LATENCY_MICROS, 3)
        .map_err(|e| Error::internal("bench", e))?;
    let (mut done, mut failed) = (0, 0);
    let begun = Instant::now();
    let work = &work;
    let mut ends = futures::stream::iter(0..total)
        .map(|number| async move {
            let begun = Instant::now();
            (work(number).await, begun.elapsed())
        })
        .buffer_unordered(in_flight.max(1));
    while let Some((outcome, latency)) = ends.next().await {
        match outcome {
            Ok(()) => {
                done += 1;
                latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
            }
            Err(cause) => {
                failed += 1;
                tracing::warn!(%cause, "a measured call failed");
            }
        }
    }
    drop(ends);
    Ok(Measured { done, failed, took: begun.elapsed(), latencies })
}
