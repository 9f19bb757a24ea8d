//! Time, retries and the breaker.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use synapti_crdt::map::Source;
use synapti_server::{
    ai::{
        asker::{Asked, Asker, Timing},
        provider::{Answer, Ask, Finish, Piece, Provider, ProviderError, Usage},
    },
    breaker::{Breaker, Position},
};
use tokio::time::{Instant, timeout};

use super::{
    PATIENCE, Which, ask,
    played::{Played, Reply},
};

const TIMING: Timing = Timing {
    first_byte: Duration::from_secs(5),
    idle: Duration::from_secs(3),
    total: Duration::from_mins(1),
    retries: 2,
};

/// What a step of an answer brings after a while.
type Step = (u64, Result<Piece, ProviderError>);

/// Answers with one script after the other, on the clock of the test.
#[derive(Debug, Default)]
struct Scripted {
    scripts: Mutex<VecDeque<Vec<Step>>>,
    asked: AtomicUsize,
}

struct Script(VecDeque<Step>);

#[async_trait]
impl Provider for Scripted {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn model(&self) -> &'static str {
        "scripted"
    }

    fn source(&self) -> Source {
        Source::Ai
    }

    async fn ask(&self, _ask: &Ask) -> Result<Box<dyn Answer>, ProviderError> {
        self.asked.fetch_add(1, Relaxed);
        let script = self.scripts.lock().pop_front().expect("nobody should have asked again");
        Ok(Box::new(Script(script.into())))
    }
}

#[async_trait]
impl Answer for Script {
    async fn next(&mut self) -> Result<Option<Piece>, ProviderError> {
        let Some((wait, _)) = self.0.front() else { return Ok(None) };
        tokio::time::sleep(Duration::from_secs(*wait)).await;
        self.0.pop_front().map(|(_, step)| step).transpose()
    }
}

fn asker(scripts: Vec<Vec<Step>>) -> (Asker, Arc<Scripted>) {
    let provider = Arc::new(Scripted { scripts: Mutex::new(scripts.into()), asked: AtomicUsize::new(0) });
    let breaker = Breaker::new("openai", 3, Duration::from_secs(30));
    (Asker::new(provider.clone(), breaker, TIMING), provider)
}

fn text(wait: u64) -> Step {
    (wait, Ok(Piece::Text("x".into())))
}

fn used(wait: u64) -> Step {
    (wait, Ok(Piece::Usage(Usage { input_tokens: 5, output_tokens: 1 })))
}

fn end() -> Step {
    (0, Ok(Piece::End(Finish::Whole)))
}

fn fails(error: ProviderError) -> Vec<Step> {
    vec![(0, Err(error))]
}

async fn read(mut asked: Asked) -> Result<Vec<Piece>, ProviderError> {
    let mut pieces = Vec::new();
    while let Some(piece) = asked.next().await? {
        pieces.push(piece);
    }
    Ok(pieces)
}

async fn refused(asker: &Asker, tries: u32) -> ProviderError {
    asker.ask(&ask(), tries).await.expect_err("it should have failed")
}

fn failed() -> ProviderError {
    ProviderError::Failed("HTTP 500".into())
}

