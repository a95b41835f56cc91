//! The converged order: two mobile plans, a broadband line, and a fixed line that needs the broadband, in one submission.

use throughline_proto::order::v1::{BusinessOrderState as State, CustomerOrder};
use throughline_proto::order::v1::{FailurePolicy, OrderState};
use throughline_proto::simulator::v1::Effect;
use throughline_tests::actions::{cny, refused};
use throughline_tests::desk::Desk;
use throughline_tests::shopping::{converged, order};
use throughline_tests::traces::{Units, moved, times_done, untouched};
use throughline_tests::world::World;

const REASON: &str = "NO_LINE_AT_ADDRESS";
/// 10 and 10 for the plans, 100 for the installation, 20 for the fixed line.
const TOTAL: i64 = 14_000;

/// How each business ends, and what the order keeps of the money.
struct End {
    order: OrderState,
    plans: State,
    broadband: State,
    phone: State,
    kept: i64,
    told: &'static str,
}

fn part<'o>(
    order: &'o CustomerOrder,
    item_key: &str,
) -> &'o throughline_proto::order::v1::BusinessOrder {
    let delivers = |keys: &[String]| keys.iter().any(|key| key == item_key);
    order.business_orders.iter().find(|bo| delivers(&bo.item_keys)).expect("it is delivered by one")
}

/// What stands at the outside systems: services and accounts that were begun and not ended.
fn standing(effects: &[Effect]) -> (usize, usize) {
    let net = |begin: &str, end: &str| times_done(effects, begin) - times_done(effects, end);
    (net("ActivateService", "DeactivateService"), net("OpenAccount", "CloseAccount"))
}

async fn carry_out(desk: &Desk, policy: FailurePolicy, end: &End) -> CustomerOrder {
    let ended = desk.carry_out(converged("family", policy)).await;
    assert_eq!(ended.state(), end.order);
    let parts = ["plan-1", "plan-2", "broadband", "phone"].map(|key| part(&ended, key).state());
    assert_eq!(parts, [end.plans, end.plans, end.broadband, end.phone]);
    assert_eq!((ended.total.clone(), ended.paid.clone()), (Some(cny(TOTAL)), Some(cny(end.kept))));
    assert!(!ended.attention);

    let effects = desk.effects_of(&ended.order_id).await;
    assert_eq!((times_done(&effects, "Charge"), moved(&effects, "Charge")), (1, TOTAL));
    assert_eq!(moved(&effects, "Refund"), TOTAL - end.kept);
    let refunds = desk.refunds(&ended.order_id).await;
    let given_back: i64 =
        refunds.iter().filter_map(|r| r.amount.as_ref()).map(|a| a.minor_units).sum();
    assert_eq!(given_back, TOTAL - end.kept);
    let delivered = parts.iter().filter(|state| **state == State::Done).count();
    assert_eq!(standing(&effects), (delivered, delivered));

    let told = desk.told(&ended.order_id, end.told).await;
    assert_eq!(told.len(), 2, "once that it was received, once how it ended: {told:#?}");
    let messages = times_done(&desk.effects_of(&ended.order_id).await, "SendSms");
    assert_eq!(messages, 2);
    ended
}

#[tokio::test]
async fn when_all_succeeds_all_four_are_delivered_and_paid() {
    let world = World::start().await;
    let desk = &world.desk;
    let end = End {
        order: OrderState::Completed,
        plans: State::Done,
        broadband: State::Done,
        phone: State::Done,
        kept: TOTAL,
        told: "order.completed",
    };
    let done = carry_out(desk, FailurePolicy::Branch, &end).await;
    let mut assigned: Vec<_> = done.items.iter().flat_map(|item| &item.assigned_items).collect();
    assert_eq!(assigned.len(), 4, "two numbers, a modem and a fixed number: {assigned:?}");
    assigned.sort();
    assigned.dedup();
    assert_eq!(assigned.len(), 4, "each of them once");
    for (pool, sold, left) in
        [("msisdn", 2, 198), ("sim", 2, 998), ("modem", 1, 159), ("landline", 1, 79)]
    {
        assert_eq!(desk.units(pool).await, Units { used: sold, ..untouched(left) }, "{pool}");
    }
    world.end().await;
}

#[tokio::test]
async fn with_branch_a_broadband_that_fails_takes_the_fixed_line_along_and_the_plans_stay() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.misbehave(refused("ActivateService", "broadband-100m", REASON)).await;
    let end = End {
        order: OrderState::Partial,
        plans: State::Done,
        broadband: State::Compensated,
        phone: State::Cancelled,
        kept: 2_000,
        told: "order.partial",
    };
    let partial = carry_out(desk, FailurePolicy::Branch, &end).await;
    let why = |failure: Option<&throughline_proto::order::v1::Failure>| {
        failure.map(|f| (f.reason.clone(), f.domain.clone()))
    };
    let refused = Some((REASON.to_owned(), "provisioning".to_owned()));
    assert_eq!(why(part(&partial, "broadband").failure.as_ref()), refused);
    assert_eq!(why(partial.failure.as_ref()), refused);
    let fixed_line = part(&partial, "phone");
    assert!(fixed_line.steps.iter().all(|step| step.attempts == 0), "it never ran");
    for (pool, units) in [
        ("msisdn", Units { used: 2, ..untouched(198) }),
        ("sim", Units { used: 2, ..untouched(998) }),
        ("modem", untouched(160)),
        ("landline", untouched(80)),
    ] {
        assert_eq!(desk.units(pool).await, units, "{pool}");
    }
    let told = desk.told(&partial.order_id, "order.partial").await;
    assert!(told[1].contains("You pay 20.00 CNY for what was delivered"), "{told:#?}");
    world.end().await;
}

#[tokio::test]
async fn with_whole_a_broadband_that_fails_undoes_everything_and_all_money_goes_back() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.misbehave(refused("ActivateService", "broadband-100m", REASON)).await;
    let end = End {
        order: OrderState::Cancelled,
        plans: State::Compensated,
        broadband: State::Compensated,
        phone: State::Cancelled,
        kept: 0,
        told: "order.cancelled",
    };
    let cancelled = carry_out(desk, FailurePolicy::Whole, &end).await;
    assert_eq!(cancelled.failure.expect("a reason").reason, REASON);
    for (pool, total) in [("msisdn", 200), ("sim", 1_000), ("modem", 160), ("landline", 80)] {
        let units = desk.units(pool).await;
        assert_eq!((units.held, units.used), (0, 0), "{pool}");
        assert_eq!(units.available + units.quarantined, total, "{pool}");
    }
    assert_eq!(desk.units("modem").await, untouched(160), "the modem was never switched on");
    world.end().await;
}

#[tokio::test]
async fn a_fixed_line_without_its_broadband_is_refused_by_the_check() {
    let world = World::start().await;
    let desk = &world.desk;
    let lines = [("plan", "plan-4g-59", 1), ("phone", "ip-phone", 1)];
    let rejected = desk.carry_out(order("alone", &lines)).await;
    assert_eq!(rejected.state(), OrderState::Rejected);
    let failure = rejected.failure.expect("a reason");
    assert_eq!((failure.reason.as_str(), failure.domain.as_str()), ("REQUIRES_MISSING", "product"));
    assert!(failure.message.contains("add broadband-100m"), "{}", failure.message);
    assert_eq!(rejected.reservation_id, "", "nothing was reserved");
    assert_eq!(desk.payment_orders(&rejected.order_id).await, []);
    assert_eq!(desk.units("msisdn").await, untouched(200));
    world.end().await;
}
