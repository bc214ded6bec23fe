//! What the store says that it holds in memory is what it holds: the server refuses by it.

use std::process::Command;

use aitrace_model::{Json, Span};
use aitrace_store::conformance::{end, log, start};
use aitrace_store::{Batch, TelemetryStore};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options};

use crate::MEMORY;

/// Kinds of what is appended.
const KINDS: [&str; 5] = ["traces", "fan", "open", "logs", "contents"];
/// Batches that are appended, and what is in one.
const BATCHES: u64 = 40;
const BATCH: u64 = 500;

fn batch(kind: &str, number: u64) -> Batch {
    let ids = number * BATCH..(number + 1) * BATCH;
    let filled = |mut span: Span, length: usize, id: u64| {
        span.inputs = Some(Json::string(&format!("{id} {}", "x".repeat(length))));
        span.attributes = Json::object([("input.value", &Json::string(&"y".repeat(length)))]);
        span.session_id = Some("a session of its own".to_owned());
        span
    };
    let spans =
        |make: &dyn Fn(u64) -> Span| Batch { spans: ids.clone().map(make).collect(), logs: Vec::new() };
    match kind {
        "traces" => spans(&|id| filled(end("p", id, id), 200, id)),
        "fan" => spans(&|id| filled(end("p", 1, id), 200, id)),
        "open" => spans(&|id| filled(start("p", id / 10, id), 200, id)),
        "contents" => spans(&|id| filled(end("p", id / 10, id), 2000, id)),
        _ => {
            let logs = ids.clone().map(|id| {
                let mut log = log("p", Some(id / 10), &format!("log {id}"), 1);
                log.attrs = Json::object([("text", &Json::string(&"x".repeat(300)))]);
                log
            });
            Batch { spans: Vec::new(), logs: logs.collect() }
        }
    }
}

/// Does the above in a process of its own, whose memory is its own: the name of the folder says which kind.
#[tokio::test]
#[ignore = "the child of the test below; does nothing elsewhere"]
async fn child() {
    let place = std::env::current_dir().expect("a folder");
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(kind) = name.strip_prefix("weight-") else { return };
    let hot = HotLimits { rows: usize::MAX, open: usize::MAX, bytes: usize::MAX, ..HotLimits::default() };
    let store = EmbeddedStore::open("store", Options { hot, ..Options::default() }).expect("opens");
    // The first ones open files and fill caches.
    store.append(batch(kind, BATCHES)).await.expect("appends");
    let (before, said_before) = (MEMORY.current_usage(), store.held());
    for number in 0..BATCHES {
        store.append(batch(kind, number)).await.expect("appends");
    }
    let (is, says) = (MEMORY.current_usage() - before, store.held() - said_before);
    std::fs::write("weight", format!("{is} {says}")).expect("writes");
}

#[test]
#[expect(clippy::print_stderr, reason = "says its figures")]
fn what_is_said_to_be_held_is_held() {
    let place = crate::place();
    for kind in KINDS {
        let folder = place.path().join(format!("weight-{kind}"));
        std::fs::create_dir(&folder).expect("creates");
        let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
        let command = command.args(["--exact", "weight::child", "--ignored"]).current_dir(&folder);
        let done = command.output().expect("runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        let text = std::fs::read_to_string(folder.join("weight")).expect("it ran");
        let (is, says) = text.split_once(' ').expect("two figures");
        let number = |text: &str| text.parse::<f64>().expect("a number");
        let ratio = number(says) / number(is);
        eprintln!("{kind}: {is} bytes, said to be {says}: {ratio:.2}");
        assert!((0.8..1.4).contains(&ratio), "{kind}: {is} bytes are said to be {says}");
    }
}
