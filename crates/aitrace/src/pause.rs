//! When to try again.

use std::time::{Duration, Instant};

use crate::ids::Random;

/// The pause between two tries.
pub(crate) struct Pause {
    first: Duration,
    most: Duration,
    until: Option<Instant>,
    /// The receiver asked for it, so a flush does not shorten it.
    asked: bool,
    attempts: u32,
    random: Random,
}

impl Pause {
    /// Pauses that begin with `first` and double up to `most`.
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, until: None, asked: false, attempts: 0, random: Random::seeded() }
    }

    /// After a try that failed at `now`: exponential with full jitter, or what the receiver asked for.
    pub(crate) fn begin(&mut self, now: Instant, after: Option<Duration>) {
        let doubled = self.first.saturating_mul(1 << self.attempts.min(16)).min(self.most);
        self.attempts = self.attempts.saturating_add(1);
        let part = self.random.next() as f64 / u64::MAX as f64;
        self.asked = after.is_some();
        self.until = Some(now + after.unwrap_or_else(|| doubled.mul_f64(part)));
    }

    /// All is well.
    pub(crate) fn clear(&mut self) {
        (self.until, self.asked, self.attempts) = (None, false, 0);
    }

    /// Somebody waits: no pause, unless the receiver asked for it.
    pub(crate) fn hurry(&mut self) {
        if !self.asked {
            self.until = None;
        }
    }

    /// Whether to wait still.
    pub(crate) fn holds(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// When it ends; `None` where there is none.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(200);
    const MOST: Duration = Duration::from_secs(30);

    #[test]
    fn pauses_double_to_the_most_and_are_cut_by_chance() {
        let now = crate::instant::instant();
        let (mut longest, mut shortest) = ([Duration::ZERO; 12], [MOST; 12]);
        for _ in 0..200 {
            let mut pause = Pause::new(FIRST, MOST);
            for attempt in 0..12 {
                pause.begin(now, None);
                let length = pause.until().expect("a pause") - now;
                assert!(length <= (FIRST * (1 << attempt)).min(MOST), "{attempt}: {length:?}");
                longest[attempt] = longest[attempt].max(length);
                shortest[attempt] = shortest[attempt].min(length);
            }
        }
        for attempt in 0..12 {
            let most = (FIRST * (1 << attempt)).min(MOST);
            assert!(longest[attempt] > most.mul_f64(0.9) && shortest[attempt] < most.mul_f64(0.1));
        }
    }

    #[test]
    fn what_was_asked_for_is_kept_and_hurry_ends_the_rest() {
        let now = crate::instant::instant();
        let mut pause = Pause::new(FIRST, MOST);
        pause.begin(now, Some(Duration::from_mins(5)));
        pause.hurry();
        assert!(pause.holds(now + Duration::from_secs(299)) && !pause.holds(now + Duration::from_mins(5)));
        pause.begin(now, None);
        pause.hurry();
        assert!(!pause.holds(now));
        pause.begin(now, Some(MOST));
        pause.clear();
        assert!(!pause.holds(now));
    }
}
