//! What the center refuses, one variant per thing that a caller can act on.

use std::collections::BTreeSet;

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};

use crate::pool::{PoolCode, PoolKind};
use crate::reservation::{ReservationId, ReservationState};

/// Domain of this center's errors.
pub(crate) const DOMAIN: &str = "resource";

/// A refusal: nothing was changed, and the same request will be answered the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nobody received stock under this code.
    #[error("pool {0} does not exist; receive stock into it first")]
    PoolNotFound(String),
    /// The pool holds the other kind of thing.
    #[error("pool {pool} is {}, and this needs {}", pool_kind.as_str(), needed.as_str())]
    PoolKindMismatch {
        /// Pool.
        pool: PoolCode,
        /// What it holds.
        pool_kind: PoolKind,
        /// What the request needs.
        needed: PoolKind,
    },
    /// Fewer units than asked for may be taken.
    #[error("pool {pool} has {available} available, {requested} are asked for")]
    InsufficientStock {
        /// Pool.
        pool: PoolCode,
        /// Units asked for, summed over the request.
        requested: i64,
        /// Units that may be taken.
        available: i64,
    },
    /// The item is in the pool already.
    #[error("item {item} is in pool {pool} already")]
    ItemExists {
        /// Pool.
        pool: PoolCode,
        /// Item.
        item: String,
    },
    /// No reservation has this id.
    #[error("reservation {0} does not exist")]
    ReservationNotFound(String),
    /// The hold was over before.
    #[error("reservation {reservation} expired; make a new one")]
    ReservationExpired {
        /// Reservation.
        reservation: ReservationId,
        /// When.
        at: Instant,
    },
    /// The reservation ended in another way.
    #[error("reservation {reservation} is {} and can no longer change so", state.as_str())]
    ReservationResolved {
        /// Reservation.
        reservation: ReservationId,
        /// State it is in.
        state: ReservationState,
        /// When it came there.
        at: Instant,
    },
    /// More units would come back than are in use.
    #[error(
        "line {line_key} of reservation {reservation} has {used} in use, {requested} should come back"
    )]
    QuantityExceedsUsed {
        /// Reservation.
        reservation: ReservationId,
        /// Line.
        line_key: String,
        /// Units that should come back.
        requested: i64,
        /// Units in use.
        used: i64,
    },
    /// The reservation has no such line.
    #[error("a field does not fit the reservation")]
    LineUnknown {
        /// Path of the field.
        path: String,
        /// Reservation.
        reservation: ReservationId,
    },
    /// The line has units of several pools, and not all of them come back.
    #[error(
        "line {line_key} of reservation {reservation} has units of {} pools; say by pool_code which \
         come back, one line for each pool",
        pools.len()
    )]
    PoolCodeNeeded {
        /// Path of the field.
        path: String,
        /// Reservation.
        reservation: ReservationId,
        /// Line.
        line_key: String,
        /// Pools of the line.
        pools: BTreeSet<PoolCode>,
    },
    /// The line has nothing of the pool.
    #[error("a field does not fit the reservation")]
    LinePoolUnknown {
        /// Path of the field.
        path: String,
        /// Reservation.
        reservation: ReservationId,
        /// Line.
        line_key: String,
    },
}

impl Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::PoolNotFound(_) | Self::ReservationNotFound(_) => Kind::NotFound,
            Self::ItemExists { .. } => Kind::AlreadyExists,
            Self::LineUnknown { .. }
            | Self::PoolCodeNeeded { .. }
            | Self::LinePoolUnknown { .. } => Kind::Invalid,
            Self::PoolKindMismatch { .. }
            | Self::InsufficientStock { .. }
            | Self::ReservationExpired { .. }
            | Self::ReservationResolved { .. }
            | Self::QuantityExceedsUsed { .. } => Kind::Precondition,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::PoolNotFound(_) => "POOL_NOT_FOUND",
            Self::PoolKindMismatch { .. } => "POOL_KIND_MISMATCH",
            Self::InsufficientStock { .. } => "INSUFFICIENT_STOCK",
            Self::ItemExists { .. } => "ITEM_EXISTS",
            Self::ReservationNotFound(_) => "RESERVATION_NOT_FOUND",
            Self::ReservationExpired { .. } => "RESERVATION_EXPIRED",
            Self::ReservationResolved { .. } => "RESERVATION_RESOLVED",
            Self::QuantityExceedsUsed { .. } => "QUANTITY_EXCEEDS_USED",
            Self::PoolCodeNeeded { .. } => "POOL_CODE_NEEDED",
            Self::LineUnknown { .. } | Self::LinePoolUnknown { .. } => "FIELD_INVALID",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Error::new(refusal.kind(), DOMAIN, refusal.reason(), refusal.to_string());
        match refusal {
            Refusal::PoolNotFound(pool) => error.with("pool", pool),
            Refusal::PoolKindMismatch { pool, pool_kind, needed } => error
                .with("pool", pool)
                .with("kind", pool_kind.as_str())
                .with("needed", needed.as_str()),
            Refusal::InsufficientStock { pool, requested, available } => {
                error.with("pool", pool).with("requested", requested).with("available", available)
            }
            Refusal::ItemExists { pool, item } => error.with("pool", pool).with("item_id", item),
            Refusal::ReservationNotFound(id) => error.with("reservation_id", id),
            Refusal::ReservationExpired { reservation, at } => error
                .with("reservation_id", reservation)
                .with("state", ReservationState::Expired.as_str())
                .with("time", at.to_proto()),
            Refusal::ReservationResolved { reservation, state, at } => error
                .with("reservation_id", reservation)
                .with("state", state.as_str())
                .with("time", at.to_proto()),
            Refusal::QuantityExceedsUsed { reservation, line_key, requested, used } => error
                .with("reservation_id", reservation)
                .with("line_key", line_key)
                .with("requested", requested)
                .with("used", used),
            Refusal::LineUnknown { path, reservation } => {
                let mut error = error.with("reservation_id", &reservation);
                let wrong = format!("must be the key of a line of reservation {reservation}");
                error.fields.push((path, wrong));
                error
            }
            Refusal::PoolCodeNeeded { path, reservation, line_key, pools } => {
                let pools: Vec<_> = pools.iter().map(PoolCode::as_str).collect();
                let wrong = format!("must be one of {}", pools.join(", "));
                let mut error =
                    error.with("reservation_id", reservation).with("line_key", line_key);
                error.fields.push((path, wrong));
                error.with("pools", pools.join(","))
            }
            Refusal::LinePoolUnknown { path, reservation, line_key } => {
                let wrong =
                    format!("must be a pool of line {line_key} of reservation {reservation}");
                let mut error =
                    error.with("reservation_id", reservation).with("line_key", line_key);
                error.fields.push((path, wrong));
                error
            }
        }
    }
}
