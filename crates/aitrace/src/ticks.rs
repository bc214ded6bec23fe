//! Time for spans: a counter that is cheap to read, and what it means in nanoseconds.
//!
//! On Linux/x86-64, where the kernel vouches for it, the counter is the processor's time stamp counter: a
//! span pays half of what two calls of the system's clock cost. Elsewhere it is the monotonic clock. An
//! anchor, renewed by the workers, says which wall-clock time a count stands for. Durations come from the
//! counter alone, so a clock that is set does not change them.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::instant::instant;
use crate::lock::Mutex;
use aitrace_model::{Clock, SystemClock, Timestamp};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod counter;

/// How long the first calibration takes, paid once in a process.
const FIRST_CALIBRATION: Duration = Duration::from_micros(200);
/// Anchors are renewed at most this often.
const RENEWAL: Duration = Duration::from_secs(1);
/// 1.0 as a rate.
const UNIT: u64 = 1 << 32;

/// A moment as the counter shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tick(u64);

/// The clock of one tracer.
#[derive(Debug, Clone)]
pub(crate) enum TimeSource {
    /// The process's counter.
    Counter(&'static Process),
    /// A clock given by the user; its ticks are nanoseconds.
    Injected(Arc<dyn Clock>),
}

impl TimeSource {
    /// The process's counter, calibrated.
    pub(crate) fn counter() -> Self {
        Self::Counter(LazyLock::force(&PROCESS))
    }

    /// The moment now. What it means can be asked later: see [`TimeSource::wall`].
    #[inline]
    pub(crate) fn tick(&self) -> Tick {
        match self {
            Self::Counter(process) => Tick(process.read()),
            Self::Injected(clock) => Tick(clock.now().nanos().cast_unsigned()),
        }
    }

    /// The wall-clock time of a moment, in nanoseconds.
    pub(crate) fn wall(&self, tick: Tick) -> i64 {
        match self {
            Self::Counter(process) => process.wall(tick.0),
            Self::Injected(_) => tick.0.cast_signed(),
        }
    }

    /// Nanoseconds from one moment to another, never negative.
    pub(crate) fn between(&self, start: Tick, end: Tick) -> i64 {
        match self {
            Self::Counter(process) => process.nanos(end.0.wrapping_sub(start.0).cast_signed()).max(0),
            Self::Injected(_) => end.0.cast_signed().saturating_sub(start.0.cast_signed()).max(0),
        }
    }

    /// The wall-clock time now.
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_nanos(self.wall(self.tick()))
    }

    /// Follows the system's clock; called by workers now and then.
    pub(crate) fn renew(&self) {
        if let Self::Counter(process) = self {
            process.renew();
        }
    }
}

/// Which wall-clock time a count stands for, and how many nanoseconds (in 2^-32) a count is.
#[derive(Debug, Default)]
struct Anchor {
    tick: AtomicU64,
    wall: AtomicI64,
    rate: AtomicU64,
}

/// The process's counter with its anchors.
///
/// Readers take the anchor of the current index without a lock. A slot is written again only after the
/// fifteen others, at least 15 s later, when no reader can still be reading it.
#[derive(Debug)]
pub(crate) struct Process {
    cycles: bool,
    base: Instant,
    anchors: [Anchor; 16],
    current: AtomicUsize,
    calibration: Mutex<Calibration>,
}

#[derive(Debug)]
struct Calibration {
    first: First,
    renewed: Instant,
}

/// Counter and nanoseconds since the base at one early moment: where rates are measured from.
#[derive(Debug, Clone, Copy, Default)]
struct First {
    tick: u64,
    passed: u64,
}

static PROCESS: LazyLock<Process> = LazyLock::new(Process::start);

impl Process {
    fn start() -> Self {
        // Asked before the clocks are read: it opens a file.
        let cycles = cycles_are_stable();
        let base = instant();
        let mut process = Self {
            cycles,
            base,
            anchors: std::array::from_fn(|_| Anchor::default()),
            current: AtomicUsize::new(0),
            calibration: Mutex::new(Calibration { first: First::default(), renewed: base }),
        };
        let (tick, passed, _) = process.sample();
        let first = First { tick, passed };
        process.calibration = Mutex::new(Calibration { first, renewed: base });
        if process.cycles {
            while base.elapsed() < FIRST_CALIBRATION {
                std::hint::spin_loop();
            }
        }
        process.set_anchor(first, 0);
        process
    }

    #[inline]
    fn read(&self) -> u64 {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        if self.cycles {
            return counter::read();
        }
        self.base.elapsed().as_nanos() as u64
    }

