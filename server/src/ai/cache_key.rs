//! The name under which an answer is kept.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{prompt, task::Task};

/// Equal for requests that ask for the same: kind, and SHA-256 of what is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    /// The key as text: `expand:` and hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The key of a task for a model. Case and space make no difference; the order of lists does, as it does to a model. Prompts
/// that have changed make other keys.
pub fn cache_key(task: &Task, provider: &str, model: &str) -> CacheKey {
    // JSON tells fields apart whatever is in them.
    let request = json!([prompt::VERSION, provider, model, task.name(), normal_task(task)]).to_string();
    let hash = digest(&SHA256, request.as_bytes());
    let mut key = format!("{}:", task.name());
    for byte in hash.as_ref() {
        let _ = write!(key, "{byte:02x}");
    }
    CacheKey(key)
}

fn normal_task(task: &Task) -> Value {
    match task {
        Task::Generate(task) => json!([
            normal(&task.topic),
            task.nodes_max,
            normal(&task.style),
            normal(&task.language),
            normal_list(&task.existing),
        ]),
        Task::Expand(task) => json!([
            normal(&task.topic),
            normal_list(&task.path),
            normal(&task.title),
            normal(&task.summary),
            task.is_from_template,
            normal_list(&task.siblings),
            normal_list(&task.neighbours),
            normal_list(&task.existing),
            normal_list(&task.focus_areas),
            task.children_max,
            normal(&task.language),
        ]),
        // Indentation means something in an outline.
        Task::Coherence(task) => json!([normal(&task.topic), task.outline, task.nodes, normal(&task.language)]),
    }
}

fn normal_list(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| normal(text)).collect()
}

fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::ai::task::{CoherenceTask, ExpandTask, GenerateTask};

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn case_and_space_make_no_difference() {
        let key = |topic: &str, existing: &[&str]| {
            let task =
                GenerateTask { topic: topic.into(), nodes_max: 8, existing: texts(existing), ..Default::default() };
            cache_key(&Task::Generate(task), "openai", "m")
        };
        let plain = key("the sun", &["a b"]);
        assert_eq!(plain, key("  The\n SUN ", &["A  b"]));
        assert!(plain.as_str().starts_with("generate:") && plain.as_str().len() == "generate:".len() + 64, "{plain}");
        assert_ne!(plain, key("the sun", &["a", "b"]));
    }

    #[test]
    fn whatever_a_model_is_told_makes_a_difference() {
        let base =
            ExpandTask { title: "t".into(), existing: texts(&["a", "b"]), children_max: 5, ..Default::default() };
        let variants = [
            base.clone(),
            ExpandTask { topic: "t".into(), title: String::new(), ..base.clone() },
            ExpandTask { existing: texts(&["b", "a"]), ..base.clone() },
            ExpandTask { existing: vec![], siblings: texts(&["a", "b"]), ..base.clone() },
            ExpandTask { neighbours: texts(&["a"]), ..base.clone() },
            ExpandTask { focus_areas: texts(&["a"]), ..base.clone() },
            ExpandTask { path: texts(&["a"]), ..base.clone() },
            ExpandTask { summary: "a".into(), ..base.clone() },
            ExpandTask { language: "de".into(), ..base.clone() },
            ExpandTask { is_from_template: true, ..base.clone() },
            ExpandTask { children_max: 6, ..base.clone() },
        ];
        let mut keys: HashSet<_> =
            variants.iter().map(|task| cache_key(&Task::Expand(task.clone()), "p", "m")).collect();
        keys.insert(cache_key(&Task::Expand(base.clone()), "p", "n"));
        keys.insert(cache_key(&Task::Expand(base), "q", "m"));
        for outline in ["- a\n- b\n", "- a\n  - b\n"] {
            let task = CoherenceTask { outline: outline.into(), ..Default::default() };
            keys.insert(cache_key(&Task::Coherence(task), "p", "m"));
        }
        assert_eq!(keys.len(), variants.len() + 4);
    }
}
