//! Sends what was spooled, by this tracer or by others for the same target that are gone.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::desk::Desk;
use crate::export::answer::Fault;
use crate::export::http::Http;
use crate::hub::Hub;
use crate::spool::{Load, Own, load};

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something was sent, or a file was done with.
    Done,
    /// There is nothing to send.
    Idle,
    /// It has to be tried again later.
    Failed(Fault),
    /// The target does not take spooled records; they stay on disk.
    Refused(Fault),
}

/// The file that is being sent.
struct Current {
    load: Load,
    /// Set where the file is this tracer's.
    own: Option<Own>,
}

impl Current {
    /// What is not readable any more is lost.
    fn count_corrupt(&mut self, hub: &Hub) {
        let corrupt = self.load.take_corrupt();
        match &mut self.own {
            Some(own) => {
                let lost = corrupt.min(own.items);
                own.items -= lost;
                lose(hub, "spool_corrupt", lost);
            }
            None => hub.count_replayed(0, corrupt),
        }
    }
}

/// What there is to send again.
pub(crate) struct Replay {
    http: Arc<Http>,
    /// Files of others, known since the first look.
    others: Option<VecDeque<PathBuf>>,
    current: Option<Current>,
    refused: bool,
}

impl Replay {
    pub(crate) fn new(http: Arc<Http>) -> Self {
        Self { http, others: None, current: None, refused: false }
    }

    /// Whether a step makes sense. Others' files wait until the target has `answered`.
    pub(crate) fn wants(&self, desk: &Desk, answered: bool) -> bool {
        let left = self.others.as_ref().is_none_or(|others| !others.is_empty());
        !self.refused && (self.wants_own(desk) || answered && (self.current.is_some() || left))
    }

    /// Whether something of this tracer is left to send.
    pub(crate) fn wants_own(&self, desk: &Desk) -> bool {
        let current = self.current.as_ref().is_some_and(|current| current.own.is_some());
        let has_own = || desk.outbox().spool.as_ref().is_some_and(crate::spool::Spool::has_own);
        !self.refused && (current || has_own())
    }

    /// Sends one request.
    pub(crate) fn step(&mut self, desk: &Desk, hub: &Hub) -> Step {
        let Some(mut current) = self.current.take().or_else(|| self.next(desk, hub)) else {
            return Step::Idle;
        };
        let body = current.load.body();
        current.count_corrupt(hub);
        let (body, lines) = match body {
            Ok(Some(body)) => body,
            Ok(None) => {
                current.load.remove();
                return Step::Done;
            }
            // It stays on disk; the next tracer may have more luck.
            Err(_) => {
                self.current = Some(current);
                self.refused = true;
                return Step::Idle;
            }
        };
        let own = current.own.is_some();
        match self.http.send_lines(body.clone()) {
            Ok(rejected) => count(hub, own, lines, rejected.min(lines)),
            Err(Fault::TooLarge(_)) if lines > 1 => current.load.push_apart(&body),
            Err(Fault::TooLarge(_)) => count(hub, own, lines, lines),
            Err(fault) => {
                current.load.push(body, lines);
                self.current = Some(current);
                self.refused = matches!(fault, Fault::Refused(_) | Fault::NotOurs | Fault::Broken(_));
                return if self.refused { Step::Refused(fault) } else { Step::Failed(fault) };
            }
        }
        if current.load.is_done() {
            current.load.remove();
        } else {
            self.current = Some(current);
        }
        Step::Done
    }

    /// The next file: our own before others'.
    fn next(&mut self, desk: &Desk, hub: &Hub) -> Option<Current> {
        let mut outbox = desk.outbox();
        let spool = outbox.spool.as_mut()?;
        if let Some(own) = spool.take_own() {
            let loaded = load(&own.path, true);
            return match loaded {
                Ok(load) => Some(Current { load, own: Some(own) }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    lose(hub, "spool_removed", own.items);
                    None
                }
                Err(_) => {
                    spool.put_back(own);
                    self.refused = true;
                    None
                }
            };
        }
        let others = self.others.get_or_insert_with(|| spool.left_behind().into());
        while let Some(path) = others.pop_front() {
            // Somebody else may be at it, or have done with it.
            if let Ok(load) = load(&path, false) {
                return Some(Current { load, own: None });
            }
        }
        None
    }
}

fn lose(hub: &Hub, reason: &str, items: u64) {
    let _moving = hub.moving();
    hub.unspool(items);
    hub.count_dropped(reason, items);
}

fn count(hub: &Hub, own: bool, lines: u64, rejected: u64) {
    if own {
        let _moving = hub.moving();
        hub.unspool(lines);
        hub.count_sent(lines - rejected);
        hub.count_dropped("rejected", rejected);
    } else {
        hub.count_replayed(lines - rejected, rejected);
    }
}
