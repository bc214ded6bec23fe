//! Who may talk to the server at all. A page in the user's browser can send requests to loopback too, so
//! every request must name a host of ours and must not come from another site.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;

use crate::error::{ApiError, Kind, Result};

/// The values of `Host`, port included, under which the server answers.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// Names to the letter.
    names: Vec<String>,
    ports: Vec<u16>,
    wide: bool,
}

impl Hosts {
    /// The names of loopback with the bound port, and `further` ones to the letter.
    ///
    /// `wide`: other machines can reach the server, and every caller shows a key. Then addresses of IP and, from
    /// callers that show a key in a header, all hosts are answered too: a page that was made to point here knows
    /// neither the key nor the cookie of another host.
    pub(crate) fn new(local: SocketAddr, further: &[String], wide: bool) -> Self {
        let port = local.port();
        let mut hosts: Vec<String> =
            ["localhost", "127.0.0.1", "[::1]"].iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        }
        hosts.extend(further.iter().map(|host| host.to_ascii_lowercase()));
        Self { names: hosts, ports: vec![port], wide }
    }

    /// The main port.
    pub(crate) fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Whether other machines can reach the server.
    pub(crate) fn wide(&self) -> bool {
        self.wide
    }

    /// Answers on a further port of loopback.
    pub(crate) fn also_on(&mut self, port: u16) {
        self.ports.push(port);
        self.names.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
    }

    fn allow(&self, host: &str) -> bool {
        self.names.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    fn allow_widely(&self, host: &str, headers: &HeaderMap) -> bool {
        let ours = |addr: SocketAddr| !addr.ip().is_unspecified() && self.ports.contains(&addr.port());
        let bare = || host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 80));
        let literal = host.parse().ok().or_else(bare).is_some_and(ours);
        self.wide && (literal || shows_key(headers))
    }

    /// Refuses a request for another host: a foreign name that was made to point here (DNS rebinding).
    pub(crate) fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<()> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        if hosts.next().is_some() {
            return Err(ApiError::new(Kind::BadRequest, "more than one Host header", ""));
        }
        let target = uri.authority().map(axum::http::uri::Authority::as_str);
        let fits = |host: Option<&str>| {
            host.is_some_and(|host| self.allow(host) || self.allow_widely(host, headers))
        };
        // HTTP/2 names the host in the target alone.
        if fits(host.or(target)) && (target.is_none() || fits(target)) {
            return Ok(());
        }
        Err(ApiError::new(
            Kind::WrongHost,
            "this server does not answer for the host of this request",
            format!("Use http://{}, or allow further hosts in the server's configuration.", self.names[0]),
        ))
    }

    /// Refuses what a browser sends on behalf of another site. `page`: the route is a page of the viewer, to
    /// which another port of this machine (a notebook) may link, but which it may not read or embed.
    pub(crate) fn check_site(&self, headers: &HeaderMap, page: bool) -> Result<()> {
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let link = page
            && headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
            && headers.get("sec-fetch-dest").is_some_and(|dest| dest == "document");
        let site_fits = match site {
            None | Some(b"same-origin" | b"none") => true,
            Some(b"same-site") => link,
            Some(_) => false,
        };
        if site_fits && headers.get_all(header::ORIGIN).iter().all(|origin| self.is_ours(origin, headers)) {
            return Ok(());
        }
        Err(ApiError::new(
            Kind::CrossSite,
            "requests from other web sites are refused",
            "Open the viewer at the server's own address; programs send no Origin.",
        ))
    }

    fn is_ours(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        // Of the hosts that are not known by name, a page may speak to its own.
        let own = |host: &str| self.wide && headers.get(header::HOST).is_some_and(|own| own == host);
        host.is_some_and(|host| self.allow(host) || own(host))
    }
}

