//! Where an earlier attempt left off: on this node or another one, which may have died in the middle of a word.

use synapti_crdt::map::{MapState, tree::ParentLink};

use super::{End, Run, own_nodes};
use crate::ai::{growth::Sprout, jobs::request::JobRequest};

impl Run {
    /// Takes away what the earlier attempt has left half-written, and keeps what is whole or what people have made their own.
    pub(super) async fn resume(&self) -> Result<(), End> {
        {
            let mut saga = self.saga.lock();
            saga.begun_ms.get_or_insert(self.jobs.clock.now().as_millisecond());
        }
        if !self.is_resumed {
            return Ok(());
        }
        let map = self.jobs.hub.map(&self.record.graph).await?;
        let written = self.saga.lock().written.clone();
        let half_written = own_nodes(&map, &self.writer.run).filter(|id| !written.contains(id)).cloned().collect();
        let kept = self.writer.discard(half_written, true).await?;
        let mut saga = self.saga.lock();
        saga.written.extend(kept);
        saga.close();
        Ok(())
    }

    /// Whether a node is the one that somebody asked about, rather than one that this run has made.
    pub(super) fn is_asked_about(&self, node: &str) -> bool {
        matches!(&self.request, JobRequest::Expand(request) if request.node == node)
    }

    /// The language of an answer: the one that was asked for, the map's, or English.
    pub(super) async fn language(&self, asked: Option<&String>) -> Result<String, End> {
        if let Some(asked) = asked {
            return Ok(asked.clone());
        }
        let map = self.map().await?;
        Ok(map.language.clone().unwrap_or_else(|| "en".to_owned()))
    }
}

/// Children that a run has given to a node.
pub(super) fn own_children(map: &MapState, run: &str, parent: &str) -> Vec<Sprout> {
    let children = map.nodes.iter().filter(|(_, node)| {
        node.run.as_deref() == Some(run) && matches!(&node.parent, ParentLink::Node(id) if id == parent)
    });
    let sprout = |(id, node): (&String, &synapti_crdt::map::NodeState)| Sprout {
        id: id.clone(),
        title: node.title.clone(),
        is_expandable: node.expandable,
        importance: 50,
    };
    children.map(sprout).collect()
}
