//! A model that is asked as those of `OpenAI` are, and says what a measurement has prepared, at a given rate.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use anyhow::{bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    ask::{self, Ask},
    script::{Token, Word},
};

/// What it thinks of every map.
const COHERENCE: &str = r#"{"coherence_score":0.9,"strengths":["even"],"improvements":[],"missing_concepts":[]}"#;

/// Every answer is one stream of events. Whoever stops reading closes the connection.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

const UNKNOWN: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

/// One answer, which is given once.
pub struct Flow {
    tokens: Vec<Token>,
    every: Duration,
    asked: Cell<u32>,
    written: RefCell<Vec<Written>>,
    late: RefCell<Vec<Duration>>,
    state: watch::Sender<State>,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not at its end.
    Open,
    /// All was said.
    Said,
    /// The server has closed the connection before.
    Cut,
}

/// A word, and when it had left.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Which.
    pub word: Word,
    /// When the socket had taken it.
    pub at: Instant,
}

/// The model. It is gone when this is dropped.
pub struct Provider {
    base_url: String,
    flows: Flows,
    _serving: JoinSet<()>,
}

/// Answers, by the title or the topic that they are about.
type Flows = Rc<RefCell<HashMap<String, Rc<Flow>>>>;

impl Flow {
    /// An answer of which a token comes so often.
    pub fn new(tokens: Vec<Token>, every: Duration) -> Rc<Self> {
        let state = watch::Sender::new(State::Open);
        let (asked, written, late) = (Cell::new(0), RefCell::default(), RefCell::default());
        Rc::new(Self { tokens, every, asked, written, late, state })
    }

    /// Waits until it is over, in either way.
    pub async fn over(&self) -> anyhow::Result<State> {
        Ok(*self.state.subscribe().wait_for(|state| *state != State::Open).await?)
    }

    /// How often the model was asked for it.
    fn asked(&self) -> u32 {
        self.asked.get()
    }

    /// What was said, and when.
    pub fn written(&self) -> Vec<Written> {
        self.written.borrow().clone()
    }

    /// How late each token was written, after it was due.
    pub fn late(&self) -> Vec<Duration> {
        self.late.borrow().clone()
    }

    async fn play(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(HEAD.as_bytes()).await?;
        let begin = Instant::now();
        for (token, number) in self.tokens.iter().zip(0..) {
            let due = begin + self.every * number;
            sleep_until(due).await;
            stream.write_all(&chunk(&delta(&token.text))).await?;
            let at = Instant::now();
            self.late.borrow_mut().push(at - due);
            self.written.borrow_mut().extend(token.word.map(|word| Written { word, at }));
        }
        stream.write_all(&end(self.tokens.len())).await
    }
}

impl Provider {
    /// Begins to listen.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let (flows, mut serving) = (Flows::default(), JoinSet::new());
        serving.spawn_local(accept(listener, flows.clone()));
        Ok(Self { base_url, flows, _serving: serving })
    }

    /// What a server has to be told.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Answers with this whoever asks about this title or topic.
    pub fn answer(&self, about: &str, flow: &Rc<Flow>) {
        self.flows.borrow_mut().insert(about.to_owned(), flow.clone());
    }
}

async fn accept(listener: TcpListener, flows: Flows) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let flows = flows.clone();
                    connections.spawn_local(async move {
                        if let Err(error) = serve(stream, &flows).await {
                            eprintln!("synapti-load: the model: {error:#}");
                        }
                    });
                }
                // The server's next attempt may do better, and if not its jobs fail.
                Err(error) => eprintln!("synapti-load: the model cannot be reached: {error}"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, flows: &Flows) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        if let Some((asked, bytes)) = ask::parse(&received)? {
            received.drain(..bytes);
            if !answer(asked, &mut stream, flows).await? {
                return Ok(());
            }
        } else if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
            return Ok(());
        }
    }
}

/// Whether the connection goes on.
async fn answer(asked: Ask, stream: &mut TcpStream, flows: &Flows) -> anyhow::Result<bool> {
    let (Ask::Expand(about) | Ask::Generate(about)) = asked else {
        let whole = [HEAD.as_bytes(), &chunk(&delta(COHERENCE)), &end(1)].concat();
        return Ok(stream.write_all(&whole).await.is_ok());
    };
    let flow = flows.borrow().get(&about).cloned();
    let Some(flow) = flow else {
        stream.write_all(UNKNOWN.as_bytes()).await?;
        bail!("it is asked about \"{about}\", of which it knows nothing");
    };
    flow.asked.set(flow.asked.get() + 1);
    ensure!(flow.asked() == 1, "it is asked about \"{about}\" once more");
    let played = flow.play(stream).await;
    flow.state.send_replace(if played.is_ok() { State::Said } else { State::Cut });
    Ok(played.is_ok())
}

