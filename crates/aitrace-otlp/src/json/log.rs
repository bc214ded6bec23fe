//! LogRecord.

use aitrace_model::RawLog;
use serde::de::{Error as _, MapAccess};

use super::message::{Fill, Message, skip};
use super::request::Signal;
use super::scalar::{Enum, Word};
use super::span::{nanos, small};
use super::value::{attributes, fill, text};
use crate::draft::{LogDraft, Origin};
use crate::tally::Tally;

const SEVERITIES: Enum = Enum {
    prefix: "SEVERITY_NUMBER_",
    names: &[
        "UNSPECIFIED",
        "TRACE",
        "TRACE2",
        "TRACE3",
        "TRACE4",
        "DEBUG",
        "DEBUG2",
        "DEBUG3",
        "DEBUG4",
        "INFO",
        "INFO2",
        "INFO3",
        "INFO4",
        "WARN",
        "WARN2",
        "WARN3",
        "WARN4",
        "ERROR",
        "ERROR2",
        "ERROR3",
        "ERROR4",
        "FATAL",
        "FATAL2",
        "FATAL3",
        "FATAL4",
    ],
};

impl Signal for RawLog {
    const REQUEST: &'static str = "an ExportLogsServiceRequest";
    const OF_RESOURCE: [&'static str; 2] = ["resourceLogs", "resource_logs"];
    const OF_SCOPE: [&'static str; 2] = ["scopeLogs", "scope_logs"];
    const ITEMS: [&'static str; 2] = ["logRecords", "log_records"];

    fn read(json: &str, origin: &Origin, tally: &mut Tally<'_>) -> Result<Self, String> {
        let mut draft = LogDraft::default();
        fill(json, &mut draft, tally)?;
        Ok(draft.finish(origin))
    }
}

impl<'de> Message<'de> for LogDraft {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        log_field(self, name, map, tally).map_err(|error| A::Error::custom(format_args!("{name}: {error}")))
    }
}

fn log_field<'de, A: MapAccess<'de>>(
    log: &mut LogDraft,
    name: &str,
    map: &mut A,
    tally: &mut Tally<'_>,
) -> Result<(), A::Error> {
    match name {
        "traceId" | "trace_id" => log.trace_id = id(map, tally)?,
        "spanId" | "span_id" => log.span_id = id(map, tally)?,
        "timeUnixNano" | "time_unix_nano" => log.time = nanos(map)?,
        "observedTimeUnixNano" | "observed_time_unix_nano" => log.observed = nanos(map)?,
        "severityNumber" | "severity_number" => log.severity = map.next_value_seed(SEVERITIES)?.unwrap_or(0),
        "severityText" | "severity_text" => log.severity_text = text(map, tally)?,
        "eventName" | "event_name" => log.event_name = text(map, tally)?,
        "droppedAttributesCount" | "dropped_attributes_count" => log.dropped_attributes = small(map)?,
        "flags" => log.flags = small(map)?,
        "attributes" => attributes(&mut log.attributes, map, tally)?,
        "body" => {
            tally.value().map_err(A::Error::custom)?;
            map.next_value_seed(Fill { message: &mut log.body, depth: 1, tally })?;
        }
        _ => skip(map)?,
    }
    Ok(())
}

/// An id; the specification says that a log record with an id that is none belongs to no trace.
fn id<'de, T, A>(map: &mut A, tally: &mut Tally<'_>) -> Result<Option<T>, A::Error>
where
    T: std::str::FromStr,
    A: MapAccess<'de>,
{
    let Some(Word(text)) = map.next_value::<Option<Word<'de>>>()? else { return Ok(None) };
    let id = text.parse().ok();
    if id.is_none() && text.bytes().any(|digit| digit != b'0') {
        tally.salvaged_id();
    }
    Ok(id)
}
