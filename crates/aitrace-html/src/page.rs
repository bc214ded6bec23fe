//! The page around the traces.

use crate::escape::text;
use crate::row;
use crate::trace::{SpanView, TraceView};

/// Nothing from outside, no script: also where this page escapes something badly, nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("page.css");

pub(crate) fn write(title: &str, traces: &[TraceView<'_>]) -> String {
    let mut out = String::with_capacity(16 << 10);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"");
    text(&mut out, POLICY);
    out.push_str("\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    text(&mut out, title);
    out.push_str("</title>\n<style>\n");
    out.push_str(STYLE);
    out.push_str("</style>\n</head>\n<body>\n<header>\n<h1>");
    text(&mut out, title);
    out.push_str("</h1>\n<p>");
    text(&mut out, &overview(traces));
    out.push_str("</p>\n</header>\n<main>\n");
    for trace in traces {
        write_trace(&mut out, trace);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn overview(traces: &[TraceView<'_>]) -> String {
    let spans: usize = traces.iter().map(|trace| trace.spans.len()).sum();
    let failed: usize =
        traces.iter().map(|trace| trace.spans.iter().filter(|span| row::failed(span)).count()).sum();
    let of_spans = |trace: &TraceView<'_>| trace.spans.iter().map(|span| span.logs.len()).sum::<usize>();
    let logs: usize = traces.iter().map(|trace| trace.logs.len() + of_spans(trace)).sum();
    let named = traces.iter().filter(|trace| trace.id.is_some()).count();
    format!("{named} traces, {spans} spans, {failed} failed, {logs} log records")
}

fn write_trace(out: &mut String, trace: &TraceView<'_>) {
    out.push_str("<section>\n<h2>");
    text(out, trace.spans.first().map_or("Log records", |root| root.name));
    out.push_str("</h2>\n<p class=\"about\">");
    let mut about = vec![format!("{} UTC", row::moment(trace.start()))];
    if !trace.spans.is_empty() {
        about.push(row::duration(trace.end().since(trace.start())));
    }
    about.extend(trace.id.map(|id| format!("trace {id}")));
    about.extend(meta(trace));
    text(out, &about.join(" · "));
    out.push_str("</p>\n");
    let bounds = (trace.start(), trace.end());
    for span in &trace.spans {
        row::write_span(out, span, bounds);
    }
    for log in &trace.logs {
        row::write_log(out, log);
    }
    out.push_str("</section>\n");
}

/// Project, source and session, as the first span has them.
fn meta(trace: &TraceView<'_>) -> Vec<String> {
    let meta = trace.spans.first().map(|span: &SpanView<'_>| &span.record.meta);
    let meta = meta.or(trace.logs.first().map(|log| &log.meta));
    let Some(meta) = meta else { return Vec::new() };
    let named = [("project", &meta.project), ("source", &meta.source), ("session", &meta.session_id)];
    named.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect()
}
