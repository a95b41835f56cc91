//! `order cancel`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;

use super::part::{business_order, label};
use super::{head, read};
use crate::args::CancelOrder;
use crate::connection::{Session, bounded, refused};
use crate::console::amount;

pub(super) async fn run(session: &Session, wanted: CancelOrder) -> Result<ExitCode, Error> {
    // The order as it is before: its parts have names for persons, and a cancel of all needs none of them.
    let named = wanted.preview || !wanted.business_orders.is_empty() || !session.console.is_json();
    let before = if named { read(session, &wanted.id).await? } else { Default::default() };
    let business_order_ids = wanted
        .business_orders
        .iter()
        .map(|name| Ok(business_order(&before, name)?.business_order_id.clone()))
        .collect::<Result<Vec<_>, Error>>()?;
    let mut client = OrderServiceClient::new(session.operator()?);
    let (order_id, item_keys) = (wanted.id, wanted.items);
    if wanted.preview {
        let request = proto::PreviewCancelRequest { order_id, business_order_ids, item_keys };
        let answer = client.preview_cancel(bounded(request)).await.map_err(refused)?.into_inner();
        return session.console.answer(&answer, |answer| {
            show_plan(session, &before, &answer.plan.clone().unwrap_or_default());
        });
    }
    let request = proto::CancelOrderRequest {
        request_id: wanted.once.id(),
        order_id,
        reason: wanted.reason.unwrap_or_default(),
        business_order_ids,
        item_keys,
    };
    let answer = client.cancel_order(bounded(request)).await.map_err(refused)?.into_inner();
    session.console.answer(&answer, |answer| {
        let order = answer.order.clone().unwrap_or_default();
        session.console.line(head(&order));
        show_plan(session, &order, &answer.plan.clone().unwrap_or_default());
    })
}

/// Says what becomes of each part, by the names that persons know them by.
fn show_plan(session: &Session, order: &proto::CustomerOrder, plan: &proto::CancelPlan) {
    let name = |id: &String| {
        let found = order.business_orders.iter().find(|one| one.business_order_id == *id);
        found.map_or_else(|| id.clone(), label)
    };
    let names = |ids: &[String]| ids.iter().map(name).collect::<Vec<_>>().join(", ");
    for (what, ids) in [
        ("never ran, ends", &plan.cancel),
        ("undone", &plan.undo),
        ("taken back anew", &plan.reverse),
        ("kept", &plan.keep),
        ("needs a person", &plan.needs_person),
    ] {
        if !ids.is_empty() {
            session.console.line(format!("{what:<15}  {}", names(ids)));
        }
    }
    session.console.line(format!("{:<15}  {}", "refunded", amount(plan.refund.as_ref())));
}
