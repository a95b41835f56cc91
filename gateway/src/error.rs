//! Everything that the gateway refuses or fails with: one variant per thing that a caller can act on.

use std::time::Duration;

use throughline_kit::error::{Error, Kind};

/// Domain of the gateway's errors.
pub(crate) const DOMAIN: &str = "gateway";
/// When a call that found no instance may be repeated.
const NO_INSTANCE_RETRY: Duration = Duration::from_millis(500);

fn new(kind: Kind, reason: &str, message: impl Into<String>) -> Error {
    Error::new(kind, DOMAIN, reason, message)
}

/// Why a call was not carried, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Who calls is not known, or may not.
    Access(AccessRefusal),
    /// What is called has no place.
    Route(RouteRefusal),
    /// The backend failed.
    Backend { endpoint: String, failure: BackendFailure },
    /// `grpc-timeout` is not as the protocol says.
    TimeoutMalformed { value: String },
    /// The caller's frames are not gRPC.
    FrameMalformed { what: &'static str },
    /// A message of the caller is larger than allowed.
    MessageTooLarge { bytes: u32, limit: u32 },
    /// The time was over.
    DeadlineExceeded { method: String },
    /// The caller gave up.
    Cancelled,
}

/// Why somebody may not call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AccessRefusal {
    /// No `authorization: Bearer <key>`.
    CredentialsMissing,
    /// The key belongs to nobody.
    CredentialsInvalid,
    /// The caller's kind may never call it.
    ExposureDenied { caller: String, method: String, exposure: &'static str },
    /// The caller was not granted it.
    MethodNotGranted { caller: String, method: String },
}

/// Why a call has no place to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteRefusal {
    /// No contract has it.
    MethodUnknown { method: String },
    /// Several centers offer it and the call does not say which.
    CenterRequired { method: String, centers: String },
    /// Nobody serves it at the moment.
    NoInstance { method: String, center: String },
}

/// How a backend failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BackendFailure {
    /// It could not be reached; nothing was sent.
    Unreachable { cause: String },
    /// Too many calls wait for a place on a connection to it.
    TooManyWaiting { limit: usize },
    /// It did not take the call; nothing happened.
    NotTaken,
    /// The connection broke after the request was sent.
    OutcomeUnknown { method: String },
    /// The stream broke; it can be opened again from where it was.
    StreamBroken { method: String },
    /// It reset the call.
    Reset { reason: String, kind: Kind },
    /// It reset the call as cancelled.
    Cancelled,
    /// Its frames are not gRPC.
    FrameMalformed { what: &'static str },
    /// Its answer is larger than allowed; what it answers may well have happened.
    ResponseTooLarge { bytes: u32, limit: u32 },
}

/// What the control plane refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ControlRefusal {
    /// The caller may register only under its own name.
    NameNotOwned { caller: String, center: String },
    /// The platform's own services are offered only by the center that they belong to.
    ServiceNotOwned { center: String, service: String },
    /// No such instance of this caller.
    InstanceNotFound { instance_id: String },
    /// The descriptor set cannot be read, or does not have what it should.
    DescriptorInvalid { cause: String },
    /// A method says nothing about who may call it.
    ExposureMissing { method: String },
    /// A named limit is reached.
    LimitReached { limit: &'static str, value: usize },
    /// The name is taken.
    ChannelExists { name: String },
    /// The request created the channel already; its key is stored nowhere.
    ChannelCreatedBefore { name: String },
    /// The id was used for another request.
    RequestIdReused { request_id: String },
    /// Nothing is recorded for the order.
    TrajectoryNotFound { order_id: String },
}

impl From<AccessRefusal> for Refusal {
    fn from(refusal: AccessRefusal) -> Self {
        Self::Access(refusal)
    }
}

