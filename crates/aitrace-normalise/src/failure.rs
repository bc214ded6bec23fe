//! Errors of a span: its status and its exception events.

use aitrace_model::{ErrorInfo, RawEvent, RawStatus, Status, key};

/// How a span stands and why it failed. An exception that was only recorded is an event, no failure.
pub(crate) fn of_span(
    status: RawStatus,
    events: &[RawEvent],
    error_type: Option<&str>,
) -> (Option<Status>, Option<ErrorInfo>) {
    let description = match status {
        RawStatus::Unset => return (None, None),
        RawStatus::Ok => return (Some(Status::Ok), None),
        RawStatus::Error(description) => description,
    };
    // The last one is the one that left the span.
    let exception = events.iter().rev().find(|event| event.name == key::EXCEPTION_EVENT);
    let find = |name: &str| {
        let (_, value) = exception?.attributes.iter().rev().find(|(key, _)| key == name)?;
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let error = ErrorInfo {
        kind: find(key::EXCEPTION_TYPE).or_else(|| error_type.map(str::to_owned)).unwrap_or_default(),
        message: find(key::EXCEPTION_MESSAGE).unwrap_or(description),
        stacktrace: find(key::EXCEPTION_STACKTRACE).unwrap_or_default(),
    };
    (Some(Status::Error), Some(error))
}
