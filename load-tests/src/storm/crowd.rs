//! Everybody who comes back.

use std::{cell::RefCell, convert::Infallible, rc::Rc, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::client::{Client, Counts, Place, Room, Shared};
use crate::{
    marker::Markers,
    stats::Sorted,
    wire::{Address, Scratch},
};

/// When we give up.
const GIVEN_UP_AFTER: Duration = Duration::from_mins(2);

/// How often we look whether everybody is there.
const LOOKED_EVERY: Duration = Duration::from_millis(5);

/// Edits of each room before the first storm.
const EDITS: u32 = 50;

/// Clients in rooms, spread evenly. In each room one of them edits.
pub struct Crowd {
    shared: Rc<Shared>,
    rooms: Vec<Rc<Room>>,
    clients: Vec<Rc<Client>>,
    living: JoinSet<anyhow::Result<Infallible>>,
    edits: u32,
}

impl Crowd {
    /// Sends so many clients to the server, and does not wait.
    pub fn gather(address: Address, clients: u32, rooms: u32) -> Self {
        let shared = Rc::new(Shared {
            place: RefCell::new(Place { address: Rc::new(address), number: 0 }),
            markers: Markers::new(rand::random()),
            counts: RefCell::default(),
            cut: watch::Sender::new(0),
            scratch: Scratch::default(),
        });
        let run = rand::random::<u32>();
        let room = |number: u32| Room {
            id: format!("storm-{run:08x}-{number}"),
            author: u64::from(number) + 1,
            edits: RefCell::new((number * EDITS..(number + 1) * EDITS).collect()),
        };
        let of_rooms: Vec<Rc<Room>> = (0..rooms).map(room).map(Rc::new).collect();
        let client = |number: u32| {
            let room = of_rooms[(number % rooms) as usize].clone();
            Rc::new(Client::new(shared.clone(), room, number < rooms))
        };
        let clients: Vec<Rc<Client>> = (0..clients).map(client).collect();
        let mut living = JoinSet::new();
        for client in &clients {
            let client = client.clone();
            living.spawn_local(async move { client.live().await });
        }
        Self { shared, rooms: of_rooms, clients, living, edits: rooms * EDITS }
    }

    /// Has one client of each room make an edit, that it brings along when it comes back.
    pub fn edit(&mut self) {
        for room in &self.rooms {
            room.edits.borrow_mut().push(self.edits);
            self.edits += 1;
        }
    }

    /// Breaks every connection.
    pub fn cut(&self) {
        self.shared.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Whoever comes from now on comes to this place, and only who is there has come back.
    pub fn send_to(&self, address: Address) {
        let mut place = self.shared.place.borrow_mut();
        *place = Place { address: Rc::new(address), number: place.number + 1 };
    }

    /// What has happened since this was last asked.
    pub fn counts(&self) -> Counts {
        self.shared.counts.take()
    }

    /// Waits until everybody has everything; answers how long each of them took since `begin`.
    pub async fn synced(&mut self, begin: Instant) -> anyhow::Result<Sorted> {
        loop {
            // First a pause: what has broken is noticed by then.
            tokio::select! {
                () = sleep(LOOKED_EVERY) => {}
                left = self.living.join_next() => match left.context("there are no clients")?? {
                    Ok(never) => match never {},
                    Err(error) => return Err(error),
                },
            }
            let times: Vec<Instant> = self.clients.iter().filter_map(|client| client.synced()).collect();
            if times.len() == self.clients.len() {
                let took = times.into_iter().map(|at| at.saturating_duration_since(begin)).collect();
                return Sorted::new(took).context("there are no clients");
            }
            if begin.elapsed() > GIVEN_UP_AFTER {
                bail!(
                    "{} of {} clients have everything after {} s",
                    times.len(),
                    self.clients.len(),
                    GIVEN_UP_AFTER.as_secs()
                );
            }
        }
    }

    /// How long each of them was without a server that had answered it, the last time.
    pub fn waits(&self) -> Option<Sorted> {
        Sorted::new(self.clients.iter().filter_map(|client| client.waited()).collect())
    }
}
