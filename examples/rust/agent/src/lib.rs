//! A small agent, traced: it plans, searches, asks a second agent in a thread of its own, calls tools (one of
//! which fails) and streams its answer.
//!
//! The model is a stub on this machine that speaks OpenAI's chat API, so the agent runs anywhere and needs
//! no key; the calls to it are real HTTP.

mod agent;
mod model;
mod stub;
mod tools;

use std::time::Duration;

use tracing_subscriber::prelude::*;

pub use agent::Answer;
pub use tools::ToolError;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The model could not be reached or broke off.
    #[error(
        "the model did not answer: {0}; it runs in this process, so look at what limits local connections"
    )]
    Model(String),
    /// The model answered something that is none of its API.
    #[error("the model said something strange: {0}")]
    Strange(String),
    /// A thread could not be started, or panicked.
    #[error("the second agent did not finish: {0}")]
    Helper(String),
}

/// Runs the agent once on a question of a customer. `pace` is the time between two pieces of what the model
/// streams: zero for as fast as possible, 50 ms to watch it.
pub fn run(tracer: &aitrace::Tracer, pace: Duration) -> Result<Answer, AgentError> {
    let stub = stub::Stub::start(pace).map_err(|error| AgentError::Model(error.to_string()))?;
    let subscriber = tracing_subscriber::registry().with(aitrace::layer().with_tracer(tracer));
    let model = model::Model::new(&stub.url());
    tracing::subscriber::with_default(subscriber, || {
        agent::support(tracer, &model, "Where is order 7, and can I still send it back?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace::SpanKind;

    #[test]
    fn one_run_is_one_tree() {
        let tracer = aitrace::Tracer::builder().project("example").target("memory").build();
        let answer = run(&tracer, Duration::ZERO).expect("an answer");
        assert!(answer.text.contains("order 7"), "{}", answer.text);
        let spans = tracer.spans();
        let roots = spans.iter().filter(|span| span.parent_span_id.is_none());
        assert_eq!(roots.map(|span| span.name.as_str()).collect::<Vec<_>>(), ["support"]);
        assert!(spans.iter().all(|span| span.trace_id == spans[0].trace_id));
        let count = |kind| spans.iter().filter(|span| span.kind == kind).count();
        assert_eq!(count(SpanKind::Llm), 4, "plan, research, tools, answer");
        assert_eq!((count(SpanKind::Agent), count(SpanKind::Tool), count(SpanKind::Retriever)), (2, 2, 1));
        let failed: Vec<_> = spans.iter().filter(|span| span.is_error()).map(|span| &span.name).collect();
        assert_eq!(failed, ["refund_policy"]);
        for span in spans.iter().filter(|span| span.kind == SpanKind::Llm) {
            assert_eq!(span.model.as_deref(), Some(model::MODEL));
            assert!(span.input_tokens > Some(0) && span.output_tokens > Some(0));
        }
        let events: Vec<_> = tracer.logs().into_iter().map(|log| log.event).collect();
        assert!(events.iter().any(|event| event.contains("goes on without")), "{events:?}");
        // The second agent ran in another thread and still belongs to the first.
        let find = |name: &str| spans.iter().find(|span| span.name == name).expect(name);
        assert_eq!(find("researcher").parent_span_id, Some(find("support").span_id));
    }
}
