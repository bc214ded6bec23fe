//! Where a run is kept, and where its spans go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aitrace_eval::{EvalError, RunFile};

use crate::env;
use crate::tracer::Tracer;

const DEFAULT_URL: &str = "http://localhost:8000";
/// How long a server may take to say that it is there.
const PROBE: Duration = Duration::from_millis(500);

/// `runs` in the data directory: the one given, `AITRACE_DATA_DIR`, else the platform's.
///
/// Errors: the platform has none.
pub fn runs_folder(data_dir: Option<&Path>) -> Result<PathBuf, EvalError> {
    let folder = data_dir.map(Path::to_owned).or_else(env::data_dir).ok_or(EvalError::NoFolder)?;
    Ok(folder.join("runs"))
}

/// Who is asked to take the spans.
pub(super) struct Wanted<'w> {
    pub(super) server_url: Option<&'w str>,
    pub(super) api_key: Option<&'w str>,
    pub(super) project: Option<&'w str>,
    pub(super) session: &'w str,
    pub(super) offline: bool,
}

/// A tracer for a run, and what to tell about it: to the server if one answers, else beside the run.
pub(super) fn tracer(wanted: &Wanted<'_>, file: &RunFile) -> (Tracer, Vec<String>) {
    let asked = wanted.server_url.map(str::to_owned).or_else(env::server_url);
    let base = asked.as_deref().unwrap_or(DEFAULT_URL).trim_end_matches('/').to_owned();
    let mut builder = Tracer::builder().source("evaluation").session_name(wanted.session);
    if let Some(project) = wanted.project {
        builder = builder.project(project);
    }
    if !wanted.offline && answers(&base) {
        if let Some(key) = wanted.api_key {
            builder = builder.api_key(key);
        }
        return (builder.target(base).build(), Vec::new());
    }
    let spans = file.spans_path();
    let mut warnings = Vec::new();
    if asked.is_some() && !wanted.offline {
        let spans = spans.display();
        warnings.push(format!(
            "no server answered at {base}: spans are in {spans}; send them with `aitrace import`"
        ));
    }
    (builder.target(spans.to_string_lossy()).build(), warnings)
}

fn answers(base: &str) -> bool {
    if !base.starts_with("http://") && !base.starts_with("https://") {
        return false;
    }
    let config = ureq::Agent::config_builder().timeout_global(Some(PROBE)).build();
    let answer = ureq::Agent::new_with_config(config).get(format!("{base}/healthz")).call();
    answer.is_ok_and(|answer| answer.status() == 200)
}
