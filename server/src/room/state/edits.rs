//! How edits become part of the document, and what their senders are told.

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{ApplyError, Op, Sender};
use synapti_protocol::{close::CloseCode, envelope::NodeId, message, update};

use super::{Asked, Awaited, Effect, InFlight, Life, RoomState, Size, ownership::may_write, size::Limit};
use crate::room::{RoomError, SessionId, batch::Edit, reads::Answer};

/// How long a client has to answer what it was asked about a hole, before it is asked again.
const ASK_AGAIN_AFTER_MS: u64 = 5_000;

/// The same when the document has moved on meanwhile, so that another answer can be expected.
const ASK_AGAIN_AFTER_MOVE_MS: u64 = 1_000;

impl RoomState {
    /// Whether edits may be integrated now; until then they gather outside. `has_room` says whether the room may run
    /// further ahead of a store that is behind.
    pub fn can_integrate(&self, has_room: bool) -> bool {
        let may_go_on = self.in_flight.is_empty() || (self.is_ahead && has_room);
        may_go_on && !matches!(self.life, Life::Deleting { .. }) && self.restore.under_way.is_none()
    }

    /// Integrates what has gathered and asks for it to be committed.
    pub fn integrate(&mut self, edits: &[Edit], now: Timestamp, now_ms: u64) {
        debug_assert!(self.can_integrate(true), "a batch is cut only when the one before is on disk");
        let is_open = self.life == Life::Open;
        let limits = if is_open { self.admit(edits) } else { Vec::new() };
        let ops = edits.iter().zip(&limits).filter(|(_, limit)| limit.is_none()).map(|(edit, _)| op(edit));
        let applied = {
            let Self { replica, owners, members, .. } = self;
            replica.apply_checked(ops, &|from, client| may_write(owners, members, from, client), now_ms)
        };
        let mut results = applied.results.into_iter();
        let mut outcomes = applied.outcomes.into_iter();
        let mut waiting = Vec::new();
        let mut limits = limits.into_iter();
        for edit in edits {
            let result = match limits.next() {
                Some(None) => results.next().unwrap_or(Ok(())).map_err(Rejection::Apply),
                Some(Some(limit)) => Err(Rejection::Size(limit)),
                None => Err(Rejection::Gone),
            };
            if let (Edit::Run { request, .. }, Ok(())) = (edit, &result) {
                waiting.extend(outcomes.next().map(|outcome| Awaited::Outcome(*request, outcome)));
                continue;
            }
            self.conclude(edit, result, now_ms, &mut waiting);
        }
        self.turn_away_all(applied.refused);
        self.note_left_out(applied.left_out, now_ms);
        let acks = self.due_acks(edits);
        if let Some(update) = applied.update {
            self.history.schedule.changed(now_ms);
            self.begin_commit(&update, waiting, acks, now, now_ms);
        } else {
            self.wait_with_newest(waiting, acks);
        }
        self.settle();
    }

    /// Of edits that brought nothing new, somebody waits to hear that they are on disk.
    pub(super) fn wait_with_newest(&mut self, waiting: Vec<Awaited>, acks: Vec<(SessionId, u64)>) {
        if let Some(newest) = self.in_flight.back_mut() {
            // What the edits say may be on its way there.
            newest.waiting.extend(waiting);
            newest.acks.extend(acks);
        } else {
            // It is in the committed document already.
            self.answer_awaited(waiting);
            self.effects.extend(acks.into_iter().map(|(session, edits)| Effect::Ack(session, edits)));
        }
    }

    /// Which sessions' edits are integrated now, as far as they wait for nothing, and so will be on disk with the document.
    pub(super) fn due_acks(&mut self, edits: &[Edit]) -> Vec<(SessionId, u64)> {
        let mut senders = std::mem::take(&mut self.held);
        senders.extend(edits.iter().filter_map(|edit| match edit {
            Edit::Update { session, .. } => Some(*session),
            Edit::Map { .. } | Edit::Run { .. } => None,
        }));
        let mut acks = Vec::new();
        for session in senders {
            let Some(member) = self.members.get(&session).filter(|member| member.is.is_told) else { continue };
            if self.replica.held_from(Sender(session.0)) == 0 && !self.owners.is_waiting(session) {
                acks.push((session, member.edits));
            } else {
                self.held.insert(session);
            }
        }
        acks
    }

