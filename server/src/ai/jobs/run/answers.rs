//! Where an answer comes from: it was kept, somebody is asked, or the template stands in.

use std::time::Duration;

use bytes::Bytes;
use synapti_crdt::map::Source;
use tokio::time::timeout;

use super::replay::Replay;
use crate::{
    ai::{
        asker::{Asked, Asker},
        cache_key::cache_key,
        prompt::ask_of,
        provider::{Answer as _, Piece, ProviderError, Usage},
        task::Task,
        tokens,
    },
    cache::{Cache, Flight, LeadGuard},
};

/// How long somebody waits for an answer that somebody else has asked for.
const FOLLOWS_FOR: Duration = Duration::from_secs(30);

/// How long answers are kept.
const GRAPH_KEPT_FOR: Duration = Duration::from_hours(1);
const EXPANSION_KEPT_FOR: Duration = Duration::from_mins(30);

/// Who is asked, in which order.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The provider that was chosen.
    pub asker: Asker,
    /// Stands in while that is left alone; `None` = nobody does.
    pub fallback: Option<Asker>,
    /// Answers that were kept.
    pub cache: Cache,
    /// Tokens that an answer may have.
    pub output_tokens_max: u32,
    /// Where the provider is, if not where its own address says: another server's model of the same name is another model.
    pub place: String,
}

/// An answer that is coming, and whose it is.
pub(super) struct Coming {
    from: From,
    /// Of which provider.
    pub(super) provider: &'static str,
    /// Of which model.
    pub(super) model: String,
    /// What nodes made of it say of their origin.
    pub(super) source: Source,
    /// Whether it was kept.
    pub(super) is_cached: bool,
    /// Whether it is the template's, in the place of a provider that cannot answer.
    pub(super) is_fallback: bool,
    keep: Option<Keep>,
}

enum From {
    Kept(Replay),
    Asked(Box<Asked>),
}

/// Who waits for the same answer, and what it is kept as.
struct Keep {
    guard: LeadGuard,
    key: String,
    kept_for: Duration,
    text: String,
}

impl Answers {
    /// Opens an answer. `tries` of the provider's retries have been used up.
    pub(super) async fn open(&self, task: &Task, tries: u32, pace: Duration) -> Result<Coming, ProviderError> {
        match self.open_from(&self.asker, task, tries, pace).await {
            Err(ProviderError::Open(open)) => match &self.fallback {
                Some(template) => {
                    let coming = self.open_from(template, task, 0, pace).await?;
                    Ok(Coming { is_fallback: true, ..coming })
                }
                None => Err(ProviderError::Open(open)),
            },
            opened => opened,
        }
    }

    async fn open_from(&self, asker: &Asker, task: &Task, tries: u32, pace: Duration) -> Result<Coming, ProviderError> {
        let provider = asker.provider();
        let key = cache_key(task, &format!("{} {}", provider.name(), self.place), provider.model()).as_str().to_owned();
        let coming = |from, keep| Coming {
            is_cached: matches!(from, From::Kept(_)),
            from,
            provider: provider.name(),
            model: provider.model().to_owned(),
            source: provider.source(),
            is_fallback: false,
            keep,
        };
        let kept = |text: &Bytes| coming(From::Kept(Replay::new(String::from_utf8_lossy(text).into_owned())), None);
        if let Some(text) = self.cache.get(&key).await {
            return Ok(kept(&text));
        }
        loop {
            let flight = timeout(FOLLOWS_FOR, self.cache.flight(&key)).await;
            let ask = ask_of(task, self.output_tokens_max, pace);
            match flight {
                Ok(Flight::Follow(Some(text))) => return Ok(kept(&text)),
                Ok(Flight::Follow(None)) => {}
                // Whoever asks for the same is slow, perhaps because their map is.
                Err(_) => return Ok(coming(From::Asked(Box::new(asker.ask(&ask, tries).await?)), None)),
                Ok(Flight::Lead(guard)) => {
                    let answer = asker.ask(&ask, tries).await?;
                    let kept_for = if matches!(task, Task::Generate(_)) { GRAPH_KEPT_FOR } else { EXPANSION_KEPT_FOR };
                    let keep = Keep { guard, key, kept_for, text: String::new() };
                    return Ok(coming(From::Asked(Box::new(answer)), Some(keep)));
                }
            }
        }
    }
}

impl Coming {
    /// The next piece. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, ProviderError> {
        let piece = match &mut self.from {
            From::Kept(replay) => replay.next().await,
            From::Asked(asked) => asked.next().await,
        }?;
        if let (Some(Piece::Text(text)), Some(keep)) = (&piece, &mut self.keep) {
            keep.text.push_str(text);
        }
        Ok(piece)
    }

    /// Tokens of an answer that does not say how many it had, about.
    pub(super) fn estimated(&self, task: &Task) -> Usage {
        let asked = ask_of(task, 0, Duration::ZERO);
        let output = self.keep.as_ref().map_or(0, |keep| tokens::estimate(&keep.text));
        let input = tokens::estimate(&asked.system) + tokens::estimate(&asked.user);
        Usage { input_tokens: input as u64, output_tokens: output as u64 }
    }

    /// It was whole and of use: it is kept for whoever asks the same.
    pub(super) async fn keep(&mut self, cache: &Cache) {
        let Some(Keep { guard, key, kept_for, text }) = self.keep.take() else { return };
        let text = Bytes::from(text);
        cache.put(&key, text.clone(), kept_for).await;
        guard.land(text);
    }
}
