//! `template …`

use std::path::Path;
use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::template_service_client::TemplateServiceClient;

use crate::args::{TemplateCommand, Why};
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, date_time, short};
use crate::pages;

mod simulation;

pub(super) async fn run(session: &Session, command: TemplateCommand) -> Result<ExitCode, Error> {
    let console = session.console;
    let mut client = TemplateServiceClient::new(session.operator()?);
    match command {
        TemplateCommand::List { name, limit } => list(session, name, limit.rows).await,
        TemplateCommand::Show { name, version } => {
            let request = bounded(proto::GetTemplateRequest { name, version });
            let answer = client.get_template(request).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| {
                let template = answer.template.clone().unwrap_or_default();
                show(console, &template);
                console.line("");
                console.line(template.source.trim_end());
            })
        }
        TemplateCommand::Check { file } => check(session, &file).await,
        TemplateCommand::Publish { file, expected_version, why } => {
            publish(session, &file, expected_version, why).await
        }
        TemplateCommand::Rollback { name, version, why } => {
            let (request_id, reason) = (why.once.id(), why.reason);
            let request = proto::RollbackTemplateRequest { request_id, name, version, reason };
            let answer = client.rollback_template(bounded(request)).await.map_err(refused)?;
            console.answer(&answer.into_inner(), |answer| {
                show(console, &answer.template.clone().unwrap_or_default());
            })
        }
        TemplateCommand::Diff { name, from, to } => {
            let (from_version, to_version) = (from, to);
            let request = proto::DiffTemplatesRequest { name, from_version, to_version };
            let answer = client.diff_templates(bounded(request)).await.map_err(refused)?;
            console.answer(&answer.into_inner(), |answer| differences(console, answer))
        }
        TemplateCommand::Simulate(wanted) => simulation::run(session, wanted).await,
    }
}

async fn list(session: &Session, name: Option<String>, limit: u32) -> Result<ExitCode, Error> {
    let client = TemplateServiceClient::new(session.operator()?);
    let name = name.unwrap_or_default();
    let found = pages::read(limit, |page_size, page_token| {
        let name = name.clone();
        let request = bounded(proto::ListTemplatesRequest { page_size, page_token, name });
        let mut client = client.clone();
        async move {
            let page = client.list_templates(request).await.map_err(refused)?.into_inner();
            Ok((page.templates, page.next_page_token))
        }
    })
    .await?;
    let heading =
        ["TEMPLATE", "VERSION", "KIND", "IN FORCE", "BY", "PUBLISHED (UTC)", "TITLE", "WHY"];
    session.console.list(&found, heading, row)
}

fn row(template: &proto::Template) -> [String; 8] {
    [
        template.name.clone(),
        template.version.to_string(),
        kind(template).to_owned(),
        if template.in_force { "yes" } else { "" }.to_owned(),
        template.author.clone(),
        date_time(template.publish_time.as_ref()),
        template.title.clone(),
        template.reason.clone(),
    ]
}

fn kind(template: &proto::Template) -> &'static str {
    short(template.kind().as_str_name(), "TEMPLATE_KIND_")
}

fn show(console: Console, template: &proto::Template) {
    let proto::Template { name, version, title, author, reason, .. } = template;
    let force = if template.in_force { "in force" } else { "not in force" };
    console.line(format!("template  {name} v{version}  {}  {force}", kind(template)));
    console.line(format!("title     {title}"));
    let at = date_time(template.publish_time.as_ref());
    console.line(format!("by        {author} at {at}: {reason}"));
    console.line(format!("steps     {}", template.step_ids.join(", ")));
}

async fn check(session: &Session, file: &Path) -> Result<ExitCode, Error> {
    let source = super::seed::read(file)?;
    let answer = TemplateServiceClient::new(session.operator()?)
        .check_template(bounded(proto::CheckTemplateRequest { source }))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        let lines = answer.findings.iter().flat_map(|one| finding(file, one));
        lines.for_each(|line| session.console.line(line));
        if answer.findings.is_empty() {
            session.console.line(format!("{}: nothing is wrong", file.display()));
        }
    })?;
    let clean = answer.findings.is_empty();
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A finding as compilers write theirs, so that editors lead to its place.
fn finding(file: &Path, found: &proto::TemplateFinding) -> Vec<String> {
    let proto::TemplateFinding { line, column, path, code, message, remedy } = found;
    let place = if path.is_empty() { String::new() } else { format!(" ({path})") };
    let mut lines = vec![format!("{}:{line}:{column}: {code} {message}{place}", file.display())];
    if !remedy.is_empty() {
        lines.push(format!("  {remedy}"));
    }
    lines
}

async fn publish(
    session: &Session,
    file: &Path,
    expected_version: i64,
    why: Why,
) -> Result<ExitCode, Error> {
    let (request_id, source) = (why.once.id(), super::seed::read(file)?);
    let reason = why.reason;
    let request = proto::PublishTemplateRequest { request_id, source, reason, expected_version };
    let answer = TemplateServiceClient::new(session.operator()?)
        .publish_template(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        show(session.console, &answer.template.clone().unwrap_or_default());
    })
}

fn differences(console: Console, answer: &proto::DiffTemplatesResponse) {
    if answer.differences.is_empty() {
        console.line("no difference");
    }
    for proto::TemplateDifference { path, before, after } in &answer.differences {
        console.line(path);
        before.lines().for_each(|line| console.line(format!("  - {line}")));
        after.lines().for_each(|line| console.line(format!("  + {line}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_stands_with_its_place_and_its_remedy() {
        let found = proto::TemplateFinding {
            line: 12,
            column: 5,
            path: "steps[1].after".to_owned(),
            code: "STEP_UNKNOWN".to_owned(),
            message: "there is no step pack".to_owned(),
            remedy: "name a step of this template".to_owned(),
        };
        assert_eq!(
            finding(Path::new("a.yaml"), &found),
            [
                "a.yaml:12:5: STEP_UNKNOWN there is no step pack (steps[1].after)",
                "  name a step of this template",
            ]
        );
    }
}
