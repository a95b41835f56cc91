//! `TaskService`.

use prost::Message;
use throughline_kit::error::Error;
use throughline_kit::identity::Caller;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::task_service_server::TaskService;
use tonic::{Request, Response, Status};

use super::open;
use crate::convert;
use crate::decide::Refusal;
use crate::event::Operation;
use crate::operations::{Asked, Fields, Operations};
use crate::order::Order;
use crate::query::Query;
use crate::task::TaskId;

const CLAIM: &str = "throughline.order.v1.TaskService/ClaimTask";
const RELEASE: &str = "throughline.order.v1.TaskService/ReleaseTask";
const COMPLETE: &str = "throughline.order.v1.TaskService/CompleteTask";
/// Fields of a form, and characters of each at most.
const MAX_FORM_FIELDS: usize = 64;
const MAX_FORM_TEXT: usize = 1_000;

/// Serves `TaskService`.
#[derive(Clone, Debug)]
pub(crate) struct TaskRpc {
    /// Carries operations out.
    pub(crate) operations: Operations,
    /// Reads.
    pub(crate) query: Query,
}

impl TaskRpc {
    /// Reads a request about an open task. One that was answered before has its answer, though the task is gone.
    async fn asked<M: Message>(
        &self,
        caller: &Caller,
        method: &'static str,
        request: &M,
        fields: Fields<'_>,
        task_id: &str,
    ) -> Result<(Asked, TaskId), Error> {
        let asked = Asked::read(caller, method, request, fields, |_| {})?;
        let missing = || Refusal::TaskNotFound(task_id.to_owned());
        let id = TaskId::parse(task_id).map_err(|_| missing())?;
        let order_id = match self.query.order_of_task(task_id).await {
            Ok(order_id) => order_id,
            Err(error) => match self.operations.answered(&asked).await? {
                true => String::new(),
                false => return Err(error),
            },
        };
        Ok((Asked { order_id, ..asked }, id))
    }
}

fn fields<'a>(request_id: &'a str, reason: &'a str) -> Fields<'a> {
    Fields { request_id, order_id: "", reason, needs_reason: false }
}

/// The task in the order, where it is still open.
fn task(order: &Order, id: &TaskId) -> Option<proto::Task> {
    order.task(id).map(|(place, task)| convert::task(order, place, task))
}

#[tonic::async_trait]
impl TaskService for TaskRpc {
    async fn list_tasks(
        &self,
        request: Request<proto::ListTasksRequest>,
    ) -> Result<Response<proto::ListTasksResponse>, Status> {
        Ok(Response::new(self.query.tasks(request.into_inner()).await?))
    }

    async fn get_task(
        &self,
        request: Request<proto::GetTaskRequest>,
    ) -> Result<Response<proto::GetTaskResponse>, Status> {
        let task = Some(self.query.task(&request.into_inner().task_id).await?);
        Ok(Response::new(proto::GetTaskResponse { task }))
    }

    async fn claim_task(
        &self,
        request: Request<proto::ClaimTaskRequest>,
    ) -> Result<Response<proto::ClaimTaskResponse>, Status> {
        let (caller, request) = open(request);
        let fields = fields(&request.request_id, "");
        let (asked, id) = self.asked(&caller, CLAIM, &request, fields, &request.task_id).await?;
        let claim = Operation::Claim(id.clone());
        let answer =
            move |_: &Order, after: &Order| proto::ClaimTaskResponse { task: task(after, &id) };
        let done = self.operations.operate(asked, move |_| Ok(claim.clone()), answer).await?;
        Ok(Response::new(done))
    }

    async fn release_task(
        &self,
        request: Request<proto::ReleaseTaskRequest>,
    ) -> Result<Response<proto::ReleaseTaskResponse>, Status> {
        let (caller, request) = open(request);
        let fields = fields(&request.request_id, &request.reason);
        let (asked, id) = self.asked(&caller, RELEASE, &request, fields, &request.task_id).await?;
        let release = Operation::Release(id.clone());
        let answer =
            move |_: &Order, after: &Order| proto::ReleaseTaskResponse { task: task(after, &id) };
        let done = self.operations.operate(asked, move |_| Ok(release.clone()), answer).await?;
        Ok(Response::new(done))
    }

    async fn complete_task(
        &self,
        request: Request<proto::CompleteTaskRequest>,
    ) -> Result<Response<proto::CompleteTaskResponse>, Status> {
        let (caller, request) = open(request);
        check_form(&request)?;
        let fields = fields(&request.request_id, &request.reason);
        let (asked, id) = self.asked(&caller, COMPLETE, &request, fields, &request.task_id).await?;
        let complete = Operation::Complete(id, request.form);
        let answer = |_: &Order, after: &Order| proto::CompleteTaskResponse {
            order: Some(convert::customer_order(after)),
        };
        let done = self.operations.operate(asked, move |_| Ok(complete.clone()), answer).await?;
        Ok(Response::new(done))
    }
}

fn check_form(request: &proto::CompleteTaskRequest) -> Result<(), Error> {
    let too_long = request.form.iter().filter(|(name, value)| {
        name.chars().count() > MAX_FORM_TEXT || value.chars().count() > MAX_FORM_TEXT
    });
    let mut wrong: Vec<(String, String)> = too_long
        .map(|(name, _)| {
            let name: String = name.chars().take(64).collect();
            (name, format!("must have at most {MAX_FORM_TEXT} characters"))
        })
        .collect();
    if request.form.len() > MAX_FORM_FIELDS {
        wrong.push((String::new(), format!("a form has at most {MAX_FORM_FIELDS} fields")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::FormInvalid(wrong).into()) }
}
