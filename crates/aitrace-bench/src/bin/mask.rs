//! What masking costs the worker: the same spans with masking and without, in processor time of all threads, so
//! that other programs do not count.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use aitrace::{Batch, Enrich, Exported, Exporter, Json, Tracer};

const SPANS: u32 = 20_000;
const ROUNDS: usize = 15;

/// Takes everything and does nothing with it.
struct Sink;

impl Exporter for Sink {
    fn export(&self, batch: &Batch) -> Exported {
        black_box(batch);
        Exported::Sent { rejected: 0 }
    }
}

/// About 2 KB of an agent's words, as JSON within JSON.
fn conversation() -> Json {
    let words = "The order was placed on Tuesday, and the broken token of trust between them was, as it were, \
                 a key to everything: nobody had paid for the shipping. https://example.org/orders/7 says so. ";
    let message =
        |role: &str, times: usize| serde_json::json!({"role": role, "content": words.repeat(times)});
    let call = r#"{"order": 7, "fields": ["state", "eta"], "max_tokens": 100}"#;
    let value = serde_json::json!({
        "model": "gpt-4o", "temperature": 0.2, "max_tokens": 400,
        "messages": [message("system", 2), message("user", 1), message("assistant", 5),
            {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "lookup", "arguments": call}}]},
            {"role": "tool", "tool_call_id": "c1", "content": words}],
    });
    Json::from_value(&value)
}

fn bare(tracer: &Tracer) {
    drop(tracer.start_span("bare"));
}

fn attributes(tracer: &Tracer) {
    let span = tracer.start_span("attributes");
    span.set_attribute("gen_ai.request.model", "gpt-4o");
    span.set_attribute("gen_ai.usage.input_tokens", 412);
    span.set_attribute("gen_ai.response.finish_reason", "a longer text than short ones");
}

/// Nanoseconds that all threads of this process have run.
fn processor_time() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let times = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    times.sum()
}

/// Nanoseconds a span, start to export, of the fastest round.
fn measure(mask: bool, work: &dyn Fn(&Tracer), kept: &mut Vec<Tracer>) -> f64 {
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let hour = Duration::from_hours(1);
        let tracer = Tracer::builder().exporter(Sink).mask(mask).tick(hour).queue_bytes(1 << 30).build();
        bare(&tracer);
        tracer.flush(hour);
        let before = processor_time();
        (0..SPANS).for_each(|_| work(&tracer));
        let flushed = tracer.flush(hour);
        let taken = (processor_time() - before) as f64 / f64::from(SPANS);
        assert!(flushed.ok, "{flushed:?}");
        fastest = fastest.min(taken);
        // The time of threads that have ended is no longer told.
        kept.push(tracer);
    }
    fastest
}

/// What is recorded, and how.
type Row<'a> = (String, &'a dyn Fn(&Tracer));

fn main() {
    let content = conversation();
    let text = |tracer: &Tracer| {
        tracer.start_span("text").enrich(Enrich::new().inputs_json(content.clone()));
    };
    let secret = |tracer: &Tracer| {
        let span = tracer.start_span("secret");
        span.enrich(Enrich::new().inputs_json(content.clone()).metadata("api_key", "x"));
        span.set_attribute("note", "sk-abcdefghijkl1234");
    };
    let size = content.as_str().len();
    let rows: [Row<'_>; 4] = [
        ("no text".to_owned(), &bare),
        ("3 attributes".to_owned(), &attributes),
        (format!("{size} bytes of JSON"), &text),
        (format!("{size} bytes and 2 secrets"), &secret),
    ];
    let mut out =
        String::from("| span | without masking, ns | with, ns | masking, ns |\n|---|---|---|---|\n");
    let mut kept = Vec::new();
    for (name, work) in rows {
        let (without, with) = (measure(false, work, &mut kept), measure(true, work, &mut kept));
        writeln!(out, "| {name} | {without:.0} | {with:.0} | {:.0} |", with - without)
            .expect("a String takes everything");
    }
    std::io::stdout().lock().write_all(out.as_bytes()).expect("stdout takes the table");
}
