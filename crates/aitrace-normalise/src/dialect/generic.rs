//! What any instrumentation may say: OpenTelemetry's general conventions, in their names of today
//! and of before.

use aitrace_model::key;

use super::Dialect;
use crate::draft::{Count, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        (key::CODE_FILE, Take::Word(Word::CodeFile)),
        ("code.filepath", Take::Word(Word::CodeFile)),
        (key::CODE_LINE, Take::Count(Count::CodeLine)),
        ("code.lineno", Take::Count(Count::CodeLine)),
        (key::CODE_FUNCTION, Take::Word(Word::CodeFunction)),
        ("code.function", Take::Word(Word::CodeFunction)),
        ("code.namespace", Take::Word(Word::CodeNamespace)),
        ("error.type", Take::Word(Word::ErrorType)),
        ("gen_ai.usage.cost", Take::Cost),
        ("gen_ai.cost.total_cost", Take::Cost),
    ],
    prefixes: &[],
    events: &[],
};
