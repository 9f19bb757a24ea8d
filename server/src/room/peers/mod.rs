//! The other nodes that have the same map open: what each has said, what is missing of it, and when to say something.
//!
//! Pure bookkeeping: the room's state knows the document, this knows the numbers. What others say is numbered, so a gap shows;
//! gossip tells of gaps at the end, and in the end compares documents, because numbers cannot tell everything.

mod stream;

use std::collections::BTreeMap;

use synapti_protocol::envelope::{Gossip, NodeId, STREAMS_MAX};

use stream::{Part, Stream};

/// Between two gossips while something has changed, or somebody may lack something.
const GOSSIP_EVERY_MS: u64 = 1_000;

/// Between two when all agree.
const GOSSIP_SELDOM_MS: u64 = 15_000;

/// A node that has said nothing of this map for so long is asked whether it still has it open.
const SILENT_MS: u64 = GOSSIP_SELDOM_MS + 1_000;

/// Who is asked where they are answers at once; who says nothing for so long is not there any more.
const REPLIES_WITHIN_MS: u64 = 3_000;

/// Gossips at [`GOSSIP_EVERY_MS`] while nobody has answered.
const ALONE_GOSSIPS: u32 = 3;

/// How many other nodes there are, their openings, and what they lack.
#[derive(Debug)]
pub struct Peers {
    me: NodeId,
    epoch: u64,
    is_up: bool,
    /// The number of the newest update of ours.
    head: u64,
    streams: BTreeMap<NodeId, Stream>,
    questions: u64,
    gossip_due_ms: u64,
    /// Gossips since the last thing that changed.
    quiet_gossips: u32,
    wants_reply: bool,
}

/// What an update is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It came before, or from an opening that has ended.
    Stale,
    /// It is new.
    New,
}

/// What a gossip leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Whoever sent it wants to hear the same of us.
    pub reply: bool,
    /// The documents can be compared: both sides have heard the same and are still.
    pub compare: bool,
}

/// Somebody has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who.
    pub node: NodeId,
    /// Comes back with the answer.
    pub number: u64,
    /// For what.
    pub what: Wanted,
}

/// What a node is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What it has and we have not.
    Edits,
    /// Who is there.
    Presence,
}

impl Peers {
    /// Nobody else is known, and nobody can be heard yet.
    pub fn new(me: NodeId, epoch: u64) -> Self {
        Self {
            me,
            epoch,
            is_up: false,
            head: 0,
            streams: BTreeMap::new(),
            // So that no answer to an earlier opening is taken for one to this.
            questions: epoch << 20,
            gossip_due_ms: 0,
            quiet_gossips: 0,
            wants_reply: false,
        }
    }

    /// This node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// This opening.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether anything can be heard.
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// Whether somebody else is known to have the map open.
    pub fn has_company(&self) -> bool {
        !self.streams.is_empty()
    }

    /// The other one, if there is one.
    pub fn only(&self) -> Option<NodeId> {
        let mut nodes = self.streams.keys();
        nodes.next().copied().filter(|_| nodes.next().is_none())
    }

    /// Others can be heard from now on, and may have been missed before: everybody is asked where they are.
    pub fn joined(&mut self, now_ms: u64) {
        self.is_up = true;
        self.ask_around(now_ms);
    }

    /// Nothing can be heard.
    pub fn away(&mut self) {
        self.is_up = false;
    }

    /// Everybody is asked where they are.
    pub fn ask_around(&mut self, now_ms: u64) {
        self.say_soon(now_ms);
        for stream in self.streams.values_mut() {
            stream.answers_by_ms.get_or_insert(now_ms + REPLIES_WITHIN_MS);
        }
    }

    fn say_soon(&mut self, now_ms: u64) {
        self.wants_reply = true;
        self.quiet_gossips = 0;
        self.gossip_due_ms = now_ms;
    }

    /// The number of an update that is shown now.
    pub fn next_seq(&mut self, now_ms: u64) -> u64 {
        self.head += 1;
        self.changed(now_ms);
        self.head
    }

    /// The document, or what is known of others, has changed.
    pub fn changed(&mut self, now_ms: u64) {
        self.quiet_gossips = 0;
        self.gossip_due_ms = self.gossip_due_ms.min(now_ms + GOSSIP_EVERY_MS);
    }

