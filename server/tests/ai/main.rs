//! Providers of AI against local servers that speak their protocols, from recorded answers, with faults.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asker;
mod chosen;
mod faults;
mod played;
mod requests;
mod streams;

use std::{fs, sync::Arc, time::Duration};

use serde_json::json;
use synapti_server::{
    ai::{
        provider::{
            Ask, Finish, Piece, Provider, ProviderError, SharedProvider, Usage, anthropic::Anthropic, gemini::Gemini,
            openai::OpenAi,
        },
        task::{GenerateTask, Task},
    },
    config::Secret,
};
use tokio::time::timeout;

/// Nothing here takes this long unless it never ends.
const PATIENCE: Duration = Duration::from_secs(20);

const KEY: &str = "sk-very-secret-0123456789";

/// Each of the three, in the words of the tests.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    OpenAi,
    Anthropic,
    Gemini,
}

const ALL: [Which; 3] = [Which::OpenAi, Which::Anthropic, Which::Gemini];

impl Which {
    /// A provider whose API is at this address.
    fn at(self, base: &str) -> SharedProvider {
        let key = Secret::new(KEY);
        match self {
            Self::OpenAi => Arc::new(OpenAi::new(&format!("{base}/v1"), "a-model", Some(&key)).unwrap()),
            Self::Anthropic => Arc::new(Anthropic::new(base, "a-model", Some(&key)).unwrap()),
            Self::Gemini => Arc::new(Gemini::new(base, "a-model", Some(&key)).unwrap()),
        }
    }

    /// A recorded answer as its event stream.
    fn recorded(self) -> String {
        self.events().concat()
    }

    /// The same, event by event.
    fn events(self) -> Vec<String> {
        let name = match self {
            Self::OpenAi => "openai-azure-model-router",
            Self::Anthropic => "anthropic-text",
            Self::Gemini => "google-text",
        };
        let lines = data(&format!("{name}.chunks.txt"));
        let mut events: Vec<String> = lines.lines().map(|line| self.framed(line)).collect();
        if self == Self::OpenAi {
            events.push("data: [DONE]\n\n".to_owned());
        }
        events
    }

    /// One event as this provider sends it.
    fn framed(self, line: &str) -> String {
        match self {
            Self::OpenAi => format!("data: {line}\n\n"),
            Self::Gemini => format!("data: {line}\r\n\r\n"),
            Self::Anthropic => {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                format!("event: {}\ndata: {line}\n\n", event["type"].as_str().unwrap())
            }
        }
    }

    /// What the recorded answer says, and what it has used up.
    fn expected(self) -> (&'static str, Usage) {
        let (text, input_tokens, output_tokens) = match self {
            Self::OpenAi => ("Capital of Denmark", 15, 78),
            Self::Anthropic => (
                "Hello! I'm doing well, thank you for asking. How are you doing today? Is there anything I can help you with?",
                12,
                30,
            ),
            Self::Gemini => ("There are **3** \"r\"s in strawberry.\n\nst**r**awbe**rr**y", 9, 208),
        };
        (text, Usage { input_tokens, output_tokens })
    }
}

fn data(name: &str) -> String {
    fs::read_to_string(format!("{}/tests/data/ai-streams/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn ask() -> Ask {
    Ask {
        task: Task::Generate(GenerateTask { topic: "Tea".into(), nodes_max: 3, ..GenerateTask::default() }),
        system: "You make mind maps.".into(),
        user: "Tea, please.".into(),
        schema_name: "nodes",
        schema: Arc::new(json!({
            "type": "object", "additionalProperties": false, "required": ["nodes"],
            "properties": {"nodes": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 200}}},
        })),
        output_tokens_max: 1000,
        pace: Duration::ZERO,
    }
}

/// Everything that an answer brings, and why it ended if it did so before its end.
async fn all(provider: &dyn Provider) -> (Vec<Piece>, Option<ProviderError>) {
    let mut pieces = Vec::new();
    let reading = async {
        let mut answer = provider.ask(&ask()).await?;
        while let Some(piece) = answer.next().await? {
            pieces.push(piece);
        }
        Ok(())
    };
    let read = timeout(PATIENCE, reading).await.expect("the answer does not end");
    (pieces, read.err())
}

async fn error_of(provider: &dyn Provider) -> ProviderError {
    all(provider).await.1.expect("it should have failed")
}

fn text_of(pieces: &[Piece]) -> String {
    pieces.iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None }).collect()
}

fn usage_of(pieces: &[Piece]) -> Option<Usage> {
    pieces.iter().rev().find_map(|piece| if let Piece::Usage(usage) = piece { Some(*usage) } else { None })
}

fn end_of(pieces: &[Piece]) -> Option<Finish> {
    if let Some(Piece::End(finish)) = pieces.last() { Some(*finish) } else { None }
}
