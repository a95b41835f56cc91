//! What the command line says about carts.

use clap::{Args, Subcommand};

use super::Limit;

/// What to see of carts.
#[derive(Debug, Subcommand)]
pub enum CartCommand {
    /// Show a cart and its lines.
    #[command(after_help = "Example:
  throughline cart show cart_01JD…")]
    Show {
        /// Id.
        id: String,
    },
    /// List the carts of one customer or visitor, newest first.
    #[command(after_help = "Examples:
  throughline cart list --customer cust-0001
  throughline cart list --visitor v-77 --state ACTIVE")]
    List(CartList),
}

/// Whose carts.
#[derive(Debug, Args)]
pub struct CartList {
    /// Of this customer.
    #[arg(long, value_name = "ID", required_unless_present = "visitor")]
    pub customer: Option<String>,
    /// Of this guest.
    #[arg(long, value_name = "ID", conflicts_with = "customer")]
    pub visitor: Option<String>,
    /// Only this state (ACTIVE, CHECKED_OUT, MERGED, EXPIRED, DELETED).
    #[arg(long)]
    pub state: Option<String>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}
