//! How fast the server starts, and what it takes when it has nothing to do.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::env::Stopwatch;
use crate::http;
use crate::serve;
use crate::workspace;

/// Starts that are measured; the median is told.
const STARTS: usize = 7;
/// How long it is left alone.
const SETTLE: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(10);
/// Clock ticks of /proc a second, on every Linux.
const TICKS: f64 = 100.0;

/// Figures beside their budgets.
pub(super) fn measure(binary: &Path, data: &Path) -> Result<String> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let watch = Stopwatch::start();
        let server = serve::start(binary, 0, data)?;
        http::get(&server.url, "/healthz")?;
        starts.push(watch.elapsed().as_secs_f64());
        server.running.stop(Duration::from_secs(10))?;
    }
    starts.sort_by(f64::total_cmp);
    let server = serve::start(binary, 0, data)?;
    http::get(&server.url, "/api/traces")?;
    let id = server.running.child.id();
    std::thread::sleep(SETTLE);
    let before = ticks(id)?;
    std::thread::sleep(IDLE);
    let spent = (ticks(id)? - before) / TICKS / IDLE.as_secs_f64() * 100.0;
    let memory = memory(id)?;
    let size = binary.metadata()?.len() as f64 / 1e6;
    let start = starts[STARTS / 2];
    Ok(format!(
        "start to first answer  {start:>7.3} s   budget 0.300, {:.2} of it\n\
         idle memory (RSS)      {memory:>7.1} MB  budget 80.0, {:.2} of it\n\
         idle processor         {spent:>7.2} %\n\
         size of the binary     {size:>7.1} MB",
        start / 0.3,
        memory / 80.0,
    ))
}

fn ticks(id: u32) -> Result<f64> {
    parse_ticks(&proc(id, "stat")?).context("the line of /proc is strange")
}

fn memory(id: u32) -> Result<f64> {
    parse_memory(&proc(id, "status")?).context("/proc says nothing of memory")
}

fn proc(id: u32, file: &str) -> Result<String> {
    workspace::read(Path::new(&format!("/proc/{id}/{file}")))
        .context("memory and idleness are measured on Linux only")
}

/// User and system time of a line of `/proc/PID/stat`: fields 14 and 15, counted behind the name in brackets.
fn parse_ticks(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
}

/// Resident memory in MB of `/proc/PID/status`.
fn parse_memory(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        let stat = "77 (ai) trace) S 1 77 77 0 -1 4194560 900 0 3 0 21 4 0 0 20 0 5 0 99 1 2 3";
        assert_eq!(parse_ticks(stat), Some(25.0));
        assert_eq!(parse_memory("Name:\tx\nVmRSS:\t   10000 kB\n"), Some(10.24));
        assert_eq!(parse_ticks("nonsense"), None);
    }
}
