//! What was typed and what the environment says, resolved: flags, then `AITRACE_*`, then defaults.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{Clock, Timestamp};
use aitrace_price::Table;
use anyhow::Result;

use crate::args;
use crate::env;
use crate::failure::Failure;

/// Where a server is looked for unless something else is said.
const DEFAULT_SERVER: &str = "http://localhost:8000";
/// Where OTLP's clients send to by default, over gRPC and over HTTP.
const GRPC_PORT: u16 = 4317;
const OTLP_HTTP_PORT: u16 = 4318;
const LOST_AFTER: Duration = Duration::from_mins(15);

/// How to serve.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    /// Address to listen on.
    pub(crate) address: SocketAddr,
    /// Further addresses that only take data, and whether it is an error when one is in use.
    pub(crate) ingest: Vec<(SocketAddr, bool)>,
    /// Folder of the data.
    pub(crate) data_dir: PathBuf,
    /// Silence after which a span without heartbeats is lost.
    pub(crate) lost_after: Duration,
    /// What model calls cost.
    pub(crate) prices: Arc<Table>,
}

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

/// How `serve` serves.
pub(crate) fn serving(args: &args::Serve) -> Result<Serving> {
    let unknown = || Failure::new(format!("{:?} is no address of this machine", args.host), "use 127.0.0.1");
    let host = args.host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> = (host, args.port).to_socket_addrs().map_err(|_| unknown())?.collect();
    // `localhost` may be both; clients try the older one everywhere.
    let address =
        addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).ok_or_else(unknown)?;
    let ports = [(args.grpc_port, GRPC_PORT), (args.otlp_http_port, OTLP_HTTP_PORT)];
    Ok(Serving { ingest: ingest_addresses(*address, ports), ..serving_at(*address, &args.data)? })
}

/// The addresses of ports that only take data. A port that was named is demanded; OTLP's own are taken where they
/// are free, and not by a server that asks for any free port: there may be many of those.
fn ingest_addresses(main: SocketAddr, ports: [(Option<u16>, u16); 2]) -> Vec<(SocketAddr, bool)> {
    let mut addresses: Vec<(SocketAddr, bool)> = Vec::new();
    for (named, usual) in ports {
        let port = named.unwrap_or(if main.port() == 0 { 0 } else { usual });
        let address = SocketAddr::new(main.ip(), port);
        if port != 0 && port != main.port() && addresses.iter().all(|(other, _)| *other != address) {
            addresses.push((address, named.is_some()));
        }
    }
    addresses
}

/// The same for a server inside another command.
pub(crate) fn serving_at(address: SocketAddr, data: &args::Data) -> Result<Serving> {
    let named = data.data_dir.clone().or_else(|| env::variable("AITRACE_DATA_DIR").map(PathBuf::from));
    let Some(data_dir) = named.or_else(env::platform_data_dir) else {
        let hint = "name one with --data-dir or AITRACE_DATA_DIR";
        return Err(Failure::new("this platform has no folder for data", hint).into());
    };
    let lost_after = match &data.lost_after {
        Some(text) => duration(text).filter(|lost_after| !lost_after.is_zero()).ok_or_else(|| {
            Failure::new(format!("--lost-after: {text:?} is no duration"), "write it like 90s, 15m or 2h")
        })?,
        None => LOST_AFTER,
    };
    Ok(Serving { address, ingest: Vec::new(), data_dir, lost_after, prices: prices(data)? })
}

/// The table of `--prices` or `AITRACE_PRICES`, dated by the file's time, else the built-in one.
fn prices(data: &args::Data) -> Result<Arc<Table>> {
    let named = data.prices.clone().or_else(|| env::variable("AITRACE_PRICES").map(PathBuf::from));
    let Some(path) = named else { return Ok(Table::built_in()) };
    let shown = path.display();
    let hint = "give a file like LiteLLM's model_prices_and_context_window.json";
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("cannot read the prices in {shown}: {error}"), hint)
    };
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let changed = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok();
    let since = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    let date = Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or_default()).to_string();
    let table = Table::read(&text, date.get(..10).unwrap_or_default()).map_err(|error| failed(&error))?;
    Ok(Arc::new(table))
}

/// Whether written records carry their timestamp at the top level too.
pub(crate) fn compat(flag: &args::Compat) -> Result<bool> {
    let Some(text) = env::text("AITRACE_COMPAT_MODE").filter(|_| !flag.compat_mode) else {
        return Ok(flag.compat_mode);
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
        let nanos = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
        return Ok(clock.now().saturating_add(-nanos));
    }
    let wrong = || {
        let hint = "write a time like 2026-01-31T12:00:00Z, or a duration before now like 30m, 2h or 7d";
        Failure::new(format!("{flag}: {text:?} is no time"), hint)
    };
    let day = text.len() == "2026-01-31".len();
    let text = if day { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Ok(text.parse().map_err(|_| wrong())?)
}

/// A whole number with a unit: ms, s, m, h or d.
fn duration(text: &str) -> Option<Duration> {
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
    fn ports_for_data_are_the_usual_ones_unless_named() {
        let of = |main: u16, grpc, http| -> Vec<(u16, bool)> {
            let main = SocketAddr::from(([127, 0, 0, 1], main));
            let found = ingest_addresses(main, [(grpc, GRPC_PORT), (http, OTLP_HTTP_PORT)]);
            found.iter().map(|(address, demanded)| (address.port(), *demanded)).collect()
        };
        assert_eq!(of(8000, None, None), [(4317, false), (4318, false)]);
        assert_eq!(of(8000, Some(9), None), [(9, true), (4318, false)]);
        assert_eq!(of(8000, Some(0), Some(0)), []);
        assert_eq!(of(8000, Some(9), Some(9)), [(9, true)], "one port takes both");
        assert_eq!(of(4317, None, Some(0)), [], "the main port takes data already");
        assert_eq!(of(0, None, None), []);
        assert_eq!(of(0, Some(9), None), [(9, true)]);
    }

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Some(LOST_AFTER));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        for wrong in
            ["", "m", "15", "1.5h", "15 m", "-1s", "1y", "999999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(duration(wrong), None, "{wrong}");
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
