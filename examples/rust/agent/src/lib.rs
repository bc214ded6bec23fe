//! A small traced agent.
