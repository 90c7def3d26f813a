//! Runs `kiln serve`, and sends requests over a plain socket.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running `kiln serve` in a temporary folder, killed on drop.
pub(crate) struct Server {
    child: Child,
    address: String,
    home: tempfile::TempDir,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    log: Arc<Mutex<String>>,
}

/// Whether the tests of a server write without a token: it listens on a loopback address, and neither its arguments nor
/// its configuration has one of the keys of writes.
fn is_writable(home: &Path, args: &[String]) -> bool {
    let config = args.iter().skip_while(|arg| *arg != "-c").nth(1).map_or("kiln.toml", String::as_str);
    let config = std::fs::read_to_string(home.join(config)).unwrap_or_default();
    args[1].starts_with("127.0.0.1") && !config.contains("token") && !config.contains("local_writes")
}

/// Starts a server in a folder, and returns its process and address. Its standard error is appended to `log`.
fn start(home: &Path, args: &[String], variables: &[(String, String)], log: &Arc<Mutex<String>>) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KILN_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    if is_writable(home, args) {
        command.env("KILN_SERVER_LOCAL_WRITES", "true");
    }
    let mut child = command
        .arg("serve")
        .args(args)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap_or_else(|| panic!("the server did not start: {}", log.lock().unwrap())).unwrap();
        log.lock().unwrap().extend([line.as_str(), "\n"]);
        if let Some((_, url)) = line.split_once(" at http").and_then(|(_, url)| url.split_once("://")) {
            break url.trim_end_matches('/').to_owned();
        }
    };
    let log = Arc::clone(log);
    // Standard error must be read, or the server blocks as soon as the pipe is full.
    std::thread::spawn(move || {
        lines.map_while(Result::ok).for_each(|line| log.lock().unwrap().extend([line.as_str(), "\n"]));
    });
    (child, address)
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that the response is a problem document of `status` whose detail contains all of `words`.
    pub(crate) fn rejected(&self, status: u16, words: &[&str]) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{text}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{text}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:kiln:"), "{text}");
        let detail = problem["detail"].as_str().unwrap();
        for word in words {
            assert!(detail.contains(word), "`{word}` is missing: {text}");
        }
        // Details name request parameters and configuration keys, not flags of the command line.
        assert!(!detail.contains(" --") && !detail.contains("`--"), "{text}");
    }

    /// Asserts the status.
    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

impl Server {
    /// Starts a server with the bundled layers.
    pub(crate) fn start() -> Self {
        Self::with(&[], "")
    }

    /// Starts a server with additional arguments, and with `config` as `kiln.toml` in its folder.
    pub(crate) fn with(args: &[&str], config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        if !config.is_empty() {
            std::fs::write(home.path().join("kiln.toml"), config).unwrap();
        }
        Self::at(home, args)
    }

    /// Starts a server in a folder that contains files already.
    pub(crate) fn at(home: tempfile::TempDir, args: &[&str]) -> Self {
        Self::listening(home, "127.0.0.1:0", args)
    }

    /// Starts a server that listens on `listen`.
    pub(crate) fn listening(home: tempfile::TempDir, listen: &str, args: &[&str]) -> Self {
        Self::with_variables(home, listen, args, &[])
    }

    /// Starts a server with environment variables.
    pub(crate) fn with_variables(
        home: tempfile::TempDir,
        listen: &str,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let args: Vec<String> = ["-l", listen].iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(owned).collect();
        let log = Arc::default();
        let (child, address) = start(home.path(), &args, &variables, &log);
        Self { child, address, home, args, variables, log }
    }

    /// Starts a server with environment variables in a folder that contains files already.
    pub(crate) fn with_env(home: tempfile::TempDir, args: &[&str], env: &[(&'static str, String)]) -> Self {
        let variables: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Self::with_variables(home, "127.0.0.1:0", args, &variables)
    }

    /// Repeats a GET request until the response has the status.
    pub(crate) fn eventually(&self, path: &str, status: u16) -> Reply {
        let start = Instant::now();
        loop {
            let reply = self.get(path);
            if reply.status == status {
                return reply;
            }
            let body = String::from_utf8_lossy(&reply.body);
            assert!(start.elapsed() < TIMEOUT, "{path} is never {status}: {body}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Kills the server, and starts it again in the same folder.
    pub(crate) fn restart(&mut self) {
        self.kill();
        (self.child, self.address) = start(self.home.path(), &self.args, &self.variables, &self.log);
    }

    /// Kills the server at once, and waits for its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.home.path().join("imgs")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// The names of the files in the image folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.images())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// The host and port of the server.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, json: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], json.to_string().as_bytes())
    }

    pub(crate) fn form(&self, path: &str, form: &str) -> Reply {
        let form_type = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
        self.send("POST", path, &[form_type], form.as_bytes())
    }

    /// Sends a GET request with `host` as its Host header.
    pub(crate) fn get_from(&self, host: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send_as(host, "GET", path, headers, b"")
    }

    /// Sends a request on a new connection.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send_as(&self.address, method, path, headers, body)
    }

    fn send_as(&self, host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() || method == "POST" {
            head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // A server may respond and stop reading before it has received all of a body that is too long.
        let _ = stream.write_all(body);
        receive(&mut stream)
    }

    /// Sends SIGTERM to the server, waits for its end, and returns its exit code.
    #[cfg(unix)]
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.wait()
    }

    /// Waits for the end of the process, and returns its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not end");
    }
}

/// Reads a response, with or without a body.
pub(crate) fn receive(stream: &mut TcpStream) -> Reply {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no reply: `{line}`")).parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = Vec::new();
    match length {
        Some(length) => {
            reader.take(length).read_to_end(&mut body).unwrap();
        }
        None => drop(reader.read_to_end(&mut body)),
    }
    Reply { status, headers, body }
}

/// How long tests wait for a condition.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until `condition` holds. `what` describes it in the message of a failure.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
