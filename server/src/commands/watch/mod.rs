//! `synapti watch`: shows a map, and then what happens in it.

mod changes;
mod json;
mod text;

use std::{io::Write, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Failure, notice, tell};
use crate::remote::{Choice, Event, Link, Presence, http::Token, url::MapUrl};
use changes::View;

/// News that are taken together, so that a burst of edits is one look at the map.
const BATCH_EVENTS_MAX: usize = 1_000;

/// What to watch, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRequest {
    /// The map.
    pub map: MapUrl,
    /// How it is shown.
    pub format: Format,
    /// Whether to end once the map has been shown.
    pub once: bool,
    /// How to connect.
    pub choice: Choice,
    /// How long the first connection may take.
    pub timeout: Duration,
}

/// How a map is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object for each line.
    Json,
    /// One Yjs update (v1, base64) for each line.
    Updates,
}

/// Shows the map until it is told to stop.
///
/// # Errors
/// When the map cannot be watched any more.
pub async fn run(
    request: &WatchRequest,
    token: Option<Token>,
    out: &mut (dyn Write + Send),
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let mut link = Link::observer(request.map.clone(), token, request.choice);
    let mut watcher = Watcher { request, out, view: None, is_dirty: false, trouble: "nobody answered".to_owned() };
    let mut contact_until = Some(Instant::now() + request.timeout);
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            event = link.next() => event,
            () = at(contact_until) => return Err(watcher.no_contact()),
        };
        if matches!(event, Event::Connected(_)) {
            contact_until = None;
        }
        if watcher.take(&event, &link)? {
            break;
        }
        for _ in 0..BATCH_EVENTS_MAX {
            let Some(event) = link.next().now_or_never() else { break };
            contact_until = contact_until.filter(|_| !matches!(event, Event::Connected(_)));
            if watcher.take(&event, &link)? {
                link.close().await;
                return Ok(());
            }
        }
        watcher.show_changes(&link)?;
    }
    link.close().await;
    Ok(())
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

struct Watcher<'a> {
    request: &'a WatchRequest,
    out: &'a mut (dyn Write + Send),
    /// What has been shown; `None` before the map is whole.
    view: Option<View>,
    /// Whether the copy has changed since.
    is_dirty: bool,
    /// What went wrong last.
    trouble: String,
}

impl Watcher<'_> {
    /// Takes an event in; answers whether that was all.
    fn take(&mut self, event: &Event, link: &Link) -> Result<bool, Failure> {
        if let Some(notice) = notice(event) {
            tell(&notice);
        }
        match event {
            Event::Connected(transport) => {
                self.event(|| json!({"event": "transport", "transport": transport.as_str()}))?;
            }
            Event::Disconnected { reason, .. } => self.trouble.clone_from(reason),
            Event::Synced if self.view.is_none() => {
                self.show(link)?;
                return Ok(self.request.once);
            }
            Event::Update(update) => {
                self.is_dirty = true;
                if self.request.format == Format::Updates && !self.request.once {
                    self.line(&STANDARD.encode(update))?;
                }
            }
            // Before the map is shown nobody knows where these people are.
            Event::Presence(presence) if self.view.is_some() && !self.request.once => self.show_people(presence)?,
            Event::Closed(closed) => {
                self.show_changes(link)?;
                self.event(|| json!({"event": "closed", "code": closed.code, "reason": closed.reason}))?;
                return Err(Failure::Closed(closed.clone()));
            }
            Event::Synced | Event::Presence(_) | Event::Notice(_) | Event::Durable(_) => {}
        }
        Ok(false)
    }

    /// Shows the whole map, and who is in it.
    fn show(&mut self, link: &Link) -> Result<(), Failure> {
        let view = View::new(link.replica().map());
        self.is_dirty = false;
        match self.request.format {
            Format::Text => {
                for line in text::outline(&view) {
                    self.line(&line)?;
                }
            }
            Format::Json => {
                let graph = json::graph(&view, self.request.map.graph().as_str());
                self.line(&json!({"event": "synced", "graph": graph}).to_string())?;
            }
            Format::Updates if self.request.once => self.line(&STANDARD.encode(link.replica().snapshot()))?,
            Format::Updates => {}
        }
        self.view = Some(view);
        if self.request.once {
            return Ok(());
        }
        self.show_people(&Presence { came: link.people(), went: Vec::new() })
    }

    fn show_changes(&mut self, link: &Link) -> Result<(), Failure> {
        let Some(before) = self.view.take() else { return Ok(()) };
        if !self.is_dirty || self.request.format == Format::Updates {
            self.view = Some(before);
            return Ok(());
        }
        self.is_dirty = false;
        let after = View::new(link.replica().map());
        let changes = before.changes(&after);
        if self.request.format == Format::Text {
            for change in &changes {
                self.line(&text::line(change, &before, &after))?;
            }
        } else {
            for event in json::events(&changes, &before, &after, self.request.map.graph().as_str()) {
                self.line(&event.to_string())?;
            }
        }
        self.view = Some(after);
        Ok(())
    }

    fn show_people(&mut self, presence: &Presence) -> Result<(), Failure> {
        if presence.is_empty() {
            return Ok(());
        }
        if self.request.format == Format::Text {
            for (people, are_here) in [(&presence.went, false), (&presence.came, true)] {
                for person in people {
                    self.line(&text::person(person, are_here))?;
                }
            }
        }
        self.event(|| json!({"event": "presence", "came": presence.came, "went": presence.went}))
    }

    fn event(&mut self, event: impl FnOnce() -> Value) -> Result<(), Failure> {
        if self.request.format == Format::Json { self.line(&event().to_string()) } else { Ok(()) }
    }

    /// Whoever reads it through a pipe has each line at once.
    fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    fn no_contact(&self) -> Failure {
        Failure::NoContact { seconds: self.request.timeout.as_secs(), trouble: self.trouble.clone() }
    }
}
