//! Every target for a moment; `AITRACE_FUZZ_SECONDS` says for how long each, `AITRACE_FUZZ_NUMBER` where to begin.
//! One test, since memory is the process's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use aitrace_fuzz::{Mutator, TARGETS, Target};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes that a decoder may use whatever it reads.
const BASE: usize = 256 << 10;

#[expect(clippy::disallowed_methods, reason = "switches for whoever runs the test")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Bytes that reading takes at most.
fn measure(target: &Target, input: &[u8]) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    (target.read)(input);
    MEMORY.peak_usage().saturating_sub(before)
}

fn check(target: &Target, input: &[u8]) -> Result<(), String> {
    let law = AssertUnwindSafe(|| (target.law)(input));
    catch_unwind(law).map_err(|_| "a law is broken, see above".to_owned())?;
    let (used, most) = (measure(target, input), BASE + target.growth * input.len());
    if used <= most { Ok(()) } else { Err(format!("{used} bytes were allocated, at most {most} may")) }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "time is what bounds this test, and what it did is said"
)]
fn laws_hold_for_any_bytes() {
    let number = setting("AITRACE_FUZZ_NUMBER").unwrap_or(1);
    let time = setting("AITRACE_FUZZ_SECONDS").map(Duration::from_secs);
    for target in TARGETS {
        for seed in (target.seeds)() {
            check(target, &seed).unwrap_or_else(|why| panic!("{}: {why}: a seed", target.name));
        }
        let mut mutator = Mutator::new((target.seeds)(), number);
        let (from, mut rounds) = (Instant::now(), 0_u64);
        // By default as many rounds on every machine.
        while time.map_or(rounds < 400, |time| from.elapsed() < time) {
            let input = mutator.input();
            rounds += 1;
            if let Err(why) = check(target, &input) {
                let path = std::env::temp_dir().join(format!("aitrace-fuzz-{number}-{rounds}"));
                std::fs::write(&path, &input).expect("the input is kept");
                panic!("{}: {why}; number {number}, round {rounds}, kept as {}", target.name, path.display());
            }
        }
        eprintln!("{}: {rounds} inputs", target.name);
    }
}
