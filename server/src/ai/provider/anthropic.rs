//! Anthropic's messages.

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
pub const BASE_URL: &str = "https://api.anthropic.com";

/// The model when nobody names one: small, and quick with its first word.
pub const MODEL: &str = "claude-haiku-5-5";

/// The version of the API that is spoken here.
const VERSION: &str = "2023-06-01";

/// A server that speaks this protocol.
pub struct Anthropic {
    http: Http,
    url: Url,
    model: String,
    shape: Mutex<AnthropicShape>,
}

/// What the model takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct AnthropicShape {
    format: Format,
    has_effort: bool,
}

/// How the answer becomes JSON. `output_config` streams word by word; older models know only tools, whose fields come one by one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Schema,
    Tool,
    Text,
}

impl Anthropic {
    /// At this base URL, with or without the version at its end.
    ///
    /// # Errors
    /// Why it can never be asked.
    pub fn new(base: &str, model: &str, key: Option<&Secret>) -> Result<Self, String> {
        let header = key.map(|key| (HeaderName::from_static("x-api-key"), key.expose().to_owned()));
        let http = Http::new(base, header, key.cloned())?.with("anthropic-version", VERSION);
        let path: &[&str] = if http.ends_with("v1") { &["messages"] } else { &["v1", "messages"] };
        let url = http.url(path, None);
        let shape = AnthropicShape { format: Format::Schema, has_effort: true };
        Ok(Self { http, url, model: model.to_owned(), shape: Mutex::new(shape) })
    }

    fn body(&self, ask: &Ask, shape: AnthropicShape) -> Value {
        let system = match shape.format {
            Format::Text => {
                format!("{}\n\nAnswer with JSON alone, as this JSON schema says:\n{}", ask.system, ask.schema)
            }
            _ => ask.system.clone(),
        };
        let mut body = json!({
            "model": self.model,
            "stream": true,
            "max_tokens": ask.output_tokens_max,
            "system": system,
            "messages": [{"role": "user", "content": ask.user}],
        });
        if shape.has_effort {
            // People wait for the first word.
            body["output_config"]["effort"] = "low".into();
        }
        match shape.format {
            Format::Schema => {
                body["output_config"]["format"] = json!({"type": "json_schema", "schema": reduced(&ask.schema, false)});
            }
            Format::Tool => {
                let tool =
                    json!({"name": ask.schema_name, "description": "Takes the answer.", "input_schema": *ask.schema});
                body["tools"] = json!([tool]);
                body["tool_choice"] = json!({"type": "tool", "name": ask.schema_name});
            }
            Format::Text => {}
        }
        body
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic").field("host", &self.http.host()).field("model", &self.model).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn source(&self) -> Source {
        Source::Ai
    }

    async fn ask(&self, ask: &Ask) -> Result<Box<dyn Answer>, ProviderError> {
        let body = shape::post(&self.http, &self.url, &self.shape, |shape| self.body(ask, shape)).await?;
        Ok(Box::new(Streamed::new(body, AnthropicDecoder::new(self.http.scrubber()))))
    }
}

impl Shape for AnthropicShape {
    fn without(self, said: &str) -> Option<Self> {
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if self.has_effort && says(&["effort"]) {
            return Some(Self { has_effort: false, ..self });
        }
        let format = match self.format {
            // Who does not know `output_config` at all does not know the effort in it either.
            Format::Schema if says(&["output_config", "output_format", "output format", "structured", "schema"]) => {
                Format::Tool
            }
            Format::Tool if says(&["tool"]) => Format::Text,
            _ => return None,
        };
        Some(Self { format, has_effort: self.has_effort && !said.contains("extra inputs") })
    }
}

/// Reads the events of a message.
struct AnthropicDecoder {
    scrubber: Scrubber,
    finish: Finish,
    usage: Usage,
    is_over: bool,
}

impl AnthropicDecoder {
    fn new(scrubber: Scrubber) -> Self {
        Self { scrubber, finish: Finish::Whole, usage: Usage::default(), is_over: false }
    }

    /// Counts are of the whole message so far; what was read from or written to a cache was read as well.
    fn used(&mut self, usage: &Value, pieces: &mut VecDeque<Piece>) {
        let tokens = |name: &str| usage[name].as_u64().unwrap_or_default();
        let input = tokens("input_tokens") + tokens("cache_creation_input_tokens") + tokens("cache_read_input_tokens");
        self.usage.input_tokens = self.usage.input_tokens.max(input);
        self.usage.output_tokens = self.usage.output_tokens.max(tokens("output_tokens"));
        pieces.push_back(Piece::Usage(self.usage));
    }

    fn stopped(&mut self, reason: Option<&str>) -> Result<(), ProviderError> {
        match reason {
            Some("max_tokens" | "model_context_window_exceeded") => self.finish = Finish::Length,
            Some("refusal") => return Err(ProviderError::Declined(String::new())),
            _ => {}
        }
        Ok(())
    }
}

impl Decoder for AnthropicDecoder {
    fn event(&mut self, event: &ServerEvent, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        let data = events::json(event)?;
        match data["type"].as_str().unwrap_or(&event.event) {
            "message_start" => self.used(&data["message"]["usage"], pieces),
            "content_block_delta" => {
                let delta = &data["delta"];
                match delta["text"].as_str().or_else(|| delta["partial_json"].as_str()) {
                    Some("") => {}
                    Some(text) => pieces.push_back(Piece::Text(text.to_owned())),
                    // Nobody reads its thoughts, but it is alive.
                    None => pieces.push_back(Piece::Usage(self.usage)),
                }
            }
            "message_delta" => {
                self.used(&data["usage"], pieces);
                self.stopped(data["delta"]["stop_reason"].as_str())?;
            }
            "message_stop" => {
                self.is_over = true;
                pieces.push_back(Piece::End(self.finish));
            }
            "error" => return Err(refusal::of_stream(&data["error"], &self.scrubber)),
            // Pings, the frames of blocks, and what may be added.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError> {
        Err(ProviderError::Cut)
    }

    fn is_whole(&self) -> bool {
        self.is_over
    }
}
