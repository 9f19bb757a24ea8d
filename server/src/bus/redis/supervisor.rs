//! Connects, listens, publishes, and begins anew when a connection is lost; for ever.

use std::{future::pending, sync::Arc, time::Duration};

use synapti_protocol::envelope::NodeMessage;
use tokio::{
    sync::Notify,
    time::{Instant, interval, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Shared, State,
    connect::{ANSWERED_WITHIN, ConnectError, Lines, connect},
    ears::ears,
    limits,
    names::Channel,
    nodes::ALIVE_EVERY,
    outbox::Outgoing,
};
use crate::telemetry::metrics::{self, Dropped};

/// Between the first attempts; it doubles up to [`RETRY_AFTER_MAX`].
const RETRY_AFTER_MIN: Duration = Duration::from_millis(50);

/// Between attempts at most.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(1);

/// How often each connection is asked for a sign of life, and who of the others gives one.
const PROBED_EVERY: Duration = Duration::from_secs(1);

/// Channels that are subscribed, or left, with one command.
const CHANNELS_AT_ONCE: usize = 500;

/// A connection that has held for so long was a good one: the next attempt after it is made at once.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Between two complaints about a Redis that comes and goes.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// How long the last messages may take when the node stops.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

/// Runs until `stop` is cancelled.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut outage = Outage::default();
    loop {
        let ended = session(&shared, &stop, &mut outage).await;
        shared.lose();
        match ended {
            Ok(()) => break,
            Err(error) => outage.begins(&shared, &error),
        }
        let wait = outage.next_wait();
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(wait) => {}
        }
    }
}

/// One pair of connections, from the beginning to the end. Ends well only when the node stops.
async fn session(shared: &Arc<Shared>, stop: &CancellationToken, outage: &mut Outage) -> Result<(), ConnectError> {
    let lost = Arc::new(Notify::new());
    let connection = shared.rooms.connected();
    let ears = ears(shared.clone(), connection, lost.clone());
    let lines = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        lines = connect(&shared.address, shared.authorities.as_deref(), &ears) => lines?,
    };
    let own = [Channel::All, Channel::Node(shared.node)].map(|channel| shared.names.channel(&channel));
    lines.listening.subscribe(&own).await?;
    shared.gain(lines.publishing.clone());
    outage.ends(shared);
    let result = tokio::select! {
        ended = publish(shared, &lines, stop) => ended,
        () = lost.notified() => Err(ConnectError::Lost),
        error = listen(shared, &lines) => error,
        error = watch(&lines) => error,
        error = announce(shared) => error,
        error = limits::keep(shared, &lines.publishing) => error,
    };
    if result.is_ok() {
        // Others notice by themselves when this does not reach them.
        let _ = timeout(FAREWELL_WITHIN, farewell(shared, &lines)).await;
    }
    result
}

/// Subscribes what rooms want, and leaves what they have left.
async fn listen(shared: &Shared, lines: &Lines) -> Result<(), ConnectError> {
    loop {
        let (left, next) = shared.rooms.take_left(Instant::now(), CHANNELS_AT_ONCE);
        let wanted = shared.rooms.take_wanted(CHANNELS_AT_ONCE);
        let is_idle = left.is_empty() && wanted.is_empty();
        // What is left comes first: a room may be wanted again already.
        let names = |rooms: Vec<_>| rooms.into_iter().map(|room| shared.names.channel(&Channel::Room(room))).collect();
        let (left, wanted): (Vec<_>, Vec<_>) = (names(left), names(wanted));
        if !left.is_empty() {
            lines.listening.unsubscribe(&left).await?;
        }
        if !wanted.is_empty() {
            lines.listening.subscribe(&wanted).await?;
        }
        if is_idle {
            let due = async { if let Some(next) = next { sleep_until(next).await } else { pending().await } };
            tokio::select! { () = shared.rooms.changed() => {}, () = due => {} }
        }
    }
}

