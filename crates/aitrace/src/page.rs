//! The page that is made of what was spooled, where the user wants one.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aitrace_model::record::{self, Limits, Record};

use crate::core::Core;
use crate::hub::Hub;
use crate::ids::Random;
use crate::problem::say;
use crate::spool::{load, private_file};

/// Bytes of records that a page shows at most: it is made while a process waits to end.
const MOST_BYTES: usize = 8 << 20;

/// Writes a page of the records in spooled `files`, if a folder for it was named. A new file each time.
pub(crate) fn write(core: &Core, hub: &Hub, files: &[PathBuf]) {
    let Some(folder) = &core.options.fallback_html else { return };
    match of(folder, &core.identity.project, files) {
        Ok(None) => {}
        Ok(Some(path)) => {
            say(&format!("{}: what was not sent is shown in {}", core.identity.project, path.display()));
        }
        Err(error) => {
            let message = || format!("cannot write a page to {}: {error}", folder.display());
            hub.problems.report("fallback_html", message, hub.now());
        }
    }
}

/// Makes a page of the records in spooled `files`; `None` where there are none.
pub(crate) fn of(folder: &Path, project: &str, files: &[PathBuf]) -> io::Result<Option<PathBuf>> {
    let records = read(files);
    if records.is_empty() {
        return Ok(None);
    }
    let title = format!("{project}: spans that were not sent");
    save(folder, &aitrace_html::render(&title, &records)).map(Some)
}

fn read(files: &[PathBuf]) -> Vec<Record> {
    let mut left = MOST_BYTES;
    let mut records = Vec::new();
    for path in files {
        let Ok(mut load) = load(path, true) else { continue };
        while let Ok(Some((body, _))) = load.body() {
            let Some(rest) = left.checked_sub(body.len()) else { return records };
            left = rest;
            let read = |line: &str| record::read(line.as_bytes(), &Limits::default()).ok();
            records.extend(body.lines().filter_map(read));
        }
    }
    records
}

fn save(folder: &Path, html: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("aitrace-{}-{}.html", std::process::id(), Random::seeded().uuid()));
    private_file(&path)?.write_all(html.as_bytes())?;
    Ok(path)
}
