//! What the locks are made of. Their model check puts its own in this place, see `model`.

use std::time::Duration;

pub(super) use std::sync::atomic::AtomicBool;

/// Looks without giving the processor away.
const SPINS: u32 = 64;
/// Looks before the holder must be given time by sleeping, whatever the priorities of threads are.
const YIELDS: u32 = 256;
const SLEEP: Duration = Duration::from_micros(50);

/// Waits a little before the next look.
pub(super) fn pause(looks: &mut u32) {
    *looks = looks.saturating_add(1);
    match *looks {
        0..SPINS => std::hint::spin_loop(),
        SPINS..YIELDS => std::thread::yield_now(),
        _ => std::thread::sleep(SLEEP),
    }
}
