//! Failed writes and killed processes.

use super::*;

#[test]
fn a_failed_write_leaves_no_files() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(6000, 4), 1);
    let before = entries(layer.folder());
    // A folder of the same name prevents writing the manifest.
    let obstacle = layer.folder().join("manifest.json.part");
    std::fs::create_dir(&obstacle).unwrap();
    let error = layer.append(batch(&some_points(6000, 5)), None).unwrap_err();
    assert!(error.to_string().contains("manifest.json: cannot write"), "{error}");
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(entries(layer.folder()), before);
    assert_eq!(entries(store.folder()), ["points"]);
    assert_eq!(layer.snapshot().points(), 6000);
    layer.append(batch(&some_points(6000, 5)), None).unwrap();
    assert_eq!(layer.snapshot().points(), 12_000);
}

#[test]
fn files_of_a_killed_process_are_swept() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(6000, 4), 2);
    let before = entries(layer.folder());
    // The files of processes that were killed before and after they replaced the manifest.
    for name in ["00000009.points.arrow", "00000009.bins.arrow", "00000001.bins.arrow", "manifest.json.part"] {
        assert!(!before.contains(&name.to_owned()), "{name}");
        std::fs::write(layer.folder().join(name), "x").unwrap();
    }
    std::fs::write(layer.folder().join("notes.txt"), "mine").unwrap();
    store.sweep();
    std::fs::remove_file(layer.folder().join("notes.txt")).unwrap();
    assert_eq!(entries(layer.folder()), before);
}

#[test]
fn a_flipped_bit_is_damage_and_never_a_panic() {
    const METADATA_BYTES: usize = 2400;
    for (file, points) in [("points.arrow", 300), ("bins.arrow", 15_000)] {
        let (_folder, store) = store();
        let layer = layer_of(&store, &some_points(points, 4), 1);
        let folder = layer.folder().to_owned();
        drop(layer);
        let path = folder.join(entries(&folder).into_iter().find(|name| name.ends_with(file)).unwrap());
        let original = std::fs::read(&path).unwrap();
        let (length, mut damaged) = (original.len(), 0);
        let ends = (0..METADATA_BYTES.min(length)).chain(length.saturating_sub(METADATA_BYTES)..length);
        for at in ends {
            let mut bytes = original.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
            let snapshot = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap().snapshot();
            for damage in snapshot.damaged() {
                assert!(damage.reason.contains("it is damaged"), "{at}: {}", damage.reason);
                damaged += 1;
            }
        }
        assert!(damaged > 100, "{damaged} bits of {file}");
    }
}
