//! A payer who takes time, a bank, and what the payment center's feed says of them.

use prost::Message;
use throughline_kit::id::new_body;
use throughline_proto::event::v1::Event;
use throughline_proto::payment::v1::{
    AttemptOutcome, CloseReason, PaymentChanged, PaymentOrder, PaymentOrderState, RefundState,
};

use super::Outside;

impl Outside {
    /// The payer pays what waits, and the feed says so.
    pub(crate) fn payer_pays(&self, payment_order_id: &str) {
        self.settle(payment_order_id, AttemptOutcome::Succeeded, "payment.captured");
    }

    /// The payment center's books ask another amount of the payer.
    pub(crate) fn payer_owes(&self, payment_order_id: &str, minor: i64) {
        let mut books = self.books();
        let owed = books.payments.get_mut(payment_order_id).expect("a payment order");
        owed.amount.as_mut().expect("an amount").minor_units = minor;
    }

    /// The payer's bank refuses, and the feed says so.
    pub(crate) fn payer_is_declined(&self, payment_order_id: &str) {
        self.settle(payment_order_id, AttemptOutcome::Declined, "payment.declined");
    }

    /// The payer lets the time pass, and the feed says so.
    pub(crate) fn payment_expires(&self, payment_order_id: &str) {
        let closed = {
            let mut books = self.books();
            let owed = books.payments.get_mut(payment_order_id).expect("a payment order");
            owed.state = PaymentOrderState::Closed.into();
            owed.close_reason = CloseReason::Expired.into();
            owed.clone()
        };
        self.announce("payment.closed", closed);
    }

    /// The time to pay of the only payment order passes, and no news of it arrive.
    pub(crate) fn payment_expires_unheard(&self) {
        let mut books = self.books();
        let owed = books.payments.values_mut().next().expect("a payment order");
        owed.state = PaymentOrderState::Closed.into();
        owed.close_reason = CloseReason::Expired.into();
    }

    /// The payment center takes money for what was closed, and the feed says so.
    pub(crate) fn money_comes_late(&self, payment_order_id: &str) {
        let paid = {
            let mut books = self.books();
            let owed = books.payments.get_mut(payment_order_id).expect("a payment order");
            owed.state = PaymentOrderState::Paid.into();
            owed.captured = owed.amount.clone();
            owed.clone()
        };
        self.announce("payment.captured", paid);
    }

    /// The channel brings what a refund waits for.
    pub(crate) fn refund_arrives(&self) {
        let mut books = self.books();
        for refund in books.refunds.values_mut() {
            refund.state = RefundState::Succeeded.into();
        }
    }

    fn settle(&self, payment_order_id: &str, outcome: AttemptOutcome, kind: &str) {
        let settled = {
            let mut books = self.books();
            books.settle(payment_order_id, outcome, "INSUFFICIENT_FUNDS").clone()
        };
        self.announce(kind, settled);
    }

    /// Puts an event of a payment order into the feed, again if need be.
    fn announce(&self, kind: &str, payment_order: PaymentOrder) {
        let order_id = payment_order.order_id.clone();
        let subject = payment_order.payment_order_id.clone();
        let changed = PaymentChanged { payment_order: Some(payment_order), ..Default::default() };
        self.feed.send_modify(|events| {
            events.push(Event {
                event_id: format!("evt_{}", new_body()),
                center: "payment".to_owned(),
                r#type: kind.to_owned(),
                subject,
                order_id,
                sequence: i64::try_from(events.len()).expect("few") + 1,
                payload: Some(prost_types::Any {
                    type_url: "type.googleapis.com/throughline.payment.v1.PaymentChanged"
                        .to_owned(),
                    value: changed.encode_to_vec(),
                }),
                ..Default::default()
            });
        });
    }

    /// Says the last news of the feed a second time.
    pub(crate) fn repeat_news(&self) {
        self.feed.send_modify(|events| {
            let last = events.last().cloned().expect("there was news");
            events.push(Event { sequence: last.sequence + 1, ..last });
        });
    }
}
