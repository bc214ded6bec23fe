//! What the worker says of problems: what is wrong, what becomes of the spans, what to do.

use std::io;

use super::Worker;
use crate::core::Core;
use crate::export::Exported;

impl Worker {
    fn tell(&self, core: &Core, cause: &str, message: &dyn std::fmt::Display) {
        // At the end one line says it all.
        if core.is_off() && !self.hub.problems.has_own_handler() {
            return;
        }
        let text = || format!("{}: {message}", core.identity.project);
        self.hub.problems.report(cause, text, self.hub.now());
    }

    pub(super) fn tell_of_silence(&self, core: &Core, reason: &str) {
        let then = match &core.options.spool {
            Some(spool) => format!("spans are put aside in {}", spool.folder.display()),
            None => "spans wait in memory".to_owned(),
        };
        self.tell(core, "unreachable", &format_args!("cannot reach {} ({reason}); {then}", core.whereto()));
    }

    pub(super) fn tell_of_key(&self, core: &Core, reason: &str) {
        let status = reason.trim_start_matches("http_");
        let message = format_args!(
            "{} refuses the API key ({status}): check AITRACE_API_KEY or api_key; spans wait in memory, the next \
             try is in 5 minutes",
            core.whereto()
        );
        self.tell(core, reason, &message);
    }

    pub(super) fn tell_of_refusal(&self, core: &Core, reason: &str, lost: u64) {
        if lost > 0 {
            let message = format_args!("{lost} spans are lost: {} says {reason}", core.whereto());
            self.tell(core, reason, &message);
        }
    }

    pub(super) fn tell_of_spool(&self, core: &Core, error: &io::Error) {
        self.hub.note_problem(&error.to_string());
        let folder = core.options.spool.as_ref().map(|spool| spool.folder.display().to_string());
        let message = format_args!(
            "cannot put spans aside in {} ({error}); they wait in memory. AITRACE_SPOOL_DIR names another folder",
            folder.unwrap_or_default()
        );
        self.tell(core, "spool", &message);
    }

    pub(super) fn tell_of_replay(&self, core: &Core, exported: &Exported) {
        let reason = match exported {
            Exported::Failed { reason } => reason.as_str(),
            _ => "refused",
        };
        let folder = core.options.spool.as_ref().map(|spool| spool.folder.display().to_string());
        let message = format_args!(
            "{} does not take the spans put aside in {} ({reason}); `aitrace import` sends them to a server that does",
            core.whereto(),
            folder.unwrap_or_default()
        );
        self.tell(core, "replay", &message);
    }
}
