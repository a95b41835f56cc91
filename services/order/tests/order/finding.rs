//! Finding orders by what they are and by what troubles them.

use throughline_kit::clock::Instant;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{BusinessOrderState, FailurePolicy, OrderState, StepState};

use crate::fixture::Center;
use crate::flows::{ACTIVATE, WAIT, business};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{from_channel, mugs, one_plan, operator, wrong_fields};

/// Ids of the orders that a filter finds.
async fn found(center: &Center, request: proto::ListOrdersRequest) -> Vec<String> {
    let answer = center.orders.clone().list_orders(operator(request)).await.expect("list");
    answer.into_inner().orders.into_iter().map(|order| order.order_id).collect()
}

fn by_template(name: &str) -> proto::ListOrdersRequest {
    proto::ListOrdersRequest { template: name.to_owned(), ..Default::default() }
}

fn by_step(id: &str) -> proto::ListOrdersRequest {
    proto::ListOrdersRequest { step_id: id.to_owned(), ..Default::default() }
}

fn by_exception(signature: &str) -> proto::ListOrdersRequest {
    proto::ListOrdersRequest { exception: signature.to_owned(), ..Default::default() }
}

fn by_attention() -> proto::ListOrdersRequest {
    proto::ListOrdersRequest { attention: true, ..Default::default() }
}

/// Groups of exceptions with how many orders each has.
async fn exceptions(center: &Center) -> Vec<(String, i64)> {
    let request = operator(proto::ListExceptionsRequest {});
    let answer = center.monitors().list_exceptions(request).await;
    let groups = answer.expect("exceptions").into_inner().groups;
    groups.into_iter().map(|group| (group.signature, group.order_count)).collect()
}

on_each_database!(
    orders_are_found_by_phone_number_and_times_and_all_of_them_together,
    async |mut center: Center| {
        let mut made: Vec<(String, String, Instant)> = Vec::new();
        let phones = ["+442079460000", "+442079460001", "+442079460000"];
        for (number, phone) in phones.into_iter().enumerate() {
            let mut request = mugs(1);
            request.customer.as_mut().expect("set").phone = phone.to_owned();
            request.channel_order_id = format!("number-{number}");
            let channel = if number == 2 { "web" } else { "hall" };
            let answer = center.orders.submit_order(from_channel(channel, request)).await;
            let id = answer.expect("accepted").into_inner().order_id;
            made.push((id, phone.to_owned(), center.clock.now()));
            center.advance(60);
        }
        for (id, ..) in &made {
            center.completes(id).await;
        }
        let all = proto::ListOrdersRequest::default;
        let time = |number: usize| Some(made[number].2.to_proto());
        let of_phone =
            |number: usize| proto::ListOrdersRequest { phone: made[number].1.clone(), ..all() };
        let of_number = |number: &str| proto::ListOrdersRequest {
            channel_order_id: number.to_owned(),
            ..all()
        };
        let rejected = OrderState::Rejected.into();
        let table: [(proto::ListOrdersRequest, &[usize]); 18] = [
            (of_phone(0), &[2, 0]),
            (of_phone(1), &[1]),
            (proto::ListOrdersRequest { phone: "+442079460009".to_owned(), ..all() }, &[]),
            (proto::ListOrdersRequest { channel: "web".to_owned(), ..of_phone(0) }, &[2]),
            (proto::ListOrdersRequest { state: rejected, ..of_phone(0) }, &[]),
            (
                proto::ListOrdersRequest { customer_id: "customer-1".to_owned(), ..of_phone(0) },
                &[2, 0],
            ),
            (proto::ListOrdersRequest { customer_id: "customer-2".to_owned(), ..of_phone(0) }, &[]),
            (of_number("number-1"), &[1]),
            (of_number("number-9"), &[]),
            (
                proto::ListOrdersRequest { phone: phones[0].to_owned(), ..of_number("number-1") },
                &[],
            ),
            (
                proto::ListOrdersRequest { phone: phones[1].to_owned(), ..of_number("number-1") },
                &[1],
            ),
            (
                proto::ListOrdersRequest {
                    template: "standard".to_owned(),
                    ..of_number("number-1")
                },
                &[1],
            ),
            (
                proto::ListOrdersRequest {
                    template: "audited".to_owned(),
                    ..of_number("number-1")
                },
                &[],
            ),
            (proto::ListOrdersRequest { channel: "web".to_owned(), ..of_number("number-1") }, &[]),
            (proto::ListOrdersRequest { create_time_from: time(1), ..all() }, &[2, 1]),
            (proto::ListOrdersRequest { create_time_before: time(1), ..all() }, &[0]),
            (
                proto::ListOrdersRequest {
                    create_time_from: time(0),
                    create_time_before: time(2),
                    ..of_phone(0)
                },
                &[0],
            ),
            (
                proto::ListOrdersRequest {
                    create_time_before: time(2),
                    phone: phones[0].to_owned(),
                    ..by_template("retail-goods")
                },
                &[0],
            ),
        ];
        for (request, expected) in table {
            let expected: Vec<_> = expected.iter().map(|index| made[*index].0.clone()).collect();
            assert_eq!(found(&center, request.clone()).await, expected, "{request:?}");
        }
        center
    }
);

