//! Memory of statements and of whole traces: one allowance, whoever asks for how much, while data is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use aitrace_store::{
    ProjectScope, Result, SqlColumn, SqlLimits, SqlRows, SqlStore, SqlValue, SqlView, Taken,
};
use async_trait::async_trait;

use crate::rig::Rig;
use crate::samples::{NDJSON, log, span, trace_id};

const MIB: usize = 1 << 20;

/// A store whose statements say how many MiB they take for their work, and how many for their answer.
#[derive(Debug, Default)]
struct Greedy {
    running: AtomicUsize,
    most_running: AtomicUsize,
    taken: AtomicUsize,
    most_taken: AtomicUsize,
}

impl Greedy {
    fn take(&self, room: &mut Taken, bytes: usize) -> Result<()> {
        room.grow(bytes)?;
        let taken = self.taken.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.most_taken.fetch_max(taken, Ordering::SeqCst);
        Ok(())
    }
}

/// Counts down what a statement took, however it ends.
struct Ends<'a>(&'a Greedy, usize);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.taken.fetch_sub(self.1, Ordering::SeqCst);
    }
}

/// Ends the others when this one ends, also by a failure.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl SqlStore for Greedy {
    async fn sql(&self, _: &ProjectScope, sql: &str, limits: &SqlLimits) -> Result<SqlRows> {
        let mut numbers = sql.split(' ').map(|word| word.parse::<usize>().expect("a number"));
        let (work, answer) = (numbers.next().expect("work"), numbers.next().expect("answer"));
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        // Of earlier declared ones, which go last: what was taken is counted down before the room has it back.
        let mut room = Taken::nothing(limits.room.clone());
        let mut ends = Ends(self, 0);
        for _ in 0..work {
            self.take(&mut room, MIB)?;
            ends.1 += MIB;
            tokio::task::yield_now().await;
        }
        let mut kept = Taken::nothing(limits.room.clone());
        kept.grow(answer * MIB)?;
        kept.leave();
        let columns = vec![SqlColumn { name: "text".to_owned(), kind: "text" }];
        let rows = (0..answer).map(|_| vec![SqlValue::Text("x".repeat(MIB))]).collect();
        Ok(SqlRows { columns, rows, truncated: false })
    }

    fn views(&self) -> Vec<SqlView> {
        Vec::new()
    }
}

/// 42 MiB for large reads and 6 for small ones; a statement takes up to 32 and is sure of 8.
fn greedy() -> (Rig, Arc<Greedy>) {
    let store = Arc::new(Greedy::default());
    let sql = store.clone();
    let rig = Rig::of(
        |options| {
            let limits = &mut options.limits;
            (limits.read_bytes, limits.sql_memory, limits.sql_share) = (48 * MIB, 32 * MIB, 8 * MIB);
            // Enough for a machine that is busy with other things.
            limits.read_wait = Duration::from_mins(2);
        },
        |stores| stores.sql = Some(sql),
    );
    (rig, store)
}

