//! Which instance of which center serves what, and until when its lease runs. Pure.
//!
//! ```text
//! (unknown) ──register──► REGISTERED ──renew──► REGISTERED
//!                             │ lease over, or deregistered
//!                             ▼
//!                         (forgotten; the center's contract stays, so that its methods answer NO_INSTANCE)
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;
use throughline_kit::clock::Instant;

use crate::contract::{Contract, Method};
use crate::error::ControlRefusal;

/// Where calls can be sent. Lives as long as its instance, over all snapshots.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Never used twice in a process.
    pub(crate) id: u64,
    /// Host and port.
    pub(crate) authority: Authority,
    /// Calls under way, of all workers.
    pub(crate) pending: AtomicU32,
    /// The last try to connect failed: calls go elsewhere while there is an elsewhere.
    pub(crate) unreachable: AtomicBool,
    /// Proves to the gateway's own services that a call passed the gateway.
    pub(crate) pass: Option<HeaderValue>,
}

impl Endpoint {
    /// Makes the endpoint of an instance.
    pub(crate) fn new(authority: Authority, pass: Option<HeaderValue>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            authority,
            pending: AtomicU32::new(0),
            unreachable: AtomicBool::new(false),
            pass,
        }
    }

    /// Whether the last try to connect did not fail.
    pub(crate) fn is_reachable(&self) -> bool {
        !self.unreachable.load(Ordering::Relaxed)
    }

    /// The address as it was registered.
    pub(crate) fn address(&self) -> &str {
        self.authority.as_str()
    }
}

/// Reads host and port.
pub(crate) fn parse_endpoint(text: &str) -> Result<Authority, InvalidEndpoint> {
    let authority: Authority = text.parse().map_err(|_| InvalidEndpoint)?;
    let valid = authority.port_u16().is_some_and(|port| port > 0)
        && !authority.host().is_empty()
        && !text.contains('@');
    if valid { Ok(authority) } else { Err(InvalidEndpoint) }
}

/// A text is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be host:port")]
pub(crate) struct InvalidEndpoint;

/// What an instance says when it registers.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    /// Center or system.
    pub(crate) center: String,
    /// Unique for one process.
    pub(crate) instance_id: String,
    /// Where it listens.
    pub(crate) authority: Authority,
    /// Version of its software.
    pub(crate) version: String,
    /// Full names of its services.
    pub(crate) services: Vec<String>,
    /// What they look like.
    pub(crate) contract: Arc<Contract>,
}

/// An instance that gets calls.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Where.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Version of its software.
    pub(crate) version: String,
    /// Full names of its services.
    pub(crate) services: Vec<String>,
    /// When it registered.
    pub(crate) registered_at: Instant,
    /// When its lease ends; `None` for the gateway itself.
    pub(crate) lease_ends_at: Option<Instant>,
}

/// A center or an outside system.
#[derive(Debug)]
pub(crate) struct Center {
    /// Name. One allocation for the whole life of the process.
    pub(crate) name: Arc<str>,
    /// Methods by service, as the last registration said.
    pub(crate) services: BTreeMap<String, Vec<Arc<Method>>>,
    /// By instance id.
    pub(crate) instances: BTreeMap<String, Instance>,
}

/// All centers.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    centers: BTreeMap<String, Center>,
}

impl Registry {
    /// Registers an instance, or renews it when it is the same.
    pub(crate) fn register(
        &mut self,
        registration: Registration,
        lease_ends_at: Option<Instant>,
        now: Instant,
        max_instances: usize,
    ) -> Result<(), ControlRefusal> {
        let mut methods = BTreeMap::new();
        for service in &registration.services {
            methods.insert(service.clone(), registration.contract.service(service)?.to_vec());
        }
        let known = self.instance(&registration.center, &registration.instance_id).is_some();
        if !known && self.instance_count() >= max_instances {
            return Err(ControlRefusal::LimitReached {
                limit: "max_instances",
                value: max_instances,
            });
        }
        self.insert(registration, methods, lease_ends_at, now, None);
        Ok(())
    }

    /// Registers the gateway's own services, without a lease.
    pub(crate) fn register_own(
        &mut self,
        registration: Registration,
        pass: HeaderValue,
        now: Instant,
    ) -> Result<(), ControlRefusal> {
        let mut methods = BTreeMap::new();
        for service in &registration.services {
            methods.insert(service.clone(), registration.contract.service(service)?.to_vec());
        }
        self.insert(registration, methods, None, now, Some(pass));
        Ok(())
    }

    fn insert(
        &mut self,
        registration: Registration,
        methods: BTreeMap<String, Vec<Arc<Method>>>,
        lease_ends_at: Option<Instant>,
        now: Instant,
        pass: Option<HeaderValue>,
    ) {
        let Registration { center: name, instance_id, authority, version, services, .. } =
            registration;
        let center = self.centers.entry(name).or_insert_with_key(|name| Center {
            name: name.as_str().into(),
            services: BTreeMap::new(),
            instances: BTreeMap::new(),
        });
        let before = center.instances.remove(&instance_id);
        let registered_at = before.as_ref().map_or(now, |instance| instance.registered_at);
        let endpoint = before
            .map(|instance| instance.endpoint)
            .filter(|endpoint| endpoint.authority == authority)
            .unwrap_or_else(|| Arc::new(Endpoint::new(authority, pass)));
        center.services.extend(methods);
        let instance = Instance { endpoint, version, services, registered_at, lease_ends_at };
        center.instances.insert(instance_id, instance);
        let Center { services, instances, .. } = center;
        services.retain(|name, _| instances.values().any(|i| i.services.contains(name)));
    }

