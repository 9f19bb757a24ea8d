//! All nodes and people, the store and the bus.

use bytes::Bytes;
use jiff::Timestamp;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use synapti_crdt::{Op, Replica, Sender};
use synapti_server::{
    bus::News,
    room::{
        Entrant, RequestId, SessionId,
        reads::{Answer, Read},
        state::{Effect, TailError, TailRead, Tally},
    },
};

use super::{
    node::{BEHIND_AFTER_MS, Hearing, Node, Open, replica},
    person::{Person, Place},
};
use crate::support::{awareness, states_of, update_of};

const NODES: usize = 3;
const MAPS: usize = 2;
const PEOPLE: usize = 6;

/// Within this everybody has to have the same after the last fault.
const CONVERGES_WITHIN_MS: u64 = 5_000;

pub struct World {
    random: StdRng,
    now_ms: u64,
    nodes: Vec<Node>,
    people: Vec<Person>,
    /// The records of each map, in order.
    store: Vec<Vec<Bytes>>,
    parcels: Vec<Parcel>,
    /// Whether the bus loses, repeats and delays.
    is_calm: bool,
    way: Way,
    numbers: u64,
    pub repairs: u64,
}

/// How nodes can learn of each other's edits. Each way has to do by itself, but for what only the other can know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Both,
    /// Nobody looks into the store, and so nobody dies: what a node saved and never said only the store knows.
    BusAlone,
    StoreAlone,
}

