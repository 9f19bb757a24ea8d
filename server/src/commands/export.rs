//! `synapti export`: a map of a server or of a database as a file.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use synapti_crdt::map::{Format, export};
use synapti_protocol::graph_id::GraphId;

use crate::{
    config::DatabaseUrl,
    remote::{
        http::{Ask, Http, HttpError, Token},
        url::MapUrl,
    },
    room::{GraphView, decode},
    store::{self, Lookup, StoreError},
};

/// Under this client id nothing is written.
const CLIENT_ID: u64 = 1;

/// How long a server has for its answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_mins(2);

/// Bytes of the largest answer that is read: several times the largest map.
pub(super) const ANSWER_BYTES_MAX: usize = 512 << 20;

/// What to export, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRequest {
    /// The map.
    pub from: Place,
    /// The file's format.
    pub format: Format,
    /// The file; `None` = standard output.
    pub output: Option<PathBuf>,
}

/// Where a map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the database that is configured.
    Database(GraphId),
    /// On a server.
    Server(MapUrl),
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The server has not sent it.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The database does not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such map.
    #[error("there is no map `{0}` in this database: `synapti export` takes a map's id, or its address on a server")]
    NoMap(GraphId),
    /// It was deleted.
    #[error("the map `{0}` was deleted")]
    Deleted(GraphId),
    /// What is stored cannot be read.
    #[error("the map `{graph}` cannot be read: {what}; `synapti check` tells more")]
    Unreadable {
        /// The map.
        graph: GraphId,
        /// What is wrong.
        what: String,
    },
    /// The format is not made for this map.
    #[error(transparent)]
    Format(#[from] export::ExportError),
    /// The file cannot be written.
    #[error("cannot write {name}: {error}")]
    Output {
        /// The file.
        name: String,
        /// What the system says.
        error: io::Error,
    },
}

impl ExportError {
    /// Whether it is only that nobody reads the output any more.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Exports a map of a server.
///
/// # Errors
/// [`ExportError`] says why there is no file.
pub async fn from_server(map: &MapUrl, format: Format, token: Option<Token>) -> Result<Vec<u8>, ExportError> {
    let path = format!("/v1/graphs/{}/export?format={}", map.graph(), format.name());
    let path = map.server().path(&path);
    let answer = Http::new(map.server().clone(), token).ask(Ask::get(path, ANSWER_WITHIN, ANSWER_BYTES_MAX)).await?;
    Ok(answer.body.into())
}

/// Exports a map of a database, which a server may be using. With what is missing of the map because of damage, if anything
/// is.
///
/// # Errors
/// [`ExportError`] says why there is no file.
pub async fn from_database(
    url: &DatabaseUrl,
    graph: &GraphId,
    format: Format,
) -> Result<(Vec<u8>, Vec<String>), ExportError> {
    let store = store::open_to_check(url).await?;
    let read = async {
        let record = match store.find(graph).await? {
            Lookup::Live(record) => record,
            Lookup::Missing => return Err(ExportError::NoMap(graph.clone())),
            Lookup::Deleted { .. } => return Err(ExportError::Deleted(graph.clone())),
        };
        let stored = store.load(record.key).await?;
        Ok((record, stored))
    };
    let read = read.await;
    store.close().await;
    let (record, stored) = read?;
    let lost = stored.damage.iter().filter(|damage| damage.is_loss).map(|damage| damage.what.clone()).collect();
    let replica = decode(CLIENT_ID, &stored).map_err(|what| ExportError::Unreadable { graph: graph.clone(), what })?;
    let view = GraphView::of(graph, &replica, record.created_at, record.modified_at);
    let bytes = match format {
        Format::Json => view.body.into(),
        Format::Markdown => export::markdown(&view.graph)?.into_bytes(),
    };
    Ok((bytes, lost))
}

/// Writes the file, whole or not at all. On standard output its last line is ended.
///
/// # Errors
/// When it cannot be written.
pub fn write(bytes: &[u8], output: Option<&Path>) -> Result<(), ExportError> {
    let failed = |name: String| move |error| ExportError::Output { name, error };
    let Some(path) = output else {
        let mut out = io::stdout().lock();
        let end: &[u8] = if bytes.ends_with(b"\n") { b"" } else { b"\n" };
        let written = out.write_all(bytes).and_then(|()| out.write_all(end)).and_then(|()| out.flush());
        return written.map_err(failed("the output".to_owned()));
    };
    write_file(bytes, path).map_err(failed(path.display().to_string()))
}

/// What is there already stays until the new file is whole. What is no file (a pipe, a terminal) is written as it is.
fn write_file(bytes: &[u8], path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::write(path, bytes);
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // It is of no use to anybody.
        let _ = fs::remove_file(&part);
    }
    written
}
