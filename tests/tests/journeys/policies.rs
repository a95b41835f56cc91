//! The converged order with each policy and each decision, for each step of each business that can fail: what is delivered,
//! what is undone, what is paid, what is left in stock and at the outside systems.

use std::collections::BTreeMap;

use throughline_proto::order::v1::{
    BusinessOrderState as State, CustomerOrder, FailurePolicy, OrderState, StepState,
    SubmitOrderRequest,
};
use throughline_proto::simulator::v1::{Effect, Rule};
use throughline_tests::actions::{cny, refused};
use throughline_tests::desk::Desk;
use throughline_tests::operations::part;
use throughline_tests::shopping::order;
use throughline_tests::traces::{moved, times_done};
use throughline_tests::world::World;
use tokio::task::JoinSet;

const REASON: &str = "NOT_POSSIBLE";
const TOTAL: i64 = 14_000;

/// A line of the order: its key, its offering, its share of the charge, the pools that it takes from.
struct Line {
    key: &'static str,
    offering: &'static str,
    charge: i64,
    pools: &'static [&'static str],
}

/// The fixed line needs the broadband.
const LINES: [Line; 4] = [
    Line { key: "plan-1", offering: "plan-4g-59", charge: 1_000, pools: &["msisdn", "sim"] },
    Line { key: "plan-2", offering: "plan-4g-129", charge: 1_000, pools: &["msisdn", "sim"] },
    Line { key: "broadband", offering: "broadband-100m", charge: 10_000, pools: &["modem"] },
    Line { key: "phone", offering: "ip-phone", charge: 2_000, pools: &["landline"] },
];

/// More than the sample has: each case takes one of each.
const MORE_STOCK: &str = "
stock:
  receipts:
    - poolCode: landline
      kind: POOL_KIND_SERIAL
      itemIds: [L-01, L-02, L-03, L-04, L-05, L-06, L-07, L-08, L-09, L-10, L-11, L-12, L-13, L-14, L-15, L-16]
";

/// What an order says happens, and what a person then says where one is asked.
const WAYS: [(FailurePolicy, Option<&str>); 10] = [
    (FailurePolicy::Branch, None),
    (FailurePolicy::Whole, None),
    (FailurePolicy::Forward, Some("RETRY")),
    (FailurePolicy::Forward, Some("SKIP")),
    (FailurePolicy::Forward, Some("BRANCH")),
    (FailurePolicy::Forward, Some("WHOLE")),
    (FailurePolicy::Ask, Some("RETRY")),
    (FailurePolicy::Ask, Some("SKIP")),
    (FailurePolicy::Ask, Some("BRANCH")),
    (FailurePolicy::Ask, Some("WHOLE")),
];

/// Methods that can fail: what switches a service on or installs a line, and what opens the account.
const METHODS: [&str; 2] = ["ActivateService", "OpenAccount"];

struct Case {
    policy: FailurePolicy,
    decision: Option<&'static str>,
    line: &'static Line,
    method: &'static str,
}

impl Case {
    fn all() -> Vec<Self> {
        let failing = || LINES.iter().flat_map(|line| METHODS.map(|method| (line, method)));
        let cases = WAYS.into_iter().flat_map(|(policy, decision)| {
            failing().map(move |(line, method)| Self { policy, decision, line, method })
        });
        cases.collect()
    }

    fn name(&self) -> String {
        let decision = self.decision.unwrap_or("nobody");
        format!("{}-{decision}-{}-{}", self.policy.as_str_name(), self.line.key, self.method)
    }

    fn request(&self) -> SubmitOrderRequest {
        let lines = LINES.each_ref().map(|line| (line.key, line.offering, 1));
        SubmitOrderRequest { failure_policy: self.policy.into(), ..order(&self.name(), &lines) }
    }

    /// Once: who tries again succeeds.
    fn rule(&self) -> Rule {
        let refused = refused(self.method, self.line.offering, REASON);
        Rule { customer_id: self.name(), times: 1, ..refused }
    }

    /// What happens to the rest in the end: nothing, or that of a policy.
    fn withdraws(&self) -> Option<FailurePolicy> {
        match self.decision {
            None => Some(self.policy),
            Some("BRANCH") => Some(FailurePolicy::Branch),
            Some("WHOLE") => Some(FailurePolicy::Whole),
            Some(_) => None,
        }
    }

    fn keeps(&self, line: &Line) -> bool {
        match self.withdraws() {
            None => true,
            Some(FailurePolicy::Whole) => false,
            Some(_) => {
                let takes_along = self.line.key == "broadband" && line.key == "phone";
                line.key != self.line.key && !takes_along
            }
        }
    }