/// Something on the bus.
struct Parcel {
    at_ms: u64,
    to: usize,
    map: usize,
    bytes: Bytes,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let way = [Way::Both, Way::BusAlone, Way::StoreAlone][(seed % 3) as usize];
        let hearing = if way == Way::StoreAlone { Hearing::KnownDeaf } else { Hearing::Hears };
        Self {
            random: StdRng::seed_from_u64(seed),
            now_ms: 1_000,
            nodes: (0..NODES).map(|number| Node::new(number as u64 + 1, hearing)).collect(),
            people: (0..PEOPLE).map(|number| Person::new(number, number % MAPS)).collect(),
            store: vec![Vec::new(); MAPS],
            parcels: Vec::new(),
            is_calm: false,
            way,
            numbers: 0,
            repairs: 0,
        }
    }

    /// Something happens, and some time passes.
    pub fn step(&mut self) {
        let (node, person) = (self.random.random_range(0..NODES), self.random.random_range(0..PEOPLE));
        match self.random.random_range(0..100) {
            0..45 => self.edit(person),
            45..52 => self.present(person),
            52..66 => self.move_to(person, node),
            66..70 => self.leave(person),
            70..74 if self.way != Way::BusAlone => self.crash(node),
            74..82 => self.nodes[node].is_alive = true,
            82..85 => self.cut(node),
            85..91 => self.mend(node),
            91..94 => self.nodes[node].store_up = false,
            94..98 => self.nodes[node].store_up = true,
            // Nothing for a while.
            _ => self.pass(700),
        }
        let ms = self.random.random_range(0..60);
        self.pass(ms);
    }

    /// All faults end; then there are five seconds.
    pub fn come_to_rest(&mut self) {
        self.is_calm = true;
        for node in 0..NODES {
            (self.nodes[node].is_alive, self.nodes[node].store_up) = (true, true);
            // What was lost was lost with a connection, which is made anew.
            self.nodes[node].hearing = Hearing::Deaf;
            self.mend(node);
        }
        for person in 0..PEOPLE {
            if self.people[person].place.is_none() {
                self.move_to(person, person % NODES);
            }
        }
        self.pass(CONVERGES_WITHIN_MS);
    }

    pub fn assert_all_is_well(&mut self) {
        for map in 0..MAPS {
            let mut stored = replica(&self.store[map], 900);
            for person in self.people.iter().filter(|person| person.map == map) {
                let (id, own) = (person.client.id, &person.client.replica);
                assert_eq!(own.held_bytes(), 0, "person {id} lacks something");
                let where_all_are = || {
                    let sv = |replica: &Replica| format!("{:?}", replica.state_vector());
                    let rooms = self.nodes.iter().filter_map(|node| Some((node.id, &node.rooms.get(&map)?.state)));
                    let rooms: Vec<String> = rooms.map(|(id, state)| format!("{id}: {state:?}")).collect();
                    let people = self.people.iter().map(|person| {
                        format!(
                            "{} at {:?} {}",
                            person.client.id,
                            person.place.as_ref().map(|place| place.node),
                            sv(&person.client.replica)
                        )
                    });
                    format!("store {}\n{}\n{}", sv(&stored), people.collect::<Vec<_>>().join("\n"), rooms.join("\n"))
                };
                assert!(
                    own.digest() == stored.digest(),
                    "map {map}: person {id} has another map than the store\n{}",
                    where_all_are()
                );
                for update in &person.acknowledged {
                    let applied = stored.apply([Op::Update { update, from: Sender(7) }], 0);
                    assert!(applied.update.is_none(), "an acknowledged edit of person {id} is not in the store");
                }
            }
            if self.way == Way::StoreAlone {
                continue;
            }
            let mut shown = Vec::new();
            for node in 0..NODES {
                if self.nodes[node].rooms.contains_key(&map) {
                    let request = self.request();
                    let state = &mut self.nodes[node].rooms.get_mut(&map).unwrap().state;
                    state.read(request, Read::Presence);
                    shown.push((node, self.presence_in(node, map)));
                }
            }
            assert!(shown.windows(2).all(|two| two[0].1 == two[1].1), "map {map}: not the same people: {shown:?}");
        }
    }

    fn presence_in(&mut self, node: usize, map: usize) -> Vec<(u64, u32, String)> {
        let effects = self.nodes[node].rooms.get_mut(&map).unwrap().state.take_effects();
        let frame = effects.into_iter().find_map(|effect| match effect {
            Effect::Answer(_, Answer::Presence(frame)) => Some(frame),
            _ => None,
        });
        frame.unwrap().map(|frame| states_of(&frame)).unwrap_or_default()
    }

    fn request(&mut self) -> RequestId {
        self.numbers += 1;
        RequestId(self.numbers)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn edit(&mut self, person: usize) {
        let update = self.people[person].edit();
        self.send(person, update);
    }

    fn send(&mut self, person: usize, update: Bytes) {
        let Person { place: Some(place), map, .. } = &mut self.people[person] else { return };
        place.sent.push(update.clone());
        let open = self.nodes[place.node].rooms.get_mut(map).unwrap();
        open.gathered.push(update_of(place.session.0, update));
    }

    fn present(&mut self, person: usize) {
        let now_ms = self.now_ms;
        let Person { place: Some(place), map, clock, client, .. } = &mut self.people[person] else { return };
        *clock += 1;
        let payload = awareness(client.id, *clock, "{\"x\":1}");
        self.nodes[place.node].rooms.get_mut(map).unwrap().state.awareness(place.session, &payload, now_ms);
    }

    /// Goes to another node, as a client does whose connection broke.
    fn move_to(&mut self, person: usize, node: usize) {
        self.leave(person);
        let (map, now_ms) = (self.people[person].map, self.now_ms);
        if !self.nodes[node].is_alive || !(self.nodes[node].store_up || self.nodes[node].rooms.contains_key(&map)) {
            return;
        }
        self.open(node, map);
        let session = SessionId(self.request().0);
        let open = self.nodes[node].rooms.get_mut(&map).unwrap();
        let welcome = open.state.join(session, Entrant::default().told()).unwrap();
        let cursor = welcome.cursor as usize;
        self.people[person].place = Some(Place { node, session, cursor, sent: Vec::new(), acked: 0 });
        let answer = self.people[person].client.answer(&welcome.question);
        let state_vector = self.people[person].client.state_vector();
        self.send(person, answer);
        let request = self.request();
        let open = self.nodes[node].rooms.get_mut(&map).unwrap();
        open.asking.insert(request, person);
        open.state.read(request, Read::Sync { state_vector, after: Some((session, 1)) });
        if self.people[person].clock > 0 {
            let payload = awareness(self.people[person].client.id, self.people[person].clock, "{\"x\":1}");
            let state = &mut self.nodes[node].rooms.get_mut(&map).unwrap().state;
            state.wake_up_clock(session, &payload);
            state.awareness(session, &payload, now_ms);
        }
        self.carry_out(node, map);
    }

    fn leave(&mut self, person: usize) {
        let now_ms = self.now_ms;
        let Person { place, map, .. } = &mut self.people[person];
        if let Some(place) = place.take() {
            let (node, map) = (place.node, *map);
            self.nodes[node].rooms.get_mut(&map).unwrap().state.leave(place.session, now_ms);
            self.carry_out(node, map);
        }
    }

    fn open(&mut self, node: usize, map: usize) {
        if self.nodes[node].rooms.contains_key(&map) {
            return;
        }
        let opening = self.request().0;
        let mut open = Open::load(map, &self.store[map], self.nodes[node].id, opening, self.now_ms);
        if self.nodes[node].hearing == Hearing::Hears {
            open.state.hear(News::Joined, self.now_ms).unwrap();
        }
        self.nodes[node].rooms.insert(map, open);
        self.carry_out(node, map);
    }

    /// The process is killed. What it sent last may have reached the disk.
    fn crash(&mut self, node: usize) {
        for (map, open) in std::mem::take(&mut self.nodes[node].rooms) {
            if let Some((_, update)) = open.in_flight.front().filter(|_| self.random.random_bool(0.5)) {
                self.store[map].push(update.clone());
            }
        }
        self.nodes[node].is_alive = false;
        for person in &mut self.people {
            person.place.take_if(|place| place.node == node);
        }
        self.parcels.retain(|parcel| parcel.to != node);
        // A new process is another node.
        self.nodes[node].id.0 += NODES as u64;
    }

    /// The bus is lost for a node, which may not notice at once.
    fn cut(&mut self, node: usize) {
        self.nodes[node].hearing = Hearing::Deaf;
        if self.random.random_bool(0.5) {
            self.tell_all(node, || News::Away);
            self.nodes[node].hearing = Hearing::KnownDeaf;
        }
    }

    fn mend(&mut self, node: usize) {
        if self.way == Way::StoreAlone {
            return;
        }
        let before = std::mem::replace(&mut self.nodes[node].hearing, Hearing::Hears);
        if before == Hearing::Deaf {
            self.tell_all(node, || News::Away);
        }
        if before != Hearing::Hears {
            self.tell_all(node, || News::Joined);
        }
    }

    fn tell_all(&mut self, node: usize, news: impl Fn() -> News) {
        for map in 0..MAPS {
            if let Some(open) = self.nodes[node].rooms.get_mut(&map) {
                open.state.hear(news(), self.now_ms).unwrap();
                self.carry_out(node, map);
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        while self.now_ms < end_ms {
            self.now_ms = (self.now_ms + 10).min(end_ms);
            self.deliver();
            for node in 0..NODES {
                for map in 0..MAPS {
                    if self.nodes[node].rooms.contains_key(&map) {
                        self.run(node, map);
                    }
                }
            }
            for person in 0..PEOPLE {
                self.listen(person);
            }
        }
    }

    fn deliver(&mut self) {
        let now_ms = self.now_ms;
        let due: Vec<Parcel> = self.parcels.extract_if(.., |parcel| parcel.at_ms <= now_ms).collect();
        for Parcel { to, map, bytes, .. } in due {
            if let Some(open) = self.nodes[to].rooms.get_mut(&map) {
                open.state.hear(News::Envelope(bytes), now_ms).unwrap();
                self.carry_out(to, map);
            }
        }
    }

    /// One room goes on.
    fn run(&mut self, node: usize, map: usize) {
        let (now_ms, store_up) = (self.now_ms, self.nodes[node].store_up);
        let stored = self.store[map].len() as u64;
        let open = self.nodes[node].rooms.get_mut(&map).unwrap();
        if store_up && let Some((_, update)) = open.in_flight.pop_front_if(|(at_ms, _)| *at_ms <= now_ms) {
            open.handed_over_ms = now_ms;
            self.store[map].push(update);
            open.state.committed(self.store[map].len() as u64, now_ms);
        }
        let is_behind = !open.in_flight.is_empty() && open.handed_over_ms + BEHIND_AFTER_MS <= now_ms;
        if is_behind != open.is_behind && (is_behind || open.in_flight.is_empty()) {
            open.is_behind = is_behind;
            open.state.store_is_behind(is_behind, now_ms);
        }
        let read = open.reading.take_if(|(at_ms, _)| *at_ms <= now_ms && store_up);
        if read.is_some() && self.way == Way::BusAlone {
            open.state.tail_read(Err(TailError::Unread));
        } else if let Some((_, after)) = read {
            let updates = self.store[map][after as usize..].to_vec();
            let up_to = self.store[map].len() as u64;
            open.state.tail_read(Ok(TailRead { updates, up_to, modified_at: None, has_more: false }));
        }
        if now_ms >= open.looked_ms + 1_000 && store_up && self.way != Way::BusAlone {
            open.looked_ms = now_ms;
            open.state.store_has(stored, false);
        }
        if open.state.cluster_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            open.state.tick_cluster(now_ms);
        }
        if now_ms >= open.ticked_ms + 5_000 {
            open.ticked_ms = now_ms;
            open.state.tick(now_ms);
        }
        open.state.flush_presence(now_ms);
        if open.state.arrived_bytes().is_some() && open.state.can_integrate(true) {
            open.state.take_in(Timestamp::UNIX_EPOCH, now_ms);
        }
        self.carry_out(node, map);
        let open = self.nodes[node].rooms.get_mut(&map).unwrap();
        if open.state.can_integrate(true) && !open.gathered.is_empty() {
            let edits = std::mem::take(&mut open.gathered);
            open.state.integrate(&edits, Timestamp::UNIX_EPOCH, now_ms);
        }
        self.carry_out(node, map);
        self.close_if_empty(node, map);
    }

    fn close_if_empty(&mut self, node: usize, map: usize) {
        let now_ms = self.now_ms;
        let open = self.nodes[node].rooms.get_mut(&map).unwrap();
        if !open.state.is_idle() || !open.gathered.is_empty() || open.reading.is_some() {
            open.empty_since_ms = None;
        } else if *open.empty_since_ms.get_or_insert(now_ms) + 1_000 <= now_ms {
            open.state.say_leave();
            self.carry_out(node, map);
            self.nodes[node].rooms.remove(&map);
        }
    }

    /// Does what a room wants done.
    fn carry_out(&mut self, node: usize, map: usize) {
        let effects = self.nodes[node].rooms.get_mut(&map).unwrap().state.take_effects();
        for effect in effects {
            let (delay_ms, now_ms) = (self.random.random_range(1..40), self.now_ms);
            let open = self.nodes[node].rooms.get_mut(&map).unwrap();
            match effect {
                Effect::Commit { update, .. } => {
                    if open.in_flight.is_empty() {
                        open.handed_over_ms = now_ms;
                    }
                    open.in_flight.push_back((now_ms + delay_ms, update));
                }
                Effect::Publish(frame) => open.frames.push(frame),
                Effect::Ack(session, edits) => {
                    if let Some(person) = self.person_of(node, session) {
                        self.people[person].acked(edits as usize);
                    }
                }
                Effect::Ask(session, question) => {
                    if let Some(person) = self.person_of(node, session) {
                        let answer = self.people[person].client.answer(&question);
                        self.send(person, answer);
                    }
                }
                Effect::Answer(request, Answer::Sync(reply)) => {
                    if let Some(person) = open.asking.remove(&request) {
                        // Frames of the feed may have come before it, and wait for it.
                        for frame in reply.frames.iter() {
                            self.people[person].client.receive(frame);
                        }
                    }
                }
                Effect::SayPresence(session, frame) => {
                    // As y-protocols does: whoever is said to have gone says that it has not.
                    let (_, clock, _) = states_of(&frame)[0];
                    if let Some(person) = self.person_of(node, session) {
                        self.people[person].clock = clock;
                        self.present(person);
                    }
                }
                Effect::Broadcast(bytes) => (0..NODES).for_each(|to| self.put(node, to, map, &bytes)),
                Effect::Send(to, bytes) => {
                    let to = self.nodes.iter().position(|node| node.id == to);
                    if let Some(to) = to {
                        self.put(node, to, map, &bytes);
                    }
                }
                Effect::ReadTail(after) => open.reading = Some((now_ms + delay_ms, after)),
                Effect::Tally(tally) => {
                    self.repairs += u64::from(tally == Tally::Repair);
                }
                Effect::Refuse(session, refusal) => panic!("{session:?} was sent away: {refusal:?}"),
                _ => {}
            }
        }
    }

    fn person_of(&self, node: usize, session: SessionId) -> Option<usize> {
        let is_there = |place: &Place| place.node == node && place.session == session;
        self.people.iter().position(|person| person.place.as_ref().is_some_and(is_there))
    }

    /// Puts something on the bus for one node.
    fn put(&mut self, from: usize, to: usize, map: usize, bytes: &Bytes) {
        let can = |node: &Node| node.is_alive && node.hearing == Hearing::Hears;
        if from == to || !can(&self.nodes[from]) || !can(&self.nodes[to]) || (!self.is_calm && self.chance(15)) {
            return;
        }
        let copies = if !self.is_calm && self.chance(10) { 2 } else { 1 };
        for _ in 0..copies {
            let delay_ms = if self.is_calm { 1 } else { self.random.random_range(1..120) };
            self.parcels.push(Parcel { at_ms: self.now_ms + delay_ms, to, map, bytes: bytes.clone() });
        }
    }

    fn listen(&mut self, person: usize) {
        let Person { place: Some(place), map, client, .. } = &mut self.people[person] else { return };
        let frames = &self.nodes[place.node].rooms[map].frames;
        for frame in &frames[place.cursor..] {
            client.receive(frame);
        }
        place.cursor = frames.len();
    }
}
