//! Embeds the files of the built map page, `web/dist`, into the server, of which there are none before `make page`, and the
//! user guide. Sets the variable
//! `BUILD_TARGET`, the target of the build: cargo sets it when it runs tests, too, and variables `KILN_…` configure the program.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = root.join("web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=docs");
    println!("cargo::rustc-env=BUILD_TARGET={}", env::var("TARGET").unwrap_or_default());
    embed(&dist, "include_bytes", |_| true, "page.rs")?;
    let is_page = |name: &str| Path::new(name).extension().is_some_and(|ending| ending == "md");
    embed(&root.join("docs"), "include_str", is_page, "guide.rs")
}

/// Writes a list of the files of a folder whose name `is_included`, with the macro that includes their content.
fn embed(folder: &Path, include: &str, is_included: fn(&str) -> bool, output: &str) -> io::Result<()> {
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.sort();
    let mut source = String::from("&[\n");
    for (name, path) in files.into_iter().filter(|(name, _)| is_included(name)) {
        let _ = writeln!(source, "    ({name:?}, {include}!({path:?})),");
    }
    source.push_str("]\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(output), source)
}

/// Adds the files of a folder and its subfolders to `files`, with their paths relative to `root`. A missing folder has
/// none.
fn list(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() {
            list(root, &path, files)?;
        } else if let (false, Ok(name)) = (is_hidden, path.strip_prefix(root)) {
            files.push((name.to_string_lossy().replace('\\', "/"), path.to_string_lossy().into_owned()));
        }
    }
    Ok(())
}