fn ask(rig: &Rig, work: usize, answer: usize) -> crate::http::Answer {
    rig.post_json("/api/sql", &format!(r#"{{"sql":"{work} {answer}"}}"#))
}

fn reading(rig: &Rig) -> u64 {
    let text = rig.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix("aitrace_read_memory_bytes "));
    line.expect("is told").parse().expect("a number")
}

#[test]
fn many_statements_and_traces_stay_within_the_allowance_and_data_is_taken_meanwhile() {
    let (rig, store) = greedy();
    let contents = "word ".repeat(40_000);
    let records: Vec<String> =
        (1..=20).map(|own| span("end", 1, own, 0, &format!(r#"{{"inputs":"{own} {contents}"}}"#))).collect();
    assert_eq!(rig.post("/api/ingest", NDJSON, records.join("\n")).status, 200);
    let trace = format!("/api/trace/{}", trace_id(1));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Over(&over);
        let taking = scope.spawn(|| {
            let mut taken = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(rig.post_json("/api/ingest", &log(&format!("e{taken}"))).status, 200);
                taken += 1;
            }
            taken
        });
        let asking: Vec<_> = (0..12_usize)
            .map(|number| {
                let (rig, trace) = (&rig, &trace);
                scope.spawn(move || {
                    for _ in 0..4 {
                        if number % 3 == 0 {
                            let whole = rig.get(trace);
                            assert_eq!((whole.status, whole.body.len() > 3 * MIB), (200, true));
                            continue;
                        }
                        // What it is sure of, answer and all.
                        let answer = ask(rig, number % 5, number % 4);
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        assert_eq!(answer.json()["rows"].as_array().map(Vec::len), Some(number % 4));
                    }
                })
            })
            .collect();
        for one in asking {
            one.join().expect("fares well");
        }
        drop(ends);
        assert!(taking.join().expect("is never refused") > 0);
    });
    assert_eq!(store.most_running.load(Ordering::SeqCst), 2);
    let most = store.most_taken.load(Ordering::SeqCst);
    assert!((4 * MIB..=16 * MIB).contains(&most), "{most}");
    assert_eq!(reading(&rig), 0, "all of it is given back");
}

#[test]
fn a_statement_that_needs_too_much_is_told_so_and_costs_nobody_else_anything() {
    let (rig, _) = greedy();
    for (work, answer) in [(33, 0), (1, 32), (1000, 1000)] {
        let refused = ask(&rig, work, answer);
        assert_eq!((refused.status, refused.kind().as_str()), (429, "overloaded"), "{work} {answer}");
        assert!(refused.header("retry-after").is_some());
        assert!(refused.text().contains("32 MiB"), "it names the bound: {}", refused.text());
        assert_eq!(reading(&rig), 0);
    }
    let answer = ask(&rig, 24, 8);
    assert_eq!((answer.status, answer.json()["rows"][7][0].as_str().map(str::len)), (200, Some(MIB)));
}

/// Spans of so many names.
fn named(rig: &Rig, names: u64) {
    let one = |own: u64| {
        format!(
            r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00.000001Z","event":"step {own}.end","trace_id":"{}","span_id":"{own:016x}","lifecycle":"end","version":"2.1","id":"{own}","duration_ns":{own}}}}}"#,
            trace_id(1)
        )
    };
    let records: Vec<String> = (1..=names).map(one).collect();
    for records in records.chunks(5000) {
        assert_eq!(rig.post("/api/ingest", NDJSON, records.join("\n")).status, 200);
    }
}

const GROUPED: &str =
    "/api/stats?since=2020-01-01T00:00:00Z&until=2040-01-01T00:00:00Z&bucket=none&by=name&groups=3";

#[test]
fn statistics_take_of_the_allowance_one_after_the_other() {
    let (rig, _) = greedy();
    named(&rig, 15_000);
    thread::scope(|scope| {
        for number in 0..12_usize {
            let rig = &rig;
            scope.spawn(move || {
                for _ in 0..2 {
                    if number % 3 == 0 {
                        assert_eq!(ask(rig, 8, 0).status, 200);
                        continue;
                    }
                    let answer = rig.get(GROUPED);
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert_eq!(answer.json()["groups_left_out"], 14_997);
                }
            });
        }
    });
    assert_eq!(reading(&rig), 0, "all of it is given back");
}

#[test]
fn statistics_that_need_too_much_are_told_so() {
    let rig = Rig::limited(|limits| {
        (limits.sql_memory, limits.sql_share) = (5 * MIB, 5 * MIB);
        limits.read_wait = Duration::from_mins(2);
    });
    named(&rig, 15_000);
    let refused = rig.get(GROUPED);
    assert_eq!((refused.status, refused.kind().as_str()), (429, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    let text = refused.text();
    assert!(text.contains("5 MiB") && text.contains("narrow it"), "it names the bound and the way: {text}");
    assert_eq!(reading(&rig), 0);
    let all = rig.get(&GROUPED.replace("&by=name", ""));
    assert_eq!((all.status, &all.json()["rows"][0]["count"]), (200, &serde_json::json!(15_000)));
    assert_eq!(rig.get(&GROUPED.replace("by=name", "by=kind")).status, 200);
    assert_eq!(reading(&rig), 0);
}

#[test]
fn a_trace_larger_than_the_allowance_is_read_as_a_whole() {
    let rig = Rig::limited(|limits| {
        (limits.read_bytes, limits.read_wait) = (2 * MIB, Duration::from_mins(2));
    });
    let contents = "word ".repeat(60_000);
    let records: Vec<String> =
        (1..=20).map(|own| span("end", 1, own, 0, &format!(r#"{{"inputs":"{own} {contents}"}}"#))).collect();
    assert_eq!(rig.post("/api/ingest", NDJSON, records.join("\n")).status, 200);
    thread::scope(|scope| {
        let targets = [
            format!("/api/trace/{}", trace_id(1)),
            format!("/api/trace/{}/skeleton", trace_id(1)),
            format!("/api/span/{}/{}", trace_id(1), crate::samples::span_id(7)),
            "/api/export?format=jsonl".to_owned(),
        ];
        for (target, least) in targets.into_iter().zip([5 * MIB, 1000, 300_000, 5 * MIB]) {
            for _ in 0..2 {
                let (rig, target) = (&rig, target.clone());
                scope.spawn(move || {
                    let answer = rig.get(&target);
                    assert_eq!((answer.status, answer.body.len() >= least), (200, true), "{target}");
                });
            }
        }
    });
    assert_eq!(reading(&rig), 0);
}
