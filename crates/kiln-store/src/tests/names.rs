//! Invalid layer names, which must not become paths.

use std::path::PathBuf;
use std::time::SystemTime;

use super::*;

/// The path, length and time of change of each file and folder below a folder.
fn tree(folder: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        all.push((entry.path(), metadata.len(), metadata.modified().unwrap()));
        if metadata.is_dir() {
            all.extend(tree(&entry.path()));
        }
    }
    all.sort();
    all
}

#[test]
fn names_that_lead_out_of_the_store_are_rejected_before_any_file_access() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("a/store")).unwrap();
    store.create("points", Description::default()).unwrap();
    store.claim().unwrap();
    // Layers that a path would reach, outside of the store and in it.
    let neighbor = Store::open(&home.path().join("neighbor")).unwrap();
    neighbor.create("points", Description::default()).unwrap();
    let outside = home.path().join("neighbor/points");
    Store::open(&store.folder().join("points")).unwrap().create("inner", Description::default()).unwrap();
    let before = tree(home.path());
    let too_long = "x".repeat(65);
    for name in [
        "../../neighbor/points",
        "points/../../../neighbor/points",
        outside.to_str().unwrap(),
        "points/inner",
        "..",
        ".",
        "./points",
        "points/",
        "/",
        "",
        " ",
        "..\\..\\neighbor\\points",
        "C:\\points",
        "points\0",
        "points\n",
        "p\u{f6}ints",
        "%2e%2e",
        &too_long,
        // Names of the store's own files.
        ".lock",
        ".work-a",
        "server.lock",
        "manifest.json",
    ] {
        let check = |error: Error| {
            assert!(matches!(error, Error::Invalid { .. }) && error.is_usage(), "{name:?}: {error:?}");
            assert!(error.to_string().contains("1 to 64 letters A-Z, a-z, digits, _ or -"), "{name:?}: {error}");
        };
        check(store.layer(name).unwrap_err());
        check(store.create(name, Description::default()).unwrap_err());
        check(
            store
                .create_with(name, CoordinateSpace::Globe, Description::default(), |_| -> kiln_core::Result<()> {
                    unreachable!("{name:?}")
                })
                .unwrap_err(),
        );
        check(store.remove(name).unwrap_err());
        assert_eq!(tree(home.path()), before, "{name:?}");
    }
    // Folders with invalid names in the store are not layers.
    std::fs::rename(store.folder().join("points/inner"), store.folder().join(".hidden")).unwrap();
    assert_eq!(store.names().unwrap(), ["points"]);
    assert!(neighbor.layer("points").unwrap().is_some());
}
