//! What every transport asks before it lets a client in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use synapti_protocol::close::CloseCode;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    hub::Hub,
    limits::{
        budget::ByteBudget,
        connections::{ConnectionPermit, Connections, Full},
        counted::{Counted, Place},
        strain::Strain,
        turnstile::Turnstile,
    },
    room::{Refusal, SessionSlot},
    session::{Paces, SessionLimits},
    transport::{socket::LargeMessages, visitor::Visitor},
};

/// Time between two sessions that are sent away when the node goes, unless the grace time is too short for it.
const DEPART_EVERY: Duration = Duration::from_millis(1);

/// Requests of one client with a name that wait for the AI or follow it, besides its connections to maps: as many as it may
/// have runs.
const JOB_WAITS_OF_CLIENT_MAX: usize = 16;

/// Bytes that this node keeps of clients that have not said who they are.
const UNKNOWN_BYTES_MAX: usize = 64 << 20;

/// What a gate is made of.
#[derive(Debug)]
pub struct GateParts {
    /// Where the rooms are.
    pub hub: Hub,
    /// How many there may be.
    pub connections: Connections,
    /// In which order they come in.
    pub turnstile: Turnstile,
    /// Whether the node is overloaded.
    pub strain: Strain,
    /// Bounds of each session.
    pub limits: SessionLimits,
    /// Time over which sessions are sent away when the node goes.
    pub drain_within: Duration,
    /// Cancelled when the node goes: nobody is let in any more.
    pub draining: CancellationToken,
    /// Counts what shutdown waits for.
    pub tracker: TaskTracker,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: GateParts,
    large_messages: LargeMessages,
    paces: Paces,
    unknown_bytes: ByteBudget,
    job_waits: Counted<Box<str>>,
    sessions: AtomicU64,
}

/// A client that was let in; dropping it frees its place.
#[derive(Debug)]
pub struct Admitted {
    place: ConnectionPermit,
}

/// A place of a request that waits for the AI; dropping it frees the place.
#[derive(Debug)]
pub struct JobWait {
    _place: Admitted,
    _of_client: Option<Place<Box<str>>>,
}

impl Admitted {
    /// Where the client can be asked whether it is alive.
    pub fn attach(&self, slot: &Arc<SessionSlot>) {
        self.place.attach(slot);
    }
}

impl Gate {
    /// A gate in front of a hub.
    pub fn new(parts: GateParts) -> Self {
        let (large_messages, paces) = (LargeMessages::default(), Paces::new(parts.limits));
        let unknown_bytes = ByteBudget::new(UNKNOWN_BYTES_MAX);
        let job_waits = Counted::new(JOB_WAITS_OF_CLIENT_MAX);
        Self(Arc::new(Inner { parts, large_messages, paces, unknown_bytes, job_waits, sessions: AtomicU64::new(1) }))
    }

    /// Lets a client in, when it is its turn.
    ///
    /// # Errors
    /// Why not.
    pub async fn admit(&self, visitor: &Visitor) -> Result<Admitted, Refusal> {
        self.is_open()?;
        let GateParts { connections, .. } = &self.0.parts;
        let place = connections.admit(visitor.ip, visitor.access.client()).await.map_err(full)?;
        self.enter().await?;
        Ok(Admitted { place })
    }

    /// Lets a client that was let in take a place in one more room, when it is its turn.
    ///
    /// # Errors
    /// Why not.
    pub async fn admit_again(&self) -> Result<(), Refusal> {
        self.is_open()?;
        self.enter().await
    }

    /// Lets a poll in: not refused when the node is overloaded, because polls are what it sends its clients to. Who has no place
    /// in the feed costs as much as one that joins, and waits for its turn like that.
    ///
    /// # Errors
    /// Why not.
    pub async fn admit_poll(&self, is_new: bool) -> Result<(), Refusal> {
        self.is_staying()?;
        if is_new { self.enter().await } else { Ok(()) }
    }