    /// Renews a lease that still runs.
    pub(crate) fn renew(
        &mut self,
        center: &str,
        instance_id: &str,
        now: Instant,
        ttl: Duration,
    ) -> Result<(), ControlRefusal> {
        let instance = self
            .centers
            .get_mut(center)
            .and_then(|center| center.instances.get_mut(instance_id))
            .filter(|instance| instance.lease_ends_at.is_some_and(|end| end > now));
        match instance {
            Some(instance) => {
                instance.lease_ends_at = Some(now.plus(ttl));
                Ok(())
            }
            None => Err(ControlRefusal::InstanceNotFound { instance_id: instance_id.to_owned() }),
        }
    }

    /// Takes an instance out; says whether it was there.
    pub(crate) fn deregister(&mut self, center: &str, instance_id: &str) -> bool {
        let instances = self.centers.get_mut(center).map(|center| &mut center.instances);
        instances.is_some_and(|instances| {
            let leased = instances.get(instance_id).is_some_and(|i| i.lease_ends_at.is_some());
            leased && instances.remove(instance_id).is_some()
        })
    }

    /// Takes out every instance whose lease is over; says which, as (center, instance).
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(Arc<str>, String)> {
        let mut expired = Vec::new();
        for center in self.centers.values_mut() {
            let over = |i: &Instance| i.lease_ends_at.is_some_and(|end| end <= now);
            for (id, _) in center.instances.extract_if(.., |_, instance| over(instance)) {
                expired.push((Arc::clone(&center.name), id));
            }
        }
        expired
    }

    /// All centers by name.
    pub(crate) fn centers(&self) -> impl Iterator<Item = &Center> {
        self.centers.values()
    }

    fn instance(&self, center: &str, instance_id: &str) -> Option<&Instance> {
        self.centers.get(center)?.instances.get(instance_id)
    }

    fn instance_count(&self) -> usize {
        self.centers
            .values()
            .flat_map(|center| center.instances.values())
            .filter(|instance| instance.lease_ends_at.is_some())
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMS: &str = "throughline.sms.v1.SmsService";
    const BILLING: &str = "throughline.billing.v1.BillingService";
    const TTL: Duration = Duration::from_secs(10);

    fn registration(center: &str, instance: &str, services: &[&str]) -> Registration {
        Registration {
            center: center.to_owned(),
            instance_id: instance.to_owned(),
            authority: parse_endpoint("127.0.0.1:7400").expect("an endpoint"),
            version: "1".to_owned(),
            services: services.iter().map(|s| (*s).to_owned()).collect(),
            contract: Arc::new(Contract::read(throughline_proto::descriptors())),
        }
    }

    fn register(registry: &mut Registry, registration: Registration, now: Instant) {
        registry.register(registration, Some(now.plus(TTL)), now, 3).expect("registered");
    }

    fn ids(registry: &Registry) -> Vec<String> {
        registry.centers().flat_map(|c| c.instances.keys().cloned()).collect()
    }

    #[test]
    fn a_lease_runs_until_its_end_unless_it_is_renewed() {
        let mut registry = Registry::default();
        let start = Instant(0);
        register(&mut registry, registration("sms", "a", &[SMS]), start);
        register(&mut registry, registration("sms", "b", &[SMS]), start);
        let later = start.plus(TTL / 2);
        registry.renew("sms", "a", later, TTL).expect("runs");
        assert_eq!(registry.expire(start.plus(TTL)), [("sms".into(), "b".to_owned())]);
        assert_eq!(ids(&registry), ["a"]);
        assert!(registry.renew("sms", "b", later, TTL).is_err());
        assert_eq!(registry.expire(later.plus(TTL)).len(), 1);
        let center = registry.centers().next().expect("still known");
        assert!(center.services.contains_key(SMS), "the contract stays");
    }

    #[test]
    fn a_lease_that_is_over_cannot_be_renewed_even_before_it_was_taken_out() {
        let mut registry = Registry::default();
        register(&mut registry, registration("sms", "a", &[SMS]), Instant(0));
        assert!(registry.renew("sms", "a", Instant(0).plus(TTL), TTL).is_err());
    }

    #[test]
    fn registering_again_keeps_the_endpoint_and_follows_the_services() {
        let mut registry = Registry::default();
        register(&mut registry, registration("sms", "a", &[SMS]), Instant(0));
        let first = registry.instance("sms", "a").expect("there").endpoint.id;
        register(&mut registry, registration("sms", "a", &[BILLING]), Instant(1));
        let again = registry.instance("sms", "a").expect("there");
        assert_eq!(again.endpoint.id, first);
        assert_eq!(again.registered_at, Instant(0));
        let center = registry.centers().next().expect("there");
        assert_eq!(center.services.keys().collect::<Vec<_>>(), [BILLING]);
    }

    #[test]
    fn no_more_instances_than_the_limit_but_known_ones_may_come_back() {
        let mut registry = Registry::default();
        for instance in ["a", "b", "c"] {
            register(&mut registry, registration("sms", instance, &[SMS]), Instant(0));
        }
        let over = registry.register(registration("sms", "d", &[SMS]), None, Instant(0), 3);
        assert_eq!(over, Err(ControlRefusal::LimitReached { limit: "max_instances", value: 3 }));
        register(&mut registry, registration("sms", "c", &[SMS]), Instant(0));
        assert!(registry.deregister("sms", "c"));
        assert!(!registry.deregister("sms", "c"));
        register(&mut registry, registration("sms", "d", &[SMS]), Instant(0));
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in ["", "host", ":7400", "host:0", "host:port", "user@host:1", "a b:1"] {
            assert!(parse_endpoint(text).is_err(), "{text:?}");
        }
        for text in ["127.0.0.1:7400", "[::1]:7400", "order.local:80"] {
            assert!(parse_endpoint(text).is_ok(), "{text:?}");
        }
    }
}
