//! More connections than the process may have descriptors: the accept loop goes on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::http::{Call, connect, read};
use crate::rig::Rig;
use crate::samples::log;

/// The server of the test below: it tells its address, and to stderr what it logs. It ends with its stdin.
#[test]
#[ignore = "runs within another test"]
#[expect(clippy::print_stdout, reason = "tells its address")]
fn server() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let rig = Rig::limited(|limits| limits.head_timeout = Duration::from_millis(200));
    println!("\naddress {}", rig.addr);
    std::io::stdin().read_line(&mut String::new()).expect("waits");
}

#[test]
fn connections_beyond_the_descriptors_wait_and_are_served() {
    let own = std::env::current_exe().expect("a test has a file");
    let mut child = Command::new("sh")
        .args(["-c", r#"ulimit -n 48 && exec "$0" "$@""#])
        .arg(own)
        .args(["--exact", "descriptors::server", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.strip_prefix("address ")?.parse::<SocketAddr>().ok());
    let address = address.expect("an address");
    let idle: Vec<TcpStream> = (0..400).map(|_| connect(address)).collect();
    // It stands behind all of them in the queue, and they are still held.
    let mut socket = connect(address);
    socket
        .write_all(&Call::new(address, "POST", "/api/ingest").body("application/json", log("e")).bytes())
        .expect("writes");
    assert_eq!(read(&mut socket).expect("an answer").json()["ingested"], 1);
    drop(idle);
    for _ in 0..100 {
        assert_eq!(Call::new(address, "GET", "/healthz").send().status, 200);
    }
    drop(child.stdin.take());
    let logged = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let failed = logged.filter(|line| line.contains("accept failed")).count();
    assert!(child.wait().expect("ends").success());
    assert!(failed > 0, "the limit was reached");
    assert!(failed < 1000, "and not in a busy loop: {failed} times");
}
