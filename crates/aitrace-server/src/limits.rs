//! How much a client may ask for at once.

use std::time::Duration;

/// Bounds of the server. The defaults suit a machine with 2 GiB or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body as sent, JSON lines excepted, which may have any length. Default 64 MiB, as OTLP
    /// recommends.
    pub body_bytes: usize,
    /// Bytes of a request body once decompressed. Default 64 MiB.
    pub decoded_bytes: usize,
    /// Bytes that all requests together may occupy while they are read, decoded and stored;
    /// beyond it requests are answered 429. Default 128 MiB; the allocator may keep as much again.
    pub memory_bytes: usize,
    /// Bytes that requests, what the store holds of earlier ones, and reads may occupy together; beyond it requests are
    /// answered 429 and the store is asked to write to disk what it holds. Default 336 MiB.
    pub total_bytes: usize,
    /// Bytes of it that reads may occupy together: statements, statistics, filtered lists, searches, whole traces and trees, exports. An eighth
    /// is for traces of up to 1 MiB, which so wait for nothing large. Default 128 MiB.
    pub read_bytes: usize,
    /// Time for which a read waits for others to leave it room; then it is answered 429. Default 10 s.
    pub read_wait: Duration,
    /// Nesting of JSON. Default 128.
    pub json_depth: usize,
    /// Open connections of each port; further ones wait in the system's queue. Default 1024.
    pub connections: usize,
    /// Readers of the live stream; further ones are answered 503. Default 64.
    pub live_readers: usize,
    /// Events of the live stream that are kept for readers that come back or are slow. Default 65 536.
    pub live_events: usize,
    /// Their bytes in memory. Default 32 MiB; a single event may be larger.
    pub live_bytes: usize,
    /// Time for which they are kept, and further ones taken, after the last reader has gone. Default 5 min.
    pub live_linger: Duration,
    /// Time between two looks for spans that became lost, while somebody reads the live stream. Default 2 s.
    pub lost_every: Duration,
    /// Searches, filtered lists and exports at once; further ones are answered 429. Default 8.
    pub heavy_queries: usize,
    /// Time for a search; then it ends with what it has found, and for a statement. Default 30 s.
    pub query_time: Duration,
    /// Rows of a statement's answer. Default 10 000.
    pub sql_rows: usize,
    /// Statements at once, and statistics and lists that take as much; up to 32 further ones wait, as [`Limits::read_wait`] says. Default 2.
    pub sql_statements: usize,
    /// Bytes of memory that one statement may take, its answer included, where nobody else needs them. Default 96 MiB.
    pub sql_memory: usize,
    /// Bytes of memory that each statement is sure of. Default 40 MiB.
    pub sql_share: usize,
    /// Time for a request's head, for the first byte of a connection, and for an idle one of HTTP/1. Default 10 s.
    pub head_timeout: Duration,
    /// Longest silence within a request body. Default 30 s.
    pub body_idle_timeout: Duration,
    /// Bytes a second that a body must bring on average once it has lasted [`Limits::body_idle_timeout`].
    /// Default 1024.
    pub body_rate: u64,
    /// Time for a whole request body, JSON lines excepted, of which the rate alone counts. Default 300 s.
    pub body_timeout: Duration,
    /// Wrong keys that one address may show in a minute; then it is answered 429 for the rest of that minute. Default 30.
    pub wrong_keys: u32,
    /// Longest time that a client may leave an answer unread. Default 60 s.
    pub write_idle_timeout: Duration,
    /// Silence after which a live reader is sent a comment, so that both ends notice a dead connection. Default 15 s.
    pub ping_interval: Duration,
    /// Time for running requests to end after the shutdown signal. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 20,
            decoded_bytes: 64 << 20,
            memory_bytes: 128 << 20,
            total_bytes: 336 << 20,
            read_bytes: 128 << 20,
            read_wait: Duration::from_secs(10),
            json_depth: 128,
            connections: 1024,
            live_readers: 64,
            live_events: 1 << 16,
            live_bytes: 32 << 20,
            live_linger: Duration::from_mins(5),
            lost_every: Duration::from_secs(2),
            heavy_queries: 8,
            query_time: Duration::from_secs(30),
            sql_rows: 10_000,
            sql_statements: 2,
            sql_memory: 96 << 20,
            sql_share: 40 << 20,
            head_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(30),
            body_rate: 1024,
            body_timeout: Duration::from_mins(5),
            wrong_keys: 30,
            write_idle_timeout: Duration::from_mins(1),
            ping_interval: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
