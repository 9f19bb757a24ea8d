//! A new map: its first nodes, their children, whether it makes sense, and what is said of it as a whole.

use std::time::Duration;

use serde_json::{Value, json};
use synapti_crdt::map::{GrowStep, MetaValue, Source};

use super::{End, Run, TEMPLATE_TAKES};
use crate::ai::{
    growth::Sprout,
    jobs::{
        request::GenerateRequest,
        saga::{Branch, Step},
    },
    task::{GenerateTask, Task},
};

/// Nodes around the root; what is wanted beyond that becomes their children. More cannot be taken in at a glance.
const FIRST_RING_MAX: usize = 8;

/// Children that a first node gets at most.
const CHILDREN_MAX: usize = 5;

impl Run {
    pub(super) async fn generate(&self, request: &GenerateRequest) -> Result<Value, End> {
        let step = self.saga.lock().step;
        if step <= Step::Outline {
            self.outline(request).await?;
        }
        if step <= Step::Children {
            self.enter(Step::Children).await?;
            self.grow_branches(&request.language, &[], pace(request)).await?;
        }
        if step <= Step::Coherence {
            self.enter(Step::Coherence).await?;
            self.note_coherence(&request.language).await?;
        }
        self.enter(Step::Layout).await?;
        self.say_how_it_was_made().await?;
        let saga = self.saga.lock();
        Ok(json!({ "nodes": saga.written, "coherence": saga.coherence }))
    }

    async fn outline(&self, request: &GenerateRequest) -> Result<(), End> {
        self.saga.lock().step = Step::Outline;
        let already = self.saga.lock().written.len();
        let wanted = request.max_nodes.min(FIRST_RING_MAX).saturating_sub(already);
        let task = |map: &synapti_crdt::map::MapState, nodes_max: usize| {
            Some(Task::Generate(GenerateTask {
                topic: request.topic.clone(),
                nodes_max,
                style: request.style_preference.clone(),
                language: request.language.clone(),
                existing: super::children_of(map, &request.root),
            }))
        };
        let sprouts = self.branch(&request.root, wanted, pace(request), task).await?;
        let mut saga = self.saga.lock();
        // To a template the root is one of the nodes that were asked for.
        let beside_root =
            if saga.source == Source::Template.as_str() { request.max_nodes - 1 } else { request.max_nodes };
        saga.branches = branches(&sprouts, beside_root);
        Ok(())
    }

    /// The last step writes how long it took and who made it; places are the layout's, which every reader derives alike.
    async fn say_how_it_was_made(&self) -> Result<(), End> {
        let (model, begun_ms) = {
            let saga = self.saga.lock();
            (saga.model.clone(), saga.begun_ms.unwrap_or_default())
        };
        let seconds = (self.jobs.clock.now().as_millisecond() - begun_ms).max(0) as f64 / 1000.0;
        let mut steps = self.take_meta();
        steps.push(GrowStep::SetMeta { key: "generation_time", value: MetaValue::Number(seconds) });
        steps.push(GrowStep::SetMeta { key: "ai_model_version", value: MetaValue::Text(model) });
        self.writer.grow(Source::Ai, steps).await?;
        Ok(())
    }
}

/// How long each answer of a template takes.
fn pace(request: &GenerateRequest) -> Duration {
    let answers = 1 + request.max_nodes.saturating_sub(FIRST_RING_MAX).div_ceil(CHILDREN_MAX);
    TEMPLATE_TAKES / u32::try_from(answers).unwrap_or(u32::MAX)
}

/// Which of the first nodes get how many children, the most important ones first, so that there are `nodes_max` in all.
fn branches(sprouts: &[Sprout], nodes_max: usize) -> Vec<Branch> {
    let mut parents: Vec<&Sprout> = sprouts.iter().filter(|sprout| sprout.is_expandable).collect();
    if nodes_max <= FIRST_RING_MAX || parents.is_empty() {
        return Vec::new();
    }
    parents.sort_by_key(|sprout| std::cmp::Reverse(sprout.importance));
    let mut left = nodes_max.saturating_sub(sprouts.len()).min(parents.len() * CHILDREN_MAX);
    let mut branches = Vec::new();
    for (at, sprout) in parents.iter().enumerate() {
        let share = left.div_ceil(parents.len() - at).min(CHILDREN_MAX);
        if share > 0 {
            branches.push(Branch { node: sprout.id.clone(), children_max: share, levels: 1, is_done: false });
        }
        left -= share;
    }
    branches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sprout(id: &str, importance: u8) -> Sprout {
        Sprout { id: id.into(), title: id.into(), is_expandable: id != "leaf", importance }
    }

    #[test]
    fn what_is_wanted_beyond_the_first_ring_is_shared_by_importance() {
        let sprouts = [sprout("a", 20), sprout("leaf", 99), sprout("b", 90), sprout("c", 50)];
        let shares = |nodes_max| -> Vec<(String, usize)> {
            branches(&sprouts, nodes_max).into_iter().map(|branch| (branch.node, branch.children_max)).collect()
        };
        assert!(shares(8).is_empty());
        assert_eq!(shares(11), [("b".into(), 3), ("c".into(), 2), ("a".into(), 2)]);
        assert_eq!(shares(50), [("b".into(), 5), ("c".into(), 5), ("a".into(), 5)]);
        assert!(branches(&[], 20).is_empty());
    }
}
