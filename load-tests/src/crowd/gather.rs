//! Everybody joins.

use std::{cell::RefCell, rc::Rc};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use synapti_protocol::{
    awareness::{self, AwarenessEntry},
    message::{encode_awareness, encode_step1},
};
use tokio::task::JoinSet;

use super::{
    Plan, Script,
    member::{Member, Room},
    outcome::Counts,
    recent::Recent,
    tally::Tally,
};
use crate::{
    client::{answered, fresh_client_id},
    marker::Markers,
    progress::Progress,
    subject::Subject,
    wire::{self, Inbox, Outbox, Scratch},
};

/// Handshakes at the same time.
const JOINING_MAX: usize = 32;

/// State vector of a client that has nothing yet.
pub const NOTHING: &[u8] = &[0];

/// Everybody who is there.
pub struct Gathered {
    /// The rooms.
    pub rooms: Vec<Rc<Room>>,
    /// Each room's editors' sending halves.
    pub editors: Vec<Vec<Rc<Outbox>>>,
    /// All clients, room by room; the editors of a room come first.
    pub members: Vec<Rc<Member>>,
    /// Reads for them. A task ends when its connection does, which is an error.
    pub reading: JoinSet<anyhow::Error>,
    /// What arrives.
    pub tally: Rc<Tally>,
}

impl Gathered {
    /// Counts so far.
    pub fn counts(&self) -> Counts {
        let Tally { deliveries, frames, bytes, .. } = &*self.tally;
        Counts { deliveries: deliveries.get(), frames: frames.get(), bytes: bytes.get() }
    }
}

/// Opens all connections and waits until each has the state of its room.
pub async fn gather(
    subject: &Subject,
    plan: &Plan,
    markers: &Markers,
    scripts: &[Rc<Script>],
) -> anyhow::Result<Gathered> {
    let tally = Rc::new(Tally::default());
    let run = rand::random::<u32>();
    let rooms: Vec<Rc<Room>> =
        (0..plan.rooms).map(|index| Rc::new(room(plan, run, index, markers, scripts, &tally))).collect();
    let members: Vec<Rc<Member>> = rooms.iter().flat_map(|room| members(plan, room)).collect();
    let progress = Progress::phase("joining", members.len() as u64);
    let scratch = Scratch::default();
    let connections: Vec<(Inbox, Rc<Outbox>)> = stream::iter(&members)
        .map(|member| async {
            let opened = wire::open(&subject.address, &member.room.id, &scratch).await?;
            progress.step(1);
            Ok::<_, anyhow::Error>(opened)
        })
        .buffered(JOINING_MAX)
        .try_collect()
        .await?;
    let (mut reading, mut editors) = (JoinSet::new(), vec![Vec::new(); rooms.len()]);
    for (member, (inbox, outbox)) in members.iter().zip(connections) {
        outbox.send(encode_step1(NOTHING)).await?;
        if plan.presence {
            outbox.send(presence()).await?;
        }
        if member.editor.is_some() {
            editors[member.room.index as usize].push(outbox);
        }
        let member = member.clone();
        reading.spawn_local(async move { member.read(inbox).await });
    }
    let all_joined = async {
        for member in &members {
            member.joined().await;
        }
        Ok(())
    };
    tokio::select! {
        joined = answered("the first sync", all_joined) => joined?,
        left = reading.join_next() => return Err(left.context("there are no clients")??),
    }
    Ok(Gathered { rooms, editors, members, reading, tally })
}

fn room(plan: &Plan, run: u32, index: u32, markers: &Markers, scripts: &[Rc<Script>], tally: &Rc<Tally>) -> Room {
    // One script for all rooms that are edited one after the other, or one for each.
    let script = scripts[index as usize].clone();
    Room {
        id: format!("load-{run:08x}-{index}"),
        index,
        first: index * plan.edits(),
        warmup_edits: plan.warmup_edits(),
        script,
        markers: markers.clone(),
        sent: RefCell::new(vec![None; plan.edits() as usize]),
        recent: RefCell::<Recent>::default(),
        tally: tally.clone(),
    }
}

fn members(plan: &Plan, room: &Rc<Room>) -> impl Iterator<Item = Rc<Member>> {
    let members = plan.members();
    (0..members).map(move |number| {
        let editor = (number < plan.editors).then_some(number);
        let name = match editor {
            Some(editor) => format!("editor {editor} of room {}", room.index),
            None => format!("viewer {} of room {}", number - plan.editors, room.index),
        };
        // Two documents are compared in the end: the first editor's, and that of the last client.
        let is_recorded = number == 0 || number + 1 == members;
        Rc::new(Member::new(room.clone(), name, editor, is_recorded))
    })
}

/// Who is here and what they look at, as editors of maps tell it: about 100 bytes.
pub fn presence() -> Vec<u8> {
    let client = fresh_client_id();
    let state = format!(
        r##"{{"user":{{"name":"Visitor {client}","color":"#8B5CF6"}},"cursor":{{"x":{},"y":{}}}}}"##,
        client % 1000,
        client / 1000 % 1000
    );
    encode_awareness(&awareness::encode(&[AwarenessEntry { client, clock: 1, state: &state }]))
}
