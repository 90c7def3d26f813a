//! The rooms keep to the arrows: who may use whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may use. `error`, `parallel`, `parameter`, `simd` and `spelling` are everybody's.
const ARROWS: &[(&str, &[&str])] = &[
    ("geo", &[]),
    ("raster", &["geo"]),
    ("color", &[]),
    ("encode", &["geo", "raster", "color"]),
    ("source", &["geo"]),
    ("store", &["source", "raster", "geo"]),
    ("postgis", &["source", "raster", "geo"]),
    ("parameters", &["source", "raster", "color", "geo"]),
    ("layer", &["parameters", "postgis", "store", "source", "raster", "color", "geo"]),
    ("images", &["layer", "encode"]),
    ("export", &["images", "layer", "encode", "source", "raster", "color", "geo"]),
    ("jobs", &["images", "layer", "postgis", "encode", "source", "raster", "color", "geo"]),
    ("config", &["parameters", "jobs", "layer", "postgis", "source", "images", "geo"]),
    ("live", &["config", "layer", "postgis", "source"]),
    (
        "http",
        &[
            "live",
            "config",
            "jobs",
            "images",
            "layer",
            "parameters",
            "postgis",
            "store",
            "source",
            "encode",
            "raster",
            "color",
            "geo",
        ],
    ),
    (
        "cli",
        &[
            "http",
            "export",
            "live",
            "config",
            "jobs",
            "images",
            "layer",
            "parameters",
            "postgis",
            "store",
            "source",
            "encode",
            "raster",
            "color",
            "geo",
        ],
    ),
];
const EVERYBODYS: &[&str] = &["error", "parallel", "parameter", "simd", "spelling"];
/// What the crate's root offers to everybody.
const ROOT_ITEMS: &[&str] = &["Error", "Result", "available_threads", "message"];

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

fn source_files() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        (name, std::fs::read_to_string(&path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The part of a file that ships: tests may look anywhere.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// The first path segments after `crate::` in a text, those within braces too.
fn rooms_used(text: &str) -> BTreeSet<String> {
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
fn every_room_uses_only_what_its_arrows_allow() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for (name, text) in source_files() {
        let Some((room, rest)) = name.split_once('/') else { continue };
        if rest.starts_with("tests/") {
            continue;
        }
        let allowed = arrows.get(room).unwrap_or_else(|| panic!("{name}: the room {room} has no arrows"));
        seen.insert(room.to_owned());
        for used in rooms_used(shipped(&text)) {
            let used = used.as_str();
            let is_allowed =
                used == room || allowed.contains(&used) || EVERYBODYS.contains(&used) || ROOT_ITEMS.contains(&used);
            assert!(is_allowed, "src/{name} uses crate::{used}, which {room} may not");
        }
    }
    let rooms: BTreeSet<String> = ARROWS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(seen, rooms, "the arrows and the rooms differ");
}

#[test]
fn the_inner_rooms_name_no_files_sockets_or_servers() {
    for (name, text) in source_files() {
        let room = name.split('/').next().unwrap();
        if ["geo", "raster", "color"].contains(&room) {
            for outside in ["std::fs", "std::net", "std::io", "tokio", "axum"] {
                assert!(!shipped(&text).contains(outside), "src/{name} names {outside}");
            }
        }
    }
}

#[test]
fn files_stay_small() {
    for (name, text) in source_files() {
        let lines = text.lines().count();
        assert!(lines <= 600, "src/{name} has {lines} lines: is there more than one room in it?");
    }
    let main = source_files().into_iter().find(|(name, _)| name == "main.rs").unwrap().1;
    assert!(main.lines().count() < 40);
}
