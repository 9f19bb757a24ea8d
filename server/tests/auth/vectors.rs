//! The vectors of project Wycheproof for signed texts and key sets.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use synapti_server::auth::{
    jws::{Compact, TokenError},
    keys::{Algorithm, Key, KeySet},
};

const SIGNATURES: &str = include_str!("../data/wycheproof/json_web_signature_test.json");
const KEYS: &str = include_str!("../data/wycheproof/json_web_key_test.json");

/// Signed texts that the vectors call valid and that are refused here: a character outside of base64url within the text
/// is to be skipped according to them. RFC 7515, section 2, has it refused.
const STRICTER: [u64; 2] = [372, 373];

/// Signed texts that the vectors call invalid because of their padding, and that are letter for letter the valid case 357.
const SAME_AS_A_VALID_ONE: [u64; 2] = [367, 370];

/// Valid ones of algorithms that are not taken here: RS384, RS512, PS256, PS384, PS512 and ES512.
const OTHER_ALGORITHMS: [&str; 6] = ["RS384", "RS512", "PS256", "PS384", "PS512", "ES512"];

/// What has been done with the cases, by name of the outcome.
type Tally = BTreeMap<&'static str, u32>;

fn groups(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["testGroups"].as_array().unwrap().clone()
}

/// The keys of a group as a server would have them: one secret, or a public key set.
enum Keys {
    Secret(Option<Key>),
    Set(Option<KeySet>),
}

impl Keys {
    fn of(group: &Value) -> Self {
        let keys = group.get("public").unwrap_or(&group["private"]);
        let keys = if keys.get("keys").is_some() { keys.clone() } else { json!({ "keys": [keys] }) };
        match keys["keys"].as_array().unwrap().as_slice() {
            // Secrets come one by one, as a setting; the name of their algorithm is checked here for the setting's sake.
            [key] if key["kty"] == "oct" => {
                let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str().unwrap()).unwrap();
                Self::Secret(Key::secret(&secret).filter(|_| key["alg"] == "HS256"))
            }
            _ => Self::Set(KeySet::read(keys.to_string().as_bytes()).ok().map(|read| read.keys)),
        }
    }

    fn verify(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        let token = Compact::parse(token)?;
        match self {
            Self::Secret(Some(key)) => token.verify(key),
            Self::Set(Some(keys)) => token.verify(token.key(keys)?),
            Self::Secret(None) | Self::Set(None) => Err(TokenError::UnknownKey),
        }
    }
}

fn algorithm_in(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["alg"].as_str().unwrap().to_owned()
}

fn check(text: &str) -> Tally {
    let mut tally = Tally::new();
    for group in groups(text) {
        let keys = Keys::of(&group);
        for case in group["tests"].as_array().unwrap() {
            let (id, token) = (case["tcId"].as_u64().unwrap(), case["jws"].as_str().unwrap());
            let outcome = keys.verify(token);
            let name = format!("case {id} ({}, {}): {outcome:?}", group["comment"], case["comment"]);
            let done = match case["result"].as_str().unwrap() {
                "invalid" if SAME_AS_A_VALID_ONE.contains(&id) && outcome.is_ok() => "same as a valid one",
                "invalid" => {
                    assert!(outcome.is_err(), "{name}");
                    "refused"
                }
                _ if STRICTER.contains(&id) => {
                    assert_eq!(outcome, Err(TokenError::Malformed), "{name}");
                    "stricter"
                }
                _ if outcome.is_ok() => "accepted",
                _ => {
                    let algorithm = algorithm_in(token);
                    let is_other = OTHER_ALGORITHMS.contains(&algorithm.as_str()) || algorithm.starts_with("HS");
                    assert!(is_other && Algorithm::from_name(&algorithm).is_none(), "{name}");
                    "other algorithm"
                }
            };
            *tally.entry(done).or_default() += 1;
        }
    }
    tally
}

#[test]
fn what_is_signed_is_accepted_and_nothing_else() {
    let tally = check(SIGNATURES);
    assert_eq!(tally.values().sum::<u32>(), 401, "{tally:?}");
    assert_eq!((tally["refused"], tally["same as a valid one"]), (353, 2), "{tally:?}");
    assert_eq!((tally["accepted"], tally["stricter"], tally["other algorithm"]), (18, 2, 26), "{tally:?}");
    let cases: Vec<Value> =
        groups(SIGNATURES).iter().flat_map(|group| group["tests"].as_array().unwrap().clone()).collect();
    let text = |id: u64| cases.iter().find(|case| case["tcId"] == id).unwrap()["jws"].clone();
    assert!(SAME_AS_A_VALID_ONE.iter().all(|id| text(*id) == text(357)));
}

/// One case is left out: a set of two secrets (`jws_keyset`). There is one secret here, and key sets hold public keys.
#[test]
fn keys_that_should_not_be_trusted_are_not() {
    let tally = check(&KEYS.replacen("\"result\": \"valid\"", "\"result\": \"invalid\"", 1));
    assert_eq!(tally.values().sum::<u32>(), 26, "{tally:?}");
    assert_eq!((tally["accepted"], tally["other algorithm"]), (2, 2), "{tally:?}");
}

/// The payload of the only example of RFC 7520 that is signed with RS256, to the letter.
#[test]
fn what_comes_out_is_what_was_signed() {
    let group = groups(SIGNATURES).into_iter().find(|group| group["comment"] == "rfc7520").unwrap();
    let token = group["tests"][0]["jws"].as_str().unwrap();
    let payload = Keys::of(&group).verify(token).unwrap();
    assert!(String::from_utf8(payload).unwrap().starts_with("It\u{2019}s a dangerous business, Frodo"));
}
