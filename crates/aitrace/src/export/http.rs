//! OTLP over HTTP, and trace records to `/api/ingest`.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{Clock as _, SystemClock};
use aitrace_otlp::{Encoding, decode_response, encode_traces};
use ureq::http::{HeaderMap, StatusCode};

use super::answer::{self, Fault};
use super::{Batch, Exported, Exporter, records};

/// Bodies below this size are not worth compressing.
const GZIP_FROM: usize = 1024;
/// Longest answer that is read, after decompression.
const MAX_ANSWER: u64 = 4 << 20;
const INGEST: &str = "/api/ingest";
const TRACES: &str = "/v1/traces";

/// What the HTTP exporter needs besides the URL.
#[derive(Clone)]
pub(crate) struct HttpOptions {
    pub(crate) api_key: Option<Arc<str>>,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    pub(crate) compat_mode: bool,
}

/// Sends spans as OTLP to a base URL and log records to its `/api/ingest`; where the URL is that of
/// `/api/ingest`, spans go there too, as records.
pub(crate) struct Http {
    agent: ureq::Agent,
    traces: Option<String>,
    ingest: String,
    options: HttpOptions,
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
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .timeout_connect(Some(options.timeout.min(Duration::from_secs(5))))
            .http_status_as_error(false)
            // A redirect would carry the spans, and perhaps the key, to somebody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_age(Duration::from_secs(30))
            .user_agent(concat!("aitrace/", env!("CARGO_PKG_VERSION")));
        if answer::is_loopback(base) {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), traces, ingest, options }
    }

    fn post(&self, url: &str, body: Vec<u8>, content_type: &str) -> Result<Answer, Fault> {
        let mut request = self.agent.post(url).header("Content-Type", content_type);
        if let Some(key) = &self.options.api_key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let body = if self.options.gzip && body.len() >= GZIP_FROM {
            request = request.header("Content-Encoding", "gzip");
            compress(&body)
        } else {
            body
        };
        let mut response = request.send(&body[..]).map_err(|error| answer::fault_of(&error))?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            // The status has come, so the server has decided; a body that breaks off is no body of ours.
            body: body.map_err(|error| answer::fault_of(&error))?,
        })
    }

    fn export_otlp(&self, url: &str, batch: &Batch) -> Result<u64, Fault> {
        let raw: Vec<_> = batch.spans.iter().map(crate::SpanData::to_raw).collect();
        let encoding = Encoding::Protobuf;
        let answer = self.post(url, encode_traces(&raw), encoding.content_type())?;
        answer.check()?;
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
        let body = format!("[{}]", lines.join(","));
        let answer = self.post(&self.ingest, body.into_bytes(), "application/json")?;
        answer.check()?;
        let value: serde_json::Value = serde_json::from_slice(&answer.body).map_err(|_| Fault::NotOurs)?;
        if value.get("ingested").is_none() {
            return Err(Fault::NotOurs);
        }
        let rejected = value.get("rejected").and_then(serde_json::Value::as_array);
        Ok(rejected.map_or(0, |rejected| rejected.len() as u64))
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
        if self.status.is_success() {
            return Ok(());
        }
        let status = self.status.as_u16();
        if !matches!(status, 429 | 502 | 503 | 504) {
            return Err(Fault::Refused(status));
        }
        let header = self.headers.get("retry-after").and_then(|value| value.to_str().ok());
        Err(Fault::Passing {
            reason: format!("http_{status}"),
            after: header.and_then(|text| answer::retry_after(text, SystemClock.now())),
        })
    }

    /// The media type without its parameters.
    fn content_type(&self) -> &str {
        let header = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        header.and_then(|text| text.split(';').next()).unwrap_or_default().trim()
    }
}

fn compress(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(body).expect("a Vec takes everything");
    out.finish().expect("a Vec takes everything")
}
