//! A model that is none: OpenAI's chat API on a local port, with answers that are written here.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// Longest request that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The stub; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Stub {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Stub {
    /// Listens on a free port of the loopback interface.
    pub(crate) fn start(pace: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        std::thread::Builder::new().name("model-stub".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                // A client that goes away in the middle is its own concern.
                let serve = move || serve(&stream, pace).unwrap_or_default();
                if std::thread::Builder::new().name("model-stub".to_owned()).spawn(serve).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { address, stopped })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the listener, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: &TcpStream, pace: Duration) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length.min(MAX_BODY)];
    reader.read_exact(&mut body)?;
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    // Without a length the end of the connection ends the stream.
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    for chunk in chunks(&request) {
        std::thread::sleep(pace);
        stream.write_all(format!("data: {chunk}\n\n").as_bytes())?;
    }
    stream.write_all(b"data: [DONE]\n\n")
}

/// The chunks of the answer to a request.
fn chunks(request: &Value) -> Vec<Value> {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last = messages.last().map_or(&Value::Null, |message| &message["role"]);
    let first = messages.first().and_then(|message| message["content"].as_str()).unwrap_or_default();
    let mut deltas = match (first, last.as_str()) {
        ("plan", _) => {
            words("1. look the order up\n2. read the rules for returns\n3. answer in two sentences")
        }
        ("research", _) => words("Most customers who ask this have not opened the parcel yet."),
        (_, Some("tool")) => words(
            "Your order 7 was sent on Monday and arrives on Thursday. \
                   If you leave it unopened, you can send it back for 30 days.",
        ),
        _ => calls(),
    };
    let finish =
        if deltas.iter().any(|delta| delta["tool_calls"].is_array()) { "tool_calls" } else { "stop" };
    let written = deltas.len();
    let read: usize = messages.iter().map(|message| message.to_string().split_whitespace().count()).sum();
    let mut chunks: Vec<Value> =
        deltas.drain(..).map(|delta| json!({"choices": [{"index": 0, "delta": delta}]})).collect();
    chunks.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}));
    chunks.push(json!({"choices": [], "usage": {"prompt_tokens": read, "completion_tokens": written}}));
    chunks
}

fn words(text: &str) -> Vec<Value> {
    text.split_inclusive(' ').map(|word| json!({"content": word})).collect()
}

/// Two calls of tools, the arguments of each in pieces, as the API streams them.
fn calls() -> Vec<Value> {
    let mut deltas = Vec::new();
    for (index, name) in ["lookup_order", "refund_policy"].iter().enumerate() {
        let function = json!({"name": name, "arguments": ""});
        let id = format!("call_{index}");
        deltas.push(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}),
        );
        for piece in ["{\"or", "der\"", ": 7}"] {
            deltas.push(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}));
        }
    }
    deltas
}
