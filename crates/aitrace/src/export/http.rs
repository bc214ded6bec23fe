//! OTLP over HTTP, and trace records to `/api/ingest`.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aitrace_model::{Clock as _, SystemClock};
use aitrace_otlp::{Encoding, decode_response, encode_traces};
use ureq::http::{HeaderMap, StatusCode};

use super::answer::{self, Fault};
use super::{Batch, Exported, Exporter, agent, records};

/// Bodies below this size are not worth compressing.
const GZIP_FROM: usize = 1024;
/// Largest request, before compression: what OTLP receivers take by default.
const MAX_REQUEST: usize = 64 << 20;
/// Longest answer that is read, after decompression.
const MAX_ANSWER: u64 = 4 << 20;
const INGEST: &str = "/api/ingest";
const TRACES: &str = "/v1/traces";

/// What the HTTP exporter needs besides the URL.
#[derive(Clone, Default)]
pub(crate) struct HttpOptions {
    pub(crate) api_key: Option<Arc<str>>,
    /// More headers, names in lower case. One named `authorization` stands instead of the key.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    pub(crate) compat_mode: bool,
    /// Where spans go if not to `/v1/traces` below the URL.
    pub(crate) traces_url: Option<String>,
    /// A proxy; else the one of the environment, if the server is on another machine.
    pub(crate) proxy: Option<String>,
    /// A PEM file with the certificates to trust instead of the usual ones.
    pub(crate) certificate: Option<PathBuf>,
}

/// Sends spans as OTLP to a base URL and log records to its `/api/ingest`; where the URL is that of
/// `/api/ingest`, spans go there too, as records.
pub(crate) struct Http {
    agent: ureq::Agent,
    traces: Option<String>,
    ingest: String,
    options: HttpOptions,
    /// The smallest request of several items that was refused for its size.
    refused: AtomicUsize,
}

/// An answer that came.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Http {
    pub(crate) fn new(url: &str, options: HttpOptions) -> Self {
        let base = url.trim_end_matches('/');
        let (traces, ingest) = match (base.strip_suffix(INGEST), base.strip_suffix(TRACES)) {
            (Some(_), _) => (None, base.to_owned()),
            (None, Some(root)) => (Some(base.to_owned()), format!("{root}{INGEST}")),
            (None, None) => (Some(format!("{base}{TRACES}")), format!("{base}{INGEST}")),
        };
        let traces = options.traces_url.clone().or(traces);
        let refused = AtomicUsize::new(MAX_REQUEST + 1);
        Self { agent: agent::make(base, &options), traces, ingest, options, refused }
    }

    fn post(&self, url: &str, body: Vec<u8>, content_type: &str) -> Result<Answer, Fault> {
        let mut request = self.agent.post(url).header("Content-Type", content_type);
        let own_key = self.options.headers.iter().any(|(name, _)| name == "authorization");
        if let Some(key) = self.options.api_key.as_ref().filter(|_| !own_key) {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        for (name, value) in &self.options.headers {
            request = request.header(name, value);
        }
        let body = if self.options.gzip && body.len() >= GZIP_FROM {
            request = request.header("Content-Encoding", "gzip");
            compress(&body)
        } else {
            body
        };
        let mut response = request.send(&body[..]).map_err(|error| answer::fault_of(&error))?;
        let status = response.status();
        let body = match read(response.body_mut()) {
            Ok(body) => body,
            // A server that refuses need not be heard to the end.
            Err(_) if !status.is_success() => Vec::new(),
            Err(fault) => return Err(fault),
        };
        Ok(Answer { status, headers: response.headers().clone(), body })
    }

    /// Posts a batch of `items`, unless its size was refused before.
    fn post_batch(&self, url: &str, body: Vec<u8>, kind: &str, items: usize) -> Result<Answer, Fault> {
        let size = body.len();
        if size > MAX_REQUEST || (items > 1 && size >= self.refused.load(Ordering::Relaxed)) {
            return Err(Fault::TooLarge("too_large".to_owned()));
        }
        let answer = self.post(url, body, kind)?;
        let checked = answer.check();
        if items > 1 && matches!(checked, Err(Fault::TooLarge(_))) {
            self.refused.fetch_min(size, Ordering::Relaxed);
        }
        checked.map(|()| answer)
    }

    fn export_otlp(&self, url: &str, batch: &Batch) -> Result<u64, Fault> {
        let raw: Vec<_> = batch.spans.iter().map(crate::SpanData::to_raw).collect();
        let encoding = Encoding::Protobuf;
        let answer = self.post_batch(url, encode_traces(&raw), encoding.content_type(), batch.len())?;
        let encoding = match answer.content_type() {
            "application/x-protobuf" => Encoding::Protobuf,
            "application/json" => Encoding::Json,
            // An empty message is what most receivers answer; some do not say what it is empty of.
            _ if answer.body.is_empty() => return Ok(0),
            _ => return Err(Fault::NotOurs),
        };
        let success = decode_response(&answer.body, encoding).map_err(|_| Fault::NotOurs)?;
        Ok(success.rejected)
    }

    fn export_records(&self, batch: &Batch) -> Result<u64, Fault> {
        let lines = records::lines(batch, self.options.compat_mode);
        if lines.is_empty() {
            return Ok(0);
        }
        let body = format!("[{}]", lines.join(",")).into_bytes();
        let answer = self.post_batch(&self.ingest, body, "application/json", batch.len())?;
        answer.rejected_records()
    }

    /// Sends lines of trace records that were spooled; how many of them were rejected.
    pub(crate) fn send_lines(&self, lines: String) -> Result<u64, Fault> {
        let answer = self.post(&self.ingest, lines.into_bytes(), "application/x-ndjson")?;
        // A body of which nothing is good is answered 400 with the same list.
        if answer.status != StatusCode::BAD_REQUEST {
            answer.check()?;
        }
        answer.rejected_records()
    }
}

