//! What an import came to, compared with what the file says.

use std::time::Duration;

use serde::Serialize;
use throughline_kit::money::Money;

use super::invoice::LineReport;

/// What an import came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// Sales submitted.
    pub sales: u64,
    /// Returns submitted.
    pub returns: u64,
    /// Lines of both.
    pub lines: u64,
    /// Lines of the file after its header: `lines`, `lines_left_out` and `empty_lines`.
    pub file_lines: u64,
    /// Lines of the file that are in no order; `reports` says why.
    pub lines_left_out: u64,
    /// Empty lines of the file.
    pub empty_lines: u64,
    /// Orders that ended COMPLETED.
    pub completed: u64,
    /// Orders that ended otherwise, or did not end while we waited.
    pub unfinished: Vec<Unfinished>,
    /// Money by currency: what the file says, and what the platform moved.
    pub totals: Vec<CurrencyTotals>,
    /// Orders of which the platform moved other money than the file says.
    pub differences: Vec<Difference>,
    /// What of the file was left out.
    pub reports: Vec<LineReport>,
    /// How long it took.
    pub durations: Durations,
}

impl ImportSummary {
    /// Whether every order was completed and all money agrees to the penny.
    pub fn agrees(&self) -> bool {
        self.unfinished.is_empty()
            && self.differences.is_empty()
            && self.totals.iter().all(CurrencyTotals::agree)
    }
}

/// An order that did not end COMPLETED.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// Invoice.
    pub invoice: String,
    /// Order; empty when it was not taken.
    pub order_id: String,
    /// State of the order; empty when it was not taken.
    pub state: String,
    /// Why.
    pub reason: String,
}

/// Money in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CurrencyTotals {
    /// Sales of the file.
    pub expected_captured: Money,
    /// Captured from payers for the sales.
    pub actual_captured: Money,
    /// Returns of the file.
    pub expected_refunded: Money,
    /// Paid back for the returns.
    pub actual_refunded: Money,
}

impl CurrencyTotals {
    /// Whether file and platform say the same.
    pub fn agree(&self) -> bool {
        self.expected_captured == self.actual_captured
            && self.expected_refunded == self.actual_refunded
    }
}

/// One order whose money is not what the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Invoice.
    pub invoice: String,
    /// What the file says: positive for a sale, negative for a return.
    pub expected: Money,
    /// Captured minus refunded of the order.
    pub actual: Money,
}

/// How long the parts of an import took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Durations {
    /// Catalog and stock.
    pub preparation: Duration,
    /// All sales, from the first submission to the end of the last order.
    pub sales: Duration,
    /// All returns.
    pub returns: Duration,
}
