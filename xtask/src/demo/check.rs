//! What a watched run of the agent must have shown.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::http;

/// Fewer spans than this, and a part of the agent was not traced: it has a root, a plan, a retriever, two turns of
/// chat, two tools, a sub-agent, and the spans of the instrumented client below them.
const LEAST_SPANS: usize = 10;

/// What was seen of a trace while it grew.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Whether the trace was listed as running.
    seen_running: bool,
    trace_id: Option<String>,
    spans: usize,
    name: String,
}

impl Watched {
    /// Looks at the list of traces.
    pub(super) fn look(&mut self, url: &str) -> Result<()> {
        let page = http::get_json(url, "/api/traces")?;
        self.note(&page);
        Ok(())
    }

    fn note(&mut self, page: &Value) {
        let newest = &page["traces"][0];
        if let Some(id) = newest["trace_id"].as_str() {
            self.trace_id = Some(id.to_owned());
            newest["name"].as_str().unwrap_or_default().clone_into(&mut self.name);
            self.seen_running |= newest["status"] == "running";
        }
    }

    /// Reads the whole trace; what is not as it should be.
    pub(super) fn problems(&mut self, url: &str) -> Result<Vec<String>> {
        let Some(id) = self.trace_id.clone() else { return Ok(vec!["no trace arrived".to_owned()]) };
        let trace = http::get_json(url, &format!("/api/trace/{id}")).context("the trace is listed")?;
        Ok(self.judge(&trace))
    }

    fn judge(&mut self, trace: &Value) -> Vec<String> {
        let spans = trace["spans"].as_array().cloned().unwrap_or_default();
        self.spans = spans.len();
        let mut problems = Vec::new();
        let mut demand = |fine: bool, otherwise: String| {
            if !fine {
                problems.push(otherwise);
            }
        };
        let status = trace["trace"]["status"].as_str().unwrap_or_default();
        demand(self.seen_running, "the trace was never listed as running before it ended".to_owned());
        demand(status == "ok", format!("the trace's status is {status:?}, not \"ok\""));
        demand(
            spans.len() >= LEAST_SPANS,
            format!("{} spans arrived, at least {LEAST_SPANS} were expected", spans.len()),
        );
        let failed_tool = |span: &Value| {
            span["event_type"] == "tool" && span["status"] == "error" && !span["error"].is_null()
        };
        demand(spans.iter().any(failed_tool), "no tool failed, but one of the agent's does".to_owned());
        demand(spans.iter().any(|span| span["kind"] == "llm"), "no call of the model arrived".to_owned());
        let open = spans.iter().filter(|span| span["end_ns"].is_null()).count();
        demand(open == 0, format!("{open} spans never ended"));
        let roots = spans.iter().filter(|span| span["parent_span_id"].is_null()).count();
        demand(roots == 1, format!("the trace has {roots} roots, not 1"));
        problems
    }

    /// One line about a trace that is as it should be.
    pub(super) fn summary(&self) -> String {
        let id = self.trace_id.as_deref().unwrap_or_default();
        format!("{} ({id}): {} spans, seen running, complete", self.name, self.spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trace() -> Value {
        let span = |id: usize, kind: &str, event_type: &str| {
            let parent = (id > 0).then_some("0");
            json!({"span_id": id.to_string(), "parent_span_id": parent, "kind": kind, "event_type": event_type,
                   "status": "ok", "error": null, "end_ns": "2"})
        };
        let mut spans: Vec<Value> = (0..LEAST_SPANS).map(|id| span(id, "llm", "model")).collect();
        spans[3] = span(3, "tool", "tool");
        spans[3]["status"] = json!("error");
        spans[3]["error"] = json!({"message": "away"});
        json!({"trace": {"status": "ok"}, "spans": spans, "logs": []})
    }

    fn watched(status: &str) -> Watched {
        let mut watched = Watched::default();
        watched.note(&json!({"traces": [], "next": null}));
        watched.note(&json!({"traces": [{"trace_id": "ab", "name": "agent", "status": status}]}));
        watched
    }

    #[test]
    fn a_whole_trace_is_fine() {
        let mut watched = watched("running");
        assert_eq!(watched.judge(&trace()), [""; 0]);
        assert_eq!(watched.summary(), "agent (ab): 10 spans, seen running, complete");
    }

    #[test]
    fn each_fault_is_told() {
        assert!(watched("ok").judge(&trace())[0].contains("never listed as running"));
        for (pointer, value, told) in [
            ("/trace/status", json!("lost"), "lost"),
            ("/spans/3/status", json!("ok"), "no tool failed"),
            ("/spans/5/end_ns", Value::Null, "1 spans never ended"),
            ("/spans/5/parent_span_id", Value::Null, "2 roots"),
            ("/spans", json!([]), "0 spans"),
        ] {
            let mut trace = trace();
            *trace.pointer_mut(pointer).expect("there") = value;
            let problems = watched("running").judge(&trace);
            assert!(problems.iter().any(|problem| problem.contains(told)), "{pointer}: {problems:?}");
        }
    }
}
