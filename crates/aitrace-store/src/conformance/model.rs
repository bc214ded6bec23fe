//! Random histories, compared with the model store after each step.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{Clock, Json, LogRecord, LostRules, Phase, Span, Status};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::build::{contents, end, heartbeat, log, span_id, start, tentative, trace_id};
use super::check::{list, trace};
use super::queries::{all_sessions, hits, skeleton_agrees};
use super::{Bench, Factory, Full, time};
use crate::correction::Correction;
use crate::filter::{ProjectScope, TraceFilter};
use crate::memory::MemoryStore;
use crate::query::QueryStore;
use crate::record::DocumentKind;
use crate::statistics::{Dimension, StatisticsQuery, StatisticsRow};
use crate::telemetry::{Batch, TelemetryStore};
use crate::upkeep::{Deleted, Retention, Target, Upkeep};

const PROJECTS: [&str; 2] = ["a", "b"];
const DAY: i64 = 86_400_000_000_000;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Messages by their seeds; repeated seeds are repeated messages.
    Append(Vec<Seed>),
    Seal,
    Compact,
    Crash,
    /// Something is said of a span afterwards, or taken back.
    Correct {
        project: usize,
        span: u64,
        what: usize,
    },
    Delete {
        project: usize,
        what: u8,
        number: u64,
    },
    Wait {
        seconds: i64,
    },
    Read {
        limit: usize,
    },
    /// Days pass, and what was received before them leaves.
    Retire,
}

/// What decides a message entirely, except when it is received.
#[derive(Debug, Clone, Copy)]
struct Seed {
    kind: u8,
    project: usize,
    trace: u64,
    span: u64,
    variant: u8,
}

fn step() -> impl Strategy<Value = Step> {
    let seed = (0..8_u8, 0..2_usize, 0..4_u64, 0..4_u64, 0..3_u8)
        .prop_map(|(kind, project, trace, span, variant)| Seed { kind, project, trace, span, variant });
    prop_oneof![
        6 => proptest::collection::vec(seed, 1..12).prop_map(Step::Append),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Crash),
        2 => (0..2_usize, 0..4_u64, 0..4_usize)
            .prop_map(|(project, span, what)| Step::Correct { project, span, what }),
        1 => (0..2_usize, 0..6_u8, 0..4_u64)
            .prop_map(|(project, what, number)| Step::Delete { project, what, number }),
        1 => (1..600_i64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (1..9_usize).prop_map(|limit| Step::Read { limit }),
        1 => Just(Step::Retire),
    ]
}

enum Message {
    Span(Box<Span>),
    Log(Box<LogRecord>),
}

fn message(seed: Seed, clock: &dyn Clock) -> Message {
    let project = PROJECTS[seed.project];
    let mut span = match seed.kind {
        0 | 1 => start(project, seed.trace, seed.span),
        2 => heartbeat(project, seed.trace, seed.span, 0),
        3 => tentative(project, seed.trace, seed.span),
        4 => {
            let trace = (seed.variant > 0).then_some(seed.trace);
            let id = format!("{trace:?}/{}", seed.span);
            let mut log = log(project, trace, &id, seed.span as i64);
            log.received = clock.now();
            return Message::Log(Box::new(log));
        }
        5 => {
            let id = format!("{}/{}", seed.span, seed.variant);
            contents(project, seed.trace, seed.span, &id, 3 - i64::from(seed.variant))
        }
        _ => end(project, seed.trace, seed.span),
    };
    span.received = clock.now();
    if let Some(log) = &mut span.tentative {
        log.received = clock.now();
        log.id = format!("{}/{}", log.id, seed.variant);
    }
    match seed.variant {
        _ if span.phase == Phase::Contents => {}
        1 => {
            (span.name, span.cost) = ("other name".into(), Some(0.7));
            span.end = span.end.map(|end| end.saturating_add(3));
        }
        2 => {
            span.parent_span_id = None;
            (span.inputs, span.session_id) = (None, Some(format!("s{}", seed.span)));
            span.status = (span.phase == Phase::End).then_some(Status::Error);
        }
        _ => {}
    }
    Message::Span(Box::new(span))
}

