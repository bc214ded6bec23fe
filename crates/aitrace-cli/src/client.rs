//! HTTP to a server: blocking, with errors that say what to do.

use std::io::{self, BufReader, Read};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, RequestBuilder};

use crate::env;
use crate::failure::Failure;
use crate::settings::ServerUrl;
use crate::sse::Events;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_mins(1);
/// A server on this machine answers a health check at once, or something else listens there.
const HEALTH: Duration = Duration::from_secs(3);
/// How often a request that the server cannot take now is tried, and the longest pause between two tries.
const ATTEMPTS: u32 = 8;
const LONGEST_PAUSE: u64 = 30;

/// A client of one server.
pub(crate) struct Client {
    agent: Agent,
    base: ServerUrl,
    /// What `Authorization` says.
    bearer: Option<String>,
}

impl std::fmt::Debug for Client {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// What the server did with a batch of trace records.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Ingested {
    #[serde(rename = "ingested")]
    pub(crate) count: u64,
    #[serde(default)]
    pub(crate) rejected: Vec<Rejected>,
    /// Set where more were rejected than are listed.
    rejected_total: Option<u64>,
}

impl Ingested {
    /// How many were rejected in all.
    pub(crate) fn rejected_total(&self) -> u64 {
        self.rejected_total.unwrap_or(self.rejected.len() as u64)
    }
}

/// What the server did with a request of OTLP.
#[derive(Debug)]
pub(crate) enum OtlpAnswer {
    /// It was taken, but for so many items, and why.
    Taken { rejected: u64, message: String },
    /// Nothing of it was, and nothing will be.
    Refused(String),
}

/// A record that the server rejected.
#[derive(Debug, Deserialize)]
pub(crate) struct Rejected {
    /// Position in the batch, from 0.
    pub(crate) index: u64,
    /// Why.
    pub(crate) error: String,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: ErrorText,
}

#[derive(Debug, Deserialize)]
struct ErrorText {
    message: String,
    #[serde(default)]
    hint: String,
}

impl Client {
    /// A client of the server at `base`, with the key of `AITRACE_API_KEY` or of the configuration file, if any.
    pub(crate) fn new(base: ServerUrl) -> Self {
        let key = env::text("AITRACE_API_KEY").or_else(|| aitrace::config::current().text("api-key"));
        Self::build(base, key.as_deref())
    }

    /// The same with this key.
    pub(crate) fn with_key(base: ServerUrl, key: &str) -> Self {
        Self::build(base, Some(key))
    }

