//! Compares what the platform moved with what the file says, order by order and in sum.

use std::collections::BTreeMap;

use throughline_kit::money::{Currency, Money, MoneyError};
use throughline_proto::order::v1::{CustomerOrder, OrderState};

use super::invoice::{Day, Invoice};
use super::summary::{CurrencyTotals, Difference, Durations, ImportSummary, Unfinished};

/// What became of the submission of one invoice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) invoice: String,
    /// The order as it was seen last; `None` when it was not taken.
    pub(super) order: Option<Box<CustomerOrder>>,
    /// Why it was not taken, or could not be followed to its end.
    pub(super) failure: String,
}

/// Puts the summary together.
pub(super) fn summary(
    day: &Day,
    outcomes: &[Outcome],
    durations: Durations,
) -> Result<ImportSummary, MoneyError> {
    let by_invoice: BTreeMap<&str, &Outcome> =
        outcomes.iter().map(|outcome| (outcome.invoice.as_str(), outcome)).collect();
    let lines = day.sales.iter().chain(&day.returns).map(|i| count(i.lines.len())).sum();
    let mut summary = ImportSummary {
        sales: count(day.sales.len()),
        returns: count(day.returns.len()),
        lines,
        file_lines: day.file_lines,
        lines_left_out: day.file_lines.saturating_sub(lines).saturating_sub(day.empty_lines),
        empty_lines: day.empty_lines,
        completed: 0,
        unfinished: Vec::new(),
        totals: Vec::new(),
        differences: Vec::new(),
        reports: day.reports.clone(),
        durations,
    };
    let mut totals: BTreeMap<Currency, CurrencyTotals> = BTreeMap::new();
    for (currency, says) in &day.totals {
        totals.insert(
            *currency,
            CurrencyTotals {
                expected_captured: says.sold,
                expected_refunded: says.returned,
                ..nothing(*currency)
            },
        );
    }
    for (invoice, sign) in
        day.sales.iter().map(|sale| (sale, 1)).chain(day.returns.iter().map(|back| (back, -1)))
    {
        let outcome = by_invoice.get(invoice.number.as_str()).copied();
        note_end(&mut summary, invoice, outcome);
        let expected = invoice.total()?;
        let expected = Money::new(expected.currency, sign * expected.minor);
        let actual = moved(outcome, expected.currency)?;
        let sums = totals.entry(actual.currency).or_insert_with(|| nothing(actual.currency));
        if sign > 0 {
            sums.actual_captured = sums.actual_captured.plus(actual)?;
        } else {
            sums.actual_refunded = sums.actual_refunded.minus(actual)?;
        }
        if expected != actual {
            summary.differences.push(Difference {
                invoice: invoice.number.clone(),
                expected,
                actual,
            });
        }
    }
    summary.totals = totals.into_values().collect();
    Ok(summary)
}

fn nothing(currency: Currency) -> CurrencyTotals {
    let zero = Money::zero(currency);
    CurrencyTotals {
        expected_captured: zero,
        actual_captured: zero,
        expected_refunded: zero,
        actual_refunded: zero,
    }
}

fn note_end(summary: &mut ImportSummary, invoice: &Invoice, outcome: Option<&Outcome>) {
    let order = outcome.and_then(|outcome| outcome.order.as_deref());
    if order.is_some_and(|order| order.state() == OrderState::Completed) {
        summary.completed += 1;
        return;
    }
    let why = order
        .and_then(|order| order.failure.as_ref())
        .map(|failure| format!("{}: {}", failure.reason, failure.message));
    let given = outcome.map(|outcome| outcome.failure.clone()).filter(|text| !text.is_empty());
    summary.unfinished.push(Unfinished {
        invoice: invoice.number.clone(),
        order_id: order.map(|order| order.order_id.clone()).unwrap_or_default(),
        state: order.map(|order| order.state().as_str_name().to_owned()).unwrap_or_default(),
        reason: given.or(why).unwrap_or_default(),
    });
}