fn delta(text: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": { "content": text } }] })
}

/// An event, as a chunk of the body.
fn chunk(event: &Value) -> Vec<u8> {
    let event = format!("data: {event}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// Why it has ended, what it has cost, and the end of the body.
fn end(tokens: usize) -> Vec<u8> {
    let stop = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 500, "completion_tokens": tokens } });
    let done = "data: [DONE]\n\n";
    let last = format!("{:x}\r\n{done}\r\n0\r\n\r\n", done.len());
    [chunk(&stop), chunk(&usage), last.into_bytes()].concat()
}

/// Waits for the end of all of these answers, none of which may be cut.
pub async fn all_said(flows: &[Rc<Flow>]) -> anyhow::Result<()> {
    for flow in flows {
        let state = flow.over().await?;
        ensure!(state == State::Said, "the server did not read an answer to its end");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, LocalOptions};

    use super::*;
    use crate::ai::{
        ask::tests::request,
        script::{ELEMENT_WORDS, Shape, script},
    };

    fn local(test: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(test);
    }

    async fn asked(provider: &Provider, schema: &str, data: &Value) -> TcpStream {
        let authority = provider.base_url().strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
        let mut stream = TcpStream::connect(authority).await.unwrap();
        stream.write_all(&request(schema, data)).await.unwrap();
        stream
    }

    /// What is said in one answer.
    async fn heard(stream: &mut TcpStream) -> String {
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n0\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "it ends before its end");
        }
        let received = String::from_utf8(received).unwrap();
        assert!(received.contains("data: [DONE]\n\n") && received.contains("\"finish_reason\":\"stop\""), "{received}");
        let events = received.lines().filter_map(|line| line.strip_prefix("data: {"));
        let texts = events.filter_map(|event| {
            let event: Value = serde_json::from_str(&format!("{{{event}")).unwrap();
            event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
        });
        texts.collect()
    }

    fn light() -> Value {
        json!({ "topic": "t", "node": { "title": "Light" } })
    }

    #[test]
    fn an_answer_is_given_once_and_its_words_are_timed() {
        local(async {
            let provider = Provider::start().await.unwrap();
            let flow = Flow::new(script(Shape::SubConcepts, 2, 7), Duration::ZERO);
            provider.answer("Light", &flow);
            let mut stream = asked(&provider, "sub_concepts", &light()).await;
            let answer: Value = serde_json::from_str(&heard(&mut stream).await).unwrap();
            assert_eq!(answer["sub_concepts"].as_array().unwrap().len(), 2);
            assert_eq!(flow.over().await.unwrap(), State::Said);
            let written = flow.written();
            assert_eq!(written.len() as u32, 2 * ELEMENT_WORDS);
            assert!(written.is_sorted_by_key(|written| written.at));
            assert!(all_said(&[flow]).await.is_ok());
            let mut again = asked(&provider, "sub_concepts", &light()).await;
            assert_eq!(again.read(&mut [0; 100]).await.unwrap(), 0, "an answer is given once");
        });
    }

    #[test]
    fn a_judgement_is_given_as_often_as_it_is_wanted() {
        local(async {
            let provider = Provider::start().await.unwrap();
            for _ in 0..2 {
                let mut stream = asked(&provider, "coherence", &json!({ "topic": "t" })).await;
                assert_eq!(heard(&mut stream).await, COHERENCE);
            }
        });
    }

    #[test]
    fn who_stops_listening_has_cut_the_answer() {
        local(async {
            let provider = Provider::start().await.unwrap();
            // It lasts longer than anybody waits.
            let flow = Flow::new(script(Shape::SubConcepts, 3_000, 0), Duration::from_millis(1));
            provider.answer("Light", &flow);
            let mut stream = asked(&provider, "sub_concepts", &light()).await;
            assert_ne!(stream.read(&mut [0; 100]).await.unwrap(), 0);
            drop(stream);
            assert_eq!(flow.over().await.unwrap(), State::Cut);
            assert!(all_said(&[flow]).await.is_err());
        });
    }

    #[test]
    fn what_it_knows_nothing_about_is_refused() {
        local(async {
            let provider = Provider::start().await.unwrap();
            let mut stream = asked(&provider, "map_nodes", &json!({ "topic": "Light" })).await;
            let mut received = String::new();
            stream.read_to_string(&mut received).await.unwrap();
            assert_eq!(received, UNKNOWN);
        });
    }
}
