//! What an answer, or none, means for a batch.

use std::time::Duration;

use aitrace_model::Timestamp;

use super::Exported;

/// Longest pause that a server may ask for.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// How long a server that refuses the key is left alone.
const BARRED: Duration = Duration::from_mins(5);

/// Why a batch was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody answered: it may work later.
    Unreachable(String),
    /// A server that is busy now.
    Passing {
        /// For a person.
        reason: String,
        /// How long the server wants to be left alone.
        after: Option<Duration>,
    },
    /// The server does not take the key. A key can be made valid, so nothing is lost yet.
    Barred(u16),
    /// The request is too large: 413 from the server, `too_large` from us.
    TooLarge(String),
    /// The server will never take it.
    Refused(u16),
    /// Accepted by something that is no receiver of spans: a proxy's page, another service.
    NotOurs,
    /// The URL or the request makes no sense.
    Broken(String),
}

impl Fault {
    pub(crate) fn into_exported(self) -> Exported {
        match self {
            Self::Unreachable(reason) => Exported::Unreachable { reason },
            Self::Passing { reason, after } => Exported::Retry { after, reason },
            Self::Barred(status) => Exported::Retry { after: Some(BARRED), reason: format!("http_{status}") },
            Self::TooLarge(reason) => Exported::TooLarge { reason },
            Self::Refused(status) => Exported::Failed { reason: format!("http_{status}") },
            Self::NotOurs => Exported::Failed { reason: "unexpected_response".to_owned() },
            Self::Broken(reason) => Exported::Failed { reason },
        }
    }
}

/// What an error of the HTTP client means.
pub(crate) fn fault_of(error: &ureq::Error) -> Fault {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
            Fault::Broken("bad_url".to_owned())
        }
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::Decompress(..) => Fault::NotOurs,
        // Everything else is a connection that was not made, broke or took too long. A wrong certificate
        // counts too: it is replaced while programs run.
        other => Fault::Unreachable(other.to_string()),
    }
}

/// What a status means. Of the failures only 429, 502, 503 and 504 are passing, as OTLP has it; 408 and 500 are
/// not among them, because a server that took the batch and then failed would be sent it again and again.
pub(crate) fn check(status: u16, retry_header: Option<&str>, now: Timestamp) -> Result<(), Fault> {
    match status {
        200..=299 => Ok(()),
        401 | 403 => Err(Fault::Barred(status)),
        413 => Err(Fault::TooLarge("http_413".to_owned())),
        429 | 502 | 503 | 504 => Err(Fault::Passing {
            reason: format!("http_{status}"),
            after: retry_header.and_then(|text| retry_after(text, now)),
        }),
        _ => Err(Fault::Refused(status)),
    }
}

/// The pause that a `Retry-After` header asks for: seconds, or the date to wait for.
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let seconds = match text.parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => http_date(text)?.since(now) / 1_000_000_000,
    };
    let pause = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    Some(pause.min(MAX_PAUSE))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may send.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_ascii_whitespace().skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    (words.next() == Some("GMT")).then_some(())?;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

/// Whether a URL is of this machine: no proxy stands between.
pub(crate) fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host == "::1" || host.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_both_forms() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().expect("valid");
        let seconds = |text| retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("2"), Some(2));
        assert_eq!(seconds("-5"), Some(0));
        assert_eq!(seconds("1000000000"), Some(300));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("Mon, 06 Nov 2094 08:49:37 GMT"), Some(300));
        for bad in ["", "soon", "Sun, 06 Nov 1994 08:49:37 CET", "1.5"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn loopback() {
        for url in ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:1/x", "https://u:p@localhost/"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://localhost.evil", "http://10.0.0.1", "http://a/localhost", "http://[::2]"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
