//! A forked child starts afresh. It may only do what is safe in a process with one thread.

use std::time::Duration;

use aitrace::{Context, SpanOptions, Tracer};

use crate::stub::Stub;

const WAIT: Duration = Duration::from_secs(20);
const CHILDREN: usize = 80;

/// Runs `work` in a forked child and waits for it; true when it returned true.
#[expect(unsafe_code, reason = "forks as the host program would")]
fn in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `work` and leaves by `_exit`, so nothing of the test harness runs twice. glibc
    // keeps its allocator usable in the child.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "forks");
        if child == 0 {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
            libc::_exit(i32::from(!done));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        status == 0
    }
}

#[test]
fn the_childs_spans_arrive_and_the_parents_are_not_sent_twice() {
    let stub = Stub::start([]);
    let tracer =
        Tracer::builder().project("fork").spool(false).target(&stub.url).tick(Duration::ZERO).build();
    // The worker runs, spans wait, a span is open: all of that is the parent's.
    tracer.start_span("first").end();
    assert!(tracer.flush(WAIT).ok);
    tracer.start_span("waiting").end();
    let open = tracer.start_span("open");
    let inherited = open.context();
    for _ in 0..5 {
        let own = &tracer;
        assert!(in_child(|| {
            own.start_span("of the child").end();
            open.set_attribute("from", "the child");
            let result = own.flush(WAIT);
            result.ok && result.sent == 1 && Context::current().span() == inherited
        }));
    }
    drop(open);
    assert!(tracer.flush(WAIT).ok);
    let spans = stub.spans();
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("first"), count("waiting"), count("open"), count("of the child")), (1, 1, 1, 5));
    let ids: std::collections::BTreeSet<_> = spans.iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), spans.len(), "ids of parent and children differ");
    let of_children = spans.iter().filter(|span| span.name == "of the child");
    assert!(of_children.into_iter().all(|span| span.parent_span_id == inherited.map(|ids| ids.span_id)));
    let open = spans.iter().find(|span| span.name == "open").expect("sent");
    assert!(!open.attributes.iter().any(|(key, _)| key == "from"));
}

#[test]
fn a_child_of_a_busy_parent_neither_hangs_nor_loses() {
    let stub = Stub::start([]);
    let tracer = Tracer::builder().project("fork").spool(false).target(&stub.url).build();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy: Vec<_> = (0..2)
        .map(|_| {
            let (tracer, stop) = (tracer.clone(), stop.clone());
            let work = move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    tracer.start(SpanOptions::new("noise")).end();
                    drop(Tracer::discover());
                }
            };
            std::thread::Builder::new().name("busy".into()).spawn(work).expect("a thread")
        })
        .collect();
    for _ in 0..30 {
        assert!(in_child(|| {
            let found = Tracer::discover().is_some();
            tracer.start_span("of the child").end();
            found && tracer.flush(WAIT).ok
        }));
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for thread in busy {
        thread.join().expect("no panic");
    }
    let children = stub.spans().into_iter().filter(|span| span.name == "of the child").count();
    assert_eq!(children, 30);
}

/// Threads that start and end hold a lock of the standard library's for a moment; forked in that moment, a child
/// finds it locked for ever.
#[test]
fn a_child_of_a_parent_whose_threads_come_and_go_gets_a_worker() {
    let stub = Stub::start([]);
    let tracer = Tracer::builder().project("fork").spool(false).target(&stub.url).build();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let thread = |work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name("comes".into()).spawn(work).expect("a thread")
    };
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            thread(Box::new(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    thread(Box::new(|| ())).join().expect("no panic");
                }
            }))
        })
        .collect();
    let children = (0..CHILDREN)
        .take_while(|_| {
            in_child(|| {
                tracer.start_span("of the child").end();
                tracer.flush(WAIT).ok
            })
        })
        .count();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for thread in busy {
        thread.join().expect("no panic");
    }
    assert_eq!(children, CHILDREN);
}
