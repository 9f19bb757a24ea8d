//! One edit on its way to three viewers: at a WebSocket, with polls, and with a stream of events.

use std::time::Duration;

use synapti_crdt::map::{MapEdit, NewNode};
use synapti_protocol::message::encode_step1;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{poller::Poller, sse::Events, viewer::Viewer};
use crate::{
    client::{ANSWERED_WITHIN, Client},
    cores::Cores,
    crowd::NOTHING,
    map,
    marker::Markers,
    progress::Progress,
    subject::{Kind, Subject, Target},
    wire::{self, Address, Scratch},
};

/// Viewers.
const VIEWERS: usize = 3;

/// So many edits, so many in a second.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rate: u32,
    pub edits: u32,
}

/// When each edit was sent, and when each viewer had it.
pub struct Measured {
    pub sent: Vec<Instant>,
    pub socket: Vec<Instant>,
    pub poll: Vec<Instant>,
    pub events: Vec<Instant>,
}

impl Plan {
    /// Measures on a server of its own, or on the one that runs.
    pub async fn measure(self, target: &Target, cores: Cores) -> anyhow::Result<Measured> {
        let mut subject = target.up(Kind::Synapti, cores, &[]).await?;
        let room = format!("poll-{:08x}", rand::random::<u32>());
        let measured = self.run(&subject, &room).await;
        subject.forget([room.as_str()]).await;
        match measured {
            Ok(measured) => {
                subject.down().await?;
                Ok(measured)
            }
            Err(error) => Err(subject.blame(error)),
        }
    }

    async fn run(self, subject: &Subject, room: &str) -> anyhow::Result<Measured> {
        let address = &subject.address;
        let mut writer = Client::join_within(address.answered_within(), address.url(), room).await?;
        let init = writer.edit([&map::init("Latency")])?;
        writer.connection.send(init).await?;
        writer.sync().await?;
        let markers = Markers::new(rand::random());
        let viewer = |name| Viewer::new(name, &markers, self.edits);
        let (mut socket, mut poll) = (viewer("WebSocket viewer"), viewer("poller"));
        let mut events = viewer("viewer of events");
        let mut sent = Vec::with_capacity(self.edits as usize);
        let ready = watch::Sender::new(0);
        let _progress = Progress::phase(&format!("{} edits, {} in a second", self.edits, self.rate), 0);
        let all = async {
            tokio::try_join!(
                self.write(&mut writer, &markers, &mut sent, &ready),
                at_socket(address, room, &mut socket, &ready),
                with_polls(address, room, &mut poll, &ready),
                with_events(address, room, &mut events, &ready),
            )
        };
        // If this takes too long, the viewers tell what they lack.
        if let Ok(done) = timeout(Duration::from_secs(1) / self.rate * self.edits + 2 * ANSWERED_WITHIN, all).await {
            done?;
        }
        let digest = writer.replica.digest();
        let (socket, poll, events) = (socket.arrivals(digest)?, poll.arrivals(digest)?, events.arrivals(digest)?);
        Ok(Measured { sent, socket, poll, events })
    }

    /// Sends edits at their times when all viewers are there, and reads what comes back, so that the server never waits for this
    /// client.
    async fn write(
        self,
        writer: &mut Client,
        markers: &Markers,
        sent: &mut Vec<Instant>,
        ready: &watch::Sender<usize>,
    ) -> anyhow::Result<()> {
        ready.subscribe().wait_for(|ready| *ready == VIEWERS).await?;
        let mut due = interval(Duration::from_secs(1) / self.rate);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for edit in 0..self.edits {
            loop {
                tokio::select! {
                    biased;
                    _ = due.tick() => break,
                    echo = writer.connection.frame() => drop(echo?),
                }
            }
            let add = MapEdit::AddNode(NewNode::new(markers.id(edit), format!("Idea {edit}")));
            let frame = writer.edit([&add])?;
            sent.push(Instant::now());
            writer.connection.send(frame).await?;
        }
        Ok(())
    }
}

async fn at_socket(
    address: &Address,
    room: &str,
    viewer: &mut Viewer<'_>,
    ready: &watch::Sender<usize>,
) -> anyhow::Result<()> {
    let (mut inbox, outbox) = wire::open(address, room, &Scratch::default()).await?;
    outbox.send(encode_step1(NOTHING)).await?;
    while !viewer.is_synced() {
        inbox.read(|frame, now| viewer.take(frame, now)).await?;
    }
    ready.send_modify(|ready| *ready += 1);
    while !viewer.has_all() {
        inbox.read(|frame, now| viewer.take(frame, now)).await?;
    }
    Ok(())
}

/// Polls again as soon as a poll is answered.
async fn with_polls(
    address: &Address,
    room: &str,
    viewer: &mut Viewer<'_>,
    ready: &watch::Sender<usize>,
) -> anyhow::Result<()> {
    let (mut poller, state) = Poller::join(address, room).await?;
    let now = Instant::now();
    state.messages()?.into_iter().try_for_each(|frame| viewer.take(frame, now))?;
    poller.ask().await?;
    ready.send_modify(|ready| *ready += 1);
    while !viewer.has_all() {
        let (answer, now) = poller.answer().await?;
        poller.ask().await?;
        answer.messages()?.into_iter().try_for_each(|frame| viewer.take(frame, now))?;
    }
    Ok(())
}

async fn with_events(
    address: &Address,
    room: &str,
    viewer: &mut Viewer<'_>,
    ready: &watch::Sender<usize>,
) -> anyhow::Result<()> {
    let mut events = Events::open(address, room).await?;
    let mut take = async |viewer: &mut Viewer<'_>| {
        let (messages, now) = events.next().await?;
        messages.iter().try_for_each(|frame| viewer.take(frame, now))
    };
    while !viewer.is_synced() {
        take(viewer).await?;
    }
    ready.send_modify(|ready| *ready += 1);
    while !viewer.has_all() {
        take(viewer).await?;
    }
    Ok(())
}
