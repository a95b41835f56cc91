//! `order change`

use std::path::Path;
use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;

use super::{head, invalid};
use crate::args::ChangeOrder;
use crate::connection::{Session, bounded, refused};
use crate::console::{amount, from_yaml};

pub(super) async fn run(session: &Session, wanted: ChangeOrder) -> Result<ExitCode, Error> {
    let request = read(&wanted.file, wanted.id)?;
    let mut client = OrderServiceClient::new(session.operator()?);
    if wanted.preview {
        let answer = client.preview_change(bounded(request)).await.map_err(refused)?.into_inner();
        return session.console.answer(&answer, |answer| {
            show_plan(session, &answer.plan.clone().unwrap_or_default());
        });
    }
    let proto::PreviewChangeRequest { order_id, items, requested_start_time } = request;
    let request = proto::ChangeOrderRequest {
        request_id: wanted.once.id(),
        order_id,
        items,
        requested_start_time,
        reason: wanted.reason.unwrap_or_default(),
    };
    let answer = client.change_order(bounded(request)).await.map_err(refused)?.into_inner();
    session.console.answer(&answer, |answer| {
        session.console.line(head(&answer.order.clone().unwrap_or_default()));
        show_plan(session, &answer.plan.clone().unwrap_or_default());
    })
}

/// Reads what an order shall become; a file that names an order is only for that one.
fn read(file: &Path, order_id: String) -> Result<proto::PreviewChangeRequest, Error> {
    let text = crate::command::seed::read(file)?;
    let name = file.display().to_string();
    let document: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text)
        .map_err(|e| invalid("FILE_INVALID", format!("{name}: {e}")))?;
    let request: proto::PreviewChangeRequest = from_yaml(&name, document)?;
    if !request.order_id.is_empty() && request.order_id != order_id {
        let message = format!("{name} is for order {}, not for {order_id}", request.order_id);
        return Err(invalid("FILE_INVALID", message));
    }
    Ok(proto::PreviewChangeRequest { order_id, ..request })
}

fn show_plan(session: &Session, plan: &proto::ChangePlan) {
    for (what, keys) in [
        ("new lines", &plan.added),
        ("lines that go", &plan.removed),
        ("lines changed", &plan.changed),
        ("steps undone", &plan.undone_steps),
    ] {
        if !keys.is_empty() {
            session.console.line(format!("{what:<15}  {}", keys.join(", ")));
        }
    }
    session.console.line(format!("{:<15}  {}", "refunded", amount(plan.refund.as_ref())));
}
