//! Which rooms listen, and whether Redis has confirmed that. A room's channel is left a second after its last link was
//! dropped: rooms that close are often opened again at once.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use synapti_protocol::{envelope::NodeId, graph_id::GraphId};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::bus::Inbox;

/// How long after its last link a room's channel is left.
const LEFT_AFTER: Duration = Duration::from_secs(1);

/// The rooms of this node that have a link.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    inner: Mutex<Inner>,
    /// There is a channel to subscribe, or one to leave in a while.
    work: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    rooms: HashMap<GraphId, Room>,
    /// Rooms whose channel is to be subscribed. They may have gone meanwhile.
    wanted: VecDeque<GraphId>,
    /// Rooms that have lost their last link, the longest ago first. They may have a new one.
    left: VecDeque<(Instant, GraphId)>,
    links: u64,
    /// Which connection confirms and leaves; `None` while there is none.
    connection: Option<u64>,
    connections: u64,
}

#[derive(Debug)]
struct Room {
    listeners: Vec<(u64, Inbox)>,
    left_at: Option<Instant>,
    is_joined: watch::Sender<bool>,
}

impl Rooms {
    /// Adds a link; gives its number, and what becomes true once the channel is subscribed.
    pub fn enter(&self, room: &GraphId, inbox: Inbox) -> (u64, watch::Receiver<bool>) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        inner.links += 1;
        let entry = inner.rooms.entry(room.clone()).or_insert_with(|| {
            inner.wanted.push_back(room.clone());
            Room { listeners: Vec::new(), left_at: None, is_joined: watch::Sender::new(false) }
        });
        if *entry.is_joined.borrow() {
            inbox.set_joined(true);
        }
        entry.left_at = None;
        entry.listeners.push((inner.links, inbox));
        let entered = (inner.links, entry.is_joined.subscribe());
        drop(guard);
        self.work.notify_one();
        entered
    }

    /// Takes a link away.
    pub fn leave(&self, room: &GraphId, link: u64, now: Instant) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let Some(entry) = inner.rooms.get_mut(room) else { return };
        entry.listeners.retain(|(number, _)| *number != link);
        if !entry.listeners.is_empty() {
            return;
        }
        if inner.connection.is_none() {
            inner.rooms.remove(room);
            return;
        }
        entry.left_at = Some(now);
        inner.left.push_back((now, room.clone()));
        drop(guard);
        self.work.notify_one();
    }

    /// Waits until there may be something to subscribe or to leave.
    pub async fn changed(&self) {
        self.work.notified().await;
    }

    /// A new connection, by its number: no channel is subscribed.
    pub fn connected(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.connections += 1;
        inner.connection = Some(inner.connections);
        inner.wanted = inner.rooms.keys().cloned().collect();
        inner.connections
    }

    /// The connection is lost: nothing is heard.
    pub fn lost(&self) {
        let mut inner = self.inner.lock();
        inner.connection = None;
        inner.left.clear();
        inner.wanted.clear();
        inner.rooms.retain(|_, room| !room.listeners.is_empty());
        inner.rooms.values().for_each(|room| room.set_joined(false));
    }

    /// Up to `count_max` rooms whose channel is to be subscribed now.
    pub fn take_wanted(&self, count_max: usize) -> Vec<GraphId> {
        let mut guard = self.inner.lock();
        let Inner { rooms, wanted, .. } = &mut *guard;
        let mut taken = Vec::new();
        while let Some(room) = wanted.pop_front_if(|_| taken.len() < count_max) {
            if rooms.contains_key(&room) {
                taken.push(room);
            }
        }
        taken
    }

    /// Forgets up to `count_max` rooms that have had no link for a while: their channels are to be left. Says also when to
    /// look again.
    pub fn take_left(&self, now: Instant, count_max: usize) -> (Vec<GraphId>, Option<Instant>) {
        let mut guard = self.inner.lock();
        let Inner { rooms, left, .. } = &mut *guard;
        let mut taken = Vec::new();
        while let Some((at, room)) = left.pop_front_if(|(at, _)| now - *at >= LEFT_AFTER && taken.len() < count_max) {
            if rooms.get(&room).is_some_and(|entry| entry.left_at == Some(at)) {
                rooms.remove(&room);
                taken.push(room);
            }
        }
        (taken, left.front().map(|(at, _)| *at + LEFT_AFTER))
    }

    /// Redis has confirmed that the room's channel is subscribed on this connection.
    pub fn confirmed(&self, connection: u64, room: &str) {
        let inner = self.inner.lock();
        if let Some(room) = inner.rooms.get(room).filter(|_| inner.connection == Some(connection)) {
            room.set_joined(true);
        }
    }

    /// Redis has ended the subscription. When nobody asked for that (a shard of a cluster has moved), it is wanted again.
    pub fn ended(&self, connection: u64, room: &str) {
        let mut guard = self.inner.lock();
        let Inner { rooms, wanted, connection: current, .. } = &mut *guard;
        let Some((id, entry)) = rooms.get_key_value(room).filter(|_| *current == Some(connection)) else { return };
        if *entry.is_joined.borrow() {
            entry.set_joined(false);
            wanted.push_back(id.clone());
            drop(guard);
            self.work.notify_one();
        }
    }

    /// Hands an envelope to everybody who listens to a room; false when nobody does.
    pub fn deliver(&self, room: &str, envelope: &Bytes) -> bool {
        let inner = self.inner.lock();
        let Some(room) = inner.rooms.get(room) else { return false };
        room.listeners.iter().for_each(|(_, inbox)| _ = inbox.put(envelope.clone()));
        true
    }

    /// Tells every room that a node has gone.
    pub fn gone(&self, node: NodeId) {
        let inner = self.inner.lock();
        inner.rooms.values().flat_map(|room| &room.listeners).for_each(|(_, inbox)| inbox.gone(node));
    }
}

