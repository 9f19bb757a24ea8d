//! Many who wait for the next edit of their room: what they cost, and how soon they are told.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    member::{Member, Told, Way},
    poller::Writer,
};
use crate::{
    client::{ANSWERED_WITHIN, answered},
    cores::Cores,
    http,
    marker::Markers,
    process::{Memory, Process},
    progress::Progress,
    stats::Sorted,
    subject::{Kind, Subject, Target},
    update::Author,
    versus::percent,
    wire::Scratch,
};

/// Clients that join at the same time.
const JOINING_MAX: usize = 64;

/// Connections more than asked for that the server is allowed: those that write.
const SPARE: u32 = 100;

/// How often we look whether all polls wait.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// What the server calls those that do.
const POLLS_WAITING: &str = "synapti_polls_waiting";

/// So many in so many rooms, for so long before each room gets an edit.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub waiting: u32,
    pub rooms: u32,
    pub stays: Duration,
}

/// What one round came to.
pub struct Round {
    /// From sending a room's edit until a member of it was told.
    pub told: Sorted,
    /// From the first edit until the last member was told.
    pub all_told: Duration,
    /// What the server used, if its process is known.
    pub used: Option<Used>,
}

/// What the server used.
pub struct Used {
    /// Its rooms are open, and nobody is there.
    pub before: Memory,
    /// All wait.
    pub waiting: Memory,
    /// All have waited.
    pub after: Memory,
    /// Until all were told.
    pub peak: Memory,
    /// Of a core, while they wait.
    pub cpu_percent: f64,
    /// From the first edit until the last member was told.
    pub cpu_told: Duration,
}

impl Plan {
    /// Measures on a server of its own, or on the one that runs.
    pub async fn round(self, target: &Target, cores: Cores, way: Way) -> anyhow::Result<Round> {
        let connections = self.waiting + self.rooms + SPARE;
        let files = rlimit::increase_nofile_limit(u64::MAX)?;
        ensure!(
            files > u64::from(connections),
            "{connections} connections need more open files than the {files} that are allowed: raise the limit with ulimit -n"
        );
        let settings = [
            ("SYNAPTI_LIMITS_MAX_CONNECTIONS", connections.to_string()),
            ("SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_ROOM", (self.waiting.div_ceil(self.rooms) + SPARE).to_string()),
        ];
        let mut subject = target.up(Kind::Synapti, cores, &settings).await?;
        let run = rand::random::<u32>();
        let rooms: Vec<String> = (0..self.rooms).map(|room| format!("poll-{run:08x}-{room}")).collect();
        let ground = Ground { plan: self, way, subject: &subject, rooms: &rooms, markers: Markers::new(run) };
        let round = ground.measure().await;
        subject.forget(rooms.iter().map(String::as_str)).await;
        match round {
            Ok(round) => {
                subject.down().await?;
                Ok(round)
            }
            Err(error) => Err(subject.blame(error).context(format!("{way} that wait"))),
        }
    }
}

/// A round that goes on.
struct Ground<'a> {
    plan: Plan,
    way: Way,
    subject: &'a Subject,
    rooms: &'a [String],
    markers: Markers,
}