    /// A place among the connections for a client whose request waits.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn admit_waiting(&self, visitor: &Visitor) -> Result<Admitted, Refusal> {
        let place = self.0.parts.connections.admit(visitor.ip, visitor.access.client()).await.map_err(full)?;
        Ok(Admitted { place })
    }

    /// A place for a client whose request waits for the AI: one of the node and of the client's address, and one of those that the
    /// client has for this.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn admit_job_wait(&self, visitor: &Visitor) -> Result<JobWait, Refusal> {
        let of_client = visitor.access.client().map(|client| {
            let place = self.0.job_waits.take(client.into());
            place.ok_or_else(|| {
                let reason = format!("{JOB_WAITS_OF_CLIENT_MAX} requests of yours wait for the AI, as many as may");
                Refusal::new(CloseCode::RateLimited, reason)
            })
        });
        let of_client = of_client.transpose()?;
        let place = self.0.parts.connections.admit(visitor.ip, None).await.map_err(full)?;
        Ok(JobWait { _place: Admitted { place }, _of_client: of_client })
    }

    /// Cancelled when the node goes.
    pub fn draining(&self) -> &CancellationToken {
        &self.0.parts.draining
    }

    /// The budget of large messages that are being read.
    pub fn large_messages(&self) -> LargeMessages {
        self.0.large_messages.clone()
    }

    /// The budget of what clients say before it is known who they are.
    pub fn unknown_bytes(&self) -> ByteBudget {
        self.0.unknown_bytes.clone()
    }

    /// The rates of clients whose sessions are single requests.
    pub fn paces(&self) -> &Paces {
        &self.0.paces
    }

    /// A number for a session; zero is the store's.
    pub fn next_session(&self) -> u64 {
        self.0.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the rooms are.
    pub fn hub(&self) -> &Hub {
        &self.0.parts.hub
    }

    /// Bounds of sessions.
    pub fn session_limits(&self) -> SessionLimits {
        self.0.parts.limits
    }

    /// When it is a session's turn to end, now that the node goes: all at once, its clients would come back somewhere
    /// else all at once.
    pub fn departs_within(&self) -> Duration {
        let all_within =
            (DEPART_EVERY * self.0.parts.connections.open() as u32).min(self.0.parts.drain_within.mul_f64(0.8));
        all_within.mul_f64(rand::random())
    }

    /// Counts what shutdown waits for.
    pub fn tracker(&self) -> &TaskTracker {
        &self.0.parts.tracker
    }

    fn is_staying(&self) -> Result<(), Refusal> {
        if self.0.parts.draining.is_cancelled() {
            return Err(Refusal::new(CloseCode::Restarting, CloseCode::Restarting.reason()));
        }
        Ok(())
    }

    fn is_open(&self) -> Result<(), Refusal> {
        self.is_staying()?;
        if let Some(what) = self.0.parts.strain.current() {
            return Err(Refusal::new(CloseCode::Overloaded, format!("this node is overloaded ({what}): use polling")));
        }
        Ok(())
    }

    async fn enter(&self) -> Result<(), Refusal> {
        self.0.parts.turnstile.enter().await.map_err(|_| {
            let reason = "more clients come than this node can let in: try again in some seconds";
            Refusal::new(CloseCode::AtCapacity, reason)
        })
    }
}

/// What a client is told that meets a limit.
fn full(full: Full) -> Refusal {
    match full {
        Full::Node(max) => {
            Refusal::new(CloseCode::AtCapacity, format!("this node serves its limit of {max} connections"))
        }
        Full::Client(max) => {
            let reason = format!("you have {max} connections open, as many as one user may have: close one first");
            Refusal::new(CloseCode::RateLimited, reason)
        }
        Full::Address(max) => Refusal::new(
            CloseCode::RateLimited,
            format!("your network address has its limit of {max} connections open"),
        ),
    }
}
