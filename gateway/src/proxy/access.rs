//! Who calls what, and whether they may.

use std::cell::RefCell;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use throughline_kit::identity::{CallerKind, keys};

use super::record::Hop;
use super::{Line, OrderId, Worker};
use crate::caller::KeyHash;
use crate::contract::{Admission, Method};
use crate::error::{AccessRefusal, Refusal, RouteRefusal};
use crate::registry::Endpoint;
use crate::snapshot::{CallerAccess, Offer, Snapshot};

const CALLER: HeaderName = HeaderName::from_static(keys::CALLER);
const CALLER_KIND: HeaderName = HeaderName::from_static(keys::CALLER_KIND);
const CHANNEL: HeaderName = HeaderName::from_static(keys::CHANNEL);
const OPERATOR: HeaderName = HeaderName::from_static(keys::OPERATOR);
const RIGHTS: HeaderName = HeaderName::from_static(keys::RIGHTS);
const ORDER_ID: HeaderName = HeaderName::from_static(keys::ORDER_ID);
const CENTER: HeaderName = HeaderName::from_static(keys::CENTER);
/// Proof for the gateway's own services; see [`crate::serve_own`].
const PASS: HeaderName = HeaderName::from_static(crate::serve_own::PASS_KEY);
const BEARER: &[u8] = b"Bearer ";

/// The caller that a connection last proved to be: its key is hashed once, not for each call.
#[derive(Default)]
pub(super) struct KnownCaller(RefCell<Option<Proof>>);

struct Proof {
    authorization: HeaderValue,
    generation: u64,
    caller: Arc<CallerAccess>,
}

/// A call that may pass.
pub(super) struct Admitted {
    /// Who calls; nobody for methods that need no key.
    pub(super) caller: Option<Arc<CallerAccess>>,
    /// Who is called.
    pub(super) center: Arc<str>,
    /// What is called.
    pub(super) method: Arc<Method>,
    /// Which instance gets it.
    pub(super) endpoint: Arc<Endpoint>,
}

/// Authenticates, routes and authorises. The hop learns on the way what is known even of a refused call.
pub(super) fn admit(line: &Line, head: &Parts, hop: &mut Hop) -> Result<Admitted, Refusal> {
    let worker = &line.worker;
    let snapshot = worker.snapshots.load();
    worker.pools.follow(&snapshot);
    let path = head.uri.path();
    let name = path.strip_prefix('/').unwrap_or(path);
    let route = snapshot.routes.get(name);
    if route.is_none_or(|route| route.method.admission != Admission::Open) {
        let caller = authenticate(line, &snapshot, &head.headers)?;
        hop.order_id = named_order(&head.headers, caller.kind());
        hop.caller = Some(caller);
    }
    let route = route.ok_or_else(|| RouteRefusal::MethodUnknown { method: name.to_owned() })?;
    let offer = route.offer(head.headers.get(&CENTER).map(HeaderValue::as_bytes));
    let method = offer.as_ref().map_or(&route.method, |offer| &offer.method);
    hop.method = Some(Arc::clone(method));
    // Where a method leads is only told to those who may call it.
    if let Some(caller) = &hop.caller {
        caller.authorise(method)?;
    }
    let offer = offer?;
    hop.callee = Some(Arc::clone(&offer.center));
    let endpoint = choose(worker, offer, None)?;
    let (center, method) = (Arc::clone(&offer.center), Arc::clone(&offer.method));
    Ok(Admitted { caller: hop.caller.clone(), center, method, endpoint })
}

/// The order id in the headers, where the caller's word counts.
fn named_order(headers: &HeaderMap, kind: CallerKind) -> OrderId {
    match kind {
        CallerKind::Center | CallerKind::System => {
            let named = headers.get(&ORDER_ID).map(HeaderValue::as_bytes);
            named.and_then(OrderId::new).unwrap_or_default()
        }
        CallerKind::Channel | CallerKind::Operator => OrderId::default(),
    }
}

/// Chooses another instance after one could not be reached; `None` where no other can be.
pub(super) fn choose_again(worker: &Worker, admitted: &Admitted) -> Option<Arc<Endpoint>> {
    let snapshot = worker.snapshots.load();
    let route = snapshot.routes.get(&*admitted.method.name)?;
    let offer = route.offer(Some(admitted.center.as_bytes())).ok()?;
    let tried = admitted.endpoint.id;
    choose(worker, offer, Some(tried)).ok().filter(|endpoint| endpoint.is_reachable())
}

fn choose(
    worker: &Worker,
    offer: &Offer,
    without: Option<u64>,
) -> Result<Arc<Endpoint>, RouteRefusal> {
    offer.choose(worker.chance.next(), without).map(Arc::clone).ok_or_else(|| {
        RouteRefusal::NoInstance {
            method: offer.method.name.to_string(),
            center: offer.center.to_string(),
        }
    })
}

fn authenticate(
    line: &Line,
    snapshot: &Snapshot,
    headers: &HeaderMap,
) -> Result<Arc<CallerAccess>, AccessRefusal> {
    let sent = headers.get(AUTHORIZATION).ok_or(AccessRefusal::CredentialsMissing)?;
    let mut known = line.known.0.borrow_mut();
    if let Some(proof) = &*known
        && proof.generation == snapshot.generation
        && proof.authorization == *sent
    {
        return Ok(Arc::clone(&proof.caller));
    }
    let bytes = sent.as_bytes();
    let scheme = bytes.get(..BEARER.len()).is_some_and(|s| s.eq_ignore_ascii_case(BEARER));
    if !scheme {
        return Err(AccessRefusal::CredentialsMissing);
    }
    let hash = KeyHash::of(&bytes[BEARER.len()..]);
    let caller = snapshot.callers.get(&hash).ok_or(AccessRefusal::CredentialsInvalid)?;
    *known = Some(Proof {
        authorization: sent.clone(),
        generation: snapshot.generation,
        caller: Arc::clone(caller),
    });
    Ok(Arc::clone(caller))
}

/// Takes out what only the gateway may say and the caller's key, and says who calls.
pub(super) fn rewrite_identity(headers: &mut HeaderMap, admitted: &Admitted) {
    for name in [AUTHORIZATION, CALLER, CALLER_KIND, CHANNEL, OPERATOR, RIGHTS] {
        headers.remove(name);
    }
    if let Some(pass) = &admitted.endpoint.pass {
        headers.insert(PASS, pass.clone());
    }
    let Some(caller) = &admitted.caller else {
        headers.remove(ORDER_ID);
        return;
    };
    let kind = caller.kind();
    headers.insert(CALLER, caller.name_header.clone());
    headers.insert(CALLER_KIND, HeaderValue::from_static(kind.as_str()));
    if let Some(rights) = &caller.rights_header {
        headers.insert(RIGHTS, rights.clone());
    }
    match kind {
        CallerKind::Channel => {
            headers.insert(CHANNEL, caller.name_header.clone());
            headers.remove(ORDER_ID);
        }
        CallerKind::Operator => {
            headers.insert(OPERATOR, caller.name_header.clone());
            headers.remove(ORDER_ID);
        }
        CallerKind::Center | CallerKind::System => {}
    }
}
