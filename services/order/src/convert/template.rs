//! Templates as their authors see them.

use throughline_proto::order::v1 as proto;

use crate::template::{Change, Difference, Finding, Kind};
use crate::templates::Record;

/// Writes a version; without its document in lists.
pub(crate) fn record(record: &Record, in_force: Option<i64>, with_source: bool) -> proto::Template {
    let kind = match record.kind {
        Kind::Order => proto::TemplateKind::Order,
        Kind::Business => proto::TemplateKind::Business,
    };
    proto::Template {
        name: record.name.clone(),
        version: record.version,
        kind: kind.into(),
        title: record.title.clone(),
        source: if with_source { record.source.clone() } else { String::new() },
        in_force: in_force == Some(record.version),
        author: record.author.clone(),
        reason: record.reason.clone(),
        publish_time: Some(record.published_at.to_proto()),
        step_ids: Vec::new(),
    }
}

/// Writes what is wrong.
pub(crate) fn finding(finding: &Finding) -> proto::TemplateFinding {
    proto::TemplateFinding {
        line: i32::try_from(finding.line).unwrap_or(i32::MAX),
        column: i32::try_from(finding.column).unwrap_or(i32::MAX),
        path: finding.path.clone(),
        code: finding.code.to_owned(),
        message: finding.message.clone(),
        remedy: finding.remedy.clone(),
    }
}

/// Writes what differs.
pub(crate) fn difference(difference: &Difference) -> proto::TemplateDifference {
    let (before, after) = match &difference.change {
        Change::Added { new } => (String::new(), new.clone()),
        Change::Removed { old } => (old.clone(), String::new()),
        Change::Changed { old, new } | Change::Moved { old, new } => (old.clone(), new.clone()),
    };
    proto::TemplateDifference { path: difference.path.clone(), before, after }
}
