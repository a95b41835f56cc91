//! Calls that said that they were under way, and do not say how they ended.

use throughline_kit::testing::eventually;
use throughline_proto::order::v1::{Lateness, OrderState, StepOutcome, StepState};
use throughline_proto::r#type::v1::OperationOutcome;

use crate::desk::{of_step, whole};
use crate::fixture::Center;
use crate::flows::{OPEN_ACCOUNT, business, with};
use crate::monitors::lateness;
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{stands, step};

const DAY_S: u64 = 24 * 3600;

/// An order whose account is being opened, by a call that nothing asks about.
async fn opening(center: &mut Center, more: &str) -> String {
    let step = if more.is_empty() { OPEN_ACCOUNT.to_owned() } else { with(OPEN_ACCOUNT, more) };
    center.publish(&business("home-visit", &[&step])).await;
    center.outside.next("OpenAccount", &[Behavior::Pending]);
    let id = center.submit(one_visit()).await;
    center.stands(&id, "visit", "open-account", StepState::Waiting).await;
    id
}

on_each_database!(
    a_call_under_way_that_nothing_asks_about_is_heard_of_when_its_time_is_up,
    async |mut center: Center| {
        let id = opening(&mut center, "").await;
        center.advance(DAY_S - 60);
        center.report_to_nobody(&id).await;
        let order = center.get(&id).await;
        assert!(!order.attention && stands(&order, "visit", "open-account", StepState::Waiting));
        assert_eq!(center.outside.calls_of("OpenAccount").len(), 1);
        center.advance(120);
        let order = center.until(&id, "a person is called for", |order| order.attention).await;
        let opened = step(&order, "visit", "open-account");
        assert_eq!(opened.state(), StepState::Unknown);
        assert_eq!(opened.failure.as_ref().expect("why").reason, "NEWS_OVERDUE");
        assert_eq!(lateness(&center).await, [(id.clone(), Lateness::TimedOut)]);
        // The same call asks, with the same reference, and whoever is still at it says so: it stays as it is.
        center.called("OpenAccount", 2).await;
        let calls = center.outside.calls_of("OpenAccount");
        assert_eq!(calls[0].id, calls[1].id);
        for times in 3..6 {
            center.advance(60);
            center.called("OpenAccount", times).await;
            let order = center.get(&id).await;
            assert!(order.attention && stands(&order, "visit", "open-account", StepState::Unknown));
        }
        let center = center.restart().await;
        assert!(center.get(&id).await.attention);
        let reference = center.outside.reference_of("open visit");
        center.outside.complete(&reference, OperationOutcome::Succeeded);
        center.report(&id, &reference, StepOutcome::Succeeded).await.expect("taken");
        let order = center.ends(&id, OrderState::Completed).await;
        assert!(!order.attention);
        center
    }
);

on_each_database!(a_template_says_how_long_a_call_may_be_under_way, async |mut center: Center| {
    let id = opening(&mut center, "pending_timeout: 2h").await;
    center.advance(2 * 3600 + 1);
    center.until(&id, "a person is called for", |order| order.attention).await;
    // It ended, and only the news got lost: the question brings them.
    let reference = center.outside.reference_of("open visit");
    center.outside.complete(&reference, OperationOutcome::Succeeded);
    center.ends(&id, OrderState::Completed).await;
    center
});

on_each_database!(a_pause_stops_the_time_of_a_call_under_way, async |mut center: Center| {
    let id = opening(&mut center, "pending_timeout: 2h").await;
    center.pause(&id, whole()).await.expect("paused");
    center.advance(DAY_S);
    center.report_to_nobody(&id).await;
    assert!(!center.get(&id).await.attention);
    center.resume(&id, whole()).await.expect("resumed");
    center.advance(2 * 3600 + 1);
    let order = center.until(&id, "a person is called for", |order| order.attention).await;
    // A person need not wait for the next question.
    let calls = center.outside.calls_of("OpenAccount").len();
    center.retry(&id, of_step(&order, "visit", "open-account")).await.expect("asked at once");
    eventually("it is asked", async || {
        (center.outside.calls_of("OpenAccount").len() > calls).then_some(())
    })
    .await;
    let reference = center.outside.reference_of("open visit");
    center.outside.complete(&reference, OperationOutcome::Declined);
    center.report(&id, &reference, StepOutcome::Declined).await.expect("taken");
    center.ends(&id, OrderState::Failed).await;
    center
});

on_each_database!(how_long_is_a_matter_of_calls_alone, async |center: Center| {
    let wait = with(crate::flows::WAIT, "pending_timeout: 2h");
    let found = center.check_template(&business("home-visit", &[&wait])).await;
    assert_eq!(found.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["KEY_MISPLACED"]);
    center
});
