//! Reads the fields of a line, each with a sentence about what is wrong with it.

use throughline_kit::money::UnitPrice;

use super::catalog::offering_code;
use super::invoice::sterling;

/// Longest invoice number, customer and offering code, in characters.
pub(super) const MAX_ID: usize = 64;
/// Units of one line at most.
const MAX_QUANTITY: i64 = 1_000_000;
/// Decimal places of a unit price: millionths.
const PRICE_PLACES: usize = 6;

/// What an invoice does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Sale,
    Return,
}

pub(super) fn direction(invoice_number: &str) -> Direction {
    if invoice_number.starts_with(['C', 'c']) { Direction::Return } else { Direction::Sale }
}

/// The customer of an invoice that names none.
pub(super) fn guest(invoice_number: &str) -> String {
    format!("guest-{invoice_number}").chars().take(MAX_ID).collect()
}

pub(super) fn customer_id(text: &str) -> Result<String, String> {
    let id = text.strip_suffix(".0").unwrap_or(text);
    if id.chars().count() > MAX_ID {
        return Err(format!("the customer must have at most {MAX_ID} characters"));
    }
    Ok(id.to_owned())
}

pub(super) fn checked_code(stock_code: &str) -> Result<String, String> {
    if stock_code.is_empty() {
        return Err("has no stock code".to_owned());
    }
    if offering_code(stock_code).chars().count() > MAX_ID {
        return Err("the stock code is too long".to_owned());
    }
    Ok(stock_code.to_owned())
}

pub(super) fn units(text: &str, direction: Direction) -> Result<i64, String> {
    let quantity: i64 =
        text.parse().map_err(|_| format!("the quantity {text:?} is no whole number"))?;
    let units = match direction {
        Direction::Sale if quantity <= 0 => {
            return Err(format!("the quantity of a sale must be positive, is {quantity}"));
        }
        Direction::Return if quantity >= 0 => {
            return Err(format!("the quantity of a return must be negative, is {quantity}"));
        }
        Direction::Sale | Direction::Return => quantity.unsigned_abs(),
    };
    i64::try_from(units)
        .ok()
        .filter(|units| *units <= MAX_QUANTITY)
        .ok_or_else(|| format!("the quantity must be at most {MAX_QUANTITY}, is {quantity}"))
}

pub(super) fn unit_price(text: &str, description: &str) -> Result<UnitPrice, String> {
    if text.starts_with('-') {
        return Err(format!("the unit price must not be negative, is {text}"));
    }
    let micro = micro_units(text)
        .ok_or_else(|| format!("the unit price {text:?} is no decimal number of pounds"))?;
    if micro == 0 && description.is_empty() {
        return Err("has neither a price nor a description".to_owned());
    }
    Ok(UnitPrice { currency: sterling(), micro })
}

/// Reads a decimal text exactly: "0.085" is 85000. Zeros beyond millionths are allowed, other digits are not.
fn micro_units(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let (places, beyond) = fraction.split_at(fraction.len().min(PRICE_PLACES));
    if beyond.bytes().any(|b| b != b'0') {
        return None;
    }
    let millionths: i64 = format!("{places:0<PRICE_PLACES$}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(millionths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_price_is_read_exactly_from_its_text() {
        for (text, micro) in [
            ("2.55", Some(2_550_000)),
            ("18", Some(18_000_000)),
            ("18.0", Some(18_000_000)),
            ("0.085", Some(85_000)),
            ("0.000001", Some(1)),
            ("0.0000010", Some(1)),
            ("0.0000001", None),
            ("0", Some(0)),
            ("9223372036854.775807", Some(i64::MAX)),
            ("9223372036854.775808", None),
            ("1.", None),
            (".5", None),
            ("1,5", None),
            ("1e3", None),
            ("+1", None),
            ("1.2.3", None),
            ("", None),
            ("NaN", None),
        ] {
            assert_eq!(micro_units(text), micro, "{text:?}");
        }
    }
}
