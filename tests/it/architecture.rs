//! What the compiler cannot check: which module of a crate may use which, and what the core must not name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each module of the `kiln` package, and the modules of the package that it may use. The compiler checks the crates.
const ARROWS: &[(&str, &[&str])] = &[
    ("parameters", &[]),
    ("layer", &["parameters"]),
    ("masks", &["images", "parameters"]),
    ("images", &["layer"]),
    ("export", &["images", "layer", "parameters"]),
    ("jobs", &["inputs", "images", "layer", "parameters"]),
    ("config", &["jobs", "layer", "images", "parameters"]),
    ("inputs", &[]),
    ("live", &["config", "layer"]),
    ("http", &["live", "config", "jobs", "images", "layer", "masks", "parameters"]),
    ("cli", &["http", "export", "inputs", "live", "config", "jobs", "images", "layer", "masks", "parameters"]),
];
/// What the crate's root offers to every module: the other crates.
const ROOT_ITEMS: &[&str] = &[
    "Error",
    "Result",
    "available_threads",
    "color",
    "encode",
    "error",
    "geo",
    "layer_name",
    "mask",
    "message",
    "parallel",
    "parameter",
    "Parameter",
    "Message",
    "postgis",
    "raster",
    "simd",
    "source",
    "spelling",
    "store",
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The source files below a folder of the repository: paths from that folder, and texts.
fn source_files(folder: &str) -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        (name, std::fs::read_to_string(&path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// A file without the items that are compiled for tests only.
fn shipped(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        // The item ends with a semicolon, or with the brace that closes it.
        let item = lines.find(|line| !line.trim_start().starts_with("#[")).unwrap();
        if !item.trim_end().ends_with([';', '}']) {
            lines.find(|line| indent(line) == indent(item) && line.trim_start().starts_with('}'));
        }
    }
    kept
}

/// The first path segments after `crate::` in a text, those within braces too.
fn modules_used(text: &str) -> BTreeSet<String> {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for (at, found) in text.match_indices("crate::") {
        let in_comment =
            text[text[..at].rfind('\n').map_or(0, |newline| newline + 1)..at].trim_start().starts_with("//");
        let rest = &text[at + found.len()..];
        if in_comment {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split(';').next().unwrap();
                used.extend(list.split([',', '{', '}']).map(|item| word(item.trim())).filter(|item| !item.is_empty()));
            }
            None => drop(used.insert(word(rest))),
        }
    }
    used
}

#[test]
fn test_items_are_left_out_and_what_follows_them_is_not() {
    let text = "use a;\n#[cfg(test)]\nuse b;\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use c;\n}\nuse d;\n";
    assert_eq!(shipped(text), "use a;\nuse d;\n");
}

#[test]
fn every_module_uses_only_what_its_arrows_allow() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for (name, text) in source_files("src") {
        let (module, rest) = name.split_once('/').unwrap_or((name.trim_end_matches(".rs"), ""));
        if ["lib", "main"].contains(&module) || rest.starts_with("tests/") {
            continue;
        }
        let allowed = arrows.get(module).unwrap_or_else(|| panic!("{name}: the module {module} has no arrows"));
        seen.insert(module.to_owned());
        for used in modules_used(&shipped(&text)) {
            let used = used.as_str();
            let is_allowed = used == module || allowed.contains(&used) || ROOT_ITEMS.contains(&used);
            assert!(is_allowed, "src/{name} uses crate::{used}, which {module} may not");
        }
    }
    let modules: BTreeSet<String> = ARROWS.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(seen, modules, "the arrows and the modules differ");
}

#[test]
fn the_core_names_no_files_sockets_or_servers() {
    for (name, text) in source_files("crates/kiln-core/src") {
        for outside in ["std::fs", "std::net", "std::env", "std::process"] {
            assert!(!shipped(&text).contains(outside) || name == "source/testing.rs", "{name} names {outside}");
        }
    }
}

#[test]
fn files_stay_small() {
    for folder in ["src", "crates"] {
        for (name, text) in source_files(folder) {
            let lines = text.lines().count();
            assert!(lines <= 600, "{folder}/{name} has {lines} lines: is there more than one module in it?");
        }
    }
    assert!(include_str!("../../src/main.rs").lines().count() < 40);
}
