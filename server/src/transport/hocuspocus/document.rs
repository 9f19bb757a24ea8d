//! One document of a socket, from the first message about it to the last.

use std::{
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use synapti_protocol::{
    close::CloseCode,
    graph_id::GraphId,
    hocuspocus::{self, Address, ClientMessage, WHO_IS_THERE, authenticated, encode_close, encode_denied},
    message::{self, Message, SyncMessage},
};
use tokio::time::timeout;

use super::{
    entry::{Denial, Opened},
    inbox::Inbox,
    link::Link,
    open::{Ended, Name, Open},
    receipts::Receipts,
    term::Term,
};
use crate::{auth::rights::Action, room::Refusal, telemetry::metrics, transport::socket::Goodbye};

/// How long the last edits of a client that has gone may wait for their room.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(10);

/// A `SyncStep1` of a client that was refused is kept for when it tries again, up to this size.
const STEP1_KEPT_BYTES_MAX: usize = 16 << 10;

type Opening = Pin<Box<dyn Future<Output = Result<Opened, Denial>> + Send>>;

pub(super) struct Document {
    name: Name,
    stage: Stage,
}

enum Stage {
    /// The client has not shown a token.
    Silent(Inbox),
    /// The token is being looked at, and the room is joined.
    Coming(Box<Coming>),
    /// The client is in the room.
    Open(Box<Open>),
    /// The client was refused, or sent out.
    Refused(Refused),
    /// The client has left, and may come back.
    Left,
}

struct Coming {
    opening: Opening,
    inbox: Inbox,
    receipts: Receipts,
    missed: u64,
    /// A client that was here before, and what it has.
    known: Option<Bytes>,
}

/// What a provider goes on saying that has nobody to talk to. Its document has all of it; so only what makes it whole
/// again is kept.
#[derive(Default)]
struct Refused {
    step1: Option<Bytes>,
    /// Updates since then.
    dropped: u64,
}

impl Document {
    pub(super) fn new(address: Address<'_>, graph: GraphId) -> Self {
        let name = Name { address: address.as_str().into(), prefix: address.encode().into(), graph };
        Self { name, stage: Stage::Silent(Inbox::default()) }
    }

    pub(super) fn address(&self) -> &str {
        &self.name.address
    }

    pub(super) fn graph(&self) -> &GraphId {
        &self.name.graph
    }

    pub(super) fn prefix(&self) -> &Bytes {
        &self.name.prefix
    }

    /// What waits for a token.
    pub(super) fn silent(&self) -> Option<&Inbox> {
        if let Stage::Silent(inbox) = &self.stage { Some(inbox) } else { None }
    }

    /// What waits for the room.
    pub(super) fn inbox(&self) -> Option<&Inbox> {
        match &self.stage {
            Stage::Coming(coming) => Some(&coming.inbox),
            Stage::Open(open) => Some(&open.inbox),
            _ => None,
        }
    }

    /// Whether this message goes to the session of the room, now or later.
    pub(super) fn passes_on(&self, body: &[u8]) -> bool {
        match &self.stage {
            Stage::Silent(_) => {
                matches!(hocuspocus::parse(body), Ok(ClientMessage::Room(_) | ClientMessage::SyncReply(_)))
            }
            Stage::Coming(_) | Stage::Open(_) => true,
            Stage::Refused(_) | Stage::Left => false,
        }
    }

    /// Bytes that it keeps of what its client has said.
    pub(super) fn kept_bytes(&self) -> usize {
        let said = match &self.stage {
            Stage::Silent(inbox) => inbox.bytes(),
            Stage::Coming(coming) => coming.inbox.bytes(),
            Stage::Open(open) => open.inbox.bytes(),
            Stage::Refused(refused) => refused.step1.as_ref().map_or(0, Bytes::len),
            Stage::Left => 0,
        };
        self.name.address.len() + self.name.prefix.len() + said
    }

    pub(super) fn is_coming(&self) -> bool {
        matches!(self.stage, Stage::Coming(_))
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(self.stage, Stage::Left)
    }

    pub(super) fn open(&self) -> Option<&Open> {
        if let Stage::Open(open) = &self.stage { Some(open) } else { None }
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open> {
        if let Stage::Open(open) = &mut self.stage { Some(open) } else { None }
    }

    /// Takes what follows the address of a frame.
    pub(super) fn receive(&mut self, body: &Bytes, link: &mut Link) -> ControlFlow<Goodbye> {
        match &mut self.stage {
            Stage::Silent(inbox) => match hocuspocus::parse(body) {
                Ok(ClientMessage::Token { token, has_version }) => {
                    let inbox = std::mem::take(inbox);
                    self.come(token, has_version, inbox, 0, link);
                }
                Ok(ClientMessage::Room(_) | ClientMessage::SyncReply(_)) => inbox.push(body),
                Ok(ClientMessage::Close) => self.stage = Stage::Left,
                Ok(ClientMessage::Stateless(_) | ClientMessage::BroadcastStateless | ClientMessage::Unknown(_)) => {}
                Err(error) => {
                    return ControlFlow::Break(Refusal::new(CloseCode::Malformed, error.to_string()).into());
                }
            },
            Stage::Coming(coming) => coming.inbox.push(body),
            Stage::Open(open) => {
                if let Err(ended) = open.receive(body, &self.name, link) {
                    return self.end(ended, link);
                }
            }
            Stage::Refused(refused) => match hocuspocus::parse(body) {
                Ok(ClientMessage::Token { token, has_version }) => {
                    let Refused { step1, dropped } = std::mem::take(refused);
                    let mut inbox = Inbox::default();
                    if let Some(step1) = step1 {
                        inbox.push(&step1);
                    }
                    self.come(token, has_version, inbox, dropped, link);
                }
                Ok(ClientMessage::Close) => self.stage = Stage::Left,
                _ => refused.hear(body),
            },
            Stage::Left => {}
        }
        ControlFlow::Continue(())
    }

    /// Does everything that can be done now; what cannot has noted whom to wake.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, link: &mut Link) -> ControlFlow<Goodbye> {
        if let Stage::Coming(coming) = &mut self.stage {
            let Poll::Ready(result) = coming.opening.as_mut().poll(cx) else { return ControlFlow::Continue(()) };
            self.came(result, link)?;
        }
        if let Stage::Open(open) = &mut self.stage
            && let Err(ended) = open.poll(cx, &self.name, link)
        {
            self.end(ended, link)?;
            // It may be coming again, and has to be polled to be woken.
            return if self.is_coming() { self.poll(cx, link) } else { ControlFlow::Continue(()) };
        }
        ControlFlow::Continue(())
    }

    /// Hands over what is to be sent now; says whether it had anything to do.
    pub(super) fn outgoing(&mut self, bytes_max: usize, link: &mut Link) -> ControlFlow<Goodbye, bool> {
        let Stage::Open(open) = &mut self.stage else { return ControlFlow::Continue(false) };
        match open.outgoing(bytes_max, &self.name, link) {
            Ok(has_some) => ControlFlow::Continue(has_some),
            Err(ended) => self.end(ended, link).map_continue(|()| true),
        }
    }

    /// The socket is over: hands over what was received before.
    pub(super) async fn finish(self) {
        if let Stage::Open(open) = self.stage {
            handed_over(open.finish()).await;
        }
    }

    fn come(&mut self, token: &str, has_version: bool, inbox: Inbox, missed: u64, link: &mut Link) {
        link.has_version |= has_version;
        let opening = Box::pin(link.entry.clone().open(token.to_owned(), self.name.graph.clone()));
        let receipts = Receipts::default();
        self.stage = Stage::Coming(Box::new(Coming { opening, inbox, receipts, missed, known: None }));
    }

    fn came(&mut self, result: Result<Opened, Denial>, link: &mut Link) -> ControlFlow<Goodbye> {
        let Stage::Coming(coming) = std::mem::replace(&mut self.stage, Stage::Left) else {
            return ControlFlow::Continue(());
        };
        let Coming { inbox, receipts, missed, known, .. } = *coming;
        match result {
            Ok(opened) => {
                link.is_known = true;
                let opened = Opened { session: link.meter.metered(opened.session), ..opened };
                let is_read_only = !opened.pass.access.may(Action::Edit, &self.name.graph);
                link.say(&self.name.prefix, authenticated(is_read_only));
                let term = Term::of(link.entry.lasts(&opened.pass));
                let mut open = Box::new(Open::new(opened, term, inbox, receipts, missed));
                let caught_up = known.map_or(Ok(()), |known| {
                    link.say(&self.name.prefix, WHO_IS_THERE);
                    open.catch_up(&known)
                });
                self.stage = Stage::Open(open);
                caught_up.map_or_else(|ended| self.end(ended, link), ControlFlow::Continue)
            }
            Err(Denial::Document(reason)) => {
                metrics::get().documents_refused.increment(1);
                let word = if known.is_some() { encode_close(&reason) } else { encode_denied(&reason) };
                link.say(&self.name.prefix, word);
                let mut refused = Refused::default();
                inbox.iter().for_each(|message| refused.hear(message));
                self.stage = Stage::Refused(refused);
                ControlFlow::Continue(())
            }
            Err(Denial::Socket(refusal)) => ControlFlow::Break(refusal.into()),
        }
    }

    fn end(&mut self, ended: Ended, link: &mut Link) -> ControlFlow<Goodbye> {
        if let Ended::Socket(goodbye) = ended {
            return ControlFlow::Break(goodbye);
        }
        let Stage::Open(mut open) = std::mem::replace(&mut self.stage, Stage::Left) else {
            return ControlFlow::Continue(());
        };
        match ended {
            Ended::Closed(reason) => {
                metrics::get().documents_refused.increment(1);
                tracing::debug!(%reason, "closing a document of a socket");
                link.say(&self.name.prefix, encode_close(&reason));
                self.stage = Stage::Refused(Refused::default());
            }
            Ended::Again(pass) => {
                let (known, inbox, receipts) = open.take_over();
                let opening = Box::pin(link.entry.clone().join(pass, self.name.graph.clone()));
                let coming = Coming { opening, inbox, receipts, missed: 0, known: Some(known) };
                self.stage = Stage::Coming(Box::new(coming));
            }
            // What comes after it is for a new place: of a provider that was made anew.
            Ended::Left if !open.inbox.is_empty() => {
                self.stage = Stage::Silent(Inbox::default());
                while let Some(message) = open.inbox.pop() {
                    self.receive(&message, link)?;
                }
            }
            Ended::Left | Ended::Socket(_) => {}
        }
        if !open.is_idle() {
            link.entry.gate.tracker().spawn(handed_over(open.finish_work()));
        }
        ControlFlow::Continue(())
    }
}

impl Refused {
    fn hear(&mut self, body: &Bytes) {
        let Ok(ClientMessage::Room(message)) = hocuspocus::parse(body) else { return };
        match message::parse(message) {
            Ok(Message::Sync(SyncMessage::Step1(_))) => {
                let is_kept = body.len() <= STEP1_KEPT_BYTES_MAX;
                *self = Self { step1: is_kept.then(|| Bytes::copy_from_slice(body)), dropped: 0 };
            }
            Ok(Message::Sync(SyncMessage::Update(_))) => self.dropped += 1,
            _ => {}
        }
    }
}

async fn handed_over(finishing: impl Future<Output = ()>) {
    if timeout(HANDED_OVER_WITHIN, finishing).await.is_err() {
        tracing::warn!("the last edit of a client that has gone found no place in time; it was not acknowledged");
    }
}
