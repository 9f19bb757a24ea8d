//! The keys that tokens are checked with.

use std::fmt;

use jsonwebtoken::{Algorithm as Signing, DecodingKey};

use super::jwk::{self, Refused};

/// Keys of one set; an identity provider has a handful.
const KEYS_MAX: usize = 100;

/// A shorter secret could be found by trying (RFC 7518, section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// How tokens may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: with a secret that issuer and server share.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

/// One key, for one algorithm. `Debug` does not show it.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// Public keys, most with a name.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<(Option<String>, Key)>);

/// A key set that was read, and why keys of it are left out.
#[derive(Debug)]
pub struct ReadKeySet {
    /// The keys that can be used.
    pub keys: KeySet,
    /// One line for each key that cannot be.
    pub ignored: Vec<String>,
}

/// The text is no key set.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON, or JSON of another shape.
    #[error("it is not a JSON Web Key Set, an object with the array `keys`")]
    Malformed,
    /// More than [`KEYS_MAX`].
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
    /// Nothing that could check a token.
    #[error("it has no key for RS256 or ES256 that can be used ({0})")]
    Empty(String),
}

/// Why a set has no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyless {
    /// None with this name, or none for the algorithm.
    Unknown,
    /// The one with this name is for another algorithm.
    OtherAlgorithm,
    /// The token names none, and several would do.
    Several,
}

impl Algorithm {
    /// The algorithm with this name; `None` for those that are not taken, `none` among them.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

impl From<Algorithm> for Signing {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Es256 => Self::ES256,
        }
    }
}

impl Key {
    /// A shared secret; `None` when it is too short to be one.
    pub fn secret(bytes: &[u8]) -> Option<Self> {
        let decoding = || DecodingKey::from_secret(bytes);
        (bytes.len() >= SECRET_BYTES_MIN).then(|| Self { algorithm: Algorithm::Hs256, decoding: decoding() })
    }

    /// A public key that was checked.
    pub(super) fn public(algorithm: Algorithm, decoding: DecodingKey) -> Self {
        Self { algorithm, decoding }
    }

    /// What it is for, and nothing else.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.algorithm)
    }
}

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517). Keys that are of no use here are left out: a set may serve others as well.
    ///
    /// # Errors
    /// When it is none, or nothing of it is left.
    pub fn read(json: &[u8]) -> Result<ReadKeySet, KeySetError> {
        let set: serde_json::Value = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        let keys = set.get("keys").and_then(serde_json::Value::as_array).ok_or(KeySetError::Malformed)?;
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let mut read: Vec<(usize, Option<String>, Key)> = Vec::new();
        let mut ignored = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            match jwk::key(key) {
                Ok((kid, key)) => read.push((at, kid, key)),
                Err(refused) => ignored.push(line(at, refused)),
            }
        }
        // Two keys with one name: there is no telling which one a token means.
        let is_twice =
            |kid: &Option<String>| kid.is_some() && read.iter().filter(|(_, other, _)| other == kid).count() > 1;
        let (twice, once): (Vec<_>, Vec<_>) = read.iter().cloned().partition(|(_, kid, _)| is_twice(kid));
        ignored.extend(twice.iter().map(|(at, _, _)| line(*at, Refused("another key has the same `kid`"))));
        if once.is_empty() {
            return Err(KeySetError::Empty(ignored.join("; ")));
        }
        Ok(ReadKeySet { keys: Self(once.into_iter().map(|(_, kid, key)| (kid, key)).collect()), ignored })
    }

    /// The key with this name, which has to be for this algorithm. A token without a name gets the only one that there is for
    /// its algorithm.
    ///
    /// # Errors
    /// When there is none, or no telling which.
    pub fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<&Key, Keyless> {
        let Some(kid) = kid else {
            let mut fitting = self.0.iter().filter(|(_, key)| key.algorithm == algorithm);
            return match (fitting.next(), fitting.next()) {
                (Some((_, key)), None) => Ok(key),
                (None, _) => Err(Keyless::Unknown),
                (Some(_), Some(_)) => Err(Keyless::Several),
            };
        };
        let named = self.0.iter().find(|(name, _)| name.as_deref() == Some(kid)).ok_or(Keyless::Unknown)?;
        if named.1.algorithm == algorithm { Ok(&named.1) } else { Err(Keyless::OtherAlgorithm) }
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn line(at: usize, refused: Refused) -> String {
    format!("key {} is left out: {}", at + 1, refused.0)
}
