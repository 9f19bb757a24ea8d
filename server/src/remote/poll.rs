//! A map by requests that wait for news; edits go out as requests of their own.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    gone::Gone,
    http::{Answer, Http},
    post::{Post, cursor_of, frame, messages, sync},
    wire::{Ends, Heard, Opening},
};

/// How long the server may let a request wait.
const WAIT_SECONDS: u64 = 25;

/// What the way there and back may take beside that.
const ON_THE_WAY: Duration = Duration::from_secs(20);

/// A server that answers at once and has nothing new is not asked more often than this.
const EVERY_MIN: Duration = Duration::from_millis(200);

/// Asks until the end.
pub(super) async fn run(opening: &Opening, ends: Ends) -> Result<(), Gone> {
    let Ends { news, outbox } = ends;
    let mut post = Post::new(opening, news.clone(), outbox);
    tokio::select! {
        listened = listen(opening, &news) => listened,
        posted = post.run() => posted,
    }
}

async fn listen(opening: &Opening, news: &mpsc::Sender<Heard>) -> Result<(), Gone> {
    let http = opening.http();
    let question = synapti_protocol::message::encode_step1(&opening.state_vector);
    let mut answer = http.ask(sync(opening, 0, None, frame([question.as_slice()]), ON_THE_WAY)).await?;
    loop {
        for message in messages(&answer.body)? {
            if news.send(Heard::Message(message)).await.is_err() {
                return Ok(());
            }
        }
        answer = wait(&http, opening, &answer, &question).await?;
    }
}

/// Waits for what comes after an answer.
async fn wait(http: &Http, opening: &Opening, last: &Answer, question: &[u8]) -> Result<Answer, Gone> {
    let within = Duration::from_secs(WAIT_SECONDS) + ON_THE_WAY;
    // The question is for the case that the server has forgotten what the cursor stands for.
    let body = frame([question]);
    let asked_at = Instant::now();
    let answer = http.ask(sync(opening, WAIT_SECONDS, cursor_of(last).as_deref(), body, within)).await?;
    if answer.body.is_empty() {
        sleep_until(asked_at + EVERY_MIN).await;
    }
    Ok(answer)
}
