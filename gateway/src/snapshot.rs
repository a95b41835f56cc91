//! What the data plane works from: an immutable picture of callers and routes, swapped whole when something changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::HeaderValue;
use throughline_kit::identity::CallerKind;

use crate::caller::{Caller, Grant, InvalidGrant, KeyHash, Permission, reaches};
use crate::contract::{Admission, Contract, Method, StandardMethod};
use crate::error::{AccessRefusal, DOMAIN, RouteRefusal};
use crate::registry::{Endpoint, Registry};

/// Methods that the gateway answers itself. Probes of containers have no key: they may ask how it is, but not hold streams.
const OWN_STANDARD_METHODS: [StandardMethod; 5] = [
    open("grpc.health.v1.Health/Check"),
    open("grpc.health.v1.Health/List"),
    stream("grpc.health.v1.Health/Watch"),
    stream("grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    stream("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

/// A method for everybody: it answers once, so it has a deadline.
const fn open(name: &'static str) -> StandardMethod {
    StandardMethod { name, admission: Admission::Open, streaming: false }
}

/// A stream for anybody with a key.
const fn stream(name: &'static str) -> StandardMethod {
    StandardMethod { name, admission: Admission::AnyCaller, streaming: true }
}

/// A caller as the data plane needs it.
#[derive(Debug)]
pub(crate) struct CallerAccess {
    /// The caller.
    pub(crate) caller: Caller,
    /// Its name, ready for a header.
    pub(crate) name_header: HeaderValue,
    /// Its rights, ready for a header; absent where it has none.
    pub(crate) rights_header: Option<HeaderValue>,
    /// One bit for each method that it may call, by the method's id.
    allowed: Vec<u64>,
}

impl CallerAccess {
    fn new(caller: &Caller, methods: &BTreeMap<u32, Arc<Method>>) -> Self {
        let words = methods.keys().last().map_or(0, |id| *id as usize / 64 + 1);
        let mut allowed = vec![0_u64; words];
        for method in methods.values() {
            if decide(caller, method) == Permission::Allowed {
                allowed[method.id as usize / 64] |= 1 << (method.id % 64);
            }
        }
        let header = |text: &str| HeaderValue::from_str(text).expect("names are [a-z0-9-]");
        let rights = caller.right_grants.join(",");
        Self {
            name_header: header(&caller.name),
            rights_header: (!rights.is_empty()).then(|| header(&rights)),
            allowed,
            caller: caller.clone(),
        }
    }

    /// Lets the caller through to a method, or says why not.
    pub(crate) fn authorise(&self, method: &Method) -> Result<(), AccessRefusal> {
        let word = self.allowed.get(method.id as usize / 64).copied().unwrap_or(0);
        if word & (1 << (method.id % 64)) != 0 {
            return Ok(());
        }
        let (caller, name) = (self.caller.name.to_string(), method.name.to_string());
        match (decide(&self.caller, method), method.admission) {
            (Permission::ExposureDenied, Admission::Granted(exposure)) => {
                let exposure = exposure.as_str_name();
                Err(AccessRefusal::ExposureDenied { caller, method: name, exposure })
            }
            _ => Err(AccessRefusal::MethodNotGranted { caller, method: name }),
        }
    }

    /// What it is.
    pub(crate) fn kind(&self) -> CallerKind {
        self.caller.kind
    }
}

fn decide(caller: &Caller, method: &Method) -> Permission {
    match method.admission {
        Admission::Open | Admission::AnyCaller => Permission::Allowed,
        Admission::Granted(exposure) => caller.permission(&method.name, exposure),
    }
}

/// A center that offers a method, and where.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Center.
    pub(crate) center: Arc<str>,
    /// The method by that center's contract.
    pub(crate) method: Arc<Method>,
    /// Its instances.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
}

impl Offer {
    /// Chooses an instance: the less busy of two that chance names, another one where neither can be reached. `without` was
    /// tried just now. Where none can be reached one is tried all the same.
    pub(crate) fn choose(&self, chance: u64, without: Option<u64>) -> Option<&Arc<Endpoint>> {
        let is_other = |endpoint: &&Arc<Endpoint>| Some(endpoint.id) != without;
        let count = self.endpoints.len();
        if count < 2 {
            return self.endpoints.first().filter(is_other);
        }
        let one = usize::try_from(chance % count as u64).unwrap_or(0);
        let step = usize::try_from((chance >> 32) % (count as u64 - 1)).unwrap_or(0);
        let (before, after) = self.endpoints.split_at(one);
        let (one, two) = (&self.endpoints[one], &self.endpoints[(one + 1 + step) % count]);
        let is_busier = one.pending.load(Ordering::Relaxed) > two.pending.load(Ordering::Relaxed);
        let named = if is_busier { [two, one] } else { [one, two] };
        let mut fit = named.into_iter().chain(after).chain(before).filter(is_other);
        fit.clone().find(|endpoint| endpoint.is_reachable()).or_else(|| fit.next())
    }
}

/// Where a method leads.
#[derive(Debug)]
pub(crate) struct Route {
    /// The method, by whichever contract knows it.
    pub(crate) method: Arc<Method>,
    /// Centers that offer it.
    pub(crate) offers: Vec<Offer>,
}

impl Route {
    /// Finds the offer that a call means.
    pub(crate) fn offer(&self, center: Option<&[u8]>) -> Result<&Offer, RouteRefusal> {
        let method = || self.method.name.to_string();
        match (center, self.offers.as_slice()) {
            (Some(center), offers) => {
                let named = offers.iter().find(|offer| offer.center.as_bytes() == center);
                named.ok_or_else(|| RouteRefusal::NoInstance {
                    method: method(),
                    center: String::from_utf8_lossy(center).into_owned(),
                })
            }
            (None, [only]) => Ok(only),
            (None, []) => {
                Err(RouteRefusal::NoInstance { method: method(), center: "any center".to_owned() })
            }
            (None, several) => {
                let centers: Vec<&str> = several.iter().map(|offer| &*offer.center).collect();
                Err(RouteRefusal::CenterRequired { method: method(), centers: centers.join(", ") })
            }
        }
    }
}

/// The whole picture.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Grows with every picture.
    pub(crate) generation: u64,
    /// Callers by the hash of their key.
    pub(crate) callers: HashMap<KeyHash, Arc<CallerAccess>>,
    /// Routes by "package.Service/Method".
    pub(crate) routes: HashMap<Box<str>, Route>,
    /// Ids of all endpoints.
    pub(crate) endpoints: HashSet<u64>,
}

