//! Times in the names of files.

use aitrace_model::Timestamp;

/// A time as `20260131T120000Z`, in UTC, for names of files that are set aside.
pub(crate) fn now(time: Timestamp) -> String {
    let text = time.to_string();
    let digits: String = text.chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}
