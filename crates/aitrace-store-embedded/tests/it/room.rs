//! Statements keep to the memory that they are given: what is allocated is what was taken.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aitrace_model::{Json, Span};
use aitrace_store::conformance::end;
use aitrace_store::{
    Batch, ErrorKind, FixedRoom, ProjectScope, QueryStore, Room, SqlLimits, SqlStore, TelemetryStore,
};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options};

use crate::MEMORY;

pub(crate) const MIB: usize = 1 << 20;
/// Spans of a store, and bytes of the contents of each.
const SPANS: u64 = 2000;
const LENGTH: usize = 30_000;
/// What may be allocated beyond what was taken: the plan, footers of files, what threads keep.
const BESIDE: usize = 24 * MIB;

/// Room without an end that knows how much of it was ever taken.
#[derive(Debug, Default)]
pub(crate) struct Endless {
    taken: AtomicUsize,
    pub(crate) most: AtomicUsize,
}

impl Endless {
    /// What is taken now, bytes.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Room for Endless {
    fn take(&self, bytes: usize) -> aitrace_store::Result<()> {
        self.take_anyway(bytes);
        Ok(())
    }

    fn take_anyway(&self, bytes: usize) {
        let taken = self.taken.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.most.fetch_max(taken, Ordering::SeqCst);
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::SeqCst);
    }
}

/// A span of a text that does not repeat itself.
pub(crate) fn filled(id: u64) -> Span {
    let mut span = end("p", id / 100, id);
    let mut state = id + 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x} ", state >> 40)
    };
    let mut text = String::with_capacity(LENGTH + 8);
    while text.len() < LENGTH {
        text.push_str(&word());
    }
    span.inputs = Some(Json::string(&text));
    span.attributes = Json::object([("input.value", &Json::string(&text)), ("id", &Json::string(&word()))]);
    span
}

pub(crate) async fn filled_store(place: &Path, sealed: bool) -> EmbeddedStore {
    let hot = HotLimits { bytes: usize::MAX, ..HotLimits::default() };
    let store = EmbeddedStore::open(place, Options { hot, ..Options::default() }).expect("opens");
    for from in (0..SPANS).step_by(100) {
        let spans = (from..from + 100).map(filled).collect();
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
        if sealed && from % 1000 == 900 {
            store.seal().await.expect("seals");
        }
    }
    store
}

/// Statements, and whether spans are in files.
const STATEMENTS: [(&str, bool, &str); 5] = [
    ("scan", true, "SELECT max(length(attributes)), count(*) FROM spans WHERE inputs LIKE '%0f%'"),
    ("sort", true, "SELECT span_id, inputs FROM spans ORDER BY inputs DESC LIMIT 500"),
    ("group", true, "SELECT left(inputs, 8000) AS g, count(*) AS n FROM spans GROUP BY g ORDER BY n LIMIT 5"),
    ("answer", true, "SELECT inputs FROM spans LIMIT 1500"),
    ("hot", false, "SELECT max(length(attributes)) FROM spans WHERE inputs LIKE '%0f%'"),
];

/// Runs one in a process of its own, whose memory is its own: the name of the folder says which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below; does nothing elsewhere"]
async fn child() {
    let place = std::env::current_dir().expect("a folder");
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((_, sealed, sql)) = STATEMENTS.iter().find(|(kind, ..)| name == format!("room-{kind}")) else {
        return;
    };
    let store = filled_store(&place.join("store"), *sealed).await;
    let room = Arc::new(Endless::default());
    let ask = async |sql: &str| {
        let limits = SqlLimits { room: room.clone(), ..SqlLimits::default() };
        store.sql(&ProjectScope::All, sql, &limits).await.expect("is answered")
    };
    // The first one fills caches.
    drop(ask("SELECT count(*) FROM spans").await);
    assert_eq!(room.taken.load(Ordering::SeqCst) / MIB, 0, "given back, but for the answer");
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let answer = ask(sql).await;
    let is = MEMORY.peak_usage().saturating_sub(before);
    assert!(!answer.rows.is_empty());
    std::fs::write("room", format!("{is} {}", room.most.load(Ordering::SeqCst))).expect("writes");
}

