//! What a client was asked for and is being sent, and what it certainly has.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use synapti_protocol::{
    message::{self, Message, SyncMessage},
    update,
};

use crate::{
    limits::answers::Paid,
    room::{SyncReply, reads::StateFrames},
    telemetry::metrics,
};

/// The state vector of an empty document.
const EMPTY_STATE_VECTOR: Bytes = Bytes::from_static(&[0]);

/// An answer on its way. Nothing more of the client is read before the network has taken it.
#[derive(Debug)]
pub(super) struct Answer {
    frames: VecDeque<Bytes>,
    /// What of `frames` is a state, with its share of what answers may hold.
    state: Option<Arc<StateFrames>>,
    /// A state vector that the client has once `frames` is empty.
    arriving: Option<Bytes>,
    /// It is on its way into the network.
    is_going: bool,
    /// A state vector that the client certainly has: from it a diff is made when the cursor falls off the ring.
    known: Bytes,
    cut: Option<Cut>,
}

/// An answer that the client did not take: the rest of it was dropped, and is made anew when the client reads again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The client still waits for the `SyncStep2` that tells it that it has everything.
    pub(super) is_asked: bool,
}

impl Answer {
    pub(super) fn new(greeting: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            frames: greeting.into_iter().collect(),
            state: None,
            arriving: None,
            is_going: false,
            known: EMPTY_STATE_VECTOR,
            cut: None,
        }
    }

    /// Whether the network has taken all of it.
    pub(super) fn is_over(&self) -> bool {
        self.frames.is_empty() && !self.is_going && self.cut.is_none()
    }

    /// Whether there is something to send.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What a state in it has of what answers may hold.
    pub(super) fn paid(&self) -> Option<&Paid> {
        self.state.as_ref().map(|state| &state.paid)
    }

    /// The network has taken everything that [`Answer::next`] yielded.
    pub(super) fn flushed(&mut self) {
        self.is_going = false;
    }

    /// What the client certainly has.
    pub(super) fn known(&self) -> &Bytes {
        &self.known
    }

    /// The client has read the feed up to a checkpoint.
    pub(super) fn knows(&mut self, state_vector: Bytes) {
        self.known = state_vector;
    }

    /// Adds one frame that is no state.
    pub(super) fn say(&mut self, frame: impl IntoIterator<Item = Bytes>) {
        self.frames.extend(frame);
    }

    /// Adds a state.
    pub(super) fn state(&mut self, reply: &SyncReply, is_asked: bool) {
        self.arriving = Some(reply.state_vector.clone());
        self.state = Some(reply.frames.clone());
        let frames = reply.frames.iter().cloned();
        if is_asked { self.frames.extend(frames) } else { self.frames.extend(frames.map(unasked)) }
    }

    /// The next frames, at least one.
    pub(super) fn next(&mut self, bytes_max: usize, mut send: impl FnMut(Bytes)) {
        self.is_going = true;
        let mut bytes = 0;
        while let Some(frame) = self.frames.pop_front_if(|next| bytes == 0 || bytes + next.len() <= bytes_max) {
            bytes += frame.len();
            send(frame);
        }
        if self.frames.is_empty() {
            // An idle client keeps no room for the frames of a large answer.
            self.frames = VecDeque::new();
            self.state = None;
            if let Some(state_vector) = self.arriving.take() {
                self.known = state_vector;
            }
        }
    }

    /// Lets go of the rest of a state that the client does not take, so that a client that stopped costs nothing. What it
    /// has been sent counts as known.
    pub(super) fn shed(&mut self) {
        if self.frames.is_empty() {
            return;
        }
        let Some(arriving) = self.arriving.take() else { return };
        metrics::get().answers_shed.increment(1);
        self.known = without(&arriving, &self.frames);
        let is_asked = self.frames.iter().any(|frame| matches!(parsed(frame), Some((_, true))));
        self.frames = VecDeque::new();
        self.state = None;
        self.cut = Some(Cut { is_asked });
    }

    /// What was dropped, once.
    pub(super) fn take_cut(&mut self) -> Option<Cut> {
        self.cut.take()
    }
}

/// A frame of a state that the client has not asked for: a `SyncStep2` would tell it that its question, which may not even
/// have been read, is answered.
fn unasked(frame: Bytes) -> Bytes {
    match parsed(&frame) {
        Some((update, true)) => message::encode_update(update).into(),
        _ => frame,
    }
}

