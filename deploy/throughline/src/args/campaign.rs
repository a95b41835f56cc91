//! What the command line says about campaigns.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Limit, Once};

/// What to do with campaigns.
#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// Add a campaign, or replace its conditions.
    #[command(after_help = "Example:
  throughline campaign set deploy/throughline/samples/flash-sale.yaml")]
    Set {
        /// The file: a Campaign in the canonical protobuf JSON form, YAML or JSON.
        file: PathBuf,
        /// What makes the request the same over its repeats.
        #[command(flatten)]
        once: Once,
    },
    /// List campaigns, newest first.
    #[command(after_help = "Example:
  throughline campaign list --state OPEN")]
    List {
        /// Only this state (SCHEDULED, OPEN, ENDED).
        #[arg(long)]
        state: Option<String>,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a campaign and how much of it is taken.
    #[command(after_help = "Example:
  throughline campaign show handset-flash")]
    Show {
        /// Code.
        code: String,
    },
    /// End a campaign now; orders that it has go on.
    #[command(after_help = "Example:
  throughline campaign end handset-flash")]
    End {
        /// Code.
        code: String,
        /// What makes the request the same over its repeats.
        #[command(flatten)]
        once: Once,
    },
}