    /// Somebody has said something of an opening; false when that opening has ended, or there are too many.
    pub fn hear(&mut self, node: NodeId, epoch: u64, now_ms: u64) -> bool {
        let is_full = self.streams.len() >= STREAMS_MAX;
        match self.streams.get_mut(&node) {
            Some(stream) if stream.epoch > epoch => false,
            Some(stream) => {
                if stream.epoch < epoch {
                    *stream = Stream::new(epoch, now_ms);
                }
                (stream.heard_ms, stream.answers_by_ms) = (now_ms, None);
                true
            }
            None if is_full || node == self.me => false,
            None => {
                self.streams.insert(node, Stream::new(epoch, now_ms));
                // It has not been sent what there was before; our gossip tells it so, and asks where it is.
                self.say_soon(now_ms);
                true
            }
        }
    }

    /// An update has come from a node that was [heard](Self::hear).
    pub fn take(&mut self, node: NodeId, seq: u64, now_ms: u64) -> Heard {
        self.changed(now_ms);
        let is_new = self.streams.get_mut(&node).is_some_and(|stream| stream.take(seq, now_ms));
        if is_new { Heard::New } else { Heard::Stale }
    }

    /// Whether updates of a node are missing.
    pub fn has_gap(&self, node: NodeId) -> bool {
        self.streams.get(&node).is_some_and(Stream::has_gap)
    }

    /// Takes in where a node is. `presence` names the people of that node that we know of, `is_still` whether our own document
    /// waits for nothing.
    pub fn gossip(&mut self, node: NodeId, gossip: &Gossip, presence: u64, is_still: bool, now_ms: u64) -> Reaction {
        let own = gossip.heard.iter().find(|(other, epoch, _)| (*other, *epoch) == (self.me, self.epoch));
        let confirmed = own.map_or(0, |&(_, _, seq)| seq);
        let Some(stream) = self.streams.get_mut(&node) else { return Reaction::default() };
        stream.note_head(gossip.head, now_ms);
        stream.confirmed = confirmed;
        stream.note_presence(gossip.presence == presence);
        for &(other, epoch, seq) in &gossip.heard {
            if let Some(stream) = self.streams.get_mut(&other).filter(|stream| stream.epoch == epoch) {
                stream.note_head(seq, now_ms);
            }
        }
        let compare = is_still && gossip.digest.is_some() && self.is_level_with(node, gossip);
        Reaction { reply: gossip.wants_reply, compare }
    }

    /// Whether both have heard all of each other and of everybody else.
    fn is_level_with(&self, node: NodeId, gossip: &Gossip) -> bool {
        let have = |other: NodeId| {
            if other == self.me {
                return Some((self.epoch, self.head));
            }
            self.streams.get(&other).map(|stream| (stream.epoch, stream.taken()))
        };
        let knows_us = gossip.heard.iter().any(|(other, _, _)| *other == self.me);
        let is_same = gossip.heard.iter().all(|&(other, epoch, seq)| have(other) == Some((epoch, seq)));
        let is_all = gossip.heard.len() == self.streams.len();
        knows_us && is_same && is_all && have(node).is_some_and(|(_, taken)| taken == gossip.head)
    }

    /// The documents were compared at our `version`.
    pub fn compared(&mut self, node: NodeId, is_same: bool, version: u64) {
        let Some(stream) = self.streams.get_mut(&node) else { return };
        if is_same { stream.agree(version) } else { stream.doubt() }
    }

    /// Something of a node may be missing that numbers do not tell.
    pub fn doubt(&mut self, node: NodeId) {
        self.streams.get_mut(&node).into_iter().for_each(Stream::doubt);
    }

    /// Something of a node waits at the gate, or nothing does any more.
    pub fn note_held(&mut self, is_held: impl Fn(NodeId) -> bool, now_ms: u64) {
        for (&node, stream) in &mut self.streams {
            stream.note_held(is_held(node), now_ms);
        }
    }

    /// A node shows the people that we know of again.
    pub fn note_presence(&mut self, node: NodeId) {
        self.streams.get_mut(&node).into_iter().for_each(|stream| stream.note_presence(true));
    }

    /// A part of an answer has come; whether it should be taken in, and whether the answer is whole with it.
    pub fn answered(&mut self, node: NodeId, number: u64, part: u64, is_last: bool, now_ms: u64) -> Option<bool> {
        let stream = self.streams.get_mut(&node)?;
        match stream.answered(number, part, is_last, now_ms) {
            Part::Useless => None,
            Part::Next => Some(false),
            Part::Last => Some(true),
        }
    }

    /// A whole answer has been taken in, which contains everything up to `head`.
    pub fn repaired(&mut self, node: NodeId, head: u64, now_ms: u64) {
        self.changed(now_ms);
        self.streams.get_mut(&node).into_iter().for_each(|stream| stream.repaired(head, now_ms));
    }

