//! Trace records that somebody else could not send, put aside with what tracers could not.

use std::io;
use std::path::PathBuf;

use aitrace_model::record::{self, Limits, Record};

use crate::config;
use crate::env::Environment;
use crate::page;
use crate::spool::{Bounds, Spool, SpoolOptions, key_of};

/// Where records were put, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutAside {
    /// The folder.
    pub folder: PathBuf,
    /// Records that are on disk now.
    pub records: u64,
    /// The page that shows them, where `AITRACE_FALLBACK_HTML` asks for one.
    pub page: Option<PathBuf>,
}

/// Puts lines of trace records aside, for the next tracer of `project` (default `AITRACE_PROJECT`, else
/// `default`) with the target `url`, or for `aitrace import`. `None` where nothing is put aside
/// (`AITRACE_SPOOL=off`). Lines that are no records are left out.
///
/// # Errors
///
/// The folder cannot be written to, or it is full of what other processes hold, and nothing was put there.
pub fn put_aside(url: &str, project: Option<&str>, lines: &[&str]) -> io::Result<Option<PutAside>> {
    let environment = config::complete(Environment::read(), &config::current());
    let Some(folder) = environment.spool else { return Ok(None) };
    let project = project.or(environment.project.as_deref()).unwrap_or("default");
    let key = key_of(url.trim_end_matches('/'), project);
    let mut spool = Spool::new(SpoolOptions { folder: folder.clone(), key, bounds: Bounds::default() });
    let read = |line: &&str| record::read(line.as_bytes(), &Limits::default()).ok();
    let read: Vec<Record> = lines.iter().filter_map(read).collect();
    let records = spool.write_records(&read)?;
    let page = environment.fallback_html.and_then(|pages| page::of(&pages, project, &spool.own_paths()).ok());
    Ok(Some(PutAside { folder, records, page: page.flatten() }))
}
