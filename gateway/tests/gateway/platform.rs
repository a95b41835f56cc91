//! A gateway of its own for each test.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use throughline_gateway::{Config, Gateway, load_key, start};
use throughline_kit::client::{GatewayChannel, GatewayClient, GatewayConfig};
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::server::Environment;
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::{TestDatabase, environment, eventually};
use throughline_proto::DESCRIPTOR_SET;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;

/// Messages that pass in these tests, in bytes.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 1 << 20;
/// When the clocks of the tests start.
pub(crate) const START: Instant = Instant(1_700_000_000_000_000);

pub(crate) const SMS: &str = "throughline.sms.v1.SmsService";
pub(crate) const ORDER: &str = "throughline.order.v1.OrderService";
pub(crate) const FEED: &str = "throughline.event.v1.EventFeedService";

/// A running gateway and where its things are.
pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    pub(crate) environment: Environment,
    pub(crate) config: Config,
    gateway: Option<Gateway>,
    _keys: tempfile::TempDir,
}

/// Limits that suit tests: two workers, small messages, nobody followed.
pub(crate) fn config(keys: &std::path::Path) -> Config {
    Config {
        keys_directory: keys.to_path_buf(),
        workers: 2,
        max_message_bytes: MAX_MESSAGE_BYTES,
        lease_check_interval_ms: 20,
        hop_flush_interval_ms: 5,
        watch_poll_interval_ms: 50,
        cleanup_interval_ms: 20,
        drain_timeout_ms: 2_000,
        followed_centers: Vec::new(),
        ..Config::default()
    }
}

impl Platform {
    /// Starts on a database.
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        Self::start_with(&database.config, |_| {}).await
    }

    /// Starts with other limits.
    pub(crate) async fn start_with(
        storage: &StorageConfig,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let keys = tempfile::tempdir().expect("make a directory");
        let mut config = config(keys.path());
        change(&mut config);
        let environment = environment(storage, Clock::fixed(START));
        let gateway = start(config.clone(), environment.clone()).await.expect("start");
        let address = gateway.address;
        Self { address, environment, config, gateway: Some(gateway), _keys: keys }
    }

    /// Ends it and waits.
    pub(crate) async fn stop(&mut self) {
        self.environment.shutdown.cancel();
        if let Some(gateway) = self.gateway.take() {
            gateway.stopped().await;
        }
    }

    /// Ends it and starts it again on the same store, keys and clock.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.environment.shutdown = throughline_kit::CancellationToken::new();
        let gateway = start(self.config.clone(), self.environment.clone()).await.expect("start");
        self.address = gateway.address;
        self.gateway = Some(gateway);
    }

    pub(crate) fn key_file(&self, name: &str) -> PathBuf {
        self.config.keys_directory.join(format!("{name}.key"))
    }

    pub(crate) fn key(&self, name: &str) -> String {
        load_key(&self.key_file(name)).expect("a key")
    }

    /// How a built-in caller reaches the gateway.
    pub(crate) fn as_caller(&self, name: &str) -> GatewayConfig {
        self.with_key(&self.key(name))
    }

    pub(crate) fn with_key(&self, key: &str) -> GatewayConfig {
        GatewayConfig { uri: format!("http://{}", self.address), api_key: key.to_owned() }
    }

    /// A channel that calls as a built-in caller.
    pub(crate) fn channel(&self, name: &str) -> GatewayChannel {
        GatewayClient::new(&self.as_caller(name)).expect("an address").channel()
    }

    pub(crate) fn channel_with_key(&self, key: &str) -> GatewayChannel {
        GatewayClient::new(&self.with_key(key)).expect("an address").channel()
    }

    /// An environment for a center behind this gateway.
    pub(crate) fn environment_of(&self, center: &str) -> Environment {
        Environment {
            gateway: Some(self.as_caller(center)),
            shutdown: throughline_kit::CancellationToken::new(),
            ..environment(&self.environment.storage, self.environment.clock.clone())
        }
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.environment.clock.advance(span);
    }

    /// Registers an instance by hand.
    pub(crate) async fn register(
        &self,
        center: &str,
        instance: &str,
        endpoint: SocketAddr,
        services: &[&str],
    ) {
        RegistryServiceClient::new(self.channel(center))
            .register_instance(registration(center, instance, endpoint, services))
            .await
            .expect("registered");
    }

    /// Instances of a center, as the registry shows them.
    pub(crate) async fn instances(&self, center: &str) -> Vec<proto::ServiceInstance> {
        let listed = RegistryServiceClient::new(self.channel("operator"))
            .list_services(proto::ListServicesRequest {})
            .await
            .expect("listed")
            .into_inner();
        let found = listed.services.into_iter().find(|service| service.center == center);
        found.map(|service| service.instances).unwrap_or_default()
    }

    /// Waits until a center has so many instances.
    pub(crate) async fn wait_for_instances(&self, center: &str, count: usize) {
        eventually(&format!("{count} instances of {center}"), || async {
            (self.instances(center).await.len() == count).then_some(())
        })
        .await;
    }
}

/// A registration as the kit makes it.
pub(crate) fn registration(
    center: &str,
    instance: &str,
    endpoint: SocketAddr,
    services: &[&str],
) -> proto::RegisterInstanceRequest {
    proto::RegisterInstanceRequest {
        center: center.to_owned(),
        instance_id: instance.to_owned(),
        endpoint: endpoint.to_string(),
        version: "1.2.3".to_owned(),
        services: services.iter().map(|s| (*s).to_owned()).collect(),
        descriptor_set: DESCRIPTOR_SET.to_vec(),
    }
}
