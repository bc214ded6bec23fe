//! Tests of the recorder through its public names.

mod evaluate;
#[cfg(unix)]
mod fork;
mod isolation;
mod live;
mod macro_shapes;
mod macros;
mod otel;
mod process;
mod queue;
mod records;
mod stress;
mod stub;
mod surface;
mod threads;
mod tracing_layer;
mod truth;