impl Snapshot {
    /// Checks that a channel could ever use a grant: that it names something, and something that channels reach.
    pub(crate) fn check_channel_grant(&self, grant: Grant) -> Result<Grant, UnusableGrant> {
        let mut exposure = None;
        for route in self.routes.values().filter(|route| grant.covers(&route.method.name)) {
            match route.method.admission {
                Admission::Granted(other) if !reaches(CallerKind::Channel, other) => {
                    exposure = Some(other.as_str_name());
                }
                Admission::Open | Admission::AnyCaller | Admission::Granted(_) => return Ok(grant),
            }
        }
        Err(exposure
            .map_or(UnusableGrant::Unknown, |exposure| UnusableGrant::Exposure { exposure }))
    }
}

/// A channel could never use a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnusableGrant {
    /// It is no grant.
    #[error(transparent)]
    Invalid(#[from] InvalidGrant),
    /// It is about nothing.
    #[error(
        "names no method and no service that the gateway knows; CatalogService/ListMethods lists them"
    )]
    Unknown,
    /// It is about what channels never reach.
    #[error(
        "is out of a channel's reach: channels call only what has EXPOSURE_CHANNEL, this has {exposure}"
    )]
    Exposure { exposure: &'static str },
}

/// Draws the picture.
#[derive(Debug)]
pub(crate) struct Painter {
    standard: Vec<Arc<Method>>,
    known: Arc<Contract>,
    own_name: Arc<str>,
    generation: u64,
}

impl Painter {
    /// Prepares; methods of `known` have a route even before anyone serves them.
    pub(crate) fn new(known: Arc<Contract>) -> Self {
        let standard =
            OWN_STANDARD_METHODS.map(|method| Arc::new(Method::standard(&method))).to_vec();
        Self { standard, known, own_name: DOMAIN.into(), generation: 0 }
    }

    /// Draws callers and registry as they are now. `own` is where the gateway's own services are.
    pub(crate) fn paint<'a>(
        &mut self,
        callers: impl Iterator<Item = &'a Caller>,
        registry: &Registry,
        own: &Arc<Endpoint>,
    ) -> Snapshot {
        self.generation += 1;
        let mut canvas = Canvas::default();
        canvas.endpoints.insert(own.id);
        for method in &self.standard {
            canvas.offer(&self.own_name, method, std::slice::from_ref(own));
        }
        for center in registry.centers() {
            canvas.endpoints.extend(center.instances.values().map(|i| i.endpoint.id));
            for (service, methods) in &center.services {
                let serving = center.instances.values().filter(|i| i.services.contains(service));
                let endpoints: Vec<_> = serving.map(|i| Arc::clone(&i.endpoint)).collect();
                for method in methods {
                    canvas.offer(&center.name, method, &endpoints);
                }
            }
        }
        for service in self.known.service_names() {
            for method in self.known.service(service).unwrap_or_default() {
                canvas.route(method);
            }
        }
        let Canvas { methods, routes, endpoints } = canvas;
        let access = |caller| Arc::new(CallerAccess::new(caller, &methods));
        let callers = callers.map(|caller| (caller.key_hash, access(caller))).collect();
        Snapshot { generation: self.generation, callers, routes, endpoints }
    }
}

