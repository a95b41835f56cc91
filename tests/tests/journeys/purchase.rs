//! A customer buys something that is there, or something that is not.

use throughline_proto::order::v1::{BusinessOrderState, OrderState};
use throughline_proto::payment::v1::PaymentOrderState;
use throughline_tests::actions::cny;
use throughline_tests::shopping::order;
use throughline_tests::traces::{Units, moved, times_done, untouched};
use throughline_tests::world::World;

#[tokio::test]
async fn a_purchase_takes_the_money_once_ships_once_and_uses_the_stock() {
    let world = World::start().await;
    let desk = &world.desk;
    let lines = [("phone", "handset-a1", 1), ("ears", "earphones", 2)];
    let bought = desk.carry_out(order("buyer", &lines)).await;
    assert_eq!(bought.state(), OrderState::Completed);
    assert_eq!(bought.total, Some(cny(149_800)));
    assert_eq!(bought.paid, Some(cny(149_800)));
    assert_eq!(bought.failure, None);
    assert!(!bought.attention);
    let effects = desk.effects_of(&bought.order_id).await;
    assert_eq!((times_done(&effects, "Charge"), moved(&effects, "Charge")), (1, 149_800));
    assert_eq!(times_done(&effects, "CreateShipment"), 1, "one parcel for all goods");
    let owed = desk.payment_orders(&bought.order_id).await;
    assert_eq!(owed.len(), 1);
    assert_eq!(owed[0].state(), PaymentOrderState::Paid);
    assert_eq!(owed[0].payment_order_id, bought.payment_order_id);
    let phones = Units { used: 1, ..untouched(49) };
    assert_eq!(desk.units("handset-a1").await, phones);
    let earphones = Units { used: 2, ..untouched(198) };
    assert_eq!(desk.units("earphones").await, earphones);
    world.end().await;
}

#[tokio::test]
async fn a_mobile_plan_comes_with_a_number_a_service_and_an_account() {
    let world = World::start().await;
    let desk = &world.desk;
    let sold = desk.carry_out(order("caller", &[("plan", "plan-4g-59", 1)])).await;
    assert_eq!(sold.state(), OrderState::Completed);
    let plan = &sold.items[0];
    assert_eq!(plan.charge, Some(cny(1_000)));
    assert_eq!(plan.recurring_charge, Some(cny(5_900)));
    let [number] = plan.assigned_items.as_slice() else {
        panic!("one number, the SIM cards have none: {:?}", plan.assigned_items);
    };
    assert!(number.starts_with("138000001") && number.len() == 11, "{number}");
    let business_order = &sold.business_orders[0];
    assert_eq!(plan.business_order_id, business_order.business_order_id);
    assert_eq!(business_order.state(), BusinessOrderState::Done);
    let effects = desk.effects_of(&sold.order_id).await;
    for method in ["Charge", "ActivateService", "OpenAccount"] {
        assert_eq!(times_done(&effects, method), 1, "{method}");
    }
    assert_eq!(desk.units("sim").await, Units { used: 1, ..untouched(999) });
    assert_eq!(desk.units("msisdn").await, Units { used: 1, ..untouched(199) });
    world.end().await;
}

#[tokio::test]
async fn the_same_submission_again_is_the_same_order() {
    let world = World::start().await;
    let desk = &world.desk;
    let request = order("twice", &[("ears", "earphones", 1)]);
    let first = desk.submit(request.clone()).await;
    assert_eq!(desk.submit(request.clone()).await, first);
    assert_eq!(desk.end_of(&first).await.state(), OrderState::Completed);
    assert_eq!(desk.submit(request).await, first, "after its end as well");
    assert_eq!(desk.orders().await.len(), 1);
    assert_eq!(desk.units("earphones").await, Units { used: 1, ..untouched(199) });
    world.end().await;
}

#[tokio::test]
async fn what_is_out_of_stock_is_refused_and_nothing_is_held_or_charged() {
    let world = World::start().await;
    let desk = &world.desk;
    let lines = [("ears", "earphones", 1), ("phone", "handset-a1", 51)];
    let refused = desk.carry_out(order("greedy", &lines)).await;
    assert_eq!(refused.state(), OrderState::Rejected);
    let failure = refused.failure.expect("a reason");
    assert_eq!(
        (failure.reason.as_str(), failure.domain.as_str()),
        ("INSUFFICIENT_STOCK", "resource")
    );
    assert!(failure.message.contains("handset-a1"), "{}", failure.message);
    assert_eq!(desk.units("handset-a1").await, untouched(50));
    assert_eq!(desk.units("earphones").await, untouched(200), "what was there is not held");
    assert_eq!(desk.payment_orders(&refused.order_id).await, []);
    let effects = desk.effects_of(&refused.order_id).await;
    assert!(effects.iter().all(|effect| effect.system == "sms"), "{effects:#?}");
    world.end().await;
}
