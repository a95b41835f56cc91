//! What can be ordered, and everything that one offering says about itself.

use std::collections::BTreeMap;

use throughline_kit::money::{Currency, MoneyError, UnitPrice};

use crate::code::Code;
use crate::line::Action;

/// State of an offering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Suspended,
    Retired,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Retired => "RETIRED",
        }
    }
}

/// How often a price is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriceKind {
    OneOff,
    Recurring,
}

impl PriceKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OneOff => "ONE_OFF",
            Self::Recurring => "RECURRING",
        }
    }
}

/// What one unit costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) kind: PriceKind,
    pub(crate) unit_price: UnitPrice,
}

/// How an offering relates to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RelationKind {
    /// The other must be in the same order and is delivered first.
    Requires,
    /// The other must not be in the same order, whichever of the two says so.
    Excludes,
    /// If the other is in the same order it is delivered first.
    After,
}

/// A relation to another offering.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Relation {
    pub(crate) kind: RelationKind,
    pub(crate) target: Code,
}

/// What delivering one unit takes from stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceDemand {
    pub(crate) pool: Code,
    pub(crate) quantity: i64,
}

/// How lines become business orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// Each line is a business order of its own.
    PerItem,
    /// All lines of the same template make one business order.
    PerOrder,
}

/// Something that can be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offering {
    pub(crate) code: Code,
    pub(crate) state: State,
    pub(crate) names: BTreeMap<String, String>,
    pub(crate) prices: Vec<Price>,
    pub(crate) relations: Vec<Relation>,
    pub(crate) resources: Vec<ResourceDemand>,
    pub(crate) add_template: Code,
    pub(crate) delete_template: Option<Code>,
    pub(crate) modify_template: Option<Code>,
    pub(crate) grain: Grain,
}

impl Offering {
    /// Template that does what is asked for it; `None` where that is not offered.
    pub(crate) fn template(&self, action: Action) -> Option<&Code> {
        match action {
            Action::Add => Some(&self.add_template),
            Action::Delete => self.delete_template.as_ref(),
            Action::Modify => self.modify_template.as_ref(),
        }
    }
}

/// What an offering says about one kind of price in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pricing {
    /// The sum of its prices of this kind.
    Priced(UnitPrice),
    /// It has prices of this kind, but in other currencies only.
    OtherCurrency,
    /// It has no price of this kind.
    None,
}

impl Offering {
    /// The offerings that it relates to in one way.
    pub(crate) fn related(&self, kind: RelationKind) -> impl Iterator<Item = &Code> {
        self.relations.iter().filter(move |r| r.kind == kind).map(|r| &r.target)
    }

    /// The offerings that are delivered before it, with the relation that says so.
    pub(crate) fn predecessors(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter().filter(|r| match r.kind {
            RelationKind::Requires | RelationKind::After => true,
            RelationKind::Excludes => false,
        })
    }

    /// Sums the prices of a kind in a currency.
    pub(crate) fn pricing(
        &self,
        kind: PriceKind,
        currency: Currency,
    ) -> Result<Pricing, MoneyError> {
        let mut pricing = Pricing::None;
        for price in self.prices.iter().filter(|p| p.kind == kind) {
            pricing = match pricing {
                _ if price.unit_price.currency != currency => match pricing {
                    Pricing::None => Pricing::OtherCurrency,
                    Pricing::Priced(_) | Pricing::OtherCurrency => pricing,
                },
                Pricing::Priced(sum) => {
                    let micro = sum.micro.checked_add(price.unit_price.micro);
                    let micro = micro.ok_or(MoneyError::Overflow)?;
                    Pricing::Priced(UnitPrice { currency, micro })
                }
                Pricing::None | Pricing::OtherCurrency => Pricing::Priced(price.unit_price),
            };
        }
        Ok(pricing)
    }
}
