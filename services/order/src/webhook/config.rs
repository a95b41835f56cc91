//! Limits of webhooks.

use serde::{Deserialize, Serialize};
use throughline_kit::config::Check;
use throughline_kit::error::Error;

use super::network::Network;

/// Limits of webhooks: section `order.webhook` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// Lets webhooks lead to loopback and private networks: for intranets and tests. Link-local addresses, where clouds
    /// keep credentials, stay refused.
    pub allow_private_addresses: bool,
    /// PEM file of certificate authorities that are trusted beside those of the public internet; empty means none.
    pub ca_file: String,
    /// Attempts at a time, over all webhooks.
    pub max_attempts_in_flight: usize,
    /// Attempts at a time of one webhook, so that a slow receiver does not delay the others.
    pub max_attempts_per_webhook: usize,
    /// How long one attempt may take, from the look-up of the name to the answer, in milliseconds.
    pub attempt_timeout_ms: u64,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            allow_private_addresses: false,
            ca_file: String::new(),
            max_attempts_in_flight: 256,
            max_attempts_per_webhook: 8,
            attempt_timeout_ms: 15_000,
        }
    }
}

impl WebhookConfig {
    /// Refuses values with which nothing would be sent, and names them.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut check = Check::of("order.webhook");
        check.above_zero("max_attempts_in_flight", self.max_attempts_in_flight);
        check.above_zero("max_attempts_per_webhook", self.max_attempts_per_webhook);
        check.above_zero("attempt_timeout_ms", self.attempt_timeout_ms);
        check.finish()
    }

    /// How far webhooks reach.
    pub(crate) fn network(&self) -> Network {
        if self.allow_private_addresses { Network::PrivateToo } else { Network::Public }
    }
}