    /// Which limit each edit meets, if any. What only takes away meets none, or a full map would stay full.
    fn admit(&mut self, edits: &[Edit]) -> Vec<Option<Limit>> {
        let mut added = Size::default();
        let mut met = Vec::with_capacity(edits.len());
        for edit in edits {
            let mut wanted = Size::of_edit(edit);
            let own = wanted;
            wanted.add(added);
            let limit = self.limit_met_by(edit, own, wanted);
            if limit.is_none() {
                added = wanted;
            }
            met.push(limit);
        }
        met
    }

    /// Which limit an edit meets that adds `own`, and with those before it `wanted`.
    fn limit_met_by(&mut self, edit: &Edit, own: Size, wanted: Size) -> Option<Limit> {
        let wanted = Size {
            // Others may have added nodes up to the limit, or beyond it when it was higher.
            nodes: if own.nodes == 0 { 0 } else { wanted.nodes },
            ..wanted
        };
        self.size.exceeded_with(wanted, &self.limits)?;
        if self.size.takes_deletion(wanted) && self.takes_away(edit) {
            return None;
        }
        let counted = self.count();
        if counted.takes_deletion(wanted) && self.takes_away(edit) {
            return None;
        }
        counted.exceeded_with(wanted, &self.limits)
    }

    fn takes_away(&self, edit: &Edit) -> bool {
        match edit {
            Edit::Update { update, .. } => update::scan(update).is_ok_and(|update| update.struct_count() == 0),
            Edit::Map { edit, .. } => self.replica.takes_away(edit),
            Edit::Run { edit, .. } => edit.takes_away(),
        }
    }

    /// The map's exact size. The estimate only ever adds; much of it may have been deleted or known before. Encodes the
    /// whole map, but not again until something has changed.
    fn count(&mut self) -> Size {
        if self.counted != Some(self.version) {
            self.size = Size::count(&self.replica);
            self.counted = Some(self.version);
        }
        self.size
    }

    fn conclude(&mut self, edit: &Edit, result: Result<(), Rejection>, now_ms: u64, waiting: &mut Vec<Awaited>) {
        if let Edit::Update { session, .. } = edit
            && let Some(member) = self.members.get_mut(session)
        {
            member.edits += 1;
            member.has_edited = true;
        }
        match (edit, result) {
            (Edit::Map { request, .. } | Edit::Run { request, .. }, Ok(())) => waiting.push(Awaited::View(*request)),
            (Edit::Map { request, .. } | Edit::Run { request, .. }, Err(rejection)) => {
                let error = rejection.into();
                self.effects.push(Effect::Answer(*request, Answer::Failed(error)));
            }
            (Edit::Update { session, update }, Ok(())) => {
                self.note_writer(*session, update);
                self.note_hole(*session, now_ms);
            }
            (Edit::Update { session, .. }, Err(rejection)) => self.turn_away(*session, rejection),
        }
    }

    /// Ends sessions of which something that waited was refused.
    pub(super) fn turn_away_all(&mut self, refused: Vec<(Sender, ApplyError)>) {
        for (from, error) in refused {
            // A node is asked again for what was dropped of it.
            if let Some(node) = from.as_peer() {
                self.cluster.peers.doubt(NodeId(node));
                continue;
            }
            let Sender(session) = from;
            self.turn_away(SessionId(session), Rejection::Apply(error));
        }
    }

    fn turn_away(&mut self, session: SessionId, rejection: Rejection) {
        let (code, reason) = match rejection {
            Rejection::Gone => (CloseCode::Deleted, RoomError::Gone.to_string()),
            Rejection::Size(limit) => (CloseCode::TooLarge, RoomError::from(limit).to_string()),
            Rejection::Apply(error) => (code_of(&error), error.to_string()),
        };
        self.refuse(session, code, reason);
    }

    pub(super) fn begin_commit(
        &mut self,
        update: &[u8],
        waiting: Vec<Awaited>,
        acks: Vec<(SessionId, u64)>,
        at: Timestamp,
        now_ms: u64,
    ) {
        self.version += 1;
        self.size.add(Size::of_update(update));
        self.cache.invalidate();
        let frame = Bytes::from(message::encode_update(update));
        let update = frame.slice(frame.len() - update.len()..);
        let topic = self.topic_to_list(now_ms);
        self.in_flight.push_back(InFlight { frame: Some(frame), update_bytes: update.len(), waiting, acks, at });
        self.effects.push(Effect::Commit { update, topic, at });
        if self.is_ahead {
            self.show_unsaved(now_ms);
        }
    }

