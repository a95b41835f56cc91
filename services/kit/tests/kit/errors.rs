//! An error and its status say the same.

use std::time::Duration;

use throughline_kit::client::CallOutcome;
use throughline_kit::error::{Error, Kind, Violations, code_name};
use tonic::{Code, Status};

const KINDS: [(Kind, Code, bool); 12] = [
    (Kind::Invalid, Code::InvalidArgument, true),
    (Kind::NotFound, Code::NotFound, true),
    (Kind::AlreadyExists, Code::AlreadyExists, true),
    (Kind::Precondition, Code::FailedPrecondition, true),
    (Kind::PermissionDenied, Code::PermissionDenied, true),
    (Kind::Unimplemented, Code::Unimplemented, true),
    (Kind::Unauthenticated, Code::Unauthenticated, false),
    (Kind::Exhausted, Code::ResourceExhausted, false),
    (Kind::Aborted, Code::Aborted, false),
    (Kind::Unavailable, Code::Unavailable, false),
    (Kind::OutcomeUnknown, Code::Unknown, false),
    (Kind::Internal, Code::Internal, false),
];

fn full(kind: Kind) -> Error {
    let mut error = Error::new(kind, "test", "SOME_REASON", "a sentence — with signs: 订单")
        .with("first", 1)
        .with("second", "zwei")
        .retry_after(Duration::from_millis(1_500));
    error.fields = vec![("items[3].quantity".to_owned(), "must be 1 to 9, is 0".to_owned())];
    error
}

#[test]
fn an_error_reads_back_from_its_status_as_it_was() {
    for (kind, code, is_final) in KINDS {
        let error = full(kind);
        let status = Status::from(error.clone());
        assert_eq!((status.code(), status.message()), (code, "a sentence — with signs: 订单"));
        assert_eq!(Error::from_status(&status), error);
        assert!(!error.is_final(), "it says when to repeat: {kind:?}");
        let bare = Error::new(kind, "test", "BARE", "nothing else");
        assert_eq!(bare.is_final(), is_final, "{kind:?}");
        assert_eq!(Error::from_status(&Status::from(bare.clone())), bare);
        let text = serde_json::to_string(&error).expect("writes");
        assert_eq!(serde_json::from_str::<Error>(&text).expect("reads"), error, "as it is stored");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "peers that are not ours answer with bare statuses")]
fn a_status_without_details_is_read_by_its_code() {
    let cases = [
        (Code::DeadlineExceeded, Kind::OutcomeUnknown),
        (Code::Cancelled, Kind::OutcomeUnknown),
        (Code::Unknown, Kind::OutcomeUnknown),
        (Code::OutOfRange, Kind::Invalid),
        (Code::DataLoss, Kind::Internal),
        (Code::Unavailable, Kind::Unavailable),
    ];
    for (code, kind) in cases {
        let error = Error::from_status(&Status::new(code, "a peer's words"));
        assert_eq!((error.kind, error.reason.as_str()), (kind, code_name(code)));
        assert_eq!((error.message.as_str(), error.domain.as_str()), ("a peer's words", ""));
    }
}

#[test]
fn a_call_without_an_answer_is_never_taken_for_a_refusal() {
    for (kind, _, _) in KINDS {
        let result = Err::<tonic::Response<()>, _>(Status::from(full(kind)));
        let outcome = CallOutcome::from_result(result);
        let expected = match kind {
            Kind::Unavailable
            | Kind::Exhausted
            | Kind::PermissionDenied
            | Kind::Unauthenticated
            | Kind::Unimplemented => CallOutcome::NotAttempted(full(kind)),
            Kind::OutcomeUnknown | Kind::Internal | Kind::Aborted => {
                CallOutcome::Unknown(full(kind))
            }
            Kind::Invalid | Kind::NotFound | Kind::AlreadyExists | Kind::Precondition => {
                CallOutcome::Declined(full(kind))
            }
        };
        assert_eq!(outcome, expected);
    }
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let mut wrong = Violations::new("test");
    wrong.length("name", "", 1, 5);
    wrong.length("name", "abcdef", 1, 5);
    wrong.length("name", "订单订单订", 1, 5);
    wrong.length("name", "a\0b", 1, 5);
    wrong.range("size", 6, 1, 5);
    wrong.range("size", 5, 1, 5);
    assert_eq!(wrong.take("number", "x".parse::<i64>()), None);
    assert_eq!(wrong.take("number", "7".parse::<i64>()), Some(7));
    let error = wrong.finish().expect_err("wrong");
    let paths: Vec<&str> = error.fields.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["name", "name", "name", "size", "number"]);
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "FIELD_INVALID"));
    let text = error.to_string();
    assert!(
        text.starts_with("FIELD_INVALID: 5 field(s)") && text.contains("; size: must be"),
        "{text}"
    );
    assert_eq!(Violations::new("test").finish(), Ok(()));
}

#[test]
fn a_limit_is_named() {
    let error = Error::limit("test", "max_things", 7);
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Exhausted, "LIMIT_REACHED"));
    assert_eq!((&*error.metadata["limit"], &*error.metadata["value"]), ("max_things", "7"));
}

/// Clients refuse trailers of more than 16 KiB: then nobody would learn what was wrong.
#[test]
fn a_status_fits_into_the_trailers_whatever_a_request_was() {
    let long = "长".repeat(50_000);
    let mut error = Error::new(Kind::Invalid, "test", "FIELD_INVALID", long.clone())
        .with("id", &long)
        .with("other", "x".repeat(50_000));
    error.fields = (0..500).map(|n| (format!("f[{n}].{long}"), long.clone())).collect();
    let status = Status::from(error);
    let response = status.into_http::<String>();
    let size: usize =
        response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(size < 16 * 1024, "{size} bytes");
    let status = Status::from_header_map(response.headers()).expect("a status");
    let read = Error::from_status(&status);
    assert_eq!((read.kind, read.reason.as_str()), (Kind::Invalid, "FIELD_INVALID"));
    assert!(read.fields.len() > 3 && read.fields[0].0.starts_with("f[0].长长"), "{read:?}");
    assert!(read.metadata["id"].starts_with("长长长"));
}
