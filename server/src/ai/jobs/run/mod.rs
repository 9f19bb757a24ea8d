//! One job on its way: its steps, from where an earlier attempt left off to the end.

pub mod answers;
mod branch;
mod check;
mod children;
mod conclude;
mod late;
mod outline;
mod replay;
mod resume;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use synapti_crdt::map::{GrowStep, MapState, MetaValue, tree::ParentLink};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Jobs,
    error::JobError,
    held::Ending,
    request::JobRequest,
    saga::{Saga, Step},
};
use crate::{
    ai::{
        growth::{Growing, Sprout},
        provider::{Finish, Usage},
        task::Task,
    },
    room::{RunPlace, state::RunShown},
    store::{JobChange, JobRecord, Spent},
};
use answers::Coming;
pub(super) use conclude::{ATTEMPTS_MAX, run};
use writer::Writer;
use writer::own_nodes;

/// Time between two times that progress is written down, while nothing but progress has changed.
const SAVE_EVERY: Duration = Duration::from_millis(300);

/// How long a run waits before it goes on when the store or the room has failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How old a reading of the map may be: what is in it is looked at again when an edit is carried out.
const RECENT: Duration = Duration::from_millis(100);

/// How long all answers of a template take together.
const TEMPLATE_TAKES: Duration = Duration::from_millis(1_400);

/// Characters of a title that are shown while a run is about it.
const SHOWN_CHARS_MAX: usize = 60;

/// How a run ended before its time.
#[derive(Debug)]
pub(super) enum End {
    /// It failed.
    Failed(JobError),
    /// Somebody stopped it.
    Stopped,
    /// Another node may have it: nothing more may be written, here or in the store.
    Lost,
    /// The node stops; another one goes on.
    Draining,
    /// Another branch of the run has ended it.
    Halted,
}

impl From<Ending> for End {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Stopped => Self::Stopped,
            Ending::Lost => Self::Lost,
            Ending::Draining => Self::Draining,
        }
    }
}

impl<E: Into<JobError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A job that this node has.
pub(super) struct Run {
    jobs: Jobs,
    record: JobRecord,
    request: JobRequest,
    writer: Writer,
    saga: Arc<Mutex<Saga>>,
    place: RunPlace,
    /// Cancelled when one branch has ended the run: the others are to come to their end, so that what they wrote is known.
    halted: CancellationToken,
    /// Whether a node has had this job before, to its end or not.
    is_resumed: bool,
    /// What it does, in words.
    doing: String,
    saved: Mutex<Instant>,
    /// Whether a node is whole that has not been written down as such.
    has_unsaved: AtomicBool,
    /// Whether the map has been told in which language it is.
    has_told_meta: AtomicBool,
    /// The map as it was read last.
    recent: Mutex<Option<(Instant, Arc<MapState>)>>,
    /// Whether it is written down under which ids this attempt writes.
    has_saved_ids: AtomicBool,
}

impl Run {
    /// Does what is left of a job; answers what came of it.
    async fn perform(&self) -> Result<Value, End> {
        self.resume().await?;
        match &self.request {
            JobRequest::Generate(request) => self.generate(request).await,
            JobRequest::Expand(request) => self.expand(request).await,
            JobRequest::Coherence(request) => self.coherence(request).await,
        }
    }

    /// Lets answers grow under `parent` until there is what was wanted: again with what is missing when one fails in passing.
    async fn branch(
        &self,
        parent: &str,
        nodes_max: usize,
        pace: Duration,
        task_of: impl Fn(&MapState, usize) -> Option<Task>,
    ) -> Result<Vec<Sprout>, End> {
        let mut sprouts = Vec::new();
        for tries in 0.. {
            let wanted = nodes_max.saturating_sub(sprouts.len());
            let Some((task, growing)) = self.prepare(parent, tries, wanted, &task_of).await? else { break };
            self.check_budget().await?;
            let coming = self.until_ended(self.jobs.answers.open(&task, tries, pace)).await?;
            self.note_answer(&coming);
            let (mut grown, ended) = self.grow(&task, coming, growing).await;
            sprouts.append(&mut grown);
            match ended {
                Ok(Finish::Whole) => break,
                Ok(Finish::Length) => {
                    self.saga.lock().warn("an answer was cut at the longest that is allowed; what was whole is there");
                    break;
                }
                Err(End::Failed(error)) if error.is_passing && tries < self.jobs.options.retries => {
                    tracing::info!(job = %self.writer.run, code = error.code, "the AI is asked again for what is missing");
                    if !error.is_of_answer() {
                        self.until_ended(sleep(STORE_PAUSE).map(Ok::<(), JobError>)).await?;
                    }
                }
                Err(end) => return Err(end),
            }
        }
        Ok(sprouts)
    }

    /// What is asked for, and how it grows; the map itself, which may be large, is not kept for as long as an answer takes.
    async fn prepare(
        &self,
        parent: &str,
        tries: u32,
        wanted: usize,
        task_of: &impl Fn(&MapState, usize) -> Option<Task>,
    ) -> Result<Option<(Task, Growing)>, End> {
        // A map that is about to be made need not be read.
        let is_new = tries == 0 && !self.is_resumed && self.is_root(parent);
        let map = if is_new { Arc::default() } else { self.map().await? };
        *self.recent.lock() = None;
        let task = task_of(&map, wanted).filter(|_| wanted > 0);
        Ok(task.map(|task| (task, Growing::new(parent, self.writer.prefix(), &children_of(&map, parent), wanted))))
    }

