//! Pools, items and movements.

use std::collections::HashSet;

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_proto::resource::v1 as proto;

use super::{MAX_KEY_LENGTH, MAX_REASON_LENGTH, check_count, finish, violations};
use crate::Config;
use crate::error::DOMAIN;
use crate::item::{Item, ItemId, ItemState};
use crate::movement::{Movement, MovementKind};
use crate::pool::{Pool, PoolCode, PoolKind};
use crate::receive::{Receipt, Stock};
use crate::store::movement::Filter;

/// Longest name of a pool, in characters.
const MAX_NAME_LENGTH: usize = 200;
/// Units in one receipt or correction at most.
const MAX_RECEIPT: i64 = 1_000_000_000;
/// Items in one receipt at most.
const MAX_ITEMS: usize = 10_000;

/// Reads what should be received.
pub(crate) fn receipts(
    request: &proto::ReceiveStockRequest,
    config: &Config,
) -> Result<(RequestId, Vec<Receipt>), Error> {
    let limit = config.max_receipts_per_request;
    if request.receipts.len() > limit {
        return Err(Error::limit(DOMAIN, "max_receipts_per_request", limit));
    }
    let limit = config.max_items_per_request;
    if request.receipts.iter().map(|r| r.item_ids.len()).sum::<usize>() > limit {
        return Err(Error::limit(DOMAIN, "max_items_per_request", limit));
    }
    let mut violations = violations();
    check_count(&mut violations, "receipts", request.receipts.len());
    let mut pools = HashSet::with_capacity(request.receipts.len());
    let mut receipts = Vec::with_capacity(request.receipts.len());
    for (i, r) in request.receipts.iter().enumerate() {
        if !pools.insert(&r.pool_code) {
            violations.add(format!("receipts[{i}].pool_code"), "must stand in one receipt only");
        }
        receipts.extend(receipt(&mut violations, i, r));
    }
    Ok((finish(violations, &request.request_id)?, receipts))
}

fn receipt(
    violations: &mut Violations,
    index: usize,
    receipt: &proto::StockReceipt,
) -> Option<Receipt> {
    let path = |field: &str| format!("receipts[{index}].{field}");
    let pool = violations.take(path("pool_code"), PoolCode::parse(&receipt.pool_code));
    violations.length(&path("name"), &receipt.name, 0, MAX_NAME_LENGTH);
    let stock = match proto::PoolKind::try_from(receipt.kind) {
        Ok(proto::PoolKind::Counted) => {
            violations.range(&path("quantity"), receipt.quantity, 0, MAX_RECEIPT);
            if !receipt.item_ids.is_empty() {
                violations.add(path("item_ids"), "must be empty for a counted pool");
            }
            Some(Stock::Units(receipt.quantity))
        }
        Ok(proto::PoolKind::Serial) => {
            if receipt.quantity != 0 {
                violations.add(path("quantity"), "must be 0 for a serial pool; its items count");
            }
            Some(Stock::Items(items(violations, &path("item_ids"), &receipt.item_ids)))
        }
        Ok(proto::PoolKind::Unspecified) | Err(_) => {
            violations.add(path("kind"), "must be COUNTED or SERIAL");
            None
        }
    };
    Some(Receipt { pool: pool?, name: receipt.name.clone(), stock: stock? })
}

fn items(violations: &mut Violations, path: &str, names: &[String]) -> Vec<ItemId> {
    if names.len() > MAX_ITEMS {
        violations.add(path, format!("must have at most {MAX_ITEMS} items, has {}", names.len()));
        return Vec::new();
    }
    let mut seen = HashSet::with_capacity(names.len());
    let mut items = Vec::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        if !seen.insert(name) {
            violations.add(format!("{path}[{i}]"), "must stand in the receipt only once");
        }
        items.extend(violations.take(format!("{path}[{i}]"), ItemId::parse(name)));
    }
    items
}

