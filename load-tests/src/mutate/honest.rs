//! People who work in the same room and in another one, and whom nothing of all that may concern.

use std::{cell::Cell, rc::Rc, time::Duration};

use anyhow::{Context as _, anyhow, ensure};
use tokio::{sync::oneshot, task::JoinSet};

use crate::{
    acked::{Crowd, Plan, Tally},
    client::{Client, answered},
    subject::Subject,
};

/// Two of them edit, each so often in a second.
const EDITORS: u32 = 2;
const EDITS_PER_SECOND: f64 = 8.0;

/// They edit for so long, and then wait until all of it is saved and shown to the other.
const SPELL: Duration = Duration::from_millis(500);

/// Two people who edit, and one who looks on and holds the document.
pub struct Group {
    room: String,
    url: String,
    is_over: Rc<Cell<bool>>,
    editing: JoinSet<anyhow::Result<(Crowd, Tally)>>,
    watching: JoinSet<anyhow::Result<Client>>,
    stop_watching: oneshot::Sender<()>,
}

impl Group {
    /// They come, and begin.
    pub async fn begin(subject: &Subject, room: &str) -> anyhow::Result<Self> {
        let (url, room) = (subject.address.url().to_owned(), room.to_owned());
        let plan = Plan { rooms: 1, clients: EDITORS, rate: EDITS_PER_SECOND };
        let crowd = Crowd::join_in(&subject.address, plan, |_| room.clone()).await?;
        let client = Client::join(&url, &room).await?;
        let is_over = Rc::new(Cell::new(false));
        let (stop_watching, stop) = oneshot::channel();
        let (mut editing, mut watching) = (JoinSet::new(), JoinSet::new());
        editing.spawn_local(edit(crowd, is_over.clone()));
        watching.spawn_local(watch(client, stop));
        Ok(Self { room, url, is_over, editing, watching, stop_watching })
    }

    /// Ends with an error when they notice something, and never otherwise. Cancel-safe.
    pub async fn disturbed(&mut self) -> anyhow::Error {
        let ended = tokio::select! {
            Some(Ok(ended)) = self.editing.join_next() => ended.map(drop),
            Some(Ok(ended)) = self.watching.join_next() => ended.map(drop),
            else => Ok(()),
        };
        let error = ended.err().unwrap_or_else(|| anyhow!("they stopped by themselves"));
        error.context(format!("the others in {}", self.room))
    }

    /// They finish: what they wrote has to be there, and everybody has to have the same. Answers how long saving and showing
    /// took.
    pub async fn finish(mut self) -> anyhow::Result<Tally> {
        let about = format!("the others in {}", self.room);
        self.is_over.set(true);
        let edited = self.editing.join_next().await.context("nobody edited")??;
        let (crowd, tally) = edited.with_context(|| about.clone())?;
        // It has gone only if it has ended, which is told below.
        let _ = self.stop_watching.send(());
        let mut watcher =
            self.watching.join_next().await.context("nobody looked on")??.with_context(|| about.clone())?;
        let mut fresh = Client::join(&self.url, &self.room).await?;
        // Without asking again: all of it has to come by itself.
        answered("with the same document for all", converge(&mut watcher, &mut fresh)).await.context(about.clone())?;
        let missing = crowd.missing_from(&fresh.replica.snapshot())?;
        ensure!(missing == 0, "{about}: {missing} of their edits, all of them acknowledged, are gone");
        Ok(tally)
    }
}

async fn edit(mut crowd: Crowd, is_over: Rc<Cell<bool>>) -> anyhow::Result<(Crowd, Tally)> {
    let mut all = Tally::default();
    while !is_over.get() {
        all.add(&crowd.edit_for(SPELL).await?)?;
    }
    Ok((crowd, all))
}

async fn watch(mut client: Client, mut stop: oneshot::Receiver<()>) -> anyhow::Result<Client> {
    loop {
        tokio::select! {
            _ = &mut stop => return Ok(client),
            frame = client.connection.frame() => drop(client.take(&frame?).await?),
        }
    }
}

async fn converge(one: &mut Client, other: &mut Client) -> anyhow::Result<()> {
    while one.replica.digest() != other.replica.digest() {
        tokio::select! {
            frame = one.connection.frame() => drop(one.take(&frame?).await?),
            frame = other.connection.frame() => drop(other.take(&frame?).await?),
        }
    }
    Ok(())
}