    /// What something comes to, unless the run ends before.
    async fn until_ended<T, E: Into<JobError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, End> {
        tokio::select! {
            biased;
            end = self.ended() => Err(end),
            done = work => Ok(done.map_err(|error| End::Failed(error.into()))?),
        }
    }

    /// Waits until the run, or this branch of it, is to end.
    async fn ended(&self) -> End {
        tokio::select! {
            biased;
            ending = self.writer.held.ended() => ending.into(),
            () = self.halted.cancelled() => End::Halted,
        }
    }

    fn note_answer(&self, coming: &Coming) {
        let mut saga = self.saga.lock();
        saga.is_cached = coming.is_cached && (saga.answers == 0 || saga.is_cached);
        saga.answers += 1;
        coming.provider.clone_into(&mut saga.provider);
        saga.model.clone_from(&coming.model);
        coming.source.as_str().clone_into(&mut saga.source);
        if coming.is_fallback {
            saga.is_fallback = true;
            saga.warn("the AI provider does not answer at present: a template stood in for it");
        }
    }

    /// Notes what an answer has used up, here and in the budgets.
    async fn note_usage(&self, usage: Usage) {
        if usage == Usage::default() {
            return;
        }
        let cost = self.jobs.prices.cost(usage);
        self.saga.lock().note_usage(usage, cost.0);
        let spent = Spent { tokens: usage.input_tokens + usage.output_tokens, micro_dollars: cost.0 };
        let JobRecord { client, graph, .. } = &self.record;
        let jobs = self.jobs.store.jobs();
        if let Err(error) = jobs.spend(client, graph, spent, self.jobs.clock.now()).await {
            tracing::warn!(%error, "what the AI has used up could not be counted");
        }
    }

    /// Refuses to ask when a budget is spent. Kept answers and templates cost nothing, but whether there is one shows only later.
    async fn check_budget(&self) -> Result<(), End> {
        if self.jobs.is_free() {
            return Ok(());
        }
        let JobRecord { client, graph, .. } = &self.record;
        self.jobs.budget_left(client, graph).await.map_err(End::Failed)
    }

    /// The first edit makes the map, if that has not been done, and says in which language it is.
    fn take_meta(&self) -> Vec<GrowStep> {
        let JobRequest::Generate(request) = &self.request else { return Vec::new() };
        if self.has_told_meta.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        let (topic, root) = (request.topic.clone(), request.root.clone());
        let init = GrowStep::Init { topic, root, created_at: self.record.created_at.to_string() };
        vec![init, GrowStep::SetMeta { key: "language", value: MetaValue::Text(request.language.clone()) }]
    }

    fn is_root(&self, node: &str) -> bool {
        matches!(&self.request, JobRequest::Generate(request) if request.root == node)
    }

    /// A step begins.
    async fn enter(&self, step: Step) -> Result<(), End> {
        self.saga.lock().step = step;
        self.save().await
    }

    /// An edit is done: says so in the map, and now and then writes it down.
    async fn got_on(&self, growing: &Growing) -> Result<(), End> {
        let sprouts: Vec<_> = growing.finished().cloned().collect();
        let has_more = {
            let mut saga = self.saga.lock();
            let before = saga.written.len();
            saga.note_written(&sprouts);
            saga.written.len() > before
        };
        // From the first edit on another node has to know under which ids this one writes.
        let is_first = !self.has_saved_ids.swap(true, Ordering::Relaxed);
        if has_more {
            self.has_unsaved.store(true, Ordering::Relaxed);
        }
        if is_first || (self.has_unsaved.load(Ordering::Relaxed) && Instant::now() >= self.save_due()) {
            self.save().await?;
        }
        Ok(())
    }

    /// When what has not been written down is to be, also while the model is silent.
    fn save_due(&self) -> Instant {
        *self.saved.lock() + SAVE_EVERY
    }

    /// The map, or what it was a moment ago.
    async fn map(&self) -> Result<Arc<MapState>, End> {
        let recent = self.recent.lock().clone();
        if let Some((read, map)) = recent.filter(|(read, _)| read.elapsed() < RECENT) {
            let _ = read;
            return Ok(map);
        }
        let map = self.jobs.hub.map(&self.record.graph).await?;
        *self.recent.lock() = Some((Instant::now(), map.clone()));
        Ok(map)
    }

    /// Writes down how far the job is, and shows it in the map.
    async fn save(&self) -> Result<(), End> {
        *self.saved.lock() = Instant::now();
        self.has_unsaved.store(false, Ordering::Relaxed);
        let (change, shown) = {
            let saga = self.saga.lock();
            let change = JobChange { progress: Some(saga.progress()), state: Some(saga.write()) };
            (change, self.shown(&saga))
        };
        // Whether it is shown does not matter to the job.
        let _ = self.place.show(shown).await;
        let saved = self.jobs.store.jobs().save(self.writer.held.lease, &change, self.jobs.clock.now()).await?;
        self.jobs.changed(self.record.id);
        if saved { Ok(()) } else { Err(End::Lost) }
    }

    fn shown(&self, saga: &Saga) -> RunShown {
        RunShown {
            job: self.record.id.to_string(),
            kind: self.record.kind.as_str(),
            node: match &self.request {
                JobRequest::Expand(request) => Some(request.node.clone()),
                _ => None,
            },
            doing: self.doing.clone(),
            step: saga.step.as_str(),
            progress: saga.progress(),
        }
    }
}

/// Titles of a node's children.
fn children_of(map: &MapState, parent: &str) -> Vec<String> {
    let children = map.nodes.values().filter(|node| matches!(&node.parent, ParentLink::Node(id) if id == parent));
    children.map(|node| node.title.clone()).collect()
}
