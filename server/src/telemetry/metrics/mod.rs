//! Measurements, in the format of Prometheus. No metric carries a room or a client as a label: their number has no
//! bound.

mod ai;
mod breakers;
mod bus;
mod cache;
mod cluster;
mod database;
mod describe;
mod rates;
mod transports;

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use ai::AiMetrics;
pub use ai::AiOutcome;
use bus::BusMetrics;
pub use bus::{Dropped, Ignored};
use cache::CacheMetrics;
pub use cache::Tier;
use cluster::ClusterMetrics;
use database::DatabaseMetrics;
use rates::ErrorRate;
pub use transports::PresentGuard;
use transports::TransportMetrics;

use crate::breaker::BreakerReport;

/// How often the exporter's buffers are drained and the rates are renewed.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// From a commit on a fast disk to one that has hung for long.
const SECONDS_BUCKETS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const HISTOGRAMS: [&str; 5] = [
    "api_request_duration",
    "synapti_ai_first_byte_seconds",
    "synapti_commit_seconds",
    "synapti_delivery_lag_seconds",
    "synapti_integration_seconds",
];

/// Why a connection was ended of which nothing more was to be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client answered no pings.
    Silent,
    /// It took nothing of what was sent.
    NotReading,
    /// It made no request in time.
    NoRequest,
    /// It took next to nothing of an HTTP answer, or did not send what it had begun.
    Stalled,
    /// It was dead, and a newer connection of the same client needed its place.
    Evicted,
    /// It sent a large message too slowly while others waited.
    Crawling,
    /// It took a large answer slowly, and others waited for theirs.
    MadeWay,
}

const ENDS: [&str; 7] = ["silent", "not_reading", "no_request", "stalled", "evicted", "crawling", "made_way"];

/// Close codes that are counted one by one; all others count as `other`.
const CLOSE_CODES: [u16; 17] =
    [1000, 1001, 1006, 1008, 1009, 1011, 1012, 1013, 4205, 4400, 4401, 4403, 4404, 4408, 4410, 4413, 4503];

/// Handles of every metric, looked up once.
pub struct Metrics {
    /// Open WebSocket connections.
    pub websocket_connections: Gauge,
    /// Clients that are served without a WebSocket.
    pub transports: TransportMetrics,
    /// Connections to the database.
    pub database: DatabaseMetrics,
    /// Connections of clients that there may be; 0 = no limit.
    pub connections_max: Gauge,
    /// 1 while the node sends its clients away, because it stops.
    pub draining: Gauge,
    /// Requests to AI providers, and what they cost.
    pub ai: AiMetrics,
    /// Open rooms.
    pub rooms: Gauge,
    /// Merged updates that are on disk: one for each room and commit.
    pub updates_committed: Counter,
    /// Merged frames that rooms have published.
    pub frames: Counter,
    /// Seconds that one group commit took.
    pub commit_seconds: Histogram,
    /// Seconds from the arrival of an update to the flush of the frame that holds it.
    pub delivery_lag_seconds: Histogram,
    /// Seconds that a batch of edits took to become part of its map.
    pub integration_seconds: Histogram,
    /// Answers that were dropped because their client took them too slowly.
    pub answers_shed: Counter,
    /// Sessions that fell off their room's ring and were sent a diff instead.
    pub cursor_falls: Counter,
    /// Messages that were read more slowly because their client was too fast.
    pub slowed_messages: Counter,
    /// Edits over sockets that were refused because their client may only read.
    pub edits_refused: Counter,
    /// Documents of Hocuspocus sockets that were refused or closed, while the socket stays.
    pub documents_refused: Counter,
    /// HTTP requests that were refused because their client made too many.
    pub requests_refused: Counter,
    /// Sockets that were dropped at once because their address has too many.
    pub sockets_refused: Counter,
    /// Commits that failed; each is tried again.
    pub commit_failures: Counter,
    /// Rooms that failed and were opened again.
    pub room_panics: Counter,
    /// Bytes that wait for the journal.
    pub journal_backlog_bytes: Gauge,
    /// 1 while the store is behind and rooms go on without it.
    pub journal_behind: Gauge,
    /// 1 while the node is overloaded.
    pub overloaded: Gauge,
    /// 1 while the store answers.
    pub store_up: Gauge,
    /// 1 while the store cannot file what was appended, or copy its log.
    pub store_untidy: Gauge,
    /// Tails of records that were replaced by a snapshot.
    pub compactions: Counter,
    /// Graphs that were found to be damaged since the start.
    pub damaged_graphs: Counter,
    /// The bus between nodes.
    pub bus: BusMetrics,
    /// Answers of the AI that are kept, and what rooms keep.
    pub cache: CacheMetrics,
    /// How maps are kept the same on several nodes.
    pub cluster: ClusterMetrics,
    closes: [Counter; CLOSE_CODES.len()],
    closes_other: Counter,
    ends: [Counter; ENDS.len()],
    errors: ErrorRate,
    process: metrics_process::Collector,
    exporter: PrometheusHandle,
}

