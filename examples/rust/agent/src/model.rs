//! A client of OpenAI's chat API that streams.

use std::io::BufReader;

use aitrace::Enrich;
use serde::Serialize;
use serde_json::{Value, json};

use crate::AgentError;
use crate::tools;

/// The model that is asked for.
pub(crate) const MODEL: &str = "stub-4o-mini";
/// Pieces between two updates of the span's output: a watcher sees the text grow.
const UPDATE_EVERY: usize = 4;

/// A message of the conversation, as the API wants it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message(Value);

impl Message {
    pub(crate) fn system(text: &str) -> Self {
        Self(json!({"role": "system", "content": text}))
    }

    pub(crate) fn user(text: &str) -> Self {
        Self(json!({"role": "user", "content": text}))
    }

    pub(crate) fn tool(id: &str, outcome: &str) -> Self {
        Self(json!({"role": "tool", "tool_call_id": id, "content": outcome}))
    }

    pub(crate) fn assistant(reply: &Reply) -> Self {
        let call = |call: &Call| {
            let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
            json!({"id": call.id, "type": "function", "function": function})
        };
        let calls: Vec<Value> = reply.calls.iter().map(call).collect();
        Self(json!({"role": "assistant", "content": reply.text, "tool_calls": calls}))
    }

    /// In the words of OpenTelemetry's conventions for messages.
    fn convention(&self) -> Value {
        let content = json!({"type": "text", "content": self.0["content"]});
        json!({"role": self.0["role"], "parts": [content]})
    }
}

/// A call of a tool that the model wants.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// What the model said.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    /// In and out.
    pub(crate) tokens: (u64, u64),
    pub(crate) finish_reason: String,
}

/// The model behind a URL.
#[derive(Debug)]
pub(crate) struct Model {
    url: String,
    agent: ureq::Agent,
}

impl Model {
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().proxy(None).build();
        Self { url: format!("{url}/v1/chat/completions"), agent: config.new_agent() }
    }

    /// One call, streamed.
    #[aitrace::trace(name = "chat", event_type = "model", skip_all)]
    pub(crate) fn chat(&self, messages: &[Message], with_tools: bool) -> Result<Reply, AgentError> {
        let conventions: Vec<Value> = messages.iter().map(Message::convention).collect();
        aitrace::enrich_span(
            Enrich::new()
                .inputs(json!({"messages": messages}))
                .config("temperature", 0)
                .attribute("gen_ai.operation.name", "chat")
                .attribute("gen_ai.provider.name", "openai")
                .attribute("gen_ai.request.model", MODEL)
                .attribute("gen_ai.input.messages", Value::from(conventions).to_string()),
        );
        let mut body = json!({
            "model": MODEL, "messages": messages, "stream": true, "temperature": 0,
            "stream_options": {"include_usage": true},
        });
        if with_tools {
            body["tools"] = tools::descriptions();
        }
        let response = self.agent.post(&self.url).content_type("application/json").send(body.to_string());
        let response = response.map_err(|error| AgentError::Model(error.to_string()))?;
        let reply = read(BufReader::new(response.into_body().into_reader()))?;
        say(&reply);
        Ok(reply)
    }
}

/// Puts the pieces of a stream together.
fn read(lines: impl std::io::BufRead) -> Result<Reply, AgentError> {
    let mut reply = Reply::default();
    let mut arguments: Vec<String> = Vec::new();
    let mut pieces = 0;
    for line in lines.lines() {
        let line = line.map_err(|error| AgentError::Model(error.to_string()))?;
        let Some(data) = line.strip_prefix("data: ") else { continue };
        if data == "[DONE]" {
            break;
        }
        let chunk: Value = serde_json::from_str(data).map_err(|_| AgentError::Strange(data.to_owned()))?;
        let choice = &chunk["choices"][0];
        if let Some(text) = choice["delta"]["content"].as_str() {
            reply.text.push_str(text);
            pieces += 1;
            if pieces % UPDATE_EVERY == 0 {
                aitrace::enrich_span(Enrich::new().outputs(&reply.text));
            }
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(call["index"].as_u64().unwrap_or(0)).unwrap_or(0).min(15);
            reply.calls.resize_with(reply.calls.len().max(index + 1), Call::default);
            arguments.resize_with(reply.calls.len(), String::new);
            let known = &mut reply.calls[index];
            known.id.push_str(call["id"].as_str().unwrap_or_default());
            known.name.push_str(call["function"]["name"].as_str().unwrap_or_default());
            arguments[index].push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            reason.clone_into(&mut reply.finish_reason);
        }
        let usage = |key: &str| chunk["usage"][key].as_u64();
        if let (Some(read), Some(written)) = (usage("prompt_tokens"), usage("completion_tokens")) {
            reply.tokens = (read, written);
        }
    }
    for (call, text) in reply.calls.iter_mut().zip(&arguments) {
        call.arguments = serde_json::from_str(text).map_err(|_| AgentError::Strange(text.clone()))?;
    }
    Ok(reply)
}

/// Tells the span what the model said.
fn say(reply: &Reply) {
    let mut parts = Vec::new();
    if !reply.text.is_empty() {
        parts.push(json!({"type": "text", "content": reply.text}));
    }
    for call in &reply.calls {
        let Call { id, name, arguments } = call;
        parts.push(json!({"type": "tool_call", "id": id, "name": name, "arguments": arguments}));
    }
    let message = json!([{"role": "assistant", "parts": parts, "finish_reason": reply.finish_reason}]);
    aitrace::enrich_span(
        Enrich::new()
            .attribute("gen_ai.response.model", MODEL)
            .attribute("gen_ai.response.finish_reasons", vec![reply.finish_reason.clone()])
            .attribute("gen_ai.usage.input_tokens", reply.tokens.0)
            .attribute("gen_ai.usage.output_tokens", reply.tokens.1)
            .attribute("gen_ai.output.messages", message.to_string()),
    );
}
