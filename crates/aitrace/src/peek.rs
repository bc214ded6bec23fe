//! Reading back what a span carries while it is open.

use aitrace_model::Phase;

use crate::context::Context;
use crate::data::SpanData;
use crate::local;
use crate::span::SpanHandle;
use crate::tracer::Tracer;

impl Tracer {
    /// Whether nothing is recorded: the tracer was disabled from the start, or shut down.
    pub fn is_off(&self) -> bool {
        self.core.is_off()
    }

    /// An open span of this tracer as it is now, without an end; `None` once it has ended. Costs a copy of all
    /// it carries.
    pub fn peek(&self, span: &SpanHandle) -> Option<SpanData> {
        let place = span.within(&Context::default()).span?.place?;
        let place = &place;
        let (body, attributes) = local::at(place, |head, inner| inner.peek(head, place))??;
        let identity = self.core.identity.clone();
        // The phase of an end, so that no lifecycle is among the attributes.
        Some(SpanData::open(identity, Phase::End, body, attributes))
    }
}
