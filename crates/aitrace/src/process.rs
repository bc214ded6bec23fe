//! Processing between collecting and exporting: rules, sampling, masking.
//!
//! [`rules`] is what people write, [`read`] reads it, [`plan`] makes it ready for one tracer; [`change`],
//! [`tail`] and [`mask`] do it. The worker calls them by way of `prepare`.

mod change;
mod gather;
pub(crate) mod mask;
mod pattern;
pub(crate) mod plan;
mod read;
pub(crate) mod rules;
pub(crate) mod tail;

pub(crate) use self::gather::{Sources, gather};
pub use self::read::{RulesError, RulesFormat};
pub use self::rules::Rules;

use self::mask::Masker;
use self::plan::Step;
use crate::data::SpanData;

/// What a rule did to a span.
pub(crate) enum Outcome {
    /// It is not about this span.
    Unmatched,
    /// It is to be left out.
    Dropped,
    /// It was changed.
    Changed {
        /// Values masked as a part of the span.
        masked: u64,
        /// Why masking failed, where it did: then its contents were replaced.
        failed: Option<&'static str>,
    },
}

/// Applies one rule.
pub(crate) fn apply(step: &Step, redactor: Option<&mut Masker>, span: &mut SpanData) -> Outcome {
    if !step.when.matches(span) {
        return Outcome::Unmatched;
    }
    if step.drop {
        return Outcome::Dropped;
    }
    let masked = change::apply(step, span);
    let failed = redactor.and_then(|redactor| redactor.span(span, mask::TIME));
    Outcome::Changed { masked, failed }
}
