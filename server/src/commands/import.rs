//! `synapti import`: a file as a new map on a server or in a database.

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use synapti_crdt::{
    AsideLimits, Op, Replica,
    map::{Format, MapEdit, import::ImportError as FileError},
};
use synapti_protocol::graph_id::GraphId;

use super::{
    Failure,
    edit::Input,
    export::{ANSWER_BYTES_MAX, ANSWER_WITHIN},
};
use crate::{
    clock::Clock,
    config::Config,
    formats, ids,
    remote::{
        http::{Ask, Http, HttpError, Token},
        url::ServerUrl,
    },
    room::{RoomError, fresh_client_id, state},
    store::{self, GraphRecord, JournalRecord, Lookup, SharedStore, StoreError},
};

/// What to import, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRequest {
    /// The file.
    pub file: Input,
    /// Its format.
    pub format: Format,
    /// The new map's id; without one it is the file's, or a fresh one.
    pub id: Option<GraphId>,
    /// The server; `None` = the database that is configured.
    pub to: Option<ServerUrl>,
}

/// Why there is no map. Nothing was made, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Input(Failure),
    /// The file has mistakes.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server has not made it.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server's answer is none of ours.
    #[error("the server did not say what it made: it may not be Synapti, or another version; look at its list of maps")]
    NoAnswer,
    /// The database cannot be opened for writing.
    #[error("{0}; if a server is running on this database, import into that server with --to URL")]
    Open(StoreError),
    /// The database has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is a map with this id.
    #[error(
        "there is a map `{0}` already, or there was one before it was deleted: choose another --id, or leave it out"
    )]
    Exists(GraphId),
    /// It is too large, or cannot be written.
    #[error(transparent)]
    Room(#[from] RoomError),
}

/// Imports into a server; answers the new map's address.
///
/// # Errors
/// [`ImportError`] says why there is no map.
pub async fn into_server(
    request: &ImportRequest,
    server: &ServerUrl,
    token: Option<Token>,
) -> Result<String, ImportError> {
    let bytes = request.file.read().map_err(ImportError::Input)?;
    let mut path = format!("/v1/graphs/import?format={}", request.format.name());
    if let Some(id) = &request.id {
        path.push_str("&id=");
        path.extend(utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC));
    }
    let ask = Ask::post(server.path(&path), request.format.content_type(), bytes, ANSWER_WITHIN);
    let ask = Ask { body_bytes_max: ANSWER_BYTES_MAX, ..ask };
    let answer = Http::new(server.clone(), token).ask(ask).await?;
    let graph: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let id = graph["id"].as_str().and_then(|id| GraphId::try_from(id).ok()).ok_or(ImportError::NoAnswer)?;
    Ok(format!("{server}/m/{id}"))
}

/// Imports into a database; answers the new map's id.
///
/// # Errors
/// [`ImportError`] says why there is no map.
pub async fn into_database(request: &ImportRequest, config: &Config, clock: &Clock) -> Result<GraphId, ImportError> {
    let bytes = request.file.read().map_err(ImportError::Input)?;
    let import = formats::read(request.format, &bytes, config.limits.nodes_max, clock.now())?;
    let topic = import.map.topic.clone();
    let edit = MapEdit::Import(import.map.into());
    let limits = state::RoomLimits {
        sessions_max: 0,
        document_bytes_max: config.limits.document_bytes_max,
        nodes_max: config.limits.nodes_max,
        version_every: config.history.auto_every,
    };
    state::fits_empty(&edit, &limits)?;
    let mut replica = Replica::new(fresh_client_id(), AsideLimits::default());
    let applied = replica.apply([Op::Edit(&edit)], 0);
    if let Some(Err(error)) = applied.results.into_iter().next() {
        return Err(RoomError::Unreadable(error.to_string()).into());
    }
    let update = Bytes::from(applied.update.unwrap_or_default());

    let store = store::open(&config.database_url, None).await.map_err(ImportError::Open)?;
    let wishes =
        Wishes { asked: request.id.clone(), own: import.id.and_then(|id| GraphId::try_from(id.as_str()).ok()) };
    let made = make(&store, wishes, &topic, update, clock).await;
    store.close().await;
    made
}

/// Ids that the new map may have.
struct Wishes {
    asked: Option<GraphId>,
    own: Option<GraphId>,
}

async fn make(
    store: &SharedStore,
    wishes: Wishes,
    topic: &str,
    update: Bytes,
    clock: &Clock,
) -> Result<GraphId, ImportError> {
    let now = clock.now();
    let fresh = || GraphId::try_from(ids::fresh(now).to_string().as_str());
    let is_order = wishes.asked.is_some();
    let mut candidates: Vec<GraphId> = wishes.asked.or(wishes.own).into_iter().collect();
    if !is_order {
        candidates.extend(fresh());
    }
    for id in &candidates {
        if let Some(record) = place(store, id, topic, clock).await? {
            let record = JournalRecord { key: record.key, update, topic: Some(topic.to_owned()), at: now };
            store.append(&[record]).await?;
            return Ok(id.clone());
        }
    }
    Err(candidates.pop().map_or(ImportError::NoAnswer, ImportError::Exists))
}

/// The place of a new map, unless there is, or was, a map with this id. One to which nothing was ever written is new.
async fn place(
    store: &SharedStore,
    id: &GraphId,
    topic: &str,
    clock: &Clock,
) -> Result<Option<GraphRecord>, StoreError> {
    let (Lookup::Live(record), made) = store.create(id, topic, clock.now()).await? else { return Ok(None) };
    let is_new = made || store.load(record.key).await?.last.0 == 0;
    Ok(is_new.then_some(record))
}
