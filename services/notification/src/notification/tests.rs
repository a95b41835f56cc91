//! Tables and properties of deliveries.

use proptest::prelude::*;
use throughline_kit::backoff::Backoff;

use super::*;

const RETRY: Retry = Retry {
    max_attempts: 4,
    backoff: Backoff { first: Duration::from_secs(10), longest: Duration::from_secs(60) },
};
const LEASE: Duration = Duration::from_secs(5);

fn queued() -> Notification {
    Notification {
        id: NotificationId::generate(),
        source: "shop".to_owned(),
        template: "order.accepted".to_owned(),
        locale: "en".to_owned(),
        order_id: String::new(),
        delivery: Delivery {
            id: DeliveryId::generate(),
            state: DeliveryState::Pending,
            provider: "sms".to_owned(),
            phone: "+442071838750".parse().expect("valid"),
            body: "Dear customer".to_owned(),
            attempts: 0,
            failure_reason: String::new(),
            next_attempt_at: Some(Instant(0)),
        },
        created_at: Instant(0),
        ended_at: None,
        trace_parent: String::new(),
        version: 1,
    }
}

fn answer(text: &str) -> Answer {
    let reason = text.to_uppercase();
    match text {
        "accepted" => Answer::Accepted,
        "refused" => Answer::Refused { reason },
        "not reached" => Answer::NotReached { reason: "DOWN".to_owned() },
        "unknown" => Answer::Unknown { reason: "TIMEOUT".to_owned() },
        "never arrived" => Answer::NeverArrived,
        other => panic!("nobody answers {other:?}"),
    }
}

/// Carries a delivery through answers, claiming it whenever it is due: `call → state` for each, and the end.
fn story(answers: &[&str]) -> (Vec<String>, Notification) {
    let mut notification = queued();
    let mut told = Vec::new();
    for text in answers {
        let now = notification.delivery.next_attempt_at.expect("still live");
        let (claimed, call) = notification.claim(now, LEASE).expect("due");
        notification = claimed.settle(call, answer(text), now, &RETRY);
        told.push(format!("{call:?} -> {}", notification.delivery.state.as_str()));
    }
    (told, notification)
}

const STORIES: &[(&[&str], &[&str], State, &str)] = &[
    (&["accepted"], &["Send -> ACCEPTED"], State::Completed, ""),
    (&["refused"], &["Send -> UNDELIVERABLE"], State::Failed, "REFUSED"),
    (&["not reached", "accepted"], &["Send -> PENDING", "Send -> ACCEPTED"], State::Completed, ""),
    (&["unknown", "accepted"], &["Send -> UNKNOWN", "Ask -> ACCEPTED"], State::Completed, ""),
    (
        &["unknown", "refused"],
        &["Send -> UNKNOWN", "Ask -> UNDELIVERABLE"],
        State::Failed,
        "REFUSED",
    ),
    (
        &["unknown", "never arrived", "accepted"],
        &["Send -> UNKNOWN", "Ask -> PENDING", "Send -> ACCEPTED"],
        State::Completed,
        "",
    ),
    (
        &["unknown", "not reached", "unknown"],
        &["Send -> UNKNOWN", "Ask -> UNKNOWN", "Ask -> UNKNOWN"],
        State::Queued,
        "TIMEOUT",
    ),
    (
        &["not reached"; 4],
        &["Send -> PENDING", "Send -> PENDING", "Send -> PENDING", "Send -> UNDELIVERABLE"],
        State::Failed,
        "DOWN",
    ),
    (
        &["unknown"; 4],
        &["Send -> UNKNOWN", "Ask -> UNKNOWN", "Ask -> UNKNOWN", "Ask -> UNKNOWN"],
        State::Failed,
        "OUTCOME_UNKNOWN",
    ),
    (
        &["unknown", "not reached", "unknown", "never arrived"],
        &["Send -> UNKNOWN", "Ask -> UNKNOWN", "Ask -> UNKNOWN", "Ask -> UNDELIVERABLE"],
        State::Failed,
        "REFERENCE_NOT_FOUND",
    ),
];

#[test]
fn a_delivery_reads_like_its_answers() {
    for (answers, expected, state, reason) in STORIES {
        let (told, end) = story(answers);
        assert_eq!(told, *expected, "{answers:?}");
        assert_eq!((end.state(), end.delivery.failure_reason.as_str()), (*state, *reason));
    }
}

#[test]
fn a_call_that_was_lost_on_the_way_is_asked_about() {
    let (sent, call) = queued().claim(Instant(0), LEASE).expect("due");
    assert_eq!((call, sent.delivery.state), (Call::Send, DeliveryState::Dispatching));
    assert_eq!(
        sent.clone().claim(Instant(4_999_999), LEASE),
        None,
        "the call may still be answered"
    );
    let (_, call) = sent.claim(Instant(5_000_000), LEASE).expect("lost");
    assert_eq!(call, Call::Ask);
}

#[test]
fn what_is_not_due_is_not_claimed() {
    let mut later = queued();
    later.delivery.next_attempt_at = Some(Instant(1));
    assert_eq!(later.claim(Instant(0), LEASE), None);
    let (_, done) = story(&["accepted"]);
    assert_eq!(done.claim(Instant(i64::MAX), LEASE), None);
}

#[test]
fn a_delivery_does_not_show_phone_or_body() {
    let shown = format!("{:?}", queued());
    assert!(!shown.contains("2071") && !shown.contains("Dear"), "{shown}");
}

proptest! {
    #[test]
    fn every_delivery_ends_after_a_bounded_number_of_calls_and_is_never_sent_unasked(
        answers in proptest::collection::vec(0..5_usize, 4),
    ) {
        let texts = ["accepted", "refused", "not reached", "unknown", "never arrived"];
        let mut notification = queued();
        // Whether the provider may have it: then it must not be sent before it was asked.
        let mut may_have = false;
        for pick in answers {
            let Some(now) = notification.delivery.next_attempt_at else { break };
            let (claimed, call) = notification.claim(now, LEASE).expect("due");
            // Only one who is asked can say that it never arrived.
            let text = if call == Call::Send && pick == 4 { texts[3] } else { texts[pick] };
            prop_assert!(call == Call::Ask || !may_have);
            may_have = match text {
                "unknown" => true,
                "never arrived" => false,
                _ => may_have,
            };
            let version = claimed.version;
            notification = claimed.settle(call, answer(text), now, &RETRY);
            prop_assert_eq!(notification.version, version + 1);
            prop_assert!(notification.is_consistent());
        }
        prop_assert!(notification.delivery.attempts <= RETRY.max_attempts);
        let ended = notification.ended_at.is_some();
        prop_assert!(ended || notification.delivery.attempts < RETRY.max_attempts);
    }
}
