//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::env;

/// Folders that hold no source of ours, should git not be there to say so.
const FOREIGN: &[&str] = &["target", "node_modules", "dist", ".venv", "__pycache__", ".git"];

/// Root of the repository: the folder above xtask.
pub(crate) fn root() -> PathBuf {
    // As cargo says at run time: checkouts that share a target folder share this program too.
    let here = env::variable("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = PathBuf::from(here);
    here.parent().unwrap_or(&here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Whether something is at a path; an error (no permission) counts as nothing.
pub(crate) fn there(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}

/// All files of the repository that git does not ignore, relative to the root with `/`, sorted;
/// without git, all files outside the usual build folders.
pub(crate) fn files(root: &Path) -> Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    let mut files: Vec<String> = match listed {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.split_terminator('\0').map(str::to_owned).filter(|file| root.join(file).is_file()).collect()
        }
        _ => walk(root)?,
    };
    files.sort();
    files.dedup();
    ensure!(!files.is_empty(), "no files under {}", root.display());
    Ok(files)
}

fn walk(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(found)
}

/// What stands after the last dot of a file's name; empty where there is no dot.
pub(crate) fn extension(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The text of a file of ours.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_the_build_folders_are_left_out() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for file in ["src/lib.rs", "target/debug/x.rs", "web/node_modules/y.ts"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, "").expect("file");
        }
        assert_eq!(walk(folder.path()).expect("listed"), ["src/lib.rs"]);
    }

    #[test]
    fn this_repository_has_files() {
        let files = files(&root()).expect("listed");
        assert!(files.contains(&"xtask/src/main.rs".to_owned()));
    }
}
