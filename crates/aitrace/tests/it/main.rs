//! Tests of the recorder through its public names.

mod evaluate;
#[cfg(unix)]
mod fork;
mod isolation;
mod leaving;
mod limits;
mod live;
mod macro_shapes;
mod macros;
mod network;
mod otel;
mod process;
mod queue;
mod records;
mod spool;
mod stress;
mod stub;
mod surface;
mod threads;
mod tls;
mod tracing_layer;
mod truth;
