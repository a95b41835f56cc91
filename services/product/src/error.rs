//! What the product center refuses, one variant per thing that a caller can act on.

use throughline_kit::error::{Error, Kind};
use throughline_kit::money::Currency;

use crate::code::Code;
use crate::line::Action;
use crate::offering::{PriceKind, State};

/// Domain of this center's errors.
pub(crate) const DOMAIN: &str = "product";

/// A relation names an offering that is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownTarget {
    /// Path of the field.
    pub(crate) path: String,
    /// What it names.
    pub(crate) target: Code,
}

/// A refusal of the domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no offering {code}")]
    OfferingNotFound { code: String },
    #[error("{offering} may not be ordered: {}", state.map_or("there is no such offering", State::as_str))]
    OfferingNotActive { line: String, offering: Code, state: Option<State> },
    #[error("{offering} does not offer action {}", action.as_str())]
    ActionNotOffered { line: String, offering: Code, action: Action },
    #[error("{offering} has no {} price in {currency}", kind.as_str())]
    PriceNotFound { line: String, offering: Code, kind: PriceKind, currency: Currency },
    #[error("line {line} has an agreed price in {agreed}, but the quote is in {currency}")]
    CurrencyMismatch { line: String, agreed: Currency, currency: Currency },
    #[error("{what} is more than an amount can hold")]
    AmountOverflow { what: String },
    #[error("{} relation(s) name an offering that is neither imported nor stored", targets.len())]
    RelationUnknown { targets: Vec<UnknownTarget> },
    #[error("offerings would wait for each other: {}", chain(cycle))]
    RelationCycle { path: String, cycle: Vec<Code> },
    #[error("more than {max} offerings in one import")]
    TooManyOfferings { max: usize },
    #[error(
        "the lines make more than {max} business orders (max_business_orders); order them in parts"
    )]
    TooManyBusinessOrders { max: usize },
}

fn chain(cycle: &[Code]) -> String {
    let codes: Vec<&str> = cycle.iter().chain(cycle.first()).map(Code::as_str).collect();
    codes.join(" > ")
}

impl Refusal {
    /// Reason as the contract names it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::OfferingNotFound { .. } => "OFFERING_NOT_FOUND",
            Self::OfferingNotActive { .. } => "OFFERING_NOT_ACTIVE",
            Self::ActionNotOffered { .. } => "ACTION_NOT_OFFERED",
            Self::PriceNotFound { .. } => "PRICE_NOT_FOUND",
            Self::CurrencyMismatch { .. } => "CURRENCY_MISMATCH",
            Self::AmountOverflow { .. } => "AMOUNT_OVERFLOW",
            Self::RelationUnknown { .. } => "RELATION_UNKNOWN",
            Self::RelationCycle { .. } => "RELATION_CYCLE",
            Self::TooManyOfferings { .. } | Self::TooManyBusinessOrders { .. } => "LIMIT_REACHED",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::OfferingNotFound { .. } => Kind::NotFound,
            Self::OfferingNotActive { .. }
            | Self::ActionNotOffered { .. }
            | Self::PriceNotFound { .. }
            | Self::CurrencyMismatch { .. } => Kind::Precondition,
            Self::AmountOverflow { .. }
            | Self::RelationUnknown { .. }
            | Self::RelationCycle { .. }
            // The same lines are too many at any time: nothing is gained by asking again.
            | Self::TooManyBusinessOrders { .. } => Kind::Invalid,
            Self::TooManyOfferings { .. } => Kind::Exhausted,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let mut error = Self::new(refusal.kind(), DOMAIN, refusal.reason(), refusal.to_string());
        match refusal {
            Refusal::OfferingNotFound { code } => error.with("offering_code", code),
            Refusal::OfferingNotActive { line, offering, state } => error
                .with("line_key", line)
                .with("offering_code", offering)
                .with("state", state.map_or("UNKNOWN", State::as_str)),
            Refusal::ActionNotOffered { line, offering, action } => error
                .with("line_key", line)
                .with("offering_code", offering)
                .with("action", action.as_str()),
            Refusal::PriceNotFound { line, offering, kind, currency } => error
                .with("line_key", line)
                .with("offering_code", offering)
                .with("price_kind", kind.as_str())
                .with("currency_code", currency),
            Refusal::CurrencyMismatch { line, agreed, currency } => error
                .with("line_key", line)
                .with("agreed_currency_code", agreed)
                .with("currency_code", currency),
            Refusal::AmountOverflow { what } => error.with("amount", what),
            Refusal::RelationUnknown { targets } => {
                error.fields = targets
                    .into_iter()
                    .map(|t| (t.path, format!("there is no offering {}", t.target)))
                    .collect();
                let count = error.fields.len();
                error.with("count", count)
            }
            Refusal::RelationCycle { path, cycle } => {
                error.fields = vec![(path, "REQUIRES and AFTER must not form a cycle".to_owned())];
                error.with("cycle", chain(&cycle))
            }
            Refusal::TooManyOfferings { max } => {
                Self::limit(DOMAIN, "max_offerings_per_import", max)
            }
            Refusal::TooManyBusinessOrders { max } => {
                error.with("limit", "max_business_orders").with("value", max)
            }
        }
    }
}
