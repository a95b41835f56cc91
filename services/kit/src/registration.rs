//! Keeps an instance registered at the gateway for as long as it serves.

use std::time::Duration;

use throughline_proto::DESCRIPTOR_SET;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;
use tokio_util::sync::CancellationToken;

use crate::client::{CallContext, GatewayClient};
use crate::clock::span_from_proto;
use crate::error::Error;

/// Wait before registering again after a failure.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// Longest wait between failures.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(2);
/// Failures in a row before it is worth a warning.
const FAILURES_BEFORE_WARNING: u32 = 10;
/// How long the gateway may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Renewal when the gateway does not say.
const DEFAULT_RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// What is registered.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Center or system.
    pub center: String,
    /// Unique for one process.
    pub instance_id: String,
    /// Where it listens.
    pub endpoint: String,
    /// Full names of its services.
    pub services: Vec<String>,
}

impl Registration {
    /// Registers, renews, registers again when the gateway forgot, and deregisters at the end.
    pub async fn keep(self, client: GatewayClient, shutdown: CancellationToken) {
        let mut failures = 0_u32;
        loop {
            let wait = match self.register_and_renew(&client, &shutdown, &mut failures).await {
                Ok(()) => break,
                Err(cause) => {
                    failures += 1;
                    if failures.is_multiple_of(FAILURES_BEFORE_WARNING) {
                        tracing::warn!(center = self.center, %cause, failures, "register at the gateway");
                    }
                    (RETRY_DELAY * failures).min(MAX_RETRY_DELAY)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.deregister(&client).await;
    }

    async fn register_and_renew(
        &self,
        client: &GatewayClient,
        shutdown: &CancellationToken,
        failures: &mut u32,
    ) -> Result<(), Error> {
        let mut registry = RegistryServiceClient::new(client.channel());
        let context = CallContext { timeout: Some(CALL_TIMEOUT), ..CallContext::default() };
        let registered = registry
            .register_instance(context.request(proto::RegisterInstanceRequest {
                center: self.center.clone(),
                instance_id: self.instance_id.clone(),
                endpoint: self.endpoint.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                services: self.services.clone(),
                descriptor_set: DESCRIPTOR_SET.to_vec(),
            }))
            .await
            .map_err(|status| Error::from_status(&status))?
            .into_inner();
        *failures = 0;
        tracing::debug!(center = self.center, endpoint = self.endpoint, "registered");
        let interval = span_from_proto(registered.renew_interval.as_ref())
            .filter(|span| !span.is_zero())
            .unwrap_or(DEFAULT_RENEW_INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(interval) => {}
            }
            let renew = proto::RenewLeaseRequest { instance_id: self.instance_id.clone() };
            registry
                .renew_lease(context.request(renew))
                .await
                .map_err(|status| Error::from_status(&status))?;
        }
    }

    async fn deregister(&self, client: &GatewayClient) {
        let context = CallContext { timeout: Some(CALL_TIMEOUT), ..CallContext::default() };
        let request = proto::DeregisterInstanceRequest { instance_id: self.instance_id.clone() };
        let done = RegistryServiceClient::new(client.channel())
            .deregister_instance(context.request(request))
            .await;
        if let Err(status) = done {
            tracing::debug!(center = self.center, %status, "deregister at the gateway");
        }
    }
}
