//! Requests of OTLP/JSON: one a line, as the file exporter of OpenTelemetry's Collector writes them, or spread over lines.

use std::io::Read;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::batches::{Batches, LINE_BYTES};
use crate::client::OtlpAnswer;

/// What a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

#[derive(Deserialize)]
struct Keys {
    #[serde(rename = "resourceSpans", alias = "resource_spans")]
    spans: Option<IgnoredAny>,
    #[serde(rename = "resourceLogs", alias = "resource_logs")]
    logs: Option<IgnoredAny>,
    #[serde(rename = "resourceMetrics", alias = "resource_metrics")]
    metrics: Option<IgnoredAny>,
    #[serde(rename = "__tracer_meta__")]
    record: Option<IgnoredAny>,
}

/// The signals that a line is a request of; none where it is something else.
pub(crate) fn signals(line: &[u8]) -> Vec<Signal> {
    const START: usize = 4096;
    // Most lines are trace records, whose contents need not be gone through.
    let start = String::from_utf8_lossy(&line[..line.len().min(START)]);
    if !start.contains("esource") {
        return Vec::new();
    }
    let Ok(keys) = serde_json::from_slice::<Keys>(line) else { return Vec::new() };
    if keys.record.is_some() {
        return Vec::new();
    }
    let known = [
        (Signal::Traces, keys.spans.is_some()),
        (Signal::Logs, keys.logs.is_some()),
        (Signal::Metrics, keys.metrics.is_some()),
    ];
    known.into_iter().filter_map(|(signal, there)| there.then_some(signal)).collect()
}

/// Whether a file that begins so is a request that is spread over lines.
pub(super) fn is_spread(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head));
    let Some((first, _)) = head.trim_start().split_once('\n') else { return false };
    first.starts_with('{')
        && serde_json::from_str::<IgnoredAny>(first).is_err()
        && ["\"resourceSpans\"", "\"resourceLogs\"", "\"resource_spans\"", "\"resource_logs\""]
            .iter()
            .any(|key| head.contains(key))
}

/// Sends requests that are spread over lines; each is named by the line that it begins in.
pub(super) fn send_spread(mut input: impl Read, to: &mut Batches<'_>) -> Result<()> {
    let mut text = Vec::new();
    let most = LINE_BYTES as u64;
    input
        .by_ref()
        .take(most + 1)
        .read_to_end(&mut text)
        .with_context(|| format!("cannot read {}", to.name))?;
    if text.len() as u64 > most {
        let why = "a request that is spread over lines may have 64 MiB: write each on a line of its own";
        to.report.reject(&to.name, 1, why);
        return Ok(());
    }
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
    let mut requests = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    loop {
        let begin = requests.byte_offset();
        let line_of = |at: usize| text[..at].split(|byte| *byte == b'\n').count() as u64;
        let blank = text[begin..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match requests.next() {
            None => return Ok(()),
            Some(Ok(request)) => {
                let (line, request) = (line_of(begin + blank), request.get().as_bytes());
                let signals = signals(request);
                if signals.is_empty() {
                    to.report.reject(&to.name, line, "it is no request of OTLP");
                }
                signals.into_iter().try_for_each(|signal| send(to, line, signal, request))?;
            }
            Some(Err(error)) => {
                to.report.reject(&to.name, error.line() as u64, &format!("it is not JSON: {error}"));
                return Ok(());
            }
        }
    }
}

/// Sends one request.
pub(super) fn send(to: &mut Batches<'_>, number: u64, signal: Signal, request: &[u8]) -> Result<()> {
    let path = match signal {
        Signal::Traces => "/v1/traces",
        Signal::Logs => "/v1/logs",
        Signal::Metrics => {
            to.report.reject(&to.name, number, "metrics are not kept");
            return Ok(());
        }
    };
    let sent = to.client.otlp(path, request);
    match sent.with_context(|| format!("cannot import {} from line {number} on", to.name))? {
        OtlpAnswer::Taken { rejected, message } => {
            to.report.ingested += items(request, signal).saturating_sub(rejected);
            if rejected > 0 {
                to.report.reject(&to.name, number, &message);
                to.report.rejected_total += rejected - 1;
            }
        }
        OtlpAnswer::Refused(why) => to.report.reject(&to.name, number, &why),
    }
    Ok(())
}

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "resourceSpans", alias = "resource_spans")]
    spans: Option<Vec<OfResource>>,
    #[serde(rename = "resourceLogs", alias = "resource_logs")]
    logs: Option<Vec<OfResource>>,
}

#[derive(Deserialize)]
struct OfResource {
    #[serde(rename = "scopeSpans", alias = "scope_spans", alias = "scopeLogs", alias = "scope_logs")]
    scopes: Option<Vec<OfScope>>,
}

#[derive(Deserialize)]
struct OfScope {
    #[serde(alias = "spans", alias = "logRecords", alias = "log_records")]
    items: Option<Vec<IgnoredAny>>,
}

/// Number of spans or log records in a request, as far as it is of its form.
pub(crate) fn items(request: &[u8], signal: Signal) -> u64 {
    let Ok(request) = serde_json::from_slice::<Request>(request) else { return 0 };
    let of = if signal == Signal::Logs { request.logs } else { request.spans };
    let scopes = of.into_iter().flatten().filter_map(|of| of.scopes).flatten();
    scopes.map(|scope| scope.items.map_or(0, |items| items.len() as u64)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str =
        r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{},{}]},{"spans":null}]}]}"#;

    #[test]
    fn requests_are_known_by_their_keys() {
        let of = |line: &str| signals(line.as_bytes());
        assert_eq!(of(REQUEST), [Signal::Traces]);
        assert_eq!(of(r#"{"resource_logs":[],"x":1}"#), [Signal::Logs]);
        assert_eq!(of(r#"{"resourceMetrics":[]}"#), [Signal::Metrics]);
        for other in [
            "{}",
            "[1]",
            r#"{"resourceSpans":1,"__tracer_meta__":{}}"#,
            r#"{"resourceSpans":["#,
            "resourceSpans",
        ] {
            assert_eq!(of(other), [], "{other}");
        }
        assert_eq!(items(REQUEST.as_bytes(), Signal::Traces), 2);
        assert_eq!(items(REQUEST.as_bytes(), Signal::Logs), 0);
    }

    #[test]
    fn what_is_spread_over_lines_is_known() {
        let spread = REQUEST.replace(',', ",\n");
        assert!(is_spread(spread.as_bytes()));
        assert!(is_spread(format!("\u{feff}\n  {}", REQUEST.replace('{', "{\n")).as_bytes()));
        for other in [REQUEST, &format!("{REQUEST}\n{REQUEST}\n"), "{\n\"__tracer_meta__\": 1}", "{", ""] {
            assert!(!is_spread(other.as_bytes()), "{other}");
        }
    }
}
