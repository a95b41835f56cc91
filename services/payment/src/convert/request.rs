//! Requests that were checked.

use std::time::Duration;

use throughline_kit::id::RequestId;
use throughline_kit::money::Money;

use crate::attempt::{AttemptId, CaptureMode, ChannelName};
use crate::payment_order::PaymentOrderId;
use crate::refund::RefundId;

/// A checked CreatePaymentOrderRequest.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) request_id: RequestId,
    pub(crate) order_id: String,
    pub(crate) reference: String,
    pub(crate) payer_id: String,
    pub(crate) amount: Money,
    pub(crate) ttl: Duration,
}

/// A checked StartAttemptRequest.
#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) request_id: RequestId,
    pub(crate) payment_order_id: PaymentOrderId,
    pub(crate) channel: ChannelName,
    pub(crate) mode: CaptureMode,
}

/// A checked request about one payment order, with what else it says.
#[derive(Debug)]
pub(crate) struct OnOrder<T> {
    pub(crate) request_id: RequestId,
    pub(crate) payment_order_id: PaymentOrderId,
    pub(crate) what: T,
}

/// A checked RecordReceiptRequest.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) amount: Money,
    pub(crate) number: String,
}

/// A checked CreateRefundRequest.
#[derive(Debug)]
pub(crate) struct RefundWish {
    pub(crate) request_id: RequestId,
    pub(crate) payment_order_id: Option<PaymentOrderId>,
    pub(crate) amount: Money,
    pub(crate) order_id: String,
    pub(crate) payer_id: String,
    pub(crate) reason: String,
}

/// What a channel's message is about.
#[derive(Debug)]
pub(crate) enum Reference {
    Attempt(AttemptId),
    Refund(RefundId),
}
