//! What the command line says about pauses that stand for all orders.

use clap::{Args, Subcommand};

use super::Why;

/// What to pause for all orders.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Pause a template or a capability: what is on its way stands still, what comes later waits.
    #[command(after_help = "Examples:
  throughline hold add --template telecom-broadband --reason 'wrong modem firmware'
  throughline hold add --method throughline.billing.v1.BillingService/OpenAccount --reason 'billing is down'
  throughline hold add --method throughline.billing.v1.BillingService/OpenAccount --reason 'release 12' \\
      --from 2026-12-01T22:00:00Z --until 2026-12-02T02:00:00Z --ramp-minutes 30")]
    Add(HoldAdd),
    /// Let it go on: times continue with what was left of them.
    #[command(after_help = "Example:
  throughline hold remove --template telecom-broadband --reason 'firmware is fixed'")]
    Remove(HoldOn),
    /// List what is paused for all orders, oldest first.
    #[command(after_help = "Example:
  throughline hold list")]
    List,
}

/// What is paused, and when.
#[derive(Debug, Args)]
pub struct HoldAdd {
    /// What.
    #[command(flatten)]
    pub on: HoldOn,
    /// Begins then, by default now; what runs at that time is finished.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Ends by itself then, by default when it is removed.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Minutes over which orders go on after its end, so that they do not come all at once.
    #[arg(long, value_name = "N", requires = "until", value_parser = clap::value_parser!(u32).range(1..=1_440))]
    pub ramp_minutes: Option<u32>,
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
