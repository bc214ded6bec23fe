//! One span in memory.

use std::sync::Arc;

use aitrace_model::{Phase, Span, SpanState, TraceStatus};
use aitrace_store::{StoredSpan, span_bytes};

/// Bytes of a span's place in its trace, with the blocks' own.
const PLACE: usize = 96;

/// What is known of a span that is not sealed, or was spoken of again after it was sealed.
#[derive(Debug)]
pub(crate) enum HotSpan {
    /// Its end is all that came: the usual case. Nothing is kept twice.
    Whole(Arc<StoredSpan>),
    /// Several messages, or none that ends it.
    Joined {
        /// The messages.
        state: Arc<SpanState>,
        /// The merged span, with the status of a running one while it has not ended; `None` while
        /// it is only log records.
        shown: Option<Arc<StoredSpan>>,
        /// Whether sealed rows of it do not count any more.
        over: bool,
    },
}

/// What something weighs in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Weight {
    /// Finished spans and log records.
    pub(crate) rows: usize,
    /// Spans that have not ended.
    pub(crate) open: usize,
    /// Estimated bytes.
    pub(crate) bytes: usize,
}

impl Weight {
    /// The sum, less what was there before.
    pub(crate) fn changed(self, before: Self, after: Self) -> Self {
        Self {
            rows: self.rows + after.rows - before.rows,
            open: self.open + after.open - before.open,
            bytes: self.bytes + after.bytes - before.bytes,
        }
    }
}

/// What a seal took of a span.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// The merged span.
    pub(crate) stored: Arc<StoredSpan>,
    /// Its messages, where they are more than the span itself.
    pub(crate) state: Option<Arc<SpanState>>,
    /// Whether sealed rows of it do not count any more.
    pub(crate) over: bool,
}

impl HotSpan {
    pub(crate) fn new(message: Span) -> Self {
        if message.phase == Phase::End && message.tentative.is_none() {
            return Self::Whole(Arc::new(stored(message, true)));
        }
        Self::joined(SpanState::new(message), false)
    }

    pub(crate) fn joined(state: SpanState, over: bool) -> Self {
        let shown = state.merged().map(|span| Arc::new(stored(span, state.is_ended())));
        Self::Joined { state: Arc::new(state), shown, over }
    }

    /// Adds a message; whether anything is known that was not before.
    pub(crate) fn join(&mut self, message: Span) -> bool {
        let mut state = state_of(self);
        let (new, over) = (state.join(message), matches!(self, Self::Joined { over: true, .. }));
        if new {
            *self = Self::joined(state, over);
        }
        new
    }

    pub(crate) fn shown(&self) -> Option<&Arc<StoredSpan>> {
        match self {
            Self::Whole(stored) => Some(stored),
            Self::Joined { shown, .. } => shown.as_ref(),
        }
    }

    /// Its messages, where they are more than the span itself.
    pub(crate) fn state(&self) -> Option<&SpanState> {
        match self {
            Self::Whole(_) => None,
            Self::Joined { state, .. } => Some(state),
        }
    }

    /// What a seal takes of it; `None` while it is only log records.
    pub(crate) fn taken(&self) -> Option<Taken> {
        match self {
            Self::Whole(stored) => Some(Taken { stored: Arc::clone(stored), state: None, over: false }),
            Self::Joined { state, shown, over } => {
                let state = Some(Arc::clone(state));
                Some(Taken { stored: Arc::clone(shown.as_ref()?), state, over: *over })
            }
        }
    }

    /// Its messages, where they are more than the span itself.
    pub(crate) fn shared_state(&self) -> Option<Arc<SpanState>> {
        match self {
            Self::Whole(_) => None,
            Self::Joined { state, .. } => Some(Arc::clone(state)),
        }
    }

    /// Whether nothing was said of it since it was taken.
    pub(crate) fn is_as_taken(&self, taken: &Taken) -> bool {
        match self {
            Self::Whole(stored) => Arc::ptr_eq(stored, &taken.stored),
            Self::Joined { state, .. } => taken.state.as_ref().is_some_and(|taken| Arc::ptr_eq(state, taken)),
        }
    }

    /// What was sealed of it does not count any more.
    pub(crate) fn set_over(&mut self) {
        if let Self::Joined { over, .. } = self {
            *over = true;
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.state().is_none_or(SpanState::is_ended)
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Joined { over: true, .. })
    }

    /// Whether it ended and is no log record as well: then its part of the trace's line is fixed.
    pub(crate) fn is_settled(&self) -> bool {
        self.state().is_none_or(|state| state.is_ended() && state.orphan_logs().next().is_none())
    }

    /// What it weighs in memory.
    pub(crate) fn weight(&self) -> Weight {
        let ended = usize::from(self.is_ended());
        Weight { rows: ended, open: 1 - ended, bytes: self.bytes() }
    }

    fn bytes(&self) -> usize {
        let states = self.state().map_or(0, |state| state.messages().map(span_bytes).sum());
        PLACE + states + self.shown().map_or(0, |stored| span_bytes(&stored.span))
    }
}

/// A copy of what is known of a span, as messages.
pub(crate) fn state_of(span: &HotSpan) -> SpanState {
    match span {
        HotSpan::Whole(stored) => SpanState::new(stored.span.clone()),
        HotSpan::Joined { state, .. } => SpanState::clone(state),
    }
}

fn stored(span: Span, ended: bool) -> StoredSpan {
    let status = match (ended, span.is_error()) {
        (false, _) => TraceStatus::Running,
        (true, true) => TraceStatus::Error,
        (true, false) => TraceStatus::Ok,
    };
    StoredSpan { span, status }
}
