//! What a model is asked for, as plain data.

/// One thing that a model is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// The first nodes of a map.
    Generate(GenerateTask),
    /// Children of a node.
    Expand(ExpandTask),
    /// What a map as a whole is worth.
    Coherence(CoherenceTask),
}

/// The first nodes of a map.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct GenerateTask {
    /// What the map is about.
    pub topic: String,
    /// Nodes wanted, at most.
    pub nodes_max: usize,
    /// In which style: `academic`, or whatever somebody asked for.
    pub style: String,
    /// In which language, as a BCP 47 tag: `en`, `pt-BR`.
    pub language: String,
    /// Titles that are there already and must not come again.
    pub existing: Vec<String>,
}

/// Children of a node, with as much of its surroundings as there was room for.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ExpandTask {
    /// What the map is about.
    pub topic: String,
    /// Titles from the root to the node's parent.
    pub path: Vec<String>,
    /// The node's title.
    pub title: String,
    /// The node's summary.
    pub summary: String,
    /// Who made the node, as the document says; a template expands its own nodes by another scaffold.
    pub is_from_template: bool,
    /// Titles of the node's siblings.
    pub siblings: Vec<String>,
    /// Titles of nodes that are linked with it.
    pub neighbours: Vec<String>,
    /// Titles of the children that it has already and that must not come again.
    pub existing: Vec<String>,
    /// What to look at.
    pub focus_areas: Vec<String>,
    /// Children wanted, at most.
    pub children_max: usize,
    /// In which language.
    pub language: String,
}

/// What a map as a whole is worth.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CoherenceTask {
    /// What the map is about.
    pub topic: String,
    /// The map as an indented outline, cut to what there was room for.
    pub outline: String,
    /// Nodes of the whole map.
    pub nodes: usize,
    /// In which language.
    pub language: String,
}

impl Task {
    /// Its name, in jobs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Generate(_) => "generate",
            Self::Expand(_) => "expand",
            Self::Coherence(_) => "coherence",
        }
    }
}
