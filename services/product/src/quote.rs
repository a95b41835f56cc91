//! What lines cost: the parts sum to the totals, and the same question has the same answer.
//!
//! A line is quantity × unit price, rounded half-up to the minor unit. The unit price of a line is the sum of the
//! offering's prices of that kind in the currency of the quote, or the agreed price for the one-off part.

use throughline_kit::money::{Currency, Money, MoneyError, UnitPrice};

use crate::catalog::Catalog;
use crate::error::Refusal;
use crate::line::{Action, Line};
use crate::offering::{Offering, PriceKind, Pricing};

/// What one line costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinePrice {
    pub(crate) line_key: String,
    pub(crate) unit_price: UnitPrice,
    /// For a line that is taken back: what is paid back.
    pub(crate) one_off: Money,
    /// Nothing for a line that is taken back.
    pub(crate) recurring: Money,
}

/// What all lines cost, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) lines: Vec<LinePrice>,
    pub(crate) one_off_total: Money,
    pub(crate) recurring_total: Money,
    pub(crate) refund_total: Money,
}

/// Prices lines in one currency.
pub(crate) fn quote(
    catalog: &Catalog,
    lines: &[Line],
    currency: Currency,
) -> Result<Quote, Refusal> {
    let mut quote = Quote {
        lines: Vec::with_capacity(lines.len()),
        one_off_total: Money::zero(currency),
        recurring_total: Money::zero(currency),
        refund_total: Money::zero(currency),
    };
    for line in lines {
        let price = price_line(catalog, line, currency)?;
        let add = |total: &mut Money, amount: Money, what: &str| {
            *total = total.plus(amount).map_err(|_| overflow(what))?;
            Ok::<(), Refusal>(())
        };
        match line.action {
            Action::Add | Action::Modify => {
                add(&mut quote.one_off_total, price.one_off, "one_off_total")?
            }
            Action::Delete => add(&mut quote.refund_total, price.one_off, "refund_total")?,
        }
        add(&mut quote.recurring_total, price.recurring, "recurring_total")?;
        quote.lines.push(price);
    }
    Ok(quote)
}

fn price_line(catalog: &Catalog, line: &Line, currency: Currency) -> Result<LinePrice, Refusal> {
    let offering = catalog.orderable(line)?;
    let unit_price = one_off_unit_price(offering, line, currency)?;
    let amount = |price: UnitPrice| {
        price.times(line.quantity).map_err(|_| overflow(&format!("the price of line {}", line.key)))
    };
    let recurring = match line.action {
        Action::Add | Action::Modify => monthly_unit_price(offering, line, currency)?,
        Action::Delete => UnitPrice { currency, micro: 0 },
    };
    Ok(LinePrice {
        line_key: line.key.clone(),
        unit_price,
        one_off: amount(unit_price)?,
        recurring: amount(recurring)?,
    })
}

/// An agreed price wins. An offering that costs something each month but nothing once has a one-off price of nothing;
/// one that has no price at all needs an agreed price.
fn one_off_unit_price(
    offering: &Offering,
    line: &Line,
    currency: Currency,
) -> Result<UnitPrice, Refusal> {
    if let Some(agreed) = line.agreed {
        return if agreed.currency == currency {
            Ok(agreed)
        } else {
            let line = line.key.clone();
            Err(Refusal::CurrencyMismatch { line, agreed: agreed.currency, currency })
        };
    }
    match pricing(offering, PriceKind::OneOff, line, currency)? {
        Pricing::Priced(price) => Ok(price),
        Pricing::None if !offering.prices.is_empty() => Ok(UnitPrice { currency, micro: 0 }),
        Pricing::None | Pricing::OtherCurrency => Err(not_found(line, PriceKind::OneOff, currency)),
    }
}

fn monthly_unit_price(
    offering: &Offering,
    line: &Line,
    currency: Currency,
) -> Result<UnitPrice, Refusal> {
    match pricing(offering, PriceKind::Recurring, line, currency)? {
        Pricing::Priced(price) => Ok(price),
        Pricing::None => Ok(UnitPrice { currency, micro: 0 }),
        Pricing::OtherCurrency => Err(not_found(line, PriceKind::Recurring, currency)),
    }
}

fn pricing(
    offering: &Offering,
    kind: PriceKind,
    line: &Line,
    currency: Currency,
) -> Result<Pricing, Refusal> {
    offering.pricing(kind, currency).map_err(|error: MoneyError| {
        overflow(&format!("the {} unit price of line {} ({error})", kind.as_str(), line.key))
    })
}

fn overflow(what: &str) -> Refusal {
    Refusal::AmountOverflow { what: what.to_owned() }
}

