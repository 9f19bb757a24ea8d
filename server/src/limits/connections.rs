//! How many connections this node serves: in all, and to one address; and how many one client has, here or on all nodes.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use parking_lot::Mutex;
use synapti_protocol::close::CloseCode;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    address::AddressKey,
    counted::{Counted, Place},
};
use crate::{
    bus::{Admission, Lease, SharedLimits},
    room::{Refusal, SessionSlot},
    telemetry::metrics,
};

/// How long the connections of a client at its limit have to show that they are alive.
const PROBED_WITHIN: Duration = Duration::from_secs(2);

/// How long other nodes have to probe theirs, and to give back what was dead.
const PROBED_ELSEWHERE_WITHIN: Duration = Duration::from_millis(2_500);

/// Clients whose connections are probed at one time because other nodes ask for it.
const PROBES_MAX: usize = 64;

/// Bounds; 0 = none.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionLimits {
    /// Connections of the node.
    pub node_max: usize,
    /// Connections of one client that has a name.
    pub client_max: usize,
    /// Connections of one address; loopback is exempt.
    pub address_max: usize,
}

/// Counts connections of all transports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: ConnectionLimits,
    /// The other nodes, if there may be some.
    cluster: Option<SharedLimits>,
    open: AtomicUsize,
    numbers: AtomicU64,
    addresses: Counted<AddressKey>,
    /// No entry without a connection, so there are no more than of those.
    clients: Mutex<HashMap<Box<str>, Vec<Named>>>,
    emptied: Notify,
}

/// One connection of a client that has a name.
#[derive(Debug)]
struct Named {
    number: u64,
    /// Where it can be asked whether it is alive, once it has a session.
    slot: Weak<SessionSlot>,
    /// Its place on all nodes together.
    lease: Option<Lease>,
}

/// Which limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// That of the node.
    Node(usize),
    /// That of the client, whose connections are all alive.
    Client(usize),
    /// That of the address.
    Address(usize),
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionPermit {
    inner: Arc<Inner>,
    number: u64,
    /// Given back with the permit.
    _address: Option<Place<AddressKey>>,
    client: Option<Box<str>>,
}

impl Connections {
    /// Nobody is connected yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self::shared(limits, None)
    }

    /// The same, and a client's connections are counted on all nodes.
    pub fn shared(limits: ConnectionLimits, cluster: Option<SharedLimits>) -> Self {
        Self(Arc::new(Inner {
            limits,
            cluster,
            open: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            addresses: Counted::new(limits.address_max),
            clients: Mutex::default(),
            emptied: Notify::new(),
        }))
    }

    /// Takes a place for a client that speaks from `ip` and may have a name. When such a client is at its limit, those of its
    /// connections that do not answer give way: a laptop that has lost its network leaves some behind.
    ///
    /// # Errors
    /// Which limit was met.
    pub async fn admit(&self, ip: IpAddr, client: Option<&str>) -> Result<ConnectionPermit, Full> {
        let address = match AddressKey::of(ip) {
            Some(address) => Some(self.0.addresses.take(address).ok_or(Full::Address(self.0.addresses.max()))?),
            None => None,
        };
        let mut permit = self.0.admit_to_node(address)?;
        let Some(client) = client.filter(|_| self.0.limits.client_max > 0) else { return Ok(permit) };
        let full = || Full::Client(self.0.limits.client_max);
        if !self.0.admit_client(&mut permit, client) {
            self.evict_dead(client).await;
            if !self.0.admit_client(&mut permit, client) {
                return Err(full());
            }
        }
        if let Some(cluster) = &self.0.cluster {
            let lease = self.admit_everywhere(cluster, client).await.ok_or_else(full)?;
            self.0.hold(&permit, client, lease);
        }
        Ok(permit)
    }

    /// Looks for dead connections of clients that other nodes have found at their limit. Runs until it is dropped.
    pub async fn answer_probes(&self) {
        let Some(cluster) = &self.0.cluster else { return };
        let mut probing = FuturesUnordered::new();
        loop {
            tokio::select! {
                client = cluster.next_probe(), if probing.len() < PROBES_MAX => {
                    probing.push(async move { self.evict_dead(&client).await });
                }
                Some(()) = probing.next() => {}
            }
        }
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Waits until none is open.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// The limit of the node; 0 = none.
    pub fn max(&self) -> usize {
        self.0.limits.node_max
    }

    /// A place among the client's connections on all nodes; when there is none, every node first looks for dead ones.
    async fn admit_everywhere(&self, cluster: &SharedLimits, client: &str) -> Option<Lease> {
        let client_max = self.0.limits.client_max;
        if let Admission::Granted(lease) = cluster.admit(client, client_max).await {
            return Some(lease);
        }
        cluster.ask_for_probe(client);
        tokio::join!(self.evict_dead(client), sleep(PROBED_ELSEWHERE_WITHIN));
        match cluster.admit(client, client_max).await {
            Admission::Granted(lease) => Some(lease),
            Admission::Full => None,
        }
    }

    /// Asks a client's connections for a sign of life and ends those that give none.
    async fn evict_dead(&self, client: &str) {
        let probes = self.0.sessions_of(client).into_iter().map(|(number, slot)| async move {
            let is_alive = timeout(PROBED_WITHIN, slot.probe()).await.is_ok();
            (number, slot, is_alive)
        });
        for (number, slot, is_alive) in join_all(probes).await {
            if !is_alive && self.0.forget(client, number) {
                let reason = "a newer connection of this client took the place of this one, which did not answer";
                metrics::get().end(metrics::End::Evicted);
                slot.refuse(Refusal::new(CloseCode::RateLimited, reason));
            }
        }
    }
}

