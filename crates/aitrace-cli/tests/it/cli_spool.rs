//! What a recorder put aside, on its ways to a real server: each span once, with all it carries.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aitrace::{Enrich, Tracer};
use serde_json::Value;

use crate::support::{Home, nowhere};

fn tracer(home: &Home, url: &str) -> Tracer {
    let spool = home.path().join("spool");
    let builder = Tracer::builder().project("away").target(url).spool_dir(spool).on_error(|_| {});
    builder.retry_pause(Duration::from_millis(1)).build()
}

fn record(tracer: &Tracer) {
    let _root = tracer.start_span("root");
    let _child = tracer.start_span("child");
    tracer.enrich_span(Enrich::new().inputs("grüße").metric("hits", 3.0));
    tracer.log(aitrace::Log::new("said"));
}

fn files(home: &Home) -> Vec<PathBuf> {
    fs::read_dir(home.path().join("spool")).expect("works").flatten().map(|entry| entry.path()).collect()
}

fn trace(home: &Home, url: &str) -> Value {
    let list = home.aitrace(&["traces", "--json", "--server", url]).expect(0).json();
    assert_eq!(list["traces"].as_array().expect("an array").len(), 1, "{list}");
    let id = list["traces"][0]["trace_id"].as_str().expect("a string").to_owned();
    home.aitrace(&["trace", &id, "--json", "--server", url]).expect(0).json()
}

fn check(trace: &Value) {
    let names: Vec<_> = trace["spans"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|span| span["name"].as_str().expect("a string"))
        .collect();
    assert_eq!(names, ["root", "child"], "{trace}");
    assert_eq!(
        (&trace["spans"][1]["inputs"], &trace["spans"][1]["metrics"]["hits"]),
        (&"grüße".into(), &3.0.into())
    );
    assert_eq!(trace["logs"].as_array().expect("an array").len(), 1);
    assert_eq!(trace["logs"][0]["event"], "said");
    assert!(!trace.to_string().contains("crc32"), "{trace}");
}

#[test]
fn it_is_imported_and_a_damaged_line_is_named() {
    let home = Home::new();
    let tracer = tracer(&home, &nowhere());
    record(&tracer);
    assert_eq!(tracer.shutdown(Duration::from_secs(5)).spooled, 3);
    let file = files(&home).remove(0);
    let server = home.serve();
    for _ in 0..2 {
        home.aitrace(&["import", file.to_str().expect("works"), "--server", &server.url]).expect(0);
        check(&trace(&home, &server.url));
    }
    let text = fs::read_to_string(&file).expect("works").replacen("said", "sage", 1);
    let damaged = home.file("damaged.jsonl", &text);
    let done = home.aitrace(&["import", damaged.to_str().expect("works"), "--server", &server.url]).expect(1);
    assert!(
        done.stdout.starts_with("2 imported, 1 rejected") && done.stderr.contains("checksum"),
        "{}",
        done.stderr
    );
    let page = home.aitrace(&["html", file.to_str().expect("works")]).expect(0).stdout;
    assert!(page.contains("<b>child</b>") && page.contains("grüße"));
}

#[test]
fn the_tracer_itself_sends_it_when_the_server_is_there() {
    let home = Home::new();
    let url = nowhere();
    let tracer = tracer(&home, &url);
    record(&tracer);
    let result = tracer.flush(Duration::from_secs(20));
    assert_eq!((result.spooled, result.remaining), (3, 0));
    let port = url.rsplit(':').next().expect("works");
    let server = home.serve_at(port);
    let mut flushes = std::iter::repeat_with(|| tracer.flush(Duration::from_secs(20))).take(50);
    assert!(flushes.any(|result| result.spooled == 0), "{:?}", tracer.stats());
    assert_eq!(tracer.stats().sent, 3);
    check(&trace(&home, &server.url));
    assert_eq!(files(&home).len(), 0);
}
