//! What a token has to say, and what comes of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use synapti_server::auth::{
    access::Grant,
    claims::{Expected, grant},
    jws::TokenError,
    role::Role,
};

const NOW: i64 = 1_800_000_000;

fn read(claims: &Value) -> Result<Grant, TokenError> {
    read_expecting(claims, &Expected::default())
}

fn read_expecting(claims: &Value, expected: &Expected) -> Result<Grant, TokenError> {
    grant(claims.to_string().as_bytes(), expected, Timestamp::from_second(NOW).unwrap())
}

/// Claims that are fine, with some changed; null takes one away.
fn with(changes: &Value) -> Value {
    let mut claims = json!({"sub": "ada", "exp": NOW + 60});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn why(changes: &Value) -> String {
    read(&with(changes)).expect_err("should have been refused").to_string()
}

#[test]
fn a_token_says_who_and_what() {
    let claims = with(&json!({
        "name": " Ada\n Lovelace ", "role": "user", "graphs": {"*": "viewer", "engine": "owner"}, "iat": 1, "jti": "x", "azp": [1],
    }));
    let grant = read(&claims).unwrap();
    assert_eq!((grant.client.as_str(), grant.display_name.as_deref()), ("ada", Some("Ada Lovelace")));
    assert_eq!((grant.everywhere, grant.is_admin), (Some(Role::Viewer), false));
    assert_eq!(grant.graphs, [("engine".parse().unwrap(), Role::Owner)].into());
    assert_eq!(grant.expires_at.unwrap().as_second(), NOW + 60);
    let admin = read(&with(&json!({"role": "admin"}))).unwrap();
    assert!(admin.is_admin && admin.graphs.is_empty() && admin.everywhere.is_none());
    assert_eq!(read(&with(&json!({"name": "x".repeat(300)}))).unwrap().display_name.unwrap().len(), 200);
    assert_eq!(read(&with(&json!({"name": " \u{7}"}))).unwrap().display_name, None);
}

#[test]
fn time_is_taken_with_ten_seconds_of_patience() {
    assert!(read(&with(&json!({"exp": NOW - 9}))).is_ok());
    assert_eq!(read(&with(&json!({"exp": NOW - 10}))), Err(TokenError::Expired));
    assert!(read(&with(&json!({"nbf": NOW + 10, "exp": NOW + 60}))).is_ok());
    assert_eq!(read(&with(&json!({"nbf": NOW + 11}))), Err(TokenError::NotYet));
    assert!(read(&with(&json!({"exp": NOW as f64 + 0.5}))).is_ok());
    assert_eq!(read(&with(&json!({"exp": 1e300}))).unwrap().expires_at, Some(Timestamp::MAX));
    assert_eq!(read(&with(&json!({"exp": u64::MAX}))).unwrap().expires_at, Some(Timestamp::MAX));
    for long_ago in [json!(-1e300), json!(i64::MIN), json!(0), json!(-1)] {
        assert_eq!(read(&with(&json!({"exp": long_ago}))), Err(TokenError::Expired));
    }
    let almost = SignedDuration::from_secs(60);
    let end = read(&with(&json!({}))).unwrap().expires_at.unwrap();
    assert_eq!(end.duration_since(Timestamp::from_second(NOW).unwrap()), almost);
}

#[test]
fn claims_that_are_not_valid_are_refused_with_the_reason() {
    for (changes, word) in [
        (json!({"exp": null}), "`exp` is missing"),
        (json!({"exp": "tomorrow"}), "not an object with sub"),
        (json!({"sub": null}), "`sub`"),
        (json!({"sub": ""}), "`sub`"),
        (json!({"sub": 7}), "not an object with sub"),
        (json!({"sub": "x".repeat(257)}), "`sub`"),
        (json!({"role": "root"}), "`role`"),
        (json!({"role": "editor"}), "`graphs`"),
        (json!({"graphs": {"m": "king"}}), "none of owner"),
        (json!({"graphs": {"a b": "owner"}}), "graph id"),
        (json!({"graphs": {"": "owner"}}), "graph id"),
        (json!({"graphs": ["m"]}), "not an object with sub"),
    ] {
        let reason = why(&changes);
        assert!(reason.contains(word), "{changes}: {reason}");
    }
    let many: serde_json::Map<String, Value> = (0..1001).map(|n| (format!("m{n}"), json!("viewer"))).collect();
    assert!(why(&json!({"graphs": many})).contains("1000"));
    for text in ["", "null", "[]", "{", "\"ada\"", "{\"sub\":\"a\",\"sub\":\"b\",\"exp\":9999999999}"] {
        let read = grant(text.as_bytes(), &Expected::default(), Timestamp::UNIX_EPOCH);
        assert!(matches!(read, Err(TokenError::Claims(_))), "{text}");
    }
}

#[test]
fn issuer_and_audience_count_where_they_are_set() {
    let expected = Expected { issuer: Some("https://id.example".into()), audience: Some("maps".into()) };
    let read = |iss: Value, aud: Value| read_expecting(&with(&json!({"iss": iss, "aud": aud})), &expected);
    assert!(read(json!("https://id.example"), json!("maps")).is_ok());
    assert!(read(json!("https://id.example"), json!(["mail", "maps"])).is_ok());
    for (iss, aud, word) in [
        (json!(null), json!("maps"), "iss"),
        (json!("https://id.example/"), json!("maps"), "iss"),
        (json!("https://id.example"), json!(null), "aud"),
        (json!("https://id.example"), json!("map"), "aud"),
        (json!("https://id.example"), json!([]), "aud"),
    ] {
        let reason = read(iss, aud).unwrap_err().to_string();
        assert!(reason.contains(word), "{reason}");
    }
    assert!(super::claims::read(&with(&json!({"iss": "anybody", "aud": "anything"}))).is_ok());
}
