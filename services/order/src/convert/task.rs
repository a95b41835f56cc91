//! A task as persons see it.

use throughline_kit::clock::Instant;
use throughline_proto::order::v1 as proto;

use super::failure;
use crate::order::{Order, Place};
use crate::task::{Decision, Task, TaskKind};
use crate::template::{FormField, FormFieldType, StepWork};

/// Writes an open task of an order.
pub(crate) fn task(order: &Order, place: Place, task: &Task) -> proto::Task {
    let step = order.step(place);
    let business_order = place.business_order.map(|index| order.business_orders[index].id.as_str());
    let kind = match task.kind {
        TaskKind::Step => proto::TaskKind::Step,
        TaskKind::Decision => proto::TaskKind::Decision,
    };
    let form = match (&step.definition().work, task.kind) {
        (StepWork::Manual(manual), TaskKind::Step) => manual.form.iter().map(field).collect(),
        _ => vec![decision()],
    };
    let title = &step.definition().title;
    proto::Task {
        task_id: task.id.to_string(),
        kind: kind.into(),
        order_id: order.id.to_string(),
        business_order_id: business_order.unwrap_or_default().to_owned(),
        step_id: step.id.to_string(),
        template: order.template_of(place.business_order).to_owned(),
        title: if title.is_empty() { step.id.to_string() } else { title.clone() },
        group: task.group.clone(),
        claimed_by: task.claimed_by.clone().unwrap_or_default(),
        form,
        create_time: Some(task.opened_at.to_proto()),
        deadline: step.deadline.map(Instant::to_proto),
        escalated: task.escalated,
        failure: step.failure.as_ref().map(failure),
    }
}

fn field(field: &FormField) -> proto::FormField {
    let (kind, options) = match &field.kind {
        FormFieldType::Bool => (proto::FormFieldType::Bool, Vec::new()),
        FormFieldType::Text => (proto::FormFieldType::Text, Vec::new()),
        FormFieldType::Number => (proto::FormFieldType::Number, Vec::new()),
        FormFieldType::Date => (proto::FormFieldType::Date, Vec::new()),
        FormFieldType::Choice(options) => (proto::FormFieldType::Choice, options.clone()),
    };
    proto::FormField {
        field: field.name.clone(),
        r#type: kind.into(),
        required: field.required,
        title: field.title.clone(),
        options,
    }
}

fn decision() -> proto::FormField {
    proto::FormField {
        field: "decision".to_owned(),
        r#type: proto::FormFieldType::Choice.into(),
        required: true,
        title: "How to go on".to_owned(),
        options: Decision::ALL.iter().map(|decision| decision.as_str().to_owned()).collect(),
    }
}
