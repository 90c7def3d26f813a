//! What the documents say of the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where a path may begin: at the root, or in the sources of a crate that the sentence is about.
const ROOTS: [&str; 4] = ["", "src", "crates/kiln-core/src", "crates/kiln-formats/src"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents at the root of the repository, and all of the user guide.
fn documents() -> Vec<String> {
    let mut documents = vec!["data/README.md".to_owned(), "schemes/README.md".to_owned()];
    let mut folders = vec![PathBuf::from("docs")];
    let entries = |folder: &Path| root().join(folder).read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    while let Some(folder) = folders.pop() {
        for path in entries(&folder).map(|name| folder.join(name)) {
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                documents.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    let at_root = entries(Path::new("")).map(|name| name.into_string().unwrap());
    documents.extend(at_root.filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "md")));
    documents.sort();
    documents
}

/// The text of a document without its fenced blocks.
fn prose(text: &str) -> String {
    let lines = text.lines().scan(false, |fenced, line| {
        let fence = line.trim_start().starts_with("```");
        *fenced ^= fence;
        Some(if *fenced || fence { "" } else { line })
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The targets of links and pictures in Markdown and HTML.
fn links(prose: &str) -> BTreeSet<String> {
    let markdown = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let html = ["src=\"", "href=\""].into_iter().flat_map(|start| prose.split(start).skip(1));
    let html = html.filter_map(|rest| rest.split_once('"'));
    let targets = markdown.chain(html).map(|(target, _)| target.to_owned());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// The anchors of the headings of a document: lower case, hyphens for spaces, without other punctuation.
fn anchors(prose: &str) -> BTreeSet<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading.chars().filter(|char| char.is_alphanumeric() || ['-', '_'].contains(char)).collect()
    };
    headings.map(anchor).collect()
}

/// The texts between backticks that are paths of the repository.
fn paths(text: &str) -> BTreeSet<String> {
    let is_source = |path: &str| {
        let first = path.split('/').next().unwrap_or_default();
        path.contains('/')
            && !path.contains([' ', '{', '*', '<', '=', ':'])
            && (Path::new(path).extension().is_some_and(|ending| ending == "rs" || ending == "toml")
                || ["src", "crates", "examples", "fuzz", "tests", "docs", "schemes", "scripts", "benches"]
                    .contains(&first))
    };
    let code = text.split('`').skip(1).step_by(2).filter(|path| is_source(path)).map(str::to_owned);
    code.filter(|path| !path.contains("NAME")).collect()
}

#[test]
fn documents_name_files_that_exist() {
    // A changelog may name files of the past.
    for document in documents().iter().filter(|document| *document != "CHANGELOG.md") {
        let text = prose(&std::fs::read_to_string(root().join(document)).unwrap());
        let beside = root().join(document).parent().unwrap().to_owned();
        for path in paths(&text) {
            let exists =
                beside.join(&path).exists() || ROOTS.iter().any(|start| root().join(start).join(&path).exists());
            assert!(exists, "{document} names {path}, which does not exist");
        }
    }
}

#[test]
fn links_of_documents_lead_to_files_and_headings_that_exist() {
    let mut count = 0;
    for document in documents() {
        let text = prose(&std::fs::read_to_string(root().join(&document)).unwrap());
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = root().join(&document);
            let target = if file.is_empty() { target } else { target.parent().unwrap().join(file) };
            assert!(target.exists(), "{document} links to {link}, which does not exist");
            if !anchor.is_empty() {
                let anchors = anchors(&prose(&std::fs::read_to_string(&target).unwrap()));
                assert!(anchors.contains(anchor), "{document} links to {link}; the headings are {anchors:?}");
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} links");
}

#[test]
fn the_summary_of_the_book_lists_every_page() {
    let summary = links(&std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap());
    let pages = documents().into_iter().filter_map(|document| document.strip_prefix("docs/").map(str::to_owned));
    let pages: BTreeSet<String> = pages.filter(|page| page != "SUMMARY.md").collect();
    assert_eq!(summary, pages, "the links of docs/SUMMARY.md, and the pages of docs/");
}

#[test]
fn the_readme_is_one_page() {
    let lines = std::fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= 130, "README.md has {lines} lines; details belong in docs/");
}

#[test]
fn every_target_of_make_is_documented_and_every_fuzz_target_is_built() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let contributing = read("CONTRIBUTING.md");
    for line in read("Makefile").lines() {
        let Some((target, _)) = line.split_once(": ").filter(|(_, rest)| rest.contains("##")) else { continue };
        if !["help", "page", "build", "clean"].contains(&target) {
            assert!(contributing.contains(&format!("`make {target}`")), "CONTRIBUTING.md lacks make {target}");
        }
    }
    let manifest = read("fuzz/Cargo.toml");
    for entry in std::fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}\"")), "fuzz/Cargo.toml lacks {name}");
        let seeds = root().join("fuzz/seeds").join(name.trim_end_matches(".rs"));
        assert!(seeds.read_dir().is_ok_and(|mut seeds| seeds.next().is_some()), "{} is empty", seeds.display());
    }
}
