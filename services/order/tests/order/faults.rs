//! Calls that are lost, late, double or stopped on the way: every effect happens once, and nothing
//! is taken for a refusal that is none.

use throughline_order::Config;
use throughline_proto::order::v1::{FailurePolicy, OrderState, SubmitOrderRequest};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{item, mugs, one_plan, submission};

/// Every call that carries this order to its end.
const CALLS: [&str; 10] = [
    "CheckConfiguration",
    "QuotePrice",
    "DecomposeOffering",
    "CreateReservation",
    "CreatePaymentOrder",
    "StartAttempt",
    "ConfirmReservation",
    "ActivateService plan-4g",
    "OpenAccount plan-4g",
    "CreateShipment",
];
const EFFECTS: [&str; 6] =
    ["activate plan-4g", "capture 1850", "confirm", "open plan-4g", "reserve", "ship"];

/// A plan and a mug.
pub(crate) fn mixed() -> SubmitOrderRequest {
    submission(vec![item("plan", "plan-4g", 1), item("mug", "mug", 1)])
}

/// The same, and nothing of it unless all.
pub(crate) fn mixed_whole() -> SubmitOrderRequest {
    SubmitOrderRequest { failure_policy: FailurePolicy::Whole.into(), ..mixed() }
}

/// What happened since an earlier number of effects, sorted.
pub(crate) fn effects_since(center: &Center, before: usize) -> Vec<String> {
    let mut effects = center.outside.effects().split_off(before);
    effects.sort();
    effects
}

/// Meets each call once with a fault, in an order of its own; returns how often each name was
/// called for it.
async fn carried_through(center: &mut Center, fault: Behavior) -> Vec<(&'static str, usize)> {
    let mut counts = Vec::new();
    for name in CALLS {
        let (effects, calls) =
            (center.outside.effects().len(), center.outside.calls_of(name).len());
        center.outside.next(name, &[fault]);
        let id = center.submit(mixed()).await;
        let order = center.ends(&id, OrderState::Completed).await;
        assert_eq!(order.failure, None, "{name}");
        assert_eq!(effects_since(center, effects), EFFECTS, "{name}");
        let of_this = center.outside.calls_of(name).split_off(calls);
        assert!(of_this.iter().all(|call| call.id == of_this[0].id), "{name}: {of_this:?}");
        counts.push((name, of_this.len()));
    }
    counts
}

on_each_database!(
    a_call_that_did_not_happen_is_repeated_with_the_same_id,
    async |mut center: Center| {
        for (name, calls) in carried_through(&mut center, Behavior::Down).await {
            assert_eq!(calls, 2, "{name}");
        }
        assert!(center.outside.calls_of("GetOperation").is_empty());
        center
    }
);

on_each_database!(a_missing_grant_stops_a_call_and_is_no_refusal, async |mut center: Center| {
    for (name, calls) in carried_through(&mut center, Behavior::Denied).await {
        assert_eq!(calls, 2, "{name}");
    }
    center
});

on_each_database!(
    an_unknown_outcome_without_effect_is_found_out_and_made_good,
    async |mut center: Center| {
        for (name, calls) in carried_through(&mut center, Behavior::LostBefore).await {
            assert_eq!(calls, 2, "{name}");
        }
        for system in ["provisioning", "billing", "logistics"] {
            let asked = center.outside.calls_of(&format!("GetOperation {system}"));
            assert_eq!(asked.len(), 1, "{system}");
        }
        center
    }
);

on_each_database!(
    an_unknown_outcome_with_effect_is_asked_about_and_never_made_twice,
    async |mut center: Center| {
        for (name, calls) in carried_through(&mut center, Behavior::LostAfter).await {
            // Centers answer the same request the same; outside systems are asked how our reference
            // stands.
            let is_asked = name.starts_with("Activate") || name.starts_with("Open");
            let expected = if is_asked || name == "CreateShipment" { 1 } else { 2 };
            assert_eq!(calls, expected, "{name}");
        }
        assert_eq!(center.outside.calls_of("GetOperation").len(), 3);
        center
    }
);

