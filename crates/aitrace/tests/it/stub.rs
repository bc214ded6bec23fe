//! A tiny HTTP server that answers as it is told and keeps what it was sent.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// The spans of an OTLP request.
    pub(crate) fn spans(&self) -> Vec<aitrace_model::RawSpan> {
        let limits = aitrace_otlp::Limits::default();
        aitrace_otlp::decode_traces(&self.body, aitrace_otlp::Encoding::Protobuf, &limits)
            .expect("an OTLP request")
            .spans
    }
}

/// How to answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Http {
        status: u16,
        headers: &'static str,
        body: Vec<u8>,
    },
    /// Takes the request and says nothing.
    Silence,
    /// Closes the connection without an answer.
    Close,
    /// Closes the connection after these bytes.
    Cut(&'static [u8]),
    /// Closes the connection with the request's body unread, so that the client gets a reset.
    Reset,
    /// Sends the answer a byte at a time, slowly.
    Drip,
    /// Sends bytes after the head as long as the client takes them.
    Endless {
        headers: &'static str,
        chunk: Vec<u8>,
    },
    /// Takes a request up to this size, answers 413 to a larger one; and so the next ones.
    Upto(usize),
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Http { status, headers: "", body: Vec::new() }
    }

    pub(crate) fn ok() -> Self {
        Self::Http { status: 200, headers: "Content-Type: application/x-protobuf\r\n", body: Vec::new() }
    }
}

#[derive(Debug, Default)]
struct Shared {
    answers: VecDeque<Answer>,
    requests: Vec<Request>,
    connections: usize,
    /// Bytes of endless answers that were sent.
    poured: usize,
}

/// The server. Answers are given in order; when there are no more, all is well.
#[derive(Debug, Clone)]
pub(crate) struct Stub {
    pub(crate) url: String,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

impl Stub {
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Shared { answers: answers.into_iter().collect(), ..Shared::default() };
        let shared = Arc::new((Mutex::new(shared), Condvar::new()));
        let own = shared.clone();
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let shared = own.clone();
                shared.0.lock().expect("not poisoned").connections += 1;
                let serve = move || serve(stream, &shared);
                std::thread::Builder::new().name("stub".into()).spawn(serve).expect("a thread");
            }
        };
        std::thread::Builder::new().name("stub".into()).spawn(accept).expect("a thread");
        Self { url, shared }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.0.lock().expect("not poisoned").requests.clone()
    }

    /// Answers from now on.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.0.lock().expect("not poisoned").answers = answers.into_iter().collect();
    }

    /// Bytes of endless answers that were sent.
    pub(crate) fn poured(&self) -> usize {
        self.shared.0.lock().expect("not poisoned").poured
    }

    /// All trace records of all requests so far.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        let requests = self.requests();
        let ingested = requests.iter().filter(|request| request.path == "/api/ingest");
        let lines = ingested.flat_map(|request| {
            let text = String::from_utf8(request.body.clone()).expect("UTF-8");
            let values = serde_json::from_str::<Vec<serde_json::Value>>(&text);
            values.unwrap_or_else(|_| {
                text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
            })
        });
        lines.collect()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.0.lock().expect("not poisoned").connections
    }

    /// All spans of all requests so far.
    pub(crate) fn spans(&self) -> Vec<aitrace_model::RawSpan> {
        let requests = self.requests();
        requests.iter().filter(|request| request.path == "/v1/traces").flat_map(Request::spans).collect()
    }

    /// Waits until `count` requests have come.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Request> {
        let (mutex, bell) = &*self.shared;
        let shared = mutex.lock().expect("not poisoned");
        let limit = Duration::from_secs(20);
        let enough = |shared: &mut Shared| shared.requests.len() < count;
        let (shared, waited) = bell.wait_timeout_while(shared, limit, enough).expect("not poisoned");
        assert!(!waited.timed_out(), "{} of {count} requests came", shared.requests.len());
        shared.requests.clone()
    }
}

fn serve(stream: TcpStream, shared: &(Mutex<Shared>, Condvar)) {
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = read_head(&mut reader) {
        let reset = matches!(shared.0.lock().expect("not poisoned").answers.front(), Some(Answer::Reset));
        if !reset && read_body(&mut reader, &mut request).is_none() {
            return;
        }
        let (ingest, size) = (request.path == "/api/ingest", request.body.len());
        let answer = {
            let mut state = shared.0.lock().expect("not poisoned");
            state.requests.push(request);
            shared.1.notify_all();
            match state.answers.front() {
                Some(Answer::Upto(_)) => state.answers.front().cloned(),
                _ => state.answers.pop_front(),
            }
        };
        let fine = if ingest {
            let headers = "Content-Type: application/json\r\n";
            Answer::Http { status: 200, headers, body: br#"{"ingested":1,"rejected":[]}"#.to_vec() }
        } else {
            Answer::ok()
        };
        let answer = match answer {
            Some(Answer::Upto(most)) if size > most => Answer::status(413),
            Some(Answer::Upto(_)) | None => fine,
            Some(answer) => answer,
        };
        if !say(&mut reader, answer, shared) {
            return;
        }
    }
}

/// Answers; whether the connection goes on.
fn say(reader: &mut BufReader<TcpStream>, answer: Answer, shared: &(Mutex<Shared>, Condvar)) -> bool {
    let stream = reader.get_mut();
    match answer {
        Answer::Http { status, headers, body } => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
            return stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_ok();
        }
        Answer::Silence => {
            // Until the client gives up.
            let closed = reader.read(&mut [0]);
            assert!(matches!(closed, Ok(0) | Err(_)), "the client said more");
        }
        Answer::Cut(bytes) => stream.write_all(bytes).unwrap_or_default(),
        Answer::Drip => {
            stream.set_read_timeout(Some(Duration::from_millis(10))).expect("can be set");
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".iter().cycle() {
                // The client closes in the end.
                let closed = matches!(stream.read(&mut [0]), Ok(0));
                if closed || stream.write_all(&[*byte]).is_err() {
                    break;
                }
            }
        }
        Answer::Endless { headers, chunk } => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n{headers}\r\n");
            let mut open = stream.write_all(head.as_bytes()).is_ok();
            while open {
                open = stream.write_all(&chunk).is_ok();
                shared.0.lock().expect("not poisoned").poured += chunk.len();
            }
        }
        Answer::Close | Answer::Reset | Answer::Upto(_) => {}
    }
    false
}

fn read_head(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Some(Request { path, headers, body: Vec::new() })
}

fn read_body(reader: &mut BufReader<TcpStream>, request: &mut Request) -> Option<()> {
    let length = request.header("content-length").unwrap_or("0").parse().ok()?;
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()
}
