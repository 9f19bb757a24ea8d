//! Many clients in rooms, and edits at an even rate.

mod alternate;
mod converge;
mod editor;
mod gather;
mod member;
mod outcome;
mod plan;
mod presence;
mod recent;
mod script;
mod tally;

use std::{rc::Rc, time::Duration};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use synapti_protocol::message::encode_update;
use tokio::time::{Instant, timeout};

use crate::{
    marker::Markers,
    process::{Memory, Process, Watch},
    progress::Progress,
    subject::Subject,
};
pub use alternate::{Window, alternate};
pub use editor::TIMER_IS_COARSE_BY;
use gather::Gathered;
pub use gather::NOTHING;
use outcome::Snapshot;
pub use outcome::{Happened, Outcome};
pub use plan::{Phase, Plan};
pub use presence::Presence;
pub use recent::{Known, Recent};
pub use script::Script;
pub use tally::histogram;

/// How long after the last edit everything has to be there.
pub const ARRIVED_WITHIN: Duration = Duration::from_secs(5);

/// Until the first edit of a phase, so that everybody is ready.
const BEGIN_AFTER: Duration = Duration::from_millis(50);

/// The edits of all rooms, made beforehand.
pub fn scripts(plan: &Plan, markers: &Markers) -> anyhow::Result<Vec<Rc<Script>>> {
    let edits = plan.edits();
    let progress = Progress::phase("writing the edits", u64::from(plan.rooms));
    let write = |room: u32| {
        progress.step(1);
        Script::write(plan, edits, markers, room.saturating_mul(edits)).map(Rc::new)
    };
    (0..plan.rooms).map(write).collect()
}

/// Has the crowd join, edit, and go. A document that is not the same everywhere is an error; what is missing when the
/// time is up is told in the outcome.
pub async fn run(subject: &Subject, plan: &Plan, markers: &Markers, scripts: &[Rc<Script>]) -> anyhow::Result<Outcome> {
    let mut crowd = gather::gather(subject, plan, markers, scripts).await?;
    let processes = subject.processes();
    let memory = || processes.as_deref().map(memory_of).transpose();
    let memory_joined = memory()?;
    let warmup = Phase { first: 0, count: plan.warmup_edits(), begin: Instant::now() + BEGIN_AFTER };
    crowd.make_maps().await?;
    crowd.later.expect(plan.required_later(warmup.count));
    let mut is_complete = crowd.perform(plan, warmup, "warming up").await? && crowd.catch_up().await?;

    let watches: Option<Vec<Watch>> = processes.as_ref().map(|all| all.iter().map(|process| process.watch()).collect());
    let memory_begun = memory()?;
    let before = Snapshot::take(subject, &crowd)?;
    let phase = Phase { first: warmup.count, count: plan.measured_edits(), begin: Instant::now() + BEGIN_AFTER };
    if is_complete {
        crowd.reads.send_replace(false);
        crowd.later.expect(plan.required_later(phase.count));
        is_complete = crowd.perform(plan, phase, "measuring").await?;
    }
    let mut outcome = Outcome::new(plan, phase, &crowd, before.until(&Snapshot::take(subject, &crowd)?));
    outcome.memory_joined = memory_joined;
    outcome.memory_begun = memory_begun;
    outcome.memory_after = memory()?;
    outcome.memory_peak = watches
        .zip(outcome.memory_after)
        .map(|(watches, after)| watches.iter().map(Watch::peak).sum::<Memory>().max(after));
    if is_complete && plan.stopped > 0 {
        let reads_again = Instant::now();
        crowd.reads.send_replace(true);
        is_complete = crowd.catch_up().await?;
        outcome.caught_up_within = Some(crowd.later.last.get() - reads_again);
    }
    if is_complete {
        converge::check(subject, plan, &crowd).await?;
    } else {
        outcome.late = Some(crowd.who_misses_what(plan));
    }
    subject.forget(crowd.rooms.iter().map(|room| room.id.as_str())).await;
    Ok(outcome)
}

/// Of all of them together.
fn memory_of(processes: &[Process]) -> anyhow::Result<Memory> {
    processes.iter().map(|process| process.memory()).sum()
}

impl Gathered {
    /// Makes the documents maps.
    async fn make_maps(&self) -> anyhow::Result<()> {
        for (editor, outbox) in self.editors.iter().filter(|(editor, _)| editor.editor == Some(0)) {
            outbox.send(encode_update(&editor.room.script.init)).await?;
        }
        Ok(())
    }

    /// Sends the edits of a phase. Answers whether all of them have arrived in time.
    async fn perform(&mut self, plan: &Plan, phase: Phase, name: &str) -> anyhow::Result<bool> {
        let Self { tally, editors, reading, .. } = self;
        tally.expect(plan.required(phase.count));
        let progress = Progress::phase(name, plan.required(phase.count));
        let editing = try_join_all(editors.iter().map(|(editor, outbox)| editor::send(plan, phase, editor, outbox)));
        let arriving = async {
            // A server that takes nothing any more must not keep us for ever either.
            let edited_within = plan.due(phase, plan.rooms, phase.first + phase.count) - phase.begin + ARRIVED_WITHIN;
            match timeout(edited_within, editing).await {
                Ok(edited) => drop(edited?),
                Err(_) => return Ok(false),
            }
            Ok::<_, anyhow::Error>(timeout(ARRIVED_WITHIN, tally.complete()).await.is_ok())
        };
        tokio::select! {
            biased;
            arrived = arriving => arrived,
            left = reading.join_next() => Err(left.context("there are no clients")??),
            () = progress.follow(|| tally.missing()) => unreachable!("it follows for ever"),
        }
    }

    /// Waits for those that stop reading at times. Answers whether everything has arrived in time.
    async fn catch_up(&mut self) -> anyhow::Result<bool> {
        tokio::select! {
            biased;
            arrived = timeout(ARRIVED_WITHIN, self.later.complete()) => Ok(arrived.is_ok()),
            left = self.reading.join_next() => Err(left.context("there are no clients")??),
        }
    }

    /// For an error message.
    fn who_misses_what(&self, plan: &Plan) -> String {
        let missing = self.tally.missing() + self.later.missing();
        let first = self.members.iter().find_map(|member| {
            let edit = member.first_unseen(plan.edits())?;
            let Some(sent) = member.room.sent.borrow()[edit as usize] else {
                return Some("an edit was not even sent".into());
            };
            Some(format!(
                "{} has seen {} edits, and not number {edit}, sent {} ms ago",
                member.name,
                member.seen_count(),
                sent.elapsed().as_millis()
            ))
        });
        format!(
            "{missing} deliveries are missing {} s after the last edit was due: {}",
            ARRIVED_WITHIN.as_secs(),
            first.unwrap_or_else(|| "they are on their way".to_owned())
        )
    }
}
