//! Chance from a seed: a run that failed can be had again.

use throughline_kit::id::{derived_uuid, new_body};

/// Environment variable that gives the seed of an earlier run.
const SEED_VARIABLE: &str = "CHANCE_SEED";

/// A sequence of numbers that follows from its seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// Takes the seed of the environment or a new one, and prints it: a failing test shows what was printed.
    pub fn printed(test: &str) -> Self {
        let seed = given_seed().unwrap_or_else(|| {
            let (high, low) = derived_uuid(&[test, &new_body()]).as_u64_pair();
            high ^ low
        });
        eprintln!("{test}: {SEED_VARIABLE}={seed}");
        Self { state: seed.max(1) }
    }

    /// Gives a number from `least` to `most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16;
        least + number % (most - least + 1)
    }
}

#[expect(clippy::disallowed_methods, reason = "a seed is given to a test, not to the platform")]
fn given_seed() -> Option<u64> {
    std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().expect("a number"))
}