    /// An answer has been taken in that was not all: its node is asked on.
    pub fn ask_on(&mut self, node: NodeId, now_ms: u64) {
        self.streams.get_mut(&node).into_iter().for_each(|stream| stream.ask_on(now_ms));
    }

    /// A node does not have the map open any more; false when a newer opening of it is known.
    pub fn leave(&mut self, node: NodeId, epoch: Option<u64>) -> bool {
        let is_it = |stream: &Stream| epoch.is_none_or(|epoch| stream.epoch <= epoch);
        self.streams.get(&node).is_some_and(is_it) && self.streams.remove(&node).is_some()
    }

    /// Those who have said nothing for too long; they are forgotten.
    pub fn expire(&mut self, now_ms: u64) -> Vec<NodeId> {
        if !self.is_up {
            // That nothing is heard says nothing of them.
            for stream in self.streams.values_mut() {
                (stream.heard_ms, stream.answers_by_ms) = (now_ms, None);
            }
            return Vec::new();
        }
        for stream in self.streams.values_mut() {
            if stream.heard_ms + SILENT_MS <= now_ms && stream.answers_by_ms.is_none() {
                stream.answers_by_ms = Some(now_ms + REPLIES_WITHIN_MS);
                self.gossip_due_ms = now_ms;
            }
        }
        let is_silent = |stream: &Stream| stream.answers_by_ms.is_some_and(|by_ms| by_ms <= now_ms);
        let silent: Vec<NodeId> =
            self.streams.iter().filter(|(_, stream)| is_silent(stream)).map(|(&node, _)| node).collect();
        silent.into_iter().filter(|node| self.streams.remove(node).is_some()).collect()
    }

    /// Whom to ask now.
    pub fn due_questions(&mut self, now_ms: u64) -> Vec<Ask> {
        if !self.is_up {
            return Vec::new();
        }
        let mut asks = Vec::new();
        for (&node, stream) in &mut self.streams {
            let is_due = |due_ms: Option<u64>| due_ms.is_some_and(|due_ms| due_ms <= now_ms);
            if is_due(stream.question_due_ms()) {
                self.questions += 1;
                stream.ask(self.questions, now_ms);
                asks.push(Ask { node, number: self.questions, what: Wanted::Edits });
            }
            if is_due(stream.presence_question_due_ms()) {
                self.questions += 1;
                stream.ask_presence(now_ms);
                asks.push(Ask { node, number: self.questions, what: Wanted::Presence });
            }
        }
        asks
    }

    /// Whether it is time to say where we are; answers whether others shall say the same.
    pub fn due_gossip(&mut self, version: u64, now_ms: u64) -> Option<bool> {
        if !self.is_up || now_ms < self.gossip_due_ms {
            return None;
        }
        let is_alone = !self.has_company();
        let is_asked = |stream: &Stream| stream.answers_by_ms.is_some();
        let agrees = |stream: &Stream| stream.is_settled() && stream.agreed == Some(version) && !is_asked(stream);
        let wants_reply = std::mem::take(&mut self.wants_reply) || is_alone || self.streams.values().any(is_asked);
        let is_calm = if is_alone { self.quiet_gossips >= ALONE_GOSSIPS } else { self.streams.values().all(agrees) };
        self.quiet_gossips = self.quiet_gossips.saturating_add(1);
        self.gossip_due_ms = now_ms + if is_calm { GOSSIP_SELDOM_MS } else { GOSSIP_EVERY_MS };
        Some(wants_reply)
    }

    /// Whether nothing has changed since the last gossip: then documents may be compared.
    pub fn is_quiet(&self) -> bool {
        self.quiet_gossips >= 1 && self.streams.values().all(Stream::is_settled)
    }

    /// When something is due.
    pub fn due_ms(&self) -> Option<u64> {
        if !self.is_up {
            return None;
        }
        let of_stream =
            |stream: &Stream| [stream.question_due_ms(), stream.presence_question_due_ms(), stream.answers_by_ms];
        self.streams.values().flat_map(of_stream).flatten().chain([self.gossip_due_ms]).min()
    }

    /// Where we are, without what only the document tells.
    pub fn own_gossip(&self, wants_reply: bool) -> Gossip {
        let heard = self.streams.iter().map(|(&node, stream)| (node, stream.epoch, stream.taken())).collect();
        Gossip { head: self.head, recorded: 0, presence: 0, wants_reply, digest: None, heard }
    }
}

#[cfg(test)]
mod tests;
