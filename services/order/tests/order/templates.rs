//! Templates: checked, published, rolled back, compared, played; and what they make possible.

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, StepState, TemplateKind};

use crate::desk::WHY;
use crate::fixture::Center;
use crate::flows::{ACTIVATE, OPEN_ACCOUNT, TIMER, WAIT, business, own};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{
    business_order, error, from_operator, mugs, one_plan, operator, reason, wrong_fields,
};

impl Center {
    pub(crate) async fn check_template(&self, source: &str) -> Vec<proto::TemplateFinding> {
        let request = proto::CheckTemplateRequest { source: source.to_owned() };
        let answer = self.templates().check_template(operator(request)).await.expect("checked");
        answer.into_inner().findings
    }

    async fn try_to_publish(
        &self,
        request: proto::PublishTemplateRequest,
    ) -> Result<proto::Template, tonic::Status> {
        let answer = self.templates().publish_template(from_operator("anna", request)).await?;
        Ok(answer.into_inner().template.expect("a template"))
    }

    async fn template(&self, name: &str, version: i64) -> Result<proto::Template, tonic::Status> {
        let request = proto::GetTemplateRequest { name: name.to_owned(), version };
        let answer = self.templates().get_template(operator(request)).await?;
        Ok(answer.into_inner().template.expect("a template"))
    }

    async fn roll_back(&self, name: &str, version: i64) -> Result<proto::Template, tonic::Status> {
        let request = proto::RollbackTemplateRequest {
            request_id: new_request_id(),
            name: name.to_owned(),
            version,
            reason: WHY.to_owned(),
        };
        let answer = self.templates().rollback_template(operator(request)).await?;
        Ok(answer.into_inner().template.expect("a template"))
    }
}

fn publication(source: &str, expected_version: i64) -> proto::PublishTemplateRequest {
    proto::PublishTemplateRequest {
        request_id: new_request_id(),
        source: source.to_owned(),
        reason: WHY.to_owned(),
        expected_version,
    }
}

on_each_database!(a_check_says_what_is_wrong_and_where, async |center: Center| {
    assert!(center.check_template(&business("home-visit", &[ACTIVATE, WAIT])).await.is_empty());
    let source = "template: home-visit
kind: BUSINESS
title: Visit
steps:
  - id: install
    call:
      method: throughline.provisioning.v1.ProvisioningService/ActivateService
      request: { reference: step.reference, order_id: order.order_ident }
    undo: none
  - id: charge
    timer: { for: 1h }
  - id: nobody
    call:
      method: nobody.v1.Nobody/Knows
    timeout: 1s
    undo: none
";
    let findings = center.check_template(source).await;
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.line, finding.path.as_str(), finding.code.as_str()))
        .collect();
    let expected = [
        (5, "steps[0]", "TIMEOUT_MISSING"),
        (8, "steps[0].call.request.order_id", "FIELD_UNKNOWN"),
        (10, "steps[1].id", "STEP_RESERVED"),
        (14, "steps[2].call.method", "CAPABILITY_UNKNOWN"),
    ];
    assert_eq!(found, expected);
    for finding in &findings {
        assert!(!finding.message.is_empty() && !finding.remedy.is_empty() && finding.column > 0);
    }
    let refused = error(center.try_to_publish(publication(source, 0)).await);
    assert_eq!(refused.reason, "TEMPLATE_INVALID");
    let fields: Vec<_> = refused.fields.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(fields, expected.map(|(_, path, _)| path));
    assert!(refused.fields[0].1.starts_with("line 5: TIMEOUT_MISSING"), "{refused:?}");
    assert_eq!(reason(center.template("home-visit", 0).await), "TEMPLATE_NOT_FOUND");
    let large = format!("{}# {}", business("home-visit", &[TIMER]), "x".repeat(64 << 10));
    assert_eq!(center.check_template(&large).await[0].code, "TEMPLATE_TOO_LARGE");
    assert_eq!(center.check_template("").await[0].code, "DOCUMENT_EMPTY");
    center
});

on_each_database!(
    a_published_version_is_in_force_for_new_orders_and_running_ones_keep_theirs,
    async |mut center: Center| {
        let first = center.publish(&business("home-visit", &[WAIT, ACTIVATE])).await;
        assert_eq!(
            (first.version, first.in_force, first.kind()),
            (1, true, TemplateKind::Business)
        );
        let running = center.submit(one_visit()).await;
        center.stands(&running, "visit", "visited", StepState::Waiting).await;
        let second = center.publish(&business("home-visit", &[OPEN_ACCOUNT])).await;
        assert_eq!(
            (second.version, second.author.as_str(), second.reason.as_str()),
            (2, "olga", WHY)
        );
        let new = center.submit(one_visit()).await;
        let order = center.completes(&new).await;
        assert_eq!(business_order(&order, "visit").template_version, 2);
        let center = center.restart().await;
        center.signal(&running, "visit.done").await.expect("taken");
        let order = center.completes(&running).await;
        assert_eq!(business_order(&order, "visit").template_version, 1);
        assert_eq!(center.outside.active(), ["activate visit", "open visit"]);
        center
    }
);

