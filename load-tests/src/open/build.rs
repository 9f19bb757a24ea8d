//! Making the data folders: the same map once with a tail of single records, and once as a snapshot alone.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use synapti_crdt::{AsideLimits, Digest, Op, Replica, Sender, map::MapEdit};
use synapti_protocol::message::encode_update;

use super::{Args, folder};
use crate::{
    client::{Client, fresh_client_id},
    map::{self, BRANCH_NODES},
    server::Server,
};

/// The map's id.
pub const ROOM: &str = "large";

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
    add_branches(&mut client, bulk - SINGLE_NODES).await?;
    add_singly(&mut client, bulk - SINGLE_NODES..bulk).await?;
    drop(client);
    server.stop().await?;

    let server = Server::start(&args.binary, &data).await?;
    let mut client = Client::join(&server.rooms_url(), ROOM).await?;
    eprintln!("making the map: the last {tail} nodes, one by one");
    add_singly(&mut client, bulk..nodes).await?;
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

/// Makes a map of so many nodes, branch by branch.
///
/// Each branch is made in a document of its own that has only the root and the heads, as if somebody had made it
/// offline: checking an edit takes a look at all nodes, which would add up to minutes in the whole map.
pub async fn add_branches(client: &mut Client, nodes: usize) -> anyhow::Result<()> {
    let heads = (1..nodes).filter(|&index| map::is_head(index)).map(map::add);
    let first: Vec<MapEdit> = std::iter::once(map::init("A large map")).chain(heads).collect();
    write(client, &first).await?;
    let heads = client.replica.snapshot();
    for (branch, head) in (1..nodes).step_by(BRANCH_NODES).enumerate() {
        let edits: Vec<MapEdit> = (head + 1..nodes.min(head + BRANCH_NODES)).map(map::add).collect();
        let mut offline = Replica::load(fresh_client_id(), AsideLimits::default(), [heads.as_slice()])?;
        let made = offline.apply(edits.iter().map(Op::Edit), 0);
        made.results.into_iter().collect::<Result<(), _>>()?;
        let Some(update) = made.update else { continue };
        let taken = client.replica.apply([Op::Update { update: &update, from: Sender::default() }], 0);
        taken.results.into_iter().collect::<Result<(), _>>()?;
        client.connection.send(encode_update(&update)).await?;
        client.sync().await.with_context(|| format!("branch {branch} of the map"))?;
    }
    eprintln!("making the map: {nodes} nodes are on disk");
    Ok(())
}

/// Adds nodes in messages of their own, each of them on disk before the next is sent: one record for each.
async fn add_singly(client: &mut Client, nodes: Range<usize>) -> anyhow::Result<()> {
    for index in nodes {
        write(client, &[map::add(index)]).await?;
    }
    Ok(())
}

async fn write(client: &mut Client, edits: &[MapEdit]) -> anyhow::Result<()> {
    let frame = client.edit(edits)?;
    client.connection.send(frame).await?;
    client.sync().await
}
