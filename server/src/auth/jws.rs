//! Signed texts in compact form (RFC 7515): `header.payload.signature`, each base64url without padding.
//!
//! Only three algorithms are known, and the key says which one it is for: a header that names another is refused, so
//! that nobody can have a public key taken for a secret, or none be needed at all.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::verify;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::keys::{Algorithm, Key, KeySet, Keyless};

/// Longer ones are not looked at. Headers and URLs are not much longer either.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Why a token is refused. Says nothing of what is in it: it may be shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not three parts in base64url, or a header that is not what one should be.
    #[error("the token is not a JWT: header.payload.signature in base64url, whole and unchanged")]
    Malformed,
    /// The header says that it has to be understood in a way that is not known here.
    #[error("the token's header has `crit`: this server knows no extensions of tokens")]
    Critical,
    /// Not one of ours.
    #[error(
        "the token is signed with an algorithm that this server takes no tokens of: HS256, RS256 and ES256 are known, and taken \
             when there is a key for them"
    )]
    Algorithm,
    /// No key of ours goes with it.
    #[error("the token is signed with a key that this server does not know")]
    UnknownKey,
    /// Several keys of ours could go with it.
    #[error("the token does not name its key (`kid`), and this server has several for its algorithm")]
    UnnamedKey,
    /// Not signed with the key that it names, or changed since.
    #[error("the token's signature is wrong")]
    Signature,
    /// No keys could be had yet.
    #[error("the server has not been able to get the keys that tokens are checked with: try again")]
    NoKeysYet,
    /// What it says is not what a token of ours says.
    #[error("the token's claims are not valid: {0}")]
    Claims(&'static str),
    /// Its time is over.
    #[error("token expired")]
    Expired,
    /// Its time is to come.
    #[error("the token is not valid yet (`nbf`)")]
    NotYet,
}

/// A token taken apart, and not yet believed.
#[derive(Debug)]
pub struct Compact<'a> {
    header: Header,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: Present,
}

/// Whether a member is there, whatever its value; `Option` would take null for absent.
#[derive(Debug, Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl<'a> Compact<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (head, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let header: Header = serde_json::from_slice(&decode(head)?).map_err(|_| TokenError::Malformed)?;
        if header.crit.0 {
            return Err(TokenError::Critical);
        }
        Ok(Self { header, signed, payload, signature })
    }

    /// The algorithm that it claims to be signed with.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn algorithm(&self) -> Result<Algorithm, TokenError> {
        Algorithm::from_name(&self.header.alg).ok_or(TokenError::Algorithm)
    }

    /// The key of a set that it is to be checked with.
    ///
    /// # Errors
    /// When there is none, or no telling which.
    pub fn key<'k>(&self, keys: &'k KeySet) -> Result<&'k Key, TokenError> {
        keys.find(self.algorithm()?, self.header.kid.as_deref()).map_err(|why| match why {
            Keyless::Unknown => TokenError::UnknownKey,
            Keyless::OtherAlgorithm => TokenError::Algorithm,
            Keyless::Several => TokenError::UnnamedKey,
        })
    }

    /// What it says, if the key has signed it.
    ///
    /// # Errors
    /// When it has not.
    pub fn verify(&self, key: &Key) -> Result<Vec<u8>, TokenError> {
        if self.algorithm()? != key.algorithm() {
            return Err(TokenError::Algorithm);
        }
        let payload = decode(self.payload)?;
        // The library is less strict: it would take padding.
        decode(self.signature)?;
        let is_signed = verify(self.signature, self.signed.as_bytes(), key.decoding(), key.algorithm().into());
        if is_signed.unwrap_or(false) { Ok(payload) } else { Err(TokenError::Signature) }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}
