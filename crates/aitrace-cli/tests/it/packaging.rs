//! What `packaging/` says: what it names exists, and the server runs as it is started there.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{AITRACE, Home, finish, signal};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("packaging").join(name)).expect("is in the repository")
}

/// Values of a key of the unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// Variables that are set in words like `NAME=value`; each of them must be one that the command knows.
fn variables<'a>(words: impl Iterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
    let home = Home::new();
    home.aitrace(&["config", "init"]).expect(0);
    let folder = home.path().join(".config/aitrace/config.toml");
    let known = std::fs::read_to_string(folder).expect("was written");
    let pairs: Vec<_> = words.map(|word| word.split_once('=').expect("NAME=value")).collect();
    for (name, _) in &pairs {
        let ours = known.contains(&format!("[{name}]")) || ["AITRACE_CONFIG", "HOME"].contains(name);
        assert!(ours, "{name} is no setting");
    }
    pairs
}

/// Instructions of the Dockerfile: their word, and what follows.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let joined = lines.replace("\\\n", " ");
    let all = joined.lines().filter_map(|line| line.trim().split_once(' '));
    all.map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

#[test]
fn the_unit_starts_a_server_that_ends_in_order() {
    let unit = read("aitrace.service");
    let start = values(&unit, "ExecStart")[0];
    let mut words = start.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/aitrace"));
    let args: Vec<&str> = words.collect();
    let words = values(&unit, "Environment").into_iter().flat_map(|line| line.split(' '));
    let settings = variables(words);
    assert!(settings.contains(&("AITRACE_DATA_DIR", "/var/lib/aitrace")));
    assert_eq!(values(&unit, "StateDirectory"), ["aitrace"], "which is made in /var/lib");
    let home = Home::new();
    let mut command = home.command(&args);
    // Its folder and any free port; the configuration file need not be there.
    command.envs(settings).env("AITRACE_DATA_DIR", home.path().join("data")).env("AITRACE_PORT", "0");
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("reads");
    let told: Value = serde_json::from_str(&line).expect("JSON");
    let url = told["url"].as_str().expect("says where it is").to_owned();
    check_health(&url, true);
    signal(&child, &format!("-{}", values(&unit, "KillSignal")[0].trim_start_matches("SIG")));
    assert!(child.wait().expect("ends").success());
    check_health(&url, false);
}

/// Runs the health check of the Dockerfile against a server elsewhere.
fn check_health(url: &str, well: bool) {
    let text = read("Dockerfile");
    let all = instructions(&text);
    let (_, check) = all.iter().find(|(word, _)| word == "HEALTHCHECK").expect("has one");
    let command = &check[check.find('[').expect("a list")..];
    let words: Vec<String> = serde_json::from_str(command).expect("a list of words");
    assert!(words[2].contains("127.0.0.1/8000") && words[2].contains("localhost:8000"), "{words:?}");
    let port = url.rsplit(':').next().expect("a port");
    let script = words[2].replace("8000", port);
    let status = Command::new(&words[0]).args([&words[1], &script]).stderr(Stdio::null()).status();
    assert_eq!(status.expect("runs").success(), well, "{script}");
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was not tested")]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let home = Home::new();
    // It demands that the binary is there.
    let unit = read("aitrace.service").replace("/usr/local/bin/aitrace", AITRACE);
    let path = home.file("aitrace.service", &unit);
    let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(path).output();
    let Ok(verify) = verify else { return eprintln!("skipped: there is no systemd-analyze here") };
    let said = String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_dockerfile_names_what_there_is() {
    let all = instructions(&read("Dockerfile"));
    let of = |wanted: &str| -> Vec<&str> {
        all.iter().filter(|(word, _)| word == wanted).map(|(_, rest)| rest.as_str()).collect()
    };
    let stages: Vec<&str> = of("FROM").iter().filter_map(|from| Some(from.split_once(" AS ")?.1)).collect();
    for copy in of("COPY") {
        let words: Vec<&str> = copy.split_whitespace().collect();
        match words[0].strip_prefix("--from=") {
            Some(stage) => assert!(stages.contains(&stage), "{copy}"),
            None => assert!(root().join(words[0]).try_exists().expect("looks"), "{copy}"),
        }
    }
    let rust = concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-");
    assert!(of("FROM").iter().any(|from| from.starts_with(rust)), "{rust}");
    let build = of("RUN").into_iter().find(|run| run.contains("cargo build")).expect("builds");
    assert!(build.contains(concat!("-p ", env!("CARGO_PKG_NAME"), " ")) && build.contains("--locked"));
    let web: Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("web/package.json")).expect("reads"))
            .expect("JSON");
    assert!(web["scripts"]["build"].is_string());
    let words = of("ENV").into_iter().flat_map(|line| line.split_whitespace().collect::<Vec<_>>());
    let settings = variables(words.collect::<Vec<_>>().into_iter());
    assert!(settings.contains(&("AITRACE_DATA_DIR", of("VOLUME")[0])));
    let home = Home::new();
    let help = home.aitrace(&["serve", "--help"]).expect(0).stdout;
    for port in of("EXPOSE").iter().flat_map(|ports| ports.split(' ')) {
        assert!(help.contains(port), "{port} is no port of the server");
    }
    let words = |line: &str| serde_json::from_str::<Vec<String>>(line).expect("a list of words");
    assert_eq!(words(of("ENTRYPOINT")[0]), ["aitrace"]);
    let mut start = home.command(&words(of("CMD")[0]).iter().map(String::as_str).collect::<Vec<_>>());
    // Without a key it does not listen for others.
    start.envs(settings).env("HOME", home.path()).env("AITRACE_DATA_DIR", home.path().join("data"));
    let refused = finish(start.env("AITRACE_PORT", "0")).expect(2);
    assert!(refused.stderr.contains("aitrace keys create"), "{}", refused.stderr);
}
