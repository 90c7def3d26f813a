//! The engines: `DuckDB` in a process of Python, and Sail as a server of Spark Connect.

use std::fmt::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program of the virtual environment of the tests.
pub(super) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/readers/bin").join(name)
}

/// Runs a Python program with `arguments` in `folder`; returns whether it succeeded, and its two outputs.
pub(super) fn python(folder: &Path, arguments: &[&str]) -> (bool, String, String) {
    let python = program("python");
    let run = Command::new(&python).args(arguments).current_dir(folder).output();
    let output =
        run.unwrap_or_else(|error| panic!("cannot run {} ({error}): scripts/readers.sh installs it", python.display()));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Runs statements in `DuckDB`, in `folder`.
pub(super) fn duckdb(folder: &Path, statements: &[String]) {
    let mut code = String::from("import duckdb\ncon = duckdb.connect()\n");
    for statement in statements {
        writeln!(code, "con.execute({statement:?})").unwrap();
    }
    std::fs::write(folder.join("duckdb_run.py"), code).unwrap();
    let (is_ok, _, message) = python(folder, &["duckdb_run.py"]);
    assert!(is_ok, "{message}");
}

/// A server of Spark Connect.
pub(super) struct Sail {
    process: Child,
    address: String,
}

impl Sail {
    /// Starts a server in `folder`.
    pub(super) fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(folder.join("sail.log")).unwrap();
        let process = Command::new(program("sail"))
            .args(["spark", "server", "--port", &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("scripts/readers.sh installs sail");
        let sail = Self { process, address: format!("127.0.0.1:{port}") };
        let start = Instant::now();
        while TcpStream::connect(&sail.address).is_err() {
            let log = std::fs::read_to_string(folder.join("sail.log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(120), "sail does not listen: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        sail
    }

    /// The URL for clients.
    pub(super) fn url(&self) -> String {
        format!("sc://{}", self.address)
    }

    /// Writes the rows of each `SELECT` to a folder.
    pub(super) fn write(&self, folder: &Path, selects: &[(String, PathBuf)]) {
        let mut code = format!(
            "from pyspark.sql import SparkSession\nspark = SparkSession.builder.remote({:?}).getOrCreate()\n\
             spark.conf.set('spark.sql.session.timeZone', 'UTC')\n",
            self.url()
        );
        for (select, output) in selects {
            writeln!(code, "spark.sql({select:?}).write.parquet({:?})", output.to_str().unwrap()).unwrap();
        }
        std::fs::write(folder.join("sail_run.py"), code).unwrap();
        let (is_ok, _, message) = python(folder, &["sail_run.py"]);
        assert!(is_ok, "{message}");
    }
}

impl Drop for Sail {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
