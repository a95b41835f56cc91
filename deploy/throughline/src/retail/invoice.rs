//! Reads a day of invoices from `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country`.
//!
//! The rules:
//! - The layout has one record per line. A field that goes on over a line break, or a quote that is not closed, is reported
//!   with its line, and the next line is read for itself; empty lines are counted and mean nothing.
//! - Lines with the same invoice number are one invoice, wherever they stand. A number that starts with `C` is a return; its
//!   quantities are negative in the file and positive here.
//! - All prices are in pounds sterling, whatever the country. A unit price is read exactly from its decimal text into
//!   millionths; a line's amount is rounded half-up to the penny.
//! - A line that cannot be sold or taken back is reported with its line number and the reason, and the rest of its invoice
//!   goes on: too few or too many columns, no invoice number, no stock code, an unreadable quantity or price, a negative
//!   price, no price and no description, a quantity that is not positive on a sale or not negative on a return, and what
//!   is beyond the limits of an order. An invoice with no line left is reported and not submitted.
//! - An invoice belongs to the first customer that it names; a line that names another is reported and left out.
//! - An invoice without a customer belongs to `guest-<InvoiceNo>`; a customer "17850.0" is "17850".
//! - A return is linked to the customer's own earlier sales where its lines match them; see [`ReturnOf`].
//! - A file with another header is refused as a whole.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use throughline_kit::error::{Error, Kind};
use throughline_kit::money::{Currency, Money, MoneyError, UnitPrice};

use super::field::{
    Direction, MAX_ID, checked_code, customer_id, direction, guest, unit_price, units,
};
use super::link::link;
use super::record::{Content, Record, Records};

/// The columns, in their order.
pub const HEADER: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];
/// Lines of one order at most (the order center's `max_items_per_order`).
const MAX_LINES_PER_INVOICE: usize = 1_000;
/// Why a line is left out of which a field does not end in it.
const BROKEN: &str = "a field goes on over the end of the line, or a quote is not closed; there is one record per line";
/// Byte order mark, which some programs write before a header.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What can be wrong with a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not the layout.
    #[error("the header must be {expected:?}, is {found:?}", expected = HEADER.join(","))]
    Header {
        /// What stands in the first line.
        found: String,
    },
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The day's total does not fit.
    #[error("the total of the day: {0}")]
    Total(#[from] MoneyError),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::new(Kind::Invalid, "retail", "FILE_INVALID", error.to_string())
    }
}

/// A day of a shop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Sales, in the order of the file.
    pub sales: Vec<Invoice>,
    /// Returns, in the order of the file.
    pub returns: Vec<Invoice>,
    /// What is left out, by line.
    pub reports: Vec<LineReport>,
    /// Lines of the file after the header.
    pub file_lines: u64,
    /// Of them empty ones.
    pub empty_lines: u64,
    /// What the day comes to.
    pub totals: BTreeMap<Currency, Totals>,
}

/// What a day comes to in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Sum of the sales.
    pub sold: Money,
    /// Sum of the returns.
    pub returned: Money,
}

/// One invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its number.
    pub number: String,
    /// Who buys.
    pub customer_id: String,
    /// Where.
    pub country: String,
    /// When, as the file says it.
    pub invoiced_at: String,
    /// Its lines, at least one.
    pub lines: Vec<Line>,
}

impl Invoice {
    /// Sums its lines.
    pub fn total(&self) -> Result<Money, MoneyError> {
        self.lines.iter().try_fold(Money::zero(sterling()), |sum, line| sum.plus(line.amount))
    }
}

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Line of the file, from 1; the header is line 1.
    pub number: u64,
    /// The shop's own code.
    pub stock_code: String,
    /// Name, may be empty.
    pub description: String,
    /// Units, more than 0, also on a return.
    pub quantity: i64,
    /// Price of one unit.
    pub unit_price: UnitPrice,
    /// quantity × unit price, rounded half-up to the penny.
    pub amount: Money,
    /// On a return: what it takes back.
    pub return_of: Option<ReturnOf>,
}

/// What a return line takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnOf {
    /// Units of an earlier sale in the file to the same customer: same stock code, same unit price, and enough units of
    /// that line not yet returned.
    Sale(String),
    /// Nothing that the file knows of.
    Unknown,
}

/// Why a line, or a whole invoice, is left out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LineReport {
    /// Line of the file, from 1.
    pub line: u64,
    /// Invoice; empty where the line names none.
    pub invoice: String,
    /// Why.
    pub reason: String,
}

/// The currency of all prices.
pub fn sterling() -> Currency {
    Currency::parse("GBP").expect("three upper-case letters")
}

/// Reads a day. Only a wrong header and an unreadable file are errors; all else is reported by line.
pub fn read(input: impl Read) -> Result<Day, ReadError> {
    let mut records = Records::new(input);
    check_header(records.next().transpose()?)?;
    let mut invoices = Invoices::default();
    for record in records {
        invoices.take(record?);
    }
    invoices.into_day()
}

