//! What operators do with orders, in short words.

use std::collections::BTreeMap;

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::hold_service_client::HoldServiceClient;
use throughline_proto::order::v1::monitor_service_client::MonitorServiceClient;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;
use throughline_proto::order::v1::task_service_client::TaskServiceClient;
use throughline_proto::order::v1::template_service_client::TemplateServiceClient;
use throughline_proto::order::v1::{CustomerOrder, OrderState, Target};
use tonic::Status;
use tonic::transport::Channel;

use crate::fixture::Center;
use crate::requests::{business_order, changed, from_operator, hall, operator};

/// What the operators of these tests say.
pub(crate) const WHY: &str = "the customer called";

/// The whole order.
pub(crate) fn whole() -> Target {
    Target::default()
}

/// The business order of a line.
pub(crate) fn of_line(order: &CustomerOrder, item_key: &str) -> Target {
    let business_order_id = business_order(order, item_key).business_order_id.clone();
    Target { business_order_id, step_id: String::new() }
}

/// A step of the business order of a line; "" stands for the order's own.
pub(crate) fn of_step(order: &CustomerOrder, item_key: &str, step_id: &str) -> Target {
    let whose = if item_key.is_empty() { whole() } else { of_line(order, item_key) };
    Target { step_id: step_id.to_owned(), ..whose }
}

/// Operations that say an order, what of it, and why.
macro_rules! on_a_target {
    ($($name:ident by $method:ident($request:ident);)*) => {
        impl Center {
            $(pub(crate) async fn $name(
                &self,
                order_id: &str,
                target: Target,
            ) -> Result<CustomerOrder, Status> {
                let request = proto::$request {
                    request_id: new_request_id(),
                    order_id: order_id.to_owned(),
                    target: Some(target),
                    reason: WHY.to_owned(),
                };
                let answer = self.operations().$method(operator(request)).await?;
                Ok(answer.into_inner().order.expect("an order"))
            })*
        }
    };
}

on_a_target! {
    pause by pause_order(PauseOrderRequest);
    resume by resume_order(ResumeOrderRequest);
    retry by retry_step(RetryStepRequest);
    skip by skip_step(SkipStepRequest);
    substitute by substitute_step(SubstituteStepRequest);
    rerun by rerun_step(RerunStepRequest);
    prove_undone by prove_undone(ProveUndoneRequest);
}

/// Filters of tasks.
pub(crate) fn tasks_of_group(group: &str) -> proto::ListTasksRequest {
    proto::ListTasksRequest { group: group.to_owned(), ..Default::default() }
}

impl Center {
    pub(crate) fn operations(&self) -> OperationServiceClient<Channel> {
        OperationServiceClient::new(self.channel.clone())
    }

