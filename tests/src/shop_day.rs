//! What a file of a web shop's day says, computed without any code of the platform.

use std::collections::BTreeMap;
use std::path::Path;

/// What a file comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopDay {
    /// Pence sold.
    pub sold: i64,
    /// Pence of what came back.
    pub returned: i64,
    /// Lines that make sense, by invoice; invoices without any are none.
    pub lines: BTreeMap<String, usize>,
    /// Lines that make no sense: line of the file, invoice, and what the reason must say.
    pub nonsense: Vec<(u64, String, String)>,
}

impl ShopDay {
    /// Reads a file.
    pub fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).expect("a file");
        let mut day = Self::default();
        for record in reader.byte_records() {
            let record = record.expect("a line");
            let line = record.position().expect("a place").line();
            let text = |column: usize| String::from_utf8_lossy(&record[column]).into_owned();
            let (invoice, name, price) = (text(0), text(2), micro_units(&text(5)));
            let quantity: i64 = text(3).parse().expect("a whole number");
            let is_return = invoice.starts_with('C');
            let reason = if !is_return && quantity <= 0 {
                format!("quantity of a sale must be positive, is {quantity}")
            } else if is_return && quantity >= 0 {
                format!("quantity of a return must be negative, is {quantity}")
            } else if price == 0 && name.trim().is_empty() {
                "neither a price nor a description".to_owned()
            } else {
                let pence = half_up(quantity.abs() * price);
                *(if is_return { &mut day.returned } else { &mut day.sold }) += pence;
                *day.lines.entry(invoice).or_default() += 1;
                continue;
            };
            day.nonsense.push((line, invoice, reason));
        }
        day
    }

    /// Counts sales and returns.
    pub fn orders(&self) -> (usize, usize) {
        let returns = self.lines.keys().filter(|invoice| invoice.starts_with('C')).count();
        (self.lines.len() - returns, returns)
    }
}

/// Millionths of a pound in a decimal text.
fn micro_units(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let places = format!("{fraction:0<6}");
    let (millionths, beyond) = places.split_at(6);
    assert!(beyond.chars().all(|digit| digit == '0'), "{text} is finer than a millionth");
    let number = |digits: &str| digits.parse::<i64>().expect("digits");
    number(whole) * 1_000_000 + number(millionths)
}

/// Rounds millionths of a pound to pence, half a penny up.
fn half_up(micro: i64) -> i64 {
    (micro + 5_000) / 10_000
}
