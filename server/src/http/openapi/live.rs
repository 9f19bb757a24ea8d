//! The description of transports that are not WebSocket.

use super::ErrorBody;

/// Edits and reads a map by polling
///
/// For clients that can only send requests. Body and answer are messages of y-protocols, each with its length in front (lib0
/// `varUint8Array`). The body may hold a `SyncStep1` with the client's state vector, updates, and what the client shows of itself;
/// the answer what the client lacks, a `SyncStep1` that asks for what the server lacks, and who is here.
///
/// With edits the answer comes when they are on disk, after 10 seconds at most; `Synapti-Durable` says how many of them are, from
/// the first on. Without, it comes when there is an update, or when `wait` is over; presence alone does not end a wait.
/// A cursor that is of no use here is answered at once with everything beyond the state vector, or the whole map without one.
/// What a client shows of itself lasts for 30 seconds. Who edits may make the graph by this.
#[utoipa::path(post, path = "/v1/graphs/{graph_id}/sync", tag = "live", request_body(
    content = Vec<u8>, content_type = "application/octet-stream",
), params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("wait" = Option<u32>, Query, description = "Seconds, at most 55", maximum = 55),
    ("cursor" = Option<String>, Query, description = "`Synapti-Cursor` of the answer before"),
), responses(
    (status = 200, description = "Messages", body = Vec<u8>, content_type = "application/octet-stream", headers(
        ("Synapti-Cursor" = String, description = "Hand it in with the next poll"),
        ("Synapti-Durable" = Option<u64>, description = "So many edits of the body are on disk"),
        ("Synapti-Unsaved" = Option<String>, description = "`true` when not all of it is on disk, because the store is behind"),
    )),
    (status = 204, description = "There is nothing", headers(("Synapti-Cursor" = String, description = "As with 200"))),
    (status = 400, description = "Not a graph id, or a message that cannot be read: nothing of the body was taken", body = ErrorBody),
    (status = 404, description = "No such graph, and no right to make it", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 413, description = "The body, or the map with it, is too large", body = ErrorBody),
    (status = 415, description = "Not application/octet-stream", body = ErrorBody),
    (status = 422, description = "Not a time that a client may wait", body = ErrorBody),
    (status = 429, description = "Too much of something: slow down", body = ErrorBody),
    (status = 503, description = "Not now", body = ErrorBody),
))]
#[expect(dead_code, reason = "describes a route of the transports")]
pub(super) fn sync() {}

/// Watches a map (Server-Sent Events)
///
/// Each event's `data` is a message of y-protocols in base64, its `id` a cursor: `Last-Event-ID` goes on from there, and where that
/// is not possible any more `sv` tells what is lacking. The last event has the type `close` and says why as `{"code", "reason"}`, with the close codes
/// of the WebSocket. What the client itself has to say goes through `/sync`. The token may come as `?token=` when it expires within the hour, or as `?ticket=`.
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/sse", tag = "live", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("sv" = Option<String>, Query, description = "The client's state vector, base64url"),
    ("cursor" = Option<String>, Query, description = "As `Last-Event-ID`, for clients that cannot send it"),
    ("ext" = Option<u32>, Query, description = "1 = notices as over WebSocket"),
    ("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event"),
), responses(
    (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
    (status = 400, description = "Not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph, and no right to make it", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Not a state vector", body = ErrorBody),
    (status = 429, description = "As many connections of this client are open as may be", body = ErrorBody),
    (status = 503, description = "Not now, or overloaded: poll", body = ErrorBody),
))]
#[expect(dead_code, reason = "describes a route of the transports")]
pub(super) fn sse() {}
