//! Payment channels: one trait, and what implements it. Which one takes an attempt stands with the attempt.

use std::fmt::Debug;
use std::sync::Arc;

use crate::attempt::{Attempt, ChannelName, Report};
use crate::payment_order::PaymentOrder;
use crate::peers::SandboxChannel;
use crate::refund::{Refund, RefundReport};

/// A channel did not say anything about what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The call certainly had no effect; it may be repeated.
    NotAttempted(String),
    /// The call may have had its effect.
    Unknown(String),
}

impl NoAnswer {
    /// Why, for a person.
    pub(crate) fn cause(self) -> String {
        match self {
            Self::NotAttempted(cause) | Self::Unknown(cause) => cause,
        }
    }
}

/// What the center needs from a payment channel. Every call names our reference, and the channel answers the same
/// reference with the first outcome.
#[tonic::async_trait]
pub(crate) trait PaymentChannel: Debug + Send + Sync {
    /// What the payer must do next about an attempt that waits for him; empty for nothing.
    fn next_action(&self, attempt: &Attempt) -> String;
    /// Charges or authorises.
    async fn charge(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer>;
    /// Captures what is held, as much as the attempt says.
    async fn capture(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer>;
    /// Ends a charge so that it can never bring money, or says that it did.
    async fn cancel(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer>;
    /// Says how a charge stands.
    async fn query(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer>;
    /// Gives money back. Repeated until the answer is definite.
    async fn refund(&self, refund: &Refund) -> Result<RefundReport, NoAnswer>;
}

/// All configured channels.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    sandbox: Arc<dyn PaymentChannel>,
    counter: Arc<dyn PaymentChannel>,
}

impl Channels {
    /// Puts them together.
    pub(crate) fn new(sandbox: SandboxChannel) -> Self {
        Self { sandbox: Arc::new(sandbox), counter: Arc::new(CounterChannel) }
    }

    /// The channel of a name.
    pub(crate) fn get(&self, name: ChannelName) -> &dyn PaymentChannel {
        match name {
            ChannelName::Sandbox => self.sandbox.as_ref(),
            ChannelName::Counter => self.counter.as_ref(),
        }
    }
}

/// A person at a counter: there is nothing to call. An attempt waits for RecordReceipt, ends when it is not wanted any
/// more, and money is given back by hand.
#[derive(Debug)]
struct CounterChannel;

#[tonic::async_trait]
impl PaymentChannel for CounterChannel {
    fn next_action(&self, attempt: &Attempt) -> String {
        format!("pay at the counter, reference {}", attempt.id)
    }

    async fn charge(&self, _: &PaymentOrder, _: &Attempt) -> Result<Report, NoAnswer> {
        Ok(Report::Pending)
    }

    async fn capture(&self, _: &PaymentOrder, _: &Attempt) -> Result<Report, NoAnswer> {
        Ok(Report::CaptureRefused { reason: "NOT_CAPTURABLE".to_owned() })
    }

    async fn cancel(&self, _: &PaymentOrder, _: &Attempt) -> Result<Report, NoAnswer> {
        Ok(Report::Cancelled)
    }

    async fn query(&self, _: &PaymentOrder, _: &Attempt) -> Result<Report, NoAnswer> {
        Ok(Report::Pending)
    }

    async fn refund(&self, _: &Refund) -> Result<RefundReport, NoAnswer> {
        Ok(RefundReport::Succeeded)
    }
}
