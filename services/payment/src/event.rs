//! What is announced, with the payment order or refund as it is after the change.

use throughline_kit::clock::Instant;
use throughline_kit::outbox::Announcement;
use throughline_kit::storage::Tx;
use throughline_proto::payment::v1 as proto;

use crate::convert;
use crate::payment_order::{Event, PaymentOrder};
use crate::refund::Refund;

/// When and in which trace something happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occasion<'a> {
    /// When.
    pub(crate) at: Instant,
    /// W3C traceparent of the request; empty for background work, which goes on with the trace of what it works on.
    pub(crate) trace_parent: &'a str,
}

/// Announces what happened to a payment order or to a stand-alone refund.
pub(crate) fn announce(
    tx: &mut Tx,
    order: Option<&PaymentOrder>,
    events: &[Event],
    occasion: Occasion<'_>,
) {
    for event in events {
        let (kind, refund) = describe(event);
        let payload = proto::PaymentChanged {
            payment_order: order.map(convert::payment_order),
            refund: refund.map(convert::refund),
        };
        let (subject, order_id, own_trace) = match (refund, order) {
            (Some(refund), _) => (refund.id.as_str(), &refund.order_id, &refund.trace_parent),
            (None, Some(order)) => (order.id.as_str(), &order.order_id, &order.trace_parent),
            (None, None) => unreachable!("an event is about a payment order or a refund"),
        };
        let trace =
            if occasion.trace_parent.is_empty() { own_trace } else { occasion.trace_parent };
        tx.announce(
            Announcement::new(kind, subject, order_id, occasion.at, &payload).in_trace(trace),
        );
    }
}

fn describe(event: &Event) -> (&'static str, Option<&Refund>) {
    match event {
        Event::Created => ("payment.created", None),
        Event::Attempted => ("payment.attempted", None),
        Event::Authorized => ("payment.authorized", None),
        Event::Captured => ("payment.captured", None),
        Event::Declined => ("payment.declined", None),
        Event::Unknown => ("payment.unknown", None),
        Event::Closed => ("payment.closed", None),
        Event::LateMoney(refund) => ("payment.late_money_refunded", Some(refund)),
        Event::RefundRequested(refund) => ("payment.refund_requested", Some(refund)),
        Event::Refunded(refund) => ("payment.refunded", Some(refund)),
        Event::RefundFailed(refund) => ("payment.refund_failed", Some(refund)),
    }
}