fn busy(seconds: u64) -> ProviderError {
    ProviderError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

fn failures(asker: &Asker) -> u32 {
    asker.breaker().report().failures
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_whole_and_in_order() {
    let (asker, provider) = asker(vec![vec![used(1), text(1), text(2), used(0), end()]]);
    let pieces = read(asker.ask(&ask(), 0).await.unwrap()).await.unwrap();
    let kinds: Vec<_> =
        [used(0), text(0), text(0), used(0), end()].into_iter().map(|(_, piece)| piece.unwrap()).collect();
    assert_eq!(pieces, kinds);
    assert_eq!((provider.asked.load(Relaxed), failures(&asker)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_asked_again_and_what_does_not_is_not() {
    let (asker, provider) = asker(vec![fails(failed()), fails(ProviderError::Cut), vec![text(0), end()]]);
    assert_eq!(read(asker.ask(&ask(), 0).await.unwrap()).await.unwrap().len(), 2);
    assert_eq!((provider.asked.load(Relaxed), failures(&asker)), (3, 0), "a success closes the count");

    let malformed = || ProviderError::Malformed("no".into());
    let (asker, provider) = self::asker(vec![fails(malformed())]);
    assert_eq!(refused(&asker, 0).await, malformed());
    assert_eq!((provider.asked.load(Relaxed), failures(&asker)), (1, 1));

    let (asker, provider) = self::asker(vec![fails(failed()), fails(failed())]);
    assert_eq!(refused(&asker, 1).await, failed(), "one of two retries was used before");
    assert_eq!(provider.asked.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_wait_is_kept_unless_it_is_too_long() {
    let (asker, _provider) = asker(vec![fails(busy(7)), vec![text(0), end()]]);
    let begun = Instant::now();
    asker.ask(&ask(), 0).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(7));

    let (asker, provider) = self::asker(vec![fails(busy(20)), fails(busy(11))]);
    assert_eq!(refused(&asker, 0).await, busy(11), "more than half a minute in all");
    assert_eq!(provider.asked.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn each_wait_has_its_bound() {
    let begun = Instant::now();
    let (asker, _provider) = asker(vec![vec![text(6)]]);
    assert_eq!(refused(&asker, 2).await, ProviderError::TooSlow(TIMING.first_byte));
    assert_eq!((begun.elapsed(), failures(&asker)), (TIMING.first_byte, 1));

    let (asker, _provider) = self::asker(vec![vec![used(4), text(4)]]);
    assert_eq!(
        refused(&asker, 2).await,
        ProviderError::TooSlow(TIMING.idle),
        "no text yet, so it might be asked again"
    );

    let (asker, _provider) = self::asker(vec![vec![text(4), text(2), text(4)]]);
    let mut answer = asker.ask(&ask(), 0).await.unwrap();
    assert_eq!((answer.next().await, answer.next().await.map(|_| ())), (text(0).1.map(Some), Ok(())));
    assert_eq!(answer.next().await, Err(ProviderError::TooSlow(TIMING.idle)));
    assert_eq!(answer.next().await, Err(ProviderError::TooSlow(TIMING.idle)), "and it stays so");
    assert_eq!(failures(&asker), 1);

    let (asker, _provider) = self::asker(vec![(0..40).map(|_| text(2)).collect()]);
    let begun = Instant::now();
    let answer = asker.ask(&ask(), 0).await.unwrap();
    assert_eq!(read(answer).await, Err(ProviderError::TooLong(TIMING.total)));
    assert_eq!((begun.elapsed(), failures(&asker)), (TIMING.total, 1));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_may_give_up_waiting_and_come_back() {
    let (asker, _provider) = asker(vec![vec![text(0), text(2), end()]]);
    let mut answer = asker.ask(&ask(), 0).await.unwrap();
    assert_eq!(answer.next().await, text(0).1.map(Some));
    let script = timeout(Duration::from_millis(10), answer.next()).await;
    assert!(script.is_err(), "the second piece comes later");
    assert_eq!(read(answer).await.unwrap().len(), 2, "and is not lost");
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_after_three_and_lets_one_through_later() {
    let scripts = vec![fails(failed()), fails(failed()), fails(failed()), vec![text(0), end()]];
    let (asker, provider) = asker(scripts);
    assert_eq!(refused(&asker, 0).await, failed());
    assert_eq!(asker.breaker().report().position, Position::Open);
    assert!(matches!(refused(&asker, 0).await, ProviderError::Open(_)));
    assert_eq!(provider.asked.load(Relaxed), 3, "nobody was asked");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(read(asker.ask(&ask(), 0).await.unwrap()).await.unwrap().len(), 2);
    assert_eq!(asker.breaker().report().position, Position::Closed);
}

#[tokio::test(start_paused = true)]
async fn only_the_providers_own_faults_count() {
    let key = ProviderError::Refused("the key, the account or the model is not accepted (HTTP 401)".into());
    let cases = [
        (ProviderError::Declined("no".into()), 0),
        (ProviderError::TooLarge { bytes_max: 1 }, 0),
        (ProviderError::Refused("HTTP 400: too long".into()), 0),
        (key, 1),
        (ProviderError::Malformed("no".into()), 1),
        (busy(3600), 1),
    ];
    for (error, count) in cases {
        let (asker, _provider) = asker(vec![fails(error.clone())]);
        assert_eq!(refused(&asker, 0).await, error);
        assert_eq!(failures(&asker), count, "{error}");
    }
    // In the middle of an answer it is the same; who leaves says nothing.
    for (step, count) in [(ProviderError::Cut, 1), (ProviderError::Declined(String::new()), 0)] {
        let (asker, _provider) = asker(vec![vec![text(0), (0, Err(step.clone()))]]);
        assert_eq!(read(asker.ask(&ask(), 0).await.unwrap()).await, Err(step));
        assert_eq!(failures(&asker), count);
    }
    let (asker, _provider) = asker(vec![vec![text(0), text(1)]]);
    drop(asker.ask(&ask(), 0).await.unwrap());
    assert_eq!(failures(&asker), 0);
}

fn over_the_wire(which: Which, base: &str, first_byte: u64, idle: u64) -> Asker {
    let (first_byte, idle) = (Duration::from_millis(first_byte), Duration::from_millis(idle));
    let timing = Timing { first_byte, idle, total: PATIENCE, retries: 1 };
    Asker::new(which.at(base), Breaker::new("wire", 3, PATIENCE), timing)
}

#[tokio::test]
async fn a_server_that_goes_silent_is_given_up() {
    for which in super::ALL {
        for silent in [Reply::silence(), Reply::stream("").stalled(), Reply::stream(": wait\n\n").stalled()] {
            let server = Played::always(silent).await;
            let error = refused(&over_the_wire(which, &server.base, 100, 100), 1).await;
            assert_eq!(error, ProviderError::TooSlow(Duration::from_millis(100)), "{which:?}");
        }
        let stream = which.recorded();
        let server = Played::always(Reply::stream(&stream[..stream.len() / 2]).stalled()).await;
        // The first piece of one half is there on time, on any machine; what comes then does not.
        let asked = over_the_wire(which, &server.base, 10_000, 100).ask(&ask(), 1).await;
        let error = match asked {
            Ok(asked) => read(asked).await.expect_err("it stands still"),
            Err(error) => error,
        };
        assert_eq!(error, ProviderError::TooSlow(Duration::from_millis(100)), "{which:?}");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_over_the_wire() {
    for which in super::ALL {
        let busy = Reply::json("429 Too Many Requests", &serde_json::json!({})).header("retry-after-ms: 1");
        let server = Played::start([busy, Reply::stream(which.recorded())]).await;
        let asker = over_the_wire(which, &server.base, 10_000, 10_000);
        let pieces = read(asker.ask(&ask(), 0).await.unwrap()).await.unwrap();
        assert_eq!(super::text_of(&pieces), which.expected().0, "{which:?}");
        assert_eq!((server.requests().len(), failures(&asker)), (2, 0));
    }
}
