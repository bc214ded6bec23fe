//! Our own SDKs. Keys that a standard has are read by the standard's dialect.

use aitrace_model::key;

use super::Dialect;
use crate::draft::{Object, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        (key::LIFECYCLE, Take::Word(Word::Lifecycle)),
        (key::EVENT_TYPE, Take::EventType),
        (key::PROJECT, Take::Word(Word::Project)),
        (key::SOURCE, Take::Word(Word::Source)),
        (key::SESSION_ID, Take::Word(Word::Session)),
        (key::USER_ID, Take::Word(Word::User)),
        (key::RUN_ID, Take::Word(Word::RunId)),
        (key::DATASET_ID, Take::Word(Word::DatasetId)),
        (key::DATAPOINT_ID, Take::Word(Word::DatapointId)),
        (key::METRICS, Take::Object(Object::Metrics)),
        (key::FEEDBACK, Take::Object(Object::Feedback)),
        (key::CONFIG, Take::Object(Object::Config)),
        (key::USER_PROPERTIES, Take::Object(Object::UserProperties)),
    ],
    prefixes: &[],
    events: &[],
};