    #[inline]
    fn anchor(&self) -> &Anchor {
        &self.anchors[self.current.load(Ordering::Acquire) % 16]
    }

    #[inline]
    fn nanos(&self, ticks: i64) -> i64 {
        scale(ticks, self.anchor().rate.load(Ordering::Relaxed))
    }

    #[inline]
    fn wall(&self, tick: u64) -> i64 {
        let anchor = self.anchor();
        let since = tick.wrapping_sub(anchor.tick.load(Ordering::Relaxed)).cast_signed();
        anchor.wall.load(Ordering::Relaxed) + scale(since, anchor.rate.load(Ordering::Relaxed))
    }

    fn renew(&self) {
        let Some(mut calibration) = self.calibration.try_lock() else { return };
        if calibration.renewed.elapsed() < RENEWAL {
            return;
        }
        calibration.renewed = instant();
        let next = (self.current.load(Ordering::Relaxed) + 1) % 16;
        self.set_anchor(calibration.first, next);
    }

    /// Writes the anchor `index` from the clocks as they stand and makes it current.
    fn set_anchor(&self, first: First, index: usize) {
        let (tick, passed, wall) = self.sample();
        let ticks = tick.wrapping_sub(first.tick);
        let rate = if self.cycles && ticks > 0 {
            let nanos = u128::from(passed.saturating_sub(first.passed));
            u64::try_from((nanos << 32) / u128::from(ticks)).unwrap_or(UNIT)
        } else {
            UNIT
        };
        let anchor = &self.anchors[index];
        anchor.tick.store(tick, Ordering::Relaxed);
        anchor.wall.store(wall, Ordering::Relaxed);
        anchor.rate.store(rate, Ordering::Relaxed);
        self.current.store(index, Ordering::Release);
    }

    /// Counter, nanoseconds since the base and wall clock at one moment: the tightest of a few tries, since
    /// the thread can be interrupted between the readings.
    fn sample(&self) -> (u64, u64, i64) {
        let tries = (0..5).map(|_| {
            let before = self.read();
            let passed = self.base.elapsed().as_nanos() as u64;
            let wall = SystemClock.now().nanos();
            let after = self.read();
            let width = after.wrapping_sub(before);
            (width, before.wrapping_add(width / 2), passed, wall)
        });
        let (_, tick, passed, wall) = tries.min_by_key(|sample| sample.0).expect("there are five");
        (tick, passed, wall)
    }
}

#[inline]
fn scale(ticks: i64, rate: u64) -> i64 {
    ((i128::from(ticks) * i128::from(rate)) >> 32) as i64
}

/// Whether the kernel itself relies on the counter, or would.
fn cycles_are_stable() -> bool {
    const SOURCES: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
        && std::fs::read_to_string(SOURCES)
            .is_ok_and(|text| text.split_whitespace().any(|name| name == "tsc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_model::ManualClock;

    #[test]
    fn the_counter_agrees_with_the_system_clock() {
        let source = TimeSource::counter();
        let tick = source.tick();
        let (wall, system) = (source.wall(tick), SystemClock.now().nanos());
        assert!((system - wall).abs() < 50_000_000, "{wall} against {system}");
        assert!(source.between(tick, source.tick()) >= 0);
    }

    #[test]
    fn the_first_calibration_is_good_to_half_a_percent() {
        // A busy machine can interrupt one try between its readings, not all of them.
        let best = (0..20).map(|_| {
            let process = Process::start();
            let (start, first) = (instant(), process.read());
            while start.elapsed() < Duration::from_millis(2) {
                std::hint::spin_loop();
            }
            let (passed, last) = (start.elapsed().as_nanos() as i64, process.read());
            (process.nanos(last.wrapping_sub(first).cast_signed()) - passed).abs() * 1000 / passed
        });
        let per_mille = best.min().expect("there are twenty");
        assert!(per_mille < 5, "off by {per_mille} in a thousand");
    }

    #[test]
    fn an_injected_clock_that_is_set_back_gives_no_negative_time() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(1000)));
        let source = TimeSource::Injected(clock.clone());
        let tick = source.tick();
        assert_eq!(source.wall(tick), 1000);
        clock.advance(-500);
        assert_eq!(source.between(tick, source.tick()), 0);
        clock.advance(750);
        assert_eq!(source.between(tick, source.tick()), 250);
    }

    #[test]
    fn scaling_neither_overflows_nor_loses_the_sign() {
        assert_eq!(scale(-10, UNIT / 2), -5);
        assert_eq!(scale(i64::MAX / 2, UNIT * 2), i64::MAX - 1);
    }
}