/// Captured minus refunded of an order; nothing for one that was not taken.
fn moved(outcome: Option<&Outcome>, currency: Currency) -> Result<Money, MoneyError> {
    let paid =
        outcome.and_then(|outcome| outcome.order.as_ref()).and_then(|order| order.paid.as_ref());
    match paid {
        None => Ok(Money::zero(currency)),
        // It is negative for a return, so it is not read as an amount that somebody owes.
        Some(paid) => Ok(Money::new(Currency::parse(&paid.currency_code)?, paid.minor_units)),
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use throughline_proto::order::v1::Failure;

    use super::super::invoice::{HEADER, read};
    use super::*;

    fn day() -> Day {
        let lines = "1,20001,A,6,d,2.55,1,UK\n2,20001,A,1,d,2.55,2,UK\nC3,20001,A,-2,d,2.55,1,UK\n\
                     4,20009,,1,d,0,,UK\n";
        read(format!("{}\n{lines}", HEADER.join(",")).as_bytes()).expect("reads")
    }

    fn ended(invoice: &str, state: OrderState, minor: i64) -> Outcome {
        let currency = Currency::parse("GBP").expect("valid");
        let order = CustomerOrder {
            order_id: format!("ord_{invoice}"),
            state: state.into(),
            paid: Some(Money::new(currency, minor).to_proto()),
            ..CustomerOrder::default()
        };
        let order = Some(Box::new(order));
        Outcome { invoice: invoice.to_owned(), order, failure: String::new() }
    }

    #[test]
    fn a_day_that_was_carried_out_agrees_to_the_penny() {
        let outcomes = [
            ended("2", OrderState::Completed, 255),
            ended("1", OrderState::Completed, 1_530),
            ended("C3", OrderState::Completed, -510),
        ];
        let summary = summary(&day(), &outcomes, Durations::default()).expect("sums");
        assert!(summary.agrees(), "{summary:?}");
        assert_eq!(
            (summary.sales, summary.returns, summary.lines, summary.completed),
            (2, 1, 3, 3)
        );
        let totals = summary.totals[0];
        assert_eq!((totals.actual_captured.minor, totals.actual_refunded.minor), (1_785, 510));
        assert_eq!(summary.reports.len(), 1, "what was left out is told");
        let of_file = (summary.file_lines, summary.lines_left_out, summary.empty_lines);
        assert_eq!(of_file, (4, 1, 0), "every line of the file is accounted for");
    }

    #[test]
    fn what_did_not_end_well_and_what_moved_otherwise_is_named() {
        let mut rejected = ended("2", OrderState::Rejected, 0);
        if let Some(order) = &mut rejected.order {
            order.failure = Some(Failure {
                reason: "INSUFFICIENT_STOCK".to_owned(),
                domain: "resource".to_owned(),
                message: "none left".to_owned(),
            });
        }
        let outcomes = [
            ended("1", OrderState::Completed, 1_531),
            rejected,
            Outcome { invoice: "C3".to_owned(), order: None, failure: "REFUSED".to_owned() },
        ];
        let summary = summary(&day(), &outcomes, Durations::default()).expect("sums");
        assert!(!summary.agrees());
        assert_eq!(summary.completed, 1);
        let unfinished: Vec<_> = summary
            .unfinished
            .iter()
            .map(|u| (u.invoice.as_str(), u.state.as_str(), u.reason.as_str()))
            .collect();
        assert_eq!(
            unfinished,
            [("2", "ORDER_STATE_REJECTED", "INSUFFICIENT_STOCK: none left"), ("C3", "", "REFUSED"),]
        );
        let differences: Vec<_> = summary
            .differences
            .iter()
            .map(|d| (d.invoice.as_str(), d.expected.minor, d.actual.minor))
            .collect();
        assert_eq!(differences, [("1", 1_530, 1_531), ("2", 255, 0), ("C3", -510, 0)]);
        let totals = summary.totals[0];
        assert_eq!((totals.expected_captured.minor, totals.actual_captured.minor), (1_785, 1_531));
        assert_eq!((totals.expected_refunded.minor, totals.actual_refunded.minor), (510, 0));
    }

    #[test]
    fn what_compensates_in_sum_is_still_a_difference() {
        let outcomes = [
            ended("1", OrderState::Completed, 1_530 - 1),
            ended("2", OrderState::Completed, 255 + 1),
            ended("C3", OrderState::Completed, -510),
        ];
        let summary = summary(&day(), &outcomes, Durations::default()).expect("sums");
        assert!(summary.totals.iter().all(CurrencyTotals::agree));
        assert_eq!(summary.differences.len(), 2);
        assert!(!summary.agrees());
    }
}
