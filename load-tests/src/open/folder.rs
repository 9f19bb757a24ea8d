//! Data folders: copied, and forgotten by the operating system.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::Context as _;
use rustix::fs::{Advice, fadvise};

/// Copies the files of a folder into a new one.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copied = fs::copy(entry.path(), to.join(entry.file_name()));
        copied.with_context(|| format!("cannot copy {}", entry.path().display()))?;
    }
    Ok(())
}

/// Has the operating system write a folder's files to the disk and drop its copies of them in memory, so that the
/// next reader reads the disk.
pub fn evict(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = File::open(entry?.path())?;
        // Only pages that are on disk already are dropped.
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_same_files_and_evicting_them_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("synapti.db"), [7; 10_000]).unwrap();
        fs::write(from.join("synapti.db-wal"), []).unwrap();
        copy(&from, &to).unwrap();
        evict(&to).unwrap();
        assert_eq!(fs::read(to.join("synapti.db")).unwrap(), [7; 10_000]);
        assert_eq!(fs::read(to.join("synapti.db-wal")).unwrap(), [0; 0]);
        assert!(copy(&from, &to).is_err(), "nothing is written over");
    }
}
