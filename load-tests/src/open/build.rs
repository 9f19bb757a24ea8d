//! Making the data folders: the same map once with a tail of single records, and once as a snapshot alone.

use std::path::{Path, PathBuf};

use synapti_crdt::{Digest, map::MapEdit};

use super::{Args, folder};
use crate::{client::Client, map, server::Server};

/// The map's id.
pub const ROOM: &str = "large";

/// Nodes in a message while the bulk of the map is made.
const BATCH_NODES: usize = 250;

/// Nodes that are sent one by one at the end of the bulk. A room that closes makes a snapshot only if there are more
/// records than a few to replace.
const SINGLE_NODES: usize = 100;

/// The data folders, and what is in them.
pub struct Built {
    /// Ends in a tail of single records, as after a crash.
    pub with_tail: PathBuf,
    /// Everything is in the snapshot, as after a stop.
    pub compacted: PathBuf,
    /// Names the document.
    pub digest: Digest,
    /// Its encoded size.
    pub state_bytes: usize,
}

/// Makes them in `place`.
pub async fn build(args: &Args, place: &Path) -> anyhow::Result<Built> {
    let data = place.join("data");
    std::fs::create_dir(&data)?;
    let (nodes, tail) = (args.nodes as usize, args.tail as usize);
    let bulk = nodes - tail;

    let server = Server::start(&args.binary, &data).await?;
    let mut client = Client::join(&server.rooms_url(), ROOM).await?;
    write(&mut client, &[map::init("A large map")]).await?;
    add(&mut client, 1..bulk - SINGLE_NODES, BATCH_NODES).await?;
    add(&mut client, bulk - SINGLE_NODES..bulk, 1).await?;
    drop(client);
    server.stop().await?;

    let server = Server::start(&args.binary, &data).await?;
    let mut client = Client::join(&server.rooms_url(), ROOM).await?;
    add(&mut client, bulk..nodes, 1).await?;
    let (digest, state_bytes) = (client.replica.digest(), client.replica.snapshot().len());
    server.kill().await?;
    let with_tail = place.join("with-tail");
    folder::copy(&data, &with_tail)?;

    // Opened and closed once more, so that the tail goes into a snapshot.
    let server = Server::start(&args.binary, &data).await?;
    let client = Client::join(&server.rooms_url(), ROOM).await?;
    drop(client);
    server.stop().await?;
    Ok(Built { with_tail, compacted: data, digest, state_bytes })
}

/// Adds nodes in messages of `batch_nodes`, each of them on disk before the next is sent.
async fn add(client: &mut Client, nodes: std::ops::Range<usize>, batch_nodes: usize) -> anyhow::Result<()> {
    let (first, last) = (nodes.start, nodes.end);
    let edits: Vec<MapEdit> = nodes.map(map::add).collect();
    let mut done = first;
    for batch in edits.chunks(batch_nodes) {
        write(client, batch).await?;
        let before = done;
        done += batch.len();
        if before / 1000 != done / 1000 {
            eprintln!("making the map: {done} nodes are on disk");
        }
    }
    anyhow::ensure!(done == last, "{done} nodes were made instead of {last}");
    Ok(())
}

async fn write(client: &mut Client, edits: &[MapEdit]) -> anyhow::Result<()> {
    let frame = client.edit(edits)?;
    client.connection.send(frame).await?;
    client.sync().await
}