#[derive(Default)]
struct Canvas {
    methods: BTreeMap<u32, Arc<Method>>,
    routes: HashMap<Box<str>, Route>,
    endpoints: HashSet<u64>,
}

impl Canvas {
    fn route(&mut self, method: &Arc<Method>) -> &mut Route {
        self.methods.insert(method.id, Arc::clone(method));
        let route = || Route { method: Arc::clone(method), offers: Vec::new() };
        self.routes.entry((&*method.name).into()).or_insert_with(route)
    }

    fn offer(&mut self, center: &Arc<str>, method: &Arc<Method>, endpoints: &[Arc<Endpoint>]) {
        let (center, kept) = (Arc::clone(center), Arc::clone(method));
        let offer = Offer { center, method: kept, endpoints: endpoints.to_vec() };
        self.route(method).offers.push(offer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::parse_endpoint;

    fn endpoint() -> Arc<Endpoint> {
        Arc::new(Endpoint::new(parse_endpoint("127.0.0.1:1").expect("an endpoint"), None))
    }

    fn offer(center: &str, endpoints: Vec<Arc<Endpoint>>) -> Offer {
        let method = Arc::new(Method::standard(&open("a.B/C")));
        Offer { center: center.into(), method, endpoints }
    }

    fn route(offers: Vec<Offer>) -> Route {
        Route { method: Arc::new(Method::standard(&open("a.B/C"))), offers }
    }

    #[test]
    fn whatever_needs_no_key_has_a_deadline() {
        for method in OWN_STANDARD_METHODS {
            let open = method.admission == Admission::Open;
            assert_ne!(open, method.streaming, "{}", method.name);
        }
    }

    #[test]
    fn the_less_busy_of_two_instances_is_chosen() {
        let (busy, idle) = (endpoint(), endpoint());
        busy.pending.store(5, Ordering::Relaxed);
        let offer = offer("sms", vec![Arc::clone(&busy), Arc::clone(&idle)]);
        for chance in 0..8 {
            assert_eq!(offer.choose(chance, None).map(|e| e.id), Some(idle.id));
            assert_eq!(offer.choose(chance, Some(idle.id)).map(|e| e.id), Some(busy.id));
        }
    }

    #[test]
    fn every_instance_is_chosen_by_some_chance() {
        let all: Vec<_> = (0..5).map(|_| endpoint()).collect();
        let offer = offer("sms", all.clone());
        let mut seen = HashSet::new();
        for chance in 0..1_000_u64 {
            let chance = chance.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            seen.insert(offer.choose(chance, None).expect("one of five").id);
        }
        assert_eq!(seen.len(), all.len());
    }

    #[test]
    fn an_instance_that_could_not_be_reached_is_chosen_only_where_there_is_no_other() {
        let all: Vec<_> = (0..3).map(|_| endpoint()).collect();
        let offer = offer("sms", all.clone());
        for gone in &all[..2] {
            gone.unreachable.store(true, Ordering::Relaxed);
        }
        for chance in 0..1_000_u64 {
            let chance = chance.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            assert_eq!(offer.choose(chance, None).map(|e| e.id), Some(all[2].id));
            let other = offer.choose(chance, Some(all[2].id)).expect("one of two");
            assert_ne!(other.id, all[2].id);
        }
    }

    #[test]
    fn a_single_instance_that_was_tried_is_not_tried_again() {
        let only = endpoint();
        let offer = offer("sms", vec![Arc::clone(&only)]);
        assert!(offer.choose(7, Some(only.id)).is_none());
        assert!(super::tests::offer("sms", vec![]).choose(7, None).is_none());
    }

    #[test]
    fn a_call_says_which_center_it_means_when_several_offer_the_service() {
        let several = route(vec![offer("order", vec![]), offer("payment", vec![])]);
        let refusal = several.offer(None).expect_err("not said");
        assert!(
            matches!(refusal, RouteRefusal::CenterRequired { centers, .. } if centers == "order, payment")
        );
        assert_eq!(&*several.offer(Some(b"payment")).expect("said").center, "payment");
        let refusal = several.offer(Some(b"billing")).expect_err("offers it not");
        assert!(matches!(refusal, RouteRefusal::NoInstance { center, .. } if center == "billing"));
        let single = route(vec![offer("order", vec![])]);
        assert_eq!(&*single.offer(None).expect("only one").center, "order");
        assert!(matches!(route(vec![]).offer(None), Err(RouteRefusal::NoInstance { .. })));
    }
}
