//! Random histories against a model that does one thing after the other.

use proptest::prelude::*;
use throughline_kit::error::Error;
use throughline_kit::testing::{TestDatabase, each_database};
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::ReturnDisposition::{Quarantine, Restock};

use crate::center::{
    Center, counted, demand, fixed_clock, seconds, serial, with_sweeper, without_sweeper,
};

/// The last one is serial.
const POOLS: [&str; 3] = ["a", "b", "n"];
const SERIAL: usize = 2;
const CASES: u32 = 12;
const AVAILABLE: usize = 0;
const HELD: usize = 1;
const USED: usize = 2;
const QUARANTINED: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Receive { pool: usize, quantity: i64 },
    Adjust { pool: usize, delta: i64 },
    Reserve { demands: Vec<(usize, i64)>, ttl: u64 },
    Confirm { which: usize },
    Release { which: usize },
    Return { which: usize, quantity: i64, quarantine: bool },
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let pool = 0..POOLS.len();
    let demands = prop::collection::vec((pool.clone(), 1_i64..4), 1..4);
    prop_oneof![
        2 => (pool.clone(), 0_i64..6).prop_map(|(pool, quantity)| Step::Receive { pool, quantity }),
        1 => (0..SERIAL, -4_i64..4).prop_map(|(pool, delta)| Step::Adjust { pool, delta }),
        6 => (demands, 1_u64..12).prop_map(|(demands, ttl)| Step::Reserve { demands, ttl }),
        3 => any::<usize>().prop_map(|which| Step::Confirm { which }),
        2 => any::<usize>().prop_map(|which| Step::Release { which }),
        2 => (any::<usize>(), 0_i64..4, any::<bool>()).prop_map(|(which, quantity, quarantine)| {
            Step::Return { which, quantity, quarantine }
        }),
        3 => (0_u64..6).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Held { until: u64 },
    Confirmed,
    Over { expired: bool },
}

#[derive(Debug)]
struct Kept {
    id: String,
    /// Pool, quantity and returned, one line each.
    lines: Vec<(usize, i64, i64)>,
    state: State,
}

/// What should be, in the plainest way.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    buckets: [[i64; 4]; 3],
    kept: Vec<Kept>,
}

impl Model {
    fn shift(&mut self, pool: usize, quantity: i64, from: usize, to: usize) {
        self.buckets[pool][from] -= quantity;
        self.buckets[pool][to] += quantity;
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds;
        for n in 0..self.kept.len() {
            if matches!(self.kept[n].state, State::Held { until } if until <= self.now) {
                self.kept[n].state = State::Over { expired: true };
                self.shift_lines(n, AVAILABLE);
            }
        }
    }

    fn shift_lines(&mut self, n: usize, to: usize) {
        for (pool, quantity, _) in self.kept[n].lines.clone() {
            self.shift(pool, quantity, HELD, to);
        }
    }

    fn may_reserve(&self, demands: &[(usize, i64)]) -> bool {
        (0..POOLS.len()).all(|pool| {
            let wanted: i64 = demands.iter().filter(|(p, _)| *p == pool).map(|(_, q)| q).sum();
            wanted <= self.buckets[pool][AVAILABLE]
        })
    }

    fn reserve(&mut self, id: String, demands: &[(usize, i64)], ttl: u64) {
        let lines = demands.iter().map(|(pool, quantity)| (*pool, *quantity, 0)).collect();
        for (pool, quantity) in demands {
            self.shift(*pool, *quantity, AVAILABLE, HELD);
        }
        self.kept.push(Kept { id, lines, state: State::Held { until: self.now + ttl } });
    }

    fn confirm(&mut self, n: usize) -> Result<(), &'static str> {
        match self.kept[n].state {
            State::Held { .. } => {
                self.kept[n].state = State::Confirmed;
                self.shift_lines(n, USED);
                Ok(())
            }
            State::Confirmed => Ok(()),
            State::Over { expired: true } => Err("RESERVATION_EXPIRED"),
            State::Over { expired: false } => Err("RESERVATION_RESOLVED"),
        }
    }

    fn release(&mut self, n: usize) -> Result<(), &'static str> {
        match self.kept[n].state {
            State::Held { .. } => {
                self.kept[n].state = State::Over { expired: false };
                self.shift_lines(n, AVAILABLE);
                Ok(())
            }
            State::Over { .. } => Ok(()),
            State::Confirmed => Err("RESERVATION_RESOLVED"),
        }
    }

    /// Each line has a key of its own, so a return concerns the first.
    fn give_back(&mut self, n: usize, wanted: i64, to: usize) -> Result<i64, &'static str> {
        let (pool, quantity, returned) = self.kept[n].lines[0];
        let used = if self.kept[n].state == State::Confirmed { quantity - returned } else { 0 };
        let units = if wanted == 0 { used } else { wanted };
        if units > used {
            return Err("QUANTITY_EXCEEDS_USED");
        }
        if pool == SERIAL && units != used {
            return Err("POOL_KIND_MISMATCH");
        }
        self.kept[n].lines[0].2 += units;
        self.shift(pool, units, USED, to);
        Ok(units)
    }
}

