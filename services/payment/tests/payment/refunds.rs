//! Giving money back.

use crate::fixture::{Center, ORDER, gbp, giving_back, kinds, reason};
use crate::stand_in::Behavior;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::{PaymentOrderState, RefundState};

on_each_database!(refunds_are_carried_on_until_definite, async |mut center: Center| {
    let id = center.paid(1_000).await.payment_order_id;
    center.channel.next("Refund", &[Behavior::TimeoutAfter, Behavior::Pending]);
    let refund = center.refund(giving_back(&id, 600)).await.expect("refund");
    assert_eq!(refund.state(), RefundState::Pending);
    let order = center.get(&id).await;
    assert_eq!((order.state(), order.refunded), (PaymentOrderState::Paid, gbp(600)));
    let too_much = center.refund(giving_back(&id, 401)).await;
    assert_eq!(reason(too_much), "AMOUNT_EXCEEDS_REFUNDABLE");
    center.advance(1);
    center.advance(5);
    let hint = proto::HandleChannelEventRequest {
        reference: refund.refund_id.clone(),
        order_id: ORDER.to_owned(),
    };
    center.client.handle_channel_event(hint).await.expect("a hint");
    center.advance(30);
    center.refund_becomes(&refund.refund_id, RefundState::Succeeded).await;
    assert_eq!(center.get(&id).await.state(), PaymentOrderState::PartiallyRefunded);
    assert_eq!((center.channel.refunds(), center.channel.totals().2), (1, 400));

    center.channel.next("Refund", &[Behavior::Refuse]);
    let failed = center.refund(giving_back(&id, 400)).await.expect("refund");
    assert_eq!(
        (failed.state(), failed.decline_reason.as_str()),
        (RefundState::Failed, "ACCOUNT_CLOSED")
    );
    let last = center.refund(giving_back(&id, 400)).await.expect("the part is free again");
    assert_eq!(last.state(), RefundState::Succeeded);
    assert_eq!(center.get(&id).await.state(), PaymentOrderState::Refunded);
    center
});

on_each_database!(refunds_at_once_never_exceed_what_was_captured, async |mut center: Center| {
    let id = center.paid(1_000).await.payment_order_id;
    let refunds = (0..30).map(|_| {
        let (mut client, request) = (center.client.clone(), giving_back(&id, 90));
        tokio::spawn(async move { client.create_refund(request).await })
    });
    let mut given = 0;
    for refund in refunds.collect::<Vec<_>>() {
        match refund.await.expect("no panic") {
            Ok(_) => given += 1,
            refused => assert_eq!(reason(refused), "AMOUNT_EXCEEDS_REFUNDABLE"),
        }
    }
    assert_eq!((given, center.channel.totals().2), (11, 10));
    center
});

on_each_database!(a_refund_without_a_charge_is_a_payout, async |mut center: Center| {
    let payout = giving_back("", 250);
    let refund = center.refund(payout).await.expect("payout");
    assert_eq!((refund.state(), refund.payment_order_id.as_str()), (RefundState::Succeeded, ""));
    let events = center.events_until("payment.refunded").await;
    assert_eq!(kinds(&events), ["payment.refund_requested", "payment.refunded"]);
    let id = center.paid(100).await.payment_order_id;
    let mut euros = giving_back(&id, 1);
    euros.amount.as_mut().expect("set").currency_code = "EUR".to_owned();
    assert_eq!(reason(center.refund(euros).await), "CURRENCY_MISMATCH");
    center
});

on_each_database!(
    goods_that_come_back_with_another_order_are_refunded_for_it,
    async |mut center: Center| {
        let id = center.paid(100).await.payment_order_id;
        let table = [("ord_return", "ord_return"), (ORDER, ORDER), ("", ORDER)];
        for (asked, belongs_to) in table {
            let order_id = asked.to_owned();
            let request = proto::CreateRefundRequest { order_id, ..giving_back(&id, 10) };
            let refund = center.refund(request).await.expect("refund");
            assert_eq!((refund.order_id.as_str(), &refund.payment_order_id), (belongs_to, &id));
        }
        assert_eq!(center.get(&id).await.refunded, gbp(30));
        center
    }
);
