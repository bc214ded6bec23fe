//! HTTP of aitrace: ingest, API, live stream, viewer.
