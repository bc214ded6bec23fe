//! `aitrace doctor`: looks at the stored data, mends it, copies it. No server is needed.

use std::process::ExitCode;

use aitrace_model::{Clock as _, SystemClock};
use aitrace_store_embedded::doctor::{self, CONTRACT, Report};
use anyhow::{Context as _, Result};

use crate::asks;
use crate::output::{self, Output};
use crate::serving;

pub(super) fn run(args: &asks::Doctor) -> Result<ExitCode> {
    let dir = serving::data_dir(&args.data)?;
    let shown = dir.display();
    if let Some(target) = &args.backup {
        doctor::backup(&dir, target).with_context(|| format!("cannot copy {shown}"))?;
        output::note(&format!("copied {shown} to {}", target.display()));
    }
    if args.repair {
        let mended =
            doctor::repair(&dir, SystemClock.now()).with_context(|| format!("cannot mend {shown}"))?;
        output::note(if mended { "the database was made anew" } else { "the database needed no mending" });
    }
    let report = doctor::examine(&dir).with_context(|| format!("cannot look at {shown}"))?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["good"] = report.is_good().into();
        json["contract"] = serde_json::to_value(CONTRACT)?;
        output::answer(&serde_json::to_string(&json)?)?;
    } else {
        print(&report)?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report) -> Result<()> {
    let mut out = Output::stdout();
    let schema = report.schema.map_or("unreadable".to_owned(), |schema| schema.to_string());
    out.line(&format!("tables     version {schema}, this program knows {}", report.newest_schema))?;
    out.line(&format!("SQLite     {}", report.sqlite))?;
    out.line(&format!("database   {}", if report.database.is_empty() { "sound" } else { "damaged" }))?;
    for line in &report.database {
        out.line(&format!("  {line}"))?;
    }
    out.line(&format!("files      {} sound, {} damaged", report.good_files, report.bad_files.len()))?;
    for (name, why) in &report.bad_files {
        out.line(&format!("  {name}: {why}"))?;
    }
    out.line(&format!("log        {} batches not sealed yet", report.log_rows))?;
    for problem in &report.problems {
        out.line(&format!("earlier    {}", problem.text))?;
    }
    for name in &report.set_aside {
        out.line(&format!("set aside  {name}"))?;
    }
    out.line("promises")?;
    for promise in CONTRACT {
        out.line(&format!("  {}: {}", promise.promise, promise.how))?;
    }
    out.flush()
}
