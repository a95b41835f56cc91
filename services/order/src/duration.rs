//! How long steps take, by what was measured: quantiles for each step of each template, and what follows for an order.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Parts of each doubling: a quantile is right to about a twelfth.
const PARTS: u32 = 8;
/// Measurements after which the old ones count half: what is usual may change.
const MEMORY: u64 = 4_096;
/// Steps that are measured at most; those of templates that are no longer used are forgotten at the next start.
pub(crate) const MAX_MEASURED_STEPS: usize = 16_384;

/// Durations of one step, in classes that grow with the duration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Durations {
    classes: BTreeMap<u32, u64>,
}

impl Durations {
    /// Counts one.
    pub(crate) fn measure(&mut self, took: Duration) {
        *self.classes.entry(class(took)).or_default() += 1;
        if self.count() > MEMORY {
            self.classes.values_mut().for_each(|count| *count /= 2);
            self.classes.retain(|_, count| *count > 0);
        }
    }

    /// How many count.
    pub(crate) fn count(&self) -> u64 {
        self.classes.values().sum()
    }

    /// The duration that this share of all took at most; `None` when none was measured.
    pub(crate) fn quantile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (class, count) in &self.classes {
            seen += count;
            if seen >= rank {
                return Some(longest_of(*class));
            }
        }
        None
    }
}

/// The class of a duration: whole doublings of a millisecond, each in parts.
fn class(took: Duration) -> u32 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let doublings = millis.ilog2();
    let part = ((u128::from(millis) * u128::from(PARTS)) >> doublings) - u128::from(PARTS);
    doublings * PARTS + u32::try_from(part).unwrap_or(0)
}

/// The longest duration of a class.
fn longest_of(class: u32) -> Duration {
    let (doublings, part) = (class / PARTS, class % PARTS);
    let millis = (u128::from(PARTS + part + 1) << doublings) / u128::from(PARTS);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Name of a template and id of a step.
pub(crate) type StepKey = (String, String);

/// What was measured of all steps, shared by all who measure and ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    steps: Arc<Mutex<HashMap<StepKey, Durations>>>,
}

impl Measured {
    /// What was stored.
    pub(crate) fn of(stored: impl IntoIterator<Item = (StepKey, Durations)>) -> Self {
        Self { steps: Arc::new(Mutex::new(stored.into_iter().collect())) }
    }

    /// Counts how long steps took.
    pub(crate) fn measure(&self, took: impl IntoIterator<Item = (StepKey, Duration)>) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, took) in took {
            let has_room = steps.len() < MAX_MEASURED_STEPS;
            if let Some(durations) = steps.get_mut(&key) {
                durations.measure(took);
            } else if has_room {
                steps.entry(key).or_default().measure(took);
            }
        }
    }

    /// The duration that this share of all runs of a step took at most.
    pub(crate) fn quantile(&self, template: &str, step: &str, percent: u64) -> Option<Duration> {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.get(&(template.to_owned(), step.to_owned()))?.quantile(percent)
    }

    /// All, to be stored.
    pub(crate) fn all(&self) -> Vec<(StepKey, Durations)> {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.iter().map(|(key, durations)| (key.clone(), durations.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_to_an_eighth() {
        for millis in [1, 2, 3, 10, 99, 1_000, 86_400_000, 30 * 86_400_000] {
            let mut durations = Durations::default();
            durations.measure(Duration::from_millis(millis));
            let told = durations.quantile(50).expect("measured").as_millis();
            let millis = u128::from(millis);
            assert!(told >= millis && told <= millis + millis / 8 + 1, "{millis}: {told}");
        }
    }

    #[test]
    fn quantiles_grow_with_their_share() {
        let mut durations = Durations::default();
        for millis in 1..=1_000 {
            durations.measure(Duration::from_millis(millis));
        }
        let at = |percent| durations.quantile(percent).expect("measured").as_millis();
        assert!((500..=563).contains(&at(50)), "{}", at(50));
        assert!((900..=1_013).contains(&at(90)), "{}", at(90));
        assert!(at(1) <= at(50) && at(50) <= at(90) && at(90) <= at(100));
        assert_eq!(Durations::default().quantile(50), None);
    }

    #[test]
    fn what_was_usual_is_forgotten() {
        let mut durations = Durations::default();
        for _ in 0..MEMORY {
            durations.measure(Duration::from_secs(60));
        }
        for _ in 0..3 * MEMORY {
            durations.measure(Duration::from_secs(1));
        }
        assert!(durations.count() <= MEMORY + 1);
        assert!(durations.quantile(50).expect("measured") < Duration::from_secs(2));
    }
}
