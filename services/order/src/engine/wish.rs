//! What can be wanted of an order from outside.

use std::fmt;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::idempotency::FirstAnswer;

use crate::event::{Command, Outcome};
use crate::order::Order;

/// Makes the command from the order as it is when its turn comes, or says why not.
pub(crate) type Make = Box<dyn Fn(&Order) -> Result<Command, Error> + Send>;
/// Makes the answer that is stored with what the command did, from the order before and after.
pub(crate) type Reply =
    Box<dyn FnOnce(&Order, &Order, Instant) -> Result<FirstAnswer, Error> + Send>;

/// What is wanted.
pub(crate) enum Wish {
    /// Decide this command; the first answer is stored with it.
    Command(Make, Option<Reply>),
    /// Settle the step with this reference.
    Report {
        /// Our reference at the outside system.
        reference: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// Settle the payment, if it is the one that the order waits for.
    Payment {
        /// Our reference of what is owed.
        reference: String,
        /// How it stands.
        outcome: Outcome,
    },
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(..) => f.write_str("Command"),
            Self::Report { reference, .. } => f.debug_tuple("Report").field(reference).finish(),
            Self::Payment { reference, .. } => f.debug_tuple("Payment").field(reference).finish(),
        }
    }
}
