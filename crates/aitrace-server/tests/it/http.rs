//! The least HTTP that a test needs: it sends what it is told to, also what no library would.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(2);

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// The `kind` of a typed error, which every error must be.
    pub(crate) fn kind(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{json}");
        assert!(error["hint"].is_string(), "{json}");
        error["kind"].as_str().expect("a kind").to_owned()
    }
}

/// A request to be sent on a connection of its own.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    addr: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(addr: SocketAddr, method: &str, target: &str) -> Self {
        let host = ("host".to_owned(), addr.to_string());
        Self {
            addr,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![host, ("connection".to_owned(), "close".to_owned())],
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-type", content_type).header("content-length", &length)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(crate) fn bearer(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// The answer without its body, also where that never ends.
    pub(crate) fn head(&self) -> Answer {
        let mut socket = connect(self.addr);
        drop(socket.write_all(&self.bytes()));
        let mut received = Vec::new();
        let mut byte = [0];
        while !received.ends_with(b"\r\n\r\n") && socket.read(&mut byte).is_ok_and(|count| count > 0) {
            received.push(byte[0]);
        }
        head(&received).unwrap_or_else(|| panic!("no answer to {} {}", self.method, self.target)).0
    }

    pub(crate) fn send(&self) -> Answer {
        raw(self.addr, &self.bytes())
            .unwrap_or_else(|| panic!("no answer to {} {}", self.method, self.target))
    }
}

/// Opens a connection.
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(addr).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket.set_write_timeout(Some(PATIENCE)).expect("sets");
    socket
}

/// Sends bytes and reads the first answer; `None` where the server only hung up.
pub(crate) fn raw(addr: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut socket = connect(addr);
    // A server that refuses early may hang up before it has read everything.
    drop(socket.write_all(bytes));
    read(&mut socket)
}

/// The same, and says that no more bytes follow: for requests that are cut off.
pub(crate) fn raw_cut(addr: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut socket = connect(addr);
    if socket.write_all(bytes).is_ok() {
        drop(socket.shutdown(Shutdown::Write));
    }
    read(&mut socket)
}

/// Reads one answer to its end.
pub(crate) fn read(socket: &mut TcpStream) -> Option<Answer> {
    let mut received = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(answer) = parse(&received) {
            return Some(answer);
        }
        match socket.read(&mut buffer) {
            Ok(0) => return parse_to_end(&received),
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return parse_to_end(&received);
            }
            // A process that was stopped for a while.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("no answer in time: {error}"),
        }
    }
}

/// Reads up to so many answers of known length from one connection, fewer where it ends before.
pub(crate) fn read_many(socket: &mut TcpStream, count: usize) -> Vec<Answer> {
    let (mut received, mut answers) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 64 << 10];
    while answers.len() < count {
        if let Some(answer) = parse(&received) {
            let head = received.windows(4).position(|window| window == b"\r\n\r\n").expect("it was read");
            received.drain(..head + 4 + answer.body.len());
            answers.push(answer);
            continue;
        }
        match socket.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
    }
    answers
}

fn head(received: &[u8]) -> Option<(Answer, &[u8])> {
    // "Go on" is no answer.
    let received = received.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(received);
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&received[..end]).expect("a head is ASCII");
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = Answer { status, headers: headers.collect(), body: Vec::new() };
    Some((answer, &received[end + 4..]))
}

/// An answer whose length is known and that is complete.
fn parse(received: &[u8]) -> Option<Answer> {
    let (mut answer, rest) = head(received)?;
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = unchunk(rest)?;
        return Some(answer);
    }
    let length: usize = match answer.header("content-length") {
        Some(length) => length.parse().expect("a length"),
        None if answer.status == 304 => 0,
        None => return None,
    };
    answer.body = rest.get(..length)?.to_vec();
    Some(answer)
}

/// An answer that ends with its connection (also one to HEAD, whose length is that of the body not sent).
fn parse_to_end(received: &[u8]) -> Option<Answer> {
    let (mut answer, rest) = head(received)?;
    answer.body = rest.to_vec();
    Some(answer)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        let chunk = rest.get(line + 2..line + 2 + size)?;
        rest = rest.get(line + 4 + size..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
    }
}
