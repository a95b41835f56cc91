//! What the command line says about webhooks.

use clap::{Args, Subcommand};

use super::{Limit, Once};

/// What to do with webhooks. A channel's key (--key-file) sees its own; an operator's sees all.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Register a webhook and print its secret, which is shown only once; or change the one with this name.
    #[command(after_help = "Examples:
  throughline webhook set https://shop.example/events --channel my-shop
  throughline webhook set https://shop.example/ends --channel my-shop --name ends --event order.completed")]
    Set(WebhookSetting),
    /// List webhooks.
    #[command(after_help = "Example:
  throughline webhook list --channel my-shop")]
    List {
        /// Only of this channel.
        #[arg(long)]
        channel: Option<String>,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Make a new secret and print it, which is shown only once; the old one signs for 24 h more.
    #[command(after_help = "Example:
  throughline webhook rotate-secret wh_01JD…")]
    RotateSecret(WebhookOne),
    /// List what was sent, or waits to be sent, newest first.
    #[command(after_help = "Examples:
  throughline webhook deliveries --webhook wh_01JD… --failed
  throughline webhook deliveries --order ord_01JD…")]
    Deliveries(WebhookDeliveries),
    /// Send again: one delivery, or those of a webhook that were given up.
    #[command(after_help = "Examples:
  throughline webhook redeliver whd_01JD…
  throughline webhook redeliver --failed wh_01JD… --since 2026-11-27")]
    Redeliver(WebhookRedelivery),
    /// Hold deliveries back; they are kept for 30 days.
    #[command(after_help = "Example:
  throughline webhook pause wh_01JD…")]
    Pause(WebhookOne),
    /// Send what waits, and all that follows.
    #[command(after_help = "Example:
  throughline webhook resume wh_01JD…")]
    Resume(WebhookOne),
    /// Remove a webhook and all its deliveries.
    #[command(after_help = "Example:
  throughline webhook delete wh_01JD…")]
    Delete(WebhookOne),
}

/// One webhook.
#[derive(Debug, Args)]
pub struct WebhookOne {
    /// Id.
    pub id: String,
    /// What makes the request the same over its repeats.
    #[command(flatten)]
    pub once: Once,
}

/// A webhook as it shall be.
#[derive(Debug, Args)]
pub struct WebhookSetting {
    /// Where to: http or https, on the public internet.
    pub url: String,
    /// Channel whose orders it tells of; an operator must say it.
    #[arg(long)]
    pub channel: Option<String>,
    /// Name, unique in the channel.
    #[arg(long, default_value = "default")]
    pub name: String,
    /// Event that it sends; may be given several times [default: every order.… event].
    #[arg(long = "event", value_name = "TYPE")]
    pub events: Vec<String>,
    /// What makes the request the same over its repeats.
    #[command(flatten)]
    pub once: Once,
}

/// Which deliveries.
#[derive(Debug, Args)]
pub struct WebhookDeliveries {
    /// Of this webhook.
    #[arg(long, value_name = "ID", required_unless_present = "order")]
    pub webhook: Option<String>,
    /// Of this order.
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
    /// Only those that were given up.
    #[arg(long)]
    pub failed: bool,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// What to send again.
#[derive(Debug, Args)]
pub struct WebhookRedelivery {
    /// One delivery.
    #[arg(value_name = "DELIVERY", required_unless_present = "failed")]
    pub delivery: Option<String>,
    /// Those of this webhook that were given up.
    #[arg(long, value_name = "WEBHOOK", conflicts_with = "delivery")]
    pub failed: Option<String>,
    /// Only of events at this time or later: 2026-11-27 or 2026-11-27T08:00:00Z.
    #[arg(long, value_name = "TIME", requires = "failed")]
    pub since: Option<String>,
    /// What makes the request the same over its repeats.
    #[command(flatten)]
    pub once: Once,
}
