//! Children for nodes, level by level.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use synapti_crdt::map::MapState;

use super::{End, Run, TEMPLATE_TAKES, branch::NODE_GONE};
use crate::ai::{
    context::{ExpandWish, expand_task},
    growth::Sprout,
    jobs::{
        error::JobError,
        request::ExpandRequest,
        saga::{Branch, Step},
    },
    task::Task,
};

/// Answers of one run that come at the same time.
const AT_ONCE: usize = 4;

/// Nodes that one run makes at most, however deep it was asked to go.
const NODES_MAX: usize = 200;

impl Run {
    pub(super) async fn expand(&self, request: &ExpandRequest) -> Result<Value, End> {
        let language = self.language(request.language.as_ref()).await?;
        {
            let mut saga = self.saga.lock();
            saga.step = Step::Children;
            if saga.branches.is_empty() {
                let ExpandRequest { node, max_children, expansion_depth, .. } = request;
                let (children_max, levels) = (*max_children, *expansion_depth);
                saga.branches.push(Branch { node: node.clone(), children_max, levels, is_done: false });
            }
        }
        self.grow_branches(&language, &request.focus_areas, pace(request)).await?;
        Ok(json!({ "node_id": request.node, "nodes": self.saga.lock().written }))
    }

    /// Gives children to every branch that has none, and then to those, as deep as is wanted.
    pub(super) async fn grow_branches(
        &self,
        language: &str,
        focus_areas: &[String],
        pace: Duration,
    ) -> Result<(), End> {
        loop {
            let (open, room): (Vec<Branch>, usize) = {
                let saga = self.saga.lock();
                let open = saga.branches.iter().filter(|branch| !branch.is_done).cloned().collect();
                (open, NODES_MAX.saturating_sub(saga.written.len()))
            };
            if open.is_empty() || room == 0 {
                return Ok(());
            }
            let wish = |branch: &Branch| ExpandWish {
                // What somebody wants to see of a node they see in its children.
                focus_areas: if self.is_asked_about(&branch.node) { focus_areas.to_vec() } else { Vec::new() },
                children_max: branch.children_max.min(room),
                language: language.to_owned(),
            };
            let finish = |branch: Branch, wish: ExpandWish| async move {
                let sprouts = self.grow_branch(&branch, &wish, pace).await?;
                self.branch_is_done(&branch, &sprouts);
                self.save().await
            };
            let mut growing = stream::iter(open.into_iter().map(|branch| {
                let wish = wish(&branch);
                finish(branch, wish)
            }))
            .buffer_unordered(AT_ONCE);
            // Nothing else is waited for meanwhile: the others, which stand still then, may hold what it waits for. And each comes to
            // its end, or what its last edit wrote would not be known.
            let mut ended = Ok(());
            while let Some(done) = growing.next().await {
                if done.is_err() {
                    self.halted.cancel();
                }
                ended = ended.and(done);
            }
            ended?;
        }
    }

    async fn grow_branch(&self, branch: &Branch, wish: &ExpandWish, pace: Duration) -> Result<Vec<Sprout>, End> {
        let tokens_max = self.jobs.options.context_tokens_max;
        let own = self.own_children(&branch.node).await?;
        let task = |map: &MapState, children_max: usize| {
            let wish = ExpandWish { children_max, ..wish.clone() };
            expand_task(map, &branch.node, &wish, tokens_max).map(Task::Expand)
        };
        let mut sprouts = own;
        let wanted = wish.children_max.saturating_sub(sprouts.len());
        if self.is_asked_about(&branch.node) && task(&*self.map().await?, wanted).is_none() {
            let message = "the node that was to be expanded is not there any more";
            return Err(End::Failed(JobError::new("node_not_found", message)));
        }
        match self.branch(&branch.node, wanted, pace, task).await {
            Ok(mut grown) => sprouts.append(&mut grown),
            // Somebody does not want this one; the others go on.
            Err(End::Failed(error)) if error.code == NODE_GONE && !self.is_asked_about(&branch.node) => {}
            Err(end) => return Err(end),
        }
        Ok(sprouts)
    }

    /// Children that an earlier attempt of this run has made.
    async fn own_children(&self, node: &str) -> Result<Vec<Sprout>, End> {
        if !self.is_resumed {
            return Ok(Vec::new());
        }
        let map = self.map().await?;
        Ok(super::resume::own_children(&map, &self.writer.run, node))
    }

    fn branch_is_done(&self, done: &Branch, sprouts: &[Sprout]) {
        let mut saga = self.saga.lock();
        if let Some(branch) = saga.branches.iter_mut().find(|branch| branch.node == done.node) {
            branch.is_done = true;
        }
        if done.levels <= 1 {
            return;
        }
        for sprout in sprouts.iter().filter(|sprout| sprout.is_expandable) {
            if !saga.branches.iter().any(|branch| branch.node == sprout.id) {
                let (children_max, levels) = (done.children_max, done.levels - 1);
                saga.branches.push(Branch { node: sprout.id.clone(), children_max, levels, is_done: false });
            }
        }
    }
}

/// How long each answer of a template takes: levels come one after the other, and of each some at a time.
fn pace(request: &ExpandRequest) -> Duration {
    let (mut rounds, mut level) = (0, 1_usize);
    for _ in 0..request.expansion_depth {
        rounds += level.div_ceil(AT_ONCE);
        level = level.saturating_mul(request.max_children).min(NODES_MAX);
    }
    TEMPLATE_TAKES / u32::try_from(rounds.max(1)).unwrap_or(u32::MAX)
}
