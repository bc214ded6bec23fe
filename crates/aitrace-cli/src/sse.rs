//! Server-sent events: a stream of bytes to named pieces of data.

use std::io::{self, BufRead};

/// An event is bounded by what the server sends; beyond this it is not ours.
const LONGEST: usize = 256 << 20;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name, `message` if it has none.
    pub(crate) name: String,
    /// Its data, lines joined.
    pub(crate) data: String,
}

/// Reads events from a stream of bytes.
#[derive(Debug)]
pub(crate) struct Events<R> {
    input: R,
    last: String,
}

impl<R: BufRead> Events<R> {
    /// `last` is the id that is known before any is told.
    pub(crate) fn new(input: R, last: &str) -> Self {
        Self { input, last: last.to_owned() }
    }

    /// The last id that was told, of an event or alone; a server finds the place in the stream by it.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// The next event; `None` at the end of the stream. An unfinished event at the end is no event.
    pub(crate) fn next(&mut self) -> io::Result<Option<Event>> {
        let (mut name, mut data, mut id) = (String::new(), None::<String>, None::<String>);
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            if text.is_empty() {
                // Only now: of an event that is cut off nothing counts.
                if let Some(id) = id.take() {
                    self.last = id;
                }
                if let Some(data) = data.take() {
                    let name = if name.is_empty() { "message".to_owned() } else { name };
                    return Ok(Some(Event { name, data }));
                }
                name.clear();
                continue;
            }
            let (field, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut name),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                "id" if !value.contains('\0') => id = Some(value.to_owned()),
                // Comments (an empty field) and the pause before a new attempt.
                _ => {}
            }
        }
    }

    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        let limit = LONGEST as u64;
        let read = io::Read::take(&mut self.input, limit).read_until(b'\n', line)?;
        if read as u64 == limit {
            return Err(io::Error::other("an event of the server is too long"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(String, String)> {
        let mut events = Events::new(text.as_bytes(), "");
        let mut found = Vec::new();
        while let Some(event) = events.next().expect("reads") {
            found.push((event.name, event.data));
        }
        found
    }

    #[test]
    fn events_comments_and_the_end() {
        let text = "retry: 1000\n: listening\n\nevent: log\ndata: {\"a\":1}\n\n: ping\n\ndata:x\r\ndata: y\r\n\r\nevent: cut\ndata: off\n";
        let pair = |name: &str, data: &str| (name.to_owned(), data.to_owned());
        assert_eq!(all(text), [pair("log", "{\"a\":1}"), pair("message", "x\ny")]);
        assert_eq!(all(""), []);
        assert_eq!(all("event: named\n\ndata: plain\n\n"), [pair("message", "plain")]);
    }

    #[test]
    fn the_last_id_is_that_of_the_last_whole_event_or_of_none() {
        let text =
            "id: e-0\n: listening\n\nevent: log\nid: e-1\ndata: 1\n\nid: e-5\n: ping\n\nid: e-6\ndata: cut";
        let mut events = Events::new(text.as_bytes(), "d-9");
        assert_eq!(events.last(), "d-9");
        assert!(events.next().expect("reads").is_some());
        assert_eq!(events.last(), "e-1");
        assert!(events.next().expect("reads").is_none());
        assert_eq!(events.last(), "e-5");
    }
}
