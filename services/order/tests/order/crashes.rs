//! The process dies in the middle of a call, and another one on the same store brings the order to
//! the same end.

use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, SubmitOrderRequest};

use crate::faults::{effects_since, mixed, mixed_whole};
use crate::fixture::{Center, NO_REGISTRY};
use crate::outside::Behavior;
use crate::requests::{hall, mugs, returned, submission};

/// The last commit of a dying process may land when the next one has read the order already: that
/// one hears of it, and goes on from what is stored.
const OVERTAKEN: &str = "ORDER_OVERTAKEN";

/// Dies before the effect, or after it and before the answer.
const DEATHS: [Behavior; 2] = [Behavior::Silent, Behavior::SilentAfter];

/// What an order is to do, though the process dies at each of the named calls.
struct Story {
    /// Refused, so that the order takes another turn.
    refused: Option<&'static str>,
    request: fn() -> SubmitOrderRequest,
    calls: &'static [&'static str],
    ends: OrderState,
    effects: &'static [&'static str],
}

async fn survives(story: Story) {
    let _log = no_unexpected_warnings(&[NO_REGISTRY, OVERTAKEN]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        for (call, death) in story.calls.iter().flat_map(|call| DEATHS.map(|death| (*call, death)))
        {
            let before = center.outside.effects().len();
            if let Some(refused) = story.refused {
                center.outside.next(refused, &[Behavior::Refuse("REFUSED_FOR_THE_STORY")]);
            }
            center.outside.next(call, &[death]);
            let request = (story.request)();
            let number = request.channel_order_id.clone();
            center = center.crash_during(call, Some(request)).await;
            let id = by_number(&mut center, number).await;
            center.ends(&id, story.ends).await;
            assert_eq!(effects_since(&center, before), story.effects, "{call} {death:?}");
        }
        assert_eq!(center.outside.held(), 0);
        center.stop().await;
    }
}

async fn by_number(center: &mut Center, channel_order_id: String) -> String {
    let get = proto::GetOrderRequest { channel_order_id, ..Default::default() };
    let found = center.orders.get_order(hall(get)).await.expect("an accepted order is not lost");
    found.into_inner().order.expect("an order").order_id
}

#[tokio::test]
async fn a_crash_before_delivery_changes_nothing_of_the_end() {
    survives(Story {
        refused: None,
        request: mixed,
        calls: &[
            "CheckConfiguration",
            "QuotePrice",
            "DecomposeOffering",
            "CreateReservation",
            "CreatePaymentOrder",
            "StartAttempt",
            "ConfirmReservation",
        ],
        ends: OrderState::Completed,
        effects: &[
            "activate plan-4g",
            "capture 1850",
            "confirm",
            "open plan-4g",
            "reserve",
            "ship",
        ],
    })
    .await;
}

#[tokio::test]
async fn a_crash_in_delivery_changes_nothing_of_the_end() {
    survives(Story {
        refused: None,
        request: mixed,
        calls: &["ActivateService", "OpenAccount", "CreateShipment"],
        ends: OrderState::Completed,
        effects: &[
            "activate plan-4g",
            "capture 1850",
            "confirm",
            "open plan-4g",
            "reserve",
            "ship",
        ],
    })
    .await;
}

#[tokio::test]
async fn a_crash_while_an_order_is_undone_undoes_each_part_once() {
    survives(Story {
        refused: Some("OpenAccount"),
        request: mixed_whole,
        calls: &["DeactivateService", "CancelShipment", "CreateRefund", "ReturnUnits"],
        ends: OrderState::Cancelled,
        effects: &[
            "activate plan-4g",
            "capture 1850",
            "confirm",
            "refund 1000",
            "refund 850",
            "reserve",
            "return 1 msisdn to quarantine",
            "return 1 mug",
            "ship",
            "undo activate plan-4g",
            "undo ship",
        ],
    })
    .await;
}

#[tokio::test]
async fn a_crash_while_a_hold_is_given_back_gives_it_back_once() {
    survives(Story {
        refused: Some("StartAttempt"),
        request: || mugs(2),
        calls: &["ReleaseReservation"],
        ends: OrderState::Rejected,
        effects: &["close payment", "release", "reserve"],
    })
    .await;
}

#[tokio::test]
async fn a_crash_in_a_return_moves_goods_and_money_once() {
    survives(Story {
        refused: None,
        request: || {
            let reason = "no receipt".to_owned();
            let unknown = proto::ReturnOf { reason, ..Default::default() };
            submission(vec![returned("back", "mug", 1, unknown)])
        },
        calls: &["ReturnUnits", "CreateRefund"],
        ends: OrderState::Completed,
        effects: &["refund 850", "return 1 mug"],
    })
    .await;
}

on_each_database!(a_question_about_an_unknown_outcome_survives_a_crash,
    expecting OVERTAKEN, async |mut center: Center| {
    for fault in [Behavior::LostBefore, Behavior::LostAfter] {
        let before = center.outside.effects().len();
        center.outside.next("CreateShipment", &[fault]);
        center.outside.next("GetOperation", &[Behavior::Silent]);
        let request = mugs(1);
        let number = request.channel_order_id.clone();
        center = center.crash_during("GetOperation", Some(request)).await;
        let id = by_number(&mut center, number).await;
        center.ends(&id, OrderState::Completed).await;
        let effects = ["capture 850", "confirm", "reserve", "ship"];
        assert_eq!(effects_since(&center, before), effects, "{fault:?}");
    }
    center
});

on_each_database!(a_cancel_that_was_answered_survives_a_crash,
    expecting OVERTAKEN, async |mut center: Center| {
    center.outside.next("CreateShipment", &[Behavior::SilentAfter]);
    let id = center.submit(mugs(1)).await;
    center.called("CreateShipment", 1).await;
    center.cancel(&id).await.expect("cancelled");
    center.outside.next("CancelShipment", &[Behavior::SilentAfter]);
    let center = center.crash_during("CancelShipment", None).await;
    center.ends(&id, OrderState::Cancelled).await;
    let effects =
        ["reserve", "capture 850", "confirm", "ship", "undo ship", "refund 850", "return 1 mug"];
    assert_eq!(center.outside.effects(), effects);
    center
});
