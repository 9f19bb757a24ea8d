//! What could not be saved when the process had to end, in a file that the next start reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{
    JournalEnd,
    format::{Spilled, decode, encode},
};
use crate::{
    room::decode as decode_map,
    store::{GraphKey, JournalRecord, SharedStore, StoreError},
};

/// How the names of files end that the next start reads.
const SPILLED: &str = "spill";

/// How they end while they are being written.
const UNFINISHED: &str = "unfinished";

/// Bytes of records in one commit of a recovery, about.
const RECOVER_BYTES_MAX: usize = 4 << 20;

/// What went wrong with a spill file.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// There is nowhere to write to.
    #[error("cannot write a spill file{0}")]
    Unwritable(String),
    /// A file cannot be read.
    #[error("cannot read the spill file {}: {error}; it holds edits that are not in the database yet", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what was written; what can be read of it is saved.
    #[error("the spill file {} is damaged: {records} of its records were saved, the rest cannot be read; it is now {}", path.display(), kept.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it is kept.
        kept: PathBuf,
        /// Records that could be read.
        records: usize,
    },
    /// What was read cannot be saved.
    #[error("the edits of the spill file {} cannot be saved: {error}", path.display())]
    Store {
        /// The file, which stays.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
}

/// Writes what is left into the first folder that takes it.
pub(super) fn end(store: &SharedStore, folders: &[PathBuf], records: &[JournalRecord]) -> JournalEnd {
    if records.is_empty() {
        return JournalEnd::Saved;
    }
    let content = encode(store.identity(), records);
    let mut failures = Vec::new();
    for folder in folders {
        let path = folder.join(file_name(store.identity(), records));
        match write(&path, &content) {
            Ok(()) => return JournalEnd::Spilled { records: records.len(), path },
            Err(error) => failures.push(format!("; {}: {error}", path.display())),
        }
    }
    JournalEnd::Lost { records: records.len(), error: SpillError::Unwritable(failures.concat()) }
}

/// Saves what an earlier process spilled, and removes the files; answers the number of records. Call it before anything
/// reads the store.
///
/// # Errors
/// [`SpillError`]. Except after [`SpillError::Damaged`], serving would show maps without edits that somebody saw.
pub async fn recover(store: &SharedStore, folders: &[PathBuf]) -> Result<usize, SpillError> {
    let mut count = 0;
    for path in spilled(folders, store.identity())? {
        let unreadable = |error| SpillError::Unreadable { path: path.clone(), error };
        let content = match read_own(&path) {
            Ok(content) => content,
            // Another node of this database had it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(error)),
        };
        let Spilled { mut records, after_damage, is_whole } = decode(store.identity(), &content.into());
        if !is_whole {
            records.extend(what_joins_on(store, &records, after_damage).await);
        }
        save(store, &path, &records).await?;
        count += records.len();
        if !is_whole {
            let kept = path.with_extension("damaged");
            fs::rename(&path, &kept).map_err(unreadable)?;
            return Err(SpillError::Damaged { path, kept, records: records.len() });
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unreadable(error)),
            _ => {}
        }
    }
    Ok(count)
}

/// Of the records behind a damaged one, those of maps that lack nothing by it: a record that builds on the lost one would make
/// its map unreadable. The others stay in the file.
async fn what_joins_on(store: &SharedStore, before: &[JournalRecord], after: Vec<JournalRecord>) -> Vec<JournalRecord> {
    let mut maps = BTreeMap::<i64, Vec<JournalRecord>>::new();
    for record in after {
        maps.entry(record.key.0).or_default().push(record);
    }
    let mut joined = Vec::new();
    for (key, records) in maps {
        let Ok(mut stored) = store.load(GraphKey(key)).await else { continue };
        let earlier = before.iter().filter(|record| record.key.0 == key);
        stored.tail.extend(earlier.chain(&records).map(|record| record.update.to_vec()));
        // Nothing is edited here, so the id is of no account.
        if tokio::task::spawn_blocking(move || decode_map(0, &stored).is_ok()).await.unwrap_or(false) {
            joined.extend(records);
        }
    }
    joined
}

