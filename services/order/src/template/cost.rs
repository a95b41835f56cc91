//! What an expression costs at worst, in operations.

/// Operations of one evaluation at most, at worst by the checker's reckoning and in fact by the evaluator's count: some
/// tenths of a second for an order of 1,000 lines.
pub(super) const MAX_COST: u64 = 10_000_000;
/// Elements that a list of a message holds at worst; an order has no more lines.
pub(super) const MAX_LIST_ITEMS: u64 = 1_000;
/// Elements of a list that an expression makes.
pub(super) const MAX_MADE_ITEMS: usize = 10_000;
/// Elements and pieces of text that one evaluation makes in all, a piece being [`BYTES_PER_OPERATION`] long.
pub(super) const MAX_MADE: u64 = 100_000;
/// Values that one request is written from.
pub(super) const MAX_REQUEST_VALUES: u64 = 100_000;
/// Bytes that are compared or copied in the time of one operation.
pub(super) const BYTES_PER_OPERATION: u64 = 64;
/// Characters of a text that an expression makes, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The worst case of one expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// Operations.
    pub(super) total: u64,
    /// Elements, where it is a list or mapping.
    pub(super) items: u64,
}

impl Cost {
    /// One operation on what has no elements.
    pub(super) fn one() -> Self {
        Self { total: 1, items: 1 }
    }

    /// Reads something of a message, which may be a list.
    pub(super) fn read() -> Self {
        Self { total: 1, items: MAX_LIST_ITEMS }
    }

    /// A list of these elements.
    pub(super) fn list(elements: impl ExactSizeIterator<Item = Self>) -> Self {
        let items = elements.len() as u64;
        let total = elements.fold(1_u64, |sum, element| sum.saturating_add(element.total));
        Self { total, items }
    }

    /// Does the next after this; what comes out is as long as the next.
    pub(super) fn then(self, next: Self) -> Self {
        Self { total: self.total.saturating_add(next.total), items: next.items }
    }

    /// Goes through every element besides, as comparing and searching do.
    pub(super) fn scanned(self) -> Self {
        Self { total: self.total.saturating_add(self.items), items: 1 }
    }

    /// Does something for each element; what comes out is as long as this.
    pub(super) fn each(self, body: Self) -> Self {
        let round = body.total.saturating_add(1);
        Self {
            total: self.total.saturating_add(self.items.saturating_mul(round)),
            items: self.items,
        }
    }

    /// Holds this many elements.
    pub(super) fn holding(self, items: u64) -> Self {
        Self { total: self.total, items }
    }
}
