//! The agent itself.

use aitrace::{Context, Enrich};
use serde::Serialize;

use crate::AgentError;
use crate::model::{Message, Model, Reply};
use crate::tools;

/// What the customer gets.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Tokens of all calls of the model, in and out.
    pub tokens: (u64, u64),
}

/// Answers one question.
#[aitrace::trace(tracer = tracer, kind = "agent", event_type = "chain", skip(tracer, model))]
pub(crate) fn support(tracer: &aitrace::Tracer, model: &Model, question: &str) -> Result<Answer, AgentError> {
    aitrace::enrich_span(Enrich::new().metadata("channel", "chat").user_id("customer-1"));
    let plan = plan(model, question)?;
    tracing::info!(steps = plan.text.lines().count(), "the plan stands");
    let documents = retrieve(question);
    let research = in_a_thread(model, question)?;
    let known = format!("Documents: {}. Research: {}", documents.join("; "), research.text);
    let mut messages = vec![Message::system(&known), Message::user(question)];
    let mut tokens = (plan.tokens.0 + research.tokens.0, plan.tokens.1 + research.tokens.1);
    // A model that never stops asking for tools must not run for ever.
    for _ in 0..4 {
        let reply = model.chat(&messages, true)?;
        tokens = (tokens.0 + reply.tokens.0, tokens.1 + reply.tokens.1);
        if reply.calls.is_empty() {
            aitrace::enrich_span(Enrich::new().metric("tokens", tokens.0 + tokens.1));
            return Ok(Answer { text: reply.text, tokens });
        }
        messages.push(Message::assistant(&reply));
        for call in &reply.calls {
            let outcome = tools::call(&call.name, &call.arguments).unwrap_or_else(|error| {
                tracing::warn!(tool = call.name, "a tool failed; the agent goes on without: {error}");
                format!("error: {error}")
            });
            messages.push(Message::tool(&call.id, &outcome));
        }
    }
    Err(AgentError::Strange("it asked for tools four times".to_owned()))
}

#[aitrace::trace(event_type = "chain", skip(model))]
fn plan(model: &Model, question: &str) -> Result<Reply, AgentError> {
    model.chat(&[Message::system("plan"), Message::user(question)], false)
}

/// Searches the shop's documents.
#[aitrace::trace(kind = "retriever", event_type = "tool")]
fn retrieve(query: &str) -> Vec<String> {
    const DOCUMENTS: [(&str, &str); 3] = [
        ("shipping", "orders leave the house within two days"),
        ("returns", "what is unopened can be sent back for 30 days"),
        ("payment", "cards and transfers are taken"),
    ];
    // Stands in for an index of vectors: what matters here is the span.
    let wanted =
        if query.contains("send it back") { ["shipping", "returns"] } else { ["shipping", "payment"] };
    let found: Vec<String> = DOCUMENTS
        .iter()
        .filter(|(name, _)| wanted.contains(name))
        .map(|(_, text)| (*text).to_owned())
        .collect();
    tracing::debug!(hits = found.len(), "searched");
    found
}

/// Hands the context to a thread, where the second agent works.
fn in_a_thread(model: &Model, question: &str) -> Result<Reply, AgentError> {
    let context = Context::current();
    let subscriber = tracing::dispatcher::get_default(Clone::clone);
    let work = || {
        let _context = context.attach();
        tracing::dispatcher::with_default(&subscriber, || researcher(model, question))
    };
    std::thread::scope(|scope| {
        let helper = std::thread::Builder::new().name("researcher".to_owned());
        let helper =
            helper.spawn_scoped(scope, work).map_err(|error| AgentError::Helper(error.to_string()))?;
        helper.join().map_err(|_| AgentError::Helper("it panicked".to_owned()))?
    })
}

#[aitrace::trace(kind = "agent", event_type = "chain", skip(model))]
fn researcher(model: &Model, question: &str) -> Result<Reply, AgentError> {
    tracing::info!("begins");
    model.chat(&[Message::system("research"), Message::user(question)], false)
}
