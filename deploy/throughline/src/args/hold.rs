//! What the command line says about pauses that stand for all orders.

use clap::{Args, Subcommand};

use super::Why;

/// What to pause for all orders.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Pause a template or a capability: what is on its way stands still, what comes later waits.
    #[command(after_help = "Examples:
  throughline hold add --template telecom-broadband --reason 'wrong modem firmware'
  throughline hold add --method throughline.billing.v1.BillingService/OpenAccount --reason 'billing is down'")]
    Add(HoldOn),
    /// Let it go on: times continue with what was left of them.
    #[command(after_help = "Example:
  throughline hold remove --template telecom-broadband --reason 'firmware is fixed'")]
    Remove(HoldOn),
    /// List what is paused for all orders, oldest first.
    #[command(after_help = "Example:
  throughline hold list")]
    List,
}

/// A template or a capability.
#[derive(Debug, Args)]
pub struct HoldOn {
    /// Every business order of this template, and every order that runs by it.
    #[arg(long, value_name = "NAME", required_unless_present = "method")]
    pub template: Option<String>,
    /// Every step that calls this.
    #[arg(long, value_name = "SERVICE/METHOD", conflicts_with = "template")]
    pub method: Option<String>,
    /// Why.
    #[command(flatten)]
    pub why: Why,
}
