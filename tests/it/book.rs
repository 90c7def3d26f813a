//! The commands and snippets of the documents: each one is run, or is listed here with the reason why it is not.
//!
//! The `sh` blocks of a page are one bash script, run in a fresh folder with the bundled `data/` and `examples/` in it and the tested `kiln`
//! on the PATH. In that script
//!
//! - `kiln serve …` starts a server in the background, waits until it accepts connections, and replaces the one before;
//! - `localhost:3000` and `127.0.0.1:3000` are that server. A page that uses them without `kiln serve` gets a server of the
//!   bundled points;
//! - `curl` fails on an HTTP status of 400 and above;
//! - a `toml` block that begins with a comment of a file name, such as `# kiln.toml`, is written to that file.
//!
//! A block `console checked` shows commands after `$ ` and what they print, which is compared; `…` in it stands for any text.
//! Other `console` blocks are not run.
//!
//! Pages and scripts for browsers (`html`, `js`, `ts`) are run by `web/tests/documents.test.js`.
//!
//! The pages of live tables need a database: `tests/it/postgis/book.rs` runs them.

mod page;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use self::page::Page;
use self::script::Script;
use super::golden::{Picture, assert_same};
use super::kiln::kiln;

/// The pages with commands that are not run: how many blocks, and why.
const NOT_RUN: [(&str, usize, &str); 11] = [
    ("README.md", 1, "`make serve` and `make test` build the program and run all tests"),
    ("docs/gis.md", 1, "a server with keys; tests/it/keys.rs and kml.rs sign URLs and follow them"),
    (
        "docs/installation.md",
        5,
        "containers, a cluster, systemd, and the state of one machine; tests/it/doctor.rs runs the commands of Kiln",
    ),
    ("docs/inputs.md", 1, "buckets; tests/it/buckets.rs imports such URLs"),
    (
        "docs/javascript.md",
        1,
        "npm create needs a registry; web/tests/packages.test.js installs each package in a new project",
    ),
    ("docs/jobs.md", 1, "ffmpeg is not a tool of the tests"),
    ("docs/performance.md", 5, "measurements with ten million points, and with programs that the tests do not have"),
    ("docs/python.md", 2, "the tests of crates/kiln-python install the package, and run its command"),
    ("docs/quick-start.md", 1, "`make serve` builds the program"),
    (
        "docs/scale.md",
        4,
        "buckets and a Spark cluster; tests/it/buckets.rs, bins_sql.rs and replicas.rs and scripts/spark.py run URLs, SQL, replicas \
         and the program",
    ),
    ("docs/server.md", 1, "tests/otel receives the traces"),
];

/// The programs in other languages: the page, how many blocks, and what runs them or why they are not run.
const PROGRAMS: [(&str, &str, usize, &str); 12] = [
    ("nginx", "docs/scale.md", 1, "nginx is not a tool of the tests"),
    ("nginx", "docs/server.md", 1, "nginx is not a tool of the tests"),
    ("python", "docs/bi.md", 2, "the configuration of Superset; tests/it/dashboards.rs requests its URLs"),
    ("python", "docs/coming-from/datashader.md", 1, "datashader alone, without Kiln"),
    (
        "python",
        "docs/coming-from/python-heatmap.md",
        2,
        "the Python library alone; and test_docs.py of crates/kiln-python",
    ),
    ("python", "docs/python.md", 11, "run by test_docs.py of crates/kiln-python"),
    ("python", "docs/store.md", 2, "run by tests/it/arrow.rs"),
    ("r", "docs/bi.md", 2, "R is not a tool of the tests; tests/it/dashboards.rs requests its URLs"),
    ("rust", "docs/library.md", 3, "run with the tests of the documentation of kiln"),
    ("rust", "docs/masks.md", 1, "run with the tests of the documentation of kiln-mask"),
    ("sql", "docs/export.md", 1, "run by tests/it/export_bins.rs"),
    ("yaml", "docs/scale.md", 1, "Kubernetes is not a tool of the tests"),
];

/// The languages of blocks; another spelling of `sh` would not be run.
const LANGUAGES: [&str; 17] = [
    "console", "csv", "html", "java", "js", "json", "nginx", "php", "python", "r", "rust", "sh", "sql", "text", "toml",
    "ts", "yaml",
];

/// The pages that need a database.
const LIVE_TABLES: [&str; 2] = ["docs/postgis.md", "examples/matrix/database/README.md"];

/// The page whose pictures are compared with those of the repository.
const GALLERY: &str = "docs/gallery.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md, the pages of the user guide, without the decision records, and those of the examples.
fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    let mut folders = vec![PathBuf::from("docs"), PathBuf::from("examples")];
    while let Some(folder) = folders.pop() {
        for entry in root().join(&folder).read_dir().unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") && !path.starts_with("docs/adr") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| Page::read(root(), path.to_str().unwrap())).collect()
}

