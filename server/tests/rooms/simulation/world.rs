//! The room, the disk, and everybody around them.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{
    AsideLimits, Op, Replica, Sender,
    map::{Children, MapEdit, NewNode},
};
use synapti_protocol::{envelope::NodeId, graph_id::GraphId, message};
use synapti_server::room::{
    Entrant, Feed, RequestId, SessionId,
    batch::Edit,
    reads::{Answer, Read},
    state::{Effect, Loaded, RoomLimits, RoomState, Size, Tail},
};

use super::{Step, person::Person};
use crate::support::{Client, awareness, map_edit, update_of};

/// Bytes of the ring: a few edits, so that whoever listens seldom falls off.
const FEED_BYTES_MAX: usize = 600;

pub struct World {
    room: RoomState,
    feed: Feed,
    people: Vec<Person>,
    /// What survives a crash: every update that was committed, in order.
    disk: Vec<Bytes>,
    /// What the disk has, as a document.
    saved: Replica,
    /// What the disk has or is to have, as a document.
    handed_over: Replica,
    /// Everything that anybody was ever shown as saved.
    shown: Vec<Bytes>,
    /// What was shown since everybody was told that it is not saved.
    shown_unsaved: Vec<Bytes>,
    is_unsaved: bool,
    /// Follows every frame of this opening from its beginning.
    follower: Client,
    in_flight: VecDeque<Bytes>,
    is_behind: bool,
    gathered: Vec<Edit>,
    waiting: HashMap<RequestId, usize>,
    openings: u64,
    numbers: u64,
    now_ms: u64,
}

impl World {
    pub fn new(people: usize) -> Self {
        let mut world = Self {
            room: open(&[], 1),
            feed: Feed::new(FEED_BYTES_MAX),
            people: (0..people).map(Person::new).collect(),
            disk: Vec::new(),
            saved: replica(&[], 900),
            handed_over: replica(&[], 903),
            shown: Vec::new(),
            shown_unsaved: Vec::new(),
            is_unsaved: false,
            follower: Client::new(901),
            in_flight: VecDeque::new(),
            is_behind: false,
            gathered: Vec::new(),
            waiting: HashMap::new(),
            openings: 1,
            numbers: 0,
            now_ms: 0,
        };
        for person in 0..people {
            world.join(person);
        }
        world
    }

    pub fn perform(&mut self, step: Step) {
        self.now_ms += 7;
        match step {
            Step::Edit(person) => {
                let update = self.people[person].edit();
                self.send(person, update);
            }
            Step::Remove(person) => self.remove(person),
            Step::ApiEdit => {
                let (request, node) = (self.request(), format!("api {}", self.numbers));
                self.gathered.push(map_edit(request.0, MapEdit::AddNode(NewNode::new(node, "API"))));
            }
            Step::Join(person) => self.join(person),
            Step::Leave(person) => self.leave(person),
            Step::Ask(person) => self.ask(person),
            Step::Listen(person) => self.listen(person),
            Step::Presence(person) => {
                if let Some(place) = &self.people[person].session {
                    self.numbers += 1;
                    let payload = awareness(self.people[person].client.id, self.numbers as u32, "{}");
                    self.room.awareness(place.session, &payload, self.now_ms);
                }
            }
            Step::Commit => self.commit(),
            Step::Integrate => self.integrate(),
            Step::Crash => self.crash(),
            Step::Behind(is_behind) => self.behind(is_behind),
            Step::Tick => self.room.tick(self.now_ms),
        }
        self.carry_out();
    }

    /// Everybody is in the room, everything is saved, and nobody has anything left to read.
    pub fn come_to_rest(&mut self) {
        self.behind(false);
        for person in 0..self.people.len() {
            // Who is here already must be whole without asking again.
            self.join(person);
        }
        while !self.in_flight.is_empty() || !self.gathered.is_empty() {
            self.commit();
            self.integrate();
            self.carry_out();
        }
        for person in 0..self.people.len() {
            let at_head = |world: &Self| {
                let place = world.people[person].session.as_ref();
                place.is_some_and(|place| place.cursor == world.feed.head() && !place.catching_up)
            };
            while !at_head(self) {
                self.listen(person);
                self.carry_out();
            }
        }
        assert!(self.waiting.is_empty(), "somebody was never answered");
    }

