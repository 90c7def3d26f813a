//! A server of S3, moto, which `scripts/readers.sh` installs.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server of S3.
pub(crate) struct Moto {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Moto {
    /// Starts a server; `variables` configure it.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let program =
            folders.map(|folder| folder.join("target/readers/bin/moto_server")).find(|program| program.exists());
        let process = Command::new(program.expect("scripts/readers.sh installs moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { process, address: format!("127.0.0.1:{port}"), _folder: folder };
        let start = Instant::now();
        while TcpStream::connect(&server.address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(120), "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The variables of a client.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let set = |name, value: &str| (name, value.to_owned());
        vec![
            set("AWS_ENDPOINT_URL", &format!("http://{}", self.address)),
            set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            set("AWS_SECRET_ACCESS_KEY", "s3cretkey"),
            set("AWS_REGION", "us-east-1"),
        ]
    }

    pub(crate) fn create_bucket(&self, name: &str) {
        self.put(name, "", b"");
    }

    /// Writes an object.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let slash = if key.is_empty() { "" } else { "/" };
        let (address, length) = (&self.address, bytes.len());
        // Without a header of a signature, no object is overwritten. The signature is not checked.
        let head = format!(
            "PUT /{bucket}{slash}{key} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261128/us-east-1/s3/aws4_request, SignedHeaders=host, \
             Signature=0\r\n\r\n"
        );
        connection.write_all(&[head.as_bytes(), bytes].concat()).unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.kill();
    }
}
