//! Everybody joins.

use std::{cell::RefCell, rc::Rc};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use synapti_protocol::message::encode_step1;
use tokio::{sync::watch, task::JoinSet};

use super::{
    Plan, Script,
    member::{Member, Room},
    outcome::Counts,
    presence::Presence,
    recent::Recent,
    tally::Tally,
};
use crate::{
    client::answered,
    marker::Markers,
    progress::Progress,
    subject::Subject,
    wire::{self, Inbox, Outbox, Scratch},
};

/// Handshakes at the same time.
const JOINING_MAX: usize = 32;

/// Bytes that the system receives for a client that does not read, so that the server soon notices.
const STOPPED_RECEIVE_BYTES: u32 = 64 << 10;

/// State vector of a client that has nothing yet.
pub const NOTHING: &[u8] = &[0];

/// Everybody who is there.
pub struct Gathered {
    /// The rooms.
    pub rooms: Vec<Rc<Room>>,
    /// The editors, with their sending halves.
    pub editors: Vec<(Rc<Member>, Rc<Outbox>)>,
    /// All clients, room by room; the editors of a room come first.
    pub members: Vec<Rc<Member>>,
    /// Reads for them. A task ends when its connection does, which is an error.
    pub reading: JoinSet<anyhow::Error>,
    /// What arrives.
    pub tally: Rc<Tally>,
    /// What arrives at those that stop reading at times.
    pub later: Rc<Tally>,
    /// Whether they read.
    pub reads: watch::Sender<bool>,
}

impl Gathered {
    /// Counts so far.
    pub fn counts(&self) -> Counts {
        let sum = |count: fn(&Tally) -> u64| count(&self.tally) + count(&self.later);
        Counts {
            deliveries: sum(|tally| tally.deliveries.get()),
            frames: sum(|tally| tally.frames.get()),
            bytes: sum(|tally| tally.bytes.get()),
        }
    }
}

/// Opens all connections and waits until each has the state of its room.
pub async fn gather(
    subject: &Subject,
    plan: &Plan,
    markers: &Markers,
    scripts: &[Rc<Script>],
) -> anyhow::Result<Gathered> {
    let (tally, later) = (Rc::new(Tally::default()), Rc::new(Tally::default()));
    let (reads, may_read) = watch::channel(true);
    let run = rand::random::<u32>();
    let rooms: Vec<Rc<Room>> = (0..plan.rooms)
        .map(|index| Rc::new(room(plan, run, index, markers, scripts, &may_read, subject.nodes())))
        .collect();
    let members: Vec<Rc<Member>> = rooms.iter().flat_map(|room| members(plan, room, [&tally, &later])).collect();
    let progress = Progress::phase("joining", members.len() as u64);
    let scratch = Scratch::default();
    let connections: Vec<(Inbox, Rc<Outbox>)> = stream::iter(&members)
        .map(|member| async {
            let address = subject.address_of(member.node);
            let soon_full = member.stops.then(|| address.receiving_at_most(STOPPED_RECEIVE_BYTES));
            let opened = wire::open(soon_full.as_ref().unwrap_or(address), &member.room.id, &scratch).await?;
            progress.step(1);
            Ok::<_, anyhow::Error>(opened)
        })
        .buffered(JOINING_MAX)
        .try_collect()
        .await?;
    let (mut reading, mut editors) = (JoinSet::new(), Vec::new());
    for (member, (inbox, outbox)) in members.iter().zip(connections) {
        outbox.send(encode_step1(NOTHING)).await?;
        if plan.presence {
            outbox.send(Presence::new().next()).await?;
        }
        let member = member.clone();
        if member.editor.is_some() {
            editors.push((member.clone(), outbox));
        }
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
    Ok(Gathered { rooms, editors, members, reading, tally, later, reads })
}

fn room(
    plan: &Plan,
    run: u32,
    index: u32,
    markers: &Markers,
    scripts: &[Rc<Script>],
    reads: &watch::Receiver<bool>,
    nodes: u32,
) -> Room {
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
        reads: reads.clone(),
        nodes,
    }
}

fn members(plan: &Plan, room: &Rc<Room>, [tally, later]: [&Rc<Tally>; 2]) -> Vec<Rc<Member>> {
    let member = |number| {
        let editor = (number < plan.editors).then_some(number);
        let name = match editor {
            Some(editor) => format!("editor {editor} of room {}", room.index),
            None => format!("viewer {} of room {}", number - plan.editors, room.index),
        };
        let stops = plan.stops(number);
        let tally = if stops { later } else { tally };
        let mut member = Member::new(room.clone(), tally.clone(), name, editor);
        member.stops = stops;
        member.node = room.node_of(number);
        Rc::new(member)
    };
    (0..plan.members()).map(member).collect()
}
