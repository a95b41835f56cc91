//! Units that come back.

use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_proto::resource::v1 as proto;

use super::{MAX_KEY_LENGTH, MAX_QUANTITY, MAX_REASON_LENGTH, check_count, finish, violations};
use crate::Config;
use crate::error::DOMAIN;
use crate::giveback::{Disposition, LinkedReturn};
use crate::pool::PoolCode;
use crate::reservation::ReservationId;
use crate::takeback::{Returns, UnlinkedReturn};

/// Reads what should come back.
pub(crate) fn returns(
    request: &proto::ReturnUnitsRequest,
    config: &Config,
) -> Result<(RequestId, Returns), Error> {
    let limit = config.max_lines_per_return;
    if request.lines.len() > limit {
        return Err(Error::limit(DOMAIN, "max_lines_per_return", limit));
    }
    let mut violations = violations();
    violations.length("order_id", &request.order_id, 0, MAX_KEY_LENGTH);
    violations.length("reason", &request.reason, 0, MAX_REASON_LENGTH);
    check_count(&mut violations, "lines", request.lines.len());
    let mut returns = Returns {
        order_id: request.order_id.clone(),
        reason: request.reason.clone(),
        ..Returns::default()
    };
    for (i, line) in request.lines.iter().enumerate() {
        let path = format!("lines[{i}]");
        match (line.reservation_id.is_empty(), line.pool_code.is_empty()) {
            (false, _) => returns.linked.extend(linked(&mut violations, path, line)),
            (true, false) => returns.unlinked.extend(unlinked(&mut violations, &path, line)),
            (true, true) => {
                violations.add(path, "must have reservation_id and line_key, or pool_code");
            }
        }
    }
    Ok((finish(violations, &request.request_id)?, returns))
}

fn linked(
    violations: &mut Violations,
    path: String,
    line: &proto::ReturnLine,
) -> Option<LinkedReturn> {
    let reservation = violations
        .take(format!("{path}.reservation_id"), ReservationId::parse(&line.reservation_id));
    violations.length(&format!("{path}.line_key"), &line.line_key, 1, MAX_KEY_LENGTH);
    let pool = match line.pool_code.as_str() {
        "" => None,
        code => violations.take(format!("{path}.pool_code"), PoolCode::parse(code)),
    };
    violations.range(&format!("{path}.quantity"), line.quantity, 0, MAX_QUANTITY);
    let disposition = disposition(violations, &path, line);
    Some(LinkedReturn {
        path,
        reservation: reservation?,
        line_key: line.line_key.clone(),
        pool,
        quantity: Some(line.quantity).filter(|quantity| *quantity > 0),
        disposition: disposition?,
    })
}

fn unlinked(
    violations: &mut Violations,
    path: &str,
    line: &proto::ReturnLine,
) -> Option<UnlinkedReturn> {
    let pool = violations.take(format!("{path}.pool_code"), PoolCode::parse(&line.pool_code));
    violations.length(&format!("{path}.line_key"), &line.line_key, 0, 0);
    violations.range(&format!("{path}.quantity"), line.quantity, 1, MAX_QUANTITY);
    if disposition(violations, path, line) == Some(Disposition::Quarantine) {
        let wrong = "must be RESTOCK for goods that no reservation knows";
        violations.add(format!("{path}.disposition"), wrong);
    }
    Some(UnlinkedReturn { pool: pool?, quantity: line.quantity })
}

fn disposition(
    violations: &mut Violations,
    path: &str,
    line: &proto::ReturnLine,
) -> Option<Disposition> {
    match proto::ReturnDisposition::try_from(line.disposition) {
        Ok(proto::ReturnDisposition::Unspecified | proto::ReturnDisposition::Restock) => {
            Some(Disposition::Restock)
        }
        Ok(proto::ReturnDisposition::Quarantine) => Some(Disposition::Quarantine),
        Err(_) => {
            violations.add(format!("{path}.disposition"), "must be RESTOCK or QUARANTINE");
            None
        }
    }
}
