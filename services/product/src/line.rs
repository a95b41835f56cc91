//! A line of a cart or an order, as the decisions see it.

use throughline_kit::money::UnitPrice;

use crate::code::Code;

/// What is asked of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    /// Sell it.
    Add,
    /// Take it back.
    Delete,
    /// Change what the customer has.
    Modify,
}

impl Action {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Delete => "DELETE",
            Self::Modify => "MODIFY",
        }
    }
}

/// One line; its key is unique in its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) offering: Code,
    pub(crate) quantity: i64,
    pub(crate) action: Action,
    /// Replaces the catalog's one-off price.
    pub(crate) agreed: Option<UnitPrice>,
}
