//! The calls that an order makes, with everything that they need.

use std::time::Duration;

use throughline_kit::money::Money;

use crate::event::Direction;
use crate::order::Place;

/// A call to make, or a question to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// Step that it is for.
    pub(crate) place: Place,
    /// Which way it goes.
    pub(crate) direction: Direction,
    /// What to do.
    pub(crate) task: Task,
    /// Request id of the call: the same for every repetition.
    pub(crate) request_id: String,
    /// Our reference at outside systems: the same for every repetition.
    pub(crate) reference: String,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Check, price, decompose.
    Prepare,
    /// Hold stock for the order's lines.
    Reserve {
        /// How long.
        ttl: Duration,
    },
    /// Take the money.
    Pay {
        /// How much.
        amount: Money,
    },
    /// Close what was not paid and learn how it stands.
    ClosePayment {
        /// How much is owed.
        amount: Money,
    },
    /// Turn what is held into used.
    Allocate,
    /// Give back what is held.
    Release {
        /// Why.
        reason: String,
    },
    /// Give back what was used: lines of the order's reservation, by key.
    ReturnAllocated {
        /// Lines.
        item_keys: Vec<String>,
        /// They were in use.
        used: bool,
        /// Why.
        reason: String,
    },
    /// Take back what an earlier order, or nobody, bought.
    Restock(Restock),
    /// Give money back.
    Refund {
        /// Payment order; empty for a refund without one.
        payment_order_id: String,
        /// How much.
        amount: Money,
        /// Why.
        reason: String,
    },
    /// Learn how a refund stands.
    AskRefund {
        /// Refund.
        refund_id: String,
    },
    /// Switch a service on.
    Activate(ServiceOrder),
    /// Switch it off.
    Deactivate {
        /// Reference that switched it on.
        activation_reference: String,
    },
    /// Begin monthly charging.
    OpenAccount {
        /// What for.
        service: ServiceOrder,
        /// How much each month.
        recurring: Money,
    },
    /// End it.
    CloseAccount {
        /// Reference that began it.
        open_reference: String,
    },
    /// Send a parcel.
    Ship {
        /// Offerings and units.
        lines: Vec<(String, i64)>,
    },
    /// Call it back.
    CancelShipment {
        /// Reference that sent it.
        shipment_reference: String,
    },
    /// Learn how an operation of an outside system stands.
    AskOperation(System),
}

/// Outside systems that are asked by our reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Provisioning.
    Provisioning,
    /// Billing.
    Billing,
    /// Logistics.
    Logistics,
}

/// A service to switch on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceOrder {
    /// Offering.
    pub(crate) offering: String,
    /// Numbers and devices.
    pub(crate) resources: Vec<String>,
}

/// What a return gives to stock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restock {
    /// What earlier orders took.
    pub(crate) linked: Vec<Linked>,
    /// Pool and units that no order of ours took.
    pub(crate) unlinked: Vec<(String, i64)>,
    /// Why.
    pub(crate) reason: String,
}

/// Units of one pool that a line of an earlier order took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Reservation of that order.
    pub(crate) reservation_id: String,
    /// Its line.
    pub(crate) line_key: String,
    /// Pool.
    pub(crate) pool_code: String,
    /// Units.
    pub(crate) units: i64,
}
