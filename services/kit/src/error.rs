//! One shape for every refusal and failure, and the one mapping to a gRPC status.
//!
//! A service has an enum of its own, one variant per thing that a caller can act on, and converts it to [`Error`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Wrong fields named in one status. Details travel in trailers, and clients refuse trailers of more than about 16 KiB.
const MAX_REPORTED_FIELDS: usize = 50;
/// Bytes of all names and descriptions of wrong fields in one status.
const MAX_REPORTED_FIELD_BYTES: usize = 5_000;
/// Bytes of all metadata in one status.
const MAX_REPORTED_METADATA_BYTES: usize = 2_000;
/// Bytes of one text in a status; the message is written up to three times as long.
const MAX_REPORTED_TEXT: usize = 500;

/// What kind of thing went wrong: decides the gRPC code and whether repeating helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The request can never succeed as it is.
    Invalid,
    /// The named resource does not exist.
    NotFound,
    /// The name is taken by something else.
    AlreadyExists,
    /// The resource is not in a state that allows it.
    Precondition,
    /// The caller is known and may not do this.
    PermissionDenied,
    /// The caller is not known.
    Unauthenticated,
    /// A named limit is reached.
    Exhausted,
    /// Another call with the same id is at it.
    Aborted,
    /// It did not happen; repeat it.
    Unavailable,
    /// Nobody knows whether it happened; repeat it with the same request id or ask.
    OutcomeUnknown,
    /// The method is not offered.
    Unimplemented,
    /// A defect of ours; details are in the log.
    Internal,
}

impl Kind {
    fn code(self) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::Precondition => Code::FailedPrecondition,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Exhausted => Code::ResourceExhausted,
            Self::Aborted => Code::Aborted,
            Self::Unavailable => Code::Unavailable,
            Self::OutcomeUnknown => Code::Unknown,
            Self::Unimplemented => Code::Unimplemented,
            Self::Internal => Code::Internal,
        }
    }
}

