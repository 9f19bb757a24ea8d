//! One of the clients that join.

use std::{cell::RefCell, rc::Rc};

use synapti_protocol::message::encode_step1;
use tokio::time::Instant;

use crate::{
    crowd::{Known, NOTHING, Recent},
    marker::Markers,
    wire::{self, Address, Inbox, Scratch},
};

/// A client that has received the state.
pub struct Joined {
    /// When it had.
    pub synced: Instant,
    /// What it was sent, shared with those that were sent the same.
    frames: Vec<Rc<Known>>,
    /// It stays, so that leaving is not measured with joining.
    _inbox: Inbox,
}

/// Connects, asks for everything, and reads until it is there.
pub async fn join(
    address: &Address,
    room: &str,
    scratch: &Scratch,
    recent: &RefCell<Recent>,
    markers: &Markers,
) -> anyhow::Result<Joined> {
    let (mut inbox, outbox) = wire::open(address, room, scratch).await?;
    outbox.send(encode_step1(NOTHING)).await?;
    let (mut frames, mut place, mut synced) = (Vec::new(), 0, None);
    while synced.is_none() {
        inbox
            .read(|frame, now| {
                let known = recent.borrow_mut().known(frame, &mut place, markers)?;
                if known.update().is_some() && synced.is_none() {
                    synced = known.is_step2.then_some(now);
                    frames.push(known);
                }
                Ok(())
            })
            .await?;
    }
    Ok(Joined { synced: synced.unwrap_or_else(Instant::now), frames, _inbox: inbox })
}

impl Joined {
    /// What it has received of the map, in order.
    pub fn updates(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().filter_map(|known| known.update())
    }

    /// Bytes of it.
    pub fn bytes(&self) -> usize {
        self.updates().map(<[u8]>::len).sum()
    }

    /// Whether both have received the same.
    pub fn same_bytes(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Rc<Known>, &Rc<Known>)| Rc::ptr_eq(one, other) || one.update() == other.update();
        self.frames.len() == other.frames.len() && self.frames.iter().zip(&other.frames).all(is_same)
    }
}
