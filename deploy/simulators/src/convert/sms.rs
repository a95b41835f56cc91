//! Requests and answers of `SmsService`.

use throughline_kit::error::{Error, Violations};
use throughline_proto::sms::v1 as proto;

use super::{OrderId, asked, question};
use crate::method::{Method, System};
use crate::operation::{Operation, State};
use crate::perform::Question;

const SYSTEM: System = System::Sms;
/// Longest text, in characters.
const MAX_TEXT: usize = 2_000;

pub(crate) fn send_sms(message: proto::SendSmsRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Optional);
    let operation = asked(&mut violations, Method::SendSms, message.reference, order_id);
    if !is_e164(&message.phone) {
        violations.add("phone", "must be a number as E.164 writes it: + and 7 to 15 digits");
    }
    violations.length("text", &message.text, 1, MAX_TEXT);
    violations.finish()?;
    Ok(operation)
}

fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|c| c.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

pub(crate) fn get_sms(message: proto::GetSmsRequest) -> Result<Question, Error> {
    question(SYSTEM, "GetSms", message.reference)
}

/// A text is taken or refused; it is never late.
pub(crate) fn outcome(operation: &Operation) -> proto::SmsOutcome {
    match operation.state {
        State::Succeeded => proto::SmsOutcome::Accepted,
        State::Declined | State::Cancelled | State::Pending => proto::SmsOutcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_written_as_e164_says() {
        for (phone, valid) in [
            ("+8613800000001", true),
            ("+1234567", true),
            ("+123456789012345", true),
            ("+123456", false),
            ("+1234567890123456", false),
            ("8613800000001", false),
            ("+0613800000001", false),
            ("+86 13800000001", false),
            ("+", false),
            ("", false),
        ] {
            assert_eq!(is_e164(phone), valid, "{phone}");
        }
    }
}
