//! The context across threads and futures.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use aitrace::{Context, Enrich, InSpan as _, Parent, SpanOptions, Tracer, testing};

fn memory() -> Tracer {
    Tracer::builder().project("threads").target("memory").build()
}

fn spawn<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::Builder::new().name("test".into()).spawn(work).expect("a thread").join().expect("no panic")
}

#[test]
fn a_thread_has_no_context_unless_it_is_handed_over() {
    let tracer = memory();
    let root = tracer.start_span("root");
    let (one, two, context) = (tracer.clone(), tracer.clone(), Context::current());
    spawn(move || one.start_span("alone").end());
    spawn(move || {
        let _context = context.attach();
        two.start_span("child").end();
    });
    let trace = root.context().expect("recording");
    drop(root);
    let spans = tracer.spans();
    let find = |name: &str| spans.iter().find(|span| span.name == name).expect(name);
    assert_eq!(find("alone").parent_span_id, None);
    assert_ne!(find("alone").trace_id, trace.trace_id);
    assert_eq!(find("child").parent_span_id, Some(trace.span_id));
}

#[test]
fn a_handle_is_used_and_ended_by_other_threads() {
    let tracer = memory();
    let span = Arc::new(tracer.start(SpanOptions::new("shared")));
    let threads: Vec<_> = (0..8)
        .map(|index| {
            let span = span.clone();
            let work = move || span.set_attribute(format!("k{index}"), index);
            std::thread::Builder::new().name("test".into()).spawn(work).expect("a thread")
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let other = span.clone();
    spawn(move || other.end());
    assert!(!span.is_recording());
    span.set_attribute("late", 1);
    span.end();
    let spans = tracer.spans();
    assert_eq!(spans.len(), 1);
    let attributes = spans[0].attributes.to_value().expect("an object");
    assert!((0..8).all(|index| attributes[format!("k{index}")] == index), "{attributes}");
    assert!(attributes.get("late").is_none());
    assert!(attributes.get("aitrace.abandoned").is_none());
}

#[test]
fn spans_that_ended_in_a_thread_that_is_gone_are_not_lost() {
    let tracer = memory();
    for _ in 0..100 {
        let tracer = tracer.clone();
        spawn(move || tracer.start_span("short").end());
    }
    assert_eq!(tracer.spans().len(), 100);
    assert!(tracer.flush(std::time::Duration::from_secs(5)).ok);
}

#[test]
fn a_handle_that_is_dropped_unended_is_ended_and_marked() {
    let tracer = memory();
    drop(tracer.start(SpanOptions::new("forgotten")));
    let attributes = tracer.spans()[0].attributes.to_value().expect("an object");
    assert_eq!(attributes["aitrace.abandoned"], true);
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let tracer = memory();
    let outer = tracer.start_span("outer");
    let outer_id = outer.context().expect("recording");
    let first = tracer.start_span("first");
    let second = tracer.start_span("second");
    drop(first);
    let id = second.context().expect("recording").span_id;
    assert_eq!(Context::current().span().map(|span| span.span_id), Some(id));
    drop(second);
    assert_eq!(Context::current().span(), Some(outer_id));
    drop(outer);
    assert_eq!(Context::current().span(), None);
    assert_eq!(tracer.spans().len(), 3);
}

#[test]
fn a_panic_marks_the_span_and_passes_through() {
    let tracer = memory();
    let own = tracer.clone();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _span = own.start_span("fails");
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let span = &tracer.spans()[0];
    assert_eq!(span.status, Some(aitrace::Status::Error));
    assert_eq!(span.error.as_ref().map(|error| error.message.as_str()), Some("panicked"));
    assert_eq!(Context::current().span(), None);
}

#[test]
fn interleaved_futures_keep_their_spans_apart() {
    let tracer = memory();
    let task = |name: &'static str, first: usize| {
        let tracer = tracer.clone();
        let span = tracer.start(SpanOptions::new(name));
        async move {
            for step in 0..3 + first {
                tracer.enrich_span(Enrich::new().metadata(format!("step{step}"), name));
                tokio::task::yield_now().await;
                tracer.start_span(format!("{name}.{step}")).end();
            }
        }
        .in_span(span)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (one, two) = (task("one", 0), task("two", 1));
        futures_util::future::join(one, two).await;
        assert_eq!(Context::current().span(), None);
    });
    let spans = tracer.spans();
    assert_eq!(spans.len(), 9);
    for span in &spans {
        if let Some((parent, _)) = span.name.split_once('.') {
            let parent = spans.iter().find(|span| span.name == parent).expect("the task's span");
            assert_eq!(span.parent_span_id, Some(parent.span_id), "{}", span.name);
        } else {
            let metadata = span.metadata.as_ref().expect("enriched").to_string();
            assert_eq!(
                metadata.matches(&format!("\"{}\"", span.name)).count(),
                metadata.matches("step").count()
            );
        }
    }
}

