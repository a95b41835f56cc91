//! Points of no return: what is beyond one is not undone. It goes forward, or another business order takes it back.

use throughline_proto::order::v1::{
    BusinessOrderState as State, CustomerOrder, FailurePolicy, OrderState, SubmitOrderRequest,
};
use throughline_proto::simulator::v1::Rule;
use throughline_tests::actions::{cny, refused};
use throughline_tests::desk::Desk;
use throughline_tests::flows::{FIBRE_LINE, FIBRE_OFFERINGS, FIBRE_REMOVAL, fibre_for_good};
use throughline_tests::operations::{part, step_of};
use throughline_tests::shopping::order;
use throughline_tests::traces::{moved, times_done};
use throughline_tests::world::World;

const REASON: &str = "NOT_POSSIBLE";

/// Sells fibre lines.
async fn sell_fibre(desk: &Desk) {
    for template in [FIBRE_REMOVAL, FIBRE_LINE, &fibre_for_good()] {
        assert_eq!(desk.publish(template).await, 1);
    }
    desk.seed(FIBRE_OFFERINGS).await;
}

/// A line and the pack that comes after it: 230 CNY.
fn with_pack(customer: &str, fibre: &str, policy: FailurePolicy) -> SubmitOrderRequest {
    let lines = [("line", fibre, 1), ("pack", "late-pack", 1)];
    SubmitOrderRequest { failure_policy: policy.into(), ..order(customer, &lines) }
}

fn state_of(order: &CustomerOrder, line: &str) -> State {
    part(order, line).expect("a part").state()
}

/// Services and accounts that stand at the outside systems.
async fn standing(desk: &Desk, order_id: &str) -> (usize, usize) {
    let effects = desk.effects_of(order_id).await;
    let net = |begin: &str, end: &str| times_done(&effects, begin) - times_done(&effects, end);
    (net("ActivateService", "DeactivateService"), net("OpenAccount", "CloseAccount"))
}

