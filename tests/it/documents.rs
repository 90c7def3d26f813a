//! What the documents say of the repository.

use std::collections::BTreeSet;
use std::path::Path;

/// Where a path may begin: at the root, or in the sources of a crate that the sentence is about.
const ROOTS: [&str; 4] = ["", "src", "crates/kiln-core/src", "crates/kiln-formats/src"];

const DOCUMENTS: [&str; 10] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/adr/0001-indexed-png.md",
    "docs/adr/0002-exact-sums.md",
    "docs/adr/0003-arrow-segments.md",
    "docs/adr/0004-own-csv-reader.md",
    "docs/adr/0005-no-query-engine.md",
    "docs/inputs.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The texts between backticks that are paths of the repository, and the targets of links.
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
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let links = links.filter(|target| !target.contains("://") && !target.starts_with('#')).map(str::to_owned);
    code.chain(links).filter(|path| !path.contains("NAME")).collect()
}

#[test]
fn documents_name_files_that_exist() {
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let beside = root().join(document).parent().unwrap().to_owned();
        for path in paths(&text) {
            let exists =
                beside.join(&path).exists() || ROOTS.iter().any(|start| root().join(start).join(&path).exists());
            assert!(exists, "{document} names {path}, which is not there");
        }
    }
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
