//! `aitrace demo`: a small traced agent, to have something to look at.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::api::TraceLine;
use crate::args;
use crate::client::Client;
use crate::failure::Failure;
use crate::local::Hub;
use crate::output;

/// Slow enough to watch it grow.
const PACE: Duration = Duration::from_millis(50);
/// How long what is left may take to be sent.
const SEND: Duration = Duration::from_secs(10);

pub(super) fn run(args: &args::Demo) -> Result<ExitCode> {
    let hub = Hub::find(&args.server, &args.data)?;
    output::note(&format!("an agent runs; its trace grows at {}", hub.url().as_str()));
    let told = trace(args, &hub);
    hub.close()?;
    told?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the agent and tells where its trace is.
fn trace(args: &args::Demo, hub: &Hub) -> Result<()> {
    #[derive(Deserialize)]
    struct Page {
        traces: Vec<TraceLine>,
    }
    let url = hub.url().as_str();
    let tracer = aitrace::Tracer::builder().project("demo").source("demo").target(url).build();
    let session = tracer.identity().session().id.clone();
    let pace = if args.fast { Duration::ZERO } else { PACE };
    let answer = aitrace_example_agent::run(&tracer, pace).context("the agent did not come to an end");
    let sent = tracer.shutdown(SEND);
    if !sent.ok {
        let message =
            format!("not all of the trace was sent: {} remain, lost: {:?}", sent.remaining, sent.dropped);
        return Err(Failure::new(message, "see whether the server still runs").into());
    }
    let answer = answer?;
    let client = Client::new(hub.url().clone());
    let page: Page = client.get_json("/api/traces", &[("session_id", &session)])?;
    let Some(line) = page.traces.first() else {
        return Err(Failure::new("the server has no trace of the agent", "its log may say why").into());
    };
    let page = format!("{url}/trace/{}", line.trace_id);
    if args.json {
        let told = serde_json::json!({ "trace_id": line.trace_id, "url": page, "spans": line.spans });
        return output::answer(&told.to_string());
    }
    output::note(&format!("the agent says: {}", crate::text::clean(&answer.text)));
    output::answer(&page)?;
    if matches!(hub, Hub::Own(_)) {
        output::note("`aitrace serve` shows it again");
    }
    Ok(())
}