/// Runs `cases` random histories on stores of the factory and on the model: what is read must be
/// the same at every step. Panics with the smallest history that differs.
pub fn model<F: Factory>(cases: u32, factory: impl Fn() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let histories = proptest::collection::vec(step(), 1..40);
    let result = TestRunner::new(config).run(&histories, |history| {
        runtime.block_on(run(&factory(), history));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A corrected span that was deleted does not come back with the rewrite of its file, which forgets the mark.
pub async fn a_corrected_span_that_is_deleted_stays_away<F: Factory>(factory: &F) {
    let append = |variant, span| Step::Append(vec![Seed { kind: 6, project: 0, trace: 3, span, variant }]);
    let correct = Step::Correct { project: 0, span: 3, what: 0 };
    let delete = Step::Delete { project: 0, what: 5, number: 3 };
    let read = || Step::Read { limit: 3 };
    let other = Step::Append(vec![Seed { kind: 6, project: 0, trace: 1, span: 1, variant: 0 }]);
    let history =
        vec![append(1, 3), other, correct, Step::Seal, read(), append(2, 3), delete, Step::Compact, read()];
    run(factory, history).await;
}

async fn run<F: Factory>(factory: &F, history: Vec<Step>) {
    let mut bench = Bench::new(factory).await;
    let model = MemoryStore::new(Arc::clone(&bench.clock) as Arc<dyn Clock>, LostRules::default());
    for step in history {
        match step {
            Step::Append(seeds) => {
                let mut batch = Batch::default();
                for seed in seeds {
                    match message(seed, bench.clock.as_ref()) {
                        Message::Span(span) => batch.spans.push(*span),
                        Message::Log(log) => batch.logs.push(*log),
                    }
                }
                let expected = model.append(batch.clone()).await.expect("the model appends");
                assert_eq!(bench.store().append(batch).await.expect("appends"), expected);
            }
            Step::Delete { project, what, number } => {
                let project = PROJECTS[project].to_owned();
                let target = match what {
                    0 => Target::Project(project),
                    1 | 2 => Target::Session { project, session_id: format!("s{number}") },
                    _ => Target::Trace { project, trace_id: trace_id(number) },
                };
                let expected = model.delete(target.clone()).await.expect("the model deletes");
                assert_eq!(bench.store().delete(target.clone()).await.expect("deletes"), expected);
                let again = bench.store().delete(target).await.expect("deletes");
                assert_eq!(again, Deleted::default(), "again there is nothing");
            }
            Step::Correct { project, span, what } => {
                correct(bench.store(), project, span, what).await;
                correct(&model, project, span, what).await;
            }
            Step::Compact => bench.store().compact().await.expect("compacts"),
            Step::Seal => bench.store().seal().await.expect("seals"),
            Step::Crash => bench.reopen().await,
            Step::Wait { seconds } => bench.clock.advance(seconds * 1_000_000_000),
            Step::Retire => {
                bench.clock.advance(3 * DAY);
                // What is in memory leaves once it is sealed.
                bench.store().seal().await.expect("seals");
                let retention = Retention { max_age: Some(Duration::from_nanos(DAY as u64)), max_size: None };
                bench.store().retain(retention).await.expect("retires");
                model.retain(retention).await.expect("the model retires");
            }
            Step::Read { limit } => compare(bench.store(), &model, limit).await,
        }
    }
    compare(bench.store(), &model, 3).await;
}

async fn correct(store: &impl Full, project: usize, span: u64, what: usize) {
    let (project, span_id) = (PROJECTS[project].to_owned(), span_id(span));
    let says = [
        r#"{"metrics":{"a":1},"outputs":"amended"}"#,
        r#"{"error":"found wrong"}"#,
        r#"{"metrics":{"a":2}}"#,
    ];
    if let Some(data) = says.get(what) {
        let data = Json::from_trusted(*data);
        let correction = Correction { project, span_id, at: time(500), data };
        drop(store.put_correction(correction).await.expect("puts"));
    } else {
        let ids = [span_id.to_hex()];
        store.remove_documents(DocumentKind::Correction, &project, &ids).await.expect("removes");
    }
}

async fn compare(store: &impl Full, model: &MemoryStore, limit: usize) {
    for project in PROJECTS {
        let scope = ProjectScope::One(project.to_owned());
        let filter = TraceFilter { scope, ..TraceFilter::default() };
        assert_eq!(list(store, &filter, limit).await, list(model, &filter, limit).await);
        for number in 0..4 {
            let id = trace_id(number);
            let whole = trace(store, project, id).await;
            assert_eq!(whole, trace(model, project, id).await);
            skeleton_agrees(store, project, whole, id).await;
        }
    }
    let all = TraceFilter::default();
    assert_eq!(list(store, &all, limit).await, list(model, &all, limit).await);
    compare_answers(store, model, limit).await;
    let (one, other) = (store.stats().await.expect("figures"), model.stats().await.expect("figures"));
    assert_eq!((one.spans, one.open_spans, one.logs), (other.spans, other.open_spans, other.logs));
}

/// Sessions, search and statistics. Usage in statistics is what was known when a span was stored, and compared
/// elsewhere.
async fn compare_answers(store: &impl Full, model: &MemoryStore, limit: usize) {
    assert_eq!(all_sessions(store, limit).await, all_sessions(model, limit).await);
    for text in ["in 1/", "asked", "event", "span 2", "tentative", "out 2/", "amended"] {
        assert_eq!(hits(store, text).await, hits(model, text).await, "search for {text:?}");
    }
    let figures = async |store: &dyn QueryStore, query: &StatisticsQuery| {
        let rows = store.statistics(query).await.expect("counts").rows.into_iter();
        let without = |row| StatisticsRow { input_tokens: None, output_tokens: None, cost: None, ..row };
        rows.map(without).collect::<Vec<_>>()
    };
    for text in ["metrics.a=1", "-metrics.a:*", "status:error", "error:found*", "outputs:amended -status:ok"]
    {
        let filter = TraceFilter { filter: text.parse().expect("a filter"), ..TraceFilter::default() };
        assert_eq!(list(store, &filter, limit).await, list(model, &filter, limit).await, "{text}");
    }
    for query in statistics_queries() {
        assert_eq!(figures(store, &query).await, figures(model, &query).await, "{query:?}");
    }
}

/// Everything and parts of it, by each dimension, with bounds that sums over whole seconds can answer and others.
fn statistics_queries() -> Vec<StatisticsQuery> {
    let all = StatisticsQuery::new(time(0), time(1_000));
    let odd = StatisticsQuery {
        bucket_ns: Some(1_700_000_000),
        ..StatisticsQuery::new(time(1).saturating_add(3), time(3).saturating_add(-5))
    };
    let by = |query: &StatisticsQuery, by| StatisticsQuery { by: Some(by), ..query.clone() };
    let asking = |text: &str| StatisticsQuery { filter: text.parse().expect("a filter"), ..all.clone() };
    let seconds = StatisticsQuery { bucket_ns: Some(2_000_000_000), ..all.clone() };
    let mut queries = vec![
        by(&seconds, Dimension::Project),
        StatisticsQuery { roots: true, ..by(&seconds, Dimension::Name) },
        StatisticsQuery { scope: ProjectScope::One("a".into()), ..by(&odd, Dimension::Status) },
        by(&odd, Dimension::Kind),
        asking("name:other* -status:error"),
        asking("(kind:llm OR name:span*) project:a"),
        by(&asking("inputs:1/1"), Dimension::Kind),
        by(&asking("metrics.a>=1"), Dimension::Status),
    ];
    queries.extend(Dimension::ALL.iter().map(|dimension| by(&all, *dimension)));
    queries
}
