//! An operation that a caller asked for, found again by the caller's reference, and what becomes of it.
//!
//! ```text
//! asked ──► PENDING ──► SUCCEEDED ──► (ended by another operation; the first outcome stays)
//!   │          │  └───► DECLINED
//!   │          └──────► CANCELLED (ended before it happened; also one that was ended before it came)
//!   └────► SUCCEEDED | DECLINED
//! ```

use throughline_kit::money::Money;

use crate::method::Method;

/// How an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Succeeded,
    Declined,
    Cancelled,
}

impl State {
    const ALL: [Self; 4] = [Self::Pending, Self::Succeeded, Self::Declined, Self::Cancelled];

    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Succeeded => "SUCCEEDED",
            Self::Declined => "DECLINED",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One operation. What is asked has the state PENDING until it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// What is asked.
    pub(crate) method: Method,
    /// Caller's reference; empty for a cancel of a charge, which has none of its own.
    pub(crate) reference: String,
    /// Order; may be empty.
    pub(crate) order_id: String,
    /// Customer or payer; may be empty.
    pub(crate) customer_id: String,
    /// Offerings; may be none.
    pub(crate) offering_codes: Vec<String>,
    /// Reference of the operation that it ends, captures or gives back.
    pub(crate) target: Option<String>,
    /// How it stands.
    pub(crate) state: State,
    /// Why it was refused.
    pub(crate) reason: String,
    /// What is charged, captured or given back.
    pub(crate) amount: Option<Money>,
    /// A charge that only authorises.
    pub(crate) authorize_only: bool,
    /// Taken so far by a charge.
    pub(crate) captured_minor: i64,
    /// Given back so far of a charge.
    pub(crate) refunded_minor: i64,
    /// Something that was begun is ended.
    pub(crate) ended: bool,
    /// For compare-and-set.
    pub(crate) version: i64,
}

impl Operation {
    /// Asks for something that has only a reference and an order.
    pub(crate) fn asked(method: Method, reference: String, order_id: String) -> Self {
        Self {
            method,
            reference,
            order_id,
            customer_id: String::new(),
            offering_codes: Vec::new(),
            target: None,
            state: State::Pending,
            reason: String::new(),
            amount: None,
            authorize_only: false,
            captured_minor: 0,
            refunded_minor: 0,
            ended: false,
            version: 0,
        }
    }

    /// Takes over from its target what rules look at: the call itself names only a reference.
    pub(crate) fn inherit(&mut self, target: &Self) {
        if self.customer_id.is_empty() {
            self.customer_id.clone_from(&target.customer_id);
        }
        if self.offering_codes.is_empty() {
            self.offering_codes.clone_from(&target.offering_codes);
        }
    }
}
