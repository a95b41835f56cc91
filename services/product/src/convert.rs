//! Protobuf ⇄ domain. Everything is parsed once, and everything that is wrong is named at once by its path.

use std::collections::HashSet;
use std::sync::Arc;

use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::money::{Currency, MoneyError, UnitPrice};
use throughline_proto::product::v1 as proto;

use crate::Config;
use crate::error::{DOMAIN, Refusal};
use crate::line::{Action, Line};
use crate::offering::Offering;

mod answer;
mod offering;

pub(crate) use answer::{checked, decomposed, quoted};
pub(crate) use offering::{offering_to_proto, parse_offering};

/// Units of a line.
const MAX_LINE_QUANTITY: i64 = 1_000_000;
/// Characters of a line's key.
const MAX_LINE_KEY_LENGTH: usize = 32;

/// A checked import.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) request_id: RequestId,
    pub(crate) offerings: Vec<Arc<Offering>>,
}

/// Reads an import; each code stands in it once.
pub(crate) fn import(
    request: &proto::ImportCatalogRequest,
    config: &Config,
) -> Result<Import, Error> {
    let max = config.max_offerings_per_import;
    if request.offerings.len() > max {
        return Err(Refusal::TooManyOfferings { max }.into());
    }
    let mut violations = Violations::new(DOMAIN);
    let request_id = violations.take("request_id", RequestId::parse(&request.request_id));
    if request.offerings.is_empty() {
        violations.add("offerings", format!("must have 1 to {max} entries, has none"));
    }
    let mut codes = HashSet::new();
    let mut offerings = Vec::with_capacity(request.offerings.len());
    for (at, message) in request.offerings.iter().enumerate() {
        let path = format!("offerings[{at}]");
        let parsed = parse_offering(message, &path, &mut violations);
        if !codes.insert(message.code.as_str()) {
            violations.add(format!("{path}.code"), "stands in the import twice");
        }
        offerings.extend(parsed.map(Arc::new));
    }
    violations.finish()?;
    let request_id = request_id.expect("a missing one is a violation");
    Ok(Import { request_id, offerings })
}

/// Reads the lines of a check or a decomposition.
pub(crate) fn lines(lines: &[proto::Line], config: &Config) -> Result<Vec<Line>, Error> {
    let mut violations = Violations::new(DOMAIN);
    let lines = parse_lines(lines, config, &mut violations);
    violations.finish()?;
    Ok(lines)
}

/// Reads the lines and the currency of a quote.
pub(crate) fn quote_request(
    request: &proto::QuotePriceRequest,
    config: &Config,
) -> Result<(Vec<Line>, Currency), Error> {
    let mut violations = Violations::new(DOMAIN);
    let currency = violations.take("currency_code", Currency::parse(&request.currency_code));
    let lines = parse_lines(&request.lines, config, &mut violations);
    violations.finish()?;
    Ok((lines, currency.expect("a missing one is a violation")))
}

fn parse_lines(lines: &[proto::Line], config: &Config, violations: &mut Violations) -> Vec<Line> {
    let (count, max) = (lines.len(), config.max_lines);
    if count == 0 || count > max {
        violations.add("lines", format!("must have 1 to {max} entries, has {count}"));
        return Vec::new();
    }
    let mut keys = HashSet::new();
    let mut parsed = Vec::with_capacity(count);
    for (at, line) in lines.iter().enumerate() {
        let path = format!("lines[{at}]");
        if !keys.insert(line.line_key.as_str()) {
            violations.add(format!("{path}.line_key"), "stands in the request twice");
        }
        parsed.extend(parse_line(line, &path, violations));
    }
    parsed
}

fn parse_line(line: &proto::Line, path: &str, violations: &mut Violations) -> Option<Line> {
    let at = |field: &str| format!("{path}.{field}");
    violations.length(&at("line_key"), &line.line_key, 1, MAX_LINE_KEY_LENGTH);
    violations.range(&at("quantity"), line.quantity, 1, MAX_LINE_QUANTITY);
    let offering = violations.take(at("offering_code"), line.offering_code.parse());
    let action = violations.take(at("action"), action(line.action));
    let agreed = violations.take(at("agreed_unit_price"), agreed(line));
    Some(Line {
        key: line.line_key.clone(),
        offering: offering?,
        quantity: line.quantity,
        action: action?,
        agreed: agreed?,
    })
}

fn agreed(line: &proto::Line) -> Result<Option<UnitPrice>, MoneyError> {
    line.agreed_unit_price.as_ref().map(|price| UnitPrice::from_proto(Some(price))).transpose()
}

fn action(value: i32) -> Result<Action, String> {
    match proto::LineAction::try_from(value) {
        Ok(proto::LineAction::Unspecified | proto::LineAction::Add) => Ok(Action::Add),
        Ok(proto::LineAction::Delete) => Ok(Action::Delete),
        Ok(proto::LineAction::Modify) => Ok(Action::Modify),
        Err(_) => Err(not_a_value(value)),
    }
}

/// Says that a number is no value of its enum that may be sent.
fn not_a_value(value: i32) -> String {
    format!("must be one of the named values, is {value}")
}
