//! Random histories, compared with the model store after each step.

use std::sync::Arc;

use aitrace_model::{Clock, LogRecord, LostRules, Phase, Span, Status};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::build::{end, heartbeat, log, start, tentative, trace_id};
use super::check::{list, trace};
use super::{Bench, Factory};
use crate::filter::{ProjectScope, TraceFilter};
use crate::memory::MemoryStore;
use crate::telemetry::{Batch, TelemetryStore};

const PROJECTS: [&str; 2] = ["a", "b"];

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Messages by their seeds; repeated seeds are repeated messages.
    Append(Vec<Seed>),
    Seal,
    Crash,
    Wait {
        seconds: i64,
    },
    Read {
        limit: usize,
    },
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
    let seed = (0..7_u8, 0..2_usize, 0..4_u64, 0..4_u64, 0..3_u8)
        .prop_map(|(kind, project, trace, span, variant)| Seed { kind, project, trace, span, variant });
    prop_oneof![
        6 => proptest::collection::vec(seed, 1..12).prop_map(Step::Append),
        2 => Just(Step::Seal),
        1 => Just(Step::Crash),
        1 => (1..600_i64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (1..9_usize).prop_map(|limit| Step::Read { limit }),
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
        _ => end(project, seed.trace, seed.span),
    };
    span.received = clock.now();
    if let Some(log) = &mut span.tentative {
        log.received = clock.now();
        log.id = format!("{}/{}", log.id, seed.variant);
    }
    match seed.variant {
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
            Step::Seal => bench.store().seal().await.expect("seals"),
            Step::Crash => bench.reopen().await,
            Step::Wait { seconds } => bench.clock.advance(seconds * 1_000_000_000),
            Step::Read { limit } => compare(bench.store(), &model, limit).await,
        }
    }
    compare(bench.store(), &model, 3).await;
}

async fn compare(store: &impl TelemetryStore, model: &MemoryStore, limit: usize) {
    for project in PROJECTS {
        let scope = ProjectScope::One(project.to_owned());
        let filter = TraceFilter { scope, ..TraceFilter::default() };
        assert_eq!(list(store, &filter, limit).await, list(model, &filter, limit).await);
        for number in 0..4 {
            let id = trace_id(number);
            assert_eq!(trace(store, project, id).await, trace(model, project, id).await);
        }
    }
    let all = TraceFilter::default();
    assert_eq!(list(store, &all, limit).await, list(model, &all, limit).await);
    let (one, other) = (store.stats().await.expect("figures"), model.stats().await.expect("figures"));
    assert_eq!((one.spans, one.open_spans, one.logs), (other.spans, other.open_spans, other.logs));
}
