//! Questions that look at everything keep to the memory that they are given: what is allocated is what was taken.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aitrace_store::conformance::{end, time, trace_id};
use aitrace_store::{
    self as store, Batch, Dimension, ErrorKind, ExportFormat as _, FixedRoom, PageRequest, ProjectScope,
    QueryStore, Result, Room, StatisticsQuery, TelemetryStore, TraceFilter,
};
use aitrace_store_embedded::{EmbeddedStore, Options, ParquetExport};

use crate::MEMORY;
use crate::room::{Endless, MIB, filled, filled_store};

/// What may be allocated beyond what was taken: footers of files, pointers to rows.
const BESIDE: usize = MIB;
/// What a question may take that needs little.
const LITTLE: usize = 4 * MIB;

/// Many small spans of few names and many sessions, in two files.
async fn small_store(place: &Path) -> EmbeddedStore {
    let store = EmbeddedStore::open(place, Options::default()).expect("opens");
    for from in (0..60_000_u64).step_by(5000) {
        let one = |id: u64| {
            let mut span = end("p", id / 50, id);
            (span.inputs, span.outputs) = (None, None);
            (span.name, span.session_id) = (format!("name {}", id % 40), Some(format!("session {}", id / 2)));
            span.end = Some(span.start.saturating_add((id % 60 * id % 60 + 1) as i64 * 1_000_000));
            span
        };
        store
            .append(Batch { spans: (from..from + 5000).map(one).collect(), logs: Vec::new() })
            .await
            .expect("appends");
        if from % 30_000 == 25_000 {
            store.seal().await.expect("seals");
        }
    }
    store
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Statistics(&'static str, Option<Dimension>),
    List(&'static str),
    Search(&'static str),
    Export,
}
use Asked::{Export, List, Search, Statistics};

/// Questions, and whether spans are many and small, else few and large.
const QUESTIONS: [(&str, bool, Asked); 10] = [
    ("sums", true, Statistics("", Some(Dimension::Name))),
    ("sessions", true, Statistics("", Some(Dimension::Session))),
    ("columns", true, Statistics("input_tokens>1", Some(Dimension::Name))),
    ("contents", false, Statistics("inputs:0f0f", None)),
    ("attributes", false, Statistics("attributes:0f0f OR 0f0f0f", Some(Dimension::Name))),
    ("list-error", true, List("kind:llm -error:*")),
    ("list-contents", false, List("attributes:0f0f OR outputs:0f0f")),
    ("search", false, Search("0f0f")),
    ("export", false, Export),
    ("search-filter", false, Search("0f0f inputs:0f0f")),
];

/// Asks; how much is answered, and bytes that stay taken for the answer.
async fn ask(store: &EmbeddedStore, asked: Asked, room: Arc<dyn Room>) -> Result<(u64, usize)> {
    match asked {
        Statistics(filter, by) => {
            let answer = store.statistics(&query(filter, by, room)).await?;
            Ok((counted(&answer), answer.rows.len() * 512))
        }
        List(filter) => {
            let filter = TraceFilter { filter: filter.parse().expect("a filter"), ..TraceFilter::default() };
            let page = store.list_traces_within(&filter, &PageRequest::default(), room).await?;
            Ok((page.traces.len() as u64, 0))
        }
        Export => {
            room.take(ParquetExport.gathered())?;
            let (mut writer, mut bytes) = (ParquetExport.writer(), 0);
            for number in 0..20 {
                let (all, id) = (ProjectScope::All, trace_id(number));
                let size = 2 * store.extent(&all, id).await?.expect("there").bytes;
                room.take(size)?;
                let trace = store.trace(&all, id).await?.expect("there");
                writer.trace(&trace)?;
                bytes += writer.take().len();
                drop(trace);
                room.give_back(size);
            }
            writer.finish()?;
            room.give_back(ParquetExport.gathered());
            Ok(((bytes + writer.take().len()) as u64, 0))
        }
        Search(text) => {
            let filter = text.parse().expect("a filter");
            let (sender, mut hits) = tokio::sync::mpsc::channel(1);
            let search = store::Search { room, ..store::Search::of(&filter) };
            let count = async {
                let mut count = 0;
                while hits.recv().await.is_some() {
                    count += 1;
                }
                count
            };
            let (searched, count) = tokio::join!(store.search(&search, sender), count);
            searched.map(|_| (count, 0))
        }
    }
}

fn query(filter: &str, by: Option<Dimension>, room: Arc<dyn Room>) -> StatisticsQuery {
    let filter = filter.parse().expect("a filter");
    StatisticsQuery { filter, by, room, groups: 1000, ..StatisticsQuery::new(time(-1), time(1 << 20)) }
}

fn counted(answer: &store::Statistics) -> u64 {
    answer.rows.iter().map(|row| row.count).sum()
}

/// Asks one in a process of its own, whose memory is its own: the name of the folder says which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below; does nothing elsewhere"]
async fn child() {
    let place = std::env::current_dir().expect("a folder");
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((_, small, asked)) = QUESTIONS.iter().find(|(kind, ..)| name == format!("question-{kind}"))
    else {
        return;
    };
    let dir = place.join("store");
    let store = if *small { small_store(&dir).await } else { filled_store(&dir, true).await };
    // What was sealed is freed beside the writer: opened anew nothing of it is left.
    store.shutdown().await.expect("closes");
    drop(store);
    let store = EmbeddedStore::open(&dir, Options::default()).expect("opens");
    let room = Arc::new(Endless::default());
    // The first one fills caches.
    drop(store.statistics(&query("", None, room.clone())).await.expect("counts"));
    room.give_back(room.taken());
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let (answered, stays) = ask(&store, *asked, room.clone()).await.expect("is answered");
    let is = MEMORY.peak_usage().saturating_sub(before);
    assert!(answered > 0);
    assert!(room.taken() <= stays, "given back, but for the answer");
    std::fs::write("room", format!("{is} {}", room.most.load(Ordering::SeqCst))).expect("writes");
}

#[test]
#[expect(clippy::print_stderr, reason = "says its figures")]
fn what_a_question_allocates_it_has_taken() {
    let place = crate::place();
    for (kind, ..) in QUESTIONS {
        let folder = place.path().join(format!("question-{kind}"));
        std::fs::create_dir(&folder).expect("creates");
        let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
        let command = command.args(["--exact", "question::child", "--ignored"]).current_dir(&folder);
        let done = command.output().expect("runs");
        assert!(done.status.success(), "{kind}: {}", String::from_utf8_lossy(&done.stdout));
        let text = std::fs::read_to_string(folder.join("room")).expect("it ran");
        let (is, taken) = text.split_once(' ').expect("two figures");
        let number = |text: &str| text.parse::<usize>().expect("a number");
        let (is, taken) = (number(is), number(taken));
        eprintln!("{kind}: {} KiB allocated, {} taken", is >> 10, taken >> 10);
        assert!(is <= taken + BESIDE, "{kind}: {is} bytes, {taken} taken");
        assert!(taken <= 64 * MIB, "{kind}: {taken} taken");
        assert!(kind != "sums" || taken <= LITTLE, "sums take little, not {taken}");
        std::fs::remove_dir_all(folder).expect("removes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    for from in [0, 200] {
        let spans = (from..from + 200).map(filled).collect();
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
        store.seal().await.expect("seals");
    }
    store.append(Batch { spans: (400..600).map(filled).collect(), logs: Vec::new() }).await.expect("appends");
    for asked in [
        Statistics("", Some(Dimension::Name)),
        Statistics("", Some(Dimension::Session)),
        Statistics("inputs:0f", None),
        Statistics("0f0f", Some(Dimension::Kind)),
        List("inputs:0f"),
        List("kind:llm"),
        Search("0f0f"),
    ] {
        let mut answered = 0;
        let sizes = [1, MIB / 8, 2 * MIB, 8 * MIB, 64 * MIB];
        for size in sizes {
            let room = Arc::new(FixedRoom::new(size));
            match ask(&store, asked, room.clone()).await {
                Ok((count, stays)) => {
                    answered += 1;
                    assert!(count > 0, "{asked:?}");
                    assert!(
                        (stays / 5..=stays).contains(&room.taken()),
                        "the answer stays taken: {}",
                        room.taken()
                    );
                }
                Err(error) => {
                    assert_eq!(
                        (error.kind(), answered),
                        (ErrorKind::Overloaded, 0),
                        "{size} {asked:?}: {error}"
                    );
                    assert!(error.to_string().contains("MiB"), "it names the bound: {error}");
                    assert_eq!(room.taken(), 0, "{size} {asked:?}");
                }
            }
        }
        assert!((1..sizes.len()).contains(&answered), "{answered} {asked:?}");
    }
}
