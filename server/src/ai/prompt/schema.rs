//! The shapes of answers, as JSON schemas that every provider's strict mode takes: all objects closed, all properties
//! required, no bounds of numbers or lengths.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::ai::task::Task;

/// What kind of thing a node of a new map is.
pub const CATEGORIES: [&str; 6] = ["concept", "application", "theory", "method", "tool", "general"];

static GENERATE: LazyLock<Arc<Value>> = LazyLock::new(|| {
    let node = object(&json!({
        "title": { "type": "string" },
        "summary": { "type": "string" },
        "category": { "type": "string", "enum": CATEGORIES },
        "importance": { "type": "number", "description": "from 0 to 1" },
    }));
    list_of("nodes", &node)
});

static EXPAND: LazyLock<Arc<Value>> = LazyLock::new(|| {
    let concept = object(&json!({
        "title": { "type": "string" },
        "summary": { "type": "string" },
        "expandable": { "type": "boolean" },
        "relationship": { "type": "string" },
        "strength": { "type": "number", "description": "from 0 to 1" },
    }));
    list_of("sub_concepts", &concept)
});

static COHERENCE: LazyLock<Arc<Value>> = LazyLock::new(|| {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    Arc::new(object(&json!({
        "coherence_score": { "type": "number", "description": "from 0 to 1" },
        "strengths": texts,
        "improvements": texts,
        "missing_concepts": texts,
    })))
});

/// The schema of a task's answer.
pub fn of(task: &Task) -> Arc<Value> {
    Arc::clone(match task {
        Task::Generate(_) => &GENERATE,
        Task::Expand(_) => &EXPAND,
        Task::Coherence(_) => &COHERENCE,
    })
}

/// The schema's name.
pub const fn name_of(task: &Task) -> &'static str {
    match task {
        Task::Generate(_) => "map_nodes",
        Task::Expand(_) => "sub_concepts",
        Task::Coherence(_) => "coherence",
    }
}

fn list_of(name: &str, item: &Value) -> Arc<Value> {
    Arc::new(object(&json!({ name: { "type": "array", "items": item } })))
}

fn object(properties: &Value) -> Value {
    let names: Vec<&String> = properties.as_object().map(|properties| properties.keys().collect()).unwrap_or_default();
    json!({ "type": "object", "required": names, "additionalProperties": false, "properties": properties })
}
