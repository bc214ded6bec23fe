//! `GET /metrics`: OpenMetrics text, which Prometheus reads.

use std::sync::atomic::AtomicI64;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::error::{ApiError, Kind, Result};
use crate::process;

const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters since the start, and the state as it is now.
pub(crate) async fn get(State(app): State<App>) -> Result<Response> {
    let stats = app.stores.telemetry.stats().await.map_err(|error| ApiError::reading(&error))?;
    let mut now = Registry::with_prefix("aitrace");
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: u64| {
        let gauge: Gauge<i64, AtomicI64> = Gauge::default();
        gauge.set(value as i64);
        match unit {
            Some(unit) => now.register_with_unit(name, help, unit, gauge),
            None => now.register(name, help, gauge),
        }
    };
    gauge("store_spans", "Spans that have ended", None, stats.spans);
    gauge("store_open_spans", "Spans that have not ended", None, stats.open_spans);
    gauge("store_logs", "Log records", None, stats.logs);
    gauge("store_segments", "Sealed files", None, stats.segments);
    gauge("store_disk", "Files of the store", Some(Unit::Bytes), stats.disk_bytes);
    gauge("store_hot_rows", "Spans and log records in memory, not sealed yet", None, stats.hot_rows);
    gauge("store_queue", "Batches that wait for the store's writer", None, stats.waiting);
    let (total, used) = app.memory.usage();
    gauge("ingest_memory", "Memory that requests with data hold", Some(Unit::Bytes), used as u64);
    gauge("ingest_memory_limit", "Memory that they may hold together", Some(Unit::Bytes), total as u64);
    let held = app.stores.telemetry.held();
    gauge(
        "store_memory",
        "Memory that what was stored takes until it is sealed",
        Some(Unit::Bytes),
        held as u64,
    );
    let (reads, limits) = (app.memory.reads() as u64, &app.options.limits);
    gauge("read_memory", "Memory of statements and of traces that are read", Some(Unit::Bytes), reads);
    let most = limits.read_bytes as u64;
    gauge("read_memory_limit", "Memory that they may hold together", Some(Unit::Bytes), most);
    let (most, all) =
        (limits.total_bytes as u64, "Memory that requests with data, the store and reads may hold");
    gauge("memory_limit", all, Some(Unit::Bytes), most);
    let live = app.options.limits.live_readers - app.live.available_permits();
    gauge("live_readers", "Readers of the live stream", None, live as u64);
    if let Some(free) = app.options.disk.as_ref().and_then(|disk| disk.free().ok()) {
        gauge("disk_free", "Free room of the store's disk", Some(Unit::Bytes), free);
    }
    if let Some(resident) = process::resident_bytes() {
        gauge("process_resident_memory", "Memory of the process", Some(Unit::Bytes), resident);
    }
    let mut text = String::new();
    let written = encode_registry(&mut text, &app.metrics.registry)
        .and_then(|()| encode_registry(&mut text, &now))
        .and_then(|()| encode_eof(&mut text));
    written.map_err(|_| ApiError::new(Kind::Internal, "the metrics cannot be written", ""))?;
    Ok(([(header::CONTENT_TYPE, TYPE)], text).into_response())
}