on_each_database!(a_version_of_an_order_s_own_steps_is_kept_as_well, async |mut center: Center| {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let running = center.submit(mugs(1)).await;
    let order = center.becomes(&running, OrderState::Pending).await;
    assert_eq!(order.template_version, 1);
    let steps = ["  - { id: prepare, activity: prepare }\n", "  - { id: pay, activity: pay }\n"];
    center.publish(&own("standard", &steps)).await;
    let mut center = center.restart().await;
    // What an operator put in force stays so, whatever comes with the software.
    assert_eq!(center.template("standard", 0).await.expect("there").version, 2);
    let new = center.submit(mugs(1)).await;
    let order = center.completes(&new).await;
    let ids: Vec<_> = order.steps.iter().map(|step| step.step_id.as_str()).collect();
    assert_eq!((order.template_version, ids), (2, vec!["prepare", "pay"]));
    let payment = center.get(&running).await.payment_order_id;
    center.outside.payer_pays(&payment);
    let order = center.completes(&running).await;
    assert_eq!((order.template_version, order.steps.len()), (1, 4));
    center
});

on_each_database!(two_authors_do_not_overwrite_each_other, async |center: Center| {
    let (first, second) = (business("home-visit", &[TIMER]), business("home-visit", &[WAIT]));
    let request = publication(&first, 0);
    let published = center.try_to_publish(request.clone()).await.expect("published");
    assert_eq!((published.version, published.author.as_str()), (1, "anna"));
    center.try_to_publish(publication(&second, 1)).await.expect("published");
    let overtaken = error(center.try_to_publish(publication(&first, 1)).await);
    assert_eq!(overtaken.reason, "TEMPLATE_OVERTAKEN");
    assert_eq!(overtaken.metadata["version"], "2");
    assert_eq!(center.try_to_publish(request.clone()).await.expect("the first answer"), published);
    let other = proto::PublishTemplateRequest { reason: "other".to_owned(), ..request };
    assert_eq!(reason(center.try_to_publish(other).await), "REQUEST_ID_REUSED");
    // The text that is in force makes no version.
    let same = center.try_to_publish(publication(&second, 0)).await.expect("published");
    assert_eq!(same.version, 2);
    let wrong = proto::PublishTemplateRequest { expected_version: -1, ..Default::default() };
    let fields = wrong_fields(center.try_to_publish(wrong).await);
    assert_eq!(fields, ["request_id", "reason", "expected_version"]);
    center
});

on_each_database!(an_earlier_version_can_be_put_in_force_again, async |center: Center| {
    center.publish(&business("home-visit", &[ACTIVATE])).await;
    center.publish(&business("home-visit", &[OPEN_ACCOUNT])).await;
    let back = center.roll_back("home-visit", 1).await.expect("rolled back");
    assert_eq!((back.version, back.in_force), (1, true));
    let mut center = {
        center.outside.effects();
        center.restart().await
    };
    let id = center.submit(one_visit()).await;
    let order = center.completes(&id).await;
    assert_eq!(business_order(&order, "visit").template_version, 1);
    assert_eq!(center.outside.active(), ["activate visit"]);
    let newest = center.template("home-visit", 2).await.expect("there still");
    assert!(!newest.in_force);
    // The next one counts on from the newest.
    assert_eq!(center.publish(&business("home-visit", &[TIMER])).await.version, 3);
    for (name, version) in [("home-visit", 4), ("no-such", 1)] {
        assert_eq!(reason(center.roll_back(name, version).await), "TEMPLATE_NOT_FOUND");
    }
    assert_eq!(wrong_fields(center.roll_back("", 0).await), ["name", "version"]);
    center
});

