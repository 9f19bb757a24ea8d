//! How fast one client may speak. Who speaks faster is read more slowly, so that TCP tells it; only who goes on regardless
//! for long is sent away.

use std::{sync::Arc, time::Duration};

use synapti_protocol::{
    close::CloseCode,
    message::{Message, SyncMessage},
};
use tokio::time::{Instant, sleep_until};

use super::SessionLimits;
use crate::{limits::rate::Rate, room::Refusal, telemetry::metrics};

/// Questions (`SyncStep1`, query of presence) per second: each costs an answer as large as the map.
const QUESTIONS_PER_SECOND: u32 = 5;

/// Words about oneself per second: viewers get 25 frames of all presence a second, whatever comes in.
const PRESENCE_PER_SECOND: u32 = 60;

/// How long a client may be too fast without a break.
const TOO_FAST_FOR: Duration = Duration::from_mins(1);

/// A client that was not too fast for this long has had a break.
const BREAK: Duration = Duration::from_secs(2);

/// What a message costs besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Edits, and what the server ignores.
    Plain,
    /// It wants an answer.
    Question,
    /// It says who is here. Of these the newest counts.
    Presence,
}

impl Kind {
    pub(super) fn of(message: &Message<'_>) -> Self {
        match message {
            Message::Sync(SyncMessage::Step1(_)) | Message::QueryAwareness => Self::Question,
            Message::Awareness(_) => Self::Presence,
            _ => Self::Plain,
        }
    }
}

/// One client's rates.
#[derive(Debug)]
pub(super) struct Pace {
    /// That of the connection, if it has several sessions: their messages and bytes count together.
    of_all: Option<Arc<Pace>>,
    messages: Rate,
    bytes: Rate,
    questions: Rate,
    presence: Rate,
}

/// What still has to be taken for a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Toll {
    kind: Kind,
    bytes: u32,
    messages: u32,
}

impl Toll {
    pub(super) fn of(kind: Kind, bytes: usize) -> Self {
        Self { kind, bytes: u32::try_from(bytes).unwrap_or(u32::MAX), messages: 1 }
    }
}

impl Pace {
    pub(super) fn new(limits: &SessionLimits) -> Self {
        // Without a limit of messages there is none of kinds of messages either.
        let if_limited = |per_second| if limits.messages_per_second == 0 { 0 } else { per_second };
        Self {
            of_all: None,
            messages: Rate::new(limits.messages_per_second),
            bytes: Rate::new(limits.bytes_per_second),
            questions: Rate::new(if_limited(QUESTIONS_PER_SECOND)),
            presence: Rate::new(if_limited(PRESENCE_PER_SECOND)),
        }
    }

    /// That of one of the sessions of a connection.
    pub(super) fn within(of_all: Arc<Self>, limits: &SessionLimits) -> Self {
        let own = SessionLimits { bytes_per_second: 0, ..*limits };
        Self { of_all: Some(of_all), messages: Rate::new(0), ..Self::new(&own) }
    }

    /// Takes what a message costs; `toll` keeps what is left of it. Presence costs its own rate separately:
    /// see [`Pace::presence`].
    ///
    /// # Errors
    /// When to try again.
    pub(super) fn take(&self, toll: &mut Toll) -> Result<(), Instant> {
        let all = self.of_all.as_deref().unwrap_or(self);
        all.messages.take(toll.messages)?;
        toll.messages = 0;
        all.bytes.take(toll.bytes)?;
        toll.bytes = 0;
        if toll.kind == Kind::Question {
            self.questions.take(1)?;
        }
        Ok(())
    }

    /// Waits until the rest of a toll is taken.
    pub(super) async fn pay(&self, mut toll: Toll) {
        while let Err(again) = self.take(&mut toll) {
            sleep_until(again).await;
        }
    }

    /// Takes one word about oneself.
    ///
    /// # Errors
    /// When to try again.
    pub(super) fn presence(&self) -> Result<(), Instant> {
        self.presence.take(1)
    }
}

/// Since when a client has been too fast, and when it last was.
#[derive(Debug, Default)]
pub(super) struct TooFast(Option<(Instant, Instant)>);

