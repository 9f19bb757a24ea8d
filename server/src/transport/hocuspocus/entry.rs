//! Who speaks over one socket, and how they come into the documents that they ask for.

use std::{net::IpAddr, sync::Arc, time::Duration};

use synapti_protocol::{close::CloseCode, graph_id::GraphId};
use tokio::sync::OnceCell;

use crate::{
    auth::{Access, Authenticator, Credential, Denied, Role, jws::TokenError, rights::Action},
    clock::Clock,
    room::{Entrant, Principal, Refusal, RoomError, SessionId, SessionSlot},
    session::{Session, Telling, refusal},
    transport::{
        gate::{Admitted, Gate},
        visitor::Visitor,
    },
};

/// What the documents of one socket have in common.
pub(super) struct Entry {
    pub(super) gate: Gate,
    pub(super) auth: Authenticator,
    pub(super) clock: Clock,
    pub(super) ip: IpAddr,
    /// What the request for the socket was good for, for documents that show nothing themselves.
    pub(super) shown: Result<Option<Access>, Denied>,
    /// The socket's place among all connections: taken for the first document that may be opened.
    pub(super) place: OnceCell<Admitted>,
}

/// What a token is good for in one document.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) access: Access,
    pub(super) role: Role,
}

/// A document that was opened.
pub(super) struct Opened {
    pub(super) session: Session,
    /// Where the client can be asked whether it is alive.
    pub(super) slot: Arc<SessionSlot>,
    pub(super) pass: Pass,
}

/// Why a document is not opened.
#[derive(Debug)]
pub(super) enum Denial {
    /// It may not be; another token may help.
    Document(String),
    /// It cannot be for now: the provider tries again by itself when it has to connect again.
    Socket(Refusal),
}

impl Entry {
    /// What `token` is good for in `graph`; an empty one means that of the request for the socket.
    pub(super) async fn check(&self, token: &str, graph: &GraphId) -> Result<Pass, Denial> {
        let access = self.access(token, graph).await.map_err(|denied| match denied {
            Denied::Token(TokenError::NoKeysYet) => {
                Denial::Socket(Refusal::new(CloseCode::AtCapacity, denied.to_string()))
            }
            denied => Denial::Document(denied.to_string()),
        })?;
        // The same whether the graph is there or not.
        let role = access.role_in(graph).filter(|_| access.may(Action::Read, graph));
        let role =
            role.ok_or_else(|| Denial::Document("your token does not give you the right to this graph".to_owned()))?;
        Ok(Pass { access, role })
    }

    /// Opens a document for somebody who shows `token`.
    pub(super) async fn open(self: Arc<Self>, token: String, graph: GraphId) -> Result<Opened, Denial> {
        let pass = self.check(&token, &graph).await?;
        self.join(pass, graph).await
    }

    /// Opens a document for somebody who may.
    pub(super) async fn join(self: Arc<Self>, pass: Pass, graph: GraphId) -> Result<Opened, Denial> {
        let visitor = Visitor { ip: self.ip, access: pass.access.clone() };
        let is_first = !self.place.initialized();
        self.place.get_or_try_init(|| self.gate.admit(&visitor)).await.map_err(Denial::Socket)?;
        if !is_first {
            self.gate.admit_again().await.map_err(Denial::Socket)?;
        }
        let session = SessionId(self.gate.next_session());
        let entrant = entrant(&pass, &graph);
        let may_create = pass.access.may(Action::Create, &graph);
        let (room, joined) =
            self.gate.hub().join(&graph, session, entrant, may_create).await.map_err(|error| denial(&error))?;
        let slot = joined.slot.clone();
        self.watch(&slot);
        let session = Session::new(session, room, joined, self.gate.session_limits(), pass.role, Telling::Counts);
        Ok(Opened { session, slot, pass })
    }

    /// From now on the client is asked here whether it is alive.
    pub(super) fn watch(&self, slot: &Arc<SessionSlot>) {
        if let Some(place) = self.place.get() {
            place.attach(slot);
        }
    }

    /// For how long somebody may stay, if not for ever.
    pub(super) fn lasts(&self, pass: &Pass) -> Option<Duration> {
        pass.access.lasts(self.clock.now())
    }

    async fn access(&self, token: &str, graph: &GraphId) -> Result<Access, Denied> {
        if self.auth.is_open() {
            return Ok(Access::open());
        }
        let access = if token.is_empty() {
            self.shown.clone()?.ok_or(Denied::NothingShown)?
        } else {
            self.auth.access(Some(Credential::Token(token)), Some(graph)).await?
        };
        // Clocks may differ a little elsewhere; here a document would be opened only to be closed at once.
        let is_over = access.expires_at().is_some_and(|end| end <= self.clock.now());
        if is_over { Err(Denied::Token(TokenError::Expired)) } else { Ok(access) }
    }
}

/// As what somebody comes into a room.
pub(super) fn entrant(pass: &Pass, graph: &GraphId) -> Entrant {
    Entrant::of(Principal(pass.access.principal())).who_may_edit(pass.access.may(Action::Edit, graph)).told()
}

/// What the provider is told when a room does not take it in.
fn denial(error: &RoomError) -> Denial {
    let refusal = refusal(error);
    match error {
        RoomError::NotFound => Denial::Document(
            "there is no such graph, and making it takes the role editor: ask its owner to make it first".to_owned(),
        ),
        RoomError::Gone
        | RoomError::TooLarge { .. }
        | RoomError::TooMany { .. }
        | RoomError::Edit(_)
        | RoomError::Exists
        | RoomError::AtCapacity { .. }
        | RoomError::Unreadable(_) => Denial::Document(refusal.reason),
        RoomError::Draining
        | RoomError::Panicked
        | RoomError::NotSaved
        | RoomError::Stalled
        | RoomError::TooLate
        | RoomError::Store(_)
        | RoomError::Unavailable(_) => Denial::Socket(refusal),
    }
}