fn check_header(header: Option<Record>) -> Result<(), ReadError> {
    let found = match header.map(|record| record.content) {
        Some(Content::Fields(fields)) => fields,
        Some(Content::Broken(first)) => vec![first],
        Some(Content::Empty) | None => Vec::new(),
    };
    let found: Vec<&str> =
        found.iter().map(|name| name.trim_start_matches(BYTE_ORDER_MARK)).collect();
    if found == HEADER {
        return Ok(());
    }
    Err(ReadError::Header { found: found.join(",") })
}

/// Invoices that are being collected.
#[derive(Default)]
struct Invoices {
    all: Vec<Draft>,
    by_number: HashMap<String, usize>,
    reports: Vec<LineReport>,
    file_lines: u64,
    empty_lines: u64,
}

struct Draft {
    invoice: Invoice,
    first_line: u64,
}

impl Invoices {
    fn take(&mut self, record: Record) {
        self.file_lines += 1;
        let (line, content) = (record.number, record.content);
        let (invoice, reason) = match content {
            Content::Empty => {
                self.empty_lines += 1;
                return;
            }
            Content::Broken(invoice) => (invoice, BROKEN.to_owned()),
            Content::Fields(fields) => match self.line(line, &fields) {
                Ok(()) => return,
                Err(reason) => (fields.into_iter().next().unwrap_or_default(), reason),
            },
        };
        self.reports.push(LineReport { line, invoice, reason });
    }

    fn line(&mut self, number: u64, fields: &[String]) -> Result<(), String> {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let &[invoice, stock_code, description, quantity, date, price, customer, country] =
            fields.as_slice()
        else {
            return Err(format!("has {} columns instead of {}", fields.len(), HEADER.len()));
        };
        if invoice.is_empty() || invoice.chars().count() > MAX_ID {
            return Err(format!("the invoice number must have 1 to {MAX_ID} characters"));
        }
        let draft = self.draft(invoice, number);
        let customer = customer_id(customer)?;
        let buyer = &mut draft.invoice.customer_id;
        if buyer.is_empty() {
            *buyer = customer;
        } else if !customer.is_empty() && customer != *buyer {
            return Err(format!("names customer {customer}, but the invoice belongs to {buyer}"));
        }
        if draft.invoice.country.is_empty() {
            country.clone_into(&mut draft.invoice.country);
            date.clone_into(&mut draft.invoice.invoiced_at);
        }
        let quantity = units(quantity, direction(invoice))?;
        let unit_price = unit_price(price, description)?;
        let line = Line {
            number,
            stock_code: checked_code(stock_code)?,
            description: description.to_owned(),
            quantity,
            unit_price,
            amount: unit_price.times(quantity).map_err(|cause| cause.to_string())?,
            return_of: None,
        };
        draft.invoice.lines.push(line);
        Ok(())
    }

    fn draft(&mut self, number: &str, first_line: u64) -> &mut Draft {
        let index = *self.by_number.entry(number.to_owned()).or_insert_with(|| {
            let invoice = Invoice {
                number: number.to_owned(),
                customer_id: String::new(),
                country: String::new(),
                invoiced_at: String::new(),
                lines: Vec::new(),
            };
            self.all.push(Draft { invoice, first_line });
            self.all.len() - 1
        });
        &mut self.all[index]
    }

    fn into_day(self) -> Result<Day, ReadError> {
        let mut day = Day {
            reports: self.reports,
            file_lines: self.file_lines,
            empty_lines: self.empty_lines,
            ..Day::default()
        };
        for Draft { mut invoice, first_line } in self.all {
            if let Some(reason) = not_submitted(&invoice) {
                report_whole(&mut day.reports, &invoice.number, first_line, reason);
                continue;
            }
            if invoice.customer_id.is_empty() {
                invoice.customer_id = guest(&invoice.number);
            }
            match direction(&invoice.number) {
                Direction::Sale => day.sales.push(invoice),
                Direction::Return => day.returns.push(invoice),
            }
        }
        day.reports.sort_by_key(|report| report.line);
        link(&day.sales, &mut day.returns);
        let mut totals =
            Totals { sold: Money::zero(sterling()), returned: Money::zero(sterling()) };
        for invoice in &day.sales {
            totals.sold = totals.sold.plus(invoice.total()?)?;
        }
        for invoice in &day.returns {
            totals.returned = totals.returned.plus(invoice.total()?)?;
        }
        day.totals.insert(sterling(), totals);
        Ok(day)
    }
}

/// Reports that an invoice is not submitted: with the last of its lines that is reported anyway, or else by its first line.
fn report_whole(reports: &mut Vec<LineReport>, invoice: &str, first_line: u64, reason: String) {
    match reports.iter_mut().rfind(|report| report.invoice == invoice) {
        Some(last) => last.reason = format!("{}; {reason}", last.reason),
        None => reports.push(LineReport { line: first_line, invoice: invoice.to_owned(), reason }),
    }
}

fn not_submitted(invoice: &Invoice) -> Option<String> {
    match invoice.lines.len() {
        0 => Some("no line of the invoice is left; it is not submitted".to_owned()),
        1..=MAX_LINES_PER_INVOICE => None,
        lines => Some(format!(
            "the invoice has {lines} lines, more than the {MAX_LINES_PER_INVOICE} of an order; \
             it is not submitted"
        )),
    }
}

#[cfg(test)]
mod tests;
