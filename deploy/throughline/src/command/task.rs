//! `task …`

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::task_service_client::TaskServiceClient;

use crate::args::{TaskCommand, TaskForm, TaskList};
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, date_time, short};
use crate::{given, pages};

pub(super) async fn run(session: &Session, command: TaskCommand) -> Result<ExitCode, Error> {
    let console = session.console;
    let said = |task: &Option<proto::Task>| show(console, &task.clone().unwrap_or_default());
    let mut client = TaskServiceClient::new(session.operator()?);
    match command {
        TaskCommand::List(wanted) => list(session, wanted).await,
        TaskCommand::Show { id } => {
            let request = bounded(proto::GetTaskRequest { task_id: id });
            let answer = client.get_task(request).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| said(&answer.task))
        }
        TaskCommand::Claim { id, once } => {
            let request = proto::ClaimTaskRequest { request_id: once.id(), task_id: id };
            let answer = client.claim_task(bounded(request)).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| said(&answer.task))
        }
        TaskCommand::Release { id, reason, once } => {
            let request = proto::ReleaseTaskRequest { request_id: once.id(), task_id: id, reason };
            let answer = client.release_task(bounded(request)).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| said(&answer.task))
        }
        TaskCommand::Complete(form) => complete(session, form).await,
    }
}

async fn list(session: &Session, wanted: TaskList) -> Result<ExitCode, Error> {
    let client = TaskServiceClient::new(session.operator()?);
    let request = proto::ListTasksRequest {
        group: wanted.group.unwrap_or_default(),
        claimed_by: if wanted.mine { session.actor() } else { String::new() },
        order_id: wanted.order.unwrap_or_default(),
        ..proto::ListTasksRequest::default()
    };
    let found = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListTasksRequest { page_size, page_token, ..request.clone() };
        let mut client = client.clone();
        async move {
            let page = client.list_tasks(bounded(request)).await.map_err(refused)?.into_inner();
            Ok((page.tasks, page.next_page_token))
        }
    })
    .await?;
    let heading = ["TASK", "KIND", "GROUP", "TAKEN BY", "UNTIL (UTC)", "ORDER", "STEP", "TITLE"];
    session.console.list(&found, heading, row)
}

fn row(task: &proto::Task) -> [String; 8] {
    [
        task.task_id.clone(),
        short(task.kind().as_str_name(), "TASK_KIND_").to_owned(),
        group(task),
        if task.claimed_by.is_empty() { "-".to_owned() } else { task.claimed_by.clone() },
        date_time(task.deadline.as_ref()),
        task.order_id.clone(),
        format!("{}/{}", task.template, task.step_id),
        task.title.clone(),
    ]
}

fn group(task: &proto::Task) -> String {
    let late = if task.escalated { " (late)" } else { "" };
    format!("{}{late}", task.group)
}

fn show(console: Console, task: &proto::Task) {
    let kind = short(task.kind().as_str_name(), "TASK_KIND_");
    let who = if task.claimed_by.is_empty() { "nobody has it" } else { &task.claimed_by };
    console.line(format!("task      {}  {kind}  {}", task.task_id, task.title));
    console.line(format!("order     {}  {}/{}", task.order_id, task.template, task.step_id));
    console.line(format!("group     {}, {who}", group(task)));
    let (since, until) = (date_time(task.create_time.as_ref()), date_time(task.deadline.as_ref()));
    console.line(format!("since     {since}, until {until}"));
    if let Some(failure) = &task.failure {
        let (reason, domain, message) = (&failure.reason, &failure.domain, &failure.message);
        console.line(format!("failure   {reason} ({domain}): {message}"));
    }
    console.line("");
    let rows: Vec<[String; 4]> = task.form.iter().map(field).collect();
    console.table(["FIELD", "TYPE", "", "TITLE"], &rows);
}

fn field(field: &proto::FormField) -> [String; 4] {
    let kind = short(field.r#type().as_str_name(), "FORM_FIELD_TYPE_");
    [
        field.field.clone(),
        if field.options.is_empty() { kind.to_owned() } else { field.options.join(" | ") },
        if field.required { "required" } else { "" }.to_owned(),
        field.title.clone(),
    ]
}

async fn complete(session: &Session, wanted: TaskForm) -> Result<ExitCode, Error> {
    let mut form = wanted.form.as_deref().map(read_form).transpose()?.unwrap_or_default();
    form.extend(given::pairs("--set", &wanted.fields)?);
    let request = proto::CompleteTaskRequest {
        request_id: wanted.once.id(),
        task_id: wanted.id,
        form: form.into_iter().collect(),
        reason: wanted.reason,
    };
    let answer = TaskServiceClient::new(session.operator()?)
        .complete_task(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        let order = answer.order.clone().unwrap_or_default();
        let state = short(order.state().as_str_name(), "ORDER_STATE_");
        session.console.line(format!("order     {}  {state}", order.order_id));
    })
}

/// Reads a form: each field's value is text, a number, or true or false.
fn read_form(file: &Path) -> Result<BTreeMap<String, String>, Error> {
    let name = file.display();
    let invalid = |cause: String| {
        Error::new(Kind::Invalid, "file", "FILE_INVALID", format!("{name}: {cause}"))
    };
    let text = super::seed::read(file)?;
    let form: BTreeMap<String, serde_yaml_ng::Value> =
        serde_yaml_ng::from_str(&text).map_err(|e| invalid(e.to_string()))?;
    form.into_iter()
        .map(|(field, value)| match value {
            serde_yaml_ng::Value::String(text) => Ok((field, text)),
            serde_yaml_ng::Value::Bool(value) => Ok((field, value.to_string())),
            serde_yaml_ng::Value::Number(number) => Ok((field, number.to_string())),
            serde_yaml_ng::Value::Null
            | serde_yaml_ng::Value::Sequence(_)
            | serde_yaml_ng::Value::Mapping(_)
            | serde_yaml_ng::Value::Tagged(_) => {
                Err(invalid(format!("{field}: expected text, a number, or true or false")))
            }
        })
        .collect()
}