fn same<T, U>(real: Result<T, Error>, model: Result<U, &'static str>) -> Result<(T, U), ()> {
    match (real, model) {
        (Ok(real), Ok(model)) => Ok((real, model)),
        (Err(error), Err(reason)) => {
            assert_eq!(error.reason, reason);
            Err(())
        }
        (Ok(_), Err(reason)) => panic!("the model refuses with {reason}"),
        (Err(error), Ok(_)) => panic!("the center refuses: {error}"),
    }
}

async fn receive(center: &Center, model: &mut Model, pool: usize, quantity: i64) {
    let all: i64 = model.buckets[SERIAL].iter().sum();
    let names: Vec<String> = (all..all + quantity).map(|n| format!("{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let receipt =
        if pool == SERIAL { serial(POOLS[pool], &names) } else { counted(POOLS[pool], quantity) };
    center.receive(&[receipt]).await.expect("receive");
    model.buckets[pool][AVAILABLE] += quantity;
}

async fn perform(center: &Center, model: &mut Model, step: Step) {
    let pick = |which: usize, model: &Model| which.checked_rem(model.kept.len());
    match step {
        Step::Receive { pool, quantity } => receive(center, model, pool, quantity).await,
        Step::Adjust { delta: 0, .. } => {}
        Step::Adjust { pool, delta } => {
            let enough = model.buckets[pool][AVAILABLE] + delta >= 0;
            let expected = if enough { Ok(()) } else { Err("INSUFFICIENT_STOCK") };
            if same(center.adjust(POOLS[pool], delta).await, expected).is_ok() {
                model.buckets[pool][AVAILABLE] += delta;
            }
        }
        Step::Reserve { demands, ttl } => {
            let lines = (0..).zip(&demands);
            let wanted: Vec<_> =
                lines.map(|(n, (pool, q))| demand(&format!("{n}"), POOLS[*pool], *q)).collect();
            let expected =
                if model.may_reserve(&demands) { Ok(()) } else { Err("INSUFFICIENT_STOCK") };
            if let Ok((held, ())) = same(center.reserve(&wanted, seconds(ttl)).await, expected) {
                model.reserve(held.reservation_id, &demands, ttl);
            }
        }
        Step::Confirm { which } => {
            if let Some(n) = pick(which, model) {
                let _ = same(center.confirm(&model.kept[n].id).await, model.confirm(n));
            }
        }
        Step::Release { which } => {
            if let Some(n) = pick(which, model) {
                let _ = same(center.release(&model.kept[n].id).await, model.release(n));
            }
        }
        Step::Return { which, quantity, quarantine } => {
            if let Some(n) = pick(which, model) {
                let line = proto::ReturnLine {
                    reservation_id: model.kept[n].id.clone(),
                    line_key: "0".to_owned(),
                    pool_code: String::new(),
                    quantity,
                    disposition: if quarantine { Quarantine } else { Restock }.into(),
                };
                let to = if quarantine { QUARANTINED } else { AVAILABLE };
                let expected = model.give_back(n, quantity, to);
                if let Ok((real, expected)) = same(center.give_back(&[line]).await, expected) {
                    assert_eq!(real, expected);
                }
            }
        }
        Step::Wait { seconds: span } => {
            center.clock.advance(seconds(span));
            model.wait(span);
        }
    }
}

async fn replay(database: &TestDatabase, steps: Vec<Step>, sweeps: bool) {
    let config = if sweeps { with_sweeper() } else { without_sweeper() };
    let config = throughline_resource::Config { quarantine_seconds: 1_000_000, ..config };
    let center = Center::start(database, fixed_clock(), config).await;
    let mut model = Model::default();
    for pool in 0..POOLS.len() {
        receive(&center, &mut model, pool, 5).await;
    }
    for step in steps {
        let told = format!("{step:?}");
        perform(&center, &mut model, step).await;
        for (pool, expected) in POOLS.iter().zip(model.buckets) {
            assert_eq!(center.buckets(pool).await, expected, "pool {pool} after {told}");
        }
    }
    for pool in POOLS {
        center.verify(pool).await;
    }
    center.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_history_ends_as_in_the_model(
        steps in prop::collection::vec(step(), 1..40),
        sweeps in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("build a runtime");
        runtime.block_on(async {
            for database in each_database().await {
                replay(&database, steps.clone(), sweeps).await;
            }
        });
    }
}