#[test]
#[expect(clippy::print_stderr, reason = "says its figures")]
fn what_a_statement_allocates_it_has_taken() {
    let place = crate::place();
    for (kind, ..) in STATEMENTS {
        let folder = place.path().join(format!("room-{kind}"));
        std::fs::create_dir(&folder).expect("creates");
        let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
        let command = command.args(["--exact", "room::child", "--ignored"]).current_dir(&folder);
        let done = command.output().expect("runs");
        assert!(done.status.success(), "{kind}: {}", String::from_utf8_lossy(&done.stdout));
        let text = std::fs::read_to_string(folder.join("room")).expect("it ran");
        let (is, taken) = text.split_once(' ').expect("two figures");
        let number = |text: &str| text.parse::<usize>().expect("a number");
        let (is, taken) = (number(is), number(taken));
        eprintln!("{kind}: {} MiB allocated, {} taken", is / MIB, taken / MIB);
        assert!(is <= taken + BESIDE, "{kind}: {is} bytes, {taken} taken");
        assert!(taken <= 96 * MIB, "{kind}: {taken} taken");
        std::fs::remove_dir_all(folder).expect("removes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_by_its_bound_and_leaves_nothing_behind() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    for from in [0, 200] {
        let spans = (from..from + 200).map(filled).collect();
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
        store.seal().await.expect("seals");
    }
    store.append(Batch { spans: (400..600).map(filled).collect(), logs: Vec::new() }).await.expect("appends");
    let sizes = [1, 4 * MIB, 16 * MIB, 24 * MIB, 160 * MIB];
    for sql in [
        "SELECT inputs FROM spans",
        "SELECT inputs FROM spans ORDER BY inputs",
        "SELECT inputs, count(*) FROM spans GROUP BY inputs",
        "SELECT count(*) FROM spans a JOIN spans b ON a.inputs = b.inputs",
        "SELECT name, count(*) FROM spans GROUP BY name",
        "SELECT * FROM traces",
    ] {
        let mut answered = 0;
        for size in sizes {
            let room = Arc::new(FixedRoom::new(size));
            let limits = SqlLimits { room: room.clone(), ..SqlLimits::default() };
            match store.sql(&ProjectScope::All, sql, &limits).await {
                Ok(answer) => {
                    answered += 1;
                    let cells = answer.rows.len() * answer.columns.len();
                    assert!(room.taken() >= cells * 32, "the answer stays taken: {sql}");
                }
                Err(error) => {
                    assert_eq!((error.kind(), answered), (ErrorKind::Overloaded, 0), "{size} {sql}: {error}");
                    assert!(error.to_string().contains("MiB"), "it names the bound: {error}");
                    // Steps that run beside it end a little later.
                    let given_back = async {
                        while room.taken() > 0 {
                            tokio::task::yield_now().await;
                        }
                    };
                    let wait = tokio::time::timeout(std::time::Duration::from_mins(1), given_back);
                    wait.await.unwrap_or_else(|_| panic!("{size} {sql}: {} left", room.taken()));
                }
            }
        }
        assert!((1..sizes.len()).contains(&answered), "{answered} {sql}");
    }
    let repeat = store.sql(&ProjectScope::All, "SELECT repeat('x', 2000000000)", &SqlLimits::default()).await;
    assert_eq!(repeat.expect_err("is not there").kind(), ErrorKind::Invalid);
}

/// A trace is said to be as large as reading it allocates, within a factor.
#[tokio::test]
#[ignore = "the child of the test below; does nothing elsewhere"]
async fn reader() {
    let place = std::env::current_dir().expect("a folder");
    if !place.ends_with("room-trace") {
        return;
    }
    let store = EmbeddedStore::open(place.join("store"), Options::default()).expect("opens");
    for from in (0..2000_u64).step_by(200) {
        let one = |id| {
            let mut span = filled(id);
            span.trace_id = aitrace_store::conformance::trace_id(1);
            span
        };
        let spans = (from..from + 200).map(one).collect();
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
        store.seal().await.expect("seals");
    }
    let (all, id) = (ProjectScope::All, aitrace_store::conformance::trace_id(1));
    let said = store.extent(&all, id).await.expect("reads").expect("there");
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let trace = store.trace(&all, id).await.expect("reads").expect("there");
    let is = MEMORY.peak_usage().saturating_sub(before);
    assert_eq!(trace.spans.len() as u64, said.spans);
    std::fs::write("room", format!("{is} {}", said.bytes)).expect("writes");
}

#[test]
#[expect(clippy::print_stderr, reason = "says its figures")]
fn a_trace_takes_what_was_said_before() {
    let place = crate::place();
    let folder = place.path().join("room-trace");
    std::fs::create_dir(&folder).expect("creates");
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    let command = command.args(["--exact", "room::reader", "--ignored"]).current_dir(&folder);
    let done = command.output().expect("runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let text = std::fs::read_to_string(folder.join("room")).expect("it ran");
    let (is, said) = text.split_once(' ').expect("two figures");
    let ratio = said.parse::<f64>().expect("a number") / is.parse::<f64>().expect("a number");
    eprintln!("a trace of {is} bytes was said to take {said}: {ratio:.2}");
    assert!((0.8..2.0).contains(&ratio), "{is} {said}");
}