impl TooFast {
    /// Notes that the client has to wait.
    ///
    /// # Errors
    /// When it has been too fast for too long.
    pub(super) fn slow_down(&mut self, limits: &SessionLimits) -> Result<(), Refusal> {
        metrics::get().slowed_messages.increment(1);
        if !self.note() {
            return Ok(());
        }
        let SessionLimits { messages_per_second, bytes_per_second, .. } = limits;
        let reason = format!(
            "more than {messages_per_second} messages or {bytes_per_second} bytes a second for a minute: slow down"
        );
        Err(Refusal::new(CloseCode::RateLimited, reason))
    }

    /// Says whether it has been too fast for too long.
    fn note(&mut self) -> bool {
        let now = Instant::now();
        let since = match self.0 {
            Some((since, last)) if now - last < BREAK => since,
            _ => now,
        };
        self.0 = Some((since, now));
        now - since >= TOO_FAST_FOR
    }

    /// The client was kept waiting until now: that was no break of its own.
    pub(super) fn waited(&mut self) {
        if let Some((_, last)) = &mut self.0 {
            *last = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn limits(messages_per_second: u32, bytes_per_second: u32) -> SessionLimits {
        SessionLimits { message_bytes_max: 0, sync_bytes_max: 0, messages_per_second, bytes_per_second }
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_of_one_connection_share_messages_and_bytes_but_not_questions() {
        let limits = limits(10, 1_000);
        let all = Arc::new(Pace::new(&limits));
        let [one, other] = [(); 2].map(|()| Pace::within(all.clone(), &limits));
        let take = |pace: &Pace, kind, bytes| pace.take(&mut Toll::of(kind, bytes)).is_ok();
        assert!((0..19).all(|_| take(&one, Kind::Question, 1)) && (0..19).all(|_| take(&other, Kind::Question, 1)));
        assert!(take(&one, Kind::Plain, 3_900) && !take(&other, Kind::Plain, 3_900), "bytes");
        assert!(!take(&all, Kind::Plain, 0) && !take(&one, Kind::Plain, 0), "messages");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_pays_for_itself_its_bytes_and_its_kind_once() {
        let pace = Pace::new(&limits(10, 1_000));
        let start = Instant::now();
        for _ in 0..40 {
            pace.take(&mut Toll::of(Kind::Plain, 10)).unwrap();
        }
        assert!(pace.take(&mut Toll::of(Kind::Plain, 10)).is_err());
        pace.pay(Toll::of(Kind::Plain, 3_700)).await;
        assert!(start.elapsed() < Duration::from_millis(300), "one message more, and {:?}", start.elapsed());
        pace.pay(Toll::of(Kind::Plain, 1_000)).await;
        assert!(start.elapsed() > Duration::from_millis(900), "bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn questions_have_a_rate_of_their_own() {
        let pace = Pace::new(&limits(1_000, 0));
        let asked = (0..100).take_while(|_| pace.take(&mut Toll::of(Kind::Question, 3)).is_ok()).count();
        assert_eq!(asked, 20);
        assert!(pace.take(&mut Toll::of(Kind::Plain, 3)).is_ok());
        let unlimited = Pace::new(&limits(0, 0));
        assert!(
            (0..1_000)
                .all(|_| unlimited.take(&mut Toll::of(Kind::Question, 3)).is_ok() && unlimited.presence().is_ok())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_never_pauses_is_too_fast_for_too_long() {
        let mut steady = TooFast::default();
        assert!((0..120).all(|_| !steady.note()), "no time has passed");
        for second in 0..=60 {
            assert_eq!(steady.note(), second == 60);
            advance(Duration::from_secs(1)).await;
        }
        // Messages that are so large that each has to wait for longer than a break.
        let mut large = TooFast::default();
        for second in (0..=60).step_by(5) {
            assert_eq!(large.note(), second == 60);
            advance(Duration::from_secs(5)).await;
            large.waited();
        }
        let mut pausing = TooFast::default();
        for _ in 0..100 {
            assert!(!pausing.note());
            advance(BREAK).await;
        }
    }
}
