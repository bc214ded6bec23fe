//! OpenTelemetry's own exporters for Python over gRPC. Skipped, with a word on stderr, where the interpreter
//! `AITRACE_TEST_PYTHON` (else `python3`) has no `opentelemetry-exporter-otlp-proto-grpc`.

use std::process::Command;

use crate::rig::Rig;

const PROGRAM: &str = r#"
import logging, sys
import grpc
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry._logs import LogRecord, SeverityNumber

for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
    where = dict(endpoint=sys.argv[1], insecure=True, compression=compression)
    spans, logs = TracerProvider(), LoggerProvider()
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**where)))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**where)))
    tracer, logger = spans.get_tracer("t"), logs.get_logger("t")
    for number in range(600):
        with tracer.start_as_current_span(f"span {number}"):
            if number == 0:
                logger.emit(LogRecord(timestamp=1769860800000000000, severity_number=SeverityNumber.WARN, body="hé"))
    spans.shutdown()
    logs.shutdown()
"#;

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "names the interpreter of a test, and what is skipped"
)]
fn exporters_for_python_are_served() {
    let python = std::env::var("AITRACE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let run = |program: &str, argument: &str| Command::new(&python).args(["-c", program, argument]).output();
    let import = "import opentelemetry.exporter.otlp.proto.grpc.trace_exporter, opentelemetry.sdk";
    if !run(import, "").is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: {python} has no opentelemetry-exporter-otlp-proto-grpc");
        return;
    }
    let rig = Rig::start();
    let done = run(PROGRAM, &rig.ingest.to_string()).unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && said.is_empty(), "{said}");
    let list = rig.get("/api/traces?limit=500").json();
    let mut traces = list["traces"].as_array().unwrap().len();
    let mut next = list["next"].as_str().map(str::to_owned);
    while let Some(cursor) = next {
        let page = rig.get(&format!("/api/traces?limit=500&cursor={cursor}")).json();
        traces += page["traces"].as_array().unwrap().len();
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(traces, 1200);
    let first = rig.get("/api/traces?q=span%200&limit=10").json()["traces"][0].clone();
    let trace = rig.get(&format!("/api/trace/{}", first["trace_id"].as_str().unwrap())).json();
    assert_eq!((&trace["logs"][0]["event"], &trace["logs"][0]["level"]), (&"hé".into(), &"warning".into()));
    assert_eq!(trace["logs"][0]["span_id"], trace["spans"][0]["span_id"]);
}
