//! HoneyHive's SDK, versions 1.0 to 1.7: `honeyhive.*`, and buckets flattened to `honeyhive_inputs.a.0.b`.

use super::Dialect;
use crate::draft::{Gather, Object, Side, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("honeyhive_event_type", Take::EventType),
        ("honeyhive.event_type", Take::EventType),
        ("honeyhive.session_id", Take::Word(Word::Session)),
        ("honeyhive.project", Take::Word(Word::Project)),
        ("honeyhive.source", Take::Word(Word::Source)),
        ("honeyhive_user_id", Take::Word(Word::User)),
        ("honeyhive_metadata.run_id", Take::Word(Word::RunId)),
        ("honeyhive_metadata.dataset_id", Take::Word(Word::DatasetId)),
        ("honeyhive_metadata.datapoint_id", Take::Word(Word::DatapointId)),
        ("honeyhive_config.model", Take::Word(Word::ModelAsked)),
        ("honeyhive_config.provider", Take::Word(Word::Provider)),
        ("honeyhive_error_type", Take::Word(Word::ErrorType)),
        ("honeyhive_error", Take::Word(Word::ErrorMessage)),
    ],
    prefixes: &[
        ("honeyhive_inputs.", Gather::Tree(Side::Input)),
        ("honeyhive_outputs.", Gather::Tree(Side::Output)),
        ("honeyhive_metadata.", Gather::Nested(Object::Metadata)),
        ("honeyhive_metrics.", Gather::Nested(Object::Metrics)),
        ("honeyhive_feedback.", Gather::Nested(Object::Feedback)),
        ("honeyhive_config.", Gather::Nested(Object::Config)),
        ("honeyhive_user_properties.", Gather::Nested(Object::UserProperties)),
    ],
    events: &[],
};
