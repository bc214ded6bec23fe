//! What became of each batch, told on stderr.

use std::sync::Arc;

use super::{Batch, Exported, Exporter};

/// Tells what the exporter in it does.
pub(crate) struct Verbose {
    inner: Arc<dyn Exporter>,
    /// Project and target.
    whose: String,
}

impl Verbose {
    pub(crate) fn new(inner: Arc<dyn Exporter>, whose: String) -> Self {
        Self { inner, whose }
    }
}

impl Exporter for Verbose {
    #[expect(clippy::print_stderr, reason = "that is what was asked for")]
    fn export(&self, batch: &Batch) -> Exported {
        let outcome = self.inner.export(batch);
        if let Some(line) = line(batch.countable(), &outcome) {
            eprintln!("aitrace: {}: {line}", self.whose);
        }
        outcome
    }

    fn wants_open_spans(&self) -> bool {
        self.inner.wants_open_spans()
    }

    fn shutdown(&self) {
        self.inner.shutdown();
    }
}

/// `None` for what nobody asks about: open spans that went out.
fn line(items: u64, outcome: &Exported) -> Option<String> {
    match outcome {
        Exported::Sent { rejected: 0 } if items == 0 => None,
        Exported::Sent { rejected: 0 } => Some(format!("{items} sent")),
        Exported::Sent { rejected } => {
            Some(format!("{} sent, {rejected} refused", items.saturating_sub(*rejected)))
        }
        Exported::Retry { after: None, reason } | Exported::Unreachable { reason } => {
            Some(format!("{items} wait for another try: {reason}"))
        }
        Exported::Retry { after: Some(after), reason } => {
            Some(format!("{items} wait for another try in {after:?}: {reason}"))
        }
        Exported::TooLarge { reason } => Some(format!("{items} together are too large: {reason}")),
        Exported::Failed { reason } => Some(format!("{items} lost: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_outcome_has_its_line() {
        let retry = |after| Exported::Retry { after, reason: "refused".to_owned() };
        let say = |items, outcome| line(items, &outcome).unwrap_or_default();
        assert_eq!(say(3, Exported::Sent { rejected: 0 }), "3 sent");
        assert_eq!(say(3, Exported::Sent { rejected: 1 }), "2 sent, 1 refused");
        assert_eq!(say(0, Exported::Sent { rejected: 0 }), "");
        assert_eq!(say(3, retry(None)), "3 wait for another try: refused");
        assert_eq!(say(3, retry(Some(Duration::from_secs(2)))), "3 wait for another try in 2s: refused");
        assert_eq!(say(3, Exported::Failed { reason: "http_400".to_owned() }), "3 lost: http_400");
    }
}
