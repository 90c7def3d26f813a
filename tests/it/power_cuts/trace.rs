//! System calls of a process, recorded by strace with all bytes that they write.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The recorded calls: those that change files, those that sync them, and those that send a response. A `?` marks calls that
/// some processors do not have.
const CALLS: &str = "?open,openat,?creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,?sync,syncfs,\
    ?rename,?renameat,renameat2,?unlink,unlinkat,?mkdir,mkdirat,?rmdir,ftruncate,truncate,fallocate,?link,linkat,\
    ?symlink,symlinkat,close,dup,?dup2,dup3,fcntl,lseek,mmap,copy_file_range,sendfile,splice,sendto,sendmsg,chdir,fchdir";

/// Starts `kiln` under strace, which writes its calls to `trace`.
pub(super) fn start(home: &Path, args: &[&str], trace: &Path) -> Child {
    let mut command = Command::new("strace");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KILN_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
        .args(["-f", "--seccomp-bpf", "-xx", "-s", "100000000", "-e", "signal=none", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-o")
        .arg(trace)
        .arg(env!("CARGO_BIN_EXE_kiln"))
        .args(args)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace is missing: `make tools` installs it")
}

/// Asks the recorded process, not strace, to end.
pub(super) fn terminate(trace: &Path) {
    let started = Instant::now();
    let process = loop {
        let text = fs::read_to_string(trace).unwrap_or_default();
        if let Some((process, _)) = text.split_once(' ') {
            break process.to_owned();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "strace records nothing");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
}

/// A call, or the part of it that strace has printed so far.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    args: String,
}

/// The start or the end of a call, in the order in which they happened.
#[derive(Debug)]
pub(super) enum Step {
    Enter { thread: u32, call: Call },
    Return { thread: u32, call: Call, result: i64 },
}

impl Call {
    /// The strings of the arguments.
    pub(super) fn strings(&self) -> Vec<Vec<u8>> {
        self.args.split('"').skip(1).step_by(2).map(unescape).collect()
    }

    /// The string number `index` as a path.
    pub(super) fn path(&self, index: usize) -> String {
        String::from_utf8(self.strings()[index].clone()).unwrap()
    }

    /// Argument number `index`, of a call without structures.
    pub(super) fn argument(&self, index: usize) -> &str {
        self.args.split(", ").nth(index).unwrap_or_else(|| panic!("an argument is missing: {}", self.shortened()))
    }

    /// An argument that is a number; `None` for `AT_FDCWD` and other names.
    pub(super) fn number(&self, index: usize) -> Option<i64> {
        self.argument(index).parse().ok()
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.args.contains(flag)
    }

    /// Whether a path of the arguments is inside of `folder`.
    pub(super) fn is_inside(&self, folder: &Path) -> bool {
        self.strings().iter().any(|text| Path::new(&*String::from_utf8_lossy(text)).starts_with(folder))
    }

    /// The call without its data, for messages.
    pub(super) fn shortened(&self) -> String {
        let args: String = self.args.chars().take(300).collect();
        format!("{}({args})", self.name)
    }
}

/// The bytes of a string of `\x` escapes.
fn unescape(text: &str) -> Vec<u8> {
    let digits = |escape: &str| u8::from_str_radix(escape, 16).unwrap_or_else(|_| panic!("no bytes: {escape}"));
    text.split("\\x").skip(1).map(digits).collect()
}

/// Reads a trace.
pub(super) fn read(trace: &Path) -> Vec<Step> {
    let text = fs::read_to_string(trace).unwrap();
    let mut unfinished: Vec<(u32, Call)> = Vec::new();
    let mut steps = Vec::new();
    for line in text.lines() {
        let (thread, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no process: {line}"));
        let (thread, rest) = (thread.parse().unwrap(), rest.trim_start());
        if rest.starts_with("+++ exited with ") {
            // A thread has ended, the last of which ends the process.
        } else if let Some(rest) = rest.strip_prefix("<... ") {
            let Some(at) = unfinished.iter().position(|(other, _)| *other == thread) else { continue };
            let (_, mut call) = unfinished.swap_remove(at);
            let (_, rest) = rest.split_once(" resumed>").unwrap();
            let Some((args, result)) = result_of(rest) else { continue };
            call.args.push_str(args);
            steps.push(Step::Return { thread, call, result });
        } else if rest.starts_with("+++") || rest.starts_with("---") {
            panic!("the process was killed: {rest}");
        } else {
            let (name, rest) = rest.split_once('(').unwrap();
            let name = name.to_owned();
            if let Some(args) = rest.strip_suffix("<unfinished ...>") {
                let call = Call { name, args: args.trim_end().to_owned() };
                unfinished.push((thread, call.clone()));
                steps.push(Step::Enter { thread, call });
            } else if let Some((args, result)) = result_of(rest) {
                let call = Call { name, args: args.to_owned() };
                steps.push(Step::Enter { thread, call: call.clone() });
                steps.push(Step::Return { thread, call, result });
            }
        }
    }
    steps
}

/// Splits the end of a call into its arguments and its result; `None` if it has none, as in a thread that ends.
fn result_of(rest: &str) -> Option<(&str, i64)> {
    let (args, result) = rest.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?.split(' ').next()?;
    let result = match result.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None => result.parse().ok()?,
    };
    Some((args, result))
}
