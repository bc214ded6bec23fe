//! Who did what to keys and data: one line of the log each, under a target of its own.

use crate::caller::{By, Caller, Peer};

/// The target of the lines. The command shows it unless its filter says otherwise.
const TARGET: &str = "aitrace_audit";

/// Notes that a caller did something. `project` is empty where it is all of them; `what` names things by ids alone.
pub(crate) fn did(caller: &Caller, action: &'static str, project: &str, what: &str) {
    line(caller.by(), caller.peer(), action, project, what, "done");
}

/// Notes something that was done or refused before there was a caller.
pub(crate) fn line(by: &By, peer: Option<Peer>, action: &str, project: &str, what: &str, outcome: &str) {
    let peer = peer.map(|peer| peer.0.to_string()).unwrap_or_default();
    let (by, key) = match by {
        By::Nobody => ("nobody", ""),
        By::Anyone => ("anyone", ""),
        By::Operator => ("operator", ""),
        By::Key(id) => ("key", &**id),
    };
    tracing::info!(target: TARGET, action, by, key, peer, project, what, outcome, "audit");
}
