//! The routes with their description: what is routed here is described, and nothing else is.

use std::sync::LazyLock;

use axum::{
    body::Bytes,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    admin, ai, edges, error::ErrorBody, formats, graphs, job_events, jobs, nodes, openapi_access, ops, pages, snapshot,
    state::AppState, tickets, versions,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Synapti",
        description = "Live mind maps.\n\nMaps are edited live over WebSocket (`/v1/ws/{graph_id}`); the same maps can be read and \
                       edited here. A change made here reaches everybody who has the map open, and is saved when the \
                       response comes.\n\nEvery response carries `X-Request-Id` (the client's own, when it sent a sane one) and \
                       `X-Process-Time` in seconds. Errors have the body `ErrorBody`; 503 says in `Retry-After` when to \
                       come back. Any request may be answered with 421 when it names the server by a name that it does not \
                       answer to, and any with a body with 408 when the body does not come within 10 seconds."
    ),
    tags(
        (name = "graphs", description = "Maps"),
        (name = "nodes", description = "Nodes of a map"),
        (name = "edges", description = "Cross links between nodes; the tree itself is `parent_id`"),
        (name = "versions", description = "States of a map that are kept, and can be restored"),
        (name = "live", description = "Editing together"),
        (name = "ai", description = "Growing maps, and what becomes of what grew"),
        (name = "operations", description = "For whoever runs the server"),
    ),
    components(schemas(ErrorBody)),
    paths(websocket, live::sync, live::sse, hocuspocus, pages::docs_description),
)]
struct Description;

/// All routes but those of the live transports.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(pages::front))
        .routes(routes!(pages::map))
        .routes(routes!(openapi_json))
        .routes(routes!(ops::health))
        .routes(routes!(ops::live))
        .routes(routes!(ops::ready))
        .routes(routes!(ops::metrics))
        .routes(routes!(graphs::list_graphs, graphs::create_graph))
        .routes(routes!(graphs::get_graph, graphs::patch_graph, graphs::delete_graph))
        .routes(routes!(formats::export_graph))
        .routes(routes!(snapshot::get_snapshot))
        .routes(routes!(ai::generate_graph))
        .routes(routes!(ai::expand_node))
        .routes(routes!(ai::check_coherence))
        .routes(routes!(jobs::get_job, jobs::stop_job))
        .routes(routes!(job_events::job_events))
        .routes(routes!(jobs::accept_job))
        .routes(routes!(jobs::reject_job))
        .routes(routes!(jobs::undo_job))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(nodes::create_node))
        .routes(routes!(nodes::get_node, nodes::patch_node, nodes::delete_node))
        .routes(routes!(edges::create_edge))
        .routes(routes!(edges::get_edge, edges::patch_edge, edges::delete_edge))
        .routes(routes!(versions::list_versions, versions::create_version))
        .routes(routes!(versions::get_version, versions::patch_version, versions::delete_version))
        .routes(routes!(versions::restore_version))
        .routes(routes!(tickets::create_ticket))
        .routes(routes!(admin::clear_cache))
        .routes(routes!(admin::list_breakers))
        .routes(routes!(admin::reset_breaker))
}

/// Routes whose bodies are files: these may be larger than other bodies.
pub fn file_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(formats::import_graph))
}

/// The description as JSON.
pub fn description() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut description = routes().merge(file_routes()).into_openapi();
        openapi_access::describe(&mut description);
        description.to_pretty_json().expect("a description is plain data")
    });
    &TEXT
}

/// This description
#[utoipa::path(get, path = "/openapi.json", tag = "operations", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
async fn openapi_json() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], Bytes::from_static(description().as_bytes())).into_response()
}

mod live;

/// Edits a map live (WebSocket)
///
/// The y-websocket protocol: `new WebsocketProvider("ws://host/v1/ws", id, doc)` of the npm package works as it is. A graph
/// that does not exist is made, for who has the role editor or more in it. What is received from here is on disk, unless the store has been behind for more than a second.
///
/// The subprotocol `synapti.v1`, or `?ext=1`, adds two messages: 120 *ack*, varUint n: the first n edits of this connection are
/// on disk (each Update and `SyncStep2` counts as one); and 121 *notice*, varString JSON: `{"kind":"unsaved"}` before the first
/// edit that is shown though it is not on disk, `{"kind":"saved"}` when all is, `{"kind":"draining","reconnect_after_ms":n}`
/// before the node goes, `{"kind":"role","role":"…"}` first of all, `{"kind":"error","code":n,"message":"…"}` before a close. The subprotocol `y-sync` adds nothing.
///
/// The token comes as `Authorization: Bearer …`, as a subprotocol `bearer.…` beside the one that is wanted, as `?token=` when it
/// expires within the hour, or as `?ticket=` from `POST /v1/tickets`. Viewers and commenters may read and show presence; their
/// first edit is answered with the message *permission denied*, and none is taken.
///
/// Close codes: 1008 too much, back off; 1012 restarting, reconnect; 1013 at capacity, back off; 4400 malformed; 4401 not
/// signed in, or not any more; 4403 not allowed; 4404 no such graph, and no right to make it; 4410 deleted; 4413 too large. After a code from 4400 to 4499 do not reconnect.
#[utoipa::path(get, path = "/v1/ws/{graph_id}", tag = "live", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
), responses(
    (status = 101, description = "The connection is a WebSocket now"),
    (status = 421, description = "Asked by a name that the server does not answer to", body = ErrorBody),
    (status = 426, description = "Not a WebSocket handshake", body = ErrorBody),
))]
#[expect(dead_code, reason = "describes a route of the transports")]
fn websocket() {}

/// Edits maps live with the Hocuspocus provider (WebSocket)
///
/// `new HocuspocusProvider({ url: "ws://host/v1/hocuspocus", name: id, token, document })` of the npm package
/// `@hocuspocus/provider` works as it is, versions 3 and 4: many documents on one socket, several sessions of one document
/// (`sessionAwareness`), tokens and their renewal, read-only. The name of a document is a graph id; a graph that does not exist is made, for
/// who has the role editor or more in it. `hasUnsyncedChanges` is false only when all of this client's edits are on disk.
///
/// Each document shows its own token; one with an empty token is opened with that of the request for the socket, if that has
/// one. What is refused is refused for one document, with the message `PermissionDenied` or `CLOSE` and a reason; another try on the same socket
/// is welcome. Viewers and commenters get the scope `readonly`. Before a token ends the client is asked for a new one.
///
/// Close codes: 1008 too much; 1012 restarting; 1013 at capacity or the store does not answer; 4205 too much before the first
/// token; 4400 no Hocuspocus message; 4403 page of a foreign origin; 4408 no document opened within a minute. The provider
/// connects again after all of them.
#[utoipa::path(get, path = "/v1/hocuspocus", tag = "live", responses(
    (status = 101, description = "The connection is a WebSocket now"),
    (status = 421, description = "Asked by a name that the server does not answer to", body = ErrorBody),
    (status = 426, description = "Not a WebSocket handshake", body = ErrorBody),
))]
#[expect(dead_code, reason = "describes a route of the transports")]
fn hocuspocus() {}
