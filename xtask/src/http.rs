//! Just enough HTTP to ask a server on this machine: one GET, version 1.0, so that the answer is whole and unchunked.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks `base` (`http://127.0.0.1:PORT`) for a path and reads JSON.
pub(crate) fn get_json(base: &str, path: &str) -> Result<Value> {
    let body = get(base, path)?;
    serde_json::from_slice(&body).with_context(|| format!("the answer to {path} is not JSON"))
}

/// Asks `base` for a path; an error unless the status is 200.
pub(crate) fn get(base: &str, path: &str) -> Result<Vec<u8>> {
    let address = base.strip_prefix("http://").context("the address is not http://")?.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).with_context(|| format!("nothing answers at {base}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: */*\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("no whole answer to {path}"))?;
    split(&answer).with_context(|| format!("asking {base}{path}"))
}

fn split(answer: &[u8]) -> Result<Vec<u8>> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("the answer is not HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        bail!("status {status}: {}", String::from_utf8_lossy(&answer[end + 4..]));
    }
    Ok(answer[end + 4..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_split_and_refusals_are_told() {
        assert_eq!(split(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}\r\n\r\n").expect("fine"), b"{}\r\n\r\n");
        let error = split(b"HTTP/1.0 404 Not Found\r\n\r\nno such trace").expect_err("404").to_string();
        assert!(error.contains("404") && error.contains("no such trace"));
        assert!(split(b"nonsense").is_err());
    }
}