/// The update in a frame, and whether it is a `SyncStep2`.
fn parsed(frame: &Bytes) -> Option<(&[u8], bool)> {
    match message::parse(frame) {
        Ok(Message::Sync(SyncMessage::Step2(update))) => Some((update, true)),
        Ok(Message::Sync(SyncMessage::Update(update))) => Some((update, false)),
        _ => None,
    }
}

/// What somebody has who has all of a state but these frames of it. They join on to those before, so all of a client's
/// elements that come in them come last.
fn without(state_vector: &[u8], frames: &VecDeque<Bytes>) -> Bytes {
    let Ok(view) = update::scan_state_vector(state_vector) else { return EMPTY_STATE_VECTOR };
    let mut clocks: HashMap<u64, u32> = view.iter().collect();
    for (bytes, _) in frames.iter().filter_map(parsed) {
        let Ok(update) = update::scan(bytes) else { return EMPTY_STATE_VECTOR };
        for section in update.sections() {
            clocks.entry(section.client).and_modify(|clock| *clock = section.clock.min(*clock));
        }
    }
    let clocks: Vec<(u64, u32)> = clocks.into_iter().filter(|(_, clock)| *clock > 0).collect();
    update::encode_state_vector(&clocks).into()
}

#[cfg(test)]
mod tests {
    use synapti_crdt::{
        AsideLimits, Op, Replica, Sender,
        map::{MapEdit, NewNode},
    };

    use super::*;

    /// A document, and its state in slices.
    fn state() -> (Replica, SyncReply) {
        let mut replica = Replica::new(7, AsideLimits::default());
        for n in 0..200 {
            let node = NewNode { summary: "x".repeat(100), ..NewNode::new(format!("n{n}"), "title") };
            replica.apply([Op::Edit(&MapEdit::AddNode(node))], 0);
        }
        let snapshot = replica.snapshot();
        let slices = update::slices(&update::scan(&snapshot).unwrap(), 2_000);
        let last = slices.len() - 1;
        let frame = |(at, slice): (usize, Vec<u8>)| -> Bytes {
            if at == last { message::encode_step2(&slice) } else { message::encode_update(&slice) }.into()
        };
        let frames = slices.into_iter().enumerate().map(frame).collect();
        let reply = SyncReply {
            frames: Arc::new(frames),
            state_vector: replica.state_vector().into(),
            presence: None,
            cursor: 0,
        };
        (replica, reply)
    }

    fn hear(client: &mut Replica, frame: &Bytes) {
        let (update, _) = parsed(frame).unwrap();
        client.apply([Op::Update { update, from: Sender(1) }], 0).results.pop().unwrap().unwrap();
    }

    #[test]
    fn what_was_sent_before_an_answer_was_dropped_need_not_be_sent_again() {
        let (room, reply) = state();
        for taken in [1, 5, reply.frames.len() - 1] {
            let mut answer = Answer::new([]);
            let mut client = Replica::new(8, AsideLimits::default());
            answer.state(&reply, true);
            for _ in 0..taken {
                answer.next(1, |frame| hear(&mut client, &frame));
            }
            answer.shed();
            assert!(answer.is_empty() && !answer.is_over());
            assert_eq!(answer.take_cut(), Some(Cut { is_asked: true }));
            assert_eq!(answer.known()[..], client.state_vector()[..], "after {taken} frames");
            let rest = room.diff(answer.known()).unwrap();
            assert!(rest.len() < room.snapshot().len());
            client.apply([Op::Update { update: &rest, from: Sender(1) }], 0);
            assert_eq!(client.digest(), room.digest());
        }
    }

    #[test]
    fn an_answer_that_has_gone_is_not_dropped() {
        let (_, reply) = state();
        let mut answer = Answer::new([]);
        answer.state(&reply, true);
        answer.next(usize::MAX, drop);
        answer.shed();
        assert_eq!((answer.take_cut(), &answer.known()[..]), (None, &reply.state_vector[..]));
        answer.flushed();
        assert!(answer.is_over());
    }

    #[test]
    fn who_did_not_ask_is_not_told_that_its_question_is_answered() {
        let (_, reply) = state();
        let mut answer = Answer::new([]);
        answer.state(&reply, false);
        answer.next(usize::MAX, |frame| assert!(!parsed(&frame).unwrap().1));
        answer.state(&reply, false);
        answer.shed();
        assert_eq!(answer.take_cut(), Some(Cut { is_asked: false }));
    }
}