fn not_found(line: &Line, kind: PriceKind, currency: Currency) -> Refusal {
    Refusal::PriceNotFound {
        line: line.key.clone(),
        offering: line.offering.clone(),
        kind,
        currency,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::examples::{catalog, currency, lines};

    const SHOP: [&str; 10] = [
        "mug once 2550000 GBP once 2900000 EUR returns collect",
        "bead once 85000 GBP",
        "plan monthly 9990000 GBP",
        "line once 20000000 GBP monthly 15005000 GBP returns collect",
        "kit once 1000000 GBP once 500000 GBP",
        "euro once 1000000 EUR",
        "mixed once 1000000 GBP monthly 1000000 EUR",
        "bespoke",
        "gold once 9223372036854775807 GBP",
        "old once 1000000 GBP retired returns collect",
    ];

    /// What lines cost: `one-off/monthly` each, then the totals `one-off monthly refund`; or the reason of a refusal.
    fn priced(order: &[&str]) -> String {
        match quote(&catalog(&SHOP), &lines(order), currency("GBP")) {
            Err(refusal) => refusal.reason().to_owned(),
            Ok(quote) => {
                let each: Vec<String> = quote
                    .lines
                    .iter()
                    .map(|l| format!("{}/{}", l.one_off.minor, l.recurring.minor))
                    .collect();
                let totals = [quote.one_off_total, quote.recurring_total, quote.refund_total];
                let [once, monthly, refund] = totals.map(|m| m.minor);
                format!("{} = {once} {monthly} {refund}", each.join(" "))
            }
        }
    }

    #[test]
    fn a_quote_reads_like_the_price_list() {
        let table: &[(&[&str], &str)] = &[
            (&["1: 6 mug"], "1530/0 = 1530 0 0"),
            // Each line is rounded by itself, half up: 8.5 pence and 17 pence.
            (&["1: 1 bead", "2: 2 bead"], "9/0 17/0 = 26 0 0"),
            (&["1: 1 plan"], "0/999 = 0 999 0"),
            (&["1: 3 line"], "6000/4502 = 6000 4502 0"),
            (&["1: 3 kit"], "450/0 = 450 0 0"),
            (&["1: 2 mug", "2: 1 mug back"], "510/0 255/0 = 510 0 255"),
            (&["1: 1 line back"], "2000/0 = 0 0 2000"),
            (&["1: 1 old back"], "100/0 = 0 0 100"),
            (&["1: 3 mug for 1000000 GBP"], "300/0 = 300 0 0"),
            (&["1: 1 bespoke for 5000 GBP"], "1/0 = 1 0 0"),
            (&["1: 1 euro for 0 GBP"], "0/0 = 0 0 0"),
            (&["1: 1 line for 0 GBP"], "0/1501 = 0 1501 0"),
            (&["1: 1 mug for 1 EUR"], "CURRENCY_MISMATCH"),
            (&["1: 1 bespoke"], "PRICE_NOT_FOUND"),
            (&["1: 1 euro"], "PRICE_NOT_FOUND"),
            (&["1: 1 mixed"], "PRICE_NOT_FOUND"),
            (&["1: 1 ghost"], "OFFERING_NOT_ACTIVE"),
            (&["1: 1 old"], "OFFERING_NOT_ACTIVE"),
            (&["1: 1 bead back"], "ACTION_NOT_OFFERED"),
            (&["1: 1000000 gold"], "AMOUNT_OVERFLOW"),
        ];
        for (order, expected) in table {
            assert_eq!(priced(order), *expected, "{order:?}");
        }
    }

    #[test]
    fn a_total_that_does_not_fit_is_refused() {
        // One line of 1,000 is 922,337,203,685,477,581 minor units: nine fit into 64 bits, ten do not.
        let order: Vec<String> = (0..10).map(|n| format!("{n}: 1000 gold")).collect();
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        assert!(priced(&order[..9]).ends_with("= 8301034833169298229 0 0"));
        assert_eq!(priced(&order), "AMOUNT_OVERFLOW");
    }

    proptest! {
        #[test]
        fn the_parts_sum_to_the_totals(
            picks in proptest::collection::vec((0..4_usize, 1..1_000_000_i64, any::<bool>()), 1..60),
        ) {
            let names = ["mug", "bead", "line", "kit"];
            let order: Vec<String> = picks
                .iter()
                .enumerate()
                .map(|(n, (pick, quantity, back))| {
                    let back = if *back && pick % 2 == 0 { " back" } else { "" };
                    format!("{n}: {quantity} {}{back}", names[*pick])
                })
                .collect();
            let order: Vec<&str> = order.iter().map(String::as_str).collect();
            let order = lines(&order);
            let quote = quote(&catalog(&SHOP), &order, currency("GBP")).expect("priced");
            let sum = |action: Action, part: fn(&LinePrice) -> Money| -> i64 {
                let of = quote.lines.iter().zip(&order).filter(|(_, line)| line.action == action);
                of.map(|(price, _)| part(price).minor).sum()
            };
            prop_assert_eq!(sum(Action::Add, |l| l.one_off), quote.one_off_total.minor);
            prop_assert_eq!(sum(Action::Add, |l| l.recurring), quote.recurring_total.minor);
            prop_assert_eq!(sum(Action::Delete, |l| l.one_off), quote.refund_total.minor);
            for (price, line) in quote.lines.iter().zip(&order) {
                let exact = i128::from(price.unit_price.micro) * i128::from(line.quantity);
                let error = i128::from(price.one_off.minor) * 10_000 - exact;
                prop_assert!((-4_999..=5_000).contains(&error), "rounded half-up: off by {error} millionths");
            }
        }
    }
}
