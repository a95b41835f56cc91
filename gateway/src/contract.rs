//! What a descriptor set says about the methods of its services: exposure, grain, where the order id is, comments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use throughline_proto::options::v1::{CapabilityLevel, Exposure};
use throughline_proto::prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, Value,
};

use crate::error::ControlRefusal;

const EXPOSURE: &str = "throughline.options.v1.exposure";
const IDEMPOTENT: &str = "throughline.options.v1.idempotent";
const ORDER_ID_FIELD: &str = "throughline.options.v1.order_id_field";
const CAPABILITY_LEVEL: &str = "throughline.options.v1.capability_level";

/// Who must be known for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Nobody.
    Open,
    /// Anybody with a key.
    AnyCaller,
    /// A caller that reaches the exposure and was granted the method.
    Granted(Exposure),
}

/// A method of a contract.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// Unique in the process, small: place of the method in a caller's permissions.
    pub(crate) id: u32,
    /// "package.Service/Method".
    pub(crate) name: Arc<str>,
    /// Who must be known.
    pub(crate) admission: Admission,
    /// May be repeated.
    pub(crate) idempotent: bool,
    /// Grain.
    pub(crate) level: CapabilityLevel,
    /// Either side sends more than one message.
    pub(crate) streaming: bool,
    /// Field numbers that lead to the order id in the request; empty where it is not there.
    pub(crate) request_path: Arc<[u32]>,
    /// Field numbers that lead to the order id in the response; empty where it is not there.
    pub(crate) response_path: Arc<[u32]>,
    /// Path of the order id as the contract writes it.
    pub(crate) order_id_field: String,
    /// Comment of the contract.
    pub(crate) documentation: String,
}

/// A method that the gateway answers itself and that has no contract of ours: health, reflection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StandardMethod {
    /// "package.Service/Method".
    pub(crate) name: &'static str,
    /// Who must be known.
    pub(crate) admission: Admission,
    /// Either side sends more than one message.
    pub(crate) streaming: bool,
}

fn next_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Method {
    /// Makes a method of the gateway's own.
    pub(crate) fn standard(standard: &StandardMethod) -> Self {
        let StandardMethod { name, admission, streaming } = *standard;
        Self {
            id: next_id(),
            name: name.into(),
            admission,
            idempotent: true,
            level: CapabilityLevel::Atomic,
            streaming,
            request_path: Arc::new([]),
            response_path: Arc::new([]),
            order_id_field: String::new(),
            documentation: String::new(),
        }
    }
}

/// Methods of the services of one descriptor set, by service.
#[derive(Debug)]
pub(crate) struct Contract {
    services: BTreeMap<String, Result<Vec<Arc<Method>>, ControlRefusal>>,
}

impl Contract {
    /// Reads an encoded descriptor set.
    pub(crate) fn decode(descriptor_set: &[u8]) -> Result<Self, ControlRefusal> {
        let pool = DescriptorPool::decode(descriptor_set)
            .map_err(|cause| ControlRefusal::DescriptorInvalid { cause: cause.to_string() })?;
        Ok(Self::read(&pool))
    }

    /// Reads decoded descriptors.
    pub(crate) fn read(pool: &DescriptorPool) -> Self {
        let services = pool
            .services()
            .map(|service| {
                let methods = service
                    .methods()
                    .map(|method| read_method(pool, &method).map(Arc::new))
                    .collect();
                (service.full_name().to_owned(), methods)
            })
            .collect();
        Self { services }
    }

    /// The methods of a service; refuses a service that the set lacks and a method without exposure.
    pub(crate) fn service(&self, name: &str) -> Result<&[Arc<Method>], ControlRefusal> {
        match self.services.get(name) {
            Some(Ok(methods)) => Ok(methods),
            Some(Err(refusal)) => Err(refusal.clone()),
            None => Err(ControlRefusal::DescriptorInvalid {
                cause: format!("it does not have service {name}"),
            }),
        }
    }

    /// Names of all services.
    pub(crate) fn service_names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }
}

