//! `aitrace serve`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::signal;

use crate::args;
use crate::local::Local;
use crate::logging;
use crate::output;
use crate::serving::{self, Serving};
use crate::settings;

pub(super) fn run(args: &args::Serve) -> Result<ExitCode> {
    let sources = serving::sources(args)?;
    logging::start(&sources)?;
    let compat_mode = settings::compat_of(&args.compat, args.config.as_deref())?;
    let serving = Serving { compat_mode, ..serving::serving(&sources)? };
    let mut local = Local::start(&serving)?;
    let url = local.url().as_str().to_owned();
    let line = if args.json { serde_json::json!({ "url": url }).to_string() } else { url };
    // The signals are watched before anybody can know that the server is there.
    let ended = local.run_until(async {
        let signal = Signals::watch()?;
        output::answer(&line)?;
        signal.wait().await;
        anyhow::Ok(())
    });
    match ended {
        Ok(waited) => {
            local.stop()?;
            waited?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error),
    }
}

/// Ctrl-C and, where there is one, SIGTERM.
struct Signals {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn watch() -> Result<Self> {
        use signal::unix::{SignalKind, signal};
        let watch = |kind| signal(kind).context("cannot watch for signals");
        Ok(Self { interrupt: watch(SignalKind::interrupt())?, terminate: watch(SignalKind::terminate())? })
    }

    #[cfg(unix)]
    async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn watch() -> Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(self) {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
