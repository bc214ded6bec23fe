//! Runs the agent once and prints its answer. Where the trace goes is set by `AITRACE_TARGET` or
//! `AITRACE_SERVER_URL`; default is `http://localhost:8000`.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let tracer = aitrace::Tracer::builder().project("demo").service("agent").session_name("rust").build();
    let answer = aitrace_example_agent::run(&tracer, Duration::from_millis(50));
    let flushed = tracer.shutdown(Duration::from_secs(5));
    let (text, failed) = match &answer {
        Ok(answer) => (format!("{}\n", answer.text), false),
        Err(error) => (format!("{error}\n"), true),
    };
    let said = if failed {
        std::io::stderr().write_all(text.as_bytes())
    } else {
        std::io::stdout().write_all(text.as_bytes())
    };
    let lost = flushed.remaining + flushed.dropped.values().sum::<u64>();
    let told = writeln!(std::io::stderr(), "trace: {} sent, {lost} not sent", flushed.sent);
    if failed || said.is_err() || told.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