/// Runs a page of live tables with these replacements in its text.
pub(crate) fn run_live_tables(page: &str, replacements: &[(&str, &str)]) {
    assert!(LIVE_TABLES.contains(&page), "{page}");
    let mut page = Page::read(root(), page);
    for block in &mut page.blocks {
        for (from, to) in replacements {
            block.text = block.text.replace(from, to);
        }
    }
    let script = Script::of(&page).expect("the page has commands");
    script.run(tempfile::tempdir().unwrap().path()).unwrap_or_else(|message| panic!("{message}"));
}

#[test]
fn every_command_of_the_documents_succeeds() {
    let elsewhere = |page: &&Page| page.name == GALLERY || LIVE_TABLES.contains(&page.name.as_str());
    let scripts: Vec<Script> = pages().iter().filter(|page| !elsewhere(page)).filter_map(Script::of).collect();
    assert!(scripts.len() >= 10, "only {} pages have commands", scripts.len());
    let queue = Mutex::new(scripts.iter());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(script) = queue.lock().unwrap().next() else { break };
                    if let Err(message) = script.run(tempfile::tempdir().unwrap().path()) {
                        failures.lock().unwrap().push(message);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn commands_that_are_not_run_are_listed_with_a_reason() {
    let mut skipped = BTreeMap::new();
    for page in pages() {
        for block in &page.blocks {
            let language = block.language.as_str();
            assert!(LANGUAGES.contains(&language), "{}:{}: unknown language `{language}`", page.name, block.line);
            if language == "console" && !block.is_checked {
                *skipped.entry(page.name.clone()).or_insert(0) += 1;
                let prompt = block.text.lines().any(|line| line.starts_with("$ "));
                assert!(prompt, "{}:{}: a console block shows its commands after `$ `", page.name, block.line);
            }
        }
    }
    let listed: BTreeMap<String, usize> = NOT_RUN.iter().map(|(page, count, _)| ((*page).to_owned(), *count)).collect();
    assert_eq!(skipped, listed, "console blocks by page, and those of NOT_RUN");
}

#[test]
fn programs_in_other_languages_are_listed_with_what_runs_them() {
    let elsewhere = ["console", "csv", "html", "js", "json", "sh", "text", "toml", "ts"];
    let mut found = BTreeMap::new();
    for page in pages() {
        for block in page.blocks.iter().filter(|block| !elsewhere.contains(&block.language.as_str())) {
            *found.entry((block.language.clone(), page.name.clone())).or_insert(0) += 1;
        }
    }
    let listed =
        PROGRAMS.iter().map(|(language, page, count, _)| (((*language).to_owned(), (*page).to_owned()), *count));
    assert_eq!(found, listed.collect(), "blocks by language and page, and those of PROGRAMS");
}

#[test]
fn the_pictures_of_the_gallery_are_what_its_commands_draw() {
    if !root().join(GALLERY).exists() {
        assert!(!root().join("docs/gallery").exists(), "docs/gallery has no page");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = Page::read(root(), GALLERY);
    let script = Script::of(&page).expect("the gallery has commands");
    script.run(folder.path()).unwrap_or_else(|message| panic!("{message}"));
    let names = |folder: &Path| -> Vec<String> {
        let entries = folder.join("gallery").read_dir().unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| Path::new(name).extension().is_some_and(|ending| ending == "png"));
        names.sort();
        names
    };
    let committed = names(&root().join("docs"));
    assert!(!committed.is_empty());
    assert_eq!(names(folder.path()), committed, "the pictures that are drawn, and those of docs/gallery");
    for name in committed {
        assert!(page.text.contains(&format!("](gallery/{name})")), "docs/gallery.md does not show {name}");
        let expected = Picture::read(&root().join("docs/gallery").join(&name)).unwrap();
        let actual = Picture::read(&folder.path().join("gallery").join(&name)).unwrap();
        assert_same(&format!("gallery/{}", name.trim_end_matches(".png")), &expected, &actual);
    }
}

#[test]
fn every_configuration_of_the_documents_is_valid() {
    let mut checked = 0;
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "toml") {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("kiln.toml"), &block.text).unwrap();
            let run = kiln(folder.path(), ["config", "check"]);
            assert_eq!(run.code, 0, "{}:{}: {}", page.name, block.line, run.stderr);
            checked += 1;
        }
    }
    assert!(checked >= 8, "only {checked} blocks of TOML");
}

#[test]
fn every_json_of_the_documents_is_valid() {
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "json") {
            let read = serde_json::from_str::<serde_json::Value>(&block.text);
            assert!(read.is_ok(), "{}:{}: {}", page.name, block.line, read.unwrap_err());
        }
    }
}
