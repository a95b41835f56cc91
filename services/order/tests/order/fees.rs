//! Orders whose money is not what it should be.

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;
use throughline_proto::order::v1::{FailurePolicy, OrderState, StepState};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{
    business_order, converged, gbp, mugs, of_order, one_plan, operator, returned, stands,
    submission,
};

async fn differences(center: &Center) -> Vec<proto::FeeDifference> {
    let request = proto::ListFeeDifferencesRequest::default();
    let listed = center.monitors().list_fee_differences(operator(request)).await.expect("listed");
    listed.into_inner().differences
}

on_each_database!(orders_that_end_as_they_should_have_no_difference, async |mut center: Center| {
    let request = mugs(2);
    let number = request.channel_order_id.clone();
    let bought = center.submit(request).await;
    center.ends(&bought, OrderState::Completed).await;
    let back = submission(vec![returned("back", "mug", 1, of_order(&number))]);
    let back = center.submit(back).await;
    center.ends(&back, OrderState::Completed).await;
    center
        .outside
        .next("ActivateService broadband-100m", &[Behavior::Refuse("NO_LINE_AT_ADDRESS")]);
    let partial = center.submit(converged(FailurePolicy::Branch)).await;
    center.ends(&partial, OrderState::Partial).await;
    center.outside.next("StartAttempt", &[Behavior::Refuse("INSUFFICIENT_FUNDS")]);
    let rejected = center.submit(mugs(1)).await;
    center.ends(&rejected, OrderState::Rejected).await;
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let waiting = center.submit(mugs(1)).await;
    center.becomes(&waiting, OrderState::Pending).await;
    assert_eq!(differences(&center).await, []);
    center.cancel(&waiting).await.expect("cancelled");
    center.ends(&waiting, OrderState::Cancelled).await;
    assert_eq!(differences(&center).await, []);
    center
});

on_each_database!(
    money_that_a_person_gave_back_counts_as_given_back,
    async |mut center: Center| {
        center.outside.next("ActivateService", &[Behavior::Refuse("NO_LINE")]);
        center.outside.next("CreateRefund", &[Behavior::Refuse("CARD_EXPIRED")]);
        let id = center.submit(one_plan()).await;
        let refused = |order: &_| stands(order, "plan", "charge", StepState::UndoFailed);
        let order = center.until(&id, "the refund is refused", refused).await;
        assert_eq!(differences(&center).await, [], "it is still to be given back");
        let prove = proto::ProveUndoneRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            target: Some(proto::Target {
                business_order_id: business_order(&order, "plan").business_order_id.clone(),
                step_id: "charge".to_owned(),
            }),
            reason: "paid back in cash".to_owned(),
        };
        let mut operations = OperationServiceClient::new(center.channel().await);
        operations.prove_undone(operator(prove)).await.expect("proved");
        center.ends(&id, OrderState::Failed).await;
        assert_eq!(differences(&center).await, []);
        center
    }
);

on_each_database!(
    money_that_is_not_the_price_of_what_was_delivered_is_shown,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        let id = center.submit(one_plan()).await;
        let order = center.becomes(&id, OrderState::Pending).await;
        center.outside.payer_owes(&order.payment_order_id, 1_100);
        center.outside.payer_pays(&order.payment_order_id);
        let order = center.ends(&id, OrderState::Completed).await;
        let found = differences(&center).await;
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].order_id, found[0].state()), (&id, OrderState::Completed));
        assert_eq!((found[0].due.clone(), found[0].paid.clone()), (gbp(1_000), gbp(1_100)));
        assert_eq!(found[0].end_time, order.end_time);
        let later =
            order.create_time.map(|at| prost_types::Timestamp { seconds: at.seconds + 1, ..at });
        let since =
            proto::ListFeeDifferencesRequest { create_time_from: later, ..Default::default() };
        let listed = center.monitors().list_fee_differences(operator(since)).await;
        let listed = listed.expect("listed");
        assert_eq!(listed.into_inner().differences, []);
        center
    }
);