/// The files of this store, oldest first: edits that are not in the database yet. Each is written once and under a name of its own, so that nodes which share a
/// folder do not meet; what two of them read is only saved twice.
///
/// # Errors
/// [`SpillError::Unreadable`] for a folder that cannot be listed.
pub fn spilled(folders: &[PathBuf], identity: Uuid) -> Result<Vec<PathBuf>, SpillError> {
    let mut found = Vec::new();
    for folder in folders {
        let unreadable = |error| SpillError::Unreadable { path: folder.clone(), error };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(unreadable(error)),
        };
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            let is_ours =
                path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix(identity)));
            if is_ours && path.extension().is_some_and(|extension| extension == SPILLED) {
                found.push(path);
            }
        }
    }
    // The rest of a name is made of the time.
    found.sort_by(|left, right| left.file_name().cmp(&right.file_name()));
    Ok(found)
}

/// Reads a file that this user has written: in a folder that others share, one of theirs may lie in wait.
fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it does not belong to the user that runs synapti",
        ));
    }
    fs::read(path)
}

async fn save(store: &SharedStore, path: &Path, records: &[JournalRecord]) -> Result<(), SpillError> {
    let failed = |error| SpillError::Store { path: path.to_owned(), error };
    let mut begin = 0;
    while begin < records.len() {
        let mut bytes = 0;
        let batch = records[begin..].iter().take_while(|record| {
            bytes += record.update.len();
            bytes <= RECOVER_BYTES_MAX
        });
        // A record above the bound goes alone.
        let end = begin + batch.count().max(1);
        let batch = &records[begin..end];
        if let Err(error) = store.append(batch).await {
            let known = set_strangers_aside(store, path, batch).await.map_err(failed)?;
            if known.len() == batch.len() {
                return Err(failed(error));
            }
            store.append(&known).await.map_err(failed)?;
        }
        begin = end;
    }
    Ok(())
}

/// Answers the records whose graphs the store has. One that was restored from an older backup may lack some: their records
/// must not keep the others', and every start, from going on.
async fn set_strangers_aside(
    store: &SharedStore,
    path: &Path,
    records: &[JournalRecord],
) -> Result<Vec<JournalRecord>, StoreError> {
    let mut strange = BTreeSet::new();
    for key in records.iter().map(|record| record.key.0).collect::<BTreeSet<_>>() {
        if let Err(StoreError::Gone(_)) = store.load(GraphKey(key)).await {
            strange.insert(key);
        }
    }
    let (aside, known): (Vec<_>, Vec<_>) = records.iter().cloned().partition(|record| strange.contains(&record.key.0));
    if !aside.is_empty() {
        let kept = path.with_extension(format!("{:08x}.unknown", rand::random::<u32>()));
        write(&kept, &encode(store.identity(), &aside))
            .map_err(|error| StoreError::Unusable(format!("cannot write {}: {error}", kept.display())))?;
        tracing::error!(
            records = aside.len(), path = %kept.display(),
            "edits that an earlier run could not save are of maps that the database does not have; they are kept in this file"
        );
    }
    Ok(known)
}

/// A name that no other file has, and that sorts by the time of the oldest record.
fn file_name(identity: Uuid, records: &[JournalRecord]) -> String {
    let oldest = records.first().map_or(0, |record| record.at.as_microsecond());
    format!("{}-{oldest:020}-{:08x}.{SPILLED}", prefix(identity), rand::random::<u32>())
}

/// Only the store that the records belong to finds them.
fn prefix(identity: Uuid) -> String {
    format!("synapti-{}", identity.simple())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let unfinished = path.with_extension(UNFINISHED);
    let written = (|| {
        fs::create_dir_all(folder)?;
        // For nobody else's eyes, and never through a link that somebody put there.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // It may have taken the last of the disk.
        let _ = fs::remove_file(&unfinished);
    }
    written
}
