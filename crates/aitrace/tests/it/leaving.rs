//! The end of a process: quick, true, and the same for the program as without us. Each test runs this binary
//! again, with one of the ignored tests below as the program.

use std::process::{Command, Output};
use std::time::Duration;

use aitrace::{SpanOptions, Tracer};
use tempfile::TempDir;

use crate::network::{BlackHole, folder, timed};
use crate::stub::Stub;

#[expect(clippy::disallowed_methods, reason = "the program under test is told where to send")]
fn variable(name: &str) -> String {
    std::env::var(name).expect("set by the test")
}

fn run(program: &str, url: &str, folder: &TempDir) -> (Output, Duration) {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", &format!("leaving::{program}"), "--ignored", "--nocapture"]);
    command.env("AITRACE_SERVER_URL", url).env("AITRACE_SPOOL_DIR", folder.path());
    timed(|| command.output().expect("runs"))
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().filter(|line| line.starts_with("aitrace: ")).map(str::to_owned).collect()
}

#[test]
#[ignore = "a program that other tests run"]
fn records_and_ends() {
    assert!(!variable("AITRACE_SPOOL_DIR").is_empty());
    let tracer = Tracer::builder().project("leaving").build();
    (0..100).for_each(|_| tracer.start(SpanOptions::new("s")).end());
    let other = Tracer::builder().project("dropped").build();
    other.start_span("s").end();
    drop(other);
    // Kept until the process ends, as a static would be.
    std::mem::forget(tracer);
}

#[test]
#[ignore = "a program that other tests run"]
#[expect(clippy::exit, reason = "a program that does so is what is tested")]
fn records_and_exits() {
    let tracer = Tracer::builder().project("leaving").build();
    tracer.start_span("s").end();
    std::process::exit(i32::from(variable("AITRACE_SPOOL_DIR").is_empty()));
}

#[test]
fn what_is_unsent_is_sent_at_the_end_without_a_word() {
    for (program, spans) in [("records_and_ends", 101), ("records_and_exits", 1)] {
        let (stub, folder) = (Stub::start([]), folder());
        let (output, took) = run(program, &stub.url, &folder);
        assert_eq!(lines(&output), Vec::<String>::new());
        assert_eq!(stub.spans().len(), spans, "{program}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[test]
fn a_server_that_does_not_answer_costs_two_seconds_at_most_and_no_span() {
    let (hole, folder) = (BlackHole::dig(), folder());
    let (output, took) = run("records_and_ends", &hole.url(), &folder);
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let mut said = lines(&output);
    said.sort();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("aitrace: dropped: 0 sent, 1 put aside in "), "{said:?}");
    assert!(said[1].starts_with("aitrace: leaving: 0 sent, 100 put aside in "), "{said:?}");
    let files = std::fs::read_dir(folder.path()).expect("reads").flatten();
    let texts = files.map(|file| std::fs::read_to_string(file.path()).expect("reads"));
    assert_eq!(texts.map(|text| text.lines().count()).sum::<usize>(), 101);
}
