//! Memory that is free goes back to the system.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::App;
use crate::process;

/// Time between two looks at what is resident.
const EVERY: Duration = Duration::from_millis(500);
/// Resident bytes from which on free memory is given back even while it will be needed again soon.
const MUCH: u64 = 320 << 20;
/// What must be resident beyond what is accounted for, so that giving back is worth its time.
const WORTH: u64 = 48 << 20;

/// Gives free memory back until the server stops: while much is resident, and once when work has calmed down.
pub(crate) async fn tend(app: App) {
    let mut closing = app.closing.clone();
    let Some(give_back) = app.options.give_back else { return closing.wait().await };
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut busy) = (0, false);
    loop {
        tokio::select! {
            () = closing.wait() => return,
            _ = ticks.tick() => {}
        }
        let accounted = app.stores.telemetry.held() + app.memory.usage().1 + app.memory.reads();
        let accounted = accounted as u64;
        let calm = accounted == before;
        before = accounted;
        busy |= !calm;
        if !busy {
            continue;
        }
        let resident = process::resident_bytes().unwrap_or(0);
        if calm || resident > MUCH && resident > accounted + WORTH {
            // It takes some 10 ms, and the thread that waits for sockets must not.
            drop(tokio::task::spawn_blocking(give_back).await);
            busy = !calm;
        }
    }
}
