//! The system's allocator, told to give memory back.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::App;
use crate::process;

/// Bytes of a block from which on it is given back as soon as it is freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 256 << 10;
/// Heaps that threads share. Each keeps what was freed in it for itself, so that many of them hold a multiple of what
/// is in use; the C library would make eight for each core.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: i32 = 4;

/// Time between two looks at what is resident.
const EVERY: Duration = Duration::from_millis(500);
/// Resident bytes from which on free memory is given back even while it will be needed again soon.
const MUCH: u64 = 320 << 20;
/// What must be resident beyond what is accounted for, so that giving back is worth its time.
const WORTH: u64 = 48 << 20;

/// Makes blocks of more than 256 KiB the system's own. The C library of GNU raises that threshold up to 32 MiB with
/// each large block that is freed, and keeps what is smaller: bodies and contents of some MiB, sent at once by several
/// clients, would leave twice as much memory in use as they need. Bounds the number of its heaps as well.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "there is no other way to set it from within")
)]
pub(crate) fn give_large_blocks_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes two numbers by value and locks what it changes; where it does not know the first, nothing happens.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Gives whole pages that are free back to the system, wherever they lie. Takes some 10 ms.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "only the C library knows which pages are free")
)]
fn give_free_pages_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes a number by value and locks each heap that it looks at.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives free memory back until the server stops: while much is resident, and once when work has calmed down.
pub(crate) async fn tend(app: App) {
    let mut closing = app.closing.clone();
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut busy) = (0, false);
    loop {
        tokio::select! {
            () = closing.wait() => return,
            _ = ticks.tick() => {}
        }
        let accounted = app.stores.telemetry.held() as u64 + app.memory.usage().1 as u64;
        let calm = accounted == before;
        before = accounted;
        busy |= !calm;
        if !busy {
            continue;
        }
        let resident = process::resident_bytes().unwrap_or(0);
        if calm || resident > MUCH && resident > accounted + WORTH {
            // The thread that waits for sockets must not.
            drop(tokio::task::spawn_blocking(give_free_pages_back).await);
            busy = !calm;
        }
    }
}
