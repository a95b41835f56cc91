//! What authors do with templates: check, publish, roll back, compare.

use std::sync::Arc;

use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Kind as ErrorKind, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_proto::order::v1 as proto;
use throughline_proto::prost_reflect::DescriptorPool;
use tokio::sync::Semaphore;

use crate::convert;
use crate::error::{DOMAIN, OrderError};
use crate::peers::Reflection;
use crate::store::template::{Publish, PutInForce};
use crate::template::{Finding, Kind, MAX_TEMPLATE_BYTES, Template, compile, diff};
use crate::templates::{Capabilities, Record, Templates};

const PUBLISH: &str = "throughline.order.v1.TemplateService/PublishTemplate";
const ROLLBACK: &str = "throughline.order.v1.TemplateService/RollbackTemplate";
/// Characters of a reason at most.
const MAX_REASON_LENGTH: usize = 200;

/// Documents that are compiled or played at a time: on a small machine this leaves a processor to those who serve calls.
pub(crate) const MAX_TEMPLATES_AT_WORK: usize = 1;

/// What authors do with templates.
#[derive(Clone, Debug)]
pub(crate) struct Publishing {
    /// What is published.
    pub(crate) templates: Templates,
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Knows capabilities that are not part of the platform.
    pub(crate) reflection: Reflection,
    /// Time.
    pub(crate) clock: Clock,
    /// Turns of [`MAX_TEMPLATES_AT_WORK`].
    pub(crate) turns: Arc<Semaphore>,
}

/// A document that was compiled, or what is wrong with it; and the descriptors that it needs besides the platform's.
type Checked = (Result<Template, Vec<Finding>>, DescriptorPool);

impl Publishing {
    /// Says everything that is wrong with a document.
    pub(crate) async fn check(
        &self,
        request: &proto::CheckTemplateRequest,
    ) -> Result<proto::CheckTemplateResponse, Error> {
        let (checked, _) = self.compile(&request.source).await?;
        let findings = checked.err().unwrap_or_default();
        Ok(proto::CheckTemplateResponse {
            findings: findings.iter().map(convert::finding).collect(),
        })
    }

    /// Compiles a document. Capabilities that the platform does not know are looked up at the gateway.
    pub(crate) async fn compile(&self, source: &str) -> Result<Checked, Error> {
        let (first, known) = self.compile_knowing(source, Capabilities::default()).await?;
        let missing = known.missing();
        // What is too large is not read at all: nothing of it is looked up.
        if missing.is_empty() || source.len() > MAX_TEMPLATE_BYTES {
            return Ok((first.and_then(|read| self.with_reversal(read)), DescriptorPool::new()));
        }
        let others = self.reflection.descriptors(&missing).await?;
        let (second, _) = self.compile_knowing(source, Capabilities::of(others.clone())).await?;
        Ok((second.and_then(|read| self.with_reversal(read)), others))
    }

    async fn compile_knowing(
        &self,
        source: &str,
        known: Capabilities,
    ) -> Result<(Result<Template, Vec<Finding>>, Capabilities), Error> {
        let source = source.to_owned();
        self.beside(move || (compile(&source, 1, &known), known)).await
    }

