//! Certificates: the one that is trusted works, every other is a server that cannot be reached.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use aitrace::FlushResult;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::network::{WAIT, builder, conserved, folder};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A server that answers every request with 200; its URL.
fn serve(issuer: &Issuer, host: &str, expired: bool) -> String {
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("params");
    if expired {
        params.not_after = date_time_ymd(2020, 1, 1);
        params.not_before = date_time_ymd(2019, 1, 1);
    }
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
    let accept = move || {
        for mut tcp in listener.incoming().flatten() {
            let mut connection = ServerConnection::new(config.clone()).expect("a connection");
            let mut reader = BufReader::new(Stream::new(&mut connection, &mut tcp));
            // One small request comes at once.
            if reader.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                reader.get_mut().write_all(answer).unwrap_or_default();
                reader.get_mut().conn.send_close_notify();
                reader.get_mut().flush().unwrap_or_default();
            }
        }
    };
    std::thread::Builder::new().name("tls".into()).spawn(accept).expect("a thread");
    url
}

#[test]
fn only_a_certificate_that_is_trusted_valid_and_of_this_host_will_do() {
    let (known, unknown) = (issuer(), issuer());
    let folder = folder();
    let trusted = folder.path().join("ca.pem");
    std::fs::write(&trusted, known.pem()).expect("writes");
    let good = serve(&known, "localhost", false);
    let flush = |url: &str, trust: bool| {
        let builder = builder(url, &folder).spool_dir(folder.path().join("spool"));
        let tracer = if trust { builder.certificate(&trusted) } else { builder }.build();
        tracer.start_span("s").end();
        let result = tracer.flush(WAIT);
        conserved(&tracer, 1);
        (result, tracer.stats().problem.unwrap_or_default())
    };
    let (result, problem) = flush(&good, true);
    assert_eq!(result, FlushResult { ok: true, sent: 1, ..FlushResult::default() }, "{problem}");
    for (name, url, trust) in [
        ("not trusted", &good, false),
        ("of an unknown issuer", &serve(&unknown, "localhost", false), true),
        ("expired", &serve(&known, "localhost", true), true),
        ("of another host", &serve(&known, "other.example", false), true),
    ] {
        let (result, problem) = flush(url, trust);
        assert_eq!((result.sent, result.spooled), (0, 1), "{name}: {problem}");
        assert!(problem.to_lowercase().contains("certificate"), "{name}: {problem}");
    }
}