#[test]
fn a_future_moves_between_threads_with_its_span() {
    let tracer = memory();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");
    let tasks: Vec<_> = (0..50)
        .map(|index| {
            let own = tracer.clone();
            let span = tracer.start(SpanOptions::new(format!("task{index}")).parent(Parent::Root));
            let work = async move {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                    own.start_span(format!("child{index}")).end();
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
    let spans = tracer.spans();
    assert_eq!(spans.len(), 50 * 11);
    for child in spans.iter().filter(|span| span.name.starts_with("child")) {
        let parent = spans.iter().find(|span| Some(span.span_id) == child.parent_span_id).expect("a parent");
        assert_eq!(parent.name.replace("task", "child"), child.name);
    }
}

#[test]
fn a_cancelled_future_ends_its_span() {
    let tracer = memory();
    let span = tracer.start(SpanOptions::new("cancelled"));
    drop(std::future::pending::<()>().in_span(span));
    let span = &tracer.spans()[0];
    assert_eq!(span.attributes.to_value().expect("an object")["aitrace.cancelled"], true);
}

/// Tells the names of what it is given.
#[derive(Debug)]
struct Names(std::sync::mpsc::SyncSender<String>);
impl aitrace::Exporter for Names {
    fn export(&self, batch: &aitrace::Batch) -> aitrace::Exported {
        for span in &batch.spans {
            self.0.send(span.name().to_owned()).expect("a receiver");
        }
        aitrace::Exported::Sent { rejected: 0 }
    }
}

#[test]
fn a_tracer_that_was_dropped_still_sends_what_is_open() {
    let (sender, receiver) = sync_channel(10);
    let tracer = Tracer::builder().exporter(Names(sender)).build();
    let open = tracer.start(SpanOptions::new("outlives its tracer"));
    tracer.start_span("ended").end();
    drop(tracer);
    assert_eq!(receiver.recv().expect("sent"), "ended");
    open.end();
    assert_eq!(receiver.recv().expect("sent"), "outlives its tracer");
    // The worker has let go of the exporter.
    assert!(receiver.recv().is_err());
}

#[test]
fn after_shutdown_nothing_is_recorded_and_nothing_fails() {
    let (tracer, _clock) = testing::tracer();
    let open = tracer.start(SpanOptions::new("open"));
    tracer.start_span("before").end();
    let result = tracer.shutdown(std::time::Duration::from_secs(5));
    assert!(result.ok, "{result:?}");
    assert_eq!(result.sent, 1);
    let again = tracer.shutdown(std::time::Duration::from_secs(5));
    assert_eq!((again.ok, again.sent), (true, 0));
    let span = tracer.start_span("after");
    span.set_attribute("k", 1);
    assert!(span.context().is_none() && !tracer.enrich_span(Enrich::new().metadata("k", 1)));
    drop(span);
    open.end();
    assert_eq!(testing::tree(&tracer.spans()), "before 0ns\n");
}

#[test]
fn a_shutdown_returns_when_the_exporter_has_shut_down() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, sync_channel};

    /// Takes as long to shut down as somebody else says.
    struct Slow(std::sync::Mutex<Receiver<()>>, Arc<AtomicBool>);
    impl aitrace::Exporter for Slow {
        fn export(&self, _: &aitrace::Batch) -> aitrace::Exported {
            aitrace::Exported::Sent { rejected: 0 }
        }
        fn shutdown(&self) {
            self.0.lock().expect("not poisoned").recv().unwrap_or_default();
            self.1.store(true, Ordering::SeqCst);
        }
    }

    let (go, gone) = sync_channel(0);
    let done = Arc::new(AtomicBool::new(false));
    let tracer = aitrace::Tracer::builder().exporter(Slow(gone.into(), done.clone())).build();
    drop(tracer.start_span("a"));
    let sent = move || go.send(()).expect("it waits");
    let other = std::thread::Builder::new().name("other".into()).spawn(sent).expect("a thread");
    assert!(tracer.shutdown(std::time::Duration::from_secs(10)).ok && done.load(Ordering::SeqCst));
    other.join().expect("no panic");

    // One that does not end is not waited for any longer than was asked for.
    let (_never, gone) = sync_channel(0);
    let tracer = aitrace::Tracer::builder().exporter(Slow(gone.into(), done)).build();
    drop(tracer.start_span("a"));
    let (result, took) = crate::network::timed(|| tracer.shutdown(std::time::Duration::from_millis(200)));
    assert!(result.ok && took < std::time::Duration::from_secs(5), "{took:?}");
}
