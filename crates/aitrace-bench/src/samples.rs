//! What senders send: requests of 512 spans of about 2 KB in three dialects, and as many trace records of 1 KB.

use std::sync::Arc;

use aitrace_model::{AnyValue, Dropped, RawSpan, RawStatus, Resource, Scope, SpanId, Timestamp, TraceId};
use serde_json::json;

/// Spans or records of one request.
pub const BATCH: usize = 512;

const START: i64 = 1_769_860_800_000_000_000;

/// Text that compresses about as well as prose.
#[derive(Debug)]
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn text(&mut self, length: usize) -> String {
        const SYLLABLES: [&str; 32] = [
            "an", "be", "con", "de", "er", "for", "ing", "ly", "ment", "no", "or", "pre", "re", "ti", "un",
            "ver", "al", "ca", "di", "en", "ga", "ho", "in", "ka", "lo", "mi", "ne", "pa", "sa", "to", "us",
            "ze",
        ];
        let mut text = String::with_capacity(length + 8);
        while text.len() < length {
            let random = self.next();
            for part in 0..=random % 3 {
                text.push_str(SYLLABLES[(random >> (8 * part + 8)) as usize % 32]);
            }
            text.push_str(if random.is_multiple_of(97) { ",\n\"so\" " } else { " " });
        }
        text
    }
}

/// How a library says what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenTelemetry's conventions for generative AI: messages as JSON text in attributes.
    GenAi,
    /// OpenInference: contents as JSON text.
    OpenInference,
    /// A server's span that knows nothing of AI.
    Plain,
}

fn text(key: &str, value: &str) -> (String, AnyValue) {
    (key.to_owned(), AnyValue::from(value))
}

fn count(key: &str, value: u64) -> (String, AnyValue) {
    (key.to_owned(), AnyValue::Int(value as i64))
}

/// What OpenTelemetry's SDKs say of a process and its machine.
fn resource() -> Resource {
    let attributes = vec![
        text("telemetry.sdk.language", "python"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "1.45.0"),
        text("service.name", "shop"),
        text("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09"),
        text("deployment.environment.name", "production"),
        text("aitrace.project", "bench"),
        text("host.name", "node-17.eu.example"),
        text("process.command_line", "/usr/bin/python3 -m shop.worker --queue orders"),
        count("process.pid", 4711),
    ];
    Resource { attributes, ..Resource::default() }
}

fn attributes(dialect: Dialect, words: &mut Words) -> Vec<(String, AnyValue)> {
    let (input, output) = (words.next() % 4000, words.next() % 800);
    let model = ["gpt-5", "claude-sonnet-4-5", "gemini-2.5-flash"][words.next() as usize % 3];
    let provider = ["openai", "anthropic", "gcp.gemini"][words.next() as usize % 3];
    let (session, user) = (words.next() % 100, words.next() % 100);
    match dialect {
        Dialect::GenAi => {
            let part = |content: String| json!([{"type": "text", "content": content}]);
            let asked = json!([{"role": "system", "parts": part(words.text(150))},
                {"role": "user", "parts": part(words.text(750))}]);
            let said =
                json!([{"role": "assistant", "parts": part(words.text(400)), "finish_reason": "stop"}]);
            vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.provider.name", provider),
                text("gen_ai.request.model", model),
                text("gen_ai.response.model", model),
                text("gen_ai.response.id", &format!("chatcmpl-{:016x}", words.next())),
                text("gen_ai.conversation.id", &format!("session-{session}")),
                count("gen_ai.usage.input_tokens", input),
                count("gen_ai.usage.output_tokens", output),
                ("gen_ai.request.temperature".to_owned(), AnyValue::Double(0.7)),
                text("gen_ai.input.messages", &asked.to_string()),
                text("gen_ai.output.messages", &said.to_string()),
                text("server.address", "api.example"),
            ]
        }
        Dialect::OpenInference => {
            let asked = json!({"messages": [{"role": "user", "content": words.text(900)}]});
            let said = json!({"role": "assistant", "content": words.text(450)});
            vec![
                text("openinference.span.kind", "LLM"),
                text("llm.model_name", model),
                text("llm.provider", provider),
                count("llm.token_count.prompt", input),
                count("llm.token_count.completion", output),
                text("input.value", &asked.to_string()),
                text("input.mime_type", "application/json"),
                text("output.value", &said.to_string()),
                text("output.mime_type", "application/json"),
                text("session.id", &format!("session-{session}")),
                text("user.id", &format!("user-{user}")),
                ("temperature".to_owned(), AnyValue::Double(0.7)),
            ]
        }
        Dialect::Plain => {
            let mut all = vec![
                text("http.request.method", "POST"),
                text("url.full", "https://shop.example/api/orders?state=open&limit=50"),
                text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
                count("http.response.status_code", 200),
                count("network.peer.port", 443),
                text("db.query.text", &words.text(900)),
            ];
            all.extend((0..8).map(|index| text(&format!("shop.field.{index}"), &words.text(45))));
            all
        }
    }
}

/// Spans of one process.
pub fn spans(dialect: Dialect) -> Vec<RawSpan> {
    let mut words = Words(dialect as u64 + 1);
    let (resource, scope) = (
        Arc::new(resource()),
        Arc::new(Scope { name: "shop.worker".to_owned(), version: "1.2.0".to_owned(), ..Scope::default() }),
    );
    let span = |index: usize| {
        let start = Timestamp::from_nanos(START + index as i64 * 1000);
        let id = index as u64 + 1;
        RawSpan {
            trace_id: TraceId::from_bytes((u128::from(id / 20) + 1).to_be_bytes()).expect("not zero"),
            span_id: SpanId::from_bytes(id.to_be_bytes()).expect("not zero"),
            parent_span_id: SpanId::from_bytes((id - id % 20).to_be_bytes()),
            name: format!("chat {}", index % 10),
            otel_kind: 3,
            trace_state: String::new(),
            start,
            end: Some(start.saturating_add(words.next() as i64 & 0xfff_ffff)),
            attributes: attributes(dialect, &mut words),
            events: Vec::new(),
            links: Vec::new(),
            status: RawStatus::Unset,
            dropped: Dropped::default(),
            flags: 257,
            resource: Arc::clone(&resource),
            scope: Arc::clone(&scope),
        }
    };
    (0..BATCH).map(span).collect()
}

/// An OTLP request of them in protobuf.
pub fn otlp(dialect: Dialect) -> Vec<u8> {
    aitrace_otlp::encode_traces(&spans(dialect))
}

/// JSON lines of trace records, ends of spans.
pub fn records() -> Vec<u8> {
    let mut words = Words(7);
    let mut out = String::new();
    for index in 0..BATCH {
        let record = json!({
            "__tracer_meta__": {
                "timestamp": Timestamp::from_nanos(START + index as i64 * 1000), "event": "lookup.end",
                "trace_id": format!("{:032x}", index / 20 + 1), "span_id": format!("{:016x}", index + 1),
                "parent_span_id": format!("{:016x}", index - index % 20 + 1),
                "id": format!("{:032x}", words.next()), "file": "shop/worker.py", "line": 38, "function": "lookup",
                "lifecycle": "end", "level": "info", "version": "2.1", "status": "ok",
                "duration_ns": words.next() >> 40, "event_type": "tool", "project": "bench",
                "session_id": format!("session-{}", words.next() % 100),
            },
            "attributes": {"inputs": {"q": words.text(300)}, "outputs": words.text(150), "attempt": 1},
        });
        out.push_str(&record.to_string());
        out.push('\n');
    }
    out.into_bytes()
}