/// Publishes what waits, until the node stops; what is under way then still arrives.
async fn publish(shared: &Shared, lines: &Lines, stop: &CancellationToken) -> Result<(), ConnectError> {
    loop {
        let messages = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            messages = shared.outbox.next() => messages,
        };
        send(shared, lines, messages).await?;
    }
}

async fn send(shared: &Shared, lines: &Lines, messages: Vec<Outgoing>) -> Result<(), ConnectError> {
    let under_way = UnderWay(messages.len());
    let named = messages.into_iter().map(|(channel, message)| (shared.names.channel(&channel), message)).collect();
    timeout(ANSWERED_WITHIN, lines.publishing.publish(named)).await.map_err(|_| ConnectError::Silent)??;
    under_way.has_arrived();
    Ok(())
}

/// Messages that Redis has been sent. Those that it does not confirm count as lost.
struct UnderWay(usize);

impl UnderWay {
    fn has_arrived(mut self) {
        metrics::get().bus.published.increment(std::mem::take(&mut self.0) as u64);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        metrics::get().bus.dropped(Dropped::Failed, self.0);
    }
}

/// Asks both connections for signs of life: one that is only half there gives none.
async fn watch(lines: &Lines) -> Result<(), ConnectError> {
    let mut tick = interval(PROBED_EVERY);
    loop {
        tick.tick().await;
        let both = async { tokio::try_join!(lines.listening.ping(), lines.publishing.ping()) };
        timeout(ANSWERED_WITHIN, both).await.map_err(|_| ConnectError::Silent)??;
    }
}

/// Says that this node is there, and looks which others are.
async fn announce(shared: &Shared) -> Result<(), ConnectError> {
    let mut alive = interval(ALIVE_EVERY);
    let mut look = interval(PROBED_EVERY);
    loop {
        tokio::select! {
            _ = alive.tick() => shared.say(NodeMessage::Alive),
            _ = look.tick() => shared.forget_gone(),
        }
    }
}

/// Publishes what still waits, and that this node goes; gives back what it holds.
async fn farewell(shared: &Shared, lines: &Lines) -> Result<(), ConnectError> {
    shared.say(NodeMessage::Bye);
    loop {
        let messages = shared.outbox.take();
        if messages.is_empty() {
            return limits::give_back(shared, &lines.publishing).await;
        }
        send(shared, lines, messages).await?;
    }
}

/// How long there has been no connection, and when to try again.
#[derive(Default)]
struct Outage {
    /// Since when, if there is none.
    since: Option<Instant>,
    /// Since when there has been one, if there is one.
    up_since: Option<Instant>,
    attempts: u32,
    has_been_up: bool,
    /// When the operator was told last.
    told: Option<Instant>,
}

impl Outage {
    fn begins(&mut self, shared: &Shared, error: &ConnectError) {
        let now = Instant::now();
        if self.up_since.take().is_some_and(|up_since| now - up_since > SETTLED_AFTER) {
            self.attempts = 0;
        }
        let error = shared.address.without_secrets(&error.to_string());
        if self.since.is_none() {
            self.since = Some(now);
            let redis = &shared.address;
            // One that comes and goes all the time is told of now and then.
            if self.told.is_none_or(|told| now - told > TOLD_EVERY) {
                self.told = Some(now);
                tracing::error!(%redis, error, "no connection to Redis: without it the other nodes are not heard");
            }
        }
        shared.state.send_replace(State::Away(error));
    }

    fn ends(&mut self, shared: &Shared) {
        let now = Instant::now();
        self.up_since = Some(now);
        let redis = &shared.address;
        if let Some(since) = self.since.take() {
            let away_seconds = (now - since).as_secs_f64();
            tracing::info!(%redis, away_seconds, "connected to Redis: the other nodes are heard");
        }
        if std::mem::replace(&mut self.has_been_up, true) {
            metrics::get().bus.reconnects.increment(1);
        }
    }

    /// Longer each time, and never the same on all nodes: they lose Redis together.
    fn next_wait(&mut self) -> Duration {
        let wait = RETRY_AFTER_MIN.saturating_mul(1 << self.attempts.min(10)).min(RETRY_AFTER_MAX);
        self.attempts += 1;
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }
}
