//! What each metric means, for the page that Prometheus reads.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) fn describe() {
    describe_histogram!("api_request_duration", Unit::Seconds, "Seconds that an HTTP request took");
    describe_gauge!("websocket_connections", "Open WebSocket connections");
    describe_gauge!("synapti_connections_max", "Connections of clients that there may be; 0 = no limit");
    describe_gauge!("synapti_draining", "1 while the node sends its clients away, because it stops, else 0");
    describe_gauge!("error_rate", "Share of HTTP requests of the last minute that ended with 5xx");
    describe_counter!("api_errors_total", "HTTP requests that ended with 4xx (client) or 5xx (server)");
    describe_counter!("synapti_commit_failures_total", "Commits that failed; each is tried again until it succeeds");
    describe_counter!("synapti_room_panics_total", "Rooms that failed and were opened again from the store");
    describe_gauge!("synapti_rooms", "Open rooms");
    describe_counter!("synapti_updates_total", "Merged updates on disk: one for each room and commit");
    describe_counter!("synapti_frames_total", "Merged frames that rooms have published");
    describe_histogram!("synapti_commit_seconds", Unit::Seconds, "Seconds that a group commit took");
    describe_histogram!(
        "synapti_delivery_lag_seconds",
        Unit::Seconds,
        "Seconds from the cut of a batch to its frame's publication"
    );
    describe_histogram!(
        "synapti_integration_seconds",
        Unit::Seconds,
        "Seconds that a batch of edits took to become part of its map"
    );
    describe_counter!("synapti_answers_shed_total", "Answers dropped because their client took them too slowly");
    describe_counter!("synapti_ends_total", "Connections ended because nothing more was to be expected, by reason");
    describe_counter!("synapti_cursor_falls_total", "Sessions that fell off their room's ring");
    describe_counter!("synapti_requests_refused_total", "HTTP requests refused because their client made too many");
    describe_counter!("synapti_sockets_refused_total", "Sockets dropped because their address has too many");
    describe_counter!("synapti_edits_refused_total", "Edits refused because their client may only read");
    describe_counter!(
        "synapti_documents_refused_total",
        "Documents of Hocuspocus sockets that were refused or closed, while the socket stays"
    );
    describe_counter!("synapti_slowed_messages_total", "Messages that waited because their client was too fast");
    describe_gauge!("synapti_journal_backlog_bytes", Unit::Bytes, "Bytes that wait for the journal");
    describe_gauge!(
        "synapti_journal_behind",
        "1 while commits are overdue and open maps go on without the store, else 0"
    );
    describe_gauge!("synapti_overloaded", "1 while new clients are sent to polling, else 0");
    describe_gauge!("synapti_store_up", "1 while the store answers, else 0");
    describe_gauge!("synapti_store_untidy", "1 while the store cannot file what was appended, or copy its log, else 0");
    describe_counter!("synapti_compactions_total", "Tails of records that were replaced by a snapshot");
    describe_counter!("synapti_damaged_graphs_total", "Maps that were found to be damaged when they were opened");
    describe_counter!("synapti_closes_total", "Connections closed by the server, by code");
}
