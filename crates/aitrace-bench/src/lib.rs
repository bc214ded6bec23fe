//! Benches with the anchors in the same run: figures of one machine are compared by ratio.
//!
//! Each bench is a binary of its own: `cargo run --release -p aitrace-bench --bin span`.

pub mod samples;
pub mod sink;

use std::hint::black_box;
use std::time::Instant;

/// Nanoseconds that one call of `work` takes: the median over `rounds` of `calls` each, and the fastest.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Median of the rounds.
    pub median: f64,
    /// Fastest round.
    pub fastest: f64,
}

/// Something to measure: does it as often as it is told.
pub type Work<'w> = &'w mut dyn FnMut(u32);

/// Measures several things in turn, round by round, so that a machine that slows down slows all of them.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub fn measure(rounds: usize, calls: u32, works: &mut [(&str, Work<'_>)]) -> Vec<Timing> {
    let mut samples = vec![Vec::with_capacity(rounds); works.len()];
    for round in 0..=rounds {
        for ((_, work), samples) in works.iter_mut().zip(&mut samples) {
            let begun = Instant::now();
            work(black_box(calls));
            let nanos = begun.elapsed().as_nanos() as f64 / f64::from(calls);
            // The first round warms up.
            if round > 0 {
                samples.push(nanos);
            }
        }
    }
    samples.into_iter().map(summary).collect()
}

fn summary(mut samples: Vec<f64>) -> Timing {
    samples.sort_by(f64::total_cmp);
    Timing { median: samples[samples.len() / 2], fastest: samples[0] }
}
