//! Outlines as people write them, and as they are written.

use serde_json::json;
use synapti_crdt::map::{Format, export, import::ImportError};

use crate::maps::{imported, outline, problems, read};

fn shown(text: &str) -> serde_json::Value {
    outline(&imported(Format::Markdown, text.as_bytes()))
}