impl Room {
    fn set_joined(&self, is_joined: bool) {
        if self.is_joined.send_replace(is_joined) != is_joined {
            self.listeners.iter().for_each(|(_, inbox)| inbox.set_joined(is_joined));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{News, inbox};

    fn id(name: &str) -> GraphId {
        name.parse().unwrap()
    }

    #[test]
    fn a_channel_is_left_a_second_after_the_last_link_unless_a_new_one_comes() {
        let (rooms, start, room) = (Rooms::default(), Instant::now(), id("a-map"));
        let after = |ms| start + Duration::from_millis(ms);
        rooms.connected();
        let (first, _) = rooms.enter(&room, inbox().0);
        let (second, _) = rooms.enter(&room, inbox().0);
        assert_eq!(rooms.take_wanted(9), [id("a-map")]);
        rooms.leave(&room, first, start);
        assert_eq!(rooms.take_left(after(5_000), 9), (Vec::new(), None));
        rooms.leave(&room, second, start);
        assert_eq!(rooms.take_left(after(999), 9), (Vec::new(), Some(after(1_000))));
        let (third, _) = rooms.enter(&room, inbox().0);
        rooms.leave(&room, third, after(500));
        assert_eq!(rooms.take_left(after(1_000), 9), (Vec::new(), Some(after(1_500))), "counted from the last one");
        assert_eq!(rooms.take_left(after(1_500), 9), (vec![room.clone()], None));
        rooms.enter(&room, inbox().0);
        assert_eq!(rooms.take_wanted(9), [room]);
    }

    #[test]
    fn only_the_connection_that_there_is_confirms() {
        let (rooms, room) = (Rooms::default(), id("a-map"));
        let old = rooms.connected();
        let (inbox, mut mail) = inbox();
        let (_, is_joined) = rooms.enter(&room, inbox);
        rooms.lost();
        rooms.confirmed(old, "a-map");
        assert!(!*is_joined.borrow() && mail.take().is_none());
        let new = rooms.connected();
        assert_eq!(rooms.take_wanted(9), [id("a-map")], "it is subscribed again");
        rooms.confirmed(new, "a-map");
        assert!(*is_joined.borrow() && mail.take() == Some(News::Joined));
        rooms.ended(old, "a-map");
        assert_eq!(rooms.take_wanted(9), []);
        rooms.ended(new, "a-map");
        assert_eq!((rooms.take_wanted(9), mail.take()), (vec![room], Some(News::Away)));
    }

    #[test]
    fn what_is_asked_for_at_once_is_bounded_and_nothing_is_kept_of_rooms_that_went_while_away() {
        let rooms = Rooms::default();
        let links: Vec<u64> = (0..10).map(|at| rooms.enter(&id(&format!("map-{at}")), inbox().0).0).collect();
        rooms.connected();
        assert_eq!([4, 4, 4].map(|count_max| rooms.take_wanted(count_max).len()), [4, 4, 2]);
        rooms.leave(&id("map-0"), links[0], Instant::now());
        rooms.lost();
        rooms.leave(&id("map-1"), links[1], Instant::now());
        assert_eq!(rooms.inner.lock().rooms.len(), 8);
        assert!(!rooms.deliver("map-1", &Bytes::new()) && rooms.deliver("map-2", &Bytes::new()));
    }
}
