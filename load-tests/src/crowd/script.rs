//! The edits of a room, made before the clock starts.

use anyhow::ensure;
use synapti_crdt::{
    AsideLimits, Op, Replica, Sender,
    map::{MapEdit, NewNode},
};
use synapti_protocol::{lib0::write_var_uint, message::encode_update, update};

use super::Plan;
use crate::{
    client::fresh_client_id,
    map,
    marker::{MARKED_MAX, Markers},
    wire::wire_frame,
};

/// Edits that are made on one document. Making one takes a look at all nodes that are there.
const EDITS_PER_DOCUMENT: u32 = 64;

/// What is said in a room.
pub struct Script {
    /// The first edit, that makes the document a map. It is nobody's.
    pub init: Vec<u8>,
    /// What each editor says.
    pub editors: Vec<Vec<Line>>,
}

/// One edit.
pub struct Line {
    /// The update.
    pub update: Vec<u8>,
    /// As it goes over the network.
    pub wire: Vec<u8>,
}

impl Script {
    /// Edits for a room, that are numbered from `first`. Each editor has a client id of its own and makes its edits in sequence.
    pub fn write(plan: &Plan, edits: u32, markers: &Markers, first: u32) -> anyhow::Result<Self> {
        ensure!(
            first.saturating_add(edits) <= MARKED_MAX,
            "no more than {MARKED_MAX} edits of a run can be told apart: take fewer rooms, seconds or edits in a second"
        );
        let mut replica = Replica::new(fresh_client_id(), AsideLimits::default());
        let made = replica.apply([Op::Edit(&map::init("Load"))], 0);
        made.results.into_iter().collect::<Result<(), _>>()?;
        let init = made.update.unwrap_or_default();
        let editors = (0..plan.editors)
            .map(|editor| {
                let numbers: Vec<u32> = (0..edits).filter(|&edit| plan.editor_of(edit) == editor).collect();
                write_lines(&init, &numbers, |edit| node(markers.id(first + edit), plan.edit_bytes))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { init, editors })
    }

    /// An editor's line that is edit number `edit` of the room.
    pub fn line(&self, plan: &Plan, edit: u32) -> &Line {
        &self.editors[plan.editor_of(edit) as usize][(edit / plan.editors) as usize]
    }
}

/// What a client writes, one edit after the other.
///
/// After some edits it goes on with a document in which its earlier edits are there as gaps that were collected:
/// their places are taken, so its clock goes on, and nothing of them has to be looked at.
fn write_lines(init: &[u8], edits: &[u32], node: impl Fn(u32) -> NewNode) -> anyhow::Result<Vec<Line>> {
    let client = fresh_client_id();
    let mut lines = Vec::with_capacity(edits.len());
    let mut clock = 0;
    for some in edits.chunks(EDITS_PER_DOCUMENT as usize) {
        let taken = collected(client, clock);
        let mut replica = Replica::load(client, AsideLimits::default(), [init, &taken])?;
        for &edit in some {
            let made = replica.apply([Op::Edit(&MapEdit::AddNode(node(edit)))], 0);
            made.results.into_iter().collect::<Result<(), _>>()?;
            let update = made.update.unwrap_or_default();
            lines.push(Line { wire: wire_frame(encode_update(&update)), update });
        }
        let state = replica.state_vector();
        let state = update::scan_state_vector(&state)?;
        clock = state.iter().find(|(id, _)| *id == client).map_or(0, |(_, clock)| clock);
    }
    Ok(lines)
}

/// An update in which the first `clock` elements of a client have been collected.
fn collected(client: u64, clock: u32) -> Vec<u8> {
    if clock == 0 {
        return update::EMPTY_UPDATE.to_vec();
    }
    let mut bytes = Vec::new();
    // One client, one struct, whose; from clock 0 on, a GC (0) of this length; nothing deleted.
    for value in [1, 1, client, 0, 0, u64::from(clock), 0] {
        write_var_uint(&mut bytes, value);
    }
    bytes
}

fn node(id: String, bytes: u32) -> NewNode {
    let mut node = NewNode::new(id, "An idea about it");
    node.summary = "x".repeat(bytes as usize);
    node
}

/// The document after these updates.
pub fn document<'a>(updates: impl IntoIterator<Item = &'a [u8]>) -> anyhow::Result<Replica> {
    let mut replica = Replica::new(fresh_client_id(), AsideLimits::default());
    let applied = replica.apply(updates.into_iter().map(|update| Op::Update { update, from: Sender::default() }), 0);
    applied.results.into_iter().collect::<Result<(), _>>()?;
    Ok(replica)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn edits_that_could_not_be_told_apart_are_refused() {
        let (warmup, measured) = (Duration::ZERO, Duration::from_secs(1));
        let plan = Plan {
            rooms: 1,
            viewers: 1,
            stopped: 0,
            editors: 1,
            rate: 1,
            warmup,
            measured,
            presence: false,
            edit_bytes: 0,
        };
        let write = |first| Script::write(&plan, 1, &Markers::new(1), first);
        assert!(write(MARKED_MAX - 1).is_ok());
        assert!(write(MARKED_MAX).is_err_and(|error| error.to_string().contains("fewer rooms")));
    }

    #[test]
    fn every_line_adds_its_node_and_editors_go_on_where_they_were() {
        let (warmup, measured) = (Duration::ZERO, Duration::from_secs(1));
        let plan = Plan {
            rooms: 1,
            viewers: 0,
            stopped: 0,
            editors: 2,
            rate: 300,
            warmup,
            measured,
            presence: false,
            edit_bytes: 0,
        };
        let markers = Markers::new(1);
        let script = Script::write(&plan, 300, &markers, 1000).unwrap();
        for edit in 0..300 {
            let found: Vec<u32> = markers.find(&script.line(&plan, edit).update).collect();
            assert_eq!(found, [1000 + edit]);
        }
        let updates = (0..300).map(|edit| script.line(&plan, edit).update.as_slice());
        let replica = document(std::iter::once(script.init.as_slice()).chain(updates)).unwrap();
        assert_eq!(replica.held_bytes(), 0, "each joins on to those before");
        assert_eq!(replica.map().nodes.len(), 301);
        assert_eq!(
            update::scan_state_vector(&replica.state_vector()).unwrap().iter().count(),
            3,
            "init and two editors"
        );
        let bytes = script.line(&plan, 299).update.len();
        assert!((120..=180).contains(&bytes), "about 150 bytes: {bytes}");
    }
}