on_each_database!(versions_are_compared_by_path, async |center: Center| {
    center.publish(&business("home-visit", &[WAIT])).await;
    center.publish(&business("home-visit", &[&WAIT.replace("2h", "3h"), TIMER])).await;
    let diff = async |from_version, to_version| {
        let name = "home-visit".to_owned();
        let request = proto::DiffTemplatesRequest { name, from_version, to_version };
        let answer = center.templates().diff_templates(operator(request)).await?;
        Ok::<_, tonic::Status>(answer.into_inner().differences)
    };
    let differences = diff(0, 0).await.expect("differences");
    let texts = |all: &[proto::TemplateDifference]| {
        let text = |one: &proto::TemplateDifference| {
            (one.path.clone(), one.before.clone(), one.after.clone())
        };
        all.iter().map(text).collect::<Vec<_>>()
    };
    let changed = ("steps[visited].timeout".to_owned(), "2h".to_owned(), "3h".to_owned());
    assert!(texts(&differences).contains(&changed), "{differences:#?}");
    let added = ("steps[rest].timer.for".to_owned(), String::new(), "1h".to_owned());
    assert!(texts(&differences).contains(&added), "{differences:#?}");
    let back = diff(2, 1).await.expect("differences");
    let removed = ("steps[rest].timer.for".to_owned(), "1h".to_owned(), String::new());
    assert!(texts(&back).contains(&removed), "{back:#?}");
    assert!(diff(1, 1).await.expect("differences").is_empty());
    assert_eq!(reason(diff(1, 9).await), "TEMPLATE_NOT_FOUND");
    center
});

on_each_database!(templates_are_listed_by_name_and_by_version, async |center: Center| {
    for steps in [&[TIMER][..], &[WAIT], &[ACTIVATE]] {
        center.publish(&business("home-visit", steps)).await;
    }
    center.roll_back("home-visit", 2).await.expect("rolled back");
    let all = async |name: &str| {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let name = name.to_owned();
            let request = proto::ListTemplatesRequest { page_size: 2, page_token, name };
            let answer = center.templates().list_templates(operator(request)).await.expect("list");
            let answer = answer.into_inner();
            assert!(answer.templates.iter().all(|template| template.source.is_empty()));
            seen.extend(answer.templates.into_iter().map(|t| (t.name, t.version, t.in_force)));
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                return seen;
            }
        }
    };
    let versions = [3, 2, 1].map(|version| ("home-visit".to_owned(), version, version == 2));
    assert_eq!(all("home-visit").await, versions);
    let in_force = all("").await;
    assert!(in_force.contains(&("home-visit".to_owned(), 2, true)));
    assert!(in_force.contains(&("telecom-plan".to_owned(), 1, true)));
    assert!(in_force.len() > 16 && in_force.is_sorted() && in_force.iter().all(|one| one.2));
    assert!(all("no-such").await.is_empty());
    let template = center.template("home-visit", 0).await.expect("there");
    assert_eq!((template.version, template.step_ids), (2, vec!["visited".to_owned()]));
    assert_eq!(template.source, business("home-visit", &[WAIT]));
    let shipped = center.template("standard", 1).await.expect("there");
    assert_eq!((shipped.author.as_str(), shipped.kind()), ("platform", TemplateKind::Order));
    assert_eq!(shipped.step_ids, ["prepare", "reserve", "pay", "allocate"]);
    center
});

on_each_database!(
    a_template_is_played_on_a_stored_order_without_calling_anybody,
    async |mut center: Center| {
        let id = center.submit(one_plan()).await;
        let before = center.completes(&id).await;
        let calls = center.outside.calls().len();
        let skipped = TIMER.replace("id: rest", "id: rest, when: 'items.size() > 1'");
        let source = business("home-visit", &[ACTIVATE, &skipped, WAIT]);
        let play = async |source: &str, name: &str, order_id: &str| {
            let request = proto::SimulateTemplateRequest {
                source: source.to_owned(),
                name: name.to_owned(),
                order_id: order_id.to_owned(),
                ..Default::default()
            };
            let answer = center.templates().simulate_template(operator(request)).await?;
            Ok::<_, tonic::Status>(answer.into_inner().steps)
        };
        let steps = play(&source, "", &id).await.expect("played");
        let runs: Vec<_> = steps.iter().map(|step| (step.step_id.as_str(), step.runs)).collect();
        assert_eq!(runs, [("activate", true), ("rest", false), ("visited", true)]);
        let request: serde_json::Value = serde_json::from_str(&steps[0].request).expect("JSON");
        assert_eq!(request["orderId"], id);
        assert_eq!(request["offeringCode"], "plan-4g");
        assert!(steps[2].request.is_empty() && steps[2].note.contains("visit.done"));
        let own = play("", "audited", &id).await.expect("played");
        let ids: Vec<_> = own.iter().map(|step| step.step_id.as_str()).collect();
        assert_eq!(ids, ["prepare", "audit", "reserve", "pay", "allocate"]);
        assert_eq!(center.get(&id).await, before);
        assert_eq!(center.outside.calls().len(), calls, "nobody was called");
        assert_eq!(reason(play("", "no-such", &id).await), "TEMPLATE_NOT_FOUND");
        assert_eq!(reason(play("template: x", "", &id).await), "TEMPLATE_INVALID");
        assert_eq!(
            reason(play(&source, "", "ord_00000000000000000000000000").await),
            "ORDER_NOT_FOUND"
        );
        assert_eq!(wrong_fields(play(&source, "standard", &id).await), ["source"]);
        center
    }
);
