//! A copy of a map that is kept up to date, and edits of it that are brought to the server.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use synapti_crdt::{ApplyError, AsideLimits, Op, Replica, Sender, map::MapEdit};
use synapti_protocol::{
    awareness, limits,
    message::{self, AuthMessage, Message, SyncMessage},
    update,
};
use tokio::time::{Instant, sleep_until};

use super::{
    choose::{Choice, Chooser},
    event::{Closed, Event},
    gone::{Gone, Why},
    http::Token,
    line::{Line, Step},
    people::{People, Person, Presence},
    plain::plain,
    url::MapUrl,
    wire::{Heard, Opening, Transport, Wire},
};

/// How long a transport may take to bring its first message when there is no other.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same when there is.
const PATIENCE_WITH_A_CHOICE: Duration = Duration::from_secs(2);

/// After so long on a new connection everybody who is still here has been mentioned.
const MENTIONED_WITHIN: Duration = Duration::from_secs(5);

/// What a message adds to the update in it.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// Edits that may wait to become durable; who has more waits for the first of them.
pub const PENDING_MAX: usize = 256;

/// An edit that is not durable yet.
#[derive(Debug)]
struct Pending {
    /// The message that carries it.
    message: Bytes,
    /// How many edits the connection had been given with it; `None` while it has not.
    position: Option<u64>,
}

#[derive(Debug)]
enum Phase {
    Waiting { until: Instant },
    On(Box<Line>),
    Over(Closed),
}

/// A client of one map. Does its work in [`Link::next`], and only there.
#[derive(Debug)]
pub struct Link {
    map: MapUrl,
    token: Option<Token>,
    /// Whether edits may be sent; who only looks sends none, not even those that a server has lost.
    writes: bool,
    replica: Replica,
    people: People,
    chooser: Chooser,
    phase: Phase,
    /// A better transport that is being tried beside the one that works.
    better: Option<Wire>,
    /// When those are gone of whom nothing was heard on a new connection.
    unheard_until: Option<Instant>,
    pending: VecDeque<Pending>,
    durable: u64,
    events: VecDeque<Event>,
}

impl Link {
    /// A client that only looks.
    pub fn observer(map: MapUrl, token: Option<Token>, choice: Choice) -> Self {
        Self::new(map, token, choice, false)
    }

    /// A client that edits.
    pub fn editor(map: MapUrl, token: Option<Token>, choice: Choice) -> Self {
        Self::new(map, token, choice, true)
    }

    fn new(map: MapUrl, token: Option<Token>, choice: Choice, writes: bool) -> Self {
        // As Yjs: one number at random for each document that is opened.
        let replica = Replica::new(rand::random::<u32>().into(), AsideLimits::default());
        Self {
            map,
            token,
            writes,
            replica,
            people: People::default(),
            chooser: Chooser::new(choice),
            phase: Phase::Waiting { until: Instant::now() },
            better: None,
            unheard_until: None,
            pending: VecDeque::new(),
            durable: 0,
            events: VecDeque::new(),
        }
    }

    /// The copy.
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Who else is here.
    pub fn people(&self) -> Vec<Person> {
        self.people.all()
    }

    /// How many edits are not durable yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Edits the copy, and has the server told. Answers the edit's number, which [`Event::Durable`] reaches when it is on
    /// disk; `None` when it changes nothing.
    ///
    /// # Errors
    /// When the edit makes no sense in this map. Nothing is changed.
    pub fn edit(&mut self, edit: &MapEdit) -> Result<Option<u64>, ApplyError> {
        self.perform(Op::Edit(edit))
    }

    /// The same with an update of somebody else's making. What of it builds on what the copy lacks is not sent; see
    /// [`Replica::held_bytes`].
    ///
    /// # Errors
    /// When the bytes are no update, or none that this map can take.
    pub fn apply(&mut self, update: &[u8]) -> Result<Option<u64>, ApplyError> {
        self.perform(Op::Update { update, from: Sender(1) })
    }

    fn perform(&mut self, op: Op<'_>) -> Result<Option<u64>, ApplyError> {
        let applied = self.replica.apply([op], 0);
        applied.results.into_iter().collect::<Result<(), _>>()?;
        let Some(update) = applied.update else { return Ok(None) };
        self.pending.push_back(Pending { message: carried(&update).into(), position: None });
        self.offer_pending();
        Ok(Some(self.durable + self.pending.len() as u64))
    }

