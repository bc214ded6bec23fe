//! OTLP bytes to the trace model and back.
