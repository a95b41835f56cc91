//! Says in a few words what an event tells, for those payloads that are known.

use prost::{Message, Name};
use prost_types::Any;
use throughline_kit::money::{self as kit, Currency};
use throughline_proto::notification::v1::{NotificationChanged, NotificationState};
use throughline_proto::order::v1::{OrderChanged, OrderState};
use throughline_proto::payment::v1::{
    PaymentChanged, PaymentOrder, PaymentOrderState, Refund, RefundState,
};
use throughline_proto::resource::v1::{Reservation, ReservationChanged, ReservationState};
use throughline_proto::r#type::v1::Money;

/// Characters of a description at most.
const MAX_LENGTH: usize = 200;

/// Describes a payload; empty for one that is not known.
pub(super) fn describe(payload: &Any) -> String {
    let name = payload.type_url.rsplit('/').next().unwrap_or_default();
    let bytes = payload.value.as_slice();
    let words = if name == OrderChanged::full_name() {
        OrderChanged::decode(bytes).map(|changed| order(&changed))
    } else if name == PaymentChanged::full_name() {
        PaymentChanged::decode(bytes).map(|changed| payment(&changed))
    } else if name == ReservationChanged::full_name() {
        ReservationChanged::decode(bytes)
            .map(|changed| changed.reservation.as_ref().map(reservation).unwrap_or_default())
    } else if name == NotificationChanged::full_name() {
        NotificationChanged::decode(bytes).map(|changed| notification(&changed))
    } else {
        Ok(Vec::new())
    };
    match words {
        Ok(words) => words.join(" ").chars().take(MAX_LENGTH).collect(),
        Err(_) => format!("unreadable {name}"),
    }
}

fn order(changed: &OrderChanged) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(filled(&changed.template));
    words.extend(filled(&changed.step_id));
    if changed.attempt > 1 {
        words.push(format!("attempt {}", changed.attempt));
    }
    if let Some(failure) = &changed.failure {
        words.push(format!("failed with {} of {}:", failure.reason, failure.domain));
        words.extend(filled(&failure.message));
    }
    if changed.step_id.is_empty() && changed.template.is_empty() {
        let state = OrderState::try_from(changed.state).unwrap_or_default();
        words.push(short(state.as_str_name(), "ORDER_STATE_"));
        words.extend(changed.total.as_ref().map(|total| format!("total {}", money(total))));
        words.extend(changed.paid.as_ref().map(|paid| format!("paid {}", money(paid))));
    }
    words.extend(filled(&changed.actor).map(|actor| format!("by {actor}")));
    words.extend(filled(&changed.note).map(|note| format!("({note})")));
    words
}

fn payment(changed: &PaymentChanged) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(refund) = &changed.refund {
        words.extend(refunded(refund));
    } else if let Some(order) = &changed.payment_order {
        words.extend(payment_order(order));
    }
    words
}

fn payment_order(order: &PaymentOrder) -> Vec<String> {
    let state = PaymentOrderState::try_from(order.state).unwrap_or_default();
    let mut words = vec![short(state.as_str_name(), "PAYMENT_ORDER_STATE_")];
    words.extend(order.amount.as_ref().map(money));
    let positive = |money: &&Money| money.minor_units > 0;
    let captured = order.captured.as_ref().filter(positive);
    words.extend(captured.map(|captured| format!("captured {}", money(captured))));
    let refunded = order.refunded.as_ref().filter(positive);
    words.extend(refunded.map(|refunded| format!("refunded {}", money(refunded))));
    let declined = order.attempts.last().and_then(|attempt| filled(&attempt.decline_reason));
    words.extend(declined.map(|reason| format!("declined with {reason}")));
    words
}

fn refunded(refund: &Refund) -> Vec<String> {
    let state = RefundState::try_from(refund.state).unwrap_or_default();
    let mut words = vec!["refund".to_owned(), short(state.as_str_name(), "REFUND_STATE_")];
    words.extend(refund.amount.as_ref().map(money));
    words.extend(filled(&refund.decline_reason).map(|reason| format!("declined with {reason}")));
    words
}