impl From<RouteRefusal> for Refusal {
    fn from(refusal: RouteRefusal) -> Self {
        Self::Route(refusal)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Access(refusal) => refusal.into(),
            Refusal::Route(refusal) => refusal.into(),
            Refusal::Backend { endpoint, failure } => failure.into_error(&endpoint),
            Refusal::TimeoutMalformed { value } => new(
                Kind::Invalid,
                "TIMEOUT_MALFORMED",
                format!("grpc-timeout {value:?} is not 1 to 8 digits and one of H M S m u n"),
            )
            .with("value", value),
            Refusal::FrameMalformed { what } => {
                new(Kind::Invalid, "FRAME_MALFORMED", format!("the request is not gRPC: {what}"))
                    .with("what", what)
            }
            Refusal::MessageTooLarge { bytes, limit } => {
                Error::limit(DOMAIN, "max_message_bytes", limit).with("bytes", bytes)
            }
            Refusal::DeadlineExceeded { method } => new(
                Kind::OutcomeUnknown,
                "DEADLINE_EXCEEDED",
                format!("{method} did not end in time; whether it happened is not known"),
            )
            .with("method", method),
            Refusal::Cancelled => new(Kind::OutcomeUnknown, "CANCELLED", "the caller cancelled"),
        }
    }
}

impl From<AccessRefusal> for Error {
    fn from(refusal: AccessRefusal) -> Self {
        match refusal {
            AccessRefusal::CredentialsMissing => new(
                Kind::Unauthenticated,
                "CREDENTIALS_MISSING",
                "send the metadata `authorization: Bearer <key>`",
            ),
            AccessRefusal::CredentialsInvalid => {
                new(Kind::Unauthenticated, "CREDENTIALS_INVALID", "the key belongs to no caller")
            }
            AccessRefusal::ExposureDenied { caller, method, exposure } => new(
                Kind::PermissionDenied,
                "EXPOSURE_DENIED",
                format!("{method} has exposure {exposure}: callers like {caller} never reach it"),
            )
            .with("caller", caller)
            .with("method", method)
            .with("exposure", exposure),
            AccessRefusal::MethodNotGranted { caller, method } => new(
                Kind::PermissionDenied,
                "METHOD_NOT_GRANTED",
                format!("{caller} was not granted {method}"),
            )
            .with("caller", caller)
            .with("method", method),
        }
    }
}

impl From<RouteRefusal> for Error {
    fn from(refusal: RouteRefusal) -> Self {
        match refusal {
            RouteRefusal::MethodUnknown { method } => {
                new(Kind::Unimplemented, "METHOD_UNKNOWN", format!("no service offers {method}"))
                    .with("method", method)
            }
            RouteRefusal::CenterRequired { method, centers } => new(
                Kind::Invalid,
                "CENTER_REQUIRED",
                format!("{method} is offered by {centers}; name one in the metadata `x-center`"),
            )
            .with("method", method)
            .with("centers", centers),
            RouteRefusal::NoInstance { method, center } => new(
                Kind::Unavailable,
                "NO_INSTANCE",
                format!("no instance of {center} serves {method} at the moment; nothing happened"),
            )
            .with("method", method)
            .with("center", center)
            .retry_after(NO_INSTANCE_RETRY),
        }
    }
}