    /// Does something beside what serves calls: to compile a document of the largest size, or to play one with the most costly
    /// expressions, takes its time. Those that come together wait for each other, each in its turn.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|cause| Error::internal(DOMAIN, cause))?;
        let done = tokio::task::spawn_blocking(move || {
            // Held until it ends, though nobody waits for it any more.
            let _turn = turn;
            work()
        });
        done.await.map_err(|cause| Error::internal(DOMAIN, cause))
    }

    /// Refuses a template whose reversal is not published: it would be missed only when it is needed.
    fn with_reversal(&self, template: Template) -> Result<Template, Vec<Finding>> {
        let named = template.reversal.as_ref();
        let Some(name) =
            named.filter(|name| self.templates.in_force(name, Kind::Business).is_none())
        else {
            return Ok(template);
        };
        let text = format!("reversal: {name}");
        let line = template.source.lines().position(|line| line.trim_start().starts_with(&text));
        Err(vec![Finding {
            line: u32::try_from(line.unwrap_or(0) + 1).unwrap_or(u32::MAX),
            column: 1,
            path: "reversal".to_owned(),
            code: "REVERSAL_UNKNOWN",
            message: format!("no template for delivery is named {name:?}"),
            remedy: "publish it first".to_owned(),
        }])
    }

    /// Compiles a document, or refuses it with all that is wrong with it.
    pub(crate) async fn compiled(&self, source: &str) -> Result<Template, Error> {
        self.compile(source).await?.0.map_err(|findings| invalid(&findings))
    }

    /// Publishes a document as the next version of its name.
    pub(crate) async fn publish(
        &self,
        caller: &Caller,
        request: proto::PublishTemplateRequest,
    ) -> Result<proto::PublishTemplateResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
        wrong.length("reason", &request.reason, 1, MAX_REASON_LENGTH);
        if request.expected_version < 0 {
            wrong.add("expected_version", "must be a version, or 0 for any");
        }
        wrong.finish()?;
        let key = key(caller, request_id, PUBLISH, &request)?;
        let (checked, others) = self.compile(&request.source).await?;
        let template = checked.map_err(|findings| invalid(&findings))?;
        if let Some(same) = self.already_in_force(&template.name, &request.source) {
            return Ok(proto::PublishTemplateResponse { template: Some(same) });
        }
        let record = Record {
            name: template.name,
            version: 0,
            kind: template.kind,
            title: template.title,
            source: request.source,
            descriptors: if others.files().next().is_some() {
                others.encode_to_vec()
            } else {
                Vec::new()
            },
            author: caller.name.clone(),
            reason: request.reason,
            published_at: self.clock.now(),
        };
        let publish = Publish { record, expected: request.expected_version, take_effect: true };
        let published = self.idempotency.once(key, Answered(publish)).await;
        self.templates.reload().await?;
        published
    }

    fn already_in_force(&self, name: &str, source: &str) -> Option<proto::Template> {
        let version = self.templates.in_force_version(name)?;
        let record = self.templates.record(name, version)?;
        (record.source == source).then(|| convert::record(&record, Some(version), true))
    }

    /// Puts an earlier version in force again.
    pub(crate) async fn rollback(
        &self,
        caller: &Caller,
        request: proto::RollbackTemplateRequest,
    ) -> Result<proto::RollbackTemplateResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
        wrong.length("name", &request.name, 1, 64);
        wrong.length("reason", &request.reason, 1, MAX_REASON_LENGTH);
        if request.version < 1 {
            wrong.add("version", "must be a version, from 1");
        }
        wrong.finish()?;
        let key = key(caller, request_id, ROLLBACK, &request)?;
        let (name, version) = (request.name, request.version);
        let put = PutInForce { name: name.clone(), version };
        let done = self.idempotency.once(key, put).await;
        self.templates.reload().await?;
        done
    }

    /// Reads one version.
    pub(crate) fn get(&self, name: &str, version: i64) -> Result<proto::Template, Error> {
        let in_force = self.templates.in_force_version(name);
        let record = self.record(name, version)?;
        let mut template = convert::record(&record, in_force, true);
        if let Some(compiled) = self.templates.version(name, record.version) {
            template.step_ids = compiled.steps.iter().map(|step| step.id.clone()).collect();
        }
        Ok(template)
    }

    /// One version as it is stored; 0 for the one in force.
    fn record(&self, name: &str, version: i64) -> Result<Arc<Record>, Error> {
        let wanted = match version {
            0 => self.templates.in_force_version(name).unwrap_or(0),
            version => version,
        };
        let missing = || OrderError::TemplateNotFound(name.to_owned(), version);
        self.templates.record(name, wanted).ok_or_else(|| missing().into())
    }

    /// Lists the versions in force by name, or all versions of one name, newest first.
    pub(crate) fn list(
        &self,
        request: &proto::ListTemplatesRequest,
    ) -> Result<proto::ListTemplatesResponse, Error> {
        let page: Page<String> = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut records = match request.name.as_str() {
            "" => self.templates.all_in_force(),
            name => self.templates.versions(name),
        };
        // By name, and the newest of a name first: a place in the list is a name and how old the version is.
        let place = |record: &Record| format!("{} {:020}", record.name, i64::MAX - record.version);
        if let Some(after) = &page.after {
            records.retain(|record| place(record) > *after);
        }
        records.truncate(usize::try_from(page.fetch_limit()).unwrap_or(usize::MAX));
        let (records, next_page_token) = page.cut(records, |record| place(record));
        let write = |record: &Arc<Record>| {
            convert::record(record, self.templates.in_force_version(&record.name), false)
        };
        let templates = records.iter().map(write).collect();
        Ok(proto::ListTemplatesResponse { templates, next_page_token })
    }

    /// Says what differs between two versions.
    pub(crate) fn diff(
        &self,
        request: &proto::DiffTemplatesRequest,
    ) -> Result<proto::DiffTemplatesResponse, Error> {
        let to = self.record(&request.name, request.to_version)?;
        let from = match request.from_version {
            0 => to.version - 1,
            version => version,
        };
        let from = self.record(&request.name, from.max(1))?;
        let version = |record: &Record| -> Result<Arc<Template>, OrderError> {
            let missing = || OrderError::TemplateNotFound(record.name.clone(), record.version);
            self.templates.version(&record.name, record.version).ok_or_else(missing)
        };
        let (from, to) = (version(&from)?, version(&to)?);
        let differences = diff(&from, &to);
        let differences = differences.iter().map(convert::difference).collect();
        Ok(proto::DiffTemplatesResponse { differences })
    }
}

fn key<M: prost::Message>(
    caller: &Caller,
    request_id: Option<RequestId>,
    method: &'static str,
    request: &M,
) -> Result<RequestKey, Error> {
    let request_id = request_id
        .ok_or_else(|| Error::internal(DOMAIN, "a request id without violation was not read"))?;
    Ok(RequestKey::new(&caller.name, request_id, method, request))
}

/// A refused document: what is wrong stands in the fields, each with its line.
fn invalid(findings: &[Finding]) -> Error {
    let message = format!(
        "the template has {} findings; `CheckTemplate` lists them with what to do",
        findings.len()
    );
    let fields = findings.iter().map(|finding| {
        let Finding { line, path, code, message, remedy, .. } = finding;
        (path.clone(), format!("line {line}: {code}: {message}; {remedy}"))
    });
    let error = Error::new(ErrorKind::Invalid, DOMAIN, "TEMPLATE_INVALID", message);
    Error { fields: fields.collect(), ..error }
}

/// A publication, answered with the version that it made.
#[derive(Debug)]
struct Answered(Publish);

impl throughline_kit::storage::Change for Answered {
    type Output = proto::PublishTemplateResponse;

    async fn apply(&self, tx: &mut throughline_kit::storage::Tx) -> Result<Self::Output, Error> {
        let version = self.0.apply(tx).await?;
        let record = Record { version, ..self.0.record.clone() };
        let template = Some(convert::record(&record, Some(version), true));
        Ok(proto::PublishTemplateResponse { template })
    }
}
