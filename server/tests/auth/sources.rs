//! Public keys from files and addresses.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm as Signing, EncodingKey, crypto::sign, jwk::Jwk};
use parking_lot::Mutex;
use serde_json::{Value, json};
use synapti_server::{
    auth::{
        Access, Authenticator, Credential, Denied,
        jws::TokenError,
        key_source::{KeyPlace, KeySource},
    },
    clock::Clock,
    config::Config,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

const NOW: i64 = 1_800_000_000;

/// A key pair on P-256 with a name.
struct Issuer {
    kid: &'static str,
    key: EncodingKey,
}

impl Issuer {
    fn new(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { kid, key: EncodingKey::from_ec_der(pair.as_ref()) }
    }

    fn public(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, Signing::ES256).unwrap()).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    fn token(&self, kid: Option<&str>) -> String {
        let mut header = json!({"alg": "ES256"});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let claims = json!({"sub": "ada", "exp": NOW + 100_000});
        let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        format!("{signed}.{}", sign(signed.as_bytes(), &self.key, Signing::ES256).unwrap())
    }
}

fn set(issuers: &[&Issuer]) -> String {
    json!({"keys": issuers.iter().map(|issuer| issuer.public()).collect::<Vec<_>>()}).to_string()
}

/// Somebody who gives a text out over HTTP, and counts how often.
struct Site {
    url: String,
    says: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Site {
    /// `says` is the whole response.
    async fn saying(says: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let (says, asked) = (Arc::new(Mutex::new(says)), Arc::new(AtomicUsize::new(0)));
        let (answer, count) = (says.clone(), asked.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                assert!(request.starts_with(b"GET /keys HTTP/1.1\r\n"));
                count.fetch_add(1, Ordering::Relaxed);
                let answer = answer.lock().clone();
                // A client that has had enough may be gone.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, says, asked, _serving: serving }
    }

    fn times_asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Checks tokens with keys from a place, at a time that the test moves.
struct Gate {
    authenticator: Authenticator,
    now: Arc<AtomicI64>,
}

impl Gate {
    fn with_keys_from(place: &str) -> Self {
        let now = Arc::new(AtomicI64::new(NOW));
        let shown = now.clone();
        let clock = Clock::from_fn(move || Timestamp::from_second(shown.load(Ordering::Relaxed)).unwrap());
        let env = [("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_JWKS", place)];
        let config = Config::load(None, env, &[]).unwrap();
        Self { authenticator: Authenticator::new(&config.auth, clock), now }
    }

    async fn show(&self, token: &str) -> Result<Access, TokenError> {
        match self.authenticator.access(Some(Credential::Token(token)), None).await {
            Ok(access) => Ok(access),
            Err(Denied::Token(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    async fn opens(&self, token: &str) -> bool {
        self.show(token).await.is_ok()
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn file_source(path: &Path) -> KeySource {
    KeySource::new(KeyPlace::File(path.to_owned()), Clock::system())
}

#[tokio::test]
async fn keys_come_from_an_address_and_are_asked_for_once() {
    let issuer = Issuer::new("one");
    let site = Site::saying(ok(&set(&[&issuer]))).await;
    let gate = Gate::with_keys_from(&site.url);
    for kid in [Some("one"), None] {
        assert_eq!(gate.show(&issuer.token(kid)).await.unwrap().client(), Some("ada"));
    }
    assert_eq!(site.times_asked(), 1);
    let stranger = Issuer::new("one");
    assert_eq!(gate.show(&stranger.token(Some("one"))).await.unwrap_err(), TokenError::Signature);
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_at_most_once_a_minute() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let site = Site::saying(ok(&set(&[&old]))).await;
    let gate = Gate::with_keys_from(&site.url);
    assert!(gate.opens(&old.token(Some("old"))).await);
    *site.says.lock() = ok(&set(&[&old, &new]));
    assert_eq!(gate.show(&new.token(Some("new"))).await.unwrap_err(), TokenError::UnknownKey);
    assert_eq!(site.times_asked(), 1);
    gate.pass(60);
    assert!(gate.opens(&new.token(Some("new"))).await);
    for _ in 0..10 {
        assert_eq!(gate.show(&new.token(Some("other"))).await.unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(gate.show(&new.token(None)).await.unwrap_err(), TokenError::UnnamedKey);
    assert_eq!(site.times_asked(), 2);
    // The provider is away: the last keys stay.
    *site.says.lock() = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned();
    gate.pass(60);
    assert_eq!(gate.show(&new.token(Some("other"))).await.unwrap_err(), TokenError::UnknownKey);
    assert!(gate.opens(&new.token(Some("new"))).await && gate.opens(&old.token(Some("old"))).await);
    assert_eq!(site.times_asked(), 3);
}

#[tokio::test]
async fn without_keys_so_far_the_answer_is_to_try_again() {
    let issuer = Issuer::new("one");
    let large = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat((1 << 20) + 1));
    let moved = "HTTP/1.1 302 Found\r\nlocation: /keys\r\ncontent-length: 0\r\n\r\n".to_owned();
    for bad in [ok("{}"), ok("not json"), ok(r#"{"keys":[]}"#), moved, large, "nonsense\r\n\r\n".to_owned()] {
        let site = Site::saying(bad.clone()).await;
        let gate = Gate::with_keys_from(&site.url);
        let shown = &bad[..bad.len().min(80)];
        assert_eq!(gate.show(&issuer.token(None)).await.unwrap_err(), TokenError::NoKeysYet, "{shown}");
        assert_eq!(gate.show(&issuer.token(None)).await.unwrap_err(), TokenError::NoKeysYet, "{shown}");
        assert_eq!(site.times_asked(), 1, "{shown}");
        *site.says.lock() = ok(&set(&[&issuer]));
        gate.pass(10);
        assert!(gate.opens(&issuer.token(None)).await, "{shown}");
    }
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    fs::write(&path, set(&[&old])).unwrap();
    let gate = Gate::with_keys_from(path.to_str().unwrap());
    gate.authenticator.key_source().unwrap().check().await.unwrap();
    assert!(gate.opens(&old.token(Some("old"))).await);
    fs::write(&path, set(&[&new])).unwrap();
    gate.pass(60);
    assert!(gate.opens(&new.token(Some("new"))).await);
    assert_eq!(gate.show(&old.token(Some("old"))).await.unwrap_err(), TokenError::UnknownKey);
    fs::remove_file(&path).unwrap();
    gate.pass(60);
    assert_eq!(gate.show(&old.token(Some("old"))).await.unwrap_err(), TokenError::UnknownKey);
    assert!(gate.opens(&new.token(Some("new"))).await);
}

#[tokio::test(start_paused = true)]
async fn keys_are_kept_fresh_without_being_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, set(&[&Issuer::new("a")])).unwrap();
    let source = file_source(&path);
    let mut keeping = JoinSet::new();
    keeping.spawn(source.clone().keep_fresh());
    let passing = || tokio::time::sleep(std::time::Duration::from_secs(1));
    // Paused: a second passes when nothing else is left to do.
    while source.newest().is_none() {
        passing().await;
    }
    fs::write(&path, set(&[&Issuer::new("a"), &Issuer::new("b")])).unwrap();
    while source.newest().unwrap().len() < 2 {
        passing().await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_key_set_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let why = async || file_source(&path).check().await.unwrap_err().to_string();
    assert!(why().await.contains("cannot read it"));
    for (text, word) in [
        ("[]", "not a JSON Web Key Set"),
        (r#"{"keys": []}"#, "no key for RS256 or ES256"),
        (r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#, "auth.secret"),
    ] {
        fs::write(&path, text).unwrap();
        let why = why().await;
        assert!(why.contains(word) && !why.contains("c2VjcmV0"), "{why}");
    }
    fs::write(&path, " ".repeat((1 << 20) + 1)).unwrap();
    assert!(why().await.contains("larger"));
    let one = Issuer::new("one");
    fs::write(&path, set(&[&one, &one, &Issuer::new("two")])).unwrap();
    let source = file_source(&path);
    source.check().await.unwrap();
    assert_eq!(source.newest().unwrap().len(), 1);
}