    /// Remembers to ask a session whose edits lack earlier ones: one question at a time, and another only when
    /// the document has moved on since or the client had time to answer.
    pub(super) fn note_hole(&mut self, session: SessionId, now_ms: u64) {
        let Some(member) = self.members.get_mut(&session) else { return };
        if self.replica.held_from(Sender(session.0)) == 0 {
            member.asked = None;
            return;
        }
        let due = member.asked.as_ref().is_none_or(|asked| {
            let moved = asked.version != self.version;
            now_ms >= asked.at_ms + if moved { ASK_AGAIN_AFTER_MOVE_MS } else { ASK_AGAIN_AFTER_MS }
        });
        if due {
            member.asked = Some(Asked { version: self.version, at_ms: now_ms });
            self.to_ask.insert(session);
        }
    }
}

enum Rejection {
    Gone,
    Size(Limit),
    Apply(ApplyError),
}

impl From<Rejection> for RoomError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Gone => Self::Gone,
            Rejection::Size(limit) => limit.into(),
            Rejection::Apply(ApplyError::Edit(error)) => Self::Edit(error),
            Rejection::Apply(error) => Self::Unreadable(error.to_string()),
        }
    }
}

fn code_of(error: &ApplyError) -> CloseCode {
    match error {
        ApplyError::AsideFull => CloseCode::RateLimited,
        ApplyError::TooDeep | ApplyError::TooMany { .. } => CloseCode::TooLarge,
        ApplyError::Malformed(_)
        | ApplyError::Rejected(_)
        | ApplyError::Circular
        | ApplyError::ManyAtKey
        | ApplyError::Edit(_) => CloseCode::Malformed,
    }
}

fn op(edit: &Edit) -> Op<'_> {
    match edit {
        Edit::Update { session, update } => Op::Update { update, from: Sender(session.0) },
        Edit::Map { edit, .. } => Op::Edit(edit),
        Edit::Run { edit, .. } => Op::Run(edit),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use synapti_crdt::{
        AsideLimits, Replica,
        map::{MapEdit, NewNode},
    };
    use synapti_protocol::graph_id::GraphId;

    use super::*;
    use crate::room::{
        RequestId,
        state::{Loaded, RoomLimits, Tail},
    };

    fn full_room() -> RoomState {
        let loaded = Loaded {
            replica: Replica::new(99, AsideLimits::default()),
            created_at: Timestamp::UNIX_EPOCH,
            modified_at: Timestamp::UNIX_EPOCH,
            topic: String::new(),
            tail: Tail::default(),
            size: Size::default(),
            opening: (NodeId(1), 1),
            recorded: 0,
            is_damaged: false,
        };
        let limits =
            RoomLimits { sessions_max: 0, document_bytes_max: 2_000, nodes_max: 0, version_every: Duration::ZERO };
        RoomState::new(GraphId::try_from("full").unwrap(), limits, loaded)
    }

    fn add(node: &str, bytes: usize) -> Edit {
        let new = NewNode { summary: "x".repeat(bytes), ..NewNode::new(node, "title") };
        Edit::Map { request: RequestId(1), edit: Box::new(MapEdit::AddNode(new)) }
    }

    #[test]
    fn a_map_is_encoded_once_for_all_that_it_refuses_until_it_changes() {
        let mut room = full_room();
        let full = Some(Limit::Bytes(2_000));
        assert_eq!(room.admit(&[add("a", 5_000), add("b", 5_000)]), [full, full]);
        // A wrong size that stays tells that nothing was counted.
        room.size.bytes = 1_900;
        assert_eq!(room.admit(&[add("a", 100)]), [full]);
        assert_eq!(room.size.bytes, 1_900);

        room.size.bytes = 100;
        room.integrate(&[add("a", 10)], Timestamp::UNIX_EPOCH, 0);
        room.committed(1, 0);
        room.size.bytes = 1_900;
        assert_eq!(room.admit(&[add("b", 100)]), [None], "something was committed, so it is counted again");
        assert_eq!(room.size.bytes, room.replica.snapshot().len());
    }
}
