//! What was typed and what the environment says of servers, times and formats.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use aitrace::config::Settings;
use aitrace_model::{Clock, Timestamp};
use anyhow::Result;

use crate::args;
use crate::env;
use crate::failure::Failure;

/// Where a server is looked for unless something else is said.
const DEFAULT_SERVER: &str = "http://localhost:8000";

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl(String);

impl ServerUrl {
    /// What `--server`, `AITRACE_SERVER_URL` or the default says.
    pub(crate) fn resolve(flag: &args::Server) -> Result<Self> {
        let named = flag.server.clone().or_else(|| env::text("AITRACE_SERVER_URL"));
        Self::parse(&named.unwrap_or_else(|| DEFAULT_SERVER.to_owned()))
    }

    /// A base address without a trailing slash.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let url = text.trim().trim_end_matches('/');
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let plain = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', ' ', '@']));
        if !plain {
            let hint = format!("write the server's address like {DEFAULT_SERVER}");
            return Err(Failure::new(format!("{text:?} is no address of a server"), hint).into());
        }
        Ok(Self(url.to_owned()))
    }

    /// The address without a trailing slash.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port.
    fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// Its address on this machine; `None` if it is another machine or not plain HTTP at the root.
    pub(crate) fn loopback(&self) -> Option<SocketAddr> {
        let authority = self.0.strip_prefix("http://").filter(|rest| !rest.contains('/'))?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.eq_ignore_ascii_case("localhost") {
            return Some(SocketAddr::from(([127, 0, 0, 1], port)));
        }
        host.parse().ok().filter(std::net::IpAddr::is_loopback).map(|ip| SocketAddr::new(ip, port))
    }

    /// Whether it is on this machine, whatever its scheme and path.
    pub(crate) fn is_local(&self) -> bool {
        let host = self.authority();
        ["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local))
    }
}

/// A whole number of bytes with a unit: B, kB, MB, GB, TB by thousands, KiB, MiB, GiB, TiB by 1024.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Whether written records carry their timestamp at the top level too: by the flag, the environment, the
/// configuration file.
pub(crate) fn compat(flag: &args::Compat) -> Result<bool> {
    compat_of(flag, None)
}

/// The same with this configuration file, where one is named.
pub(crate) fn compat_of(flag: &args::Compat, file: Option<&Path>) -> Result<bool> {
    if flag.compat_mode {
        return Ok(true);
    }
    let Some(text) = env::text("AITRACE_COMPAT_MODE") else {
        let said = match file {
            Some(file) => Settings::read(file)?.flag("compat-mode"),
            None => aitrace::config::current().flag("compat-mode"),
        };
        return Ok(said.unwrap_or(false));
    };
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => {
            let message = format!("AITRACE_COMPAT_MODE is {text:?}");
            Err(Failure::new(message, "set it to true or false, or unset it").into())
        }
    }
}

/// A point in time: as RFC 3339, or as a duration before now.
pub(crate) fn moment(flag: &str, text: &str, clock: &dyn Clock) -> Result<Timestamp> {
    if let Some(ago) = duration(text) {
        return Ok(clock.now().saturating_add(-nanos(ago)));
    }
    time(flag, text, "a duration before now like 30m, 2h or 7d")
}

/// A point in time to come: as RFC 3339, or as a duration from now on.
pub(crate) fn moment_to_come(flag: &str, text: &str, clock: &dyn Clock) -> Result<Timestamp> {
    if let Some(until) = duration(text) {
        return Ok(clock.now().saturating_add(nanos(until)));
    }
    time(flag, text, "a duration from now on like 12h or 90d")
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn time(flag: &str, text: &str, or: &str) -> Result<Timestamp> {
    let wrong = || {
        let hint = format!("write a time like 2026-01-31T12:00:00Z, or {or}");
        Failure::new(format!("{flag}: {text:?} is no time"), hint)
    };
    let day = text.len() == "2026-01-31".len();
    let text = if day { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Ok(text.parse().map_err(|_| wrong())?)
}

/// A whole number with a unit: ms, s, m, h or d.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_model::ManualClock;

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Some(Duration::from_mins(15)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        for wrong in
            ["", "m", "15", "1.5h", "15 m", "-1s", "1y", "999999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("10GB"), Some(10_000_000_000));
        assert_eq!(size("512 MiB"), Some(512 << 20));
        assert_eq!(size("7"), Some(7));
        for wrong in ["", "GB", "1.5GB", "-1", "1 gb", "1G", "99999999999TB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments() {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().expect("valid");
        let clock = ManualClock::new(noon);
        let at = |text| moment("--since", text, &clock).map(|time| time.to_string());
        assert_eq!(at("2h").expect("duration"), "2026-01-31T10:00:00.000000Z");
        assert_eq!(at("2026-01-30").expect("day"), "2026-01-30T00:00:00.000000Z");
        assert_eq!(at("2026-01-30T01:02:03+01:00").expect("time"), "2026-01-30T00:02:03.000000Z");
        assert!(at("yesterday").expect_err("no time").to_string().contains("--since"));
    }

    #[test]
    fn addresses_of_servers() {
        let url = |text| ServerUrl::parse(text).expect(text);
        assert_eq!(url("http://localhost:8000/").as_str(), "http://localhost:8000");
        assert_eq!(url("http://localhost:9").loopback(), Some("127.0.0.1:9".parse().expect("address")));
        assert_eq!(url("http://[::1]:9").loopback(), Some("[::1]:9".parse().expect("address")));
        assert_eq!(url("http://[::1]").loopback(), Some("[::1]:80".parse().expect("address")));
        for far in [
            "http://example.org:80",
            "https://localhost:8000",
            "http://localhost:8000/base",
            "http://10.0.0.1",
        ] {
            assert_eq!(url(far).loopback(), None, "{far}");
        }
        for wrong in [
            "",
            "localhost:8000",
            "ftp://x",
            "http://",
            "http://a b",
            "http://user:secret@host",
            "http://a?b",
        ] {
            assert!(ServerUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
