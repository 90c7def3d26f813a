//! Runs the binary as a user does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The time after which a command is killed, on a busy machine with one processor too.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A bundled data file.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// The result of a run of the binary.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    /// Asserts that the run succeeded, and returns its summary, which is on standard error.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stderr
    }

    /// Asserts that the run ended with `code` and one line on standard error that holds all of `words`.
    pub(crate) fn failed(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "more than one line: {}", self.stderr);
        assert!(self.stderr.starts_with("kiln: "), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing: {}", self.stderr);
        }
    }
}

/// Runs `kiln` in `folder`.
pub(crate) fn kiln<A: AsRef<std::ffi::OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Run {
    kiln_with_input(folder, args, b"")
}

/// Runs `kiln` in `folder` with these environment variables.
pub(crate) fn kiln_with_env<A: AsRef<std::ffi::OsStr>>(
    folder: &Path,
    args: impl IntoIterator<Item = A>,
    env: &[(&str, &str)],
) -> Run {
    run(folder, args, env, b"")
}

/// Runs `kiln` in `folder` with `input` on its standard input.
pub(crate) fn kiln_with_input<A: AsRef<std::ffi::OsStr>>(
    folder: &Path,
    args: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Run {
    run(folder, args, &[], input)
}

fn run<A: AsRef<std::ffi::OsStr>>(
    folder: &Path,
    args: impl IntoIterator<Item = A>,
    env: &[(&str, &str)],
    input: &[u8],
) -> Run {
    // Variables of the surrounding environment must not configure Kiln.
    let set = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("KILN_") || name == "DATABASE_URL";
    let inherited = std::env::vars_os().filter(|(name, _)| !set(name));
    let mut child = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(inherited)
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A child that fails early does not read its input.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    // A command that should fail, such as a server that should not start, must not block all tests.
    let (ended, is_running) = channel::<()>();
    let id = child.id().to_string();
    let guard = std::thread::spawn(move || {
        let is_late = is_running.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout);
        is_late && Command::new("kill").args(["-KILL", &id]).status().unwrap().success()
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    drop(ended);
    writer.join().unwrap();
    assert!(!guard.join().unwrap(), "the command did not end: {}", String::from_utf8_lossy(&stderr));
    let code = status.code().expect("the binary was killed");
    Run { code, stdout, stderr: String::from_utf8(stderr).unwrap() }
}
