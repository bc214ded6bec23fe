//! The fields that a filter may name.

use FieldKind::{Content, Duration, Json, Number, Text, Time, Word};

/// What a field's values are, and so what may be said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Text: a pattern for all of it, ignoring case.
    Text,
    /// A number, compared as such.
    Number,
    /// A length of time with its unit, like `2s`.
    Duration,
    /// A time, RFC 3339 or a date.
    Time,
    /// One of these words. Where they have an order, it is this one.
    Word(&'static [&'static str]),
    /// A value of any form: with a path the value there, without one a text within it.
    Json,
    /// Texts of which one contains what is asked for.
    Content,
}

/// What has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Has {
    /// The line of a trace.
    pub line: bool,
    /// A span.
    pub span: bool,
    /// A log record.
    pub log: bool,
}

const ALL: Has = Has { line: true, span: true, log: true };
const TRACE: Has = Has { line: true, span: false, log: false };
const TIMED: Has = Has { line: true, span: true, log: false };
const SPAN: Has = Has { line: false, span: true, log: false };
const LOG: Has = Has { line: false, span: false, log: true };
const INNER: Has = Has { line: false, span: true, log: true };

macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $(| $alias:literal)*, $kind:expr, $has:expr;)+) => {
        /// A field. Its documentation is what `GET /api/sql/schema` and the guide say of it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[doc = $doc])+ $variant),+
        }

        impl Field {
            /// All fields.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The field of a name or of one of its other names.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($name $(| $alias)* => Some(Self::$variant),)+ _ => None }
            }

            /// What its values are.
            pub const fn kind(self) -> FieldKind {
                match self { $(Self::$variant => $kind),+ }
            }

            /// What has it.
            pub const fn has(self) -> Has {
                match self { $(Self::$variant => $has),+ }
            }

            /// What it is, in a few words.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+)),+ }
            }
        }
    };
}

const STATUSES: &[&str] = &["running", "ok", "error", "lost"];
const KINDS: &[&str] = &[
    "llm",
    "chain",
    "tool",
    "retriever",
    "embedding",
    "agent",
    "reranker",
    "guardrail",
    "evaluator",
    "prompt",
    "span",
];
const EVENT_TYPES: &[&str] = &["model", "tool", "chain", "session"];
const LEVELS: &[&str] = &["debug", "info", "warning", "error"];

fields! {
    /// Project.
    Project = "project", Text, ALL;
    /// Id of the trace, 32 hex digits.
    Trace = "trace" | "trace_id", Text, ALL;
    /// Id of the session.
    Session = "session" | "session_id", Text, ALL;
    /// Name of the span, of the trace's root, or the event of a log record.
    Name = "name" | "event", Text, ALL;
    /// How it stands: running, ok, error, lost.
    Status = "status", Word(STATUSES), TIMED;
    /// When it began; of a log record when it happened.
    Start = "start" | "time" | "ts" | "start_ts", Time, ALL;
    /// When it ended.
    End = "end" | "end_ts", Time, TIMED;
    /// How long it took.
    Duration = "duration" | "duration_ms", Duration, TIMED;
    /// Input tokens of the model call; of a trace their sum.
    InputTokens = "input_tokens", Number, TIMED;
    /// Output tokens of the model call; of a trace their sum.
    OutputTokens = "output_tokens", Number, TIMED;
    /// Input and output tokens together.
    Tokens = "tokens", Number, TIMED;
    /// Cost in US dollars.
    Cost = "cost", Number, TIMED;
    /// Number of spans of the trace.
    Spans = "spans", Number, TRACE;
    /// Number of log records of the trace.
    Events = "events", Number, TRACE;
    /// Number of spans of the trace that failed.
    Errors = "errors", Number, TRACE;
    /// Id of the span, 16 hex digits.
    Span = "span" | "span_id", Text, INNER;
    /// Id of the parent span; a root has none.
    Parent = "parent" | "parent_span_id", Text, SPAN;
    /// Kind of the span.
    Kind = "kind", Word(KINDS), SPAN;
    /// Event type of the span.
    Type = "type" | "event_type", Word(EVENT_TYPES), SPAN;
    /// Model that answered.
    Model = "model", Text, SPAN;
    /// Provider of the model.
    Provider = "provider", Text, SPAN;
    /// User.
    User = "user" | "user_id", Text, SPAN;
    /// Environment.
    Source = "source", Text, SPAN;
    /// Service.
    Service = "service", Text, SPAN;
    /// Evaluation run.
    Run = "run" | "run_id", Text, SPAN;
    /// Evaluation dataset.
    Dataset = "dataset" | "dataset_id", Text, SPAN;
    /// Evaluation datapoint.
    Datapoint = "datapoint" | "datapoint_id", Text, SPAN;
    /// Class and message of the error.
    Error = "error", Content, SPAN;
    /// Source file.
    File = "file", Text, INNER;
    /// Function of the source.
    Function = "function", Text, INNER;
    /// What went in.
    Inputs = "inputs" | "input", Json, SPAN;
    /// What came out.
    Outputs = "outputs" | "output", Json, SPAN;
    /// Metadata.
    Metadata = "metadata", Json, SPAN;
    /// Metrics.
    Metrics = "metrics", Json, SPAN;
    /// Feedback.
    Feedback = "feedback", Json, SPAN;
    /// Configuration.
    Config = "config", Json, SPAN;
    /// Properties of the user.
    UserProperties = "user_properties", Json, SPAN;
    /// Attributes as received; of a log record its data.
    Attributes = "attributes" | "attrs", Json, INNER;
    /// Level of the log record: debug, info, warning, error.
    Level = "level", Word(LEVELS), LOG;
    /// Name of the logger.
    Logger = "logger", Text, LOG;
}

#[cfg(test)]
mod tests {
    use aitrace_model::{EventType, Level, SpanKind, TraceStatus};

    use super::*;

    #[test]
    fn words_are_those_of_the_model() {
        assert!(
            STATUSES.iter().eq(TraceStatus::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().iter())
        );
        assert!(KINDS.iter().eq(SpanKind::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().iter()));
        assert!(
            EVENT_TYPES.iter().eq(EventType::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().iter())
        );
        assert!(LEVELS.iter().eq(Level::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().iter()));
    }

    #[test]
    fn names_are_their_own() {
        for field in Field::ALL {
            assert_eq!(Field::from_word(field.as_str()), Some(*field));
            assert!(!field.doc().is_empty());
        }
        assert_eq!(Field::from_word("session_id"), Some(Field::Session));
    }
}
