//! A server of S3 as a process: moto, which `scripts/readers.sh` installs. Its objects are in memory.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub(crate) struct S3Server {
    process: Child,
    port: u16,
}

impl S3Server {
    /// Starts a server.
    pub(crate) fn start() -> Self {
        Self::start_at(free_port(), &[])
    }

    /// Starts a server at a port; `variables` configure it.
    pub(crate) fn start_at(port: u16, variables: &[(&str, &str)]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/readers/bin/moto_server");
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/readers.sh installs moto_server");
        let server = Self { process, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(120), "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server at once (SIGKILL), with all its objects.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Creates a bucket.
    pub(crate) fn create_bucket(&self, name: &str) {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!("Host: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", self.port);
        connection.write_all(format!("PUT /{name} HTTP/1.1\r\n{head}").as_bytes()).unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }

    /// The variables of its clients.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        variables(self.port)
    }
}

/// The variables of clients of a server at a port.
pub(crate) fn variables(port: u16) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "s3cretkey".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

/// A port that no process listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
