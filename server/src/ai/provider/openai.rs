//! `OpenAI`'s chat completions, which `vLLM`, `Ollama`, `llama.cpp` and many others speak as well.

use std::{collections::VecDeque, fmt};

use async_trait::async_trait;
use parking_lot::Mutex;
use reqwest::{Url, header};
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
pub const BASE_URL: &str = "https://api.openai.com/v1";

/// The model when nobody names one: small, and quick with its first word.
pub const MODEL: &str = "gpt-6-luna";

/// Bytes of a refusal that are kept.
const REFUSAL_BYTES_MAX: usize = 2000;

/// A server that speaks this protocol.
pub struct OpenAi {
    http: Http,
    url: Url,
    model: String,
    shape: Mutex<OpenAiShape>,
}

/// What the server takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct OpenAiShape {
    format: Format,
    has_stream_options: bool,
    has_effort: bool,
    /// `OpenAI` calls the bound of the answer like that; others know its old name.
    is_completion_tokens: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Schema,
    Object,
    Text,
}

impl OpenAi {
    /// At this base URL, which ends with the version.
    ///
    /// # Errors
    /// Why it can never be asked.
    pub fn new(base: &str, model: &str, key: Option<&Secret>) -> Result<Self, String> {
        let bearer = key.map(|key| (header::AUTHORIZATION, format!("Bearer {}", key.expose())));
        let http = Http::new(base, bearer, key.cloned())?;
        let is_openai = http.host() == "api.openai.com";
        let shape = OpenAiShape {
            format: Format::Schema,
            has_stream_options: true,
            has_effort: is_openai,
            is_completion_tokens: is_openai,
        };
        let url = http.url(&["chat", "completions"], None);
        Ok(Self { http, url, model: model.to_owned(), shape: Mutex::new(shape) })
    }

    fn body(&self, ask: &Ask, shape: OpenAiShape) -> Value {
        let system = match shape.format {
            Format::Schema => ask.system.clone(),
            // Nothing else tells it what the answer looks like.
            _ => format!("{}\n\nAnswer with JSON alone, as this JSON schema says:\n{}", ask.system, ask.schema),
        };
        let mut body = json!({
            "model": self.model,
            "stream": true,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": ask.user}],
        });
        let tokens = if shape.is_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        body[tokens] = ask.output_tokens_max.into();
        if shape.has_stream_options {
            body["stream_options"] = json!({"include_usage": true});
        }
        if shape.has_effort {
            // People wait for the first word.
            body["reasoning_effort"] = "low".into();
        }
        match shape.format {
            Format::Schema => {
                let schema = json!({"name": ask.schema_name, "strict": true, "schema": reduced(&ask.schema, true)});
                body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
            }
            Format::Object => body["response_format"] = json!({"type": "json_object"}),
            Format::Text => {}
        }
        body
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("host", &self.http.host()).field("model", &self.model).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn source(&self) -> Source {
        Source::Ai
    }

    async fn ask(&self, ask: &Ask) -> Result<Box<dyn Answer>, ProviderError> {
        let body = shape::post(&self.http, &self.url, &self.shape, |shape| self.body(ask, shape)).await?;
        Ok(Box::new(Streamed::new(body, OpenAiDecoder::new(self.http.scrubber()))))
    }
}

impl Shape for OpenAiShape {
    fn without(self, said: &str) -> Option<Self> {
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if self.has_effort && says(&["reasoning_effort"]) {
            return Some(Self { has_effort: false, ..self });
        }
        if self.has_stream_options && says(&["stream_options", "include_usage"]) {
            return Some(Self { has_stream_options: false, ..self });
        }
        // The old name is refused by naming the new one; the new one by servers that do not know it.
        let knows_not = says(&["unsupported", "not supported", "unrecognized", "unknown", "not permitted", "extra"]);
        if says(&["max_completion_tokens"]) && (knows_not || !self.is_completion_tokens) {
            return Some(Self { is_completion_tokens: !self.is_completion_tokens, ..self });
        }
        let format = match self.format {
            Format::Schema if says(&["response_format", "json_schema", "schema", "guided", "grammar"]) => {
                Format::Object
            }
            Format::Object if says(&["response_format", "json_object", "json mode"]) => Format::Text,
            _ => return None,
        };
        Some(Self { format, ..self })
    }
}

/// Reads `chat.completion.chunk`s.
struct OpenAiDecoder {
    scrubber: Scrubber,
    finish: Option<Finish>,
    refusal: Option<String>,
    usage: Usage,
}

impl OpenAiDecoder {
    fn new(scrubber: Scrubber) -> Self {
        Self { scrubber, finish: None, refusal: None, usage: Usage::default() }
    }

    fn choice(&mut self, choice: &Value, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        let delta = &choice["delta"];
        let text = |name: &str| delta[name].as_str().filter(|text| !text.is_empty());
        if let Some(text) = text("content") {
            pieces.push_back(Piece::Text(text.to_owned()));
        } else if text("reasoning_content").or_else(|| text("reasoning")).is_some() {
            // Nobody reads its thoughts, but it is alive.
            pieces.push_back(Piece::Usage(self.usage));
        }
        if let Some(text) = text("refusal") {
            let refusal = self.refusal.get_or_insert_default();
            if refusal.len() < REFUSAL_BYTES_MAX {
                refusal.push_str(text);
            }
        }
        match choice["finish_reason"].as_str() {
            None => {}
            Some("length") => self.finish = Some(Finish::Length),
            Some("content_filter") => {
                return Err(ProviderError::Declined("the provider's content filter stopped it".to_owned()));
            }
            Some(_) => self.finish = Some(Finish::Whole),
        }
        self.declined()
    }

    /// A refusal is told when it is whole.
    fn declined(&self) -> Result<(), ProviderError> {
        match (&self.refusal, self.finish) {
            (Some(refusal), Some(_)) => Err(ProviderError::Declined(self.scrubber.clean(refusal))),
            _ => Ok(()),
        }
    }
}

impl Decoder for OpenAiDecoder {
    fn event(&mut self, event: &ServerEvent, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        if event.data.trim() == "[DONE]" {
            self.finish.get_or_insert(Finish::Whole);
            return self.end(pieces);
        }
        let chunk = events::json(event)?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(refusal::of_stream(error, &self.scrubber));
        }
        if let (Some(input), Some(output)) =
            (chunk["usage"]["prompt_tokens"].as_u64(), chunk["usage"]["completion_tokens"].as_u64())
        {
            self.usage = Usage { input_tokens: input, output_tokens: output };
            pieces.push_back(Piece::Usage(self.usage));
        }
        // The first and the last chunk of some servers have none.
        chunk["choices"].get(0).map_or(Ok(()), |choice| self.choice(choice, pieces))
    }

    fn end(&mut self, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        self.declined()?;
        pieces.push_back(Piece::End(self.finish.ok_or(ProviderError::Cut)?));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.finish.is_some()
    }
}
