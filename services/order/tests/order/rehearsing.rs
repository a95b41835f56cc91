//! Templates that are played: on an order that is made up, and with a step that fails.

use std::collections::BTreeMap;

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{FailurePolicy, FailureRemedy, OrderState};

use crate::fixture::Center;
use crate::flows::{
    ACTIVATE, CHECK, OPEN_ACCOUNT, PREPARE, TIMER, WAIT, business, business_with, own,
};
use crate::requests::{converged, error, gbp, item, operator, reason, submission, wrong_fields};

impl Center {
    async fn play(
        &self,
        request: proto::SimulateTemplateRequest,
    ) -> Result<proto::SimulateTemplateResponse, tonic::Status> {
        let answer = self.templates().simulate_template(operator(request)).await?;
        Ok(answer.into_inner())
    }
}

/// An order that nobody submitted, with as little as an author wants to write.
fn made_up(items: Vec<proto::OrderItem>) -> proto::SubmitOrderRequest {
    proto::SubmitOrderRequest {
        items,
        currency_code: "GBP".to_owned(),
        ..proto::SubmitOrderRequest::default()
    }
}

fn on_order(source: &str, order: proto::SubmitOrderRequest) -> proto::SimulateTemplateRequest {
    proto::SimulateTemplateRequest {
        source: source.to_owned(),
        order: Some(order),
        ..proto::SimulateTemplateRequest::default()
    }
}

fn runs(answer: &proto::SimulateTemplateResponse) -> Vec<(&str, bool)> {
    answer.steps.iter().map(|step| (step.step_id.as_str(), step.runs)).collect()
}

on_each_database!(
    a_template_is_played_on_an_order_that_nobody_submitted,
    async |center: Center| {
        let fiber = TIMER.replace("id: rest", "id: rest, when: \"steps.check.floor == 'fiber'\"");
        let check = CHECK.replace("floor: form.floor", "floor: form.slot");
        let source = business("home-visit", &[&check, &fiber, ACTIVATE]);
        let items = vec![item("a", "visit", 1), item("b", "visit", 2)];
        let play = async |saved: &str| {
            let saved = [("check.floor".to_owned(), saved.to_owned())];
            let request = proto::SimulateTemplateRequest {
                lines: vec![proto::AssumedLine {
                    item_key: "b".to_owned(),
                    charge: gbp(4_000),
                    ..Default::default()
                }],
                item_keys: vec!["b".to_owned()],
                channel: "web".to_owned(),
                saved: saved.into_iter().collect(),
                ..on_order(&source, made_up(items.clone()))
            };
            center.play(request).await.expect("played")
        };
        let answer = play("\"fiber\"").await;
        assert_eq!(runs(&answer), [("check", true), ("rest", true), ("activate", true)]);
        assert_eq!(runs(&play("\"copper\"").await)[1], ("rest", false));
        assert_eq!((answer.failure, answer.median_duration), (None, None));
        let request: serde_json::Value =
            serde_json::from_str(&answer.steps[2].request).expect("JSON");
        assert_eq!(request["offeringCode"], "visit");
        let listed = center.orders.clone().list_orders(operator(Default::default())).await;
        assert_eq!(listed.expect("listed").into_inner().orders, [], "nothing is stored");
        assert!(center.outside.calls().is_empty(), "nobody is called");

        let own_steps = own("checked", &[PREPARE, CHECK]);
        let answer = center.play(on_order(&own_steps, made_up(items))).await.expect("played");
        assert_eq!(runs(&answer), [("prepare", true), ("check", true)]);
        center
    }
);

on_each_database!(the_slowest_way_is_told_by_what_was_measured, async |mut center: Center| {
    let left = WAIT.to_owned();
    let right = "  - { id: rest, timer: { for: 1h }, after: [] }\n";
    let last = "  - { id: end, timer: { for: 1m }, after: [visited, rest] }\n";
    let source = business("home-visit", &[&left, right, last]);
    center.publish(&source).await;
    let id = center.submit(submission(vec![item("visit", "visit", 1)])).await;
    center.stands(&id, "visit", "visited", proto::StepState::Waiting).await;
    center.advance(60);
    center.signal(&id, "visit.done").await.expect("taken");
    center.stands(&id, "visit", "visited", proto::StepState::Succeeded).await;
    center.advance(3_600);
    center.stands(&id, "visit", "end", proto::StepState::Waiting).await;
    center.advance(60);
    center.completes(&id).await;
    let played = center.play(on_order(&source, made_up(vec![item("v", "visit", 1)]))).await;
    let played = played.expect("played");
    let ways: Vec<_> =
        played.steps.iter().map(|step| (step.step_id.as_str(), step.critical)).collect();
    assert_eq!(ways, [("visited", false), ("rest", true), ("end", true)]);
    let offset = played.steps[2].start_offset.expect("it begins");
    assert!((3_600..4_100).contains(&offset.seconds), "{offset:?}");
    let whole = played.median_duration.expect("all were measured");
    assert!((3_660..4_200).contains(&whole.seconds), "{whole:?}");
    center
});

