//! Reads everything that is stored, as `synapti check` does, and tells what is damaged. Changes nothing.

use std::fmt;

use synapti_protocol::graph_id::GraphId;

use crate::{
    room::decode,
    store::{GraphKey, GraphRecord, SharedStore, StoreError, StoredGraph, VersionId},
};

/// Graphs looked up at once.
const GRAPHS_AT_ONCE: u32 = 100;

/// Versions of one graph looked up at once.
const VERSIONS_AT_ONCE: u32 = 100;

/// Under this client id nothing is written.
const CLIENT_ID: u64 = 1;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whose it is, unless it is the whole store's.
    pub graph: Option<GraphId>,
    /// What is wrong.
    pub what: String,
    /// Whether content is known to be missing.
    pub is_loss: bool,
}

/// What was looked at, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Maps.
    pub graphs: u64,
    /// Records in their tails.
    pub records: u64,
    /// Versions.
    pub versions: u64,
    /// Bytes of their documents and versions.
    pub bytes: u64,
    /// Findings in all.
    pub findings: u64,
    /// Of these, those with content missing.
    pub lost: u64,
}

/// Checks a store, which may be in use, and tells each finding as it is made.
///
/// # Errors
/// [`StoreError`] when the store does not answer; damage is a finding.
pub async fn check(store: &SharedStore, tell: &mut dyn FnMut(&Finding)) -> Result<Summary, StoreError> {
    check_showing(store, tell, &mut |_| {}).await
}

/// Like [`check`], and shows after each map how much has been looked at.
///
/// # Errors
/// As [`check`].
pub async fn check_showing(
    store: &SharedStore,
    tell: &mut dyn FnMut(&Finding),
    show: &mut dyn FnMut(&Summary),
) -> Result<Summary, StoreError> {
    let mut check = Check { store, tell, summary: Summary::default() };
    for what in store.examine().await? {
        check.find(&Finding { graph: None, what, is_loss: false });
    }
    let mut after = GraphKey(i64::MIN);
    loop {
        let graphs = match store.walk(after, GRAPHS_AT_ONCE).await {
            Ok(graphs) => graphs,
            Err(StoreError::Damaged { key, what }) => {
                check.find(&Finding { graph: None, what: format!("graph key {key}: {what}"), is_loss: true });
                if key <= after.0 {
                    let what = format!("the graphs after key {key} cannot be listed: they are not checked");
                    check.find(&Finding { graph: None, what, is_loss: true });
                    break;
                }
                after = GraphKey(key);
                continue;
            }
            Err(other) => return Err(other),
        };
        let Some(last) = graphs.last() else { break };
        after = last.key;
        for graph in &graphs {
            check.check_graph(graph).await?;
            show(&check.summary);
        }
    }
    Ok(check.summary)
}

struct Check<'a> {
    store: &'a SharedStore,
    tell: &'a mut dyn FnMut(&Finding),
    summary: Summary,
}

impl Check<'_> {
    fn find(&mut self, finding: &Finding) {
        self.summary.findings += 1;
        self.summary.lost += u64::from(finding.is_loss);
        (self.tell)(finding);
    }

    fn find_in(&mut self, graph: &GraphRecord, what: String, is_loss: bool) {
        self.find(&Finding { graph: Some(graph.id.clone()), what, is_loss });
    }

    async fn check_graph(&mut self, graph: &GraphRecord) -> Result<(), StoreError> {
        let stored = match self.store.load(graph.key).await {
            Ok(stored) => stored,
            // Deleted meanwhile.
            Err(StoreError::Gone(_)) => return Ok(()),
            Err(StoreError::Damaged { what, .. }) => {
                self.summary.graphs += 1;
                self.find_in(graph, what, true);
                return self.check_versions(graph).await;
            }
            Err(other) => return Err(other),
        };
        self.summary.graphs += 1;
        self.summary.records += stored.tail.len() as u64;
        self.summary.bytes += stored.snapshot.as_ref().map_or(0, Vec::len) as u64 + stored.tail_bytes;
        for damage in &stored.damage {
            self.find_in(graph, damage.what.clone(), damage.is_loss);
        }
        if let Some(what) = undecodable(stored).await {
            self.find_in(graph, what, true);
        }
        self.check_versions(graph).await
    }

    async fn check_versions(&mut self, graph: &GraphRecord) -> Result<(), StoreError> {
        let mut before = None;
        loop {
            let page = match self.store.versions(graph.key, before, VERSIONS_AT_ONCE).await {
                Ok(page) => page,
                Err(StoreError::Damaged { what, .. }) => {
                    self.find_in(graph, format!("its versions cannot be listed: {what}"), true);
                    return Ok(());
                }
                Err(other) => return Err(other),
            };
            let Some(last) = page.last() else { return Ok(()) };
            before = Some(last.id);
            for version in &page {
                self.check_version(graph, version.id).await?;
            }
        }
    }

    async fn check_version(&mut self, graph: &GraphRecord, version: VersionId) -> Result<(), StoreError> {
        let state = match self.store.load_version(graph.key, version).await {
            Ok(Some((_, state))) => state,
            // Removed meanwhile.
            Ok(None) => return Ok(()),
            Err(StoreError::Damaged { what, .. }) => {
                self.summary.versions += 1;
                self.find_in(graph, format!("version {}: {what}", version.0), true);
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        self.summary.versions += 1;
        self.summary.bytes += state.len() as u64;
        if let Some(what) = undecodable(StoredGraph { snapshot: Some(state), ..StoredGraph::default() }).await {
            self.find_in(graph, format!("version {}: {what}", version.0), true);
        }
        Ok(())
    }
}

/// Why a document cannot be decoded, if it cannot.
async fn undecodable(stored: StoredGraph) -> Option<String> {
    match tokio::task::spawn_blocking(move || decode(CLIENT_ID, &stored).err()).await {
        Ok(why) => why.map(|why| format!("it cannot be decoded: {why}")),
        Err(_) => Some("decoding it failed".to_owned()),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { graph, what, is_loss } = self;
        match graph {
            Some(graph) => write!(f, "map {graph}: {what}")?,
            None => write!(f, "store: {what}")?,
        }
        f.write_str(if *is_loss { " (content is missing)" } else { "" })
    }
}

impl Summary {
    /// How much has been looked at.
    pub fn amounts(&self) -> String {
        format!("{} maps, {} records, {} versions", self.graphs, self.records, self.versions)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings {
            0 => write!(f, "checked {}: no damage", self.amounts()),
            damaged => write!(f, "checked {}: {damaged} damaged", self.amounts()),
        }
    }
}
