//! What a back office does with orders on their way, and what outside systems tell about them.

use std::collections::BTreeMap;

use throughline::connection::bounded;
use throughline_kit::error::Error;
use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;
use throughline_proto::order::v1::step_callback_service_client::StepCallbackServiceClient;
use throughline_proto::order::v1::task_service_client::TaskServiceClient;
use throughline_proto::order::v1::template_service_client::TemplateServiceClient;
use throughline_proto::order::v1::{CustomerOrder, Step, Target, Task};
use throughline_proto::simulator::v1 as simulator;
use throughline_proto::simulator::v1::simulator_control_service_client::SimulatorControlServiceClient;
use tonic::Status;

use crate::desk::Desk;

/// Why a back office of a test does something.
const WHY: &str = "a test wants it";

/// The whole order.
pub fn whole_order() -> Target {
    Target::default()
}

/// A step of the order's own.
pub fn own_step(step_id: &str) -> Target {
    Target { step_id: step_id.to_owned(), ..Target::default() }
}

/// A step of the business order that delivers a line.
pub fn step_of(order: &CustomerOrder, item_key: &str, step_id: &str) -> Target {
    let part = part(order, item_key).expect("a business order delivers it");
    Target { business_order_id: part.business_order_id.clone(), step_id: step_id.to_owned() }
}

impl Desk {
    /// Publishes a template; its version.
    pub async fn publish(&self, source: &str) -> i64 {
        let request = order::PublishTemplateRequest {
            request_id: new_request_id(),
            source: source.to_owned(),
            reason: WHY.to_owned(),
            expected_version: 0,
        };
        let mut service = TemplateServiceClient::new(self.operator.channel());
        let answer = service.publish_template(bounded(request)).await.expect("it may be published");
        answer.into_inner().template.expect("a template").version
    }

    /// Pauses an order or a part of it.
    pub async fn pause(&self, order_id: &str, target: Target) -> Result<CustomerOrder, Error> {
        let request = order::PauseOrderRequest {
            request_id: new_request_id(),
            order_id: order_id.to_owned(),
            target: Some(target),
            reason: WHY.to_owned(),
        };
        let mut service = OperationServiceClient::new(self.operator.channel());
        let answer = service.pause_order(bounded(request)).await;
        answer.map(|answer| answer.into_inner().order.unwrap_or_default()).map_err(read)
    }

    /// Ends a pause.
    pub async fn resume(&self, order_id: &str, target: Target) -> Result<CustomerOrder, Error> {
        let request = order::ResumeOrderRequest {
            request_id: new_request_id(),
            order_id: order_id.to_owned(),
            target: Some(target),
            reason: WHY.to_owned(),
        };
        let mut service = OperationServiceClient::new(self.operator.channel());
        let answer = service.resume_order(bounded(request)).await;
        answer.map(|answer| answer.into_inner().order.unwrap_or_default()).map_err(read)
    }

    /// Tries a step at once.
    pub async fn retry(&self, order_id: &str, target: Target) -> Result<CustomerOrder, Error> {
        let request = order::RetryStepRequest {
            request_id: new_request_id(),
            order_id: order_id.to_owned(),
            target: Some(target),
            reason: WHY.to_owned(),
        };
        let mut service = OperationServiceClient::new(self.operator.channel());
        let answer = service.retry_step(bounded(request)).await;
        answer.map(|answer| answer.into_inner().order.unwrap_or_default()).map_err(read)
    }

    /// Goes on without a step.
    pub async fn skip(&self, order_id: &str, target: Target) -> Result<CustomerOrder, Error> {
        let request = order::SkipStepRequest {
            request_id: new_request_id(),
            order_id: order_id.to_owned(),
            target: Some(target),
            reason: WHY.to_owned(),
        };
        let mut service = OperationServiceClient::new(self.operator.channel());
        let answer = service.skip_step(bounded(request)).await;
        answer.map(|answer| answer.into_inner().order.unwrap_or_default()).map_err(read)
    }

    /// Open tasks of an order, or of all where it is empty.
    pub async fn tasks(&self, order_id: &str) -> Vec<Task> {
        let request =
            order::ListTasksRequest { order_id: order_id.to_owned(), ..Default::default() };
        let mut service = TaskServiceClient::new(self.operator.channel());
        service.list_tasks(bounded(request)).await.expect("tasks").into_inner().tasks
    }

    /// Waits for the task of a step.
    pub async fn task(&self, order_id: &str, step_id: &str) -> Task {
        eventually(&format!("the task {step_id} of order {order_id}"), || async {
            self.tasks(order_id).await.into_iter().find(|task| task.step_id == step_id)
        })
        .await
    }

    /// Completes a task with its form.
    pub async fn complete(
        &self,
        task_id: &str,
        form: &[(&str, &str)],
    ) -> Result<CustomerOrder, Error> {
        let entries = form.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned()));
        let request = order::CompleteTaskRequest {
            request_id: new_request_id(),
            task_id: task_id.to_owned(),
            form: entries.collect::<BTreeMap<_, _>>(),
            reason: WHY.to_owned(),
        };
        let mut service = TaskServiceClient::new(self.operator.channel());
        let answer = service.complete_task(bounded(request)).await;
        answer.map(|answer| answer.into_inner().order.unwrap_or_default()).map_err(read)
    }

    /// Tells an order that something happened, as an outside system does.
    pub async fn signal(&self, order_id: &str, event: &str) -> Result<(), Error> {
        let request = order::SignalOrderRequest {
            request_id: new_request_id(),
            order_id: order_id.to_owned(),
            event: event.to_owned(),
            ..Default::default()
        };
        let mut service = StepCallbackServiceClient::new(self.system.channel());
        service.signal_order(bounded(request)).await.map(|_| ()).map_err(read)
    }

    /// Lets the simulators behave again.
    pub async fn behave(&self) {
        let mut control = SimulatorControlServiceClient::new(self.operator.channel());
        control.clear_rules(bounded(simulator::ClearRulesRequest {})).await.expect("cleared");
    }
}

/// A step of an order: of its own, or of the business order that delivers a line.
pub fn step<'o>(
    order: &'o CustomerOrder,
    item_key: Option<&str>,
    step_id: &str,
) -> Option<&'o Step> {
    let steps = match item_key {
        None => &order.steps,
        Some(key) => &part(order, key)?.steps,
    };
    steps.iter().find(|step| step.step_id == step_id)
}

/// The business order that delivers a line.
pub fn part<'o>(order: &'o CustomerOrder, item_key: &str) -> Option<&'o order::BusinessOrder> {
    let delivers = |bo: &&order::BusinessOrder| {
        bo.reverses.is_empty() && bo.item_keys.iter().any(|key| key == item_key)
    };
    order.business_orders.iter().find(delivers)
}

/// Reads what a call was refused with.
fn read(status: Status) -> Error {
    Error::from_status(&status)
}
