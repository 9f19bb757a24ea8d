//! Creating graphs. What is wanted while one commit is on its way to disk shares the next: hundreds who come at once to new
//! maps must not keep the edits of others waiting for a flush each.

use jiff::Timestamp;
use parking_lot::Mutex;
use sqlx::sqlite::SqliteConnection;
use synapti_protocol::graph_id::GraphId;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::{SqliteStore, read, refusal::unusable};
use crate::store::{Lookup, StoreError};

/// Graphs made in one commit at most.
const CREATED_AT_ONCE_MAX: usize = 256;

/// What is wanted, in order. Its callers wait, so there are as many as there are of those.
#[derive(Default)]
pub(super) struct Creations(Mutex<Vec<Wanted>>);

struct Wanted {
    id: GraphId,
    topic: String,
    at: Timestamp,
    made: oneshot::Sender<(Lookup, bool)>,
}

impl Creations {
    fn push(&self, id: &GraphId, topic: &str, at: Timestamp) -> oneshot::Receiver<(Lookup, bool)> {
        let (made, answer) = oneshot::channel();
        let mut wanted = self.0.lock();
        wanted.retain(|wanted| !wanted.made.is_closed());
        wanted.push(Wanted { id: id.clone(), topic: topic.to_owned(), at, made });
        answer
    }

    fn take(&self) -> Vec<Wanted> {
        let mut wanted = self.0.lock();
        // Whoever gave up wants nothing any more.
        wanted.retain(|wanted| !wanted.made.is_closed());
        let count = wanted.len().min(CREATED_AT_ONCE_MAX);
        wanted.drain(..count).collect()
    }
}

impl SqliteStore {
    pub(super) async fn create_graph(
        &self,
        id: &GraphId,
        topic: &str,
        at: Timestamp,
    ) -> Result<(Lookup, bool), StoreError> {
        let mut answer = self.creations.push(id, topic, at);
        loop {
            // Whoever gets the connection makes what all the others want, too.
            let mut lease = self.writer.lease().await?;
            match answer.try_recv() {
                Ok(made) => {
                    lease.give_back();
                    return Ok(made);
                }
                // Somebody else failed to make it.
                Err(TryRecvError::Closed) => answer = self.creations.push(id, topic, at),
                Err(TryRecvError::Empty) => {}
            }
            let batch = self.creations.take();
            let made = create_all(lease.connection(), &batch, self.are_graphs_in_doubt).await?;
            lease.give_back();
            for (wanted, made) in batch.into_iter().zip(made) {
                // A caller that gave up hears nothing; the graph is there all the same.
                let _ = wanted.made.send(made);
            }
            if let Ok(made) = answer.try_recv() {
                return Ok(made);
            }
        }
    }
}

/// Makes the graphs in one commit. An error leaves the transaction open: the lease is not given back then, which rolls it
/// back.
async fn create_all(
    connection: &mut SqliteConnection,
    batch: &[Wanted],
    are_graphs_in_doubt: bool,
) -> Result<Vec<(Lookup, bool)>, StoreError> {
    let mut answers = Vec::with_capacity(batch.len());
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    for wanted in batch {
        let made = !are_graphs_in_doubt && insert(connection, wanted).await?;
        let found = read::find(connection, &wanted.id).await?;
        if are_graphs_in_doubt && found == Lookup::Missing {
            // Made anew it would be empty, in the place of one that may be there.
            return Err(unusable(
                "the table of maps is damaged, so no new map is made: run `synapti check` and restore a backup"
                    .to_owned(),
            ));
        }
        answers.push((found, made));
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(answers)
}

async fn insert(connection: &mut SqliteConnection, wanted: &Wanted) -> Result<bool, StoreError> {
    let made = sqlx::query(
        "INSERT INTO graphs (id, topic, created_at, modified_at) VALUES (?1, ?2, ?3, ?3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(wanted.id.as_str())
    .bind(&wanted.topic)
    .bind(wanted.at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(made.rows_affected() == 1)
}
