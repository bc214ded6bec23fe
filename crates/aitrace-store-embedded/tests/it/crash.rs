//! Kills a process that writes, again and again, and counts what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::SpanId;
use aitrace_store::conformance::{end, log, span_id, start, trace_id};
use aitrace_store::{
    Batch, PageRequest, ProjectScope, SqlLimits, SqlStore, SqlValue, TelemetryStore, TraceFilter,
};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options};

const MARK: &str = "crash-child";
const ROUNDS: u64 = 20;
const WRITERS: u64 = 3;
/// Each batch has so many spans, one of them open.
const SPANS: u64 = 8;
/// So many batches of a writer share a trace, so that traces straddle seals.
const SHARED: u64 = 5;

fn options() -> Options {
    Options { hot: HotLimits { rows: 40, ..HotLimits::default() }, ..Options::default() }
}

/// The batch `number`, derived from nothing else.
fn batch(number: u64) -> Batch {
    let trace = number / WRITERS / SHARED * WRITERS + number % WRITERS;
    let mut spans: Vec<_> = (1..SPANS).map(|index| end("p", trace, number * SPANS + index)).collect();
    spans.push(start("p", trace, number * SPANS));
    Batch { spans, logs: vec![log("p", Some(trace), &format!("log {number}"), 1)] }
}

/// The process that is killed: writes batches from where the journal ends, and each number to the
/// journal of its writer once it is acknowledged.
#[test]
#[ignore = "the child of `killed_writers_lose_nothing`; does nothing elsewhere"]
fn child() {
    if !Path::new(MARK).try_exists().expect("looks") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Arc::new(EmbeddedStore::open("store", options()).expect("opens"));
        let writers = (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&store), writer)));
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("writes until it is killed");
        }
    });
}

async fn write(store: Arc<EmbeddedStore>, writer: u64) {
    let name = format!("journal-{writer}");
    let known = std::fs::read_to_string(&name).map_or(0, |text| text.lines().count() as u64);
    let mut journal = File::options().create(true).append(true).open(&name).expect("opens");
    for number in (known..20_000).map(|number| number * WRITERS + writer) {
        store.append(batch(number)).await.expect("appends");
        if number % 7 == 0 {
            // Sent again: must not show twice.
            store.append(batch(number)).await.expect("appends");
        }
        // In one write: a kill must not part a number from its end.
        journal.write_all(format!("{number}\n").as_bytes()).expect("writes");
    }
}

#[test]
fn killed_writers_lose_nothing() {
    let dir = crate::place();
    File::create(dir.path().join(MARK)).expect("creates");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut seed, mut acknowledged) = (0x5EED_u64, 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["crash::child", "--exact", "--ignored", "--test-threads=1"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Some way into the round, wherever the process is then: in a commit, in a seal, in between.
        let goal = acknowledged + 5 + (seed >> 33) % 20;
        let reached = (0..30_000).find(|_| {
            std::thread::sleep(Duration::from_millis(1));
            journalled(dir.path()) >= goal
        });
        assert!(reached.is_some(), "round {round}: the writer does not get on");
        child.kill().expect("kills");
        child.wait().expect("is gone");
        acknowledged = runtime.block_on(check(dir.path(), round));
    }
}

/// Lines in all journals.
fn journalled(dir: &Path) -> u64 {
    let read = |writer| std::fs::read_to_string(dir.join(format!("journal-{writer}"))).unwrap_or_default();
    (0..WRITERS).map(|writer| read(writer).matches('\n').count() as u64).sum()
}

/// Acknowledged ⊆ stored ⊆ sent, each once, by every way of reading. Returns how many were acknowledged.
async fn check(dir: &Path, round: u64) -> u64 {
    let store = EmbeddedStore::open(dir.join("store"), options()).expect("opens after a kill");
    let seen = everything(&store).await;
    let mut acknowledged = 0;
    for writer in 0..WRITERS {
        let journal = std::fs::read_to_string(dir.join(format!("journal-{writer}"))).unwrap_or_default();
        // The last line may be cut.
        let whole = journal.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let numbers = whole.lines().map(|line| line.parse::<u64>().expect("a number"));
        for number in numbers {
            acknowledged += 1;
            for index in 0..SPANS {
                let id = span_id(number * SPANS + index);
                assert!(seen.contains(&id), "round {round}: batch {number} lacks span {index}");
            }
        }
    }
    let batches = seen.len() as u64 / SPANS;
    assert_eq!(seen.len() as u64 % SPANS, 0, "round {round}: a batch is stored whole or not at all");
    assert!(batches <= acknowledged + WRITERS * (round + 1), "round {round}: {batches} of {acknowledged}");
    let sql = "SELECT count(*) AS n, count(DISTINCT span_id) AS d FROM spans";
    let counted = store.sql(&ProjectScope::All, sql, &SqlLimits::default()).await.expect("counts");
    let number = SqlValue::Int(seen.len() as i64);
    assert_eq!(counted.rows, [[number.clone(), number]], "round {round}");
    acknowledged
}

async fn everything(store: &EmbeddedStore) -> BTreeSet<SpanId> {
    let (mut seen, mut traces) = (BTreeSet::new(), BTreeMap::new());
    let mut page = PageRequest { limit: 100, cursor: None };
    loop {
        let listed = store.list_traces(&TraceFilter::default(), &page).await.expect("lists");
        for line in listed.traces {
            assert!(traces.insert(line.trace_id, line.spans).is_none(), "{} is listed twice", line.trace_id);
        }
        page.cursor = listed.next;
        if page.cursor.is_none() {
            break;
        }
    }
    for (id, spans) in traces {
        let trace = store.trace(&ProjectScope::All, id).await.expect("reads").expect("is there");
        assert_eq!(trace.spans.len() as u64, spans, "list and trace agree on {id}");
        assert_eq!(trace.logs.len() as u64 * SPANS, spans);
        for stored in trace.spans {
            assert_eq!(stored.span.trace_id, id);
            let expected = match stored.span.end {
                Some(_) => end("p", 0, 0).outputs.is_some(),
                None => start("p", 0, 0).outputs.is_some(),
            };
            assert_eq!(stored.span.outputs.is_some(), expected);
            assert!(seen.insert(stored.span.span_id), "a span is stored twice");
        }
    }
    assert!(store.trace(&ProjectScope::All, trace_id(u64::MAX >> 8)).await.expect("reads").is_none());
    seen
}