/// The process's metrics; the first call installs the recorder.
pub fn get() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::install);
    &METRICS
}

/// Keeps the metrics fresh until `stop`. Spawn it once.
pub async fn upkeep(stop: CancellationToken) {
    let mut tick = tokio::time::interval(UPKEEP_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        get().exporter.run_upkeep();
        get().errors.renew();
    }
}

impl Metrics {
    /// Notes one answered request. `route` is the pattern that matched, never the path.
    pub fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        histogram!("api_request_duration", "method" => method, "route" => route.to_owned(), "status" => status.to_string())
            .record(took.as_secs_f64());
        self.errors.note(status);
    }

    /// Notes how circuit breakers stand.
    pub fn breakers(&self, reports: &[BreakerReport]) {
        breakers::note(reports);
    }

    /// The counter of connections closed with this code.
    pub fn closes(&self, code: u16) -> &Counter {
        CLOSE_CODES.iter().position(|known| *known == code).map_or(&self.closes_other, |index| &self.closes[index])
    }

    /// Notes that a connection was ended.
    pub fn end(&self, why: End) {
        self.ends[why as usize].increment(1);
    }

    /// Everything as text for Prometheus.
    pub fn render(&self) -> String {
        self.process.collect();
        self.exporter.render()
    }

    fn install() -> Self {
        let builder = HISTOGRAMS.iter().fold(PrometheusBuilder::new(), |builder, name| {
            let matcher = Matcher::Full((*name).to_owned());
            builder.set_buckets_for_metric(matcher, &SECONDS_BUCKETS).expect("there are buckets")
        });
        let exporter = builder.install_recorder().expect("this is the only recorder of the process");
        describe::describe();
        breakers::describe();
        let closes = |code: String| counter!("synapti_closes_total", "code" => code);
        let metrics = Self {
            websocket_connections: gauge!("websocket_connections"),
            transports: TransportMetrics::new(),
            database: DatabaseMetrics::install(),
            connections_max: gauge!("synapti_connections_max"),
            draining: gauge!("synapti_draining"),
            ai: AiMetrics::install(),
            rooms: gauge!("synapti_rooms"),
            updates_committed: counter!("synapti_updates_total"),
            frames: counter!("synapti_frames_total"),
            commit_seconds: histogram!("synapti_commit_seconds"),
            delivery_lag_seconds: histogram!("synapti_delivery_lag_seconds"),
            integration_seconds: histogram!("synapti_integration_seconds"),
            answers_shed: counter!("synapti_answers_shed_total"),
            cursor_falls: counter!("synapti_cursor_falls_total"),
            slowed_messages: counter!("synapti_slowed_messages_total"),
            edits_refused: counter!("synapti_edits_refused_total"),
            documents_refused: counter!("synapti_documents_refused_total"),
            requests_refused: counter!("synapti_requests_refused_total"),
            sockets_refused: counter!("synapti_sockets_refused_total"),
            commit_failures: counter!("synapti_commit_failures_total"),
            room_panics: counter!("synapti_room_panics_total"),
            journal_backlog_bytes: gauge!("synapti_journal_backlog_bytes"),
            journal_behind: gauge!("synapti_journal_behind"),
            overloaded: gauge!("synapti_overloaded"),
            store_up: gauge!("synapti_store_up"),
            store_untidy: gauge!("synapti_store_untidy"),
            compactions: counter!("synapti_compactions_total"),
            damaged_graphs: counter!("synapti_damaged_graphs_total"),
            bus: BusMetrics::install(),
            cache: CacheMetrics::install(),
            cluster: ClusterMetrics::install(),
            closes: CLOSE_CODES.map(|code| closes(code.to_string())),
            closes_other: closes("other".to_owned()),
            ends: ENDS.map(|why| counter!("synapti_ends_total", "why" => why)),
            errors: ErrorRate::new(
                gauge!("error_rate"),
                counter!("api_errors_total", "kind" => "client"),
                counter!("api_errors_total", "kind" => "server"),
            ),
            process: metrics_process::Collector::default(),
            exporter,
        };
        metrics.process.describe();
        metrics.show_zeros();
        metrics
    }

    /// A gauge that was never set is missing from the page, which reads as "this program has no such metric".
    fn show_zeros(&self) {
        for gauge in [
            &self.websocket_connections,
            &self.connections_max,
            &self.draining,
            &self.rooms,
            &self.journal_backlog_bytes,
            &self.journal_behind,
            &self.overloaded,
            &self.store_untidy,
        ] {
            gauge.increment(0.0);
        }
    }
}

