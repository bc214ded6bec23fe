//! What the operator decides.

use std::sync::Arc;

use aitrace_model::{Clock, SystemClock};
use aitrace_price::Table;

use crate::auth::{Pepper, Random, SystemRandom};
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
    /// Time of reception. Default the system's clock.
    pub clock: Arc<dyn Clock>,
    /// Secret that keys are hashed with. Default a constant: fit for tests and stores without keys alone.
    pub pepper: Pepper,
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
            clock: Arc::new(SystemClock),
            pepper: Pepper::new([0; 32]),
            random: Arc::new(SystemRandom),
        }
    }
}