    pub fn assert_everybody_has_what_the_disk_has(&self) {
        let saved = replica(&self.disk, 902).digest();
        for person in &self.people {
            assert_eq!(person.client.replica.digest(), saved, "person {}", person.client.id);
            let place = person.session.as_ref().expect("everybody is here");
            let acked = if is_extended(person.client.id as usize - 1) { place.sent.len() as u64 } else { 0 };
            assert_eq!(place.acked, acked, "person {}", person.client.id);
        }
        assert_eq!(self.follower.replica.digest(), saved, "whoever followed every frame");
    }

    fn join(&mut self, person: usize) {
        if self.people[person].session.is_some() {
            return;
        }
        self.numbers += 1;
        let session = SessionId(self.numbers);
        let welcome = self.room.join(session, Entrant { is_told: is_extended(person), ..Entrant::default() }).unwrap();
        assert_eq!(welcome.has_unsaved, self.is_unsaved);
        let answer = self.people[person].enter(session, &welcome);
        self.send(person, answer);
        self.ask(person);
        self.carry_out();
    }

    fn leave(&mut self, person: usize) {
        if let Some(place) = self.people[person].session.take() {
            self.room.leave(place.session, self.now_ms);
            self.waiting.retain(|_, who| *who != person);
        }
    }

    fn send(&mut self, person: usize, update: Bytes) {
        if let Some(place) = &mut self.people[person].session {
            place.sent.push(update.clone());
            self.gathered.push(update_of(place.session.0, update));
        }
    }

    fn remove(&mut self, person: usize) {
        let client = &mut self.people[person].client;
        // The root stays while there are others.
        let Some(id) = client.nodes().pop().filter(|_| client.nodes().len() > 1) else { return };
        let edit = MapEdit::RemoveNode { id, children: Children::Lift };
        if let Some(update) = client.replica.apply([Op::Edit(&edit)], 0).update {
            self.send(person, update.into());
        }
    }

    fn ask(&mut self, person: usize) {
        let Some(place) = &self.people[person].session else { return };
        let after = Some((place.session, place.sent.len() as u64));
        let state_vector = self.people[person].client.state_vector();
        self.read(person, Read::Sync { state_vector, after });
    }

    fn listen(&mut self, person: usize) {
        if let Some(known) = self.people[person].listen(&self.feed) {
            self.read(person, Read::Sync { state_vector: known, after: None });
        }
    }

    fn read(&mut self, person: usize, read: Read) {
        let request = self.request();
        self.waiting.insert(request, person);
        self.room.read(request, read);
    }

    fn request(&mut self) -> RequestId {
        self.numbers += 1;
        RequestId(self.numbers)
    }

    fn integrate(&mut self) {
        if self.room.can_integrate(true) && !self.gathered.is_empty() {
            let edits = std::mem::take(&mut self.gathered);
            self.room.integrate(&edits, Timestamp::UNIX_EPOCH, self.now_ms);
        }
        self.carry_out();
    }

    fn commit(&mut self) {
        if let Some(update) = self.in_flight.pop_front() {
            apply(&mut self.saved, &update);
            self.disk.push(update);
            self.room.committed(0, self.now_ms);
        }
        self.carry_out();
    }

    fn behind(&mut self, is_behind: bool) {
        if std::mem::replace(&mut self.is_behind, is_behind) != is_behind {
            self.room.store_is_behind(is_behind, self.now_ms);
            self.carry_out();
        }
    }

    /// Whatever was not on disk is gone, what was shown as unsaved too; clients keep what they have and come back later.
    fn crash(&mut self) {
        self.openings += 1;
        self.room = open(&self.disk, self.openings);
        self.feed = Feed::new(FEED_BYTES_MAX);
        self.follower = Client { id: 901, replica: replica(&self.disk, 901) };
        self.handed_over = replica(&self.disk, 903);
        self.shown_unsaved.clear();
        (self.is_unsaved, self.is_behind) = (false, false);
        self.in_flight.clear();
        self.gathered.clear();
        self.waiting.clear();
        for person in &mut self.people {
            person.session = None;
        }
        for frame in &self.shown {
            self.follower.receive(frame);
        }
        assert_eq!(self.follower.replica.digest(), self.saved.digest(), "something that was shown is lost");
    }