/// The method as a label; unknown ones share a word so that a client cannot invent series.
pub fn method_label(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}

/// A stopwatch for the histograms in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promised_metric_is_on_the_page_from_the_start() {
        let metrics = get();
        metrics.request("GET", "/v1/graphs", 200, Duration::from_millis(3));
        metrics.request("GET", "/v1/graphs", 500, Duration::from_millis(3));
        metrics.commit_seconds.record(0.0003);
        metrics.delivery_lag_seconds.record(0.001);
        metrics.closes(4400).increment(1);
        metrics.closes(4999).increment(1);
        metrics.errors.renew();
        let page = metrics.render();
        for line in [
            "# TYPE api_request_duration histogram",
            "api_request_duration_bucket{method=\"GET\",route=\"/v1/graphs\",status=\"200\",le=\"0.005\"} 1",
            "cache_hit_rate ",
            "websocket_connections ",
            "database_pool_size ",
            "database_pool_in_use ",
            "synapti_cache_lookups_total{result=\"miss\"} ",
            "synapti_cache_hits_total{tier=\"shared\"} 0",
            "synapti_cache_bytes{tier=\"disk\"} ",
            "synapti_room_cache_lookups_total{result=\"hit\"} ",
            "process_resident_memory_bytes ",
            "ai_token_usage 0",
            "synapti_ai_tokens_total{direction=\"output\"} 0",
            "synapti_ai_requests_total{provider=\"gemini\",outcome=\"dropped\"} 0",
            "error_rate ",
            "api_errors_total{kind=\"server\"} 1",
            "synapti_rooms ",
            "synapti_updates_total ",
            "synapti_commit_seconds_bucket{le=\"0.0005\"} 1",
            "synapti_cursor_falls_total ",
            "synapti_journal_backlog_bytes ",
            "synapti_bus_up 0",
            "synapti_bus_dropped_total{why=\"failed\"} 0",
            "synapti_closes_total{code=\"4400\"} 1",
            "synapti_closes_total{code=\"other\"} 1",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn methods_that_nobody_knows_share_one_label() {
        assert_eq!(method_label("PATCH"), "PATCH");
        assert_eq!(method_label("BREW"), "OTHER");
    }
}