    pub(crate) fn monitors(&self) -> MonitorServiceClient<Channel> {
        MonitorServiceClient::new(self.channel.clone())
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel.clone())
    }

    pub(crate) fn holds(&self) -> HoldServiceClient<Channel> {
        HoldServiceClient::new(self.channel.clone())
    }

    pub(crate) fn templates(&self) -> TemplateServiceClient<Channel> {
        TemplateServiceClient::new(self.channel.clone())
    }

    /// Publishes a document over whatever is in force.
    pub(crate) async fn publish(&self, source: &str) -> proto::Template {
        let request = proto::PublishTemplateRequest {
            request_id: new_request_id(),
            source: source.to_owned(),
            reason: WHY.to_owned(),
            expected_version: 0,
        };
        let answer = self.templates().publish_template(operator(request)).await;
        answer.expect("published").into_inner().template.expect("a template")
    }

    /// Pauses for all orders: a template, or else a method.
    pub(crate) async fn hold_all(&self, template: &str, method: &str) -> Result<(), Status> {
        self.plan_hold(template, method, proto::HoldCapabilityRequest::default()).await
    }

    /// Pauses a template, or else a method, for all orders at the times of `planned`.
    pub(crate) async fn plan_hold(
        &self,
        template: &str,
        method: &str,
        planned: proto::HoldCapabilityRequest,
    ) -> Result<(), Status> {
        let request = proto::HoldCapabilityRequest {
            request_id: new_request_id(),
            template: template.to_owned(),
            method: method.to_owned(),
            reason: WHY.to_owned(),
            ..planned
        };
        self.holds().hold_capability(operator(request)).await.map(|_| ())
    }

    /// Lets all orders go on: a template, or else a method.
    pub(crate) async fn release_all(&self, template: &str, method: &str) -> Result<(), Status> {
        let request = proto::ReleaseCapabilityRequest {
            request_id: new_request_id(),
            template: template.to_owned(),
            method: method.to_owned(),
            reason: WHY.to_owned(),
        };
        self.holds().release_capability(operator(request)).await.map(|_| ())
    }

    pub(crate) async fn list_tasks(&self, filter: proto::ListTasksRequest) -> Vec<proto::Task> {
        let answer = self.tasks().list_tasks(operator(filter)).await.expect("tasks");
        answer.into_inner().tasks
    }

    /// The only open task of an order.
    pub(crate) async fn task_of(&self, order_id: &str) -> proto::Task {
        let filter =
            proto::ListTasksRequest { order_id: order_id.to_owned(), ..Default::default() };
        let tasks = self.list_tasks(filter).await;
        assert_eq!(tasks.len(), 1, "{tasks:#?}");
        tasks.into_iter().next().expect("one")
    }

    pub(crate) async fn claim(&self, who: &str, task_id: &str) -> Result<proto::Task, Status> {
        let (request_id, task_id) = (new_request_id(), task_id.to_owned());
        let request = from_operator(who, proto::ClaimTaskRequest { request_id, task_id });
        let answer = self.tasks().claim_task(request).await?;
        Ok(answer.into_inner().task.expect("a task"))
    }

    /// Completes a task as one of the operators.
    pub(crate) async fn complete(
        &self,
        who: &str,
        task_id: &str,
        form: &[(&str, &str)],
    ) -> Result<CustomerOrder, Status> {
        let request = completion(task_id, form);
        let answer = self.tasks().complete_task(from_operator(who, request)).await?;
        Ok(answer.into_inner().order.expect("an order"))
    }

    /// Decides about a step that failed.
    pub(crate) async fn decide(&self, order_id: &str, decision: &str) -> CustomerOrder {
        let task = self.task_of(order_id).await;
        assert_eq!(task.kind(), proto::TaskKind::Decision);
        let decided = self.complete("olga", &task.task_id, &[("decision", decision)]).await;
        decided.expect("decided")
    }

    /// Tells an order that something happened.
    pub(crate) async fn signal(&self, order_id: &str, event: &str) -> Result<(), Status> {
        self.signal_with(signal(order_id, event)).await
    }

    pub(crate) async fn signal_with(
        &self,
        request: proto::SignalOrderRequest,
    ) -> Result<(), Status> {
        self.callbacks().signal_order(request).await.map(|_| ())
    }

    /// What of an order is cancelled, or would be.
    pub(crate) async fn preview_parts(
        &self,
        request: &proto::CancelOrderRequest,
    ) -> Result<proto::CancelPlan, Status> {
        let request = proto::PreviewCancelRequest {
            order_id: request.order_id.clone(),
            business_order_ids: request.business_order_ids.clone(),
            item_keys: request.item_keys.clone(),
        };
        let answer = self.orders.clone().preview_cancel(hall(request)).await?;
        Ok(answer.into_inner().plan.expect("a plan"))
    }

    pub(crate) async fn cancel_parts(
        &self,
        request: proto::CancelOrderRequest,
    ) -> Result<proto::CancelOrderResponse, Status> {
        let answer = self.orders.clone().cancel_order(hall(request)).await?;
        Ok(answer.into_inner())
    }

    /// Who did what of a kind, and what they said, as the feed tells it.
    pub(crate) async fn told(&self, kind: &str) -> proto::OrderChanged {
        let events = self.events_until(kind).await;
        changed(events.last().filter(|event| event.r#type == kind).unwrap_or_else(|| {
            let mut found = events.iter().filter(|event| event.r#type == kind);
            found.next().expect("the feed was read until there")
        }))
    }

    /// Waits until a step of an order stands so.
    pub(crate) async fn stands(
        &self,
        order_id: &str,
        of: &str,
        step_id: &str,
        state: proto::StepState,
    ) -> CustomerOrder {
        let what = format!("{step_id} of {of:?} is {}", state.as_str_name());
        let stands = |order: &CustomerOrder| crate::requests::stands(order, of, step_id, state);
        self.until(order_id, &what, stands).await
    }

    /// Waits until the business order of a line stands so.
    pub(crate) async fn line_becomes(
        &self,
        order_id: &str,
        item_key: &str,
        state: proto::BusinessOrderState,
    ) -> CustomerOrder {
        let what = format!("{item_key} is {}", state.as_str_name());
        let stands = |order: &CustomerOrder| {
            let mut all = order.business_orders.iter();
            all.any(|one| {
                one.reverses.is_empty()
                    && one.item_keys.iter().any(|key| key == item_key)
                    && one.state() == state
            })
        };
        self.until(order_id, &what, stands).await
    }

    /// Waits, while the clock stands still, until an order completes.
    pub(crate) async fn completes(&self, order_id: &str) -> CustomerOrder {
        self.becomes(order_id, OrderState::Completed).await
    }
}

pub(crate) fn completion(task_id: &str, form: &[(&str, &str)]) -> proto::CompleteTaskRequest {
    let field = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    proto::CompleteTaskRequest {
        request_id: new_request_id(),
        task_id: task_id.to_owned(),
        form: form.iter().map(field).collect::<BTreeMap<_, _>>(),
        reason: WHY.to_owned(),
    }
}

pub(crate) fn signal(order_id: &str, event: &str) -> proto::SignalOrderRequest {
    proto::SignalOrderRequest {
        request_id: new_request_id(),
        order_id: order_id.to_owned(),
        event: event.to_owned(),
        ..Default::default()
    }
}

/// A cancel of the business orders of some lines.
pub(crate) fn cancel_of(order: &CustomerOrder, item_keys: &[&str]) -> proto::CancelOrderRequest {
    let id = |key: &&str| business_order(order, key).business_order_id.clone();
    proto::CancelOrderRequest {
        request_id: new_request_id(),
        order_id: order.order_id.clone(),
        reason: WHY.to_owned(),
        business_order_ids: item_keys.iter().map(id).collect(),
        item_keys: Vec::new(),
    }
}

/// A cancel of some lines.
pub(crate) fn cancel_of_lines(order_id: &str, item_keys: &[&str]) -> proto::CancelOrderRequest {
    proto::CancelOrderRequest {
        request_id: new_request_id(),
        order_id: order_id.to_owned(),
        reason: WHY.to_owned(),
        business_order_ids: Vec::new(),
        item_keys: item_keys.iter().map(|key| (*key).to_owned()).collect(),
    }
}
