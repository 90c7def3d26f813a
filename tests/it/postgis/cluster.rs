//! A database server for the tests, in a temporary folder. It is stopped with the last test that uses it.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// A running server.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    port: u16,
    databases: AtomicU32,
}

/// A database with PostGIS.
pub(crate) struct Database {
    cluster: Arc<Cluster>,
    name: String,
}

/// The folder of the database programs, of a version with the extension `postgis`.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").map(|all| all.flatten().map(|version| version.path()));
    let with_postgis = versions.into_iter().flatten().find(|version| {
        let version = version.file_name().unwrap().to_string_lossy().into_owned();
        Path::new("/usr/share/postgresql").join(version).join("extension/postgis.control").exists()
    });
    with_postgis.expect("there is no PostgreSQL with PostGIS here: `make tools` installs it").join("bin")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim() == "0"
}

/// A database program. The server refuses to run as root, so root runs programs as the user `postgres`.
fn program(name: &str) -> Command {
    let path = programs().join(name);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/").env_remove("PGHOST").env_remove("PGPORT").env_remove("PGUSER").env_remove("PGPASSWORD");
    command
}

/// A free port outside of the ephemeral range, so that it stays free while the server is stopped.
fn free_port() -> u16 {
    const PORTS: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut ports = (0..PORTS).map(|_| {
        let number = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        20_000 + (number % PORTS) as u16
    });
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free")
}

fn run_checked(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

impl Cluster {
    /// Starts a server for one test.
    pub(crate) fn start() -> Arc<Self> {
        Self::start_with("")
    }

    /// Starts a server with additional options.
    pub(crate) fn start_with(options: &str) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            run_checked(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let port = free_port();
        let data = folder.path().join("data");
        let arguments = ["-A", "trust", "-U", "kiln", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        run_checked(program("initdb").arg("-D").arg(&data).args(arguments));
        let cluster = Self { folder, port, databases: AtomicU32::new(0) };
        cluster.run_with(options);
        Arc::new(cluster)
    }

    /// The server that tests share, while at least one of them uses it.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Self::start();
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// Starts the server.
    pub(crate) fn run(&self) {
        self.run_with("");
    }

    fn run_with(&self, more: &str) {
        let folder = self.folder.path().display();
        // Commits must survive an immediate stop of the server, but not of the machine.
        let options = format!("-k {folder} -h 127.0.0.1 -p {} -c fsync=off -c full_page_writes=off {more}", self.port);
        let log = self.folder.path().join("log");
        let mut start = program("pg_ctl");
        start.arg("-D").arg(self.data()).arg("-l").arg(log).args(["-w", "-o", &options, "start"]);
        // The server must not inherit the output of the tests: a reader of it would wait for the server's end.
        assert!(start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    }

    /// Stops the server immediately, without a checkpoint.
    pub(crate) fn stop(&self) {
        run_checked(program("pg_ctl").arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The TCP port of the server on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Writes a file into the data folder that only the server's user may read, as it requires of private keys.
    #[cfg(unix)]
    pub(crate) fn write_private(&self, name: &str, contents: &[u8]) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.data().join(name);
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        if is_root() {
            run_checked(Command::new("chown").arg("postgres").arg(&path));
        }
    }

    /// The server's log.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap()).into_owned()
    }

    fn psql(&self, database: &str, sql: &str, input: &[u8]) -> String {
        let mut child = program("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "kiln", "-d", database])
            .args(["-p", &self.port.to_string(), "-c", sql])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A database without PostGIS.
    pub(crate) fn bare_database(self: &Arc<Self>) -> Database {
        let name = format!("maps{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"), b"");
        Database { cluster: Arc::clone(self), name }
    }

    /// A database with PostGIS.
    pub(crate) fn database(self: &Arc<Self>) -> Database {
        let database = self.bare_database();
        database.sql("CREATE EXTENSION postgis");
        database
    }
}

/// A lock of a table.
pub(crate) struct Lock(Child);

impl Drop for Lock {
    fn drop(&mut self) {
        // The session ends with its input, and its transaction with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be stopped already.
        let mut stop = program("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Database {
    /// The connection URL.
    pub(crate) fn url(&self) -> String {
        self.url_of("kiln")
    }

    /// The connection URL of a user, with an optional password: `user:password`.
    pub(crate) fn url_of(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{}", self.cluster.port, self.name)
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Runs statements, and returns their output.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql, b"")
    }

    /// Locks a table exclusively, in a session of its own, until the lock is dropped.
    pub(crate) fn lock(&self, table: &str) -> Lock {
        let port = self.cluster.port.to_string();
        let mut session = program("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "kiln", "-d", &self.name, "-p", &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let input = session.stdin.as_mut().unwrap();
        writeln!(input, "BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;").unwrap();
        let is_locked = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND mode = 'AccessExclusiveLock' AND granted"
        );
        crate::server::eventually("the table is locked", || self.sql(&is_locked).trim() == "1");
        Lock(session)
    }

    /// Runs a statement with `input` as its standard input.
    pub(crate) fn sql_with(&self, sql: &str, input: &[u8]) {
        self.cluster.psql(&self.name, sql, input);
    }
}