fn reservation(reservation: &Reservation) -> Vec<String> {
    let state = ReservationState::try_from(reservation.state).unwrap_or_default();
    let lines = reservation.lines.iter().map(|l| format!("{} × {}", l.quantity, l.pool_code));
    let mut words = vec![short(state.as_str_name(), "RESERVATION_STATE_")];
    words.extend(filled(&lines.collect::<Vec<_>>().join(", ")));
    words
}

fn notification(changed: &NotificationChanged) -> Vec<String> {
    let state = NotificationState::try_from(changed.state).unwrap_or_default();
    let mut words = Vec::new();
    words.extend(filled(&changed.template_code));
    words.push(short(state.as_str_name(), "NOTIFICATION_STATE_"));
    words.extend(filled(&changed.failure_reason).map(|reason| format!("failed with {reason}")));
    words
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A state as people say it.
fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase().replace('_', " ")
}

/// An amount as people write it; minor units where the currency is not one that we know.
fn money(money: &Money) -> String {
    Currency::parse(&money.currency_code).map_or_else(
        |_| format!("{} {} minor units", money.minor_units, money.currency_code),
        |currency| kit::Money::new(currency, money.minor_units).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use throughline_proto::order::v1::Failure;
    use throughline_proto::resource::v1::ReservationLine;

    use super::*;

    fn any<M: Message + Name>(message: &M) -> Any {
        Any {
            type_url: format!("type.googleapis.com/{}", M::full_name()),
            value: message.encode_to_vec(),
        }
    }

    fn gbp(minor_units: i64) -> Option<Money> {
        Some(Money { currency_code: "GBP".to_owned(), minor_units })
    }

    #[test]
    fn a_step_of_an_order_says_what_failed() {
        let changed = OrderChanged {
            template: "broadband".to_owned(),
            step_id: "install".to_owned(),
            attempt: 3,
            failure: Some(Failure {
                reason: "SYSTEM_DOWN".to_owned(),
                domain: "provisioning".to_owned(),
                message: "no answer".to_owned(),
            }),
            ..OrderChanged::default()
        };
        let expected =
            "broadband install attempt 3 failed with SYSTEM_DOWN of provisioning: no answer";
        assert_eq!(describe(&any(&changed)), expected);
    }

    #[test]
    fn each_known_payload_is_described() {
        let order = OrderChanged {
            state: OrderState::InProgress.into(),
            total: gbp(1_250),
            ..OrderChanged::default()
        };
        assert_eq!(describe(&any(&order)), "in progress total 12.50 GBP");
        let paid = PaymentOrder {
            state: PaymentOrderState::Paid.into(),
            amount: gbp(100),
            captured: gbp(100),
            refunded: gbp(0),
            ..PaymentOrder::default()
        };
        let paid = PaymentChanged { payment_order: Some(paid), refund: None };
        assert_eq!(describe(&any(&paid)), "paid 1.00 GBP captured 1.00 GBP");
        let line =
            ReservationLine { pool_code: "sim".to_owned(), quantity: 2, ..Default::default() };
        let held = Reservation {
            state: ReservationState::Held.into(),
            lines: vec![line],
            ..Reservation::default()
        };
        let held = ReservationChanged { reservation: Some(held) };
        assert_eq!(describe(&any(&held)), "held 2 × sim");
        let told = NotificationChanged {
            template_code: "done".to_owned(),
            state: NotificationState::Failed.into(),
            failure_reason: "NO_PHONE".to_owned(),
            ..NotificationChanged::default()
        };
        assert_eq!(describe(&any(&told)), "done failed failed with NO_PHONE");
    }

    #[test]
    fn what_is_not_known_is_empty_and_what_cannot_be_read_says_so() {
        assert_eq!(describe(&Any { type_url: "x/a.B".to_owned(), value: vec![1] }), "");
        let broken = Any { value: vec![0xff], ..any(&OrderChanged::default()) };
        assert_eq!(describe(&broken), "unreadable throughline.order.v1.OrderChanged");
    }
}