fn shows_key(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key("x-api-key")
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every answer. Nothing allows another origin anything: there are no `Access-Control-*` headers.
pub(crate) fn harden(response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new("127.0.0.1:8000".parse().unwrap(), &["Box.example:8000".to_owned()], false)
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn only_exact_hosts_are_answered() {
        let check = |host: &str| hosts().check_host(&Uri::from_static("/"), &headers(&[("host", host)]));
        for good in ["localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "box.example:8000"] {
            check(good).unwrap();
        }
        for bad in [
            "",
            "localhost",
            "localhost:80",
            "localhost:8000.",
            "localhost.:8000",
            "localhost.evil:8000",
            "evil:8000",
            "0.0.0.0:8000",
            "127.0.0.1:08000",
            "127.1:8000",
            "2130706433:8000",
            "localhost:8000@evil",
            "user@localhost:8000",
            "::1:8000",
            "localhost:8000, evil",
        ] {
            assert_eq!(check(bad).unwrap_err().kind(), Kind::WrongHost, "{bad}");
        }
        assert!(hosts().check_host(&Uri::from_static("/"), &HeaderMap::new()).is_err());
    }

    #[test]
    fn an_absolute_target_and_a_second_host_do_not_get_around() {
        let good = headers(&[("host", "localhost:8000")]);
        let check = |uri: &'static str| hosts().check_host(&Uri::from_static(uri), &good);
        check("http://localhost:8000/").unwrap();
        assert_eq!(check("http://evil/").unwrap_err().kind(), Kind::WrongHost);
        let mut two = headers(&[("host", "localhost:8000")]);
        two.append(header::HOST, HeaderValue::from_static("evil"));
        assert!(hosts().check_host(&Uri::from_static("/"), &two).is_err());
    }

    #[test]
    fn port_80_needs_no_port() {
        let hosts = Hosts::new("[::1]:80".parse().unwrap(), &[], false);
        hosts.check_host(&Uri::from_static("/"), &headers(&[("host", "localhost")])).unwrap();
    }

    #[test]
    fn a_server_for_other_machines_answers_under_its_addresses_and_whoever_shows_a_key() {
        let hosts = Hosts::new("0.0.0.0:8000".parse().unwrap(), &[], true);
        let check = |lines: &[(&'static str, &str)]| {
            let headers = headers(lines);
            hosts.check_host(&Uri::from_static("/"), &headers).is_ok()
                && hosts.check_site(&headers, false).is_ok()
        };
        for good in ["192.0.2.7:8000", "[2001:db8::1]:8000", "localhost:8000"] {
            assert!(check(&[("host", good)]), "{good}");
            assert!(check(&[("host", good), ("origin", &format!("http://{good}"))]), "{good}");
        }
        for bad in ["box:8000", "192.0.2.7", "192.0.2.7:80", "0.0.0.0:8000", "192.0.2.7.evil:8000"] {
            assert!(!check(&[("host", bad)]), "{bad}");
            assert!(check(&[("host", bad), ("authorization", "Bearer x")]), "{bad}");
        }
        assert!(
            !check(&[("host", "192.0.2.7:8000"), ("origin", "http://192.0.2.8:8000")]),
            "another address"
        );
        assert!(!check(&[("host", "box:8000"), ("x-api-key", "x"), ("origin", "http://evil")]));
    }

    #[test]
    fn other_sites_are_refused() {
        let check = |lines: &[(&'static str, &str)]| hosts().check_site(&headers(lines), false).is_ok();
        assert!(check(&[]));
        assert!(check(&[("origin", "http://localhost:8000"), ("sec-fetch-site", "same-origin")]));
        assert!(check(&[("sec-fetch-site", "none")]));
        for origin in [
            "null",
            "http://evil",
            "http://localhost:8001",
            "http://localhost:8000/",
            "ftp://localhost:8000",
            "localhost:8000",
            "http://localhost:8000 http://evil",
        ] {
            assert!(!check(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "", "anything"] {
            assert!(!check(&[("sec-fetch-site", site)]), "{site}");
        }
    }

    #[test]
    fn another_port_may_link_to_a_page_only() {
        let link = headers(&[
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ]);
        hosts().check_site(&link, true).unwrap();
        assert!(hosts().check_site(&link, false).is_err());
        let frame = headers(&[
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "iframe"),
        ]);
        assert!(hosts().check_site(&frame, true).is_err());
    }
}
