//! One public key in JSON (RFC 7517), checked before it is trusted.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::{
    keys::{Algorithm, Key},
    roca,
};

/// A shorter RSA key can be broken.
const RSA_BITS_MIN: usize = 2048;

/// A longer one would make each check slow, and the library refuses it.
const RSA_BITS_MAX: usize = 8192;

/// A coordinate of P-256.
const P256_BYTES: usize = 32;

/// Why a key is of no use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

/// The members that matter. Private ones are not read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The key and its name.
///
/// # Errors
/// Why it cannot check tokens.
pub fn key(json: &Value) -> Result<(Option<String>, Key), Refused> {
    let jwk = Jwk::deserialize(json).map_err(|_| Refused("it is not a JSON Web Key"))?;
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err(Refused("it is not for signatures (`use`)"));
    }
    if jwk.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
        return Err(Refused("it is not for checking signatures (`key_ops`)"));
    }
    let (algorithm, decoding) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => (Algorithm::Rs256, rsa(&jwk)?),
        ("EC", Some("P-256")) => (Algorithm::Es256, p256(&jwk)?),
        ("EC", _) => return Err(Refused("its curve is not P-256")),
        ("oct", _) => return Err(Refused("it is a secret: set that as auth.secret")),
        _ => return Err(Refused("its type (`kty`) is neither RSA nor EC")),
    };
    if jwk.alg.as_deref().is_some_and(|alg| Algorithm::from_name(alg) != Some(algorithm)) {
        return Err(Refused("its algorithm (`alg`) is neither RS256 nor ES256, or is not one of its type"));
    }
    Ok((jwk.kid, Key::public(algorithm, decoding)))
}

fn rsa(jwk: &Jwk) -> Result<DecodingKey, Refused> {
    let (modulus, exponent) = (unsigned(jwk.n.as_deref())?, unsigned(jwk.e.as_deref())?);
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if bits < RSA_BITS_MIN {
        return Err(Refused("it is shorter than 2048 bits"));
    }
    if bits > RSA_BITS_MAX {
        return Err(Refused("it is longer than 8192 bits"));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    // With an exponent of 1 everything would be its own signature.
    if !is_odd(&exponent) || exponent == [1] || !is_odd(&modulus) {
        return Err(Refused("its modulus or exponent is not one of an RSA key"));
    }
    if roca::is_weak(&modulus) {
        return Err(Refused("it was made by hardware whose keys can be broken (CVE-2017-15361)"));
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn p256(jwk: &Jwk) -> Result<DecodingKey, Refused> {
    let coordinate = |text: Option<&str>| {
        let bytes = decode(text)?;
        if bytes.len() == P256_BYTES { Ok(bytes) } else { Err(Refused("a coordinate does not have 32 bytes")) }
    };
    let (x, y) = (coordinate(jwk.x.as_deref())?, coordinate(jwk.y.as_deref())?);
    // A point in uncompressed form. That it is on the curve is checked with each signature.
    Ok(DecodingKey::from_ec_der(&[&[4], x.as_slice(), &y].concat()))
}

/// A number without leading zeros.
fn unsigned(text: Option<&str>) -> Result<Vec<u8>, Refused> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}

fn decode(text: Option<&str>) -> Result<Vec<u8>, Refused> {
    let text = text.ok_or(Refused("it lacks a member of its type"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused("a member is not base64url"))
}
