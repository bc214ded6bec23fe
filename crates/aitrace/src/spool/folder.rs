//! The folder of spooled files, which processes share.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Ending of spooled files.
pub(super) const ENDING: &str = ".jsonl";

/// A spooled file of anybody.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) changed: SystemTime,
}

/// Makes the folder, for its owner only.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A new file that only its owner can read. An error where there is one of that name.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The spooled files of a folder; none where there is no folder.
pub(super) fn files(folder: &Path) -> io::Result<Vec<Entry>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // What goes while we look is not there.
    let entry = |entry: fs::DirEntry| {
        let path = entry.path();
        let known = path.file_name()?.to_str()?.ends_with(ENDING);
        let about = entry.metadata().ok().filter(|about| known && about.is_file())?;
        let changed = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Entry { path, bytes: about.len(), changed })
    };
    Ok(listing.flatten().filter_map(entry).collect())
}

/// Opens a file that nobody writes or sends and keeps others from it as long as the result lives.
pub(super) fn claim(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.try_lock().map_err(io::Error::from)?;
    // Who had it before may have sent and removed it while we waited for nothing.
    let there = fs::metadata(path)?;
    if same_file(&file.metadata()?, &there) { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

#[cfg(unix)]
fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.len() == other.len()
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Removes a file of another; how many lines it had.
pub(super) fn evict(path: &Path) -> io::Result<u64> {
    let file = claim(path)?;
    let lines = BufReader::new(&file).split(b'\n').map_while(Result::ok).count();
    remove(path)?;
    Ok(lines as u64)
}
