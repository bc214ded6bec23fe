//! Memory that is free goes back to the system.

use std::time::Duration;

use tokio::time::sleep;

use crate::app::App;
use crate::process;

/// Time between two looks at what is resident.
const EVERY: Duration = Duration::from_millis(500);
/// The same while something comes in: a flood frees and takes some hundred MiB a second, and what it frees in one heap
/// the others do not use.
const OFTEN: Duration = Duration::from_millis(50);
/// Looks of the second kind for one of the first.
const LOOKS: u32 = 10;
/// Resident bytes from which on free memory is given back even while it will be needed again soon.
const MUCH: u64 = 320 << 20;
/// The same at any look, not at one in [`LOOKS`] alone.
const TOO_MUCH: u64 = 400 << 20;
/// What must be resident beyond what is accounted for, so that giving back is worth its time.
const WORTH: u64 = 48 << 20;

/// What the looks so far have shown.
#[derive(Debug, Default)]
struct Looks {
    /// What was accounted for at the last thorough one.
    before: u64,
    /// Whether that has changed since memory was last given back in calm.
    busy: bool,
    /// Looks since the last thorough one.
    since: u32,
}

impl Looks {
    /// Whether memory is to be given back now. What is resident is asked only where that matters.
    fn decide(&mut self, accounted: u64, resident: impl FnOnce() -> u64) -> bool {
        let calm = accounted == self.before;
        self.busy |= !calm;
        if !self.busy {
            return false;
        }
        let surplus = |least| {
            let resident = resident();
            resident > least && resident > accounted + WORTH
        };
        self.since += 1;
        if self.since < LOOKS {
            return surplus(TOO_MUCH);
        }
        (self.since, self.before) = (0, accounted);
        self.busy = !calm;
        calm || surplus(MUCH)
    }

    /// Time until the next one.
    fn pause(&self) -> Duration {
        if self.busy { OFTEN } else { EVERY }
    }
}

/// Gives free memory back until the server stops: while much is resident, and once when work has calmed down.
pub(crate) async fn tend(app: App) {
    let mut closing = app.closing.clone();
    let Some(give_back) = app.options.give_back else { return closing.wait().await };
    let mut looks = Looks::default();
    loop {
        tokio::select! {
            () = closing.wait() => return,
            () = sleep(looks.pause()) => {}
        }
        let accounted = app.stores.telemetry.held() + app.memory.usage().1 + app.memory.reads();
        if looks.decide(accounted as u64, || process::resident_bytes().unwrap_or(0)) {
            // It takes some 10 ms, and the thread that waits for sockets must not.
            drop(tokio::task::spawn_blocking(give_back).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decisions of so many looks, of which each finds the same.
    fn decide(looks: &mut Looks, times: u32, accounted: u64, resident: u64) -> Vec<bool> {
        (0..times).map(|_| looks.decide(accounted, || resident)).collect()
    }

    #[test]
    fn memory_goes_back_once_when_work_has_calmed_down() {
        let mut looks = Looks::default();
        assert_eq!(looks.pause(), EVERY);
        assert_eq!(decide(&mut looks, LOOKS, 1 << 20, 100 << 20).last(), Some(&false));
        assert_eq!(looks.pause(), OFTEN);
        // Nothing has changed since the last thorough look.
        assert!(!decide(&mut looks, LOOKS - 1, 1 << 20, 100 << 20).contains(&true));
        assert_eq!(decide(&mut looks, 1, 1 << 20, 100 << 20), [true]);
        assert_eq!(looks.pause(), EVERY);
        assert_eq!(decide(&mut looks, 50, 1 << 20, 100 << 20), [false; 50]);
    }

    #[test]
    fn a_flood_gives_back_what_it_does_not_use() {
        let mut looks = Looks::default();
        let mut at = 0;
        let mut flood = |times, accounted: u64, resident| {
            (0..times)
                .map(|_| {
                    at ^= 1;
                    looks.decide(accounted + at, || resident)
                })
                .collect::<Vec<_>>()
        };
        // At any look where it is near the limit, at one in five where it is much, at none where it is in use.
        assert_eq!(flood(10, 300 << 20, TOO_MUCH + 1), [true; 10]);
        let rare = [false, false, false, false, false, false, false, false, false, true];
        assert_eq!(flood(10, 200 << 20, TOO_MUCH), rare);
        assert_eq!(flood(10, TOO_MUCH - WORTH + 1, TOO_MUCH + 1), [false; 10]);
        assert_eq!(flood(10, 100 << 20, MUCH), [false; 10]);
    }
}