on_each_database!(a_question_that_is_not_answered_is_asked_again, async |mut center: Center| {
    for question in [Behavior::Down, Behavior::Denied, Behavior::LostBefore] {
        let before = center.outside.effects().len();
        center.outside.next("ActivateService", &[Behavior::LostAfter]);
        center.outside.next("GetOperation", &[question, question]);
        let asked = center.outside.calls_of("GetOperation").len();
        let id = center.submit(one_plan()).await;
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(center.outside.calls_of("GetOperation").len(), asked + 3);
        let expected = ["activate plan-4g", "capture 1000", "confirm", "open plan-4g", "reserve"];
        assert_eq!(effects_since(&center, before), expected);
    }
    center
});

on_each_database!(
    a_peer_that_never_answers_is_given_up_and_its_effect_found,
    async |center: Center| {
        let config = Config { call_timeout_ms: 300, ..Config::default() };
        let mut center = center.restart_with(config).await;
        center.outside.next("CreateReservation", &[Behavior::SilentAfter]);
        center.outside.next("StartAttempt", &[Behavior::Silent]);
        center.outside.next("ActivateService", &[Behavior::SilentAfter]);
        center.outside.next("OpenAccount", &[Behavior::Silent]);
        let id = center.submit(one_plan()).await;
        center.ends(&id, OrderState::Completed).await;
        let expected = ["reserve", "capture 1000", "confirm", "activate plan-4g", "open plan-4g"];
        assert_eq!(center.outside.effects(), expected);
        center
    }
);

on_each_database!(
    a_peer_that_stays_away_raises_attention_and_at_last_ends_the_order,
    async |mut center: Center| {
        center.outside.next("CreateReservation", &[Behavior::Down; 10]);
        let id = center.submit(mugs(1)).await;
        let mut raised = false;
        let mut seen = center.get(&id).await;
        while !crate::fixture::is_terminal(seen.state()) {
            raised |= seen.attention;
            center.pass_time(&seen).await;
            let version = seen.version;
            seen = center.until(&id, "the order changes", |order| order.version > version).await;
        }
        assert_eq!(seen.state(), OrderState::Rejected);
        assert_eq!(seen.failure.expect("a failure").reason, "PROVIDER_DOWN");
        assert!(raised);
        assert_eq!(center.outside.calls_of("CreateReservation").len(), 10);
        assert!(center.outside.effects().is_empty());
        center
    }
);

/// Calls that undo: what was delivered, and what was only reserved or owed.
const UNDO_CALLS: [&str; 4] =
    ["DeactivateService", "CancelShipment", "ReturnUnits", "CreateRefund"];
const UNDONE: [&str; 11] = [
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
];

on_each_database!(an_undo_meets_every_fault_and_happens_once, async |mut center: Center| {
    let faults = [Behavior::Down, Behavior::Denied, Behavior::LostBefore, Behavior::LostAfter];
    for (name, fault) in UNDO_CALLS.iter().flat_map(|name| faults.map(|fault| (*name, fault))) {
        let before = center.outside.effects().len();
        center.outside.next("OpenAccount", &[Behavior::Refuse("CREDIT_CHECK_FAILED")]);
        center.outside.next(name, &[fault]);
        let id = center.submit(mixed_whole()).await;
        let order = center.ends(&id, OrderState::Cancelled).await;
        assert_eq!(order.paid, crate::requests::gbp(0), "{name} {fault:?}");
        assert_eq!(effects_since(&center, before), UNDONE, "{name} {fault:?}");
    }
    assert!(center.outside.active().is_empty());
    assert_eq!((center.outside.taken("mug"), center.outside.taken("msisdn")), (0, 0));
    center
});

on_each_database!(a_release_meets_every_fault_and_happens_once, async |mut center: Center| {
    for fault in [Behavior::Down, Behavior::Denied, Behavior::LostBefore, Behavior::LostAfter] {
        let before = center.outside.effects().len();
        center.outside.next("StartAttempt", &[Behavior::Refuse("INSUFFICIENT_FUNDS")]);
        center.outside.next("ReleaseReservation", &[fault]);
        let id = center.submit(mugs(1)).await;
        center.ends(&id, OrderState::Rejected).await;
        assert_eq!(
            effects_since(&center, before),
            ["close payment", "release", "reserve"],
            "{fault:?}"
        );
    }
    assert_eq!(center.outside.ids_of("ReleaseReservation").len(), 4);
    center
});
