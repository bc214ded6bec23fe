//! Evaluation runs: datasets, cells, run files, aggregation.
