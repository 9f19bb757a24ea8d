//! One answer that grows into one branch of the map.

use std::{pin::Pin, sync::atomic::Ordering, time::Duration};

use futures_util::FutureExt as _;
use synapti_crdt::map::{Fate, GrowStep, Source};
use tokio::time::{Instant, sleep_until, timeout};

use super::{End, Run, answers::Coming};
use crate::ai::{
    growth::{Growing, Sprout},
    jobs::error::JobError,
    provider::{Finish, Piece, Usage},
    reader::{AnswerReader, Limits},
    task::Task,
};

/// Time between two edits of one branch: as often as people can see.
const FRAME: Duration = Duration::from_millis(16);

/// Steps that may wait for their turn before no more of the answer is taken: the store is behind then.
const STEPS_WAITING_MAX: usize = 256;

/// How long an edit that is under way is waited for when the run ends.
const EDIT_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// Elements of one answer that are looked at.
const ELEMENTS_MAX: usize = 200;

/// How long an answer that has all that was wanted is heard on.
const AFTERWORD_WITHIN: Duration = Duration::from_secs(2);

/// An edit that is under way.
type Edit<'a> = Pin<Box<dyn Future<Output = (Vec<GrowStep>, Result<Vec<Fate>, JobError>)> + Send + 'a>>;

/// The code of a run whose node was deleted.
pub(super) const NODE_GONE: &str = "node_not_found";

impl Run {
    /// Lets an answer grow. Answers the nodes that are whole, and how it ended; what is not whole does not stay.
    pub(super) async fn grow(
        &self,
        task: &Task,
        mut coming: Coming,
        mut growing: Growing,
    ) -> (Vec<Sprout>, Result<Finish, End>) {
        let mut usage = Usage::default();
        let (mut ended, is_known) = self.follow(&mut coming, &mut growing, &mut usage).await;
        let was_asked = !coming.is_cached && coming.source == Source::Ai;
        if was_asked && usage == Usage::default() {
            // It was not heard to its end, or does not say.
            usage = coming.estimated(task);
        }
        self.note_usage(usage).await;
        let half_written = growing.give_up();
        if !matches!(ended, Err(End::Lost)) {
            match self.writer.discard(half_written, !is_known).await {
                // What somebody has made their own stays.
                Ok(kept) => self.saga.lock().written.extend(kept),
                Err(error) => ended = ended.and(Err(End::Failed(error))),
            }
        }
        let sprouts: Vec<Sprout> = growing.finished().cloned().collect();
        self.saga.lock().note_written(&sprouts);
        if let Ok(finish) = ended {
            if growing.was_empty() {
                let error = JobError::new("answer_empty", "the answer holds no node with a title; try again");
                ended = Err(End::Failed(JobError { is_passing: true, ..error }));
            } else if finish == Finish::Whole {
                coming.keep(&self.jobs.answers.cache).await;
            }
        }
        (sprouts, ended)
    }

    /// Reads the answer and carries out what follows from it. Answers how it ended, and whether it is known what the last edit wrote.
    async fn follow(
        &self,
        coming: &mut Coming,
        growing: &mut Growing,
        usage: &mut Usage,
    ) -> (Result<Finish, End>, bool) {
        let mut edit = None;
        let ended = self.follow_to_end(coming, growing, usage, &mut edit).await;
        let Some(edit) = edit else { return (ended, true) };
        let Ok((steps, Ok(fates))) = timeout(EDIT_ENDS_WITHIN, edit).await else { return (ended, false) };
        growing.learn(&steps, &fates);
        (ended, true)
    }

    async fn follow_to_end<'a>(
        &'a self,
        coming: &mut Coming,
        growing: &mut Growing,
        usage: &mut Usage,
        edit: &mut Option<Edit<'a>>,
    ) -> Result<Finish, End> {
        // Elements may turn out to be there already; the reader counts those as well.
        let mut reader = Some(AnswerReader::new(Limits::of(ELEMENTS_MAX)));
        let mut full_until = None;
        let (mut finish, mut next_frame) = (None, Instant::now());
        loop {
            if edit.is_none() && growing.has_steps() && Instant::now() >= next_frame {
                next_frame = Instant::now() + FRAME;
                *edit = Some(self.begin_edit(coming, growing));
            }
            if let (Some(finish), None, false) = (finish, edit.as_ref(), growing.has_steps()) {
                return Ok(finish);
            }
            let may_read = finish.is_none() && growing.steps_waiting() < STEPS_WAITING_MAX;
            tokio::select! {
                biased;
                end = self.ended() => return Err(end),
                (steps, fates) = async { edit.as_mut().expect("guarded").await }, if edit.is_some() => {
                    *edit = None;
                    growing.learn(&steps, &fates?);
                    if growing.is_orphaned() {
                        return Err(End::Failed(JobError::new(NODE_GONE, "the node is not there any more: it was deleted meanwhile")));
                    }
                    self.got_on(growing).await?;
                }
                () = sleep_until(self.save_due()), if self.has_unsaved.load(Ordering::Relaxed) => self.save().await?,
                piece = coming.next(), if may_read => match piece.map_err(|error| End::Failed(error.into()))? {
                    Some(Piece::Text(text)) => {
                        let events = reader.as_mut().map_or(Ok(Vec::new()), |reader| reader.push(&text));
                        growing.hear(events.map_err(|error| End::Failed(error.into()))?, || self.writer.next_number());
                        if growing.is_full() && full_until.is_none() {
                            // What follows is more than was asked for, but for the word of what it has cost.
                            (reader, full_until) = (None, Some(Instant::now() + AFTERWORD_WITHIN));
                        }
                    }
                    Some(Piece::Usage(used)) => *usage = used,
                    Some(Piece::End(how)) => {
                        finish = Some(how);
                        let events = reader.take().map_or(Ok(Vec::new()), AnswerReader::finish);
                        growing.hear(events.map_err(|error| End::Failed(error.into()))?, || self.writer.next_number());
                    }
                    None => finish = Some(finish.unwrap_or(Finish::Whole)),
                },
                () = async { sleep_until(full_until.expect("guarded")).await }, if full_until.is_some() && finish.is_none() => {
                    finish = Some(Finish::Whole);
                }
                () = sleep_until(next_frame), if edit.is_none() && growing.has_steps() => {}
            }
        }
    }

    fn begin_edit<'a>(&'a self, coming: &Coming, growing: &mut Growing) -> Edit<'a> {
        let mut steps = growing.take_steps();
        let about_map = self.take_meta();
        let added = about_map.len();
        steps.splice(0..0, about_map);
        let source = coming.source;
        let edit = async move {
            let grown = self.writer.grow(source, steps.clone()).await;
            let fates = grown.and_then(|mut fates| {
                let of_branch = fates.split_off(added.min(fates.len()));
                if fates.contains(&Fate::Exists) {
                    return Err(JobError::new(
                        "graph_exists",
                        "there is something else in this map: choose another id",
                    ));
                }
                Ok(of_branch)
            });
            (steps.split_off(added), fates)
        };
        edit.boxed()
    }
}
