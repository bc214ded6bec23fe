//! `aitrace run -- CMD…`: a program with its environment set to send here.

use std::process::{Command, ExitCode, ExitStatus};

use anyhow::Result;
use tokio::runtime::Builder;

use crate::args;
use crate::failure::Failure;
use crate::local::Hub;
use crate::output;
use crate::settings;

/// Variables that would send elsewhere, whatever we set.
const OVERRULING: &[&str] = &[
    "AITRACE_TARGET",
    "LOG_TRG",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
];

pub(super) fn run(args: &args::Run) -> Result<ExitCode> {
    let compat = settings::compat(&args.compat)?;
    let hub = Hub::find(&args.server, &args.data)?;
    let url = hub.url().as_str().to_owned();
    let told =
        if args.json { serde_json::json!({ "url": url }).to_string() } else { format!("traces at {url}") };
    output::note(&told);
    let status = wait(command(args, &url, compat));
    // The program's end counts, also where sealing fails: that is told, and nothing is lost by it.
    if let Err(error) = hub.close() {
        output::note(&format!("warning: {error:#}"));
    }
    Ok(exit_code(status?))
}

fn command(args: &args::Run, url: &str, compat: bool) -> Command {
    let mut words = args.command.iter();
    // clap demands at least one word.
    let mut command = Command::new(words.next().cloned().unwrap_or_default());
    command.args(words);
    for name in OVERRULING {
        command.env_remove(name);
    }
    command
        .env("AITRACE_SERVER_URL", url)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .env("HH_API_URL", url);
    if compat {
        command.env("AITRACE_COMPAT_MODE", "true");
    }
    command
}

/// Starts the program and waits for its end. Ctrl-C in a terminal reaches the program by itself: it decides what
/// to do, and we wait. SIGTERM to us alone is handed on.
fn wait(command: Command) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        #[cfg(unix)]
        let mut signals = signals::Signals::watch()?;
        let mut child = tokio::process::Command::from(command).spawn().map_err(|error| {
            Failure::new(
                format!("cannot run {name}: {error}"),
                "write the program and its arguments after `--`",
            )
        })?;
        let id = child.id();
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status?),
                () = async {
                    #[cfg(unix)]
                    signals.hand_on(id).await;
                    #[cfg(not(unix))]
                    drop(tokio::signal::ctrl_c().await);
                } => {}
            }
        }
    })
}

#[cfg(unix)]
mod signals {
    use anyhow::{Context as _, Result};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// The signals that would end us before the program.
    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
        hangup: Signal,
    }

    impl Signals {
        pub(super) fn watch() -> Result<Self> {
            let watch = |kind| signal(kind).context("cannot watch for signals");
            Ok(Self {
                interrupt: watch(SignalKind::interrupt())?,
                terminate: watch(SignalKind::terminate())?,
                hangup: watch(SignalKind::hangup())?,
            })
        }

        /// Waits for a signal; hands it on to the program unless the terminal has done so.
        pub(super) async fn hand_on(&mut self, program: Option<u32>) {
            let name = tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => "-TERM",
                _ = self.hangup.recv() => "-HUP",
            };
            let Some(id) = program else { return };
            // Where there is no such command, the program goes on, and we wait for it.
            drop(std::process::Command::new("kill").args([name, &id.to_string()]).status());
        }
    }
}

/// The program's exit code; of a program that a signal ended, 128 and the signal's number as shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = status.code().or_else(|| signal.map(|signal| 128 + signal)).unwrap_or(2);
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(2))
}
