//! Dependency rules that the compiler does not check: which modules may use which, and what the core must not use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of the `kiln` package, each with those that it may use. The compiler checks dependencies of crates.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("parameters", &[]),
    ("bucket", &[]),
    ("layer", &["parameters"]),
    ("masks", &["images", "parameters"]),
    ("images", &["layer"]),
    ("occupancy", &["layer", "parameters"]),
    ("matrix", &["layer", "occupancy", "parameters"]),
    ("export", &["images", "layer", "parameters"]),
    ("jobs", &["inputs", "images", "layer", "parameters"]),
    ("config", &["jobs", "layer", "images", "parameters"]),
    ("inputs", &[]),
    ("step", &[]),
    ("live", &["config", "layer"]),
    ("http", &["bucket", "live", "config", "jobs", "images", "layer", "masks", "matrix", "occupancy", "parameters"]),
    (
        "cli",
        &[
            "http",
            "bucket",
            "export",
            "inputs",
            "live",
            "config",
            "jobs",
            "images",
            "layer",
            "masks",
            "matrix",
            "occupancy",
            "parameters",
        ],
    ),
];
/// The items of the crate root, which every module may use: re-exports of the other crates.
const ROOT_ITEMS: &[&str] = &[
    "Error",
    "Result",
    "available_threads",
    "calendar",
    "cell_bins",
    "color",
    "encode",
    "error",
    "geo",
    "in_order",
    "layer_name",
    "mask",
    "message",
    "objects",
    "parallel",
    "parameter",
    "Parameter",
    "Message",
    "postgis",
    "protection",
    "raster",
    "redact",
    "step",
    "simd",
    "source",
    "step",
    "spelling",
    "store",
    "unwind",
    "workers",
    "xml",
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

/// The Rust files below a folder of the repository: paths relative to that folder, and texts.
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

/// The text of a file without the items under `#[cfg(test)]`.
fn without_test_items(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut output = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            output.push_str(line);
            output.push('\n');
            continue;
        }
        // The item ends with a semicolon, or with the brace that closes it.
        let item = lines.find(|line| !line.trim_start().starts_with("#[")).unwrap();
        if !item.trim_end().ends_with([';', '}']) {
            lines.find(|line| indent(line) == indent(item) && line.trim_start().starts_with('}'));
        }
    }
    output
}

/// The first path segments after `crate::` in a text, including those within braces.
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
fn only_test_items_are_removed_from_a_text() {
    let text = "use a;\n#[cfg(test)]\nuse b;\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use c;\n}\nuse d;\n";
    assert_eq!(without_test_items(text), "use a;\nuse d;\n");
}

#[test]
fn every_module_uses_only_its_allowed_dependencies() {
    let dependencies: BTreeMap<&str, &[&str]> = DEPENDENCIES.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for (name, text) in source_files("src") {
        let (module, rest) = name.split_once('/').unwrap_or((name.trim_end_matches(".rs"), ""));
        if ["lib", "main"].contains(&module) || rest.starts_with("tests/") {
            continue;
        }
        let allowed = dependencies.get(module).unwrap_or_else(|| panic!("{name}: the module {module} is not listed"));
        seen.insert(module.to_owned());
        for used in modules_used(&without_test_items(&text)) {
            let used = used.as_str();
            let is_allowed = used == module || allowed.contains(&used) || ROOT_ITEMS.contains(&used);
            assert!(is_allowed, "src/{name} uses crate::{used}, which {module} may not");
        }
    }
    let modules: BTreeSet<String> = DEPENDENCIES.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(seen, modules, "the listed modules differ from the existing ones");
}

#[test]
fn the_core_uses_no_files_sockets_environment_or_processes() {
    for (name, text) in source_files("crates/kiln-core/src") {
        for outside in ["std::fs", "std::net", "std::env", "std::process"] {
            assert!(
                !without_test_items(&text).contains(outside) || name == "source/testing.rs",
                "{name} uses {outside}"
            );
        }
    }
}

#[test]
fn source_files_have_at_most_600_lines() {
    for folder in ["src", "crates"] {
        for (name, text) in source_files(folder) {
            let lines = text.lines().count();
            assert!(lines <= 600, "{folder}/{name} has {lines} lines: is there more than one module in it?");
        }
    }
    assert!(include_str!("../../src/main.rs").lines().count() < 40);
}

/// Of two schemas with one name, the `OpenAPI` document would have only one.
#[test]
fn schemas_of_the_api_have_unique_names() {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in source_files("src") {
        let lines: Vec<&str> = text.lines().collect();
        let derives =
            lines.iter().enumerate().filter(|(_, line)| line.contains("derive(") && line.contains("ToSchema"));
        for (at, _) in derives {
            let item = lines[at..].iter().find_map(|line| {
                let (_, named) = line.split_once("struct ").or_else(|| line.split_once("enum "))?;
                named.split(|c: char| !c.is_alphanumeric()).next()
            });
            let schema = item.unwrap_or_else(|| panic!("{name}:{at} has no item")).to_owned();
            if let Some(other) = files.insert(schema.clone(), name.clone()) {
                panic!("{schema} is in {other} and {name}");
            }
        }
    }
    assert!(files.len() > 50, "{files:?}");
}
