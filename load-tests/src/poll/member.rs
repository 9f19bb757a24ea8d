//! Somebody who waits for the next edit of a room: with a poll, or at a WebSocket.

use std::{fmt, rc::Rc};

use anyhow::{Context as _, ensure};
use synapti_protocol::message::{self, Message, SyncMessage, encode_step1};
use tokio::time::Instant;

use super::poller::Poller;
use crate::{
    client::answered,
    crowd::NOTHING,
    marker::Markers,
    wire::{self, Address, Inbox, Outbox, Scratch},
};

/// How somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// With a request that is not answered before there is something.
    Poll,
    /// At a WebSocket, without presence.
    Socket,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poll => "polls",
            Self::Socket => "WebSockets",
        })
    }
}

/// Somebody who has the state of a room.
pub enum Member {
    /// See [`Way::Poll`].
    Poll(Box<Poller>),
    /// See [`Way::Socket`].
    Socket(Box<(Inbox, Rc<Outbox>)>),
}

/// The member stays connected until this is dropped, so that leaving is not measured.
pub struct Told {
    /// When it was told.
    pub at: Instant,
    /// Which room's edit it was.
    pub room: u32,
    _member: Member,
}

impl Member {
    /// Connects, receives the state, in which there has to be this edit, and waits for the next one.
    pub async fn join(
        way: Way,
        address: &Address,
        room: &str,
        scratch: &Scratch,
        markers: &Markers,
        edit: u32,
    ) -> anyhow::Result<Self> {
        let (member, is_whole) = match way {
            Way::Poll => {
                let (mut poller, state) = Poller::join(address, room).await?;
                let is_whole = state.messages()?.iter().any(|frame| markers.find(frame).any(|found| found == edit));
                poller.ask().await?;
                (Self::Poll(Box::new(poller)), is_whole)
            }
            Way::Socket => {
                let (mut inbox, outbox) = wire::open(address, room, scratch).await?;
                outbox.send(encode_step1(NOTHING)).await?;
                let is_whole = answered("the first sync", until_synced(&mut inbox, markers, edit)).await?;
                (Self::Socket(Box::new((inbox, outbox))), is_whole)
            }
        };
        ensure!(is_whole, "a client that joined was told that it has everything, and lacks the first edit");
        Ok(member)
    }

    /// Waits until it is told of an edit; anything else that ends a poll is an error.
    pub async fn told(mut self, markers: &Markers, edit: u32, room: u32) -> anyhow::Result<Told> {
        let at = match &mut self {
            Self::Poll(poller) => {
                let (answer, at) = poller.answer().await?;
                let has_it = answer.messages()?.iter().any(|frame| markers.find(frame).any(|found| found == edit));
                ensure!(has_it, "a poll is answered with {} without the edit that it waits for", answer.status);
                at
            }
            Self::Socket(socket) => {
                let mut found_at = None;
                while found_at.is_none() {
                    let read = socket.0.read(|frame, now| {
                        if markers.find(frame).any(|found| found == edit) {
                            found_at.get_or_insert(now);
                        }
                        Ok(())
                    });
                    read.await?;
                }
                found_at.context("nothing was found")?
            }
        };
        Ok(Told { at, room, _member: self })
    }
}

/// Reads the whole state; answers whether the edit is in it.
async fn until_synced(inbox: &mut Inbox, markers: &Markers, edit: u32) -> anyhow::Result<bool> {
    let (mut is_synced, mut is_whole) = (false, false);
    while !is_synced {
        let read = inbox.read(|frame, _| {
            is_whole |= markers.find(frame).any(|found| found == edit);
            let message = message::parse(frame).context("the server sent what is no message of its protocol")?;
            is_synced |= matches!(message, Message::Sync(SyncMessage::Step2(_)));
            Ok(())
        });
        read.await?;
    }
    Ok(is_whole)
}
