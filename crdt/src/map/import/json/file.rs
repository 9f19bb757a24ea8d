//! The shape of a file, before anything in it is believed.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};

use super::loose::{Loose, Row, Rows, RowsSeed};

/// Edges of one file.
pub(super) const EDGES_MAX: usize = 500_000;

/// A file.
#[derive(Debug)]
pub(super) struct File {
    pub id: Loose,
    pub topic: Loose,
    pub created_at: Loose,
    pub metadata: MetadataRow,
    pub nodes: Rows<NodeRow>,
    pub edges: Rows<EdgeRow>,
}

/// One of `nodes`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeRow {
    pub id: Loose,
    pub title: Loose,
    pub summary: Loose,
    pub position: Loose,
    pub color: Loose,
    pub size: Loose,
    pub given: Loose,
    pub expandable: Loose,
    pub collapsed: Loose,
    pub parent_id: Loose,
    pub connections: Loose,
    pub order: Loose,
    pub source: Loose,
    pub run: Loose,
    pub state: Loose,
    pub relationship: Loose,
    pub strength: Loose,
}

/// What `metadata` says that does not follow from the nodes; anything else than an object says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MetadataRow {
    pub generation_time: Loose,
    pub ai_model_version: Loose,
}

/// One of `edges`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EdgeRow {
    pub id: Loose,
    pub source: Loose,
    pub target: Loose,
    pub relationship: Loose,
    pub strength: Loose,
    pub derived: Loose,
}

/// Reads a file of at most so many nodes. `None` = it is JSON, and no object.
pub(super) fn parse(text: &str, nodes_max: usize) -> Result<Option<File>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    if !text.trim_start().starts_with('{') {
        IgnoredAny::deserialize(&mut json)?;
        return json.end().map(|()| None);
    }
    let file = FileSeed { nodes_max }.deserialize(&mut json)?;
    json.end().map(|()| Some(file))
}

struct FileSeed {
    nodes_max: usize,
}

impl<'de> DeserializeSeed<'de> for FileSeed {
    type Value = File;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<File, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FileSeed {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
        let (id, topic, created_at) = (Loose::Absent, Loose::Absent, Loose::Absent);
        let metadata = MetadataRow::default();
        let mut file = File { id, topic, created_at, metadata, nodes: Rows::Absent, edges: Rows::Absent };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "id" => file.id = map.next_value()?,
                "topic" => file.topic = map.next_value()?,
                "created_at" => file.created_at = map.next_value()?,
                "metadata" => file.metadata = map.next_value::<Row<MetadataRow>>()?.0.unwrap_or_default(),
                "nodes" => {
                    file.nodes = map.next_value_seed(RowsSeed { count_max: self.nodes_max, of: PhantomData })?;
                }
                "edges" => file.edges = map.next_value_seed(RowsSeed { count_max: EDGES_MAX, of: PhantomData })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(file)
    }
}