on_each_database!(orders_are_found_by_the_templates_they_run_by, async |mut center: Center| {
    let plan = center.submit(one_plan()).await;
    center.completes(&plan).await;
    center.advance(1);
    let audited = proto::SubmitOrderRequest { template: "audited".to_owned(), ..mugs(1) };
    let goods = center.submit(audited).await;
    let order = center.becomes(&goods, OrderState::Pending).await;
    assert!(!order.business_orders.is_empty());
    let table = [
        ("standard", vec![&plan]),
        ("telecom-plan", vec![&plan]),
        ("audited", vec![&goods]),
        ("retail-goods", vec![&goods]),
        ("no-such", vec![]),
    ];
    for (name, expected) in table {
        let ids = found(&center, by_template(name)).await;
        assert_eq!(ids.iter().collect::<Vec<_>>(), expected, "{name}");
    }
    center
});

on_each_database!(
    orders_are_found_by_where_they_wait_as_soon_as_they_do,
    async |mut center: Center| {
        center.publish(&business("home-visit", &[WAIT, ACTIVATE])).await;
        let id = center.submit(one_visit()).await;
        center.stands(&id, "visit", "visited", StepState::Waiting).await;
        assert_eq!(found(&center, by_step("visited")).await, [id.as_str()]);
        assert!(found(&center, by_step("activate")).await.is_empty());
        center.outside.next("ActivateService", &[Behavior::Down]);
        center.signal(&id, "visit.done").await.expect("taken");
        // What the answer told of is found from then on.
        assert!(found(&center, by_step("visited")).await.is_empty());
        center.stands(&id, "visit", "activate", StepState::Retrying).await;
        assert_eq!(found(&center, by_step("activate")).await, [id.as_str()]);
        let center = center.restart().await;
        assert_eq!(found(&center, by_step("activate")).await, [id.as_str()]);
        center.ends(&id, OrderState::Completed).await;
        assert!(found(&center, by_step("activate")).await.is_empty());
        center
    }
);

on_each_database!(what_troubles_orders_is_counted_and_leads_to_them, async |mut center: Center| {
    let refused = async |center: &mut Center, why: &'static str| {
        center.outside.next("ActivateService", &[Behavior::Refuse(why)]);
        let policy = FailurePolicy::Ask.into();
        let submission = proto::SubmitOrderRequest { failure_policy: policy, ..one_plan() };
        let id = center.submit(submission).await;
        center.line_becomes(&id, "plan", BusinessOrderState::Exception).await;
        center.advance(1);
        id
    };
    let first = refused(&mut center, "NUMBER_IN_USE").await;
    let other = refused(&mut center, "SIM_LOCKED").await;
    let second = refused(&mut center, "NUMBER_IN_USE").await;
    let (in_use, locked) =
        ("telecom-plan/activate/NUMBER_IN_USE", "telecom-plan/activate/SIM_LOCKED");
    assert_eq!(exceptions(&center).await, [(in_use.to_owned(), 2), (locked.to_owned(), 1)]);
    assert_eq!(found(&center, by_exception(in_use)).await, [second.clone(), first.clone()]);
    let everything = [second.clone(), other.clone(), first.clone()];
    assert_eq!(found(&center, by_attention()).await, everything);
    assert_eq!(found(&center, by_step("activate")).await, everything);
    let of_another =
        proto::ListOrdersRequest { customer_id: "customer-2".to_owned(), ..by_attention() };
    assert!(found(&center, of_another).await.is_empty());
    // As soon as a decision is answered the order is not among them any more.
    center.decide(&second, "RETRY").await;
    assert_eq!(found(&center, by_exception(in_use)).await, [first.as_str()]);
    center.completes(&second).await;
    center.decide(&other, "BRANCH").await;
    center.becomes(&other, OrderState::Failed).await;
    assert_eq!(exceptions(&center).await, [(in_use.to_owned(), 1)]);
    assert_eq!(found(&center, by_attention()).await, [first]);
    center
});

on_each_database!(filters_of_a_wrong_form_name_their_fields, async |center: Center| {
    let list = async |request| center.orders.clone().list_orders(operator(request)).await;
    let two = proto::ListOrdersRequest { attention: true, ..by_step("activate") };
    assert_eq!(wrong_fields(list(two).await), ["attention"]);
    let wrong = proto::ListOrdersRequest {
        phone: "020 7946".to_owned(),
        exception: "x".repeat(201),
        ..Default::default()
    };
    assert_eq!(wrong_fields(list(wrong).await), ["exception", "phone"]);
    center
});