    /// How the business order of a line may end.
    fn ends(&self, line: &Line) -> &'static [State] {
        let depends = self.line.key == "broadband" && line.key == "phone";
        match (self.keeps(line), line.key == self.line.key, depends) {
            (true, _, _) => &[State::Done],
            (false, true, _) => &[State::Compensated],
            (false, false, true) => &[State::Cancelled],
            // With WHOLE it depends on the moment how far the others are.
            (false, false, false) => &[State::Cancelled, State::Compensated],
        }
    }

    fn state(&self) -> OrderState {
        match self.withdraws() {
            None => OrderState::Completed,
            Some(FailurePolicy::Whole) => OrderState::Cancelled,
            Some(_) => OrderState::Partial,
        }
    }

    /// Services or accounts that stand at the end: a step that was skipped left none.
    fn standing(&self, method: &str) -> usize {
        let kept = LINES.iter().filter(|line| self.keeps(line)).count();
        kept - usize::from(self.decision == Some("SKIP") && method == self.method)
    }

    /// Carries the order out; where a person is asked, nothing that depends on the failed one has begun by then.
    async fn carry_out(&self, desk: &Desk) -> CustomerOrder {
        let order_id = desk.submit(self.request()).await;
        if let Some(decision) = self.decision {
            let asked = |order: &CustomerOrder| {
                part(order, self.line.key).is_some_and(|part| part.state() == State::Exception)
            };
            let asking = desk.until(&order_id, "its exception", asked).await;
            assert!(asking.attention, "{}", self.name());
            if self.line.key == "broadband" {
                let phone = part(&asking, "phone").expect("a fixed line");
                assert_eq!(phone.state(), State::Blocked, "{}", self.name());
            }
            let failed = part(&asking, self.line.key).expect("the failed one");
            let step = failed.steps.iter().find(|step| step.state() == StepState::Failed);
            let task_id = step.expect("a failed step").task_id.clone();
            desk.complete(&task_id, &[("decision", decision)]).await.expect("decided");
        }
        desk.end_of(&order_id).await
    }

    fn check(&self, ended: &CustomerOrder, all_effects: &[Effect]) {
        let name = self.name();
        assert_eq!(ended.state(), self.state(), "{name}");
        for line in &LINES {
            let state = part(ended, line.key).expect("a part").state();
            assert!(self.ends(line).contains(&state), "{name}: {} is {state:?}", line.key);
        }
        if self.withdraws().is_some() {
            let reason = ended.failure.as_ref().map(|failure| failure.reason.as_str());
            assert_eq!(reason, Some(REASON), "{name}");
        }
        assert!(!ended.attention, "{name}");
        let kept: i64 = LINES.iter().filter(|line| self.keeps(line)).map(|line| line.charge).sum();
        assert_eq!(ended.paid, Some(cny(kept)), "{name}");
        let theirs = all_effects.iter().filter(|effect| effect.order_id == ended.order_id);
        let effects: Vec<Effect> = theirs.cloned().collect();
        assert_eq!((times_done(&effects, "Charge"), moved(&effects, "Charge")), (1, TOTAL));
        assert_eq!(moved(&effects, "Refund"), TOTAL - kept, "{name}");
        for (begin, end) in
            [("ActivateService", "DeactivateService"), ("OpenAccount", "CloseAccount")]
        {
            let net = times_done(&effects, begin).checked_sub(times_done(&effects, end));
            assert_eq!(net, Some(self.standing(begin)), "{name}: {begin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_policy_and_decision_meets_each_failing_step_of_each_business() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.seed(MORE_STOCK).await;
    let mut pools: BTreeMap<&str, i64> = BTreeMap::new();
    for pool in LINES.iter().flat_map(|line| line.pools) {
        pools.insert(pool, desk.units(pool).await.available);
    }
    let mut playing = JoinSet::new();
    for case in Case::all() {
        desk.misbehave(case.rule()).await;
        let desk = desk.clone();
        playing.spawn(async move {
            let ended = case.carry_out(&desk).await;
            (case, ended)
        });
    }
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    let played = playing.join_all().await;
    let effects = desk.effects("").await;
    for (case, ended) in played {
        case.check(&ended, &effects);
        for pool in LINES.iter().filter(|line| case.keeps(line)).flat_map(|line| line.pools) {
            *sold.entry(pool).or_default() += 1;
        }
    }
    for (pool, total) in pools {
        let units = desk.units(pool).await;
        let used = sold.get(pool).copied().unwrap_or_default();
        assert_eq!((units.held, units.used), (0, used), "{pool}");
        assert_eq!(units.available + units.quarantined, total - used, "{pool}");
    }
    assert_eq!(desk.tasks("").await, [], "nobody is asked any more");
    world.end().await;
}
