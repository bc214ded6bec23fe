//! What all clones of one tracer share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::export::Exporter;
use crate::export::http::HttpOptions;
use crate::export::memory::Memory;
use crate::identity::Identity;
use crate::ids::IdGenerator;
use crate::process::plan::ProcessPlan;
use crate::spool::SpoolOptions;
use crate::state::{Plan, State};
use crate::target::Target;

/// How a worker works.
#[derive(Debug, Clone)]
pub(crate) struct WorkerOptions {
    /// Between two looks at open spans; zero: spans are told of when they end only.
    pub(crate) tick: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) batch_items: usize,
    /// How long a finished span may wait where nobody looks at open spans.
    pub(crate) batch_delay: Duration,
    /// Where to put what cannot be sent; `None`: nowhere.
    pub(crate) spool: Option<SpoolOptions>,
    /// Folder for the page that is made of what was spooled.
    pub(crate) fallback_html: Option<PathBuf>,
    /// How long the end of the process may wait for what is unsent.
    pub(crate) exit_wait: Duration,
    /// First pause after a passing fault; doubles up to `max_backoff`.
    pub(crate) backoff: Duration,
    pub(crate) max_backoff: Duration,
    /// What became of each batch is told on stderr, and the end of the process though all was sent.
    pub(crate) verbose: bool,
}

/// How to reach the target: enough to make an exporter anew after a fork.
#[derive(Clone)]
pub(crate) enum Destination {
    /// One of ours.
    Target(Target, Box<HttpOptions>),
    /// The memory of this process.
    Memory(Arc<Memory>),
    /// One that the user brought.
    Custom(Arc<dyn Exporter>),
}

/// The shared part of a tracer.
pub(crate) struct Core {
    pub(crate) identity: Arc<Identity>,
    pub(crate) plan: Plan,
    pub(crate) ids: Option<Arc<dyn IdGenerator>>,
    pub(crate) options: WorkerOptions,
    pub(crate) target: Target,
    pub(crate) destination: Destination,
    /// What happens to spans before they are exported.
    pub(crate) process: Arc<ProcessPlan>,
    /// Whether rules decide about new traces: asked at each start, so it stands by itself.
    pub(crate) samples: bool,
    /// Nothing is recorded: disabled from the start, or shut down.
    pub(crate) off: AtomicBool,
    pub(crate) state: Arc<State>,
}

impl Core {
    /// The state of this process.
    pub(crate) fn state(&self) -> Arc<State> {
        self.state.current(&self.plan)
    }

    /// Where batches go, for a person to read.
    pub(crate) fn whereto(&self) -> String {
        match (&self.destination, &self.target) {
            (Destination::Custom(_), _) => "own exporter".to_owned(),
            (Destination::Memory(_), _) => "memory".to_owned(),
            (Destination::Target(..), Target::Http(url)) => without_secrets(url),
            (Destination::Target(..), Target::File(path)) => path.display().to_string(),
            (Destination::Target(..), _) => "stdout".to_owned(),
        }
    }

    #[inline]
    pub(crate) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.plan.tracer
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Held by every clone of a tracer: when the last is gone, the worker sends what there is and ends.
#[derive(Debug)]
pub(crate) struct Alive(pub(crate) Arc<Core>);

impl Drop for Alive {
    fn drop(&mut self) {
        let state = self.0.state();
        let mut wishes = state.hub.wishes.lock();
        wishes.closing = true;
        wishes.rung = true;
        drop(wishes);
        state.hub.bell.notify_one();
    }
}

/// A URL without the password and the query that may stand in it.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_url_is_shown_without_secrets() {
        let shown = super::without_secrets("https://user:pass@host:1/a@b?key=1#x");
        assert_eq!(shown, "https://host:1/a@b");
        assert_eq!(super::without_secrets("http://h"), "http://h");
    }
}
