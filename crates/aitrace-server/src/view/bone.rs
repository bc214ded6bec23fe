//! A span without contents.

use aitrace_model::Timestamp;
use aitrace_store::{Bone, Skeleton};

use super::object::Object;
use super::span::Place;
use super::tree::{Node, places_of};

/// The place of each span.
pub(crate) fn bone_places(skeleton: &Skeleton) -> Vec<Place> {
    let nodes = skeleton.spans.iter().map(|span| Node { id: span.span_id, parent: span.parent_span_id });
    places_of(nodes)
}

/// Appends a span of `{"trace": T, "spans": […]}`: it has the members of `S` that are no contents; what is not known is left
/// out, `parent_span_id` and `end_ns` excepted.
pub(crate) fn bone(out: &mut String, span: &Bone, place: Place) {
    let mut object = Object::begin(out);
    object.plain("span_id", span.span_id);
    object.maybe_plain("parent_span_id", span.parent_span_id);
    object.text("name", &span.name);
    object.plain("kind", span.kind);
    object.plain("event_type", span.event_type);
    object.plain("status", span.status);
    object.plain("start_ns", span.start.nanos());
    object.maybe_plain("end_ns", span.end.map(Timestamp::nanos));
    for (key, value) in [("provider", &span.provider), ("model", &span.model)] {
        if let Some(value) = value {
            object.text(key, value);
        }
    }
    for (key, value) in [("input_tokens", span.input_tokens), ("output_tokens", span.output_tokens)] {
        if let Some(value) = value {
            object.count(key, value);
        }
    }
    if span.cost.is_some() {
        object.maybe_double("cost", span.cost);
    }
    object.count("depth", u64::from(place.depth));
    object.flag("has_children", place.has_children);
    object.end();
}