impl Ground<'_> {
    async fn measure(&self) -> anyhow::Result<Round> {
        let mut authors: Vec<Author> = (0..self.plan.rooms).map(|room| Author::new(u64::from(room) + 1)).collect();
        // The rooms are open, and not empty.
        self.edit(&mut authors, &mut self.writers().await?, 0).await?;
        let memory = || self.subject.process.map(Process::memory).transpose();
        let before = memory()?;
        let watch = self.subject.process.map(Process::watch);
        let mut members = self.join().await?;
        let waiting = memory()?;
        let cpu = || self.subject.process.map(Process::cpu).transpose();
        let cpu_joined = cpu()?;
        tokio::select! {
            () = sleep(self.plan.stays) => {}
            early = members.join_next() => return Err(early_end(early)),
        }
        let (after, mut writers) = (memory()?, self.writers().await?);
        let cpu_before = cpu()?;
        let begun = Instant::now();
        let (sent, told) =
            tokio::join!(self.edit(&mut authors, &mut writers, self.plan.rooms), self.told(&mut members));
        let (sent, told) = (sent?, told?);
        let cpu_after = cpu()?;
        let last = told.iter().map(|told| told.at).max().context("nobody waits")?;
        let took = told.iter().map(|told| told.at.saturating_duration_since(sent[told.room as usize])).collect();
        let used = before.zip(waiting).zip(after).zip(watch);
        let cpus = cpu_joined.zip(cpu_before).zip(cpu_after);
        let used = used.zip(cpus).map(|((((before, waiting), after), watch), ((joined, edits), told))| Used {
            before,
            waiting,
            after,
            peak: watch.peak().max(after),
            cpu_percent: percent(edits.saturating_sub(joined), self.plan.stays),
            cpu_told: told.saturating_sub(edits),
        });
        Ok(Round { told: Sorted::new(took).context("nobody waits")?, all_told: last - begun, used })
    }

    async fn writers(&self) -> anyhow::Result<Vec<Writer>> {
        let opening = self.rooms.iter().map(|room| Writer::open(&self.subject.address, room));
        try_join_all(opening).await
    }

    /// One edit in each room, numbered from `first`; answers when each was sent.
    async fn edit(&self, authors: &mut [Author], writers: &mut [Writer], first: u32) -> anyhow::Result<Vec<Instant>> {
        let written = authors.iter_mut().zip(first..).map(|(author, edit)| {
            let mut draft = author.draft();
            draft.set(&self.markers.id(edit), "an idea that was worth writing down", None);
            draft.finish()
        });
        let sending = writers.iter_mut().zip(written).map(|(writer, update)| async move { writer.edit(&update).await });
        try_join_all(sending).await
    }

    /// Has everybody join; returns when they all wait.
    async fn join(&self) -> anyhow::Result<JoinSet<anyhow::Result<Told>>> {
        let Self { plan: Plan { waiting, rooms, .. }, way, subject, ref markers, .. } = *self;
        let waited_before = self.polls_waiting().await?;
        let progress = Progress::phase(&format!("joining: {waiting} {way}"), waiting.into());
        let scratch = Scratch::default();
        let mut members = JoinSet::new();
        let mut joining = stream::iter(0..waiting)
            .map(|number| {
                let (room, scratch) = (number % rooms, &scratch);
                let id = &self.rooms[room as usize];
                async move {
                    let member = Member::join(way, &subject.address, id, scratch, markers, room).await?;
                    Ok::<_, anyhow::Error>((member, room))
                }
            })
            .buffered(JOINING_MAX);
        // They live while others join.
        while let Some((member, room)) = joining.try_next().await? {
            let markers = markers.clone();
            members.spawn_local(async move { member.told(&markers, rooms + room, room).await });
            progress.step(1);
        }
        drop(joining);
        let all_wait = async {
            while way == Way::Poll && self.polls_waiting().await? < waited_before + f64::from(waiting) {
                sleep(LOOKED_EVERY).await;
            }
            Ok(())
        };
        tokio::select! {
            all_wait = answered("all polls by letting them wait", all_wait) => all_wait?,
            early = members.join_next() => return Err(early_end(early)),
        }
        Ok(members)
    }

    async fn polls_waiting(&self) -> anyhow::Result<f64> {
        match self.way {
            Way::Poll => http::counter(self.subject.address.authority(), POLLS_WAITING).await,
            Way::Socket => Ok(0.0),
        }
    }

    async fn told(&self, members: &mut JoinSet<anyhow::Result<Told>>) -> anyhow::Result<Vec<Told>> {
        let mut told = Vec::with_capacity(members.len());
        let all = async {
            while let Some(member) = members.join_next().await {
                told.push(member??);
            }
            Ok(())
        };
        match timeout(ANSWERED_WITHIN, all).await {
            Ok(all) => all.map(|()| told),
            Err(_) => bail!(
                "{} of {} have not been told of an edit after {} s: it is lost to them",
                self.plan.waiting as usize - told.len(),
                self.plan.waiting,
                ANSWERED_WITHIN.as_secs()
            ),
        }
    }
}

/// Somebody was told of an edit before there was one, or is gone.
fn early_end(end: Option<Result<anyhow::Result<Told>, tokio::task::JoinError>>) -> anyhow::Error {
    match end {
        Some(Ok(Ok(_))) => anyhow::anyhow!("somebody was told of an edit that nobody has made yet"),
        Some(Ok(Err(error))) => error.context("before there was an edit"),
        Some(Err(error)) => error.into(),
        None => anyhow::anyhow!("nobody waits"),
    }
}
