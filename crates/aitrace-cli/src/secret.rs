//! The secret of a data folder: keys are hashed with it, and whoever can read it is the operator.
//!
//! It stands in the file `secret` beside the data, readable by its owner alone. Without it every key is void.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use aitrace_server::{Pepper, Random};
use anyhow::{Context as _, Result};

use crate::failure::Failure;

const FILE: &str = "secret";
/// Its presence says that keys were made.
const GUARD: &str = "keys-demanded";

/// The secret of a folder; one is made where there is none. Call it only while holding the folder's store.
pub(crate) fn pepper(dir: &Path, random: &dyn Random) -> Result<Pepper> {
    match known(dir)? {
        Some(pepper) => Ok(pepper),
        None => make(dir, random),
    }
}

/// The secret of a folder that has one.
pub(crate) fn known(dir: &Path) -> Result<Option<Pepper>> {
    let path = dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("cannot read the secret of the keys in {}: {error}", path.display());
            return Err(Failure::new(message, "run this as the user who owns the data").into());
        }
    };
    check_owner_alone(&path)?;
    let bytes = unhex(text.trim()).ok_or_else(|| {
        let message = format!("{} is not the secret of the keys", path.display());
        Failure::new(message, "bring it back from a backup; or remove it, and all keys are void")
    })?;
    Ok(Some(Pepper::new(bytes)))
}

fn make(dir: &Path, random: &dyn Random) -> Result<Pepper> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes).context("the system has no randomness")?;
    let text: String = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let (new, path) = (dir.join("secret.new"), dir.join(FILE));
    let write = || {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    };
    write().with_context(|| format!("cannot write the secret of the keys to {}", path.display()))?;
    Ok(Pepper::new(bytes))
}

/// Notes that keys were made in a folder: its servers demand them from now on, also should the database be lost, and
/// the keys in it.
pub(crate) fn guard(dir: &Path) -> Result<()> {
    let path = dir.join(GUARD);
    let made = File::options().write(true).create(true).truncate(false).open(&path);
    made.and_then(|file| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether keys were made in a folder.
pub(crate) fn is_guarded(dir: &Path) -> bool {
    // What cannot be looked at counts as there.
    dir.join(GUARD).try_exists().unwrap_or(true)
}

#[cfg(unix)]
fn check_owner_alone(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = fs::metadata(path)?.mode();
    if mode & 0o077 != 0 {
        let message = format!("the secret of the keys in {} can be read by others", path.display());
        return Err(Failure::new(message, format!("chmod 600 {}", path.display())).into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_owner_alone(_path: &Path) -> Result<()> {
    Ok(())
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or_default()).collect();
    bytes.try_into().ok().filter(|_| text.len() == 64)
}

#[cfg(test)]
mod tests {
    use aitrace_server::SystemRandom;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(known(folder.path()).expect("nothing wrong").is_none());
        let made = pepper(folder.path(), &SystemRandom).expect("makes one").operator_token();
        assert_eq!(pepper(folder.path(), &SystemRandom).expect("reads it").operator_token(), made);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.path().join(FILE);
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("sets");
            assert!(known(folder.path()).expect_err("open").to_string().contains("others"));
        }
        let other = tempfile::tempdir().expect("a folder");
        assert_ne!(pepper(other.path(), &SystemRandom).expect("makes one").operator_token(), made);
    }

    #[test]
    fn what_is_no_secret_is_told() {
        for wrong in ["", "zz", &"a".repeat(63), &"a".repeat(66), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
        assert_eq!(unhex(&"0f".repeat(32)), Some([15; 32]));
    }
}
