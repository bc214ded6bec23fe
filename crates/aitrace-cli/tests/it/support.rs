//! A folder, the binary, a server on a free port.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Path of the binary under test.
pub(crate) const AITRACE: &str = env!("CARGO_BIN_EXE_aitrace");

/// A folder of its own, which is also the home and the place of the data.
pub(crate) struct Home(TempDir);

/// How a command ended.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// The JSON on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Fails with all that was said unless the code is this.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The binary with an environment of its own.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(AITRACE);
        command.args(args).current_dir(self.path()).env_clear();
        command.env("HOME", self.path()).env("PATH", "/usr/bin:/bin");
        command.env("AITRACE_DATA_DIR", self.path().join("data")).stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn aitrace(&self, args: &[&str]) -> Done {
        finish(&mut self.command(args))
    }

    /// The same with text on stdin.
    pub(crate) fn aitrace_with(&self, args: &[&str], stdin: &str) -> Done {
        let mut command = self.command(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let stdin = stdin.to_owned();
        let writer =
            std::thread::Builder::new().spawn(move || drop(input.write_all(stdin.as_bytes()))).unwrap();
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        done(&output)
    }

    /// A server over the data of this folder.
    pub(crate) fn serve(&self) -> Server {
        self.serve_at("0")
    }

    /// The same on this port.
    pub(crate) fn serve_at(&self, port: &str) -> Server {
        self.start(&["serve", "--port", port])
    }

    /// A server on any port that is told more.
    pub(crate) fn serve_with(&self, args: &[&str]) -> Server {
        self.start(&[&["serve", "--port", "0"], args].concat())
    }

    fn start(&self, args: &[&str]) -> Server {
        let mut child = self.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        let url = url.trim_end().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");
        Server { child, url, stdout }
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Done {
    done(&command.output().unwrap())
}

fn done(output: &std::process::Output) -> Done {
    Done {
        code: output.status.code().expect("it was not ended by a signal"),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Asks it to end, waits, and says how it ended and what else it wrote to stdout.
    pub(crate) fn terminate(mut self) -> (i32, String) {
        signal(&self.child, "-TERM");
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut rest).unwrap();
        (self.child.wait().unwrap().code().expect("it ended by itself"), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process that we started.
pub(crate) fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// An address at which nobody answers.
pub(crate) fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The id of a trace made of one digit.
pub(crate) fn trace_id(digit: char) -> String {
    digit.to_string().repeat(32)
}

/// A record of a span's end, without a line end.
pub(crate) fn span(trace: char, span: char, parent: Option<char>, name: &str, extra: &Value) -> String {
    let id = |digit: char| digit.to_string().repeat(16);
    let mut meta = json!({
        "timestamp": "2026-01-31T12:00:01.000000Z", "event": format!("{name}.end"), "trace_id": trace_id(trace),
        "span_id": id(span), "parent_span_id": parent.map(id), "level": "info", "version": "2.1", "lifecycle": "end",
        "id": format!("{trace}{span}"), "status": "ok", "duration_ns": 320_000_000, "project": "tests",
    });
    for (key, value) in extra.as_object().unwrap() {
        meta[key] = value.clone();
    }
    json!({"attributes": {"inputs": {"q": 1}}, "__tracer_meta__": meta}).to_string()
}
