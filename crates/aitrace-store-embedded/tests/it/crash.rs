//! Kills a process that writes, again and again, and counts what is left.
//!
//! The ledger: what a message holds follows from its number; each writer notes a number in its journal, outside of
//! the store, once it is acknowledged. After each kill: acknowledged ⊆ stored ⊆ sent, each once, every read agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use aitrace_model::{SpanId, Timestamp, TraceId};
use aitrace_store::conformance::{end, log, span_id, start, time, trace_id};
use aitrace_store::{
    Batch, PageRequest, ProjectScope, QueryStore, Retention, SqlLimits, SqlStore, SqlValue, StatisticsQuery,
    Target, TelemetryStore, TraceFilter, Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options, Step, Watch};

use crate::schema;

const MARK: &str = "crash-child";
/// Where the child is told to end itself: at the step of this number.
const PLAN: &str = "die-at";
/// Where the child says at which step it ended itself.
const DIED: &str = "died-at";
/// Where the child says what it is doing, by a letter of [`PHASES`], and whether it has come to what is wanted.
const DOING: &str = "doing";
/// In which of them it is to be killed: there it takes its time.
const WANTED: &str = "wanted";
const PHASES: [(u8, &str); 8] = [
    (b'o', "start-up"),
    (b'r', "replay"),
    (b'w', "writing"),
    (b's', "sealing"),
    (b'c', "merging"),
    (b't', "retention"),
    (b'd', "deletion"),
    (b'm', "migration"),
];
const WRITERS: u64 = 3;
/// Each batch has so many spans, one of them open.
const SPANS: u64 = 8;
/// So many batches of a writer share a trace, so that traces straddle seals.
const SHARED: u64 = 5;
/// Numbers of traces that are deleted or retired begin here.
const DOOMED: u64 = 1 << 40;
const YEAR: Duration = Duration::from_hours(8760);

fn options(watch: Watch) -> Options {
    let hot = HotLimits { rows: 60, open: 30, ..HotLimits::default() };
    // What is logged stands in files beside the database, but for what is logged anew.
    Options { hot, watch, purge: Duration::from_millis(50), apart: 0, ..Options::default() }
}

/// The batch `number`, derived from nothing else.
fn batch(number: u64) -> Batch {
    let trace = number / WRITERS / SHARED * WRITERS + number % WRITERS;
    let mut spans: Vec<_> = (1..SPANS).map(|index| end("p", trace, number * SPANS + index)).collect();
    spans.push(start("p", trace, number * SPANS));
    Batch { spans, logs: vec![log("p", Some(trace), &format!("log {number}"), 1)] }
}

/// A trace of a project of its own; an old one was received years ago.
fn doomed(project: &str, number: u64, old: bool) -> Batch {
    let mut spans = vec![end(project, DOOMED + number, 1), end(project, DOOMED + number, 2)];
    let received = if old { Timestamp::from_nanos(1_500_000_000_000_000_000) } else { time(0) };
    for span in &mut spans {
        span.received = received;
    }
    Batch { spans, logs: Vec::new() }
}

/// What a child is doing, in a file that outlives it.
struct Doing {
    file: File,
    now: AtomicU8,
    wanted: Option<u8>,
}

impl Doing {
    fn new() -> Self {
        let file = File::options().create(true).write(true).truncate(false).open(DOING).expect("opens");
        let wanted = std::fs::read(WANTED).ok().and_then(|letter| letter.first().copied());
        Self { file, now: AtomicU8::new(0), wanted }
    }

    fn begin(&self, phase: u8) {
        self.now.store(phase, Ordering::SeqCst);
        self.file.write_all_at(&[phase], 0).expect("writes");
        if self.wanted == Some(phase) {
            self.file.write_all_at(b"!", 1).expect("writes");
        }
    }

