//! One socket with many documents: reads, writes, and stays alive, in one task.

use std::{
    future::{Future as _, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use synapti_protocol::{
    close::CloseCode,
    graph_id::GraphId,
    hocuspocus::{self, Address, ClientMessage, Frame, PING_FRAME, PONG_FRAME, encode_denied},
    message::EMPTY_AWARENESS,
};
use tokio::time::{Instant, Sleep, sleep};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{document::Document, inbox::Waiting, link::Link, open::Open, receipts::QUIET_FOR, silence::Silence};
use crate::{
    room::{
        Refusal,
        slot::{LOOK_EVERY, Probe},
    },
    telemetry::metrics,
    transport::socket::{Goodbye, Life, close, reading_failed},
};

/// Documents of one socket: open, coming, or refused.
const DOCUMENTS_MAX: usize = 256;

/// Of these, those of one graph, each under a session's name of its own: every one has a place in the room.
const SAME_MAX: usize = 16;

/// How long a socket has to show the first token that is good.
const KNOWN_WITHIN: Duration = Duration::from_mins(1);

/// Documents that are being opened at one time; then the socket waits.
const OPENINGS_MAX: usize = 16;

/// Messages that wait for rooms that are busy; then the socket waits.
const WAITING_MESSAGES_MAX: usize = 1_000;

/// Their bytes, but for the last.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Answers of our own that wait for the network; then the socket is not read.
const SAID_MAX: usize = 256;

/// Bytes of frames in one flush, about: what a client that stops reading holds on to.
const FLUSH_BYTES_MAX: usize = 64 << 10;

/// Documents among which a flush is shared evenly.
const SHARES_MAX: usize = 4;

/// Messages that are read before other things have their turn.
const READS_PER_ROUND: usize = 16;

/// Hocuspocus' close code for a client that does not show who it is in time.
const TIMED_OUT: u16 = 4408;

/// One client's WebSocket and its documents.
pub(super) struct Socket {
    link: Link,
    documents: Vec<Document>,
    /// Whose turn it is to be sent something.
    first: usize,
    /// How often the documents have been polled.
    polled: usize,
    life: Life,
    began: Instant,
    looked: Instant,
    tick: Pin<Box<Sleep>>,
    silence: Silence,
    /// Somebody waits to hear whether the client is alive.
    probe: Option<Probe>,
    /// Ends when the node goes.
    stops: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Ends when it is this socket's turn to go with it.
    departs: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(link: Link) -> Self {
        let now = Instant::now();
        let gate = &link.entry.gate;
        Self {
            documents: Vec::new(),
            first: 0,
            polled: 0,
            life: Life::new(),
            began: now,
            looked: now,
            tick: Box::pin(sleep(LOOK_EVERY)),
            silence: Silence::new(gate.unknown_bytes()),
            probe: None,
            stops: Box::pin(gate.draining().clone().cancelled_owned()),
            departs: None,
            link,
        }
    }

    /// Carries messages until one side has had enough, and says goodbye.
    pub(super) async fn run(mut self) {
        let goodbye = poll_fn(|cx| match self.poll(cx) {
            ControlFlow::Continue(()) => Poll::Pending,
            ControlFlow::Break(goodbye) => Poll::Ready(goodbye),
        })
        .await;
        let Self { link, documents, .. } = self;
        // The rooms learn first that the client has gone: a goodbye may take a while.
        join_all(documents.into_iter().map(Document::finish)).await;
        close(link.wire, goodbye, None).await;
    }

    /// Does everything that can be done now. What cannot has noted whom to wake.
    fn poll(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye> {
        loop {
            self.poll_documents(cx)?;
            self.poll_time(cx)?;
            let mut again = self.poll_read(cx)?;
            again |= self.send(cx)?;
            if !again {
                return ControlFlow::Continue(());
            }
        }
    }

    fn poll_documents(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye> {
        let before = self.open_count();
        let count = self.documents.len();
        // Those that wait for the socket's rates are all woken at the same moment: each is first in turn.
        self.polled = self.polled.wrapping_add(1);
        for turn in 0..count {
            let at = (self.polled % count + turn) % count;
            self.documents[at].poll(cx, &mut self.link)?;
            if let Some(probe) = self.documents[at].open_mut().and_then(Open::take_probe) {
                self.show_life(probe)?;
            }
        }
        self.documents.retain(|document| !document.has_left());
        if self.link.is_known {
            self.silence.is_over();
        }
        if self.open_count() < before {
            self.keep_watch();
        }
        ControlFlow::Continue(())
    }

    /// The client has left a document: it can be asked for signs of life where it still is.
    fn keep_watch(&self) {
        if let Some(open) = self.documents.iter().find_map(Document::open) {
            self.link.entry.watch(open.slot());
        }
    }

    fn poll_time(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye> {
        self.link.meter.poll(cx);
        let wants_look = self.documents.iter().filter_map(Document::open).any(Open::wants_look);
        let wakes = Instant::now() + if wants_look { QUIET_FOR } else { LOOK_EVERY };
        if self.tick.deadline() > wakes {
            self.tick.as_mut().reset(wakes);
        }
        while self.tick.as_mut().poll(cx).is_ready() {
            self.tick.as_mut().reset(wakes);
            self.documents.iter_mut().filter_map(Document::open_mut).for_each(Open::look);
            self.look_after()?;
        }
        if self.departs.is_none() && self.stops.as_mut().poll(cx).is_ready() {
            let is_used = self.open_count() > 0;
            let within = if is_used { self.link.entry.gate.departs_within() } else { Duration::ZERO };
            self.departs = Some(Box::pin(sleep(within)));
        }
        if self.departs.as_mut().is_some_and(|departs| departs.as_mut().poll(cx).is_ready()) {
            let code = CloseCode::Restarting;
            return ControlFlow::Break(Refusal::new(code, code.reason()).into());
        }
        ControlFlow::Continue(())
    }

    fn may_read(&self) -> bool {
        let waiting = Waiting::of(self.documents.iter().filter_map(Document::inbox));
        !self.link.meter.is_paying()
            && self.link.wire.may_read()
            && self.link.said() < SAID_MAX
            && !waiting.exceeds(WAITING_MESSAGES_MAX, WAITING_BYTES_MAX, 0)
            && self.documents.iter().filter(|document| document.is_coming()).count() < OPENINGS_MAX
    }

    /// Reads some messages; says whether there were any.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye, bool> {
        for read in 0..READS_PER_ROUND {
            if !self.may_read() {
                return ControlFlow::Continue(read > 0);
            }
            match self.link.wire.poll_read(cx) {
                Poll::Pending => return ControlFlow::Continue(read > 0),
                Poll::Ready(None) => return ControlFlow::Break(Goodbye::Gone),
                Poll::Ready(Some(Err(error))) => return ControlFlow::Break(reading_failed(&error)),
                Poll::Ready(Some(Ok(message))) => self.received(message)?,
            }
        }
        ControlFlow::Continue(true)
    }

    fn received(&mut self, message: Message) -> ControlFlow<Goodbye> {
        self.life.heard();
        self.probe.take().into_iter().for_each(Probe::answer);
        match message {
            Message::Binary(frame) => match hocuspocus::open(&frame) {
                Ok(Frame::To(address, body)) => return self.route(address, &frame.slice_ref(body)),
                Ok(Frame::Ping) => self.link.say_bare(PONG_FRAME),
                Ok(Frame::Pong) => {}
                Err(error) => {
                    let reason = format!("no Hocuspocus message: {error}");
                    return ControlFlow::Break(Refusal::new(CloseCode::Malformed, reason).into());
                }
            },
            Message::Text(_) => {
                let reason = "text message: this protocol is binary";
                return ControlFlow::Break(Refusal::new(CloseCode::Malformed, reason).into());
            }
            Message::Close(_) => return ControlFlow::Break(Goodbye::Gone),
            // The library answers pings; the answer goes out with the next flush.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        self.charge(0)
    }

    fn route(&mut self, address: Address<'_>, body: &Bytes) -> ControlFlow<Goodbye> {
        let known = self.documents.iter().position(|document| document.address() == address.as_str());
        // What goes to a room is counted there, also what waits for that.
        if known.is_none_or(|at| !self.documents[at].passes_on(body)) {
            self.charge(body.len())?;
        }
        let Some(at) = known.or_else(|| self.begin(address, body)) else { return ControlFlow::Continue(()) };
        self.documents[at].receive(body, &mut self.link)?;
        if self.documents[at].has_left() {
            self.documents.remove(at);
            self.keep_watch();
        }
        self.silence.check(&self.documents, self.link.is_known)
    }

    /// The first message about a document. Returns its place, if it may have one.
    fn begin(&mut self, address: Address<'_>, body: &Bytes) -> Option<usize> {
        let refusal = match GraphId::try_from(address.document()) {
            Ok(_) if self.documents.len() >= DOCUMENTS_MAX => {
                format!("this connection has {DOCUMENTS_MAX} documents, as many as one may have: open another one")
            }
            Ok(graph) if self.documents.iter().filter(|one| *one.graph() == graph).count() >= SAME_MAX => {
                format!("this connection has this document open {SAME_MAX} times, as often as one may")
            }
            Ok(graph) => {
                self.documents.push(Document::new(address, graph));
                return Some(self.documents.len() - 1);
            }
            Err(error) => format!("this is no name of a document here: {error}"),
        };
        // Whatever else is said to it has nobody to listen.
        if let Ok(ClientMessage::Token { .. }) = hocuspocus::parse(body) {
            metrics::get().documents_refused.increment(1);
            self.link.say(&address.encode().into(), encode_denied(&refusal));
        }
        None
    }

    /// Takes what a message costs that is for no room; a client that sends too many is not read for a while.
    fn charge(&mut self, bytes: usize) -> ControlFlow<Goodbye> {
        self.link.meter.charge(bytes).map_or_else(|refusal| ControlFlow::Break(refusal.into()), ControlFlow::Continue)
    }

    /// Finds out whether the client is alive. One that we keep waiting cannot show it.
    fn show_life(&mut self, probe: Probe) -> ControlFlow<Goodbye> {
        if !self.may_read() && self.link.wire.is_flushed() {
            probe.answer();
            return ControlFlow::Continue(());
        }
        // One that was asked already has a ping to answer.
        let is_asked = self.probe.replace(probe).is_some();
        if !is_asked && self.link.wire.ping().is_err() {
            ControlFlow::Break(Goodbye::Gone)
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Hands messages to the network as long as it takes them; says whether there is something else to do since.
    fn send(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye, bool> {
        let could_read = self.may_read();
        loop {
            if self.link.wire.is_flushed() {
                if !self.next_flush()? {
                    let has_waited = self.documents.iter().filter_map(Document::open).any(Open::has_next);
                    return ControlFlow::Continue(has_waited || !could_read && self.may_read());
                }
                if self.link.wire.is_flushed() {
                    // One has begun something, which has to be looked at.
                    return ControlFlow::Continue(true);
                }
            }
            self.life.messaged();
            match self.link.wire.poll_flush(cx) {
                Poll::Pending => return ControlFlow::Continue(false),
                Poll::Ready(Err(_)) => return ControlFlow::Break(Goodbye::Gone),
                Poll::Ready(Ok(())) => {
                    self.link.flushed();
                    self.documents.iter_mut().filter_map(Document::open_mut).for_each(Open::flushed);
                }
            }
        }
    }

    /// Queues what the documents have to say, some of each in turn; says whether they had anything to do.
    fn next_flush(&mut self) -> ControlFlow<Goodbye, bool> {
        let Self { documents, link, first, .. } = self;
        let count = documents.len();
        let share = FLUSH_BYTES_MAX / count.clamp(1, SHARES_MAX);
        let mut has_some = false;
        let mut shares = 0;
        for turn in 0..count {
            let at = (*first + turn) % count;
            if documents[at].outgoing(share, link)? {
                has_some = true;
                shares += 1;
            }
            if shares == SHARES_MAX {
                *first = (at + 1) % count;
                break;
            }
        }
        ControlFlow::Continue(has_some)
    }

    fn look_after(&mut self) -> ControlFlow<Goodbye> {
        if !self.link.is_known && self.began.elapsed() >= KNOWN_WITHIN {
            let reason = "no document was opened in time: send an Auth message with a good token".to_owned();
            return ControlFlow::Break(Goodbye::Close { code: TIMED_OUT, reason, may_read: true });
        }
        if self.looked.elapsed() < LOOK_EVERY {
            return ControlFlow::Continue(());
        }
        self.looked = Instant::now();
        let is_kept_waiting = !self.may_read();
        let Self { life, link, documents, .. } = self;
        life.look(&mut link.wire, is_kept_waiting)?;
        let open = || documents.iter().filter_map(Document::open);
        let others_wait = open().any(Open::others_wait);
        if life.is_too_slow(open().any(Open::is_answering), others_wait) {
            documents.iter_mut().filter_map(Document::open_mut).for_each(Open::shed);
        } else if life.wants_message() {
            let listens = documents.iter().find(|document| document.open().is_some());
            match listens {
                _ if link.has_version => link.say_bare(PING_FRAME),
                Some(document) => {
                    let prefix = document.prefix().clone();
                    link.say(&prefix, EMPTY_AWARENESS);
                }
                None => {}
            }
        }
        life.ping_if_silent(&mut link.wire)
    }

    fn open_count(&self) -> usize {
        self.documents.iter().filter(|document| document.open().is_some()).count()
    }
}
