//! Outside systems that misbehave: whatever they do, each thing happens once and the order comes to the right end.

use std::time::Duration;

use throughline_proto::order::v1::{CustomerOrder, FailurePolicy, OrderState, SubmitOrderRequest};
use throughline_proto::simulator::v1::{Misbehavior, Rule};
use throughline_tests::actions::{always, cny, refused};
use throughline_tests::desk::{Desk, span};
use throughline_tests::shopping::order;
use throughline_tests::traces::{moved, times_done};
use throughline_tests::world::{World, impatient};
use tokio::task::JoinSet;

/// How late a late answer is.
const LATE: Duration = Duration::from_millis(300);

/// How a call can go, and how often it misbehaves so.
const WAYS: [(Misbehavior, i32); 7] = [
    (Misbehavior::Delay, 1),
    (Misbehavior::Refuse, 1),
    (Misbehavior::Down, 3),
    (Misbehavior::TimeoutBefore, 1),
    (Misbehavior::TimeoutAfter, 1),
    (Misbehavior::AnswerTwice, 1),
    (Misbehavior::AnswerLate, 1),
];

/// A customer who meets one misbehavior of one method.
struct Case {
    method: &'static str,
    misbehavior: Misbehavior,
    times: i32,
}

impl Case {
    fn customer(&self) -> String {
        format!("{}-{}", self.method, self.misbehavior.as_str_name())
    }

    fn rule(&self) -> Rule {
        Rule {
            customer_id: self.customer(),
            delay: span(LATE),
            times: self.times,
            reason: "NOT_POSSIBLE".to_owned(),
            ..always(self.method, self.misbehavior)
        }
    }
}

/// All cases at once: their rules are told apart by the customer.
async fn play(
    desk: &Desk,
    methods: &[&'static str],
    request: impl Fn(&str) -> SubmitOrderRequest,
    ways: &[(Misbehavior, i32)],
) -> Vec<(Case, CustomerOrder)> {
    let mut playing = JoinSet::new();
    for &method in methods {
        for &(misbehavior, times) in ways {
            let case = Case { method, misbehavior, times };
            desk.misbehave(case.rule()).await;
            let (desk, request) = (desk.clone(), request(&case.customer()));
            playing.spawn(async move { (case, desk.carry_out(request).await) });
        }
    }
    playing.join_all().await
}

fn reason(order: &CustomerOrder) -> &str {
    order.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn a_service_is_switched_on_once_and_an_account_opened_once() {
    let world = World::start_with(impatient).await;
    let desk = &world.desk;
    let plan = |customer: &str| order(customer, &[("plan", "plan-4g-59", 1)]);
    let methods = ["ActivateService", "OpenAccount"];
    for (case, ended) in play(desk, &methods, plan, &WAYS).await {
        let name = case.customer();
        let effects = desk.effects_of(&ended.order_id).await;
        assert_eq!(times_done(&effects, "Charge"), 1, "{name}");
        let standing =
            |begin, end| times_done(&effects, begin).checked_sub(times_done(&effects, end));
        let services = standing("ActivateService", "DeactivateService");
        let accounts = standing("OpenAccount", "CloseAccount");
        if case.misbehavior == Misbehavior::Refuse {
            assert_eq!((ended.state(), reason(&ended)), (OrderState::Failed, "NOT_POSSIBLE"));
            assert_eq!((services, accounts), (Some(0), Some(0)), "{name}");
            assert_eq!(moved(&effects, "Refund"), 1_000, "{name}");
        } else {
            assert_eq!(ended.state(), OrderState::Completed, "{name}: {:?}", ended.failure);
            for method in methods {
                assert_eq!(times_done(&effects, method), 1, "{name}: {method}");
            }
            assert_eq!((services, accounts), (Some(1), Some(1)), "{name}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn goods_are_sent_once_and_money_is_taken_once() {
    let world = World::start_with(impatient).await;
    let desk = &world.desk;
    let goods = |customer: &str| order(customer, &[("ears", "earphones", 1)]);
    for (case, ended) in play(desk, &["CreateShipment", "Charge"], goods, &WAYS).await {
        let name = case.customer();
        let effects = desk.effects_of(&ended.order_id).await;
        let net = moved(&effects, "Charge") - moved(&effects, "Refund");
        assert_eq!(ended.paid, Some(cny(net)), "{name}");
        if case.misbehavior == Misbehavior::Refuse {
            let end = match case.method {
                "Charge" => OrderState::Rejected,
                _ => OrderState::Failed,
            };
            assert_eq!((ended.state(), reason(&ended)), (end, "NOT_POSSIBLE"), "{name}");
            assert_eq!((net, times_done(&effects, "CreateShipment")), (0, 0), "{name}");
        } else {
            assert_eq!(ended.state(), OrderState::Completed, "{name}: {:?}", ended.failure);
            assert_eq!(times_done(&effects, "Charge"), 1, "{name}");
            assert_eq!(times_done(&effects, "CreateShipment"), 1, "{name}");
            assert_eq!(net, 9_950, "{name}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_undone_is_undone_once_however_the_undoing_goes() {
    let world = World::start_with(impatient).await;
    let desk = &world.desk;
    // The data pack comes after the plan, and fails: the plan is delivered by then and has to be undone.
    desk.misbehave(refused("ActivateService", "data-pack-10g", "NO_QUOTA")).await;
    let whole = |customer: &str| SubmitOrderRequest {
        failure_policy: FailurePolicy::Whole.into(),
        ..order(customer, &[("plan", "plan-4g-59", 1), ("pack", "data-pack-10g", 1)])
    };
    let ways: Vec<(Misbehavior, i32)> =
        WAYS.into_iter().filter(|(way, _)| *way != Misbehavior::Refuse).collect();
    let methods = ["DeactivateService", "CloseAccount", "Refund"];
    for (case, ended) in play(desk, &methods, whole, &ways).await {
        let name = case.customer();
        assert_eq!((ended.state(), reason(&ended)), (OrderState::Cancelled, "NO_QUOTA"), "{name}");
        assert!(!ended.attention, "{name}");
        let effects = desk.effects_of(&ended.order_id).await;
        for method in ["ActivateService", "OpenAccount", "DeactivateService", "CloseAccount"] {
            assert_eq!(times_done(&effects, method), 1, "{name}: {method}");
        }
        let money = (moved(&effects, "Charge"), moved(&effects, "Refund"));
        assert_eq!(money, (4_000, 4_000), "{name}");
        assert_eq!(times_done(&effects, "Refund"), 2, "{name}: one for each business order");
        assert_eq!(ended.paid, Some(cny(0)), "{name}");
    }
    world.end().await;
}
