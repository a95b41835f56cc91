//! Time as a parameter, so that tests decide what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant: microseconds since 1970-01-01T00:00:00Z, as it is stored.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Instant(pub i64);

impl Instant {
    /// The instant `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Time from `earlier` to this instant; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As protobuf writes it.
    pub fn to_proto(self) -> prost_types::Timestamp {
        let nanos = self.0.rem_euclid(1_000_000) * 1_000;
        prost_types::Timestamp {
            seconds: self.0.div_euclid(1_000_000),
            nanos: i32::try_from(nanos).expect("below one second"),
        }
    }

    /// From protobuf, rounded down to microseconds.
    pub fn from_proto(timestamp: &prost_types::Timestamp) -> Self {
        let micros = timestamp.seconds.saturating_mul(1_000_000);
        Self(micros.saturating_add(i64::from(timestamp.nanos) / 1_000))
    }
}

/// Where a service reads the time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Steady {
        origin: Instant,
        began: std::time::Instant,
    },
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is moved.
    pub fn fixed(start: Instant) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(start.0))))
    }

    /// A clock that goes on evenly from now when somebody sets the machine's clock: for leases, which must not all end at
    /// once. A fixed clock stays itself.
    #[must_use]
    pub fn steady(&self) -> Self {
        match &self.0 {
            Source::System => {
                let began = std::time::Instant::now();
                Self(Source::Steady { origin: self.now(), began })
            }
            Source::Steady { .. } | Source::Fixed(_) => self.clone(),
        }
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::Fixed(micros) => Instant(micros.load(Ordering::SeqCst)),
            Source::Steady { origin, began } => origin.plus(began.elapsed()),
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Moves a fixed clock forward. Does nothing to the machine's clock.
    pub fn advance(&self, span: Duration) {
        if let Source::Fixed(micros) = &self.0 {
            let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(span, Ordering::SeqCst);
        }
    }
}

/// Reads a span from protobuf; `None` when it is absent or negative.
pub fn span_from_proto(span: Option<&prost_types::Duration>) -> Option<Duration> {
    let span = span?;
    let seconds = u64::try_from(span.seconds).ok()?;
    let nanos = u32::try_from(span.nanos).ok()?;
    Some(Duration::new(seconds, nanos))
}

/// Writes a span for protobuf.
pub fn span_to_proto(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}