/// A correction that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Correction {
    /// Pool.
    pub(crate) pool: PoolCode,
    /// Change of the available units.
    pub(crate) delta: i64,
    /// Why.
    pub(crate) reason: String,
}

/// Reads a correction.
pub(crate) fn correction(
    request: &proto::AdjustPoolRequest,
) -> Result<(RequestId, Correction), Error> {
    let mut violations = violations();
    let pool = violations.take("pool_code", PoolCode::parse(&request.pool_code));
    violations.range("delta", request.delta, -MAX_RECEIPT, MAX_RECEIPT);
    if request.delta == 0 {
        violations.add("delta", "must not be 0");
    }
    violations.length("reason", &request.reason, 1, MAX_REASON_LENGTH);
    let request_id = finish(violations, &request.request_id)?;
    let pool = pool.expect("a wrong code is a violation");
    Ok((request_id, Correction { pool, delta: request.delta, reason: request.reason.clone() }))
}

/// Reads which movements to list.
pub(crate) fn movements(request: &proto::ListMovementsRequest) -> Result<Filter, Error> {
    let mut violations = violations();
    violations.length("order_id", &request.order_id, 0, MAX_KEY_LENGTH);
    let pool = match request.pool_code.as_str() {
        "" => None,
        code => violations.take("pool_code", PoolCode::parse(code)),
    };
    violations.finish()?;
    let order_id = Some(request.order_id.clone()).filter(|id| !id.is_empty());
    Ok(Filter { pool, order_id })
}

/// Writes a pool.
pub(crate) fn pool_to_proto(pool: Pool) -> proto::Pool {
    let kind = match pool.kind {
        PoolKind::Counted => proto::PoolKind::Counted,
        PoolKind::Serial => proto::PoolKind::Serial,
    };
    proto::Pool {
        pool_code: pool.code.to_string(),
        kind: kind.into(),
        name: pool.name,
        total: pool.buckets.total(),
        available: pool.buckets.available,
        held: pool.buckets.held,
        used: pool.buckets.used,
        quarantined: pool.buckets.quarantined,
    }
}

/// Writes an item.
pub(crate) fn item_to_proto(item: Item) -> proto::Item {
    let state = match item.state {
        ItemState::Available => proto::ItemState::Available,
        ItemState::Held => proto::ItemState::Held,
        ItemState::Assigned => proto::ItemState::Assigned,
        ItemState::Quarantined => proto::ItemState::Quarantined,
    };
    proto::Item {
        item_id: item.id.as_str().to_owned(),
        pool_code: item.pool.to_string(),
        state: state.into(),
        reservation_id: item.reservation.map(|id| id.to_string()).unwrap_or_default(),
        quarantine_end_time: item.quarantine_end.map(Instant::to_proto),
    }
}

/// Writes a movement.
pub(crate) fn movement_to_proto(movement: Movement) -> proto::Movement {
    let Movement { sequence, entry } = movement;
    let kind = match entry.kind {
        MovementKind::Receive => proto::MovementKind::Receive,
        MovementKind::Hold => proto::MovementKind::Hold,
        MovementKind::Confirm => proto::MovementKind::Confirm,
        MovementKind::Release => proto::MovementKind::Release,
        MovementKind::Expire => proto::MovementKind::Expire,
        MovementKind::Return => proto::MovementKind::Return,
        MovementKind::Quarantine => proto::MovementKind::Quarantine,
        MovementKind::Adjust => proto::MovementKind::Adjust,
        MovementKind::ReturnUnlinked => proto::MovementKind::ReturnUnlinked,
        MovementKind::Restore => proto::MovementKind::Restore,
    };
    proto::Movement {
        sequence,
        pool_code: entry.pool.to_string(),
        kind: kind.into(),
        quantity: entry.quantity,
        reservation_id: entry.reservation.map(|id| id.to_string()).unwrap_or_default(),
        order_id: entry.order_id,
        reason: entry.reason,
        occurred_time: Some(entry.at.to_proto()),
    }
}
