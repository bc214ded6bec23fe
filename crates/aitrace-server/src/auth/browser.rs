//! Browsers: a key or a link that is good once, exchanged for a cookie. All of it ends with the process.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aitrace_model::{Clock, Timestamp};

use super::pepper::Pepper;
use super::random::{Random, hex};

/// How long a cookie is good.
const SESSION_NS: i64 = 12 * 3600 * 1_000_000_000;
/// How long a link is good.
const CODE_NS: i64 = 600 * 1_000_000_000;
/// Cookies and links that are kept; beyond, the one that ends first goes.
const MOST: usize = 1000;

/// Whom a cookie stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// The operator.
    Operator,
    /// The holder of the key of this id, while it is live.
    Key(String),
}

/// The cookies and links that were given out, by the hashes of their secrets.
#[derive(Debug)]
pub(crate) struct Browsers {
    pepper: Pepper,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    codes: HashMap<String, (Timestamp, ())>,
    sessions: HashMap<String, (Timestamp, Who)>,
}

impl Browsers {
    pub(crate) fn new(pepper: Pepper, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { pepper, clock, random, state: Mutex::default() }
    }

    /// A secret that is good once, for the operator.
    pub(crate) fn code(&self) -> io::Result<String> {
        let secret = hex(&*self.random, 32)?;
        let ends = self.clock.now().saturating_add(CODE_NS);
        keep(&mut self.lock().codes, self.pepper.hash(&secret), (ends, ()));
        Ok(secret)
    }

    /// Whether a secret was good; it is no more.
    pub(crate) fn redeem(&self, code: &str) -> bool {
        let found = self.lock().codes.remove(&self.pepper.hash(code));
        found.is_some_and(|(ends, ())| self.clock.now() < ends)
    }

    /// The secret of a new cookie.
    pub(crate) fn open(&self, who: Who) -> io::Result<String> {
        let secret = hex(&*self.random, 32)?;
        let ends = self.clock.now().saturating_add(SESSION_NS);
        keep(&mut self.lock().sessions, self.pepper.hash(&secret), (ends, who));
        Ok(secret)
    }

    /// Whom the secret of a cookie stands for.
    pub(crate) fn who(&self, secret: &str) -> Option<Who> {
        let (ends, who) = self.lock().sessions.get(&self.pepper.hash(secret)).cloned()?;
        (self.clock.now() < ends).then_some(who)
    }

    /// Makes a cookie void.
    pub(crate) fn close(&self, secret: &str) {
        self.lock().sessions.remove(&self.pepper.hash(secret));
    }

    /// Seconds that a cookie is good.
    pub(crate) const fn seconds() -> i64 {
        SESSION_NS / 1_000_000_000
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep<T>(all: &mut HashMap<String, (Timestamp, T)>, hash: String, value: (Timestamp, T)) {
    if all.len() >= MOST {
        let first = all.iter().min_by_key(|(_, (ends, _))| *ends).map(|(hash, _)| hash.clone());
        first.and_then(|first| all.remove(&first));
    }
    all.insert(hash, value);
}

#[cfg(test)]
mod tests {
    use aitrace_model::ManualClock;

    use super::*;
    use crate::auth::SystemRandom;

    fn browsers() -> (Browsers, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(1)));
        (Browsers::new(Pepper::new([1; 32]), clock.clone(), Arc::new(SystemRandom)), clock)
    }

    #[test]
    fn a_link_is_good_once_and_for_a_while() {
        let (browsers, clock) = browsers();
        let code = browsers.code().unwrap();
        assert!(!browsers.redeem("") && !browsers.redeem(&code[1..]));
        assert!(browsers.redeem(&code));
        assert!(!browsers.redeem(&code), "once");
        let late = browsers.code().unwrap();
        clock.advance(CODE_NS);
        assert!(!browsers.redeem(&late));
    }

    #[test]
    fn a_cookie_ends_by_time_and_by_word_and_there_are_not_too_many() {
        let (browsers, clock) = browsers();
        let first = browsers.open(Who::Operator).unwrap();
        assert_eq!(browsers.who(&first), Some(Who::Operator));
        assert_eq!(browsers.who("other"), None);
        clock.advance(1);
        let second = browsers.open(Who::Key("k".to_owned())).unwrap();
        for _ in 2..=MOST {
            browsers.open(Who::Operator).unwrap();
        }
        assert_eq!(browsers.who(&first), None, "it would have ended first");
        assert_eq!(browsers.who(&second), Some(Who::Key("k".to_owned())));
        browsers.close(&second);
        assert_eq!(browsers.who(&second), None);
        let last = browsers.open(Who::Operator).unwrap();
        clock.advance(SESSION_NS);
        assert_eq!(browsers.who(&last), None);
    }
}
