//! Spans, enrichment, logs and sessions, without a runtime.
//!
//! Where the trace goes is set by `AITRACE_TARGET` (a file, `-`, a URL); default is `http://localhost:8000`.

use std::io::Write as _;
use std::time::Duration;

use aitrace::{Enrich, EventType, Level, Log, Tracer};

#[derive(Debug, thiserror::Error)]
#[error("no order {0}")]
struct NoSuchOrder(u32);

/// Arguments, result and error are recorded. No tracer is named: the one of the current span is found.
#[aitrace::trace(event_type = "tool")]
fn look_up(order: u32) -> Result<String, NoSuchOrder> {
    aitrace::enrich_span(Enrich::new().metadata("table", "orders"));
    if order == 7 { Ok("shipped".to_owned()) } else { Err(NoSuchOrder(order)) }
}

fn answer(tracer: &Tracer, question: &str, order: u32) -> String {
    let span = tracer.start_span("answer");
    span.set_event_type(EventType::Chain);
    span.enrich(Enrich::new().inputs(question).user_id("user-1"));
    let answer = match look_up(order) {
        Ok(state) => format!("It is {state}."),
        Err(error) => {
            tracer.log(Log::new("order not found").level(Level::Warning).field("order", order));
            format!("Sorry: {error}.")
        }
    };
    span.enrich(Enrich::new().outputs(&answer).metric("length", answer.len()));
    answer
}

fn run(tracer: &Tracer) -> Vec<String> {
    tracer.create_session(Some("support chat"), None, Enrich::new().user_property("plan", "pro"));
    let answers = vec![answer(tracer, "Where is order 7?", 7), answer(tracer, "Where is order 8?", 8)];
    tracer.enrich_session(Enrich::new().feedback("rating", 5));
    answers
}

fn main() -> std::io::Result<()> {
    let tracer = Tracer::builder().project("examples").service("basic").build();
    for answer in run(&tracer) {
        writeln!(std::io::stdout(), "{answer}")?;
    }
    let sent = tracer.shutdown(Duration::from_secs(5));
    writeln!(std::io::stderr(), "trace: {} sent, {} not", sent.sent, sent.remaining)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace::testing;

    #[test]
    fn the_trace_is_complete() {
        let (tracer, _clock) = testing::tracer();
        assert_eq!(run(&tracer), ["It is shipped.", "Sorry: no order 8."]);
        testing::assert_tree(
            &tracer,
            "
            answer 0ns [chain]
              look_up 0ns [tool] {\"table\":\"orders\"}
            answer 0ns [chain]
              look_up 0ns [tool] error: no order 8 {\"table\":\"orders\"}
            ",
        );
        let logs = testing::logs(&tracer);
        assert!(logs.contains("warning order not found {\"order\":8}"), "{logs}");
        assert!(tracer.spans().iter().all(|span| span.session_id.as_deref() != Some("session-1")));
    }
}
