//! The HTTP client of a tracer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration as Within;
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::answer;
use super::http::HttpOptions;
use crate::fork;

/// Longest time to make a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// An idle connection is kept this long.
const IDLE: Duration = Duration::from_secs(30);

/// A client for the server at `url`.
pub(super) fn make(url: &str, options: &HttpOptions) -> Agent {
    let mut config = Agent::config_builder()
        .timeout_global(Some(options.timeout))
        .timeout_connect(Some(options.timeout.min(CONNECT)))
        .http_status_as_error(false)
        // A redirect would carry the spans, and perhaps the key, to somebody else.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_age(IDLE)
        .user_agent(concat!("aitrace/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &options.proxy {
        config = config.proxy(ureq::Proxy::new(proxy).ok());
    } else if answer::is_loopback(url) {
        config = config.proxy(None);
    }
    if let Some(roots) = options.certificate.as_deref().and_then(roots) {
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    Agent::with_parts(config.build(), DefaultConnector::default(), Direct::default())
}

/// Looks up names. To keep to a timeout that takes a thread; an address needs neither, and in a forked child such
/// a thread may never start, see [`fork::thread`].
#[derive(Debug, Default)]
struct Direct(DefaultResolver);

impl Resolver for Direct {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        let after = if address || fork::epoch() > 0 { Within::NotHappening } else { timeout.after };
        self.0.resolve(uri, config, NextTimeout { after, ..timeout })
    }
}

/// The certificates of a PEM file. Where it has none, the usual ones are trusted.
fn roots(path: &Path) -> Option<RootCerts> {
    let pem = std::fs::read(path).ok()?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    (!certificates.is_empty()).then(|| RootCerts::Specific(Arc::new(certificates)))
}
