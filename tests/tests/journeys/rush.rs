//! Many want the same at once: just what is there is sold, and each number to one of them.

use std::collections::BTreeSet;

use throughline_proto::order::v1::{CustomerOrder, OrderState};
use throughline_tests::desk::Desk;
use throughline_tests::shopping::order;
use throughline_tests::traces::Units;
use throughline_tests::world::World;
use tokio::task::JoinSet;

const GOLDEN_NUMBERS: &str = "
catalog:
  offerings:
    - code: golden-number
      state: OFFERING_STATE_ACTIVE
      names: { en: Golden number }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 888000000 } }
      resources:
        - { poolCode: golden, quantity: 2 }
      addTemplate: telecom-plan
stock:
  receipts:
    - poolCode: golden
      kind: POOL_KIND_SERIAL
      name: Golden numbers
      itemIds: [g-01, g-02, g-03, g-04, g-05, g-06, g-07, g-08, g-09, g-10, g-11]
";

/// So many customers order the same at the same time; how each order ended.
async fn rush(desk: &Desk, customers: usize, offering: &'static str) -> Vec<CustomerOrder> {
    let mut all = JoinSet::new();
    for number in 0..customers {
        let desk = desk.clone();
        all.spawn(async move {
            let request = order(&format!("customer-{number}"), &[("line", offering, 1)]);
            desk.carry_out(request).await
        });
    }
    all.join_all().await
}

fn ended(orders: &[CustomerOrder], state: OrderState) -> usize {
    orders.iter().filter(|order| order.state() == state).count()
}

#[tokio::test]
async fn each_number_is_given_to_one_of_many_who_want_one() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.seed(GOLDEN_NUMBERS).await;
    let orders = rush(desk, 24, "golden-number").await;
    // Two for each customer, eleven in all: five can be served.
    assert_eq!(ended(&orders, OrderState::Completed), 5);
    assert_eq!(ended(&orders, OrderState::Rejected), 19);
    let given: Vec<&String> = orders
        .iter()
        .flat_map(|order| &order.items)
        .flat_map(|item| &item.assigned_items)
        .collect();
    assert_eq!(given.len(), 10);
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 10, "{given:?}");
    let units = Units { available: 1, held: 0, used: 10, quarantined: 0 };
    assert_eq!(desk.units("golden").await, units);
    world.end().await;
}

#[tokio::test]
async fn a_flash_of_two_hundred_orders_sells_exactly_the_fifty_that_are_there() {
    let world = World::start().await;
    let desk = &world.desk;
    let orders = rush(desk, 200, "handset-a1").await;
    assert_eq!(ended(&orders, OrderState::Completed), 50);
    assert_eq!(ended(&orders, OrderState::Rejected), 150);
    for order in orders.iter().filter(|order| order.state() == OrderState::Rejected) {
        let reason = order.failure.as_ref().map(|failure| failure.reason.as_str());
        assert_eq!(reason, Some("INSUFFICIENT_STOCK"));
        assert_eq!(order.payment_order_id, "", "nobody pays for what is not there");
    }
    let sold_out = Units { available: 0, held: 0, used: 50, quarantined: 0 };
    assert_eq!(desk.units("handset-a1").await, sold_out);
    assert_eq!(desk.payment_orders("").await.len(), 50);
    world.end().await;
}
