//! A map as readers that know nothing of Yjs see it.

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{
    Replica,
    map::projection::{GraphJson, ProjectionContext, project},
};
use synapti_protocol::graph_id::GraphId;

use crate::limits::answers::Paid;

/// The JSON of one state of a map.
#[derive(Debug)]
pub struct GraphView {
    /// The map as plain data.
    pub graph: GraphJson,
    /// `graph` as JSON text.
    pub body: Bytes,
    /// Strong entity tag, quoted: equal states have equal tags on every node and after every restart.
    pub etag: String,
    /// Whether all of it is on disk.
    pub is_saved: bool,
    /// Its share of what answers may hold.
    pub paid: Paid,
}

impl GraphView {
    /// Projects the document; costs time in proportion to the map.
    pub fn of(id: &GraphId, replica: &Replica, created_at: Timestamp, modified_at: Timestamp) -> Self {
        let context = ProjectionContext {
            id: id.to_string(),
            created_at_fallback: created_at.to_string(),
            last_modified: modified_at.to_string(),
        };
        let graph = project(&replica.map(), &context);
        // Plain data with string keys: there is nothing in it that could fail to serialise.
        let body = serde_json::to_vec(&graph).unwrap_or_default().into();
        Self { graph, body, etag: format!("\"{}\"", replica.digest()), is_saved: true, paid: Paid::default() }
    }
}
