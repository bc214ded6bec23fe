//! What goes wrong with delivery, told rarely: to the user's handler, else on stderr.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lock::Mutex;

/// A cause is told of again no sooner than this.
const SILENCE: Duration = Duration::from_secs(30);
/// Causes that are remembered.
const MOST_CAUSES: usize = 64;

/// Something that went wrong with the delivery of spans. The traced program is not affected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// A short word, the same for the same cause: `unreachable`, `http_401`, `spool`, …
    pub cause: String,
    /// What went wrong and what to do, in one line.
    pub message: String,
    /// How often the cause came up since it was first told of and before this time.
    pub repeated: u64,
}

type Handle = dyn Fn(&Problem) + Send + Sync;

/// Who is told of problems.
#[derive(Clone, Default)]
pub(crate) struct ErrorHandler(Option<Arc<Handle>>);

impl ErrorHandler {
    pub(crate) fn new(handle: impl Fn(&Problem) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(handle)))
    }

    fn tell(&self, problem: &Problem) {
        match &self.0 {
            // A handler that panics must not end the worker.
            Some(handle) => catch_unwind(AssertUnwindSafe(|| handle(problem))).unwrap_or_default(),
            // Who did not ask to be told is told once.
            None if problem.repeated == 0 => say(&problem.message),
            None => {}
        }
    }
}

impl fmt::Debug for ErrorHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "ErrorHandler(own)" } else { "ErrorHandler(stderr)" })
    }
}

/// One line on stderr. That nobody reads it is no reason to fail.
pub(crate) fn say(message: &str) {
    writeln!(std::io::stderr().lock(), "aitrace: {message}").unwrap_or_default();
}

/// When a cause was last told of, and how often it came up since it first was.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: Instant,
    times: u64,
}

/// The problems of one tracer in one process.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    handler: ErrorHandler,
    told: Mutex<BTreeMap<String, Told>>,
}

impl Problems {
    pub(crate) fn new(handler: ErrorHandler) -> Self {
        Self { handler, told: Mutex::default() }
    }

    /// Whether the user has a handler.
    pub(crate) fn has_own_handler(&self) -> bool {
        self.handler.0.is_some()
    }

    /// Tells of a problem, unless its cause was told of a moment ago. No lock is held while telling.
    pub(crate) fn report(&self, cause: &str, message: impl FnOnce() -> String, now: Instant) {
        let repeated = {
            let mut told = self.told.lock();
            if !told.contains_key(cause) && told.len() >= MOST_CAUSES {
                return;
            }
            let known = told.get_mut(cause);
            match known {
                None => {
                    told.insert(cause.to_owned(), Told { at: now, times: 1 });
                    0
                }
                Some(known) => {
                    known.times += 1;
                    if now.saturating_duration_since(known.at) < SILENCE {
                        return;
                    }
                    known.at = now;
                    known.times - 1
                }
            }
        };
        self.handler.tell(&Problem { cause: cause.to_owned(), message: message(), repeated });
    }

    /// All is well again: what comes next is told as something new, but not before its time.
    pub(crate) fn recovered(&self, now: Instant) {
        let mut told = self.told.lock();
        told.retain(|_, told| now.saturating_duration_since(told.at) < SILENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_in_thirty_seconds() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let own = heard.clone();
        let problems = Problems::new(ErrorHandler::new(move |problem: &Problem| {
            own.lock().push((problem.cause.clone(), problem.repeated));
            panic!("a handler may be broken");
        }));
        let begun = crate::instant::instant();
        let at = |seconds| begun + Duration::from_secs(seconds);
        for second in 0..65 {
            problems.report("unreachable", String::new, at(second));
            problems.report(&format!("cause {second}"), String::new, at(0));
        }
        problems.recovered(at(70));
        problems.report("unreachable", String::new, at(71));
        problems.recovered(at(101));
        problems.report("unreachable", String::new, at(102));
        let heard = heard.lock();
        let times: Vec<u64> =
            heard.iter().filter(|(cause, _)| cause == "unreachable").map(|(_, times)| *times).collect();
        assert_eq!(times, [0, 30, 60, 0]);
        assert_eq!(heard.len(), 4 + MOST_CAUSES - 1, "causes are bounded");
    }
}
