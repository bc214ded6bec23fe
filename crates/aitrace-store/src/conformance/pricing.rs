//! Laws of prices that are reckoned anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aitrace_model::Span;
use async_trait::async_trait;

use super::build::{end, span_id, start, time, trace_id};
use super::check::{list, spans, trace};
use super::queries::all_sessions;
use super::{Bench, Factory};
use crate::correction::Correction;
use crate::document::DocumentStore;
use crate::error::Result;
use crate::filter::{PageRequest, ProjectScope, TraceFilter};
use crate::query::QueryStore;
use crate::reprice::{Reading, Repriced, Repricing, Verdict, reprice};
use crate::room::{FixedRoom, Taken};
use crate::statistics::StatisticsQuery;
use crate::telemetry::{Batch, TelemetryStore, TracePage};
use crate::upkeep::Upkeep;

/// Trace 1 with calls that cost 0.25 each, one of them within another, one unknown, one that runs; trace 2 in a file.
fn calls(number: u64) -> Batch {
    let mut unknown = end("p", number, 1);
    unknown.cost = None;
    let mut stated = end("p", number, 2);
    stated.model = Some("stated".to_owned());
    let mut batch =
        spans([start("p", number, 0), end("p", number, 0), unknown, stated, start("p", number, 9)]);
    for span in &mut batch.spans {
        span.session_id = Some("s".to_owned());
        span.parent_span_id = None;
    }
    batch
}

fn price(dollars: f64) -> impl Fn(&Span) -> Verdict + Send + Sync {
    move |span| match span.model.as_deref() {
        Some("stated") => Verdict::Stated,
        _ if span.span_id == span_id(1) && dollars > 1.0 => Verdict::Unknown,
        _ => Verdict::Costs(dollars, format!("${dollars}")),
    }
}

/// The cost by every read that sums it.
async fn sums<F: Factory>(bench: &Bench<'_, F>) -> [Option<f64>; 4] {
    let lines = list(bench.store(), &TraceFilter::default(), 5).await;
    let add = |costs: &mut dyn Iterator<Item = Option<f64>>| {
        costs.flatten().fold(None, |sum: Option<f64>, cost| Some(sum.unwrap_or(0.0) + cost))
    };
    let mut each = Vec::new();
    for number in [1, 2] {
        let whole = trace(bench.store(), "p", trace_id(number)).await.expect("there");
        each.extend(whole.spans.into_iter().map(|stored| stored.span.cost));
    }
    let query = StatisticsQuery::new(time(-1), time(1000));
    let rows = bench.store().statistics(&query).await.expect("counts").rows;
    [
        add(&mut lines.iter().map(|line| line.cost)),
        add(&mut each.into_iter()),
        add(&mut rows.iter().map(|row| row.cost)),
        add(&mut all_sessions(bench.store(), 9).await.iter().map(|line| line.cost)),
    ]
}

/// Notes for how many traces memory was given, and how much of it there is now.
struct Noted<'a, S> {
    store: &'a S,
    traces: AtomicUsize,
    room: Arc<FixedRoom>,
}

#[async_trait]
impl<S: TelemetryStore> Reading for Noted<'_, S> {
    async fn list(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
        self.store.list_traces(filter, page).await
    }

    async fn admit(&self, bytes: usize) -> Result<Box<dyn Send + Sync>> {
        self.traces.fetch_add(1, Ordering::Relaxed);
        assert!(bytes > 100 && self.room.taken() == 0, "one after the other: {bytes}");
        let mut memory = Taken::nothing(self.room.clone());
        memory.grow(bytes)?;
        Ok(Box::new(memory))
    }
}

