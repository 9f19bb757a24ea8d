//! From a credential to what it is good for.

use std::sync::Arc;

use jiff::SignedDuration;
use synapti_protocol::graph_id::GraphId;

use super::{
    access::Access,
    claims::{self, Expected},
    jws::{Compact, TokenError},
    key_source::KeySource,
    keys::{Algorithm, Key},
    tickets::{TICKET_SECONDS, Ticket, Tickets, TooManyTickets},
};
use crate::{
    bus::SharedLimits,
    clock::Clock,
    config::{AuthConfig, AuthMode},
};

/// A token in a URL may end up in a log or a history, so it has to end within this.
const IN_URL_AT_MOST: SignedDuration = SignedDuration::from_hours(1);

/// What a client shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A token, in a header.
    Token(&'a str),
    /// A token, in the URL.
    TokenInUrl(&'a str),
    /// A ticket.
    Ticket(&'a str),
}

/// Why somebody is not let in. Says nothing of what was shown: it may be shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing was shown.
    #[error("not signed in: this server asks for a token")]
    NothingShown,
    /// Something was shown in a way that is not understood.
    #[error("not signed in: send the token as `Authorization: Bearer TOKEN`")]
    NotUnderstood,
    /// More than one thing was shown.
    #[error("more than one credential: send one token or one ticket, in one place")]
    Several,
    /// The token is no good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is good for too long to be in a URL.
    #[error("a token in the URL must expire within the hour: send this one in a header, or get a ticket for it")]
    TooLongInUrl,
    /// The ticket is no good.
    #[error("the ticket is not good: tickets are good once and for {TICKET_SECONDS} seconds")]
    Ticket,
    /// The ticket is for another map; it is used up all the same.
    #[error("the ticket is for another graph")]
    OtherGraph,
}

/// Knows the keys and the tickets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Authenticator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    is_open: bool,
    secret: Option<Key>,
    public: Option<KeySource>,
    expected: Expected,
    tickets: Tickets,
    clock: Clock,
}

impl Authenticator {
    /// As configured. Public keys are read by [`Authenticator::key_source`].
    pub fn new(config: &AuthConfig, clock: Clock) -> Self {
        let public = config.jwks.clone().map(|place| KeySource::new(place, clock.clone()));
        Self(Arc::new(Inner {
            is_open: config.mode == AuthMode::Open,
            secret: config.secret.as_ref().and_then(|secret| Key::secret(secret.expose().as_bytes())),
            public,
            expected: Expected { issuer: config.issuer.clone(), audience: config.audience.clone() },
            tickets: Tickets::default(),
            clock,
        }))
    }

    /// Whether everybody may do everything, and nobody is asked who they are.
    pub fn is_open(&self) -> bool {
        self.0.is_open
    }

    /// Where public keys come from, for whoever keeps them fresh. None when nobody is asked for a token.
    pub fn key_source(&self) -> Option<&KeySource> {
        self.0.public.as_ref().filter(|_| !self.0.is_open)
    }

    /// What a credential is good for; `graph` is the map that it is used for, if it is used for one.
    ///
    /// # Errors
    /// Why it is not good for anything.
    pub async fn access(&self, shown: Option<Credential<'_>>, graph: Option<&GraphId>) -> Result<Access, Denied> {
        if self.0.is_open {
            return Ok(Access::open());
        }
        match shown.ok_or(Denied::NothingShown)? {
            Credential::Token(token) => self.token(token).await,
            Credential::TokenInUrl(token) => {
                let access = self.token(token).await?;
                let lasts = access.expires_at().map(|end| end.duration_since(self.0.clock.now()));
                if lasts.is_some_and(|lasts| lasts <= IN_URL_AT_MOST) { Ok(access) } else { Err(Denied::TooLongInUrl) }
            }
            Credential::Ticket(word) => {
                let ticket = self.0.tickets.take(word, self.0.clock.now()).await.ok_or(Denied::Ticket)?;
                let is_for_other = ticket.graph.is_some() && ticket.graph.as_ref() != graph;
                if is_for_other { Err(Denied::OtherGraph) } else { Ok(ticket.access) }
            }
        }
    }

    /// Gives out a ticket.
    ///
    /// # Errors
    /// When too many are good already.
    pub async fn give_ticket(&self, ticket: Ticket) -> Result<String, TooManyTickets> {
        self.0.tickets.give(ticket, self.0.clock.now()).await
    }

    /// From now on tickets are good on all nodes. Counts once.
    pub fn share_tickets(&self, nodes: SharedLimits) {
        self.0.tickets.share(nodes);
    }

    async fn token(&self, token: &str) -> Result<Access, Denied> {
        let token = Compact::parse(token)?;
        let payload = match token.algorithm()? {
            Algorithm::Hs256 => token.verify(self.0.secret.as_ref().ok_or(TokenError::Algorithm)?)?,
            Algorithm::Rs256 | Algorithm::Es256 => self.verify_with_public(&token).await?,
        };
        Ok(Access::granted(claims::grant(&payload, &self.0.expected, self.0.clock.now())?))
    }

    async fn verify_with_public(&self, token: &Compact<'_>) -> Result<Vec<u8>, TokenError> {
        let source = self.0.public.as_ref().ok_or(TokenError::Algorithm)?;
        let mut keys = source.newest();
        let is_known = |keys: &Option<Arc<_>>| {
            keys.as_ref().is_some_and(|keys| !matches!(token.key(keys), Err(TokenError::UnknownKey)))
        };
        if !is_known(&keys) {
            keys = source.newer_than(keys.as_ref()).await.or(keys);
        }
        let keys = keys.ok_or(TokenError::NoKeysYet)?;
        token.verify(token.key(&keys)?)
    }
}
