//! The control plane's state: callers, contracts and instances, and the pictures of them that the data plane works from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use throughline_kit::CancellationToken;
use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::id::RequestId;
use throughline_kit::storage::Writer;
use throughline_proto::DESCRIPTOR_SET;
use tokio::sync::Notify;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::caller::{ApiKey, Caller};
use crate::config::{Config, milliseconds};
use crate::contract::Contract;
use crate::error::{ControlRefusal, DOMAIN};
use crate::reflection::Reflection;
use crate::registry::{Endpoint, Registration, Registry};
use crate::snapshot::{Painter, Snapshot};
use crate::store::CreateCaller;

/// Different descriptor sets in the life of a process; a further one is refused.
const MAX_CONTRACTS: usize = 256;
/// Services that the gateway itself offers, beside health and reflection.
const OWN_SERVICES: [&str; 4] = [
    "throughline.gateway.v1.AccessService",
    "throughline.gateway.v1.CatalogService",
    "throughline.gateway.v1.RegistryService",
    "throughline.gateway.v1.TrajectoryService",
];

type Fingerprint = [u8; 32];

/// A descriptor set that was read.
#[derive(Debug)]
struct KnownContract {
    contract: Arc<Contract>,
    encoded: Arc<[u8]>,
}

#[derive(Debug)]
struct State {
    registry: Registry,
    callers: BTreeMap<Arc<str>, Caller>,
    contracts: HashMap<Fingerprint, KnownContract>,
    painter: Painter,
    own: Arc<Endpoint>,
}

/// Decides what the data plane sees.
#[derive(Debug)]
pub(crate) struct Control {
    state: Mutex<State>,
    snapshots: Arc<ArcSwap<Snapshot>>,
    reflection: Reflection,
    changed: Notify,
    clock: Clock,
    lease_clock: Clock,
    writer: Writer,
    limits: Limits,
}

/// What the control plane is bounded by.
#[derive(Clone, Copy, Debug)]
struct Limits {
    max_instances: usize,
    max_callers: usize,
    lease_ttl: Duration,
    lease_check_interval: Duration,
}

/// What the control plane starts from.
pub(crate) struct Foundation {
    /// Stored callers.
    pub(crate) callers: Vec<Caller>,
    /// Where the gateway's own services are.
    pub(crate) own: Registration,
    /// Proof for the gateway's own services.
    pub(crate) pass: HeaderValue,
    /// The contracts that this build knows.
    pub(crate) contract: Arc<Contract>,
    /// Where reflection is answered from.
    pub(crate) reflection: Reflection,
}

/// Describes the gateway's own services for its registry.
pub(crate) fn own_registration(
    authority: http::uri::Authority,
    contract: Arc<Contract>,
) -> Registration {
    Registration {
        center: DOMAIN.to_owned(),
        instance_id: DOMAIN.to_owned(),
        authority,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        services: OWN_SERVICES.map(str::to_owned).to_vec(),
        contract,
    }
}

impl Control {
    /// Draws the first picture.
    pub(crate) fn new(
        config: &Config,
        clock: Clock,
        writer: Writer,
        foundation: Foundation,
    ) -> Result<Self, Error> {
        let Foundation { callers, own, pass, contract, reflection } = foundation;
        let endpoint = Arc::new(Endpoint::new(own.authority.clone(), Some(pass.clone())));
        let mut registry = Registry::default();
        registry.register_own(own, pass, clock.now())?;
        let known =
            KnownContract { contract: Arc::clone(&contract), encoded: DESCRIPTOR_SET.into() };
        let control = Self {
            state: Mutex::new(State {
                registry,
                callers: callers.into_iter().map(|c| (Arc::clone(&c.name), c)).collect(),
                contracts: HashMap::from([(Sha256::digest(DESCRIPTOR_SET).into(), known)]),
                painter: Painter::new(contract),
                own: endpoint,
            }),
            snapshots: Arc::default(),
            reflection,
            changed: Notify::new(),
            lease_clock: clock.steady(),
            clock,
            writer,
            limits: Limits {
                max_instances: config.max_instances,
                max_callers: config.max_callers,
                lease_ttl: milliseconds(config.lease_ttl_ms),
                lease_check_interval: milliseconds(config.lease_check_interval_ms),
            },
        };
        control.publish(&mut control.state());
        Ok(control)
    }