    /// Works until something happens, and says what. Cancel-safe.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            match &mut self.phase {
                Phase::Over(closed) => return Event::Closed(closed.clone()),
                Phase::Waiting { until } => {
                    sleep_until(*until).await;
                    self.phase = Phase::On(Box::new(Line::new(self.open(self.chooser.transport()))));
                }
                Phase::On(line) => {
                    let better_at = self.chooser.better_at().filter(|_| self.better.is_none());
                    match line.step(&mut self.better, better_at, self.unheard_until).await {
                        Step::Heard(heard) => self.hear(heard),
                        Step::HeardOfBetter(heard) => self.hear_of_better(heard),
                        Step::TryBetter => self.better = Some(self.open(Transport::Ws)),
                        Step::Unheard => {
                            self.unheard_until = None;
                            let gone = self.people.drop_unheard();
                            self.tell_presence(gone);
                        }
                    }
                }
            }
        }
    }

    /// Says goodbye.
    pub async fn close(self) {
        if let Phase::On(line) = self.phase {
            line.wire.close().await;
        }
    }

    fn open(&self, transport: Transport) -> Wire {
        let patience = if self.chooser.has_choice() { PATIENCE_WITH_A_CHOICE } else { PATIENCE };
        let opening = Opening {
            map: self.map.clone(),
            token: self.token.clone(),
            state_vector: self.replica.state_vector(),
            patience,
        };
        Wire::open(transport, opening)
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Message(message) => {
                if !is_notice(&message) {
                    self.note_connected();
                }
                if let Err(gone) = self.take(&message) {
                    self.lose(gone);
                }
            }
            Heard::Durable(count) => self.note_durable(count),
            Heard::Delayed(why) => self.events.push_back(Event::Notice(why)),
            Heard::Gone(gone) => self.lose(gone),
        }
    }

    /// A better transport that brings something takes over; the document does not mind hearing things twice.
    fn hear_of_better(&mut self, heard: Heard) {
        // Who is about to be sent away is told so first.
        if matches!(&heard, Heard::Message(message) if is_notice(message)) {
            return;
        }
        let Some(wire) = self.better.take() else { return };
        if matches!(heard, Heard::Message(_)) {
            self.chooser.better();
            self.phase = Phase::On(Box::new(Line::new(wire)));
            self.hear(heard);
        } else {
            self.chooser.no_better(Instant::now());
        }
    }

    fn note_connected(&mut self) {
        let Phase::On(line) = &mut self.phase else { return };
        if line.connected_at.is_none() {
            let now = Instant::now();
            line.connected_at = Some(now);
            for pending in &mut self.pending {
                pending.position = None;
            }
            self.people.begin_again();
            self.unheard_until = Some(now + MENTIONED_WITHIN);
            self.events.push_back(Event::Connected(line.wire.transport));
        }
    }

    /// Takes a message in.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        match message::parse(bytes).map_err(|error| Gone::nonsense(&error))? {
            Message::Sync(SyncMessage::Step1(state_vector)) => self.answer(state_vector)?,
            Message::Sync(SyncMessage::Update(update)) => self.integrate(update)?,
            Message::Sync(SyncMessage::Step2(update)) => {
                self.integrate(update)?;
                let Phase::On(line) = &mut self.phase else { return Ok(()) };
                if !std::mem::replace(&mut line.is_synced, true) {
                    self.events.push_back(Event::Synced);
                }
            }
            Message::Awareness(said) => {
                let said = awareness::scan(said).map_err(|error| Gone::nonsense(&error))?;
                let presence = self.people.hear(&said);
                self.tell_presence(presence);
            }
            Message::Auth(AuthMessage::PermissionDenied(reason)) => return Err(Gone::read_only(reason)),
            Message::Ack(count) => self.note_durable(count),
            Message::Notice(json) => self.notice(json)?,
            Message::QueryAwareness => {}
        }
        Ok(())
    }

    /// The server says what it has: it gets what it lacks, and then every edit that is not known to be on its disk.
    fn answer(&mut self, state_vector: &[u8]) -> Result<(), Gone> {
        let Phase::On(line) = &mut self.phase else { return Ok(()) };
        if !self.writes {
            return Ok(());
        }
        let lacking = self.replica.diff(state_vector).map_err(|error| Gone::nonsense(&error))?;
        if update::scan(&lacking).is_ok_and(|lacking| lacking.struct_count() > 0) {
            line.send(message::encode_step2(&lacking).into());
        }
        line.is_greeted = true;
        self.offer_pending();
        Ok(())
    }

    /// Gives the connection what waits for one.
    fn offer_pending(&mut self) {
        let Phase::On(line) = &mut self.phase else { return };
        if line.is_greeted {
            for pending in self.pending.iter_mut().filter(|pending| pending.position.is_none()) {
                pending.position = Some(line.send(pending.message.clone()));
            }
        }
    }

    fn integrate(&mut self, update: &[u8]) -> Result<(), Gone> {
        let applied = self.replica.apply([Op::Update { update, from: Sender::default() }], 0);
        if let Some(Err(error)) = applied.results.into_iter().next() {
            return Err(Gone::new(Why::Final(0), format!("the server sent an update that cannot be taken: {error}")));
        }
        self.events.extend(applied.update.map(Event::Update));
        Ok(())
    }

    fn note_durable(&mut self, count: u64) {
        let before = self.durable;
        while self.pending.front().is_some_and(|first| first.position.is_some_and(|position| position <= count)) {
            self.pending.pop_front();
            self.durable += 1;
        }
        if self.durable > before {
            self.events.push_back(Event::Durable(self.durable));
        }
    }

    fn notice(&mut self, json: &str) -> Result<(), Gone> {
        let notice: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let Phase::On(line) = &mut self.phase else { return Ok(()) };
        let millis = |name: &str| notice[name].as_u64().map(|wait| Duration::from_millis(wait.min(60_000)));
        let text = match notice["kind"].as_str().unwrap_or_default() {
            "role" => {
                let role = notice["role"].as_str().unwrap_or_default();
                return if self.writes && matches!(role, "viewer" | "commenter") {
                    Err(Gone::read_only(role))
                } else {
                    Ok(())
                };
            }
            "unsaved" => "the server shows edits that are not on its disk yet",
            "saved" => "everything is on the server's disk again",
            "draining" => {
                line.retry_after = millis("reconnect_after_ms");
                return Ok(());
            }
            "fallback" => {
                line.retry_after = millis("retry_after_ms");
                return Ok(());
            }
            "error" => {
                line.last_words = notice["message"].as_str().map(plain);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.events.push_back(Event::Notice(text.to_owned()));
        Ok(())
    }

    fn tell_presence(&mut self, presence: Presence) {
        if !presence.is_empty() {
            self.events.push_back(Event::Presence(presence));
        }
    }

    /// The connection has ended.
    fn lose(&mut self, mut gone: Gone) {
        let Phase::On(line) = &mut self.phase else { return };
        let now = Instant::now();
        let lasted = line.connected_at.map(|since| now - since);
        gone.retry_after = gone.retry_after.or(line.retry_after);
        if let Some(words) = line.last_words.take() {
            gone.reason = match gone.why {
                Why::Final(code) => format!("{words} ({code})"),
                _ => words,
            };
        }
        for pending in &mut self.pending {
            pending.position = None;
        }
        let is_pointless = gone.why == Why::Unusable && self.chooser.is_fixed();
        let code = match gone.why {
            Why::Final(code) => Some(code),
            _ => is_pointless.then_some(0),
        };
        if let Some(code) = code {
            self.better = None;
            self.phase = Phase::Over(Closed { code, reason: gone.reason });
            return;
        }
        let next = self.chooser.after(&gone, lasted, now, rand::random());
        self.phase = Phase::Waiting { until: now + next.wait };
        let event = Event::Disconnected { reason: gone.reason, next: next.transport, wait: next.wait };
        self.events.push_back(event);
    }
}

/// A large edit goes as an answer to the server's question, which may be larger than an edit; the server takes both alike.
fn carried(update: &[u8]) -> Vec<u8> {
    if update.len() + MESSAGE_OVERHEAD_BYTES > limits::MESSAGE_BYTES_MAX {
        message::encode_step2(update)
    } else {
        message::encode_update(update)
    }
}

/// A notice may be the last word as well as the first, so that it makes no connection.
fn is_notice(bytes: &[u8]) -> bool {
    matches!(message::parse(bytes), Ok(Message::Notice(_)))
}
