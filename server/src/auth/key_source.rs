//! Public keys from a file or an address, kept fresh. The last good set stays while a newer one cannot be had.

use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper::Uri;
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use tokio::{fs::File, io::AsyncReadExt as _, sync::Mutex};

use super::{
    fetch,
    keys::{KeySet, KeySetError},
};
use crate::clock::Clock;

/// A key set is a page or two.
const KEY_SET_BYTES_MAX: usize = 1 << 20;

/// How often a file is read again.
const FILE_READ_EVERY: Duration = Duration::from_secs(10);

/// How often an address is asked again.
const URL_ASKED_EVERY: Duration = Duration::from_mins(5);

/// The same while it has not given any keys yet.
const URL_ASKED_FIRST_EVERY: Duration = Duration::from_secs(10);

/// Tokens with unknown keys have the source asked again at most this often.
const ASKED_FOR_UNKNOWN_KEY_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The same while there are no keys at all.
const ASKED_FIRST_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Where keys come from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// A file with a JSON Web Key Set.
    File(PathBuf),
    /// An address that gives one out.
    Url(Uri),
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The file cannot be read.
    #[error("cannot read it: {0}")]
    File(#[from] std::io::Error),
    /// It is too large to be a key set.
    #[error("it is larger than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    /// The address gave none out.
    #[error("{0}")]
    Fetch(String),
    /// What came is no key set.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
}

/// A source with the newest keys that it gave. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeySource(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: KeyPlace,
    clock: Clock,
    newest: RwLock<Option<Arc<KeySet>>>,
    /// Held by whoever asks, so that only one does.
    asking: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    last: Option<Timestamp>,
    /// Of the text that the newest keys were read from.
    hash: Option<u64>,
}

impl KeySource {
    /// A source that has not been asked yet.
    pub fn new(place: KeyPlace, clock: Clock) -> Self {
        Self(Arc::new(Inner { place, clock, newest: RwLock::default(), asking: Mutex::default() }))
    }

    /// Asks once, for a start that shall fail when a file is not what it should be. An address may be away for a while.
    ///
    /// # Errors
    /// When a file has no keys.
    pub async fn check(&self) -> Result<(), KeySourceError> {
        match self.0.place {
            KeyPlace::File(_) => self.ask(&mut *self.0.asking.lock().await).await,
            KeyPlace::Url(_) => Ok(()),
        }
    }

    /// The newest keys.
    pub fn newest(&self) -> Option<Arc<KeySet>> {
        self.0.newest.read().clone()
    }

    /// Newer keys than `seen`, which lacks one; asks for them unless that was done a moment ago. Who comes while another one
    /// asks waits for the same answer.
    pub async fn newer_than(&self, seen: Option<&Arc<KeySet>>) -> Option<Arc<KeySet>> {
        let mut asked = self.0.asking.lock().await;
        let is_newer = |newest: &Arc<KeySet>| seen.is_none_or(|seen| !Arc::ptr_eq(seen, newest));
        if let Some(newest) = self.newest().filter(is_newer) {
            return Some(newest);
        }
        let every = if seen.is_some() { ASKED_FOR_UNKNOWN_KEY_EVERY } else { ASKED_FIRST_EVERY };
        let now = self.0.clock.now();
        if asked.last.is_some_and(|last| now.duration_since(last) < every) {
            return None;
        }
        self.ask_and_log(&mut asked).await;
        self.newest().filter(is_newer)
    }

    /// Asks again and again; ends only by being dropped.
    pub async fn keep_fresh(self) {
        loop {
            self.ask_and_log(&mut *self.0.asking.lock().await).await;
            let pause = match (&self.0.place, self.newest()) {
                (KeyPlace::File(_), _) => FILE_READ_EVERY,
                (KeyPlace::Url(_), None) => URL_ASKED_FIRST_EVERY,
                (KeyPlace::Url(_), Some(_)) => URL_ASKED_EVERY,
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask_and_log(&self, asked: &mut Asked) {
        if let Err(error) = self.ask(asked).await {
            let consequence = match self.newest() {
                Some(_) => "the keys that were read last stay in use",
                None => "tokens that are signed with RS256 or ES256 are answered with 503 until it works",
            };
            tracing::warn!(place = %self.0.place, %error, "no newer keys for tokens: {consequence}");
        }
    }

    async fn ask(&self, asked: &mut Asked) -> Result<(), KeySourceError> {
        asked.last = Some(self.0.clock.now());
        let text = self.0.place.read().await?;
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = Some(hasher.finish());
        if asked.hash == hash {
            return Ok(());
        }
        let read = KeySet::read(&text)?;
        asked.hash = hash;
        for ignored in read.ignored {
            tracing::warn!(place = %self.0.place, "{ignored}");
        }
        tracing::info!(place = %self.0.place, keys = read.keys.len(), "keys for tokens are read");
        *self.0.newest.write() = Some(Arc::new(read.keys));
        Ok(())
    }
}

impl KeyPlace {
    async fn read(&self) -> Result<Vec<u8>, KeySourceError> {
        match self {
            Self::File(path) => {
                let mut text = Vec::new();
                File::open(path).await?.take(KEY_SET_BYTES_MAX as u64 + 1).read_to_end(&mut text).await?;
                if text.len() > KEY_SET_BYTES_MAX { Err(KeySourceError::TooLarge) } else { Ok(text) }
            }
            Self::Url(uri) => match fetch::get(uri, KEY_SET_BYTES_MAX).await {
                Ok(body) => Ok(body.to_vec()),
                Err(error) => Err(KeySourceError::Fetch(error.to_string())),
            },
        }
    }
}

impl fmt::Display for KeyPlace {
    /// A URL without its query, which may hold a key of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(uri) => {
                let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority());
                write!(f, "{scheme}://{}{}", authority.map_or("", |authority| authority.as_str()), uri.path())
            }
        }
    }
}

impl fmt::Debug for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
