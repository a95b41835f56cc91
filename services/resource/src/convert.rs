//! Protobuf to domain and back; everything that is wrong with a request is named by its path.

use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;

use crate::error::{DOMAIN, Refusal};
use crate::pool::PoolCode;
use crate::reservation::ReservationId;

pub(crate) mod giveback;
pub(crate) mod reservation;
pub(crate) mod stock;

/// Units in one demand or returned line at most.
const MAX_QUANTITY: i64 = 1_000_000;
/// Longest reason, in characters.
const MAX_REASON_LENGTH: usize = 200;
/// Longest order id and line key, in characters.
const MAX_KEY_LENGTH: usize = 64;

/// Reads what every mutating request has, after its own fields were checked.
fn finish(mut violations: Violations, request_id: &str) -> Result<RequestId, Error> {
    let request_id = violations.take("request_id", RequestId::parse(request_id));
    violations.finish()?;
    Ok(request_id.expect("a wrong id is a violation"))
}

/// Reads the id of a reservation to act on; a text that is no id names none.
pub(crate) fn reservation_id(text: &str) -> Result<ReservationId, Refusal> {
    ReservationId::parse(text).map_err(|_| Refusal::ReservationNotFound(text.to_owned()))
}

/// Reads the code of a pool to look at; a text that is no code names none.
pub(crate) fn pool_code(text: &str) -> Result<PoolCode, Refusal> {
    PoolCode::parse(text).map_err(|_| Refusal::PoolNotFound(text.to_owned()))
}

fn violations() -> Violations {
    Violations::new(DOMAIN)
}

fn check_count(violations: &mut Violations, path: &str, count: usize) {
    if count == 0 {
        violations.add(path, "must have at least 1");
    }
}
