//! Work of persons: tasks, and decisions about what failed.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{FailurePolicy, FormFieldType, OrderState, StepState, TaskKind};

use crate::desk::{WHY, completion, tasks_of_group};
use crate::fixture::Center;
use crate::flows::{ALLOCATE, CHECK, PAY, PREPARE, RESERVE, own, with};
use crate::outside::Behavior;
use crate::requests::{
    business_states, error, from_operator, gbp, mugs, one_plan, operator, reason, step,
};

const DAY: u64 = 86_400;

/// Two mugs whose order a person looks at before they are paid.
fn audited() -> proto::SubmitOrderRequest {
    proto::SubmitOrderRequest { template: "audited".to_owned(), ..mugs(2) }
}

/// What a person fills in.
type Form<'a> = &'a [(&'a str, &'a str)];

/// An order that waits for a person's look; the order, and the task.
async fn looked_at(center: &mut Center, template: &str) -> (proto::CustomerOrder, proto::Task) {
    let submission = proto::SubmitOrderRequest { template: template.to_owned(), ..mugs(2) };
    let id = center.submit(submission).await;
    let order = center.becomes(&id, OrderState::Pending).await;
    let task = center.task_of(&id).await;
    (order, task)
}

on_each_database!(a_task_carries_the_order_on_once_it_is_done, async |mut center: Center| {
    let (order, task) = looked_at(&mut center, "audited").await;
    assert_eq!(step(&order, "", "audit").task_id, task.task_id);
    assert_eq!((task.kind(), task.step_id.as_str()), (TaskKind::Step, "audit"));
    assert_eq!((task.group.as_str(), task.claimed_by.as_str()), ("back-office", ""));
    assert_eq!((&task.order_id, task.template.as_str()), (&order.order_id, "audited"));
    let until = center.clock.now().plus(Duration::from_secs(2 * DAY)).to_proto();
    assert_eq!(task.deadline, Some(until));
    let fields: Vec<_> =
        task.form.iter().map(|f| (f.field.as_str(), f.r#type(), f.required)).collect();
    let expected = [("approved", FormFieldType::Bool, true), ("note", FormFieldType::Text, false)];
    assert_eq!(fields, expected);
    assert!(center.outside.calls_of("StartAttempt").is_empty(), "nobody pays before");
    let request = proto::GetTaskRequest { task_id: task.task_id.clone() };
    let read = center.tasks().get_task(operator(request)).await.expect("the task");
    assert_eq!(read.into_inner().task, Some(task.clone()));
    let form = [("approved", "true"), ("note", "well known")];
    center.complete("anna", &task.task_id, &form).await.expect("done");
    let order = center.completes(&order.order_id).await;
    assert_eq!(step(&order, "", "audit").saved["note"], "\"well known\"");
    assert!(step(&order, "", "audit").task_id.is_empty());
    let told = center.told("task.completed").await;
    assert_eq!((told.actor.as_str(), told.note.as_str()), ("operator:anna", WHY));
    center
});

on_each_database!(tasks_are_listed_by_group_person_and_order, async |mut center: Center| {
    center.publish(&own("checked", &[PREPARE, CHECK, PAY])).await;
    let mut made = Vec::new();
    for template in ["audited", "checked", "audited"] {
        made.push(looked_at(&mut center, template).await.1);
        center.advance(60);
    }
    center.claim("anna", &made[2].task_id).await.expect("claimed");
    let ids = |tasks: Vec<proto::Task>| tasks.into_iter().map(|t| t.task_id).collect::<Vec<_>>();
    // A day is sooner over than two.
    let expected = [1, 0, 2].map(|index: usize| made[index].task_id.clone());
    assert_eq!(ids(center.list_tasks(tasks_of_group("back-office")).await), expected);
    assert!(center.list_tasks(tasks_of_group("supervisors")).await.is_empty());
    let of_anna =
        proto::ListTasksRequest { claimed_by: "operator:anna".to_owned(), ..Default::default() };
    assert_eq!(ids(center.list_tasks(of_anna).await), expected[2..]);
    assert_eq!(center.task_of(&made[1].order_id).await.task_id, made[1].task_id);
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListTasksRequest { page_size: 2, page_token, ..Default::default() };
        let answer =
            center.tasks().list_tasks(operator(request)).await.expect("tasks").into_inner();
        assert!(answer.tasks.len() <= 2);
        seen.extend(ids(answer.tasks));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, expected);
    let wrong = proto::ListTasksRequest { page_token: "nonsense".to_owned(), ..Default::default() };
    assert_eq!(reason(center.tasks().list_tasks(operator(wrong)).await), "PAGE_TOKEN_INVALID");
    center
});

on_each_database!(a_task_belongs_to_one_person_at_a_time, async |mut center: Center| {
    let (order, task) = looked_at(&mut center, "audited").await;
    let id = &task.task_id;
    let claimed = center.claim("anna", id).await.expect("claimed");
    assert_eq!(claimed.claimed_by, "operator:anna");
    assert_eq!(center.claim("anna", id).await.expect("hers already"), claimed);
    let form = [("approved", "true")];
    let release = |who: &str| {
        let (request_id, task_id) = (new_request_id(), id.clone());
        from_operator(
            who,
            proto::ReleaseTaskRequest { request_id, task_id, reason: WHY.to_owned() },
        )
    };
    let refusals = [
        error(center.claim("boris", id).await),
        error(center.complete("boris", id, &form).await),
        error(center.tasks().release_task(release("boris")).await),
    ];
    for refused in refusals {
        assert_eq!(refused.reason, "TASK_CLAIMED");
        assert_eq!(refused.metadata["claimed_by"], "operator:anna");
    }
    let center = center.restart().await;
    assert_eq!(center.task_of(&order.order_id).await.claimed_by, "operator:anna");
    let freed = center.tasks().release_task(release("anna")).await.expect("released");
    assert_eq!(freed.into_inner().task.expect("a task").claimed_by, "");
    center.claim("boris", id).await.expect("claimed");
    assert_eq!(reason(center.complete("anna", id, &form).await), "TASK_CLAIMED");
    center.complete("boris", id, &form).await.expect("done");
    center.completes(&order.order_id).await;
    for (kind, actor) in [("task.claimed", "operator:anna"), ("task.released", "operator:anna")] {
        assert_eq!(center.told(kind).await.actor, actor);
    }
    center
});

on_each_database!(a_form_that_is_wrong_names_its_fields, async |mut center: Center| {
    center.publish(&own("checked", &[PREPARE, CHECK, PAY])).await;
    let (order, task) = looked_at(&mut center, "checked").await;
    let long = "x".repeat(1_001);
    let table: [(Form<'_>, &[&str]); 8] = [
        (&[], &["form.approved"]),
        (&[("approved", "perhaps")], &["form.approved"]),
        (&[("approved", "true"), ("floor", "high")], &["form.floor"]),
        (&[("approved", "true"), ("day", "2026-02-30")], &["form.day"]),
        (&[("approved", "true"), ("slot", "noon")], &["form.slot"]),
        (&[("approved", "true"), ("colour", "red")], &["form.colour"]),
        (&[("approved", "no"), ("floor", "")], &["form.approved", "form.floor"]),
        (&[("approved", "true"), ("slot", &long)], &["form.slot"]),
    ];
    for (form, expected) in table {
        let refused = error(center.complete("anna", &task.task_id, form).await);
        let fields: Vec<_> = refused.fields.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!((refused.reason.as_str(), fields.as_slice()), ("FORM_INVALID", expected));
    }
    let form = [("approved", "true"), ("floor", "2.5"), ("day", "2026-02-28"), ("slot", "evening")];
    center.complete("anna", &task.task_id, &form).await.expect("done");
    let order = center.completes(&order.order_id).await;
    let saved = &step(&order, "", "check").saved;
    assert_eq!((saved["floor"].as_str(), saved["slot"].as_str()), ("2.5", "\"evening\""));
    center
});

on_each_database!(a_person_may_refuse_and_the_order_says_why, async |mut center: Center| {
    let (order, task) = looked_at(&mut center, "audited").await;
    center.complete("anna", &task.task_id, &[("approved", "false")]).await.expect("done");
    let order = center.becomes(&order.order_id, OrderState::Rejected).await;
    assert_eq!(order.failure.expect("a failure").reason, "AUDIT_REFUSED");
    assert_eq!((center.outside.held(), center.outside.taken("mug")), (0, 0));
    center
});

on_each_database!(
    a_repeated_request_has_its_first_answer_though_the_task_is_gone,
    async |mut center: Center| {
        let (order, task) = looked_at(&mut center, "audited").await;
        let request = completion(&task.task_id, &[("approved", "true")]);
        let complete = async |center: &Center, request: &proto::CompleteTaskRequest| {
            let request = from_operator("anna", request.clone());
            center.tasks().complete_task(request).await.map(tonic::Response::into_inner)
        };
        let first = complete(&center, &request).await.expect("done");
        center.completes(&order.order_id).await;
        assert_eq!(complete(&center, &request).await.expect("the first answer"), first);
        let center = center.restart().await;
        assert_eq!(complete(&center, &request).await.expect("the first answer"), first);
        let other = proto::CompleteTaskRequest { reason: "other".to_owned(), ..request };
        assert_eq!(reason(complete(&center, &other).await), "REQUEST_ID_REUSED");
        let form = [("approved", "true")];
        for id in [task.task_id.as_str(), "tsk_00000000000000000000000000", "nonsense"] {
            let refused = error(center.complete("anna", id, &form).await);
            assert_eq!(
                (refused.reason.as_str(), refused.metadata["task"].as_str()),
                ("TASK_NOT_FOUND", id)
            );
            assert_eq!(reason(center.claim("anna", id).await), "TASK_NOT_FOUND");
            let get = proto::GetTaskRequest { task_id: id.to_owned() };
            assert_eq!(reason(center.tasks().get_task(operator(get)).await), "TASK_NOT_FOUND");
        }
        center
    }
);

on_each_database!(
    a_task_that_is_not_done_in_time_goes_to_others_who_may_do_it,
    async |mut center: Center| {
        let id = center.submit(audited()).await;
        center.becomes(&id, OrderState::Pending).await;
        let task = center.task_of(&id).await;
        center.claim("anna", &task.task_id).await.expect("claimed");
        center.advance(2 * DAY);
        let escalated = |order: &proto::CustomerOrder| order.attention;
        center.until(&id, "it is escalated", escalated).await;
        let late = crate::monitors::lateness(&center).await;
        assert_eq!(late, [(id.clone(), proto::Lateness::TimedOut)]);
        let task = center.task_of(&id).await;
        assert_eq!((task.group.as_str(), task.claimed_by.as_str()), ("supervisors", ""));
        assert!(task.escalated && task.deadline.is_none());
        assert_eq!(center.list_tasks(tasks_of_group("supervisors")).await[0], task);
        assert!(center.list_tasks(tasks_of_group("back-office")).await.is_empty());
        center.complete("boris", &task.task_id, &[("approved", "true")]).await.expect("done");
        assert!(!center.completes(&id).await.attention);
        assert_eq!(center.told("task.escalated").await.step_id, "audit");
        center
    }
);

on_each_database!(
    a_task_that_goes_to_nobody_else_fails_when_its_time_is_over,
    async |mut center: Center| {
        center.publish(&own("checked", &[PREPARE, RESERVE, CHECK, PAY])).await;
        let (order, _) = looked_at(&mut center, "checked").await;
        center.advance(DAY);
        let order = center.becomes(&order.order_id, OrderState::Rejected).await;
        assert_eq!(order.failure.expect("a failure").reason, "TASK_TIMED_OUT");
        assert_eq!(center.outside.held(), 0);
        assert!(center.list_tasks(proto::ListTasksRequest::default()).await.is_empty());
        center
    }
);

on_each_database!(
    the_deadline_of_a_task_moves_with_a_pause_and_the_list_knows_it,
    async |mut center: Center| {
        let (first, _) = looked_at(&mut center, "audited").await;
        center.advance(60);
        let (second, _) = looked_at(&mut center, "audited").await;
        center.pause(&first.order_id, crate::desk::whole()).await.expect("paused");
        let order_ids = async || {
            let tasks = center.list_tasks(proto::ListTasksRequest::default()).await;
            tasks.into_iter().map(|task| task.order_id).collect::<Vec<_>>()
        };
        let expected = [second.order_id.clone(), first.order_id.clone()];
        assert_eq!(order_ids().await, expected);
        assert_eq!(center.task_of(&first.order_id).await.deadline, None);
        center.advance(DAY);
        center.resume(&first.order_id, crate::desk::whole()).await.expect("resumed");
        assert_eq!(order_ids().await, expected);
        let deadline = center.task_of(&first.order_id).await.deadline.expect("a deadline");
        let left = Instant::from_proto(&deadline).since(center.clock.now());
        assert_eq!(left, Duration::from_secs(2 * DAY - 60));
        center
    }
);

/// A plan whose activation was refused, under a policy that asks; the order as it then is.
async fn asking(center: &mut Center, policy: FailurePolicy) -> proto::CustomerOrder {
    center.outside.next("ActivateService", &[Behavior::Refuse("NO_LINE_AT_ADDRESS")]);
    let submission = proto::SubmitOrderRequest { failure_policy: policy.into(), ..one_plan() };
    let id = center.submit(submission).await;
    center.line_becomes(&id, "plan", proto::BusinessOrderState::Exception).await
}

on_each_database!(a_person_decides_how_to_go_on_after_a_failure, async |mut center: Center| {
    let table = [
        ("RETRY", OrderState::Completed, "DONE", 1_000),
        ("SKIP", OrderState::Completed, "DONE", 1_000),
        ("BRANCH", OrderState::Failed, "COMPENSATED", 0),
        ("WHOLE", OrderState::Cancelled, "COMPENSATED", 0),
    ];
    for policy in [FailurePolicy::Ask, FailurePolicy::Forward] {
        for (decision, ends, line, paid) in table {
            let order = asking(&mut center, policy).await;
            assert_eq!(order.state(), OrderState::InProgress);
            assert!(order.attention);
            let id = &order.order_id;
            let task = center.task_of(id).await;
            assert_eq!((task.kind(), task.group.as_str()), (TaskKind::Decision, "back-office"));
            let failure = task.failure.as_ref().expect("what failed");
            assert_eq!(failure.reason, "NO_LINE_AT_ADDRESS");
            assert_eq!(task.form[0].options, ["RETRY", "SKIP", "BRANCH", "WHOLE"]);
            let refused = center.complete("olga", &task.task_id, &[("decision", "MAYBE")]).await;
            let refused = error(refused);
            assert_eq!(refused.reason, "FORM_INVALID");
            assert_eq!(refused.fields[0].0, "form.decision");
            center.decide(id, decision).await;
            let order = center.becomes(id, ends).await;
            assert_eq!(business_states(&order), [("plan", line)], "{decision}");
            assert_eq!(order.paid, gbp(paid), "{decision}");
            assert!(!order.attention, "{decision}");
            let skipped = step(&order, "plan", "activate").state() == StepState::Skipped;
            assert_eq!(skipped, decision == "SKIP");
        }
    }
    assert!(center.list_tasks(proto::ListTasksRequest::default()).await.is_empty());
    // What is tried again is another request: the first one was refused for ever.
    assert_eq!(center.outside.ids_of("ActivateService").len(), 10);
    center
});

on_each_database!(a_step_may_name_who_decides_about_it, async |mut center: Center| {
    let reserve = with(
        "  - id: reserve\n    activity: reserve\n",
        "on_failure: MANUAL\n    on_failure_group: stock-desk",
    );
    center.publish(&own("careful", &[PREPARE, &reserve, PAY, ALLOCATE])).await;
    let submission = || proto::SubmitOrderRequest { template: "careful".to_owned(), ..mugs(1) };
    let asks = async |center: &mut Center| {
        center.outside.next("CreateReservation", &[Behavior::Refuse("INSUFFICIENT_STOCK")]);
        let id = center.submit(submission()).await;
        center.stands(&id, "", "reserve", StepState::Failed).await;
        let tasks = center.list_tasks(tasks_of_group("stock-desk")).await;
        assert_eq!(tasks.len(), 1);
        assert!(center.get(&id).await.attention);
        id
    };
    let id = asks(&mut center).await;
    center.decide(&id, "RETRY").await;
    center.completes(&id).await;
    let id = asks(&mut center).await;
    center.decide(&id, "BRANCH").await;
    let order = center.becomes(&id, OrderState::Rejected).await;
    assert_eq!(order.failure.as_ref().expect("a failure").reason, "INSUFFICIENT_STOCK");
    assert!(!order.attention && center.list_tasks(tasks_of_group("stock-desk")).await.is_empty());
    // Nobody decides any more about an order that somebody cancelled.
    let id = asks(&mut center).await;
    center.cancel(&id).await.expect("cancelled");
    let order = center.becomes(&id, OrderState::Cancelled).await;
    assert!(!order.attention && center.list_tasks(tasks_of_group("stock-desk")).await.is_empty());
    center
});
