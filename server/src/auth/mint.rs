//! Makes tokens: for `synapti token` and for tests.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use serde::Serialize;
use serde_json::{Map, Value};

/// What a token is to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewToken {
    /// Who holds it.
    pub sub: String,
    /// What people call them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `user` or `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Graph id or `*` to role.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub graphs: Map<String, Value>,
    /// Who made it, where issuers are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Whom it is for, where that is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

impl NewToken {
    /// A token for somebody that grants nothing yet.
    pub fn new(sub: &str, now: Timestamp, lasts_seconds: u32) -> Self {
        let iat = now.as_second();
        Self {
            sub: sub.to_owned(),
            name: None,
            role: None,
            graphs: Map::new(),
            iss: None,
            aud: None,
            iat,
            exp: iat + i64::from(lasts_seconds),
        }
    }

    /// The token, signed with the secret (HS256).
    pub fn sign(&self, secret: &str) -> String {
        let claims = serde_json::to_vec(self).expect("texts and numbers serialise");
        sign_claims(&claims, secret)
    }
}

/// Any claims, signed with the secret (HS256).
pub fn sign_claims(claims: &[u8], secret: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = sign(signed.as_bytes(), &key, Algorithm::HS256).expect("any bytes can be a secret");
    format!("{signed}.{signature}")
}
