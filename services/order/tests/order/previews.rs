//! What a cancel would do, shown before it is done.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{FailurePolicy, OrderState};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{business_states, converged, gbp};

/// A moment of a converged order: the call that is held then, how many others come before it, and
/// what the plan says of each line and of the money.
struct Moment {
    held: &'static str,
    done_before: &'static [(&'static str, &'static str)],
    cancel: &'static [&'static str],
    undo: &'static [&'static str],
    refund: Option<i64>,
    ends: &'static [(&'static str, &'static str)],
}

const NOTHING_RAN: &[(&str, &str)] = &[
    ("plan1", "CANCELLED"),
    ("plan2", "CANCELLED"),
    ("broadband", "CANCELLED"),
    ("phone", "CANCELLED"),
];
const ALL_BUT_PHONE_RAN: &[(&str, &str)] = &[
    ("plan1", "COMPENSATED"),
    ("plan2", "COMPENSATED"),
    ("broadband", "COMPENSATED"),
    ("phone", "CANCELLED"),
];
const ALL: &[&str] = &["plan1", "plan2", "broadband", "phone"];

const MOMENTS: &[Moment] = &[
    Moment {
        held: "CheckConfiguration",
        done_before: &[],
        cancel: &[],
        undo: &[],
        refund: None,
        ends: NOTHING_RAN,
    },
    Moment {
        held: "CreateReservation",
        done_before: &[],
        cancel: ALL,
        undo: &[],
        refund: None,
        ends: NOTHING_RAN,
    },
    Moment {
        held: "ConfirmReservation",
        done_before: &[],
        cancel: ALL,
        undo: &[],
        refund: Some(14_000),
        ends: NOTHING_RAN,
    },
    Moment {
        held: "ActivateService broadband-100m",
        done_before: &[("plan1", "DONE"), ("plan2", "DONE")],
        cancel: &["phone"],
        undo: &["broadband", "plan2", "plan1"],
        refund: Some(14_000),
        ends: ALL_BUT_PHONE_RAN,
    },
    Moment {
        held: "OpenAccount ip-phone",
        done_before: &[("plan1", "DONE"), ("plan2", "DONE"), ("broadband", "DONE")],
        cancel: &[],
        undo: &["phone", "broadband", "plan2", "plan1"],
        refund: Some(14_000),
        ends: &[
            ("plan1", "COMPENSATED"),
            ("plan2", "COMPENSATED"),
            ("broadband", "COMPENSATED"),
            ("phone", "COMPENSATED"),
        ],
    },
];

/// Lines of business orders, in the order of the plan.
fn lines<'a>(order: &'a proto::CustomerOrder, ids: &[String]) -> Vec<&'a str> {
    let key = |id: &String| {
        let found = order.business_orders.iter().find(|bo| bo.business_order_id == *id);
        found.expect("a business order").item_keys[0].as_str()
    };
    ids.iter().map(key).collect()
}

on_each_database!(what_a_preview_shows_is_what_a_cancel_does, async |mut center: Center| {
    for moment in MOMENTS {
        let calls = center.outside.calls_of(moment.held).len();
        let before = center.outside.money();
        center.outside.next(moment.held, &[Behavior::Hold]);
        let id = center.submit(converged(FailurePolicy::Branch)).await;
        center.called(moment.held, calls + 1).await;
        let came = |order: &proto::CustomerOrder| {
            let states = business_states(order);
            moment.done_before.iter().all(|done| states.contains(done))
        };
        let order = center.until(&id, moment.held, came).await;
        let plan = center.preview(&id).await.expect("a plan");
        assert_eq!(lines(&order, &plan.cancel), moment.cancel, "{}", moment.held);
        assert_eq!(lines(&order, &plan.undo), moment.undo, "{}", moment.held);
        assert_eq!(plan.refund, moment.refund.and_then(gbp), "{}", moment.held);
        assert!(plan.keep.is_empty());
        assert_eq!(center.get(&id).await, order, "a preview changes nothing");
        let answer = center.cancel(&id).await.expect("cancelled");
        assert_eq!(answer.plan, Some(plan));
        assert_eq!(answer.order.expect("an order").state(), OrderState::PendingCancellation);
        center.outside.let_go();
        let order = center.ends(&id, OrderState::Cancelled).await;
        // What was cancelled before it was prepared has no parts, or those that came with the late
        // answer.
        let states = business_states(&order);
        assert!(states.is_empty() || states == moment.ends, "{}: {states:?}", moment.held);
        let after = center.outside.money();
        assert_eq!(after.1 - before.1, moment.refund.unwrap_or(0), "{}", moment.held);
        assert_eq!((after.0 - after.1, order.paid), (0, gbp(0)), "{}", moment.held);
        let pools = ["msisdn", "modem", "landline"].map(|pool| center.outside.taken(pool));
        assert_eq!((pools, center.outside.held()), ([0, 0, 0], 0), "{}", moment.held);
        assert!(center.outside.active().is_empty(), "{}", moment.held);
    }
    center
});
