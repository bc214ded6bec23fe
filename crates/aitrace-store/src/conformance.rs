//! The suite that every store must pass: the laws of [`TelemetryStore`] and [`DocumentStore`].
//!
//! A store's crate implements [`Factory`] and calls [`crate::conformance!`] in its integration
//! tests; [`model()`] compares it with [`crate::memory::MemoryStore`] over random histories.

mod build;
mod check;
mod documents;
mod laws;
mod model;
mod pricing;
mod queries;
mod reads;
mod told;
mod upkeep;

use std::sync::Arc;

use aitrace_model::{Clock, LostRules, ManualClock};
use async_trait::async_trait;

use crate::document::DocumentStore;
use crate::query::QueryStore;
use crate::telemetry::TelemetryStore;
use crate::upkeep::Upkeep;

pub use build::{contents, end, heartbeat, log, span_id, start, tentative, time, trace_id};
pub use documents::*;
pub use laws::*;
pub use model::{a_corrected_span_that_is_deleted_stays_away, model};
pub use pricing::new_prices_show_everywhere;
pub use queries::{
    extents_are_about_right, search_finds, search_pages_concatenate, searches_go_on_where_they_were_left,
    sessions_add_up, skeletons_agree, statistics_count, usage_counts_once,
};
pub use reads::*;
pub use told::{contents_in_log_records_stand_in_their_span, contents_without_a_span_wait_for_it};
pub use upkeep::*;

/// Everything that a store can do, except SQL.
pub trait Full: TelemetryStore + QueryStore + DocumentStore + Upkeep {}

impl<T: TelemetryStore + QueryStore + DocumentStore + Upkeep> Full for T {}

/// Makes stores on one place.
#[async_trait]
pub trait Factory: Send + Sync {
    /// The store under test.
    type Store: Full;

    /// A new store on an empty place.
    async fn open(&self, clock: Arc<dyn Clock>, lost: LostRules) -> Self::Store;

    /// The store on the same place after a crash: `store` must not be shut down properly.
    async fn reopen(&self, store: Self::Store, clock: Arc<dyn Clock>, lost: LostRules) -> Self::Store;
}

/// A store with the clock that it sees.
struct Bench<'a, F: Factory> {
    factory: &'a F,
    clock: Arc<ManualClock>,
    store: Option<F::Store>,
}

impl<'a, F: Factory> Bench<'a, F> {
    async fn new(factory: &'a F) -> Self {
        let clock = Arc::new(ManualClock::new(time(0)));
        let store = factory.open(Arc::clone(&clock) as Arc<dyn Clock>, LostRules::default()).await;
        Self { factory, clock, store: Some(store) }
    }

    fn store(&self) -> &F::Store {
        self.store.as_ref().expect("set except within reopen")
    }

    async fn reopen(&mut self) {
        let store = self.store.take().expect("set except within reopen");
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.store = Some(self.factory.reopen(store, clock, LostRules::default()).await);
    }
}

/// Writes one test for each law. The argument is an expression that makes a new [`Factory`].
#[macro_export]
macro_rules! conformance {
    ($factory:expr) => {
        $crate::conformance!(@each $factory;
            appended_is_visible, resending_changes_nothing, order_does_not_matter,
            lifecycle_of_a_span, lost_spans_and_late_ends, losses_are_found_once, tentative_ends, projects_never_meet,
            late_messages_reach_sealed_spans, changes_are_told, closed_after_shutdown,
            pages_concatenate, filters_select, conditions_on_spans, summaries_add_up, logs_are_kept, sessions_merge,
            contents_survive_to_the_letter, figures_count, usage_counts_once, skeletons_agree, extents_are_about_right,
            sessions_add_up, search_finds, search_pages_concatenate, searches_go_on_where_they_were_left, statistics_count, documents_are_kept, corrections_show,
            corrections_show_everywhere, a_corrected_span_that_is_deleted_stays_away,
            keys_outlive_their_project, contents_in_log_records_stand_in_their_span,
            contents_without_a_span_wait_for_it,
            deletes_delete, compaction_changes_nothing, new_prices_show_everywhere);
    };
    (@each $factory:expr; $($law:ident),+) => {$(
        #[tokio::test]
        async fn $law() {
            $crate::conformance::$law(&$factory).await;
        }
    )+};
}