impl Exporter for Http {
    fn export(&self, batch: &Batch) -> Exported {
        // Spans and log records come in batches of their own where they go to different places.
        let rejected = match &self.traces {
            Some(url) if !batch.spans.is_empty() => self.export_otlp(url, batch),
            _ => self.export_records(batch),
        };
        match rejected {
            Ok(rejected) => Exported::Sent { rejected },
            Err(fault) => fault.into_exported(),
        }
    }

    fn wants_open_spans(&self) -> bool {
        self.traces.is_some()
    }
}

impl Answer {
    fn check(&self) -> Result<(), Fault> {
        let header = self.headers.get("retry-after").and_then(|value| value.to_str().ok());
        answer::check(self.status.as_u16(), header, SystemClock.now())
    }

    /// The media type without its parameters.
    fn content_type(&self) -> &str {
        let header = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        header.and_then(|text| text.split(';').next()).unwrap_or_default().trim()
    }

    /// The number of records that `/api/ingest` rejected.
    fn rejected_records(&self) -> Result<u64, Fault> {
        let value: serde_json::Value = serde_json::from_slice(&self.body).map_err(|_| Fault::NotOurs)?;
        if value.get("ingested").is_none() {
            return Err(Fault::NotOurs);
        }
        let total = value.get("rejected_total").and_then(serde_json::Value::as_u64);
        let listed = value.get("rejected").and_then(serde_json::Value::as_array);
        Ok(total.unwrap_or(listed.map_or(0, |rejected| rejected.len() as u64)))
    }
}

/// Reads an answer up to the limit, which counts what is unpacked; the client's own counts what is sent.
fn read(body: &mut ureq::Body) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let read = body.with_config().limit(MAX_ANSWER).reader().take(MAX_ANSWER + 1).read_to_end(&mut bytes);
    read.map_err(|error| answer::fault_of(&ureq::Error::from(error)))?;
    if bytes.len() as u64 > MAX_ANSWER { Err(Fault::NotOurs) } else { Ok(bytes) }
}

fn compress(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(body).expect("a Vec takes everything");
    out.finish().expect("a Vec takes everything")
}