/// A refusal or failure with everything that a caller needs to act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What kind.
    pub kind: Kind,
    /// UPPER_SNAKE reason, documented at the RPC.
    pub reason: String,
    /// Center that says so.
    pub domain: String,
    /// Sentence for a person: what and where, and what to do.
    pub message: String,
    /// Every variable of the message.
    pub metadata: BTreeMap<String, String>,
    /// Field path and what is wrong with it.
    pub fields: Vec<(String, String)>,
    /// When waiting helps: how long.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// Makes an error of a kind, in a center's domain.
    pub fn new(kind: Kind, domain: &str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.to_owned(),
            domain: domain.to_owned(),
            message: message.into(),
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds a variable of the message.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Says how long to wait before repeating.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// A named limit is reached.
    pub fn limit(domain: &str, limit: &str, value: impl fmt::Display) -> Self {
        Self::new(
            Kind::Exhausted,
            domain,
            "LIMIT_REACHED",
            format!("limit {limit} of {value} is reached; try again later or ask for less"),
        )
        .with("limit", limit)
        .with("value", value)
    }

    /// Something that cannot happen did: logged here with its cause, told to the caller without it.
    pub fn internal(domain: &str, cause: impl fmt::Display) -> Self {
        tracing::error!(domain, %cause, "internal error");
        Self::new(Kind::Internal, domain, "INTERNAL", "internal error; the log has the cause")
    }

    /// The answer is final: the same request will always be answered so. One that says when to repeat is not.
    pub fn is_final(&self) -> bool {
        if self.retry_after.is_some() {
            return false;
        }
        match self.kind {
            Kind::Invalid
            | Kind::NotFound
            | Kind::AlreadyExists
            | Kind::Precondition
            | Kind::PermissionDenied
            | Kind::Unimplemented => true,
            Kind::Unauthenticated
            | Kind::Exhausted
            | Kind::Aborted
            | Kind::Unavailable
            | Kind::OutcomeUnknown
            | Kind::Internal => false,
        }
    }

    /// Reads the error back from a status that a peer answered with.
    pub fn from_status(status: &Status) -> Self {
        let kind = match status.code() {
            Code::InvalidArgument | Code::OutOfRange => Kind::Invalid,
            Code::NotFound => Kind::NotFound,
            Code::AlreadyExists => Kind::AlreadyExists,
            Code::FailedPrecondition => Kind::Precondition,
            Code::PermissionDenied => Kind::PermissionDenied,
            Code::Unauthenticated => Kind::Unauthenticated,
            Code::ResourceExhausted => Kind::Exhausted,
            Code::Aborted => Kind::Aborted,
            Code::Unavailable => Kind::Unavailable,
            Code::Unimplemented => Kind::Unimplemented,
            Code::Internal | Code::DataLoss => Kind::Internal,
            Code::Ok | Code::Cancelled | Code::Unknown | Code::DeadlineExceeded => {
                Kind::OutcomeUnknown
            }
        };
        let details = status.get_error_details();
        let mut error = Self::new(kind, "", code_name(status.code()), status.message());
        if let Some(info) = details.error_info() {
            error.reason.clone_from(&info.reason);
            error.domain.clone_from(&info.domain);
            error.metadata = info.metadata.clone().into_iter().collect();
        }
        if let Some(bad) = details.bad_request() {
            error.fields = bad
                .field_violations
                .iter()
                .map(|v| (v.field.clone(), v.description.clone()))
                .collect();
        }
        error.retry_after = details.retry_info().and_then(|r| r.retry_delay);
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)?;
        for (path, description) in &self.fields {
            write!(f, "; {path}: {description}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut details = ErrorDetails::new();
        let metadata: HashMap<String, String> =
            reported(error.metadata, MAX_REPORTED_METADATA_BYTES).collect();
        details.set_error_info(error.reason, error.domain, metadata);
        if !error.fields.is_empty() {
            let violations: Vec<FieldViolation> = reported(error.fields, MAX_REPORTED_FIELD_BYTES)
                .take(MAX_REPORTED_FIELDS)
                .map(|(f, d)| FieldViolation::new(f, d))
                .collect();
            details.set_bad_request(violations);
        }
        if let Some(delay) = error.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(error.kind.code(), shortened(error.message), details)
    }
}

/// The first pairs of texts, as many as trailers can carry, each shortened.
fn reported(
    pairs: impl IntoIterator<Item = (String, String)>,
    max_bytes: usize,
) -> impl Iterator<Item = (String, String)> {
    let mut bytes = 0;
    let short = |(name, text)| (shortened(name), shortened(text));
    pairs.into_iter().map(short).take_while(move |(name, text)| {
        bytes += name.len() + text.len();
        bytes <= max_bytes
    })
}

/// Cuts a text that came from a request and may be of any length.
fn shortened(mut text: String) -> String {
    if text.len() > MAX_REPORTED_TEXT {
        text.truncate(text.floor_char_boundary(MAX_REPORTED_TEXT));
        text.push('…');
    }
    text
}

/// Name of a gRPC code as the specification writes it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Collects everything that is wrong with a request, so that the caller hears it at once.
#[derive(Debug)]
pub struct Violations {
    domain: &'static str,
    fields: Vec<(String, String)>,
}

impl Violations {
    /// Starts with none.
    pub fn new(domain: &'static str) -> Self {
        Self { domain, fields: Vec::new() }
    }

    /// Notes one, by the path of the field ("items[3].quantity").
    pub fn add(&mut self, path: impl Into<String>, description: impl fmt::Display) {
        self.fields.push((path.into(), description.to_string()));
    }

    /// Keeps a parsed value, or notes why it could not be parsed.
    pub fn take<T, E: fmt::Display>(
        &mut self,
        path: impl Into<String>,
        parsed: Result<T, E>,
    ) -> Option<T> {
        parsed.map_err(|e| self.add(path, e)).ok()
    }

    /// Checks that a text has between `min` and `max` characters, and none that a database cannot keep.
    pub fn length(&mut self, path: &str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min || length > max {
            self.add(path, format!("must have {min} to {max} characters, has {length}"));
        } else if value.contains('\0') {
            self.add(path, "must not contain the character NUL");
        }
    }

    /// Checks that a value lies in a range.
    pub fn range<T: PartialOrd + fmt::Display>(&mut self, path: &str, value: T, min: T, max: T) {
        if value < min || value > max {
            self.add(path, format!("must be {min} to {max}, is {value}"));
        }
    }

    /// Ends with an error that names every field, if there is one.
    pub fn finish(self) -> Result<(), Error> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let mut error = Error::new(
            Kind::Invalid,
            self.domain,
            "FIELD_INVALID",
            format!("{} field(s) are not as the contract says", self.fields.len()),
        );
        error.fields = self.fields;
        Err(error)
    }
}
