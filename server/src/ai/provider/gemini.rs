//! Google's Gemini.

use std::{collections::VecDeque, fmt};

use async_trait::async_trait;
use parking_lot::Mutex;
use reqwest::{Url, header::HeaderName};
use serde_json::{Value, json};
use synapti_crdt::map::Source;

use super::{
    Answer, Ask, Finish, Piece, Provider, ProviderError, Usage,
    events::{self, Decoder, Streamed},
    http::Http,
    refusal::{self, Scrubber},
    schema::reduced,
    shape::{self, Shape},
};
use crate::{config::Secret, event_stream::ServerEvent};

/// Where the API is.
pub const BASE_URL: &str = "https://generativelanguage.googleapis.com";

/// The model when nobody names one: small, and quick with its first word.
pub const MODEL: &str = "gemini-3.5-flash-lite";

/// Versions of the API that a base URL may end with.
const VERSIONS: [&str; 3] = ["v1beta", "v1", "v1alpha"];

/// A server that speaks this protocol.
pub struct Gemini {
    http: Http,
    url: Url,
    model: String,
    shape: Mutex<GeminiShape>,
}

/// What the model takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct GeminiShape {
    format: Format,
    has_thinking: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Schema,
    Json,
    Text,
}

impl Gemini {
    /// At this base URL, with or without the version at its end.
    ///
    /// # Errors
    /// Why it can never be asked.
    pub fn new(base: &str, model: &str, key: Option<&Secret>) -> Result<Self, String> {
        let header = key.map(|key| (HeaderName::from_static("x-goog-api-key"), key.expose().to_owned()));
        let http = Http::new(base, header, key.cloned())?;
        let model = model.strip_prefix("models/").unwrap_or(model);
        let call = format!("{model}:streamGenerateContent");
        let has_version = VERSIONS.iter().any(|version| http.ends_with(version));
        let path = if has_version { vec!["models", &call] } else { vec!["v1beta", "models", &call] };
        let url = http.url(&path, Some("alt=sse"));
        let shape = GeminiShape { format: Format::Schema, has_thinking: true };
        Ok(Self { http, url, model: model.to_owned(), shape: Mutex::new(shape) })
    }

    fn body(&self, ask: &Ask, shape: GeminiShape) -> Value {
        let mut config = json!({"maxOutputTokens": ask.output_tokens_max});
        if shape.format != Format::Text {
            config["responseMimeType"] = "application/json".into();
        }
        if shape.format == Format::Schema {
            config["responseJsonSchema"] = reduced(&ask.schema, true);
        }
        if let Some(thinking) = thinking_of(&self.model).filter(|_| shape.has_thinking) {
            config["thinkingConfig"] = thinking;
        }
        let system = match shape.format {
            Format::Schema => ask.system.clone(),
            _ => format!("{}\n\nAnswer with JSON alone, as this JSON schema says:\n{}", ask.system, ask.schema),
        };
        json!({
            "systemInstruction": {"parts": [{"text": system}]},
            "contents": [{"role": "user", "parts": [{"text": ask.user}]}],
            "generationConfig": config,
        })
    }
}

/// People wait for the first word, and thoughts count as part of the answer. The smallest models think least by themselves.
fn thinking_of(model: &str) -> Option<Value> {
    if model.starts_with("gemini-2.5-flash") {
        Some(json!({"thinkingBudget": 0}))
    } else if model.starts_with("gemini-3") && !model.contains("lite") {
        Some(json!({"thinkingLevel": "low"}))
    } else {
        None
    }
}

impl fmt::Debug for Gemini {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gemini").field("host", &self.http.host()).field("model", &self.model).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn source(&self) -> Source {
        Source::Ai
    }

    async fn ask(&self, ask: &Ask) -> Result<Box<dyn Answer>, ProviderError> {
        let body = shape::post(&self.http, &self.url, &self.shape, |shape| self.body(ask, shape)).await?;
        Ok(Box::new(Streamed::new(body, GeminiDecoder::new(self.http.scrubber()))))
    }
}

impl Shape for GeminiShape {
    fn without(self, said: &str) -> Option<Self> {
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if self.has_thinking && says(&["thinking"]) {
            return Some(Self { has_thinking: false, ..self });
        }
        let format = match self.format {
            Format::Schema if says(&["schema"]) => Format::Json,
            Format::Json if says(&["mime", "json mode"]) => Format::Text,
            _ => return None,
        };
        Some(Self { format, ..self })
    }
}

/// Reads `GenerateContentResponse`s.
struct GeminiDecoder {
    scrubber: Scrubber,
    finish: Option<Finish>,
    usage: Usage,
}

impl GeminiDecoder {
    fn new(scrubber: Scrubber) -> Self {
        Self { scrubber, finish: None, usage: Usage::default() }
    }

    fn candidate(&mut self, candidate: &Value, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let text = part["text"].as_str().unwrap_or_default();
            if part["thought"].as_bool() != Some(true) && !text.is_empty() {
                pieces.push_back(Piece::Text(text.to_owned()));
            }
        }
        match candidate["finishReason"].as_str() {
            None | Some("FINISH_REASON_UNSPECIFIED") => {}
            Some("STOP") => self.finish = Some(Finish::Whole),
            Some("MAX_TOKENS") => self.finish = Some(Finish::Length),
            Some(reason @ ("SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE")) => {
                return Err(ProviderError::Declined(reason.to_owned()));
            }
            Some(reason) => {
                return Err(ProviderError::Failed(format!("it stopped with {}", self.scrubber.clean(reason))));
            }
        }
        Ok(())
    }
}

impl Decoder for GeminiDecoder {
    fn event(&mut self, event: &ServerEvent, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        let data = events::json(event)?;
        if let Some(error) = data.get("error").filter(|error| !error.is_null()) {
            return Err(refusal::of_stream(error, &self.scrubber));
        }
        if let Some(input) = data["usageMetadata"]["promptTokenCount"].as_u64() {
            let tokens = |name: &str| data["usageMetadata"][name].as_u64().unwrap_or_default();
            let output_tokens = tokens("candidatesTokenCount") + tokens("thoughtsTokenCount");
            self.usage = Usage { input_tokens: input + tokens("toolUsePromptTokenCount"), output_tokens };
            pieces.push_back(Piece::Usage(self.usage));
        }
        if let Some(reason) = data["promptFeedback"]["blockReason"].as_str() {
            return Err(ProviderError::Declined(self.scrubber.clean(reason)));
        }
        data["candidates"].get(0).map_or(Ok(()), |candidate| self.candidate(candidate, pieces))
    }

    fn end(&mut self, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        pieces.push_back(Piece::End(self.finish.ok_or(ProviderError::Cut)?));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.finish.is_some()
    }
}
