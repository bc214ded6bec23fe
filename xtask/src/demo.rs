//! A traced agent, live in the browser.

mod check;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::env;
use crate::options::DemoOptions;
use crate::process::{self, Program, Running};
use crate::python;
use crate::say;
use crate::serve::{self, Server};
use crate::web;
use crate::workspace;

/// How long one run of the agent may take, the import of its libraries included.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long the server may take to seal what it has.
const STOP: Duration = Duration::from_secs(20);

/// Why the demo cannot run here; `None` when it can.
pub(crate) fn missing() -> Option<String> {
    web::missing().or_else(|| python::System::find().err().map(|error| format!("{error:#}")))
}

/// Builds everything, serves, runs the agent; true unless a check failed.
pub(crate) fn run(options: &DemoOptions) -> Result<bool> {
    if let Some(why) = missing() {
        bail!("{why}");
    }
    web::build()?;
    let binary = serve::build(options.build)?;
    let environment = python::Environment::for_agent()?;
    let data = Data::create()?;
    let interrupted = interrupted()?;
    let server = serve::start(&binary, options.port, &data.0)?;
    say::data(&server.url);
    let agent = agent(&environment, &server.url);
    if options.once {
        once(&agent, server, &interrupted)
    } else {
        let rust = Program::new(&binary, &workspace::root()).args(["demo", "--server", &server.url]);
        repeat(&[agent, rust], options, server, &interrupted)
    }
}

/// Becomes true on Ctrl-C or SIGTERM. From now on they do not end us at once: what was started is stopped first.
fn interrupted() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second one ends us, should stopping take too long.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .context("cannot watch for Ctrl-C")?;
    }
    Ok(flag)
}

fn agent(environment: &python::Environment, url: &str) -> Program {
    let folder = workspace::root().join("examples/python/agent");
    environment.program(&folder).args(["main.py"]).env("AITRACE_SERVER_URL", url)
}

/// One trace, watched while it grows and checked when it has ended.
fn once(agent: &Program, server: Server, interrupted: &AtomicBool) -> Result<bool> {
    let mut running = agent.start()?;
    let mut watched = check::Watched::default();
    let watch = env::Stopwatch::start();
    let ended = loop {
        let ended = running.ended()?;
        watched.look(&server.url)?;
        if let Some(ended) = ended {
            break ended;
        }
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        if watch.elapsed() > PATIENCE {
            bail!("the agent did not end within {} s", PATIENCE.as_secs());
        }
        // The API is asked as a person would look at a list: a few times a second.
        std::thread::sleep(Duration::from_millis(100));
    };
    let problems = watched.problems(&server.url)?;
    for problem in &problems {
        say::note(&format!("not as it should be: {problem}"));
    }
    if !ended.ends_with("exit status: 0") {
        bail!("{ended}");
    }
    if problems.is_empty() {
        say::note(&watched.summary());
    }
    if !server.running.stop(STOP)? {
        bail!("the server did not end cleanly after SIGTERM");
    }
    Ok(problems.is_empty())
}

/// The agents again and again, in Python and in Rust by turns, until Ctrl-C.
fn repeat(
    agents: &[Program],
    options: &DemoOptions,
    mut server: Server,
    interrupted: &AtomicBool,
) -> Result<bool> {
    let every = options.every.max(Duration::from_secs(1));
    say::note(&format!("a trace each {} s; look at {} and end with Ctrl-C", every.as_secs(), server.url));
    if !options.no_open {
        open(&server.url);
    }
    let mut turns = agents.iter().cycle();
    let mut running: Option<(Running, env::Stopwatch)> = None;
    while !interrupted.load(Ordering::Relaxed) {
        if let Some(ended) = server.running.ended()? {
            bail!("{ended}");
        }
        let due = match &mut running {
            None => true,
            Some((agent, since)) => match agent.ended()? {
                Some(ended) if !ended.ends_with("exit status: 0") => bail!("{ended}"),
                Some(_) => since.elapsed() >= every,
                None => false,
            },
        };
        if let (true, Some(agent)) = (due, turns.next()) {
            running = Some((agent.start()?, env::Stopwatch::start()));
        }
        // Two processes and a signal are watched; nobody notices a fifth of a second.
        std::thread::sleep(Duration::from_millis(200));
    }
    say::note("stopping");
    if let Some((agent, _)) = running {
        agent.stop(STOP)?;
    }
    server.running.stop(STOP)?;
    Ok(true)
}

/// Opens a browser where a person can see it.
fn open(url: &str) {
    let display = cfg!(target_os = "macos")
        || env::variable("DISPLAY").is_some()
        || env::variable("WAYLAND_DISPLAY").is_some();
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if env::unattended() || !display || process::find(opener).is_none() {
        return;
    }
    if let Err(error) = Program::new(opener, Path::new("/")).args([url]).run() {
        say::note(&format!("no browser was opened: {error:#}"));
    }
}

/// A folder that goes away with this value.
#[derive(Debug)]
struct Data(std::path::PathBuf);

impl Data {
    fn create() -> Result<Self> {
        let folder = env::temporary().join(format!("aitrace-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // What is left in the folder of temporary files harms nobody.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
