//! What can be done to the lines of a cart. A refused command changes nothing.

use std::collections::BTreeMap;

use throughline_kit::clock::Instant;
use throughline_kit::money::UnitPrice;

use super::{Cart, CartError, CartState, MAX_CART_BYTES, MAX_LINES_PER_CART};
use crate::convert::MAX_QUANTITY;
use crate::order::{Item, ReturnOf};

/// A change of one cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Add units of a line; its key is given by the cart.
    Add(Item),
    /// Change a line.
    Update {
        /// Line.
        key: String,
        /// Units in place of what it has.
        quantity: Option<i64>,
        /// Choices in place of all that it has.
        characteristics: Option<BTreeMap<String, String>>,
    },
    /// Remove a line.
    Remove {
        /// Line.
        key: String,
    },
    /// Give the cart to another channel.
    Transfer {
        /// Channel.
        channel: String,
    },
    /// End the cart.
    Delete,
}

impl Cart {
    /// Carries a command out on an active cart. Gives the line that it changed, if it was one; a refused command changes
    /// nothing.
    pub(crate) fn change(
        &mut self,
        command: Command,
        now: Instant,
    ) -> Result<Option<Item>, CartError> {
        let changed = match command {
            Command::Add(item) => Some(self.add(item)?),
            Command::Update { key, quantity, characteristics } => {
                Some(self.update(&key, quantity, characteristics)?)
            }
            Command::Remove { key } => {
                let place = self.place(&key)?;
                Some(self.lines.remove(place))
            }
            Command::Transfer { .. } if self.head.customer_id.is_empty() => {
                return Err(CartError::CustomerMissing);
            }
            Command::Transfer { channel } => {
                self.head.channel = channel;
                None
            }
            Command::Delete => {
                self.lines.clear();
                self.head.state = CartState::Deleted;
                None
            }
        };
        self.touch(now);
        Ok(changed)
    }

    /// Takes the lines of another active cart, which ends.
    pub(crate) fn take_in(&mut self, from: &mut Self, now: Instant) -> Result<(), CartError> {
        if from.head.currency != self.head.currency {
            return Err(CartError::CurrencyDiffers(self.head.currency));
        }
        let same_customer = from.head.customer_id == self.head.customer_id;
        if !same_customer && !from.head.customer_id.is_empty() {
            return Err(CartError::CustomerDiffers);
        }
        let mut merged = self.clone();
        for line in &from.lines {
            merged.join(line.clone())?;
        }
        merged.check_size()?;
        *self = merged;
        self.touch(now);
        from.lines.clear();
        from.head.state = CartState::Merged;
        from.head.merged_into = Some(self.head.id.clone());
        from.touch(now);
        Ok(())
    }

    fn add(&mut self, item: Item) -> Result<Item, CartError> {
        let in_other_currency = |price: &UnitPrice| price.currency != self.head.currency;
        if item.agreed_price.as_ref().is_some_and(in_other_currency) {
            return Err(CartError::CurrencyDiffers(self.head.currency));
        }
        let mut grown = self.clone();
        let place = grown.join(item)?;
        grown.check_size()?;
        *self = grown;
        Ok(self.lines[place].clone())
    }

    fn update(
        &mut self,
        key: &str,
        quantity: Option<i64>,
        characteristics: Option<BTreeMap<String, String>>,
    ) -> Result<Item, CartError> {
        let mut changed = self.clone();
        let place = changed.place(key)?;
        let line = &mut changed.lines[place];
        line.quantity = quantity.unwrap_or(line.quantity);
        if let Some(characteristics) = characteristics {
            line.characteristics = characteristics;
        }
        let line = line.clone();
        let other = changed.lines.iter().position(|l| l.key != line.key && is_like(l, &line));
        if let Some(other) = other {
            let units = changed.lines.remove(other).quantity;
            let place = changed.place(key)?;
            changed.lines[place].quantity = add_up(line.quantity, units)?;
        }
        changed.check_size()?;
        *self = changed;
        let place = self.place(key)?;
        Ok(self.lines[place].clone())
    }

    /// Adds units to the line that is alike, or the line as a new one; gives its place.
    fn join(&mut self, item: Item) -> Result<usize, CartError> {
        if let Some(place) = self.lines.iter().position(|line| is_like(line, &item)) {
            let line = &mut self.lines[place];
            line.quantity = add_up(line.quantity, item.quantity)?;
            return Ok(place);
        }
        let key = self.head.next_key.to_string();
        self.head.next_key += 1;
        self.lines.push(Item { key, ..item });
        Ok(self.lines.len() - 1)
    }

    fn place(&self, key: &str) -> Result<usize, CartError> {
        let found = self.lines.iter().position(|line| line.key == key);
        found.ok_or_else(|| CartError::ItemNotFound(key.to_owned()))
    }

    fn check_size(&self) -> Result<(), CartError> {
        if self.lines.len() > MAX_LINES_PER_CART {
            return Err(CartError::TooManyLines);
        }
        if self.lines.iter().map(bytes).sum::<usize>() > MAX_CART_BYTES {
            return Err(CartError::TooLarge);
        }
        Ok(())
    }
}

/// Two lines differ in nothing but key and units.
fn is_like(one: &Item, other: &Item) -> bool {
    let Item { key: _, offering, quantity: _, action, agreed_price, characteristics, return_of } =
        one;
    *offering == other.offering
        && *action == other.action
        && *agreed_price == other.agreed_price
        && *characteristics == other.characteristics
        && *return_of == other.return_of
}

fn add_up(units: i64, more: i64) -> Result<i64, CartError> {
    let sum = units.checked_add(more).filter(|sum| *sum <= MAX_QUANTITY);
    sum.ok_or(CartError::TooManyUnits)
}

/// Bytes of text that a caller can choose.
fn bytes(item: &Item) -> usize {
    let choices = item.characteristics.iter().map(|(name, value)| name.len() + value.len());
    let return_of = match &item.return_of {
        Some(ReturnOf::Order(text) | ReturnOf::StandAlone(text)) => text.len(),
        None => 0,
    };
    item.offering.len() + return_of + choices.sum::<usize>()
}
