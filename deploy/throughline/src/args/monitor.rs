//! What the command line says about monitors of orders.

use clap::Args;

use super::Limit;

/// Which steps to count.
#[derive(Debug, Args)]
pub struct OrderLoad {
    /// Only of this template.
    #[arg(long)]
    pub template: Option<String>,
    /// Only steps with this id.
    #[arg(long, value_name = "ID")]
    pub step: Option<String>,
}

/// Which steps are late.
#[derive(Debug, Args)]
pub struct OrderTimeouts {
    /// Only of this template.
    #[arg(long)]
    pub template: Option<String>,
    /// Only steps with this id.
    #[arg(long, value_name = "ID")]
    pub step: Option<String>,
    /// Only so late (WARNED, BREACHED, TIMED_OUT).
    #[arg(long)]
    pub lateness: Option<String>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// Which requests to cancel or to change.
#[derive(Debug, Args)]
pub struct OrderCancellations {
    /// Only this kind (ORDER, PARTS, CHANGE).
    #[arg(long)]
    pub kind: Option<String>,
    /// Only with this outcome (OPEN, STUCK, DONE, PARTLY, TOO_LATE, REPLACED).
    #[arg(long)]
    pub outcome: Option<String>,
    /// Only with just this reason.
    #[arg(long)]
    pub reason: Option<String>,
    /// Only asked at this time or later: 2026-11-27 or 2026-11-27T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// Which orders whose customer asked to hurry.
#[derive(Debug, Args)]
pub struct OrderUrges {
    /// Only this channel.
    #[arg(long)]
    pub channel: Option<String>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// Which orders whose money is not what it should be.
#[derive(Debug, Args)]
pub struct OrderFees {
    /// Only orders accepted at this time or later: 2026-11-27 or 2026-11-27T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}
