//! A rolling restart: one of two nodes stops, and its clients go to the other.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use super::{
    Said,
    ground::{Cluster, Ground, Shape},
};
use crate::{
    client::ANSWERED_WITHIN,
    process::Memory,
    report::{Bar, Fact, Figure},
    server::Signal,
    stats::Sorted,
    storm::{Crowd, SYNCED_WITHIN},
    versus::percent,
    wire::Address,
};

/// Rooms, if there are as many clients.
const ROOMS: u32 = 100;

/// Files and connections more than there are clients.
const SPARE: u32 = 100;

/// What came out.
struct Restart {
    /// From the signal to when each client had everything on the other node.
    synced: Sorted,
    /// From when a client was sent away to when the other node had answered its question for the state. (The edit that it lacks may come
    /// later: who brings it may be sent away later.)
    waits: Sorted,
    refused: u64,
    closed: Vec<(u16, u64)>,
    /// Until the first node had ended.
    stopped_after: Duration,
    /// What the second one used until everybody had everything.
    cpu: Duration,
    memory: Memory,
}

/// Measures one.
pub async fn measure(ground: &Ground, clients: u32) -> anyhow::Result<Said> {
    let files = rlimit::increase_nofile_limit(u64::MAX)?;
    ensure!(
        files > u64::from(clients + SPARE),
        "{clients} clients need more open files than the {files} that are allowed: raise the limit with ulimit -n"
    );
    let rooms = ROOMS.min(clients);
    let settings = [
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS", (clients + SPARE).to_string()),
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_ROOM", (clients.div_ceil(rooms) + SPARE).to_string()),
    ];
    let restart =
        ground.with_cluster(Shape::Two, None, &settings, async |cluster| roll(cluster, clients, rooms).await).await?;
    Ok(said(clients, rooms, &restart))
}

async fn roll(mut cluster: Cluster, clients: u32, rooms: u32) -> anyhow::Result<Restart> {
    let [first, second] = &mut cluster.servers[..] else { anyhow::bail!("a rolling restart is of two nodes") };
    let goes_on = second.process()?;
    let other = Address::resolve(&second.rooms_url(), ANSWERED_WITHIN).await?;
    eprintln!("{clients} clients join");
    let mut crowd = Crowd::gather(Address::resolve(&first.rooms_url(), ANSWERED_WITHIN).await?, clients, rooms);
    crowd.synced(Instant::now()).await.context("the first time")?;
    crowd.counts();
    crowd.edit();
    eprintln!("the first node is stopped");
    let (begun, cpu_before, watch) = (Instant::now(), goes_on.cpu()?, goes_on.watch());
    crowd.send_to(other);
    let stopping = async {
        let status = first.signal(Signal::TERM).await?;
        ensure!(status.success(), "the first node did not stop cleanly: {status}{}", first.last_words());
        Ok(begun.elapsed())
    };
    let syncing = async {
        let synced = crowd.synced(begun).await?;
        Ok((synced, goes_on.cpu()?.saturating_sub(cpu_before)))
    };
    let ((synced, cpu), stopped_after) = tokio::try_join!(syncing, stopping)?;
    let memory = watch.peak().max(goes_on.memory()?);
    let waits = crowd.waits().context("nobody was sent away")?;
    ensure!(waits.count() == synced.count(), "{} of {clients} clients were sent away", waits.count());
    let counts = crowd.counts();
    drop(crowd);
    let closed = counts.closed.into_iter().collect();
    cluster.servers.remove(1).stop().await?;
    cluster.end().await?;
    Ok(Restart { synced, waits, refused: counts.refused, closed, stopped_after, cpu, memory })
}

fn said(clients: u32, rooms: u32, restart: &Restart) -> Said {
    let Restart { synced, waits, refused, closed, stopped_after, cpu, memory } = restart;
    let took = synced.percentile(100);
    let mut facts = vec![
        Fact::new("until all have everything on the other node", "s", [took.as_secs_f64()]),
        Fact::new("until the first node has ended", "s", [stopped_after.as_secs_f64()]),
        Fact::new("attempts that opened nothing", "", [*refused as f64]),
    ];
    facts.extend(closed.iter().map(|(code, count)| Fact::new(format!("closed with {code}"), "", [*count as f64])));
    facts.extend([
        Fact::new("CPU of the other node, until all have everything", "s", [cpu.as_secs_f64()]),
        Fact::new("its use of a core meanwhile", "%", [percent(*cpu, took)]),
        Fact::new("its CPU for a client", "µs", [cpu.as_secs_f64() * 1e6 / f64::from(clients)]),
        Fact::new("its anonymous memory, peak", "MB", [memory.anon as f64 / 1e6]),
    ]);
    let bar = (clients == 2000)
        .then(|| Bar::below("rolling restart, 2000 clients: the longest wait", SYNCED_WITHIN, waits.percentile(100)));
    Said {
        about: format!(
            "{clients} clients with presence in {rooms} rooms on the first of two nodes; that one is stopped (SIGTERM), and whoever \
             is sent away goes to the second, 0.1 s later and up to 2.5 s after an attempt that opened nothing, without jitter; in \
             each room somebody brings an edit that the others must be shown; nodes, Redis, PostgreSQL and clients share all cores"
        ),
        figures: vec![
            Figure::new("from the signal until a client has everything", synced),
            Figure::new("from when it was sent away until its question for the state is answered", waits),
        ],
        facts,
        bars: bar.into_iter().collect(),
    }
}