fn read_method(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Method, ControlRefusal> {
    let name = format!("{}/{}", method.parent_service().full_name(), method.name());
    let options = method.options();
    let exposure = number(pool, &options, EXPOSURE)
        .and_then(|number| Exposure::try_from(number).ok())
        .unwrap_or_default();
    if exposure == Exposure::Unspecified {
        return Err(ControlRefusal::ExposureMissing { method: name });
    }
    let level = number(pool, &options, CAPABILITY_LEVEL)
        .and_then(|number| CapabilityLevel::try_from(number).ok())
        .filter(|level| *level != CapabilityLevel::Unspecified)
        .unwrap_or(CapabilityLevel::Atomic);
    let order_id_field = match option(pool, &options, ORDER_ID_FIELD) {
        Some(Value::String(path)) => path,
        _ => String::new(),
    };
    Ok(Method {
        id: next_id(),
        name: name.into(),
        admission: Admission::Granted(exposure),
        idempotent: option(pool, &options, IDEMPOTENT) == Some(Value::Bool(true)),
        level,
        streaming: method.is_client_streaming() || method.is_server_streaming(),
        request_path: field_numbers(&method.input(), &order_id_field).into(),
        response_path: field_numbers(&method.output(), &order_id_field).into(),
        order_id_field,
        documentation: comment(method),
    })
}

fn option(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn number(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<i32> {
    match option(pool, options, name)? {
        Value::EnumNumber(number) => Some(number),
        _ => None,
    }
}

/// Field numbers of a dotted path that ends in a text; empty where the message does not have it.
fn field_numbers(message: &MessageDescriptor, path: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut message = Some(message.clone());
    let mut ends_in_text = false;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let field = message.take().and_then(|m| m.get_field_by_name(name));
        let Some(field) = field.filter(|field| !field.is_list() && !field.is_map()) else {
            return Vec::new();
        };
        numbers.push(field.number());
        ends_in_text = field.kind() == Kind::String;
        message = field.kind().as_message().cloned();
    }
    if ends_in_text { numbers } else { Vec::new() }
}

fn comment(method: &MethodDescriptor) -> String {
    let file = method.parent_file();
    let locations = file.file_descriptor_proto().source_code_info.as_ref().map(|i| &i.location);
    locations
        .into_iter()
        .flatten()
        .find(|location| location.path == method.path())
        .map(|location| {
            let lines: Vec<_> = location.leading_comments().lines().map(str::trim).collect();
            lines.join("\n").trim().to_owned()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str) -> Arc<Method> {
        let contract = Contract::read(throughline_proto::descriptors());
        let service = name.split_once('/').expect("a full name").0;
        let methods = contract.service(service).expect("our service");
        Arc::clone(methods.iter().find(|m| &*m.name == name).expect("our method"))
    }

    #[test]
    fn every_contract_of_ours_can_be_registered() {
        let contract = Contract::read(throughline_proto::descriptors());
        for name in contract.service_names() {
            assert!(contract.service(name).is_ok(), "{name}: {:?}", contract.service(name));
        }
    }

    #[test]
    fn the_options_of_a_method_are_read() {
        let submit = method("throughline.order.v1.OrderService/SubmitOrder");
        assert_eq!(submit.admission, Admission::Granted(Exposure::Channel));
        assert!(submit.request_path.is_empty(), "the order id is not known yet");
        assert_eq!(&*submit.response_path, &[1]);
        assert!(!submit.streaming);
        assert!(!submit.documentation.is_empty());
        let send = method("throughline.sms.v1.SmsService/SendSms");
        assert_eq!(&*send.request_path, &[2]);
        assert!(send.response_path.is_empty());
        assert!(send.idempotent);
        let start = method("throughline.payment.v1.PaymentService/StartAttempt");
        assert!(start.request_path.is_empty());
        assert_eq!(&*start.response_path, &[1, 3]);
        assert!(method("throughline.event.v1.EventFeedService/Subscribe").streaming);
    }

    #[test]
    fn a_service_that_is_not_in_the_set_is_refused() {
        let contract = Contract::read(throughline_proto::descriptors());
        let refusal = contract.service("a.B").expect_err("not there");
        assert!(matches!(refusal, ControlRefusal::DescriptorInvalid { .. }));
        let refusal = Contract::decode(b"no descriptor set").expect_err("not one");
        assert!(matches!(refusal, ControlRefusal::DescriptorInvalid { .. }));
    }

    #[test]
    fn a_method_without_exposure_is_refused_by_its_name() {
        let set = tonic_health::pb::FILE_DESCRIPTOR_SET;
        let refusal = Contract::decode(set).expect("valid").service("grpc.health.v1.Health").err();
        let method = "grpc.health.v1.Health/Check".to_owned();
        assert_eq!(refusal, Some(ControlRefusal::ExposureMissing { method }));
    }
}