    fn build(base: ServerUrl, key: Option<&str>) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .user_agent(concat!("aitrace/", env!("CARGO_PKG_VERSION")));
        if base.is_local() {
            // A proxy elsewhere cannot reach this machine.
            config = config.proxy(None);
        }
        let bearer = key.map(|key| format!("Bearer {}", key.trim()));
        Self { agent: config.build().new_agent(), base, bearer }
    }

    /// Whether an aitrace server answers. An error where something else does.
    pub(crate) fn answers(&self) -> Result<bool> {
        #[derive(Deserialize)]
        struct Health {
            status: String,
        }
        let url = self.url("/healthz");
        let request = self.agent.get(&url).config().timeout_global(Some(HEALTH)).build();
        let Ok(mut response) = request.call() else { return Ok(false) };
        let text = response.body_mut().with_config().limit(4096).read_to_string().unwrap_or_default();
        if serde_json::from_str::<Health>(&text).is_ok_and(|health| health.status == "ok") {
            return Ok(true);
        }
        let message = format!("what answers at {} is no aitrace server", self.base.as_str());
        Err(Failure::new(message, "name the server with --server or AITRACE_SERVER_URL").into())
    }

    /// The body of a GET, as a stream.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<impl Read + use<>> {
        let url = self.url(path);
        let request = self.agent.get(&url).query_pairs(query.iter().copied());
        let response = self.authorised(request).call();
        let response = self.good(response)?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// The body of a GET that is answered line by line, as a stream.
    pub(crate) fn get_lines(&self, path: &str, query: &[(&str, &str)]) -> Result<impl Read + use<>> {
        let url = self.url(path);
        let request = self.agent.get(&url).query_pairs(query.iter().copied());
        let request = self.authorised(request).header("accept", "application/x-ndjson");
        let response = self.good(request.call())?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// The JSON of a GET.
    pub(crate) fn get_json<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let mut text = String::new();
        self.get(path, query)?.read_to_string(&mut text).map_err(|error| self.broken_off(&error))?;
        serde_json::from_str(&text).map_err(|error| self.strange(&error))
    }

    /// The JSON that answers a POST of JSON.
    pub(crate) fn post_json<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> Result<T> {
        let request = self.agent.post(self.url(path)).header("content-type", "application/json");
        self.read_json(self.authorised(request).send(body.to_string()))
    }

    /// The JSON that answers a DELETE.
    pub(crate) fn delete_json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.read_json(self.authorised(self.agent.delete(self.url(path))).call())
    }

    fn read_json<T: DeserializeOwned>(&self, response: Result<Response<Body>, ureq::Error>) -> Result<T> {
        let mut response = self.good(response)?;
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string();
        let text = text.map_err(|error| self.unreachable(error))?;
        serde_json::from_str(&text).map_err(|error| self.strange(&error))
    }

    fn authorised<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.bearer {
            Some(bearer) => request.header("authorization", bearer),
            None => request,
        }
    }

    /// The live stream, of one that heard the event `last` before from there on. The inner error may pass.
    pub(crate) fn live(
        &self,
        project: Option<&str>,
        q: Option<&str>,
        last: &str,
    ) -> Result<Result<Events<BufReader<impl Read + use<>>>>> {
        let query = [("project", project), ("q", q)];
        let query = query.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let mut request = self.authorised(self.agent.get(self.url("/api/live")).query_pairs(query));
        if !last.is_empty() {
            request = request.header("last-event-id", last);
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Err(self.unreachable(error))),
        };
        match response.status() {
            StatusCode::OK => {
                let body = response.into_body().into_with_config().limit(u64::MAX).reader();
                Ok(Ok(Events::new(BufReader::new(body), last)))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Ok(Err(self.refused(response)))
            }
            _ => Err(self.refused(response)),
        }
    }

    /// Sends lines of trace records. Waits and tries again while the server says that it cannot take them now.
    pub(crate) fn ingest(&self, lines: &[u8]) -> Result<Ingested> {
        let response = self.post("/api/ingest", "application/x-ndjson", lines)?;
        match response.status() {
            StatusCode::OK | StatusCode::BAD_REQUEST => self.read_ingested(response),
            _ => Err(self.refused(response)),
        }
    }

    /// Sends a request of OTLP/JSON, as patiently.
    pub(crate) fn otlp(&self, path: &str, request: &[u8]) -> Result<OtlpAnswer> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "partialSuccess")]
            partial: Option<Partial>,
        }
        #[derive(Deserialize)]
        struct Partial {
            #[serde(rename = "rejectedSpans", alias = "rejectedLogRecords", default)]
            rejected: serde_json::Value,
            #[serde(rename = "errorMessage", default)]
            message: String,
        }
        #[derive(Deserialize)]
        struct Status {
            message: String,
        }
        let mut response = self.post(path, "application/json", request)?;
        let status = response.status();
        let unfit = [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE];
        if status != StatusCode::OK && !unfit.contains(&status) {
            return Err(self.refused(response));
        }
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string();
        let text = text.map_err(|error| self.unreachable(error))?;
        if status != StatusCode::OK {
            let said = serde_json::from_str::<Status>(&text).map(|status| status.message);
            return Ok(OtlpAnswer::Refused(said.unwrap_or_else(|_| format!("the server answered {status}"))));
        }
        let answer: Answer = serde_json::from_str(&text).map_err(|error| self.strange(&error))?;
        let Some(Partial { rejected, message }) = answer.partial else {
            return Ok(OtlpAnswer::Taken { rejected: 0, message: String::new() });
        };
        // A 64-bit number is a text in OTLP/JSON.
        let number = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
        Ok(OtlpAnswer::Taken { rejected: number.unwrap_or(0), message })
    }

    /// Sends a body, again and again while the server says that it cannot take it now.
    fn post(&self, path: &str, media: &str, body: &[u8]) -> Result<Response<Body>> {
        let url = self.url(path);
        let mut attempt = 1;
        loop {
            let request = self.agent.post(&url).header("content-type", media);
            let response = self.authorised(request).send(body).map_err(|error| self.unreachable(error))?;
            match response.status() {
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if attempt < ATTEMPTS => {
                    std::thread::sleep(pause(&response, attempt));
                    attempt += 1;
                }
                _ => return Ok(response),
            }
        }
    }

    /// A batch of which nothing could be read is answered 400, with the same list.
    fn read_ingested(&self, mut response: Response<Body>) -> Result<Ingested> {
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string();
        let text = text.map_err(|error| self.unreachable(error))?;
        match serde_json::from_str(&text) {
            Ok(ingested) => Ok(ingested),
            Err(_) if response.status() == StatusCode::BAD_REQUEST => Err(refusal(response.status(), &text)),
            Err(error) => Err(self.strange(&error)),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str())
    }

    fn good(&self, response: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>> {
        let response = response.map_err(|error| self.unreachable(error))?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(self.refused(response)) }
    }

    fn refused(&self, mut response: Response<Body>) -> anyhow::Error {
        let text = response.body_mut().with_config().limit(1 << 20).read_to_string().unwrap_or_default();
        if response.status().is_redirection() {
            return self.strange(&"it sends elsewhere");
        }
        refusal(response.status(), &text)
    }

    fn unreachable(&self, error: ureq::Error) -> anyhow::Error {
        let base = self.base.as_str();
        match error {
            ureq::Error::BadUri(why) => {
                Failure::new(format!("{base:?} is no address of a server: {why}"), "").into()
            }
            ureq::Error::Io(error) if error.kind() != io::ErrorKind::ConnectionRefused => {
                self.broken_off(&error)
            }
            _ => Failure::new(
                format!("no server answers at {base} ({error})"),
                "start one with `aitrace serve`, or name one with --server or AITRACE_SERVER_URL",
            )
            .into(),
        }
    }

    /// The connection broke after it had been made.
    pub(crate) fn broken_off(&self, error: &io::Error) -> anyhow::Error {
        let message = format!("the connection to {} broke off ({error})", self.base.as_str());
        Failure::new(message, "see whether the server still runs").into()
    }

    pub(crate) fn strange(&self, why: &dyn std::fmt::Display) -> anyhow::Error {
        let message = format!("the answer of {} is not that of an aitrace server: {why}", self.base.as_str());
        Failure::new(message, "see whether server and command are of the same version").into()
    }
}

/// What the server said against a request. What does not exist is an answer; the rest is our fault or its.
fn refusal(status: StatusCode, body: &str) -> anyhow::Error {
    let error = match serde_json::from_str::<ErrorBody>(body) {
        Ok(body) => body.error,
        Err(_) => ErrorText { message: format!("the server answered {status}"), hint: String::new() },
    };
    match status {
        StatusCode::NOT_FOUND => Failure::no(error.message, error.hint).into(),
        _ => Failure::new(error.message, error.hint).into(),
    }
}

/// How long to wait: what the server asks for, else twice as long each time.
fn pause(response: &Response<Body>, attempt: u32) -> Duration {
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let asked = header.and_then(|text| text.trim().parse::<u64>().ok());
    Duration::from_secs(asked.unwrap_or(1 << attempt.min(5)).min(LONGEST_PAUSE))
}