#[tokio::test]
async fn after_the_point_of_no_return_a_person_makes_it_go_forward_whatever_the_policy() {
    let world = World::start().await;
    let desk = &world.desk;
    sell_fibre(desk).await;
    for policy in
        [FailurePolicy::Branch, FailurePolicy::Whole, FailurePolicy::Forward, FailurePolicy::Ask]
    {
        for (is_retried, parcels) in [(true, 1), (false, 0)] {
            let customer = format!("{}-{parcels}", policy.as_str_name());
            let refused = refused("CreateShipment", "", REASON);
            desk.misbehave(Rule { customer_id: customer.clone(), times: 1, ..refused }).await;
            let request = SubmitOrderRequest {
                failure_policy: policy.into(),
                ..order(&customer, &[("line", "fibre", 1)])
            };
            let order_id = desk.submit(request).await;
            let asking = desk.until(&order_id, "attention", |order| order.attention).await;
            let line = part(&asking, "line").expect("a line");
            assert_eq!(line.state(), State::Running, "{customer}: nothing is undone");
            let target = step_of(&asking, "line", "set-top-box");
            let plan = desk.preview_cancel(&order_id).await.expect("a preview");
            assert_eq!((plan.undo.len(), plan.reverse.len()), (0, 1), "{customer}");
            let answer = match is_retried {
                true => desk.retry(&order_id, target).await,
                false => desk.skip(&order_id, target).await,
            };
            answer.expect("it goes on");
            let ended = desk.end_of(&order_id).await;
            assert_eq!(ended.state(), OrderState::Completed, "{customer}");
            assert_eq!(ended.paid, Some(cny(20_000)), "{customer}");
            assert_eq!(standing(desk, &order_id).await, (1, 1), "{customer}");
            let effects = desk.effects_of(&order_id).await;
            assert_eq!(times_done(&effects, "CreateShipment"), parcels, "{customer}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn with_whole_what_is_beyond_its_point_of_no_return_is_taken_back_by_a_business_order() {
    let world = World::start().await;
    let desk = &world.desk;
    sell_fibre(desk).await;
    let modems = desk.units("modem").await.available;
    desk.misbehave(refused("ActivateService", "late-pack", REASON)).await;
    let ended = desk.carry_out(with_pack("whole", "fibre", FailurePolicy::Whole)).await;
    assert_eq!(ended.state(), OrderState::Cancelled);
    assert_eq!(
        (state_of(&ended, "line"), state_of(&ended, "pack")),
        (State::Done, State::Compensated)
    );
    let line = part(&ended, "line").expect("a line");
    let reversals: Vec<_> =
        ended.business_orders.iter().filter(|bo| !bo.reverses.is_empty()).collect();
    assert_eq!(reversals.len(), 1, "{ended:#?}");
    assert_eq!(reversals[0].reverses, line.business_order_id);
    assert_eq!(
        (reversals[0].template.as_str(), reversals[0].state()),
        ("fibre-removal", State::Done)
    );
    assert_eq!(standing(desk, &ended.order_id).await, (0, 0));
    let effects = desk.effects_of(&ended.order_id).await;
    assert_eq!((moved(&effects, "Charge"), moved(&effects, "Refund")), (23_000, 23_000));
    assert_eq!(ended.paid, Some(cny(0)));
    let units = desk.units("modem").await;
    assert_eq!((units.held, units.used), (0, 0));
    assert_eq!((units.available, units.quarantined), (modems - 1, 1), "it was in use, and rests");
    world.end().await;
}

#[tokio::test]
async fn with_branch_a_line_that_is_done_stays_though_what_came_after_it_failed() {
    let world = World::start().await;
    let desk = &world.desk;
    sell_fibre(desk).await;
    desk.misbehave(refused("ActivateService", "late-pack", REASON)).await;
    let ended = desk.carry_out(with_pack("branch", "fibre", FailurePolicy::Branch)).await;
    assert_eq!((ended.state(), ended.paid.clone()), (OrderState::Partial, Some(cny(20_000))));
    assert!(ended.business_orders.iter().all(|bo| bo.reverses.is_empty()));
    assert_eq!(standing(desk, &ended.order_id).await, (1, 1));
    world.end().await;
}

#[tokio::test]
async fn what_nothing_takes_back_stays_and_is_paid_for_even_with_whole() {
    let world = World::start().await;
    let desk = &world.desk;
    sell_fibre(desk).await;
    desk.misbehave(refused("ActivateService", "late-pack", REASON)).await;
    let ended = desk.carry_out(with_pack("stays", "fibre-for-good", FailurePolicy::Whole)).await;
    assert_eq!((ended.state(), ended.paid.clone()), (OrderState::Partial, Some(cny(20_000))));
    assert_eq!(
        (state_of(&ended, "line"), state_of(&ended, "pack")),
        (State::Done, State::Compensated)
    );
    assert_eq!(standing(desk, &ended.order_id).await, (1, 1));
    assert_eq!(desk.units("modem").await.used, 1);
    world.end().await;
}

#[tokio::test]
async fn a_cancel_says_in_its_preview_what_it_takes_back_and_does_just_that() {
    let world = World::start().await;
    let desk = &world.desk;
    sell_fibre(desk).await;
    // The pack fails, and a person is asked: the line is done and nothing else goes on.
    desk.misbehave(refused("ActivateService", "late-pack", REASON)).await;
    let order_id = desk.submit(with_pack("regret", "fibre", FailurePolicy::Ask)).await;
    desk.task(&order_id, "activate").await;
    let asking = desk.order(&order_id).await;
    let line = part(&asking, "line").expect("a line").business_order_id.clone();
    let pack = part(&asking, "pack").expect("a pack").business_order_id.clone();
    let preview = desk.preview_cancel(&order_id).await.expect("a preview");
    assert_eq!((&preview.reverse, &preview.undo), (&vec![line], &vec![pack]));
    assert_eq!(preview.refund, Some(cny(23_000)));
    let answer = desk.cancel(&order_id, "the customer moved away").await.expect("cancelled");
    assert_eq!(answer.plan, Some(preview));
    let ended = desk.end_of(&order_id).await;
    assert_eq!((ended.state(), ended.paid.clone()), (OrderState::Cancelled, Some(cny(0))));
    assert_eq!(standing(desk, &order_id).await, (0, 0));
    world.end().await;
}