/// Reprices everything, a trace at a time.
async fn repriced<F: Factory>(
    bench: &Bench<'_, F>,
    wanted: &(dyn Fn(&Span) -> bool + Send + Sync),
    dollars: f64,
    at: i64,
    dry: bool,
) -> Repriced {
    let (mut sum, mut cursor) = (Repriced::default(), None);
    let room = Arc::new(FixedRoom::new(1 << 20));
    let reading = Noted { store: bench.store(), traces: AtomicUsize::new(0), room };
    for _ in 0..2 {
        let asked = Repricing {
            reading: &reading,
            filter: &TraceFilter::default(),
            wanted,
            price: &price(dollars),
            now: time(at),
            dry,
            cursor,
            calls: 1,
        };
        let (done, next) = reprice(bench.store(), asked).await.expect("prices");
        sum.add(&done);
        cursor = next;
    }
    assert_eq!(cursor, None, "two traces are two steps");
    assert_eq!(
        (reading.traces.into_inner(), reading.room.taken()),
        (2, 0),
        "each is given memory, which is given back"
    );
    sum
}

/// A new price shows in every read and sum, stays, is not undone by a span that is sent again, and unknown is never 0.
pub async fn new_prices_show_everywhere<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.clock.set(time(100));
    bench.store().append(calls(2)).await.expect("appends");
    bench.store().seal().await.expect("seals");
    bench.store().append(calls(1)).await.expect("appends");
    let correction = Correction {
        project: "p".into(),
        span_id: span_id(0),
        at: time(1),
        data: aitrace_model::Json::from_trusted(r#"{"outputs":"corrected"}"#),
    };
    bench.store().put_correction(correction).await.expect("puts");
    assert_eq!(sums(&bench).await, [Some(1.0); 4]);
    let run = async |bench: &Bench<'_, F>, dollars: f64, at: i64, dry: bool| {
        repriced(bench, &|_| true, dollars, at, dry).await
    };
    let first =
        Repriced { calls: 6, changed: 4, newly_known: 2, unknown: 0, stated: 2, before: 1.0, after: 2.5 };
    assert_eq!(run(&bench, 0.5, 200, true).await, first);
    assert_eq!(sums(&bench).await, [Some(1.0); 4], "a dry run writes nothing");
    assert_eq!(run(&bench, 0.5, 200, false).await, first);
    let again = Repriced { changed: 0, newly_known: 0, before: 2.5, ..first };
    for step in 0..5 {
        assert_eq!(sums(&bench).await, [Some(2.5); 4], "step {step}");
        assert_eq!(run(&bench, 0.5, 300, false).await, again, "step {step}");
        let whole = trace(bench.store(), "p", trace_id(2)).await.expect("there");
        let of = |id| whole.spans.iter().find(|stored| stored.span.span_id == span_id(id)).expect("there");
        assert_eq!(of(0).span.cost_formula.as_deref(), Some("$0.5"));
        assert_eq!(of(0).span.outputs.as_ref().map(aitrace_model::Json::as_str), Some("\"corrected\""));
        assert_eq!((of(9).span.cost, of(2).span.cost_formula.as_deref()), (None, None));
        let sent = bench.store().sent_trace(&ProjectScope::One("p".into()), trace_id(2)).await;
        let sent = sent.expect("reads").expect("there");
        let outputs = sent.spans.iter().find(|stored| stored.span.span_id == span_id(0));
        let outputs = outputs.and_then(|stored| stored.span.outputs.clone());
        assert_eq!(outputs.as_ref().map(aitrace_model::Json::as_str), Some("\"out 2/0\""), "as it was sent");
        match step {
            0 => drop(bench.store().append(calls(2)).await.expect("appends")),
            1 => bench.store().seal().await.expect("seals"),
            2 => bench.store().compact().await.expect("compacts"),
            _ => bench.reopen().await,
        }
    }
    // Dearer, cheaper again, and by a clock that went back: the last one counts. What is unknown then stays as it was.
    assert_eq!(Some(run(&bench, 4.0, 50, false).await.after), Some(4.0 * 2.0 + 2.0 * 0.5 + 0.5));
    assert_eq!(sums(&bench).await, [Some(9.5); 4]);
    assert_eq!(Some(run(&bench, 0.125, 50, false).await.after), Some(4.0 * 0.125 + 0.5));
    bench.reopen().await;
    assert_eq!(sums(&bench).await, [Some(1.0); 4]);
    let one = |span: &Span| span.span_id == span_id(1);
    assert_eq!(repriced(&bench, &one, 0.5, 400, false).await.changed, 2);
}