impl BackendFailure {
    fn into_error(self, endpoint: &str) -> Error {
        let error = match self {
            Self::Unreachable { cause } => new(
                Kind::Unavailable,
                "BACKEND_UNREACHABLE",
                format!("{endpoint} cannot be reached: {cause}; nothing happened"),
            )
            .with("cause", cause),
            Self::TooManyWaiting { limit } => {
                Error::limit(DOMAIN, "max_waiting_calls_per_endpoint", limit)
            }
            Self::NotTaken => new(
                Kind::Unavailable,
                "BACKEND_REFUSED",
                format!("{endpoint} did not take the call; nothing happened"),
            ),
            Self::OutcomeUnknown { method } => new(
                Kind::OutcomeUnknown,
                "OUTCOME_UNKNOWN",
                format!("the connection to {endpoint} broke after {method} was sent; ask what became of it"),
            )
            .with("method", method),
            Self::StreamBroken { method } => new(
                Kind::Unavailable,
                "STREAM_BROKEN",
                format!("the connection to {endpoint} broke; call {method} again from where it was"),
            )
            .with("method", method),
            Self::Reset { reason, kind } => {
                new(kind, "BACKEND_RESET", format!("{endpoint} reset the call: {reason}"))
                    .with("cause", reason)
            }
            Self::Cancelled => new(
                Kind::OutcomeUnknown,
                "BACKEND_CANCELLED",
                format!("{endpoint} cancelled the call"),
            ),
            Self::FrameMalformed { what } => new(
                Kind::Internal,
                "RESPONSE_MALFORMED",
                format!("the answer of {endpoint} is not gRPC: {what}"),
            )
            .with("what", what),
            // Not RESOURCE_EXHAUSTED: that would say that nothing happened.
            Self::ResponseTooLarge { bytes, limit } => new(
                Kind::Internal,
                "RESPONSE_TOO_LARGE",
                format!(
                    "a message of {endpoint} has {bytes} bytes, more than max_message_bytes of {limit}; \
                     ask what became of the call"
                ),
            )
            .with("limit", "max_message_bytes")
            .with("value", limit)
            .with("bytes", bytes),
        };
        error.with("endpoint", endpoint)
    }
}

impl From<ControlRefusal> for Error {
    fn from(refusal: ControlRefusal) -> Self {
        match refusal {
            ControlRefusal::NameNotOwned { caller, center } => new(
                Kind::PermissionDenied,
                "NAME_NOT_OWNED",
                format!("{caller} may register only under its own name, not as {center}"),
            )
            .with("caller", caller)
            .with("center", center),
            ControlRefusal::ServiceNotOwned { center, service } => new(
                Kind::PermissionDenied,
                "NAME_NOT_OWNED",
                format!("{service} belongs to another center than {center}"),
            )
            .with("center", center)
            .with("service", service),
            ControlRefusal::InstanceNotFound { instance_id } => new(
                Kind::NotFound,
                "INSTANCE_NOT_FOUND",
                format!("instance {instance_id} is not registered; register it again"),
            )
            .with("instance_id", instance_id),
            ControlRefusal::DescriptorInvalid { cause } => {
                new(Kind::Invalid, "DESCRIPTOR_INVALID", format!("descriptor_set: {cause}"))
                    .with("cause", cause)
            }
            ControlRefusal::ExposureMissing { method } => new(
                Kind::Invalid,
                "EXPOSURE_MISSING",
                format!("{method} has no option throughline.options.v1.exposure"),
            )
            .with("method", method),
            ControlRefusal::LimitReached { limit, value } => Error::limit(DOMAIN, limit, value),
            ControlRefusal::ChannelExists { name } => new(
                Kind::AlreadyExists,
                "CHANNEL_EXISTS",
                format!("there is a caller {name} already"),
            )
            .with("name", name),
            ControlRefusal::ChannelCreatedBefore { name } => new(
                Kind::AlreadyExists,
                "CHANNEL_CREATED_BEFORE",
                format!(
                    "this request has created channel {name} already; its key was in the first answer and is stored \
                     nowhere: where that answer is lost, create a channel with another name"
                ),
            )
            .with("name", name),
            ControlRefusal::RequestIdReused { request_id } => new(
                Kind::Invalid,
                "REQUEST_ID_REUSED",
                "this request_id was used for a request with other content; make a new one",
            )
            .with("request_id", request_id),
            ControlRefusal::TrajectoryNotFound { order_id } => new(
                Kind::NotFound,
                "TRAJECTORY_NOT_FOUND",
                format!("nothing is recorded for order {order_id}"),
            )
            .with("order_id", order_id),
        }
    }
}
