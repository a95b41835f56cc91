//! protobuf ⇄ domain of the control plane. Everything that is wrong with a request is named at once.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::identity::CallerKind;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::options::v1::Exposure;

use crate::caller::{self, Caller, Grant, KeyHash};
use crate::contract::{Admission, Method};
use crate::error::DOMAIN;
use crate::registry::{Center, Instance, parse_endpoint};
use crate::snapshot::{Snapshot, UnusableGrant};

/// Bytes of a descriptor set at most.
const MAX_DESCRIPTOR_SET_BYTES: usize = 4 << 20;
/// Services of one instance at most.
const MAX_SERVICES: usize = 100;
/// Characters of ids, versions and endpoints at most.
const MAX_TEXT_LENGTH: usize = 64;
const MAX_ENDPOINT_LENGTH: usize = 255;
/// Grants of one caller at most.
const MAX_GRANTS: usize = 1_000;
/// Bytes of an order id at most, as they are recorded.
const MAX_ORDER_ID_LENGTH: usize = 40;

/// A checked registration whose descriptor set is not read yet.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) center: String,
    pub(crate) instance_id: String,
    pub(crate) authority: http::uri::Authority,
    pub(crate) version: String,
    pub(crate) services: Vec<String>,
    pub(crate) descriptor_set: Vec<u8>,
}

/// Reads a registration.
pub(crate) fn registration(request: proto::RegisterInstanceRequest) -> Result<Announced, Error> {
    let proto::RegisterInstanceRequest {
        center,
        instance_id,
        endpoint,
        version,
        services,
        descriptor_set,
    } = request;
    let mut violations = Violations::new(DOMAIN);
    violations.take("center", caller::check_name(&center));
    violations.length("instance_id", &instance_id, 1, MAX_TEXT_LENGTH);
    violations.length("endpoint", &endpoint, 1, MAX_ENDPOINT_LENGTH);
    let authority = violations.take("endpoint", parse_endpoint(&endpoint));
    violations.length("version", &version, 0, MAX_TEXT_LENGTH);
    violations.range("services", services.len(), 1, MAX_SERVICES);
    for (index, service) in services.iter().enumerate() {
        if service.is_empty() {
            violations.add(format!("services[{index}]"), "must be the full name of a service");
        }
    }
    let size = descriptor_set.len();
    if size == 0 || size > MAX_DESCRIPTOR_SET_BYTES {
        let range = format!("must have 1 to {MAX_DESCRIPTOR_SET_BYTES} bytes, has {size}");
        violations.add("descriptor_set", range);
    }
    violations.finish()?;
    let authority = authority.ok_or_else(|| Error::internal(DOMAIN, "no endpoint"))?;
    Ok(Announced { center, instance_id, authority, version, services, descriptor_set })
}

/// Reads an instance id.
pub(crate) fn instance_id(text: &str) -> Result<(), Error> {
    let mut violations = Violations::new(DOMAIN);
    violations.length("instance_id", text, 1, MAX_TEXT_LENGTH);
    violations.finish()
}

/// Reads an order id.
pub(crate) fn order_id(text: String) -> Result<String, Error> {
    let mut violations = Violations::new(DOMAIN);
    violations.length("order_id", &text, 1, MAX_ORDER_ID_LENGTH);
    violations.finish()?;
    Ok(text)
}

/// Reads a new channel; `snapshot` tells what there is to be granted.
pub(crate) fn channel(
    request: proto::CreateChannelRequest,
    snapshot: &Snapshot,
    key_hash: KeyHash,
    now: Instant,
) -> Result<(Caller, RequestId), Error> {
    let mut violations = Violations::new(DOMAIN);
    let request_id = violations.take("request_id", RequestId::parse(&request.request_id));
    violations.take("name", caller::check_name(&request.name));
    if !request.name.starts_with(|first: char| first.is_ascii_lowercase()) {
        violations.add("name", "must start with a letter of [a-z]");
    }
    violations.range("method_grants", request.method_grants.len(), 0, MAX_GRANTS);
    violations.range("right_grants", request.right_grants.len(), 0, MAX_GRANTS);
    let mut method_grants = Vec::new();
    for (index, grant) in request.method_grants.iter().enumerate() {
        let grant = Grant::parse(grant).map_err(UnusableGrant::from);
        let grant = grant.and_then(|grant| snapshot.check_channel_grant(grant));
        method_grants.extend(violations.take(format!("method_grants[{index}]"), grant));
    }
    for (index, right) in request.right_grants.iter().enumerate() {
        violations.take(format!("right_grants[{index}]"), caller::check_right(right));
    }
    violations.finish()?;
    let request_id = request_id.ok_or_else(|| Error::internal(DOMAIN, "no request id"))?;
    if method_grants.is_empty() {
        method_grants.push(Grant::Everything);
    }
    let caller = Caller {
        name: request.name.into(),
        kind: CallerKind::Channel,
        key_hash,
        method_grants,
        right_grants: request.right_grants,
        created_at: now,
    };
    Ok((caller, request_id))
}

/// Writes a caller, without its key.
pub(crate) fn caller(caller: &Caller) -> proto::Caller {
    let kind = match caller.kind {
        CallerKind::Channel => proto::CallerKind::Channel,
        CallerKind::Operator => proto::CallerKind::Operator,
        CallerKind::Center => proto::CallerKind::Center,
        CallerKind::System => proto::CallerKind::System,
    };
    proto::Caller {
        name: caller.name.to_string(),
        kind: kind.into(),
        method_grants: caller.method_grants.iter().map(Grant::to_string).collect(),
        right_grants: caller.right_grants.clone(),
        create_time: Some(caller.created_at.to_proto()),
    }
}

/// Writes a center with its instances.
pub(crate) fn center(center: &Center) -> proto::RegisteredService {
    proto::RegisteredService {
        center: center.name.to_string(),
        services: center.services.keys().cloned().collect(),
        instances: center.instances.iter().map(|(id, i)| instance(id, i)).collect(),
    }
}

fn instance(instance_id: &str, instance: &Instance) -> proto::ServiceInstance {
    proto::ServiceInstance {
        instance_id: instance_id.to_owned(),
        endpoint: instance.endpoint.address().to_owned(),
        version: instance.version.clone(),
        register_time: Some(instance.registered_at.to_proto()),
        lease_expire_time: instance.lease_ends_at.map(Instant::to_proto),
    }
}

/// Writes a method with the centers that offer it.
pub(crate) fn capability(method: &Method, centers: Vec<String>) -> proto::Capability {
    let exposure = match method.admission {
        Admission::Granted(exposure) => exposure,
        Admission::Open | Admission::AnyCaller => Exposure::Channel,
    };
    proto::Capability {
        method: method.name.to_string(),
        centers,
        exposure: exposure.into(),
        level: method.level.into(),
        idempotent: method.idempotent,
        order_id_field: method.order_id_field.clone(),
        documentation: method.documentation.clone(),
    }
}