    fn carry_out(&mut self) {
        for effect in self.room.take_effects() {
            match effect {
                Effect::Commit { update, .. } => {
                    assert!(self.in_flight.is_empty() || self.is_behind, "one commit at a time");
                    apply(&mut self.handed_over, &update);
                    self.in_flight.push_back(update);
                }
                Effect::Publish(frame) => {
                    self.show(&frame);
                    self.follower.receive(&frame);
                    self.feed.push(frame);
                }
                Effect::Checkpoint(state_vector) => self.feed.set_checkpoint(state_vector),
                Effect::Answer(request, Answer::Sync(reply)) => {
                    for frame in reply.frames.iter() {
                        self.show(frame);
                    }
                    if let Some(person) = self.waiting.remove(&request) {
                        self.people[person].hear(&reply);
                    }
                }
                Effect::Ack(session, edits) => self.acknowledge(session, edits),
                Effect::Unsaved(is_unsaved) => {
                    assert_ne!(std::mem::replace(&mut self.is_unsaved, is_unsaved), is_unsaved, "it is said once");
                    if !is_unsaved {
                        assert!(self.in_flight.is_empty(), "all is said to be saved");
                        self.shown.append(&mut self.shown_unsaved);
                    }
                }
                Effect::Answer(_, Answer::View(_)) | Effect::Compact => {}
                // All edits of a session arrive, and in order.
                unexpected => panic!("{unexpected:?}"),
            }
        }
    }

    /// Nothing is shown that is not on disk, unless everybody was told so, and then it is on its way there.
    fn show(&mut self, frame: &Bytes) {
        if self.is_unsaved { &mut self.shown_unsaved } else { &mut self.shown }.push(frame.clone());
        let known = if self.is_unsaved { &mut self.handed_over } else { &mut self.saved };
        if let Ok(message::Message::Sync(message::SyncMessage::Step2(update) | message::SyncMessage::Update(update))) =
            message::parse(frame)
        {
            assert!(apply(known, update).is_none(), "something was shown that is not on disk");
        }
    }

    /// What is acknowledged is on disk.
    fn acknowledge(&mut self, session: SessionId, edits: u64) {
        let place = self.people.iter_mut().filter_map(|person| person.session.as_mut());
        let place = place.into_iter().find(|place| place.session == session).expect("who has left is told nothing");
        assert!(edits >= place.acked, "acknowledgements only grow");
        place.acked = edits;
        for update in &place.sent[..edits as usize] {
            assert!(apply(&mut self.saved, update).is_none(), "an edit was acknowledged that is not on disk");
        }
    }
}

/// Every other person hears what becomes of their edits.
fn is_extended(person: usize) -> bool {
    person.is_multiple_of(2)
}

fn apply(replica: &mut Replica, update: &[u8]) -> Option<Vec<u8>> {
    let applied = replica.apply([Op::Update { update, from: Sender(1) }], 0);
    assert!(applied.results[0].is_ok(), "{:?}", applied.results);
    assert_eq!(replica.held_bytes(), 0, "what is saved and shown has no holes");
    applied.update
}

fn replica(disk: &[Bytes], client_id: u64) -> Replica {
    Replica::load(client_id, AsideLimits::default(), disk.iter().map(|update| &**update)).unwrap()
}

fn open(disk: &[Bytes], opening: u64) -> RoomState {
    let loaded = Loaded {
        // Fresh for each opening.
        replica: replica(disk, 1_000 + opening),
        created_at: Timestamp::UNIX_EPOCH,
        modified_at: Timestamp::UNIX_EPOCH,
        topic: String::new(),
        tail: Tail { records: disk.len() as u32, ..Tail::default() },
        size: Size { bytes: disk.iter().map(Bytes::len).sum(), ..Size::default() },
        opening: (NodeId(1), opening),
        recorded: 0,
        is_damaged: false,
    };
    let limits = RoomLimits { sessions_max: 0, document_bytes_max: 0, nodes_max: 0, version_every: Duration::ZERO };
    RoomState::new(GraphId::try_from("map").unwrap(), limits, loaded)
}
