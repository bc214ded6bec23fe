//! Stage: view. In: what a store returns. Out: the API's JSON (`T`, `S`, `L`).
//!
//! User data is copied as the text it was received as. JavaScript reads numbers as doubles, so whole numbers
//! beyond ±2^53 and all nanoseconds are JSON strings.

mod bone;
mod figures;
mod join;
mod log;
mod object;
mod safe;
mod session;
mod span;
mod trace;
mod tree;

pub(crate) use bone::{bone, bone_places};
pub(crate) use figures::{cells, columns, hit, search_end, statistics, statistics_row, views};
pub(crate) use join::join_logs;
pub(crate) use log::log;
pub(crate) use session::{session, sessions};
pub(crate) use span::{Place, span};
pub(crate) use trace::{page, projects, summary};
pub(crate) use tree::places;