    fn step(&self, step: Step) {
        match step {
            Step::Open => self.begin(b'o'),
            Step::Migrate => self.begin(b'm'),
            Step::Replay => self.begin(b'r'),
            _ => {}
        }
        if self.wanted == Some(self.now.load(Ordering::SeqCst)) {
            // Most of the time is to lie between the steps of what is to be broken off.
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

/// The process that is killed: writes batches from where the journal ends, and each number to the journal of its
/// writer once it is acknowledged. Beside the writers one task seals, merges, deletes and retires.
#[test]
#[ignore = "the child of the tests below; does nothing elsewhere"]
fn child() {
    if !Path::new(MARK).try_exists().expect("looks") {
        return;
    }
    let plan = std::fs::read_to_string(PLAN).ok().and_then(|text| text.parse::<u64>().ok());
    let steps = AtomicU64::new(0);
    let doing = Arc::new(Doing::new());
    let told = Arc::clone(&doing);
    let watch = Watch::new(move |step| {
        told.step(step);
        if Some(steps.fetch_add(1, Ordering::SeqCst)) == plan {
            std::fs::write(DIED, format!("{step:?}")).expect("writes");
            // At once, without anything that a proper end would do.
            std::process::abort();
        }
        Ok(())
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Arc::new(EmbeddedStore::open("store", options(watch)).expect("opens"));
        doing.begin(b'w');
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            tasks.spawn(write(Arc::clone(&store), writer));
        }
        tasks.spawn(keep(store, doing));
        while let Some(task) = tasks.join_next().await {
            // One that fails must not be covered up by the others.
            task.expect("works until it is killed");
        }
    });
}

fn journal(name: &str) -> (u64, File) {
    let known = std::fs::read_to_string(name).map_or(0, |text| text.lines().count() as u64);
    (known, File::options().create(true).append(true).open(name).expect("opens"))
}

async fn write(store: Arc<EmbeddedStore>, writer: u64) {
    let (known, mut journal) = journal(&format!("journal-{writer}"));
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

async fn keep(store: Arc<EmbeddedStore>, doing: Arc<Doing>) {
    let (known, mut journal) = journal("journal-deleted");
    for number in known..20_000 {
        store.append(doomed("deleted", number, false)).await.expect("appends");
        store.append(doomed("retired", number, true)).await.expect("appends");
        if number % 2 == 0 {
            doing.begin(b's');
            store.seal().await.expect("seals");
        }
        doing.begin(b'd');
        let target = Target::Trace { project: "deleted".into(), trace_id: trace_id(DOOMED + number) };
        store.delete(target).await.expect("deletes");
        journal.write_all(format!("{number}\n").as_bytes()).expect("writes");
        if number % 3 == 0 {
            doing.begin(b'c');
            store.compact().await.expect("merges");
        }
        if number % 4 == 1 {
            doing.begin(b't');
            store.retain(Retention { max_age: Some(YEAR), max_size: None }).await.expect("retires");
        }
        doing.begin(b'w');
    }
}

/// How one round ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By a signal, once so many more batches are acknowledged.
    Signal(u64),
    /// By its own hand at this step.
    Step(u64),
}

struct Ledger {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    acknowledged: u64,
    rounds: u64,
    steps: BTreeMap<String, u64>,
}

impl Ledger {
    fn new() -> Self {
        let dir = crate::place();
        File::create(dir.path().join(MARK)).expect("creates");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        Self { dir, runtime, acknowledged: 0, rounds: 0, steps: BTreeMap::new() }
    }

    fn round(&mut self, end: End) {
        let (dir, round) = (self.dir.path(), self.rounds);
        let plan = if let End::Step(step) = end { step.to_string() } else { String::new() };
        std::fs::write(dir.join(PLAN), plan).expect("writes");
        drop(std::fs::remove_file(dir.join(DIED)));
        let mut child = start_child("crash::child", dir);
        let ended = (0..60_000).find(|_| {
            std::thread::sleep(Duration::from_millis(1));
            match end {
                // Some way into the round, wherever the process is then: in a commit, in a seal, in between.
                End::Signal(more) => journalled(dir) >= self.acknowledged + more,
                End::Step(_) => child.try_wait().expect("waits").is_some(),
            }
        });
        assert!(ended.is_some(), "round {round}, {end:?}: the process does not get on");
        drop(child.kill());
        let status = child.wait().expect("is gone");
        assert!(!status.success() && status.code().is_none(), "round {round}, {end:?}: {status}");
        if let Ok(step) = std::fs::read_to_string(dir.join(DIED)) {
            *self.steps.entry(step).or_default() += 1;
        }
        self.acknowledged = self.runtime.block_on(check(dir, round));
        self.rounds += 1;
    }

    /// Kills the process some time after it began what is wanted. Returns what it was doing then.
    fn hunt(&mut self, wanted: u8, after: Duration) -> u8 {
        let (dir, round) = (self.dir.path(), self.rounds);
        let died = hunt("crash::child", dir, wanted, after);
        self.acknowledged = self.runtime.block_on(check(dir, round));
        self.rounds += 1;
        died
    }
}

fn start_child(test: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args([test, "--exact", "--ignored", "--test-threads=1", "--nocapture"])
        .current_dir(dir)
        .stdout(Stdio::null())
        .spawn()
        .expect("starts")
}

fn hunt(test: &str, dir: &Path, wanted: u8, after: Duration) -> u8 {
    std::fs::write(dir.join(WANTED), [wanted]).expect("writes");
    std::fs::write(dir.join(DOING), "--").expect("writes");
    let mut child = start_child(test, dir);
    let doing = || std::fs::read(dir.join(DOING)).expect("reads");
    let starts = |phase| [b'o', b'r', b'm'].contains(&phase);
    let found = (0..600_000).any(|_| {
        std::thread::sleep(Duration::from_micros(100));
        let now = doing();
        // What belongs to a start does not come again.
        now[1] == b'!' || starts(wanted) && now[0] != b'-' && !starts(now[0])
    });
    std::thread::sleep(after);
    let alive = child.try_wait().expect("looks").is_none();
    child.kill().expect("is ours");
    child.wait().expect("is gone");
    assert!(found && alive, "wanted {}, alive: {alive}, doing {}", wanted as char, doing()[0] as char);
    doing()[0]
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Half of the rounds by signals, half at steps on disk: while opening, committing, sealing, merging, retiring.
fn kill(rounds: u64, seed: u64) -> Ledger {
    let (mut ledger, mut numbers) = (Ledger::new(), Numbers(seed));
    for round in 0..rounds {
        let end = match round % 4 {
            0 | 2 => End::Signal(5 + numbers.below(20)),
            // The first steps of a process are those of opening.
            1 => End::Step(numbers.below(60)),
            _ => End::Step(20 + numbers.below(400)),
        };
        ledger.round(end);
    }
    ledger
}

#[test]
fn killed_writers_lose_nothing() {
    let ledger = kill(12, 0x5EED);
    assert!(ledger.steps.len() >= 2, "{:?}", ledger.steps);
}

/// A process that only opens a directory of an older version.
#[test]
#[ignore = "the child of the test below; does nothing elsewhere"]
fn migrating_child() {
    if !Path::new(WANTED).try_exists().expect("looks") {
        return;
    }
    let doing = Arc::new(Doing::new());
    let told = Arc::clone(&doing);
    let watch = Watch::new(move |step| {
        told.step(step);
        Ok(())
    });
    let store = schema::open_watched(Path::new("store"), watch);
    doing.begin(b'w');
    std::thread::sleep(Duration::from_mins(1));
    drop(store);
}

/// Directories of each older version, opened by processes that are killed, then opened to the end. Returns what the
/// processes were doing.
fn kill_migrations(rounds: u64, numbers: &mut Numbers) -> Vec<u8> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let model = runtime.block_on(schema::model());
    let mut died = Vec::new();
    for round in 0..rounds {
        let dir = crate::place();
        let version = schema::OLDER[round as usize % schema::OLDER.len()];
        schema::copy_to(version, &dir.path().join("store"));
        // A process that is killed may be followed by another one that is.
        for _ in 0..=numbers.below(2) {
            let after = Duration::from_micros(numbers.below(12_000));
            died.push(hunt("crash::migrating_child", dir.path(), b'm', after));
        }
        runtime.block_on(async {
            let store = schema::open(&dir.path().join("store"));
            schema::same(&store, &model).await;
            assert!(store.health().await.expect("reads").is_good(), "round {round}");
        });
    }
    died
}

/// The long form: `cargo xtask soak`. Each kill is a `SIGKILL` at a random moment, most of them after the process said
/// that it began something.
#[test]
#[ignore = "takes minutes: `cargo xtask soak`"]
#[expect(clippy::print_stderr, reason = "says its figures")]
fn soak() {
    let (mut numbers, mut died, mut acknowledged, mut deleted) = (Numbers(1), Vec::new(), 0, 0);
    let phases: Vec<u8> = PHASES.iter().map(|(letter, _)| *letter).filter(|letter| *letter != b'm').collect();
    // A directory of its own for each few kills: what is compared after each of them stays small.
    for _ in 0..8 {
        let mut ledger = Ledger::new();
        for round in 0..3 * phases.len() {
            let after = Duration::from_micros(numbers.below(5_000));
            died.push(ledger.hunt(phases[round % phases.len()], after));
        }
        acknowledged += ledger.acknowledged;
        deleted += self::numbers(ledger.dir.path(), "deleted").len();
    }
    died.extend(kill_migrations(22, &mut numbers));
    let count = |phase: u8| died.iter().fold(0, |count, died| count + usize::from(*died == phase));
    let told: Vec<String> =
        PHASES.iter().map(|(letter, name)| format!("{name} {}", count(*letter))).collect();
    eprintln!(
        "{} kills ({}); {acknowledged} batches and {deleted} deletions acknowledged, none lost",
        died.len(),
        told.join(", ")
    );
    assert!(died.len() >= 200, "{}", died.len());
    for (letter, name) in PHASES {
        assert!(count(letter) >= 5, "hardly a kill during {name}: {told:?}");
    }
}

/// Lines in all journals of writers.
fn journalled(dir: &Path) -> u64 {
    let read = |writer| std::fs::read_to_string(dir.join(format!("journal-{writer}"))).unwrap_or_default();
    (0..WRITERS).map(|writer| read(writer).matches('\n').count() as u64).sum()
}

/// The numbers in a journal. The last line may be cut.
fn numbers(dir: &Path, name: &str) -> Vec<u64> {
    let journal = std::fs::read_to_string(dir.join(format!("journal-{name}"))).unwrap_or_default();
    let whole = journal.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.parse().expect("a number")).collect()
}

/// Returns how many batches were acknowledged.
async fn check(dir: &Path, round: u64) -> u64 {
    let store =
        EmbeddedStore::open(dir.join("store"), options(Watch::default())).expect("opens after a kill");
    let (seen, ended) = everything(&store).await;
    let mut acknowledged = 0;
    for writer in 0..WRITERS {
        for number in numbers(dir, &writer.to_string()) {
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
    let scope = ProjectScope::One("p".into());
    let sql = "SELECT count(*) AS n, count(DISTINCT span_id) AS d FROM spans";
    let counted = store.sql(&scope, sql, &SqlLimits::default()).await.expect("counts");
    let number = SqlValue::Int(seen.len() as i64);
    assert_eq!(counted.rows, [[number.clone(), number]], "round {round}");
    let mut query = StatisticsQuery::new(time(-1), time(1 << 30));
    query.scope = scope;
    let rows = store.statistics(&query).await.expect("counts").rows;
    assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), ended, "round {round}: statistics");
    for number in numbers(dir, "deleted") {
        let scope = ProjectScope::One("deleted".into());
        let gone = store.trace(&scope, trace_id(DOOMED + number)).await.expect("reads");
        assert!(gone.is_none(), "round {round}: {number} was deleted");
    }
    let health = store.health().await.expect("reads");
    assert!(health.is_good(), "round {round}: {health:?}");
    acknowledged
}

/// Ids of all spans that are to stay, and how many of them have ended.
async fn everything(store: &EmbeddedStore) -> (BTreeSet<SpanId>, u64) {
    let mut traces: BTreeMap<(String, TraceId), u64> = BTreeMap::new();
    let mut page = PageRequest { limit: 100, cursor: None };
    loop {
        let listed = store.list_traces(&TraceFilter::default(), &page).await.expect("lists");
        for line in listed.traces {
            let known = traces.insert((line.project, line.trace_id), line.spans);
            assert!(known.is_none(), "{} is listed twice", line.trace_id);
        }
        page.cursor = listed.next;
        if page.cursor.is_none() {
            break;
        }
    }
    let (mut seen, mut ended) = (BTreeSet::new(), 0);
    for ((project, id), spans) in traces {
        let scope = ProjectScope::One(project.clone());
        let trace = store.trace(&scope, id).await.expect("reads").expect("is there");
        assert_eq!(trace.spans.len() as u64, spans, "list and trace agree on {id}");
        if project != "p" {
            assert_eq!(spans, 2, "a batch is stored whole or not at all");
            continue;
        }
        assert_eq!(trace.logs.len() as u64 * SPANS, spans);
        for stored in trace.spans {
            let span = stored.span;
            let number = u64::from_be_bytes(span.span_id.to_bytes()) - 1;
            let trace = (u128::from_be_bytes(id.to_bytes()) >> 64) as u64;
            let sent = if span.end.is_some() { end("p", trace, number) } else { start("p", trace, number) };
            assert_eq!(span, sent, "as it was sent");
            ended += u64::from(span.end.is_some());
            assert!(seen.insert(span.span_id), "a span is stored twice");
        }
    }
    assert!(store.trace(&ProjectScope::All, trace_id(u64::MAX >> 8)).await.expect("reads").is_none());
    (seen, ended)
}
