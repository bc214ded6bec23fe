//! Attribute keys that we write on the wire. Standard keys where a standard has one
//! (OpenTelemetry semantic conventions, OpenInference), ours below `aitrace.` otherwise.

/// Project of a span or of all spans of a resource.
pub const PROJECT: &str = "aitrace.project";
/// Environment of a span or of all spans of a resource.
pub const SOURCE: &str = "aitrace.source";
/// `start` or `heartbeat` on a span that has not ended; absent on its end.
pub const LIFECYCLE: &str = "aitrace.lifecycle";
/// HoneyHive's event type: model, tool, chain, session.
pub const EVENT_TYPE: &str = "aitrace.event_type";
/// Name of the session.
pub const SESSION_NAME: &str = "aitrace.session_name";
/// Evaluation run.
pub const RUN_ID: &str = "aitrace.run_id";
/// Evaluation dataset.
pub const DATASET_ID: &str = "aitrace.dataset_id";
/// Evaluation datapoint.
pub const DATAPOINT_ID: &str = "aitrace.datapoint_id";
/// User's metrics as JSON text.
pub const METRICS: &str = "aitrace.metrics";
/// User's feedback as JSON text.
pub const FEEDBACK: &str = "aitrace.feedback";
/// User's configuration as JSON text.
pub const CONFIG: &str = "aitrace.config";
/// Properties of the user as JSON text.
pub const USER_PROPERTIES: &str = "aitrace.user_properties";
/// Last attribute of an exported span or log record: JSON text of what OTLP has no place for.
pub const EXACT: &str = "aitrace.exact";
/// Set to true on a span that its owner dropped without ending it.
pub const ABANDONED: &str = "aitrace.abandoned";
/// Baggage key and attribute with the id of the tracer that recorded a span.
pub const TRACER_ID: &str = "aitrace.tracer_id";

/// On a finished span: how many spans of its trace the sender has lost since it last said so (an integer;
/// the sum over a trace's spans is what the trace lost, as far as that is known).
pub const LOST_IN_TRACE: &str = "aitrace.lost.trace";
/// On a finished span: how many spans and log records its tracer has lost since it last said so, of this
/// trace and of others (an integer).
pub const LOST: &str = "aitrace.lost.total";
/// Beside [`LOST`]: JSON text of an object from reason (`queue_full`, `http_400`, …) to count.
pub const LOST_REASONS: &str = "aitrace.lost.reasons";
/// On a finished span: what its tracer's rules left out since it last said so: JSON text of an object from rule
/// to spans and log records.
pub const FILTERED: &str = "aitrace.filtered";
/// On a finished span: what its tracer masked since it last said so: JSON text of an object from rule to values.
pub const MASKED: &str = "aitrace.masked";

/// OpenInference: kind of the span, upper case (LLM, CHAIN, TOOL, …).
pub const SPAN_KIND: &str = "openinference.span.kind";
/// OpenInference: what went in.
pub const INPUT_VALUE: &str = "input.value";
/// OpenInference: `application/json` or `text/plain`.
pub const INPUT_MIME_TYPE: &str = "input.mime_type";
/// OpenInference: what came out.
pub const OUTPUT_VALUE: &str = "output.value";
/// OpenInference: `application/json` or `text/plain`.
pub const OUTPUT_MIME_TYPE: &str = "output.mime_type";
/// OpenInference: user's metadata as JSON text.
pub const METADATA: &str = "metadata";
/// OpenTelemetry and OpenInference: session.
pub const SESSION_ID: &str = "session.id";
/// OpenTelemetry and OpenInference: user.
pub const USER_ID: &str = "user.id";
/// OpenTelemetry: service, on the resource.
pub const SERVICE_NAME: &str = "service.name";
/// OpenTelemetry: source file.
pub const CODE_FILE: &str = "code.file.path";
/// OpenTelemetry: line.
pub const CODE_LINE: &str = "code.line.number";
/// OpenTelemetry: function.
pub const CODE_FUNCTION: &str = "code.function.name";
/// OpenTelemetry: name of the event that carries an exception.
pub const EXCEPTION_EVENT: &str = "exception";
/// OpenTelemetry: class of an exception.
pub const EXCEPTION_TYPE: &str = "exception.type";
/// OpenTelemetry: message of an exception.
pub const EXCEPTION_MESSAGE: &str = "exception.message";
/// OpenTelemetry: stack of an exception.
pub const EXCEPTION_STACKTRACE: &str = "exception.stacktrace";