    /// The pictures.
    pub(crate) fn snapshots(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshots)
    }

    /// How long a lease runs.
    pub(crate) fn lease_ttl(&self) -> Duration {
        self.limits.lease_ttl
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, state: &mut State) {
        let State { registry, callers, contracts, painter, own } = state;
        let snapshot = painter.paint(callers.values(), registry, own);
        self.snapshots.store(Arc::new(snapshot));
        let services: BTreeSet<&str> = registry
            .centers()
            .flat_map(|center| center.services.keys().map(String::as_str))
            .collect();
        self.reflection.publish(&services, contracts.values().map(|known| &known.encoded));
        self.changed.notify_one();
    }

    /// Reads a descriptor set, once for all who send the same.
    pub(crate) fn contract(&self, encoded: &[u8]) -> Result<Arc<Contract>, ControlRefusal> {
        let fingerprint: Fingerprint = Sha256::digest(encoded).into();
        if let Some(known) = self.state().contracts.get(&fingerprint) {
            return Ok(Arc::clone(&known.contract));
        }
        let contract = Arc::new(Contract::decode(encoded)?);
        let known = KnownContract { contract: Arc::clone(&contract), encoded: encoded.into() };
        let mut state = self.state();
        if state.contracts.len() >= MAX_CONTRACTS {
            let (limit, value) = ("max_contracts", MAX_CONTRACTS);
            return Err(ControlRefusal::LimitReached { limit, value });
        }
        state.contracts.insert(fingerprint, known);
        Ok(contract)
    }

    /// Registers an instance; from the answer on it gets calls.
    pub(crate) fn register(&self, registration: Registration) -> Result<(), ControlRefusal> {
        let now = self.clock.now();
        let lease = Some(self.lease_clock.now().plus(self.limits.lease_ttl));
        let mut state = self.state();
        state.registry.register(registration, lease, now, self.limits.max_instances)?;
        self.publish(&mut state);
        Ok(())
    }

    /// Renews a lease.
    pub(crate) fn renew(&self, center: &str, instance_id: &str) -> Result<(), ControlRefusal> {
        let now = self.lease_clock.now();
        self.state().registry.renew(center, instance_id, now, self.limits.lease_ttl)
    }

    /// Takes an instance out.
    pub(crate) fn deregister(&self, center: &str, instance_id: &str) {
        let mut state = self.state();
        if state.registry.deregister(center, instance_id) {
            self.publish(&mut state);
        }
    }

    /// Shows the registry.
    pub(crate) fn with_registry<T>(&self, show: impl FnOnce(&Registry) -> T) -> T {
        show(&self.state().registry)
    }

    /// Shows the callers by name.
    pub(crate) fn with_callers<T>(
        &self,
        show: impl FnOnce(&mut dyn Iterator<Item = &Caller>) -> T,
    ) -> T {
        show(&mut self.state().callers.values())
    }

    /// Creates a caller; from the answer on its key is known.
    pub(crate) async fn create_caller(
        &self,
        caller: Caller,
        request_id: RequestId,
    ) -> Result<(), Error> {
        let max_callers = self.limits.max_callers;
        let change = CreateCaller { caller: caller.clone(), request_id, max_callers };
        self.writer.write(change).await?;
        let mut state = self.state();
        state.callers.insert(Arc::clone(&caller.name), caller);
        self.publish(&mut state);
        Ok(())
    }

    /// Makes a new channel and its key.
    pub(crate) fn new_key(&self) -> (ApiKey, throughline_kit::clock::Instant) {
        (ApiKey::generate(), self.clock.now())
    }

    /// Takes out what did not renew, and tells health, until the end.
    pub(crate) async fn keep(&self, health: HealthReporter, shutdown: CancellationToken) {
        let mut told = BTreeMap::new();
        loop {
            self.expire();
            self.tell_health(&health, &mut told).await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(self.limits.lease_check_interval) => {}
            }
        }
    }

    fn expire(&self) {
        let mut state = self.state();
        let expired = state.registry.expire(self.lease_clock.now());
        for (center, instance_id) in &expired {
            tracing::warn!(%center, instance_id, "take out an instance that did not renew its lease");
        }
        if !expired.is_empty() {
            self.publish(&mut state);
        }
    }

    async fn tell_health(&self, health: &HealthReporter, told: &mut BTreeMap<String, bool>) {
        let mut serving = BTreeMap::new();
        self.with_registry(|registry| {
            for center in registry.centers() {
                for service in center.services.keys() {
                    let served = center.instances.values().any(|i| i.services.contains(service));
                    *serving.entry(service.clone()).or_insert(false) |= served;
                }
            }
        });
        for (service, served) in &serving {
            if told.get(service) != Some(served) {
                let status =
                    if *served { ServingStatus::Serving } else { ServingStatus::NotServing };
                health.set_service_status(service, status).await;
            }
        }
        *told = serving;
    }
}
