//! The commands of a page as one bash script.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::page::{Block, Page};

/// What every script begins with: `kiln serve` in the background, and a `curl` that fails where the server reports an error.
const PRELUDE: &str = r#"
stop_server() {
  if [ -n "${server:-}" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; fi
}
trap stop_server EXIT
# The token that the commands of the documents send; a page may set another one.
export KILN_TOKEN=token-of-the-documents
kiln() {
  if [ "${1:-}" != serve ]; then command kiln "$@"; return; fi
  stop_server
  command kiln "$@" -l "$TEST_PORT" 2>server.log &
  server=$!
  for _ in $(seq 600); do
    if grep -q ' at https\?://' server.log; then return; fi
    if ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
  done
  cat server.log >&2
  echo 'the server did not start' >&2
  return 1
}
curl() { command curl --silent --show-error --fail-with-body "$@"; }
"#;

/// The names of the server in the documents.
const SERVERS: [&str; 2] = ["localhost:3000", "127.0.0.1:3000"];

/// How long a page may take.
const LIMIT: Duration = Duration::from_secs(300);

/// The commands of a page.
pub(super) struct Script {
    page: String,
    text: String,
}

impl Script {
    /// The script of a page, if it has any command.
    pub(super) fn of(page: &Page) -> Option<Self> {
        let is_run = |block: &&Block| block.language == "sh" || block.is_checked;
        let commands: Vec<&str> = page.blocks.iter().filter(is_run).map(|block| block.text.as_str()).collect();
        if commands.is_empty() {
            return None;
        }
        let mut text = PRELUDE.to_owned();
        let starts = |command: &str| command.lines().any(|line| line.starts_with("kiln serve"));
        let uses = |command: &str| SERVERS.iter().any(|server| command.contains(server));
        let first_use = commands.iter().position(|command| uses(command)).unwrap_or(usize::MAX);
        let first_start = commands.iter().position(|command| starts(command)).unwrap_or(usize::MAX);
        if first_use < first_start {
            text.push_str("kiln serve\n");
        }
        for block in &page.blocks {
            let place = format!("{}:{}", page.name, block.line);
            match block.language.as_str() {
                "console" if block.is_checked => text.push_str(&comparisons(&place, &block.text)),
                "sh" => text.extend(["echo '", &place, "' >&2\n", &block.text]),
                "toml" => {
                    let Some(file) = file_name(&block.text) else { continue };
                    text.extend(["cat >", file, " <<'END_OF_TOML'\n", &block.text, "END_OF_TOML\n"]);
                }
                _ => {}
            }
        }
        text.push_str("if [ -n \"${mismatch:-}\" ]; then exit 1; fi\n");
        Some(Self { page: page.name.clone(), text })
    }

    /// Runs the script in `folder`.
    ///
    /// # Errors
    /// The page, the block and what the commands printed, if one of them failed.
    pub(super) fn run(&self, folder: &Path) -> Result<(), String> {
        let port = free_port();
        let text = with_port(&self.text, port);
        // Scripts and programs are outside of the folder that the page sees.
        let tools = tempfile::tempdir().unwrap();
        let script = tools.path().join("script.sh");
        let log = tools.path().join("log");
        fs::write(&script, text).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kiln"), tools.path().join("kiln")).unwrap();
        for bundled in ["data", "examples"] {
            let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(bundled);
            std::os::unix::fs::symlink(target, folder.join(bundled)).unwrap();
        }
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        // The Python of `make tools` has the packages of the examples.
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/readers/bin");
        let path = [tools.path().to_owned(), python].into_iter().chain(std::env::split_paths(&inherited));
        let output = fs::File::create(&log).unwrap();
        let mut child = Command::new("bash")
            .args(["-euo", "pipefail"])
            .arg(&script)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8")
            .env("TEST_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap();
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if start.elapsed() > LIMIT {
                // The group: the script, and the server that it started.
                let group = format!("-{}", child.id());
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let printed = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("{}: {status}\n{}", self.page, last_lines(&printed))),
            None => Err(format!("{}: not done after {LIMIT:?}\n{}", self.page, last_lines(&printed))),
        }
    }
}

/// The text with the address of the server at this port.
fn with_port(text: &str, port: u16) -> String {
    // One replacement after the other would replace the beginning of a port such as 30004.
    let [name, address] = SERVERS;
    text.replace(name, address).replace(address, &format!("127.0.0.1:{port}"))
}

/// The commands of a checked `console` block, each compared with the lines below it. `…` stands for any text.
fn comparisons(place: &str, console: &str) -> String {
    let mut script = String::new();
    for entry in format!("\n{console}").split("\n$ ").skip(1) {
        let (command, output) = entry.split_once('\n').unwrap_or((entry, ""));
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let pattern: Vec<String> = output.trim_end().split('…').map(quoted).collect();
        let title = quoted(&format!("{place}: `{command}` printed"));
        script.extend([
            "actual=$( { ",
            command,
            "\n} 2>&1 || true )\n",
            "if [[ $actual != ",
            &pattern.join("*"),
            " ]]; then echo ",
            &title,
            "; echo \"$actual\"; mismatch=1; fi\n",
        ]);
    }
    script
}

/// The file that a block of TOML is, by the comment in its first line.
fn file_name(toml: &str) -> Option<&str> {
    let name = toml.lines().next()?.strip_prefix("# ")?;
    let is_file = Path::new(name).extension().is_some_and(|ending| ending == "toml") && !name.contains([' ', '/']);
    is_file.then_some(name)
}

/// The end of what the commands printed.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// A port below those that the system gives to clients, so that it stays free until the server starts.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 2000) as u16;
    let mut ports = (0..2000).map(|_| 30_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 2000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free")
}

#[test]
fn a_script_fails_with_the_page_and_the_line_of_the_block() {
    let block = |info: &str, line: usize, text: &str| Block {
        language: info.split(' ').next().unwrap().to_owned(),
        line,
        text: text.to_owned(),
        is_checked: info.ends_with("checked"),
    };
    let run = |blocks| {
        let page = Page { name: "page.md".to_owned(), text: String::new(), blocks };
        Script::of(&page).unwrap().run(tempfile::tempdir().unwrap().path())
    };
    let toml = block("toml", 1, "# a.toml\n[images]\n");
    let works = block("sh", 5, "test -f data/cities.parquet\ngrep -q images a.toml\n");
    let error = run(vec![toml, works, block("sh", 9, "cat none.csv\n")]).unwrap_err();
    assert!(error.contains("page.md:9") && error.contains("none.csv"), "{error}");
    let rejection = run(vec![block("sh", 3, "curl localhost:3000/none\n")]).unwrap_err();
    assert!(rejection.contains("page.md:3") && rejection.contains("there is no layer"), "{rejection}");
    let console = |output: &str| vec![block("console checked", 3, &format!("$ echo \"it's\" on\n{output}\n$ false\n"))];
    assert_eq!(run(console("it's …n")), Ok(()));
    let other = run(console("it's …f")).unwrap_err();
    assert!(other.contains("page.md:3: `echo \"it's\" on` printed\nit's on"), "{other}");
    assert_eq!(with_port("localhost:3000/a 127.0.0.1:3000/b", 30_004), "127.0.0.1:30004/a 127.0.0.1:30004/b");
    assert_eq!(run(vec![block("sh", 3, "kiln serve data/cities.parquet\ncurl localhost:3000/cities\n")]), Ok(()));
}
