//! Several tracers in one program, under threads, tasks and chance: each span is its own tracer's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aitrace::{Baggage, Context, Enrich, InSpan as _, SpanOptions, Tracer};
use proptest::prelude::*;
use rayon::prelude::*;

fn memory(index: usize) -> Tracer {
    Tracer::builder().project(format!("p{index}")).source(format!("s{index}")).target("memory").build()
}

/// Each span of each tracer carries that tracer's identity; enrichments have come where they belong.
fn check_identity(tracers: &[Tracer]) {
    for tracer in tracers {
        let identity = tracer.identity();
        for span in tracer.spans() {
            assert_eq!(
                (&*span.project, span.source.as_deref()),
                (&*identity.project, Some(&*identity.source))
            );
            assert_eq!(span.session_id.as_deref(), Some(&*identity.session().id));
            if let Some(metadata) = span.metadata.as_ref().and_then(aitrace::Json::to_value) {
                assert_eq!(metadata["of"].as_str(), Some(&*identity.project), "{}", span.name);
            }
        }
    }
}

/// One step of a program.
#[derive(Debug, Clone)]
enum Step {
    /// A span of a tracer, with what happens inside.
    Span(usize, Vec<Step>),
    /// What `Tracer::enrich_span` says.
    Enrich(usize),
    /// What the free function says.
    Free,
    /// Baggage around some steps.
    Run(u8, Vec<Step>),
    /// Another thread that takes the context over.
    Thread(Vec<Step>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let leaf = prop_oneof![(0..3_usize).prop_map(Step::Enrich), Just(Step::Free)];
    let step = leaf.prop_recursive(5, 40, 4, |inner| {
        let inside = prop::collection::vec(inner, 0..4);
        prop_oneof![
            4 => (0..3_usize, inside.clone()).prop_map(|(tracer, inside)| Step::Span(tracer, inside)),
            1 => (0..3_u8, inside.clone()).prop_map(|(run, inside)| Step::Run(run, inside)),
            1 => inside.prop_map(Step::Thread),
        ]
    });
    prop::collection::vec(step, 0..6)
}

/// What is expected: the spans around, as tracer and id, and the run.
#[derive(Debug, Clone, Default)]
struct Around {
    spans: Vec<(usize, aitrace::SpanContext)>,
    run: Option<u8>,
}

/// What was expected of each span by its id: its tracer, parent and run.
type Expected = BTreeMap<aitrace::SpanId, (usize, Option<aitrace::SpanId>, Option<u8>)>;

fn play(tracers: &[Tracer], steps: &[Step], around: &Around, expected: &mut Expected) {
    for step in steps {
        let inside = |tracer: usize| around.spans.iter().any(|(known, _)| *known == tracer);
        match step {
            Step::Span(tracer, steps) => {
                let span = tracers[*tracer].start_span("span");
                let ids = span.context().expect("recording");
                let parent = around.spans.last().map(|(_, ids)| *ids);
                assert!(parent.is_none_or(|parent| parent.trace_id == ids.trace_id));
                expected.insert(ids.span_id, (*tracer, parent.map(|parent| parent.span_id), around.run));
                let mut around = around.clone();
                around.spans.push((*tracer, ids));
                play(tracers, steps, &around, expected);
            }
            Step::Enrich(tracer) => {
                let project = tracers[*tracer].identity().project.clone();
                let done = tracers[*tracer].enrich_span(Enrich::new().metadata("of", &*project));
                assert_eq!(done, inside(*tracer));
            }
            Step::Free => {
                if let Some((tracer, _)) = around.spans.last() {
                    let project = tracers[*tracer].identity().project.clone();
                    assert!(aitrace::enrich_span(Enrich::new().metadata("of", &*project)));
                }
            }
            Step::Run(run, steps) => {
                let baggage = Baggage { run_id: Some(run.to_string().into()), ..Baggage::default() };
                let _baggage = Context::current().with_baggage(baggage).attach();
                play(tracers, steps, &Around { run: Some(*run), ..around.clone() }, expected);
            }
            Step::Thread(steps) => {
                let context = Context::current();
                std::thread::scope(|scope| {
                    let work = || {
                        let attached = context.attach();
                        play(tracers, steps, around, expected);
                        drop(attached);
                        assert_eq!(Context::current().span(), None);
                    };
                    std::thread::Builder::new().spawn_scoped(scope, work).expect("a thread");
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever a program does: parents are what was current, runs what travelled, identities each tracer's.
    #[test]
    fn any_program_keeps_its_spans_apart(steps in steps()) {
        let tracers: Vec<_> = (0..3).map(memory).collect();
        let mut expected = Expected::new();
        play(&tracers, &steps, &Around::default(), &mut expected);
        prop_assert_eq!(Context::current().span(), None);
        check_identity(&tracers);
        let mut found = Expected::new();
        for (index, tracer) in tracers.iter().enumerate() {
            for span in tracer.spans() {
                let run = span.run_id.map(|run| run.parse().expect("a number"));
                found.insert(span.span_id, (index, span.parent_span_id, run));
            }
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn threads_that_make_use_and_shut_down_tracers_at_once() {
    let steady = memory(99);
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let work = || {
                for _ in 0..20 {
                    let own = memory(made.fetch_add(1, Ordering::Relaxed));
                    {
                        let _outer = steady.start_span("outer");
                        let _inner = own.start_span("inner");
                        let project = own.identity().project.clone();
                        assert!(aitrace::enrich_span(Enrich::new().metadata("of", &*project)));
                        assert!(steady.enrich_span(Enrich::new().metadata("of", "p99")));
                    }
                    check_identity(std::slice::from_ref(&own));
                    assert_eq!(own.spans().len(), 1);
                    assert!(own.shutdown(Duration::from_secs(10)).ok);
                    own.start_span("after the end").end();
                    assert_eq!(own.spans().len(), 1);
                }
            };
            std::thread::Builder::new().spawn_scoped(scope, work).expect("a thread");
        }
    });
    check_identity(std::slice::from_ref(&steady));
    assert_eq!(steady.spans().len(), 8 * 20, "shutting others down changed nothing here");
    assert!(steady.flush(Duration::from_secs(10)).ok);
}

#[test]
fn a_pool_of_threads_takes_the_context_over() {
    let tracer = memory(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
    let root = tracer.start_span("root");
    let context = Context::current();
    pool.install(|| {
        (0..200_u32).into_par_iter().for_each(|index| {
            let _context = context.clone().attach();
            tracer.start_span(format!("item {index}")).end();
        });
    });
    pool.broadcast(|_| assert_eq!(Context::current().span(), None));
    let root_id = root.context().expect("recording").span_id;
    drop(root);
    let spans = tracer.spans();
    let items = spans.iter().filter(|span| span.parent_span_id == Some(root_id));
    assert_eq!(items.map(|span| &span.name).collect::<BTreeSet<_>>().len(), 200);
}

#[test]
fn tasks_of_several_tracers_interleave_on_several_threads() {
    let tracers: Arc<Vec<_>> = Arc::new((0..4).map(memory).collect());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");
    let tasks: Vec<_> = (0..200_usize)
        .map(|index| {
            let tracers = tracers.clone();
            let span = tracers[index % 4].start(SpanOptions::new(format!("task {index}")));
            let work = async move {
                let (own, other) = (&tracers[index % 4], &tracers[(index + 1) % 4]);
                let project = own.identity().project.clone();
                for step in 0..5 {
                    assert!(aitrace::enrich_span(Enrich::new().metadata("of", &*project)));
                    let inner = other.start(SpanOptions::new(format!("of task {index}")));
                    let nested = async {
                        tokio::task::yield_now().await;
                        // The tracer of the task is still found through the other's span.
                        assert!(own.enrich_span(Enrich::new().metadata("of", &*project)));
                    };
                    if step == 4 {
                        // Dropped before it is done.
                        drop(nested.in_span(inner));
                    } else {
                        nested.in_span(inner).await;
                    }
                    tokio::task::yield_now().await;
                }
            };
            runtime.spawn(work.in_span(span))
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    check_identity(&tracers);
    let all: Vec<_> = tracers.iter().flat_map(Tracer::spans).collect();
    assert_eq!(all.len(), 200 * 6);
    let cancelled = all.iter().filter(|span| aitrace::testing::attribute(span, "aitrace.cancelled") == true);
    assert_eq!(cancelled.count(), 200);
    let names: BTreeMap<_, _> = all.iter().map(|span| (span.span_id, span.name.as_str())).collect();
    for span in all.iter().filter(|span| span.name.starts_with("of ")) {
        let parent = span.parent_span_id.expect("a parent");
        assert_eq!(format!("of {}", names[&parent]), span.name);
    }
}
