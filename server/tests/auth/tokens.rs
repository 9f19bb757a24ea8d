//! From what a client shows to what it may do.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use serde_json::json;
use synapti_protocol::graph_id::GraphId;
use synapti_server::{
    auth::{
        Access, Authenticator, Credential, Denied,
        jws::TokenError,
        mint::{NewToken, sign_claims},
        tickets::Ticket,
    },
    clock::Clock,
    config::Config,
};

const SECRET: &str = "correct horse battery staple 0123456789";

/// Somebody who checks tokens, with a clock that the test moves.
struct Gate {
    authenticator: Authenticator,
    now: Arc<AtomicI64>,
}

impl Gate {
    fn with(env: &[(&str, &str)]) -> Self {
        let now = Arc::new(AtomicI64::new(1_800_000_000));
        let shown = now.clone();
        let clock = Clock::from_fn(move || Timestamp::from_second(shown.load(Ordering::Relaxed)).unwrap());
        let config = Config::load(None, env.iter().copied(), &[]).unwrap();
        Self { authenticator: Authenticator::new(&config.auth, clock), now }
    }

    fn required() -> Self {
        Self::with(&[("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_SECRET", SECRET)])
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.now.load(Ordering::Relaxed)).unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    fn token(&self, lasts_seconds: u32) -> String {
        NewToken::new("ada", self.now(), lasts_seconds).sign(SECRET)
    }

    async fn show(&self, shown: Credential<'_>) -> Result<Access, Denied> {
        self.authenticator.access(Some(shown), None).await
    }
}

#[tokio::test]
async fn a_good_token_opens_and_others_do_not() {
    let gate = Gate::required();
    let token = gate.token(60);
    let access = gate.show(Credential::Token(&token)).await.unwrap();
    assert_eq!(access.client(), Some("ada"));
    assert!(access.role_in(&"m".parse().unwrap()).is_none() && !access.is_admin());
    gate.pass(69);
    assert!(gate.show(Credential::Token(&token)).await.is_ok());
    gate.pass(1);
    assert_eq!(gate.show(Credential::Token(&token)).await.unwrap_err(), Denied::Token(TokenError::Expired));
    let forged = NewToken::new("ada", gate.now(), 60).sign("another secret of more than 32 bytes");
    assert_eq!(gate.show(Credential::Token(&forged)).await.unwrap_err(), Denied::Token(TokenError::Signature));
    assert_eq!(gate.authenticator.access(None, None).await.unwrap_err(), Denied::NothingShown);
    for (token, error) in [
        ("", TokenError::Malformed),
        ("a.b", TokenError::Malformed),
        ("a.b.c.d", TokenError::Malformed),
        // {"alg":"none"}.{}
        ("eyJhbGciOiJub25lIn0.e30.", TokenError::Algorithm),
        // {"alg":"HS256","crit":null}
        ("eyJhbGciOiJIUzI1NiIsImNyaXQiOm51bGx9.e30.AAAA", TokenError::Critical),
        // {"alg":"RS256"}, and no keys for it
        ("eyJhbGciOiJSUzI1NiJ9.e30.AAAA", TokenError::Algorithm),
        (&"x".repeat(9 << 10), TokenError::TooLong),
    ] {
        assert_eq!(gate.show(Credential::Token(token)).await.unwrap_err(), Denied::Token(error), "{token}");
    }
}

#[tokio::test]
async fn no_reason_repeats_what_was_shown() {
    let gate = Gate::required();
    for claims in [json!({"sub": "hunter2"}), json!({"sub": "x", "exp": 9e9, "role": "hunter2", "graphs": {}})] {
        let token = sign_claims(claims.to_string().as_bytes(), SECRET);
        let reason = gate.show(Credential::Token(&token)).await.unwrap_err().to_string();
        assert!(!reason.contains("hunter2") && !reason.contains(&token), "{reason}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_ends_within_the_hour() {
    let gate = Gate::required();
    let (short, long) = (gate.token(3600), gate.token(3601));
    assert!(gate.show(Credential::TokenInUrl(&short)).await.is_ok());
    assert_eq!(gate.show(Credential::TokenInUrl(&long)).await.unwrap_err(), Denied::TooLongInUrl);
    assert!(gate.show(Credential::Token(&long)).await.is_ok());
    gate.pass(1);
    assert!(gate.show(Credential::TokenInUrl(&long)).await.is_ok());
}

#[tokio::test]
async fn a_ticket_stands_for_the_token_once() {
    let gate = Gate::required();
    let (m, other): (GraphId, GraphId) = ("m".parse().unwrap(), "other".parse().unwrap());
    let access = gate.show(Credential::Token(&gate.token(60))).await.unwrap();
    let give = async |graph| gate.authenticator.give_ticket(Ticket { access: access.clone(), graph }).await.unwrap();
    let ticket = give(None).await;
    let taken = gate.show(Credential::Ticket(&ticket)).await.unwrap();
    assert_eq!((taken.client(), taken.expires_at()), (Some("ada"), access.expires_at()));
    assert_eq!(gate.show(Credential::Ticket(&ticket)).await.unwrap_err(), Denied::Ticket);
    let for_m = give(Some(m.clone())).await;
    let use_for = |ticket: String, graph: GraphId| {
        let authenticator = gate.authenticator.clone();
        async move { authenticator.access(Some(Credential::Ticket(&ticket)), Some(&graph)).await.map(|_| ()) }
    };
    assert_eq!(use_for(for_m.clone(), other).await, Err(Denied::OtherGraph));
    assert_eq!(use_for(for_m, m.clone()).await, Err(Denied::Ticket));
    assert_eq!(use_for(give(Some(m.clone())).await, m).await, Ok(()));
    let late = give(None).await;
    gate.pass(30);
    assert_eq!(gate.show(Credential::Ticket(&late)).await.unwrap_err(), Denied::Ticket);
}

#[tokio::test]
async fn in_open_mode_nobody_is_asked() {
    let gate = Gate::with(&[("SYNAPTI_AUTH_SECRET", SECRET), ("SYNAPTI_AUTH_JWKS", "/does/not/exist.json")]);
    assert!(gate.authenticator.is_open() && gate.authenticator.key_source().is_none());
    let access = gate.show(Credential::Token("nonsense")).await.unwrap();
    assert!(access.is_admin() && access.client().is_none());
}

#[test]
fn debug_shows_no_secret() {
    let gate = Gate::required();
    let shown = format!("{:?}", gate.authenticator);
    assert!(!shown.contains("correct horse") && shown.contains("Key(Hs256)"), "{shown}");
}
