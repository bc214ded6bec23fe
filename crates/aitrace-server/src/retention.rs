//! Retention by the clock: what is too old or too much goes, beside everything else.

use std::time::Duration;

use aitrace_store::Retention;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::App;

/// How soon after the start old data goes.
const FIRST: Duration = Duration::from_secs(5);

/// Retires again and again until the server stops. Ready at once where everything is kept.
pub(crate) async fn keep(app: App) {
    let (retention, every) = (app.options.retention, app.options.retain_every);
    if retention == Retention::default() {
        return;
    }
    let mut closing = app.closing.clone();
    let mut ticks = interval_at(Instant::now() + every.min(FIRST), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = closing.wait() => return,
            _ = ticks.tick() => {}
        }
        match app.stores.upkeep.retain(retention).await {
            Ok(retired) if retired.segments == 0 => {}
            Ok(retired) => {
                app.metrics.retired(retired.bytes);
                tracing::info!(
                    files = retired.segments,
                    rows = retired.rows,
                    bytes = retired.bytes,
                    "retired old data"
                );
            }
            Err(error) => tracing::warn!(%error, "old data could not be retired; it is tried again"),
        }
    }
}
