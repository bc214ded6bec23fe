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
    while let Some(request) = read(&mut reader) {
        let ingest = request.path == "/api/ingest";
        let answer = {
            let mut state = shared.0.lock().expect("not poisoned");
            state.requests.push(request);
            shared.1.notify_all();
            state.answers.pop_front()
        };
        let fine = if ingest {
            let headers = "Content-Type: application/json\r\n";
            Answer::Http { status: 200, headers, body: br#"{"ingested":1,"rejected":[]}"#.to_vec() }
        } else {
            Answer::ok()
        };
        match answer.unwrap_or(fine) {
            Answer::Http { status, headers, body } => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
                let stream = reader.get_mut();
                if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
                    return;
                }
            }
            Answer::Silence => {
                // Until the client gives up.
                let mut rest = [0];
                let closed = reader.read(&mut rest);
                assert!(matches!(closed, Ok(0) | Err(_)), "the client said more");
                return;
            }
            Answer::Close => return,
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
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
    let mut request = Request { path, headers, body: Vec::new() };
    // A GET has no body.
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
