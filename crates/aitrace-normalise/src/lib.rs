//! Dialects of trace data to the trace model.
