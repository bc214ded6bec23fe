//! The ledger: what was acknowledged is stored, what is stored was sent, each span once and to the letter,
//! however often the server is killed.
//!
//! Ids and contents follow from a seed, so a journal outside the server needs to hold no more than which batch was
//! sent and what came back. `AITRACE_LEDGER_SEED` repeats a run's data; `AITRACE_LEDGER_KILLS` sets how often the
//! server is killed (default 20).

mod content;
mod journal;
mod verify;
mod writer;

use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::support::{Home, Server};

use self::content::Random;
use self::journal::Journal;
use self::verify::verify;
use self::writer::{Shared, write};

/// Half of them write OTLP, half trace records.
const WRITERS: u64 = 4;

#[expect(clippy::disallowed_methods, reason = "the one place of this test that reads the environment")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn what_was_acknowledged_outlives_every_kill() {
    let seed = setting("AITRACE_LEDGER_SEED", 20_260_131);
    let kills = setting("AITRACE_LEDGER_KILLS", 20);
    let mut random = Random::new(seed);
    let home = Home::new();
    let shared = Arc::new(Shared::new(seed, Journal::create(&home.path().join("journal"))));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let shared = Arc::clone(&shared);
            let name = format!("writer-{number}");
            thread::Builder::new().name(name).spawn(move || write(&shared, number)).expect("a thread")
        })
        .collect();

    for round in 0..kills {
        if round % 4 == 3 {
            kill_at_start(&home, &mut random);
        }
        let mut server = home.serve();
        shared.open(&server.url);
        shared.wait_for_acks(random.below(16));
        // A random point: within a request, a commit, between them.
        thread::sleep(Duration::from_micros(random.below(20_000)));
        if round % 7 == 6 {
            // An orderly end seals what is hot: later rounds run over segments, too.
            shared.close();
            assert_eq!(server.terminate().0, 0, "an orderly end");
            server = home.serve();
            shared.open(&server.url);
            shared.wait_for_acks(1);
        }
        server.child.kill().expect("SIGKILL");
        server.child.wait().expect("it is gone");
        shared.close();
    }

    let server = home.serve();
    shared.open(&server.url);
    shared.wait_for_acks(2 * WRITERS);
    shared.finish();
    for writer in writers {
        writer.join().expect("a writer ends in order");
    }
    // Else this test has proven nothing: a kill meets a request of nearly every writer.
    let lost_answers = shared.journal.lost_answers();
    assert!(lost_answers as u64 >= kills, "only {lost_answers} requests were cut off");
    check(&shared, server, &home);
}

/// Checks what is stored; then once more when all of it has been sealed, and when it was read from disk again.
fn check(shared: &Shared, server: Server, home: &Home) {
    let first = verify(&server.url, shared.seed, &shared.journal);
    assert!(first.running > 0 && first.spans > first.running && first.traces > 1, "too little: {first:?}");
    assert_eq!(server.terminate().0, 0, "an orderly end");
    let mut server = home.serve();
    assert_eq!(verify(&server.url, shared.seed, &shared.journal), first, "the same after a seal");
    shared.fresh_span_works(&server.url);
    server.child.kill().expect("SIGKILL");
    server.child.wait().expect("it is gone");
    let server = home.serve();
    assert_eq!(
        verify(&server.url, shared.seed, &shared.journal).spans,
        first.spans + 1,
        "and the fresh span"
    );
}

/// Kills a server while it opens its data.
fn kill_at_start(home: &Home, random: &mut Random) {
    let mut command = home.command(&["serve", "--port", "0"]);
    let mut child = command.stdout(Stdio::null()).spawn().expect("the binary runs");
    thread::sleep(Duration::from_millis(random.below(200)));
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
}
