//! What is counted. No label names a project: figures are of the whole server.

use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of the histogram of acknowledgements, seconds.
const ACK: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counters since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    requests: Family<Request, Counter>,
    items: Family<Item, Counter>,
    rejected: Counter,
    bytes: Counter,
    ack: Histogram,
    retired: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: &'static str,
    method: &'static str,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Item {
    kind: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("aitrace");
        let requests = Family::<Request, Counter>::default();
        let items = Family::<Item, Counter>::default();
        let (rejected, bytes, retired) = (Counter::default(), Counter::default(), Counter::default());
        let ack = Histogram::new(ACK);
        registry.register("http_requests", "Answered requests", requests.clone());
        registry.register(
            "ingested",
            "Messages about spans, and log records, that are durable",
            items.clone(),
        );
        registry.register("rejected", "Spans and log records that could not be read", rejected.clone());
        registry.register_with_unit("received", "Bodies with data, as sent", Unit::Bytes, bytes.clone());
        registry.register_with_unit(
            "ack",
            "Time from the head of a request with data until all of it is durable",
            Unit::Seconds,
            ack.clone(),
        );
        registry.register_with_unit("retired", "Data beyond its age or room", Unit::Bytes, retired.clone());
        Self { registry, requests, items, rejected, bytes, ack, retired }
    }

    /// A request was answered. `route` is empty for what is in no route.
    pub(crate) fn answered(&self, route: &'static str, method: &Method, status: u16) {
        let method = word(method);
        self.requests.get_or_create(&Request { route, method, status: status.into() }).inc();
    }

    /// Data became durable.
    pub(crate) fn ingested(&self, spans: usize, logs: usize) {
        for (kind, count) in [("span", spans), ("log", logs)] {
            self.items.get_or_create(&Item { kind }).inc_by(count as u64);
        }
    }

    pub(crate) fn rejected(&self, count: u64) {
        self.rejected.inc_by(count);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes.inc_by(bytes as u64);
    }

    pub(crate) fn acknowledged(&self, after: Duration) {
        self.ack.observe(after.as_secs_f64());
    }

    pub(crate) fn retired(&self, bytes: u64) {
        self.retired.inc_by(bytes);
    }
}

/// Callers may invent methods; labels are ours alone.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
