//! What the operator decides.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{Clock, SystemClock};
use aitrace_price::Table;
use aitrace_store::{ExportFormat, Retention};

use crate::auth::{Pepper, Random, SystemRandom};
use crate::disk::Disk;
use crate::limits::Limits;

/// Options of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Values of `Host` to answer besides those of loopback, with their port, for example
    /// `traces.example:8000`. Default none.
    pub hosts: Vec<String>,
    /// Bounds.
    pub limits: Limits,
    /// Project of data that names none. Default `default`.
    pub default_project: String,
    /// What model calls cost. Default the built-in table.
    pub prices: Arc<Table>,
    /// What writes exports as Parquet. Default nothing: the server itself knows no columns.
    pub parquet: Option<Arc<dyn ExportFormat>>,
    /// Time of reception. Default the system's clock.
    pub clock: Arc<dyn Clock>,
    /// How long and how much to keep. Default everything.
    pub retention: Retention,
    /// Time between two retentions. Default 1 min.
    pub retain_every: Duration,
    /// The store's disk, for readiness and metrics. Default unknown.
    pub disk: Option<Arc<dyn Disk>>,
    /// Free bytes of the disk below which the server is not ready. Default 64 MiB.
    pub min_free: u64,
    /// Secret that keys are hashed with. Default a constant: fit for tests and stores without keys alone.
    pub pepper: Pepper,
    /// Whether callers must show a key although there is none: set it where keys are known to have been made, so that
    /// losing them opens nothing. Default false.
    pub demand_keys: bool,
    /// Whether trace records that the server writes repeat their timestamp at the top level. Default false.
    pub compat_mode: bool,
    /// What makes the allocator give free memory back to the system: called after work, and when much is resident.
    /// Default nothing: the allocator is the program's.
    pub give_back: Option<fn()>,
    /// Where new keys come from. Default the system's.
    pub random: Arc<dyn Random>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            limits: Limits::default(),
            default_project: "default".to_owned(),
            prices: Table::built_in(),
            parquet: None,
            clock: Arc::new(SystemClock),
            retention: Retention::default(),
            retain_every: Duration::from_mins(1),
            disk: None,
            min_free: 64 << 20,
            pepper: Pepper::new([0; 32]),
            demand_keys: false,
            compat_mode: false,
            give_back: None,
            random: Arc::new(SystemRandom),
        }
    }
}
