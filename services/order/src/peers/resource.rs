//! Calls to the resource center.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::reservation_service_client::ReservationServiceClient;
use throughline_proto::resource::v1::stock_service_client::StockServiceClient;

use super::{Peers, outcome, unreadable};
use crate::event::{Gain, Outcome};
use crate::order::{Action, Order};
use crate::work::Restock;

const DOMAIN: &str = "resource";

impl Peers {
    pub(super) async fn reserve(
        &self,
        order: &Order,
        request_id: String,
        ttl: Duration,
    ) -> Outcome {
        let plans = order.item_plans.as_deref().unwrap_or_default();
        let demands = order
            .items
            .iter()
            .zip(plans)
            .filter(|(item, _)| item.action != Action::Delete)
            .flat_map(|(item, plan)| plan.demands.iter().map(move |demand| (item, demand)))
            .map(|(item, (pool_code, quantity))| proto::Demand {
                line_key: item.key.clone(),
                pool_code: pool_code.clone(),
                quantity: *quantity,
            })
            .collect();
        let request = self.context(order).request(proto::CreateReservationRequest {
            request_id,
            order_id: order.id.to_string(),
            demands,
            ttl: Some(span_to_proto(ttl)),
        });
        let result =
            ReservationServiceClient::new(self.client.channel()).create_reservation(request).await;
        outcome(result, |answer| match answer.reservation {
            Some(reservation) => Outcome::Succeeded(reserved(reservation)),
            None => unreadable(DOMAIN, "reservation"),
        })
    }

    pub(super) async fn allocate(&self, order: &Order, request_id: String) -> Outcome {
        let request = self.context(order).request(proto::ConfirmReservationRequest {
            request_id,
            reservation_id: order.reservation_id.clone(),
        });
        let result =
            ReservationServiceClient::new(self.client.channel()).confirm_reservation(request).await;
        outcome(result, |_| Outcome::Succeeded(Gain::Nothing))
    }

    pub(super) async fn release(
        &self,
        order: &Order,
        request_id: String,
        reason: String,
    ) -> Outcome {
        let request = self.context(order).request(proto::ReleaseReservationRequest {
            request_id,
            reservation_id: order.reservation_id.clone(),
            reason,
        });
        let result =
            ReservationServiceClient::new(self.client.channel()).release_reservation(request).await;
        outcome(result, |_| Outcome::Succeeded(Gain::Nothing))
    }

    pub(super) async fn return_allocated(
        &self,
        order: &Order,
        request_id: String,
        item_keys: Vec<String>,
        used: bool,
        reason: String,
    ) -> Outcome {
        let disposition = if used {
            proto::ReturnDisposition::Quarantine
        } else {
            proto::ReturnDisposition::Restock
        };
        let plans = order.item_plans.as_deref().unwrap_or_default();
        let lines = order
            .items
            .iter()
            .zip(plans)
            .filter(|(item, plan)| {
                !plan.demands.is_empty() && item_keys.binary_search(&item.key).is_ok()
            })
            .map(|(item, _)| proto::ReturnLine {
                reservation_id: order.reservation_id.clone(),
                line_key: item.key.clone(),
                pool_code: String::new(),
                quantity: 0,
                disposition: disposition.into(),
            })
            .collect();
        self.return_units(order, request_id, lines, reason).await
    }

    pub(super) async fn restock(
        &self,
        order: &Order,
        request_id: String,
        restock: Restock,
    ) -> Outcome {
        let disposition = proto::ReturnDisposition::Restock.into();
        let linked = restock.linked.into_iter().map(|linked| proto::ReturnLine {
            reservation_id: linked.reservation_id,
            line_key: linked.line_key,
            pool_code: linked.pool_code,
            quantity: linked.units,
            disposition,
        });
        let unlinked = restock.unlinked.into_iter().map(|(pool_code, quantity)| {
            let (reservation_id, line_key) = (String::new(), String::new());
            proto::ReturnLine { reservation_id, line_key, pool_code, quantity, disposition }
        });
        let lines = linked.chain(unlinked).collect();
        self.return_units(order, request_id, lines, restock.reason).await
    }

    async fn return_units(
        &self,
        order: &Order,
        request_id: String,
        lines: Vec<proto::ReturnLine>,
        reason: String,
    ) -> Outcome {
        let request = self.context(order).request(proto::ReturnUnitsRequest {
            request_id,
            order_id: order.id.to_string(),
            lines,
            reason,
        });
        let result = StockServiceClient::new(self.client.channel()).return_units(request).await;
        outcome(result, |_| Outcome::Succeeded(Gain::Nothing))
    }
}

fn reserved(reservation: proto::Reservation) -> Gain {
    let mut assigned: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in reservation.lines.into_iter().filter(|line| !line.item_ids.is_empty()) {
        assigned.entry(line.line_key).or_default().extend(line.item_ids);
    }
    Gain::Reserved { reservation_id: reservation.reservation_id, assigned }
}
