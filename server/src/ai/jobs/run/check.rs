//! What a map is worth as a whole.

use std::time::Duration;

use serde_json::{Value, json};
use synapti_crdt::map::Source;
use tokio::time::{Instant, timeout_at};

use super::{End, Run};
use crate::ai::{
    context::coherence_task,
    jobs::{error::JobError, request::CoherenceRequest, saga::Step},
    provider::{Piece, Usage},
    reader::{clean, read_object},
    task::Task,
};

/// Entries of each list that are kept, and characters of each.
const ENTRIES_MAX: usize = 20;
const ENTRY_CHARS_MAX: usize = 500;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// How long the check that belongs to the making of a map may take: the map is there already.
const CHECKED_WITHIN: Duration = Duration::from_secs(20);

/// How long any check may take; the provider's own limits are shorter.
const ANSWERED_WITHIN: Duration = Duration::from_hours(1);

impl Run {
    pub(super) async fn coherence(&self, request: &CoherenceRequest) -> Result<Value, End> {
        self.enter(Step::Coherence).await?;
        let language = self.language(request.language.as_ref()).await?;
        for tries in 0.. {
            match self.check(&language, tries, Instant::now() + ANSWERED_WITHIN).await {
                Err(End::Failed(error)) if error.is_passing && tries < self.jobs.options.retries => {}
                checked => return checked,
            }
        }
        Err(End::Failed(JobError::new("answer_malformed", "no answer could be read")))
    }

    /// Checks a map that was just made; that it cannot be checked does not make it worse.
    pub(super) async fn note_coherence(&self, language: &str) -> Result<(), End> {
        let retries = self.jobs.options.retries;
        match self.check(language, retries, Instant::now() + CHECKED_WITHIN).await {
            Ok(checked) => self.saga.lock().coherence = Some(checked),
            Err(End::Failed(error)) => {
                tracing::debug!(code = error.code, "a new map could not be checked");
                self.saga.lock().warn("the map could not be checked for coherence");
            }
            Err(end) => return Err(end),
        }
        Ok(())
    }

    async fn check(&self, language: &str, tries: u32, until: Instant) -> Result<Value, End> {
        let map = self.map().await?;
        let task = Task::Coherence(coherence_task(&map, language, self.jobs.options.context_tokens_max));
        self.check_budget().await?;
        let open = timeout_at(until, self.until_ended(self.jobs.answers.open(&task, tries, Duration::ZERO)));
        let mut coming = open.await.unwrap_or_else(|_| Err(too_slow()))?;
        // A map's own answers tell whose it is; this one only tells what was found.
        if self.saga.lock().provider.is_empty() {
            self.note_answer(&coming);
        } else if !coming.is_cached {
            self.saga.lock().is_cached = false;
        }
        let (mut text, mut usage) = (String::new(), Usage::default());
        let heard = loop {
            match timeout_at(until, self.until_ended(coming.next())).await.unwrap_or_else(|_| Err(too_slow())) {
                Ok(Some(Piece::Text(more))) => text.push_str(&more),
                Ok(Some(Piece::Usage(used))) => usage = used,
                Ok(Some(Piece::End(_)) | None) => break Ok(()),
                Err(end) => break Err(end),
            }
            if text.len() > ANSWER_BYTES_MAX {
                break Err(End::Failed(JobError::new("answer_too_large", "the model's answer does not end")));
            }
        };
        if !coming.is_cached && coming.source == Source::Ai && usage == Usage::default() {
            usage = coming.estimated(&task);
        }
        self.note_usage(usage).await;
        heard?;
        let answer = read_object(&text).map_err(|error| End::Failed(error.into()))?;
        let Some(checked) = checked(&answer) else {
            let error = JobError::new("answer_malformed", "the model's answer holds no score; try again");
            return Err(End::Failed(JobError { is_passing: true, ..error }));
        };
        coming.keep(&self.jobs.answers.cache).await;
        Ok(checked)
    }
}

fn too_slow() -> End {
    End::Failed(JobError::new("provider_too_slow", "the AI provider took too long to check the map"))
}

/// What of an answer can be believed.
fn checked(answer: &serde_json::Map<String, Value>) -> Option<Value> {
    let score = answer.get("coherence_score")?;
    let score = score.as_f64().or_else(|| score.as_str()?.trim().parse().ok())?;
    let score = if score > 1.0 && score <= 100.0 { score / 100.0 } else { score.clamp(0.0, 1.0) };
    let list = |name: &str| -> Vec<String> {
        let entries = answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let texts = entries.iter().filter_map(|entry| entry.as_str().or_else(|| entry.get("title")?.as_str()));
        texts.map(|text| clean(text, ENTRY_CHARS_MAX)).filter(|text| !text.is_empty()).take(ENTRIES_MAX).collect()
    };
    Some(json!({
        "coherence_score": (score * 100.0).round() / 100.0,
        "strengths": list("strengths"),
        "improvements": list("improvements"),
        "missing_concepts": list("missing_concepts"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_counts_in_every_form_and_lists_are_clean() {
        let of = |text: &str| checked(&read_object(text).unwrap());
        let answer = of(
            r#"{"coherence_score": "72", "strengths": ["a\u0000b", 7, ""], "missing_concepts": [{"title": "Moons"}]}"#,
        );
        let answer = answer.unwrap();
        assert_eq!(answer["coherence_score"], 0.72);
        assert_eq!(answer["strengths"], json!(["ab"]));
        assert_eq!(answer["improvements"], json!([]));
        assert_eq!(answer["missing_concepts"], json!(["Moons"]));
        assert_eq!(of(r#"{"coherence_score": -3}"#).unwrap()["coherence_score"], 0.0);
        assert_eq!(of(r#"{"strengths": []}"#), None);
    }
}