on_each_database!(what_follows_a_failure_is_told_as_it_would_be, async |mut center: Center| {
    let busy = ACTIVATE.replace(
        "timeout: 10s\n",
        "timeout: 10s\n    retry: { attempts: 4, reasons: [LINE_BUSY] }\n",
    );
    let overrides = "policy: BRANCH\noverrides: [{ reason: NO_LINE, policy: ASK }]\n";
    let source = business_with("home-visit", overrides, &[OPEN_ACCOUNT, &busy]);
    let fail = async |step: &str, why: &str| {
        let charge = proto::AssumedLine {
            item_key: "v".to_owned(),
            charge: gbp(4_000),
            ..Default::default()
        };
        let request = proto::SimulateTemplateRequest {
            lines: vec![charge],
            failed_step_id: step.to_owned(),
            failure_reason: why.to_owned(),
            ..on_order(&source, made_up(vec![item("v", "visit", 1)]))
        };
        center.play(request).await.map(|answer| answer.failure.expect("a failure"))
    };
    let failure = fail("activate", "LINE_BUSY").await.expect("played");
    assert_eq!((failure.remedy(), failure.attempts), (FailureRemedy::Undo, 4));
    assert_eq!(failure.policy(), FailurePolicy::Branch);
    assert_eq!(failure.undone_step_ids, ["open-account", "charge"]);
    assert_eq!(failure.plan.expect("a plan").refund, gbp(4_000));
    let failure = fail("activate", "NO_LINE").await.expect("played");
    assert_eq!((failure.remedy(), failure.policy()), (FailureRemedy::Person, FailurePolicy::Ask));
    assert_eq!((failure.attempts, failure.plan), (1, None));
    let failure = fail("open-account", "").await.expect("played");
    assert_eq!((failure.reason.as_str(), failure.undone_step_ids.len()), ("SIMULATED", 1));
    assert_eq!(reason(fail("no-such", "").await), "STEP_NOT_FOUND");

    // The same of a stored order: those that need the broadband never ran.
    let id = center.submit(converged(FailurePolicy::Branch)).await;
    let order = center.completes(&id).await;
    let broadband = crate::requests::business_order(&order, "broadband");
    let request = proto::SimulateTemplateRequest {
        name: "telecom-broadband".to_owned(),
        order_id: id,
        business_order_id: broadband.business_order_id.clone(),
        failed_step_id: broadband.steps.last().expect("steps").step_id.clone(),
        ..proto::SimulateTemplateRequest::default()
    };
    let plan = center.play(request).await.expect("played").failure.expect("a failure").plan;
    let plan = plan.expect("a plan");
    assert_eq!(plan.undo, [broadband.business_order_id.as_str()]);
    let phone = crate::requests::business_order(&order, "phone");
    assert_eq!(plan.cancel, [phone.business_order_id.as_str()]);
    assert_eq!((plan.keep.len(), plan.refund), (2, gbp(12_000)));

    let request = proto::SimulateTemplateRequest {
        name: "standard".to_owned(),
        failed_step_id: "pay".to_owned(),
        ..on_order("", made_up(vec![item("v", "visit", 1)]))
    };
    let failure = center.play(request).await.expect("played").failure.expect("a failure");
    assert_eq!(
        (failure.remedy(), failure.end_state()),
        (FailureRemedy::Undo, OrderState::Rejected)
    );
    assert_eq!(failure.undone_step_ids, ["reserve"]);
    center
});

on_each_database!(what_is_assumed_wrongly_names_its_fields, async |center: Center| {
    let source = business("home-visit", &[WAIT]);
    let order = || made_up(vec![item("v", "visit", 1)]);
    let both = proto::SimulateTemplateRequest {
        order_id: "ord_1".to_owned(),
        ..on_order(&source, order())
    };
    assert_eq!(wrong_fields(center.play(both).await), ["order_id"]);
    let neither = proto::SimulateTemplateRequest { order: None, ..on_order(&source, order()) };
    assert_eq!(wrong_fields(center.play(neither).await), ["order_id"]);
    let empty = on_order(&source, made_up(Vec::new()));
    assert_eq!(wrong_fields(center.play(empty).await), ["items"]);
    let line = |key: &str, charge| proto::AssumedLine {
        item_key: key.to_owned(),
        charge,
        ..Default::default()
    };
    let lines = proto::SimulateTemplateRequest {
        lines: vec![line("v", gbp(-1)), line("w", None)],
        item_keys: vec!["x".to_owned()],
        ..on_order(&source, order())
    };
    let named = wrong_fields(center.play(lines).await);
    assert_eq!(named, ["lines", "item_keys", "lines[v].charge"]);
    let saved: BTreeMap<String, String> =
        [("visited", "1"), ("visited.who", "no JSON")].map(|(k, v)| (k.into(), v.into())).into();
    let saved = proto::SimulateTemplateRequest { saved, ..on_order(&source, order()) };
    assert_eq!(wrong_fields(center.play(saved).await).len(), 2);
    let saved: BTreeMap<String, String> = [("nobody.x".into(), "1".into())].into();
    let saved = proto::SimulateTemplateRequest { saved, ..on_order(&source, order()) };
    assert_eq!(wrong_fields(center.play(saved).await), ["saved[nobody.x]"]);
    let left_out = WAIT.replace("id: visited", "id: visited\n    when: items.size() > 1");
    let request = proto::SimulateTemplateRequest {
        failed_step_id: "visited".to_owned(),
        ..on_order(&business("home-visit", &[&left_out]), order())
    };
    assert_eq!(wrong_fields(center.play(request).await), ["failed_step_id"]);
    let own = proto::SubmitOrderRequest { template: "no-such".to_owned(), ..order() };
    let refused = error(center.play(on_order(&source, own)).await);
    assert_eq!(refused.reason, "TEMPLATE_UNKNOWN");
    center
});
