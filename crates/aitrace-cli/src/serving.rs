//! How to serve: the settings, resolved and read.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::Timestamp;
use aitrace_price::Table;
use aitrace_store::Retention;
use anyhow::Result;

use crate::args;
use crate::env;
use crate::failure::Failure;
use crate::settings::{duration, size};
use crate::sources::Sources;

/// Where OTLP's clients send to by default, over gRPC and over HTTP.
const GRPC_PORT: u16 = 4317;
const OTLP_HTTP_PORT: u16 = 4318;
const PORT: u16 = 8000;
const LOST_AFTER: Duration = Duration::from_mins(15);

/// How to serve.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    /// Address to listen on.
    pub(crate) address: SocketAddr,
    /// Further addresses that only take data, and whether it is an error when one is in use.
    pub(crate) ingest: Vec<(SocketAddr, bool)>,
    /// Further names of the server, with their port.
    pub(crate) hosts: Vec<String>,
    /// Folder of the data.
    pub(crate) data_dir: PathBuf,
    /// Silence after which a span without heartbeats is lost.
    pub(crate) lost_after: Duration,
    /// What model calls cost.
    pub(crate) prices: Arc<Table>,
    /// How long and how much is kept.
    pub(crate) retention: Retention,
    /// Whether records that the server writes repeat their timestamp at the top level.
    pub(crate) compat_mode: bool,
}

/// Everything that was said about `serve`.
pub(crate) fn sources(args: &args::Serve) -> Result<Sources> {
    let number = |port: Option<u16>| port.map(|port| port.to_string());
    let mut flags = data_flags(&args.data);
    flags.extend([
        ("host", args.host.clone()),
        ("port", number(args.port)),
        ("grpc-port", number(args.grpc_port)),
        ("otlp-http-port", number(args.otlp_http_port)),
        ("allow-host", (!args.allow_host.is_empty()).then(|| args.allow_host.join(","))),
        ("max-age", args.max_age.clone()),
        ("max-size", args.max_size.clone()),
        ("log-format", args.log_format.clone()),
    ]);
    Sources::read(flags, args.config.as_deref())
}

fn data_flags(data: &args::Data) -> Vec<(&'static str, Option<String>)> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    vec![
        ("data-dir", path(&data.data_dir)),
        ("lost-after", data.lost_after.clone()),
        ("prices", path(&data.prices)),
    ]
}

/// How `serve` serves.
pub(crate) fn serving(sources: &Sources) -> Result<Serving> {
    let host = sources.get("host").map_or_else(|| "127.0.0.1".to_owned(), |(host, _)| host);
    let port = |key| sources.parse(key, "port", "write a number from 0 to 65535", |text| text.parse().ok());
    let main = port("port")?.unwrap_or(PORT);
    let unknown = || Failure::new(format!("{host:?} is no address of this machine"), "use 127.0.0.1");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> = (bare, main).to_socket_addrs().map_err(|_| unknown())?.collect();
    // `localhost` may be both; clients try the older one everywhere.
    let address =
        addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).ok_or_else(unknown)?;
    let ports = [(port("grpc-port")?, GRPC_PORT), (port("otlp-http-port")?, OTLP_HTTP_PORT)];
    let hosts = sources.get("allow-host").map(|(hosts, _)| hosts).unwrap_or_default();
    let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect();
    let retention = Retention {
        max_age: sources.parse("max-age", "duration", "write it like 12h or 30d", duration)?,
        max_size: sources.parse("max-size", "size", "write it like 500MB or 50GB", size)?,
    };
    let rest = resolve(*address, sources)?;
    Ok(Serving { ingest: ingest_addresses(*address, ports), hosts, retention, ..rest })
}

/// The same for a server inside another command.
pub(crate) fn serving_at(address: SocketAddr, data: &args::Data) -> Result<Serving> {
    resolve(address, &Sources::read(data_flags(data), None)?)
}

/// The folder of the data.
pub(crate) fn data_dir(data: &args::DataDir) -> Result<PathBuf> {
    let named = data.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    folder(&Sources::read(vec![("data-dir", named)], None)?)
}

fn folder(sources: &Sources) -> Result<PathBuf> {
    let named = sources.get("data-dir").map(|(path, _)| PathBuf::from(path));
    named.or_else(env::platform_data_dir).ok_or_else(|| {
        let hint = "name one with --data-dir or AITRACE_DATA_DIR";
        Failure::new("this platform has no folder for data", hint).into()
    })
}

fn resolve(address: SocketAddr, sources: &Sources) -> Result<Serving> {
    let positive = |text: &str| duration(text).filter(|duration| !duration.is_zero());
    let lost_after = sources.parse("lost-after", "duration", "write it like 90s, 15m or 2h", positive)?;
    Ok(Serving {
        address,
        ingest: Vec::new(),
        hosts: Vec::new(),
        data_dir: folder(sources)?,
        lost_after: lost_after.unwrap_or(LOST_AFTER),
        prices: prices(sources)?,
        retention: Retention::default(),
        compat_mode: false,
    })
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

/// The table of `--prices` or `AITRACE_PRICES`, else the built-in one.
fn prices(sources: &Sources) -> Result<Arc<Table>> {
    let Some((path, _)) = sources.get("prices") else { return Ok(Table::built_in()) };
    let (text, date) = read_prices(Path::new(&path))?;
    let table = Table::read(&text, &date).map_err(|error| no_prices(Path::new(&path), &error))?;
    Ok(Arc::new(table))
}

/// The text of a table of prices, and the day of the file.
pub(crate) fn read_prices(path: &Path) -> Result<(String, String)> {
    let text = std::fs::read_to_string(path).map_err(|error| no_prices(path, &error))?;
    let changed = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let since = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    let date = Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or_default()).to_string();
    Ok((text, date.get(..10).unwrap_or_default().to_owned()))
}

/// A file that is no table of prices.
pub(crate) fn no_prices(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    let hint = "give a file like LiteLLM's model_prices_and_context_window.json";
    Failure::new(format!("cannot read the prices in {}: {error}", path.display()), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
