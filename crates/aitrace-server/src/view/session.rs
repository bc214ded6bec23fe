//! The line of a session, a page of them, and one with its traces.

use aitrace_store::{Session, SessionPage, SessionSummary, TracePage};

use super::object::{Object, push_array};
use super::trace::summary;

fn line(object: &mut Object<'_>, session: &SessionSummary) {
    object.text("session_id", &session.session_id);
    object.maybe_text("name", session.name.as_deref());
    object.text("project", &session.project);
    object.plain("start_ts", session.start);
    object.maybe_plain("end_ts", session.end);
    let duration = session.end.map(|end| end.since(session.start).max(0) as f64 / 1e6);
    object.maybe_double("duration_ms", duration);
    object.plain("status", session.status);
    object.count("traces", session.traces);
    object.count("spans", session.spans);
    object.count("events", session.events);
    object.count("errors", session.errors);
    object.maybe_count("input_tokens", session.input_tokens);
    object.maybe_count("output_tokens", session.output_tokens);
    object.maybe_double("cost", session.cost);
}

/// `{"sessions": […], "next": …}`.
pub(crate) fn sessions(page: &SessionPage) -> String {
    let mut out = String::with_capacity(64 + page.sessions.len() * 384);
    let mut object = Object::begin(&mut out);
    push_array(object.key("sessions"), &page.sessions, |out, session| {
        let mut object = Object::begin(out);
        line(&mut object, session);
        object.end();
    });
    object.maybe_text("next", page.next.as_ref().map(ToString::to_string).as_deref());
    object.end();
    out
}

/// `{"session": {…, "data": …}, "traces": […], "next": …}`. `next` is a cursor of `/api/traces?session_id=…`.
pub(crate) fn session(session: &SessionSummary, said: Option<&Session>, page: &TracePage) -> String {
    let mut out = String::with_capacity(512 + page.traces.len() * 384);
    let mut object = Object::begin(&mut out);
    let mut inner = Object::begin(object.key("session"));
    line(&mut inner, session);
    inner.maybe_json("data", said.map(|said| &said.data));
    inner.end();
    push_array(object.key("traces"), &page.traces, summary);
    object.maybe_text("next", page.next.as_ref().map(ToString::to_string).as_deref());
    object.end();
    out
}
