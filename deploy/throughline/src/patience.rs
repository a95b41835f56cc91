//! Repeats a call until there is an answer.

use std::time::Duration;

use throughline_kit::client::CallOutcome;
use throughline_kit::error::{Error, Kind};
use tonic::{Response, Status};

/// How often a request is sent before it is given up.
pub(crate) const PATIENCE: Patience = Patience {
    max_tries: 30,
    first_delay: Duration::from_millis(50),
    max_delay: Duration::from_secs(2),
};

/// Bounds of repeating a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Calls at most.
    max_tries: u32,
    /// Wait after the first call; doubled each time.
    first_delay: Duration,
    /// Longest wait between calls.
    max_delay: Duration,
}

impl Patience {
    /// Calls until there is an answer or a final refusal, with a growing wait in between. What is repeated carries the
    /// same request id, so a call whose outcome nobody knows may be repeated as well.
    pub(crate) async fn repeat<T, Call, Answer>(self, mut call: Call) -> Result<T, Error>
    where
        Call: FnMut() -> Answer,
        Answer: Future<Output = Result<Response<T>, Status>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match CallOutcome::from_result(call().await) {
                CallOutcome::Answered(answer) => return Ok(answer),
                CallOutcome::Declined(error) => return Err(error),
                CallOutcome::NotAttempted(error) | CallOutcome::Unknown(error) => error,
            };
            if tries == self.max_tries || needs_an_operator(error.kind) {
                return Err(error);
            }
            tokio::time::sleep(self.wait_after(tries, error.retry_after)).await;
        }
    }

    /// As long as the platform asks for, or else longer each time; never longer than the bound.
    fn wait_after(self, tries: u32, asked_for: Option<Duration>) -> Duration {
        let doubled = self.first_delay.saturating_mul(1 << tries.saturating_sub(1).min(16));
        asked_for.map_or(doubled, |asked| asked.max(self.first_delay)).min(self.max_delay)
    }
}

/// A key or a grant is missing: waiting does not bring it.
fn needs_an_operator(kind: Kind) -> bool {
    matches!(kind, Kind::PermissionDenied | Kind::Unauthenticated | Kind::Unimplemented)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SHORT: Patience = Patience {
        max_tries: 6,
        first_delay: Duration::from_micros(1),
        max_delay: Duration::from_micros(4),
    };

    #[test]
    fn the_wait_between_calls_grows_to_a_bound_and_heeds_what_is_asked_for() {
        let millis = Duration::from_millis;
        let waits: Vec<_> = (1..=8).map(|tries| PATIENCE.wait_after(tries, None)).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000].map(millis));
        for (asked, wait) in [(0, 50), (700, 700), (60_000, 2_000)] {
            assert_eq!(PATIENCE.wait_after(1, Some(millis(asked))), millis(wait));
        }
        assert_eq!(PATIENCE.wait_after(u32::MAX, None), PATIENCE.max_delay);
    }

    #[tokio::test]
    async fn a_call_is_repeated_until_it_is_answered_and_a_refusal_is_not() {
        let calls = Cell::new(0);
        let answered = SHORT.repeat(|| {
            calls.set(calls.get() + 1);
            let answer = match calls.get() {
                1 => Err(Status::unavailable("away")),
                2 => Err(Status::aborted("in progress")),
                3 => Err(Status::resource_exhausted("busy")),
                4 => Err(Status::deadline_exceeded("slow")),
                _ => Ok(Response::new(7)),
            };
            std::future::ready(answer)
        });
        assert_eq!((answered.await.expect("answers"), calls.get()), (7, 5));

        let calls = Cell::new(0);
        let refused = SHORT.repeat(|| {
            calls.set(calls.get() + 1);
            std::future::ready(Err::<Response<()>, _>(Status::permission_denied("no")))
        });
        assert_eq!(
            (refused.await.expect_err("refused").kind, calls.get()),
            (Kind::PermissionDenied, 1)
        );
    }

    #[tokio::test]
    async fn a_call_that_never_arrives_is_given_up() {
        let calls = Cell::new(0);
        let lost = SHORT.repeat(|| {
            calls.set(calls.get() + 1);
            std::future::ready(Err::<Response<()>, _>(Status::unavailable("away")))
        });
        assert_eq!((lost.await.expect_err("given up").kind, calls.get()), (Kind::Unavailable, 6));
    }
}