impl Inner {
    fn admit_to_node(self: &Arc<Self>, address: Option<Place<AddressKey>>) -> Result<ConnectionPermit, Full> {
        let max = if self.limits.node_max == 0 { usize::MAX } else { self.limits.node_max };
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < max).then_some(open + 1))
            .map_err(|_| Full::Node(max))?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Ok(ConnectionPermit { inner: self.clone(), number, _address: address, client: None })
    }

    fn admit_client(&self, permit: &mut ConnectionPermit, client: &str) -> bool {
        let mut clients = self.clients.lock();
        let open = clients.entry(client.into()).or_default();
        if open.len() >= self.limits.client_max {
            return false;
        }
        open.push(Named { number: permit.number, slot: Weak::new(), lease: None });
        permit.client = Some(client.into());
        true
    }

    fn hold(&self, permit: &ConnectionPermit, client: &str, lease: Lease) {
        let mut clients = self.clients.lock();
        let own = clients.get_mut(client).into_iter().flatten().find(|counted| counted.number == permit.number);
        if let Some(counted) = own {
            counted.lease = Some(lease);
        }
    }

    fn sessions_of(&self, client: &str) -> Vec<(u64, Arc<SessionSlot>)> {
        let clients = self.clients.lock();
        let open = clients.get(client).into_iter().flatten();
        open.filter_map(|counted| Some((counted.number, counted.slot.upgrade()?))).collect()
    }

    /// Frees a place of a client; says whether it was taken.
    fn forget(&self, client: &str, number: u64) -> bool {
        let mut clients = self.clients.lock();
        let Some(open) = clients.get_mut(client) else { return false };
        let before = open.len();
        open.retain(|counted| counted.number != number);
        let has_freed = open.len() < before;
        if open.is_empty() {
            clients.remove(client);
        }
        has_freed
    }
}

impl ConnectionPermit {
    /// Where the connection can be asked whether it is alive from now on.
    pub fn attach(&self, slot: &Arc<SessionSlot>) {
        let Some(client) = &self.client else { return };
        let mut clients = self.inner.clients.lock();
        let open = clients.get_mut(client).into_iter().flatten();
        for counted in open.filter(|counted| counted.number == self.number) {
            counted.slot = Arc::downgrade(slot);
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            self.inner.forget(client, self.number);
        }
        if self.inner.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.inner.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::slot::Probe;

    fn connections(node_max: usize, client_max: usize, address_max: usize) -> Connections {
        Connections::new(ConnectionLimits { node_max, client_max, address_max })
    }

    const SOMEWHERE: &str = "192.0.2.1";

    async fn admit(connections: &Connections, ip: &str, client: Option<&str>) -> Result<ConnectionPermit, Full> {
        connections.admit(ip.parse().unwrap(), client).await
    }

    #[tokio::test]
    async fn places_are_counted_and_given_back() {
        let connections = connections(2, 0, 0);
        let first = admit(&connections, SOMEWHERE, None).await.unwrap();
        let _second = admit(&connections, SOMEWHERE, Some("ann")).await.unwrap();
        assert_eq!(admit(&connections, SOMEWHERE, None).await.unwrap_err(), Full::Node(2));
        assert_eq!(connections.open(), 2);
        drop(first);
        admit(&connections, SOMEWHERE, None).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_has_its_own_limit_and_loopback_has_none() {
        let connections = connections(0, 0, 1);
        let first = admit(&connections, SOMEWHERE, None).await.unwrap();
        assert_eq!(admit(&connections, SOMEWHERE, None).await.unwrap_err(), Full::Address(1));
        let _other = admit(&connections, "192.0.2.2", None).await.unwrap();
        let _own = (admit(&connections, "::1", None).await.unwrap(), admit(&connections, "::1", None).await.unwrap());
        assert_eq!(connections.open(), 4, "who was refused holds nothing");
        drop(first);
        admit(&connections, SOMEWHERE, None).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_at_its_limit_is_refused_while_its_connections_answer() {
        let connections = connections(0, 1, 0);
        let (permit, slot) = (admit(&connections, SOMEWHERE, Some("ann")).await.unwrap(), Arc::default());
        permit.attach(&slot);
        let answering = async {
            loop {
                slot.changed().await;
                slot.take().probe.into_iter().for_each(Probe::answer);
            }
        };
        tokio::select! {
            refused = admit(&connections, SOMEWHERE, Some("ann")) => assert_eq!(refused.unwrap_err(), Full::Client(1)),
            () = answering => {}
        }
        let _other = admit(&connections, SOMEWHERE, Some("bob")).await.unwrap();
        let _nameless = admit(&connections, SOMEWHERE, None).await.unwrap();
        drop(permit);
        admit(&connections, SOMEWHERE, Some("ann")).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_connection_gives_way() {
        let connections = connections(0, 1, 0);
        let (dead, slot) = (admit(&connections, SOMEWHERE, Some("ann")).await.unwrap(), Arc::default());
        dead.attach(&slot);
        let living = admit(&connections, SOMEWHERE, Some("ann")).await.unwrap();
        assert_eq!(slot.take().refusal.unwrap().code, CloseCode::RateLimited);
        drop(dead);
        living.attach(&Arc::default());
        assert_eq!(connections.0.clients.lock()["ann"].len(), 1, "the place of the living one stays taken");
        drop(living);
        assert!(connections.0.clients.lock().is_empty());
    }
}
