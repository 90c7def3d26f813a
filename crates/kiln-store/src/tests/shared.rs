//! Concurrent changes of a layer by other threads and processes.

use super::*;

/// Replaces the layer `points` by a new one, as another process would.
fn replace_layer(store: &Store, columns: &Columns, parts: usize) {
    let other = Store::open(store.folder()).unwrap();
    assert!(other.remove("points").unwrap());
    layer_of(&other, columns, parts);
}

#[test]
fn a_compaction_does_not_change_a_new_layer_of_the_same_name() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let snapshot = layer.snapshot();
    replace_layer(&store, &some_points(90, 2), 3);
    let merged = layer.replace(&snapshot, &snapshot.segments, None, 1, None);
    assert!(matches!(merged, Err(Error::Cancelled)), "{merged:?}");
    let current = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap().snapshot();
    assert_eq!((current.points(), current.segments.len()), (90, 3));
    // The handle of the old layer serves the new one.
    assert_eq!(layer.snapshot().points(), 90);
}

#[test]
fn the_damage_of_a_removed_layer_is_not_reported_for_a_new_one() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let segment = layer.folder().join("00000002.points.arrow");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(layer.verify().len(), 1);
    replace_layer(&store, &some_points(90, 2), 3);
    layer.refresh().unwrap();
    assert_eq!((layer.snapshot().points(), layer.snapshot().damaged()), (90, &[][..]));
}

#[test]
fn points_that_are_appended_during_an_expiration_are_not_counted_as_expired() {
    let (_folder, store) = store();
    let mut old = some_points(200, 1);
    old.time = (0..200).collect();
    let layer = layer_of(&store, &old, 4);
    let mut new = some_points(1000, 2);
    new.time.fill(1_000_000);
    let expired = std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20 {
                layer.append(batch(&new), None).unwrap();
            }
        });
        layer.expire(150, 1, &Progress::default())
    });
    assert_eq!((expired.unwrap(), layer.snapshot().points()), (150, 20_050));
}

#[test]
fn a_store_is_created_with_its_missing_parent_folders() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("maps/of/points");
    let store = Store::open(&folder).unwrap();
    store.create("points", Description::default()).unwrap();
    assert_eq!(entries(&folder), ["points"]);
    // An existing folder is used; a file in the path is an error.
    store.create("more", Description::default()).unwrap();
    std::fs::write(home.path().join("file"), "x").unwrap();
    let store = Store::open(&home.path().join("file/store")).unwrap();
    let message = store.create("points", Description::default()).unwrap_err().to_string();
    assert!(message.contains("file/store: cannot write to"), "{message}");
}

#[test]
fn a_request_that_another_process_has_committed_is_a_duplicate() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 1);
    let columns = some_points(10, 2);
    let request =
        || Some(Request { key: "monday".into(), digest: 1, accepted: 10, rejected: 0, at_s: crate::clock::now_s() });
    // Another process commits the request right after this one has refreshed its snapshot.
    let other = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap();
    layer.refresh().unwrap();
    assert_eq!(other.append(batch(&columns), request()).unwrap(), AppendOutcome::Appended);
    assert_eq!(layer.append(batch(&columns), request()).unwrap(), AppendOutcome::Duplicate(request().unwrap()));
    assert_eq!(layer.refresh().unwrap().points(), 310);
}

#[test]
fn a_damaged_segment_is_not_merged() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    // Flips one bit of a location after the file was opened.
    let path = layer.folder().join("00000002.points.arrow");
    let mut bytes = std::fs::read(&path).unwrap();
    let offset = bytes.len() / 2;
    bytes[offset] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let message = layer.compact(1, &Progress::default()).unwrap_err().to_string();
    assert!(message.contains("00000002.points.arrow: it is damaged"), "{message}");
    assert_eq!((layer.snapshot().points(), layer.snapshot().damaged().len()), (200, 1));
    // The next compaction merges the others and keeps the file of the damaged one.
    layer.compact(1, &Progress::default()).unwrap();
    assert_eq!((layer.snapshot().points(), layer.snapshot().segments.len()), (200, 1));
    assert!(path.exists());
    let again = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap().snapshot();
    assert_eq!((again.points(), again.damaged().len()), (200, 1));
}

#[test]
fn only_one_server_can_claim_a_store() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("store");
    let [first, second] = [(); 2].map(|()| Store::open_for_server(&folder).unwrap());
    assert!(!folder.exists());
    second.claim().unwrap();
    second.claim().unwrap();
    let message = first.claim().unwrap_err().to_string();
    assert!(message.contains("another server uses this store"), "{message}");
    assert!(Store::open_for_server(&folder).is_err());
    drop(second);
    first.claim().unwrap();
}

#[test]
fn a_server_whose_folder_is_replaced_uses_the_new_one_unless_another_owns_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("store");
    let server = Store::open(&folder).unwrap();
    server.claim().unwrap();
    let layer = layer_of(&server, &some_points(30, 1), 1);
    assert!(server.is_in_place());
    // The folder is removed: the next claim, of a write, makes a new one.
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!server.is_in_place());
    assert!(layer.append(batch(&some_points(30, 1)), None).is_err(), "the layer was removed");
    server.claim().unwrap();
    assert!(server.is_in_place() && Store::open_for_server(&folder).is_err());
    // The folder is replaced by that of another server.
    let layer = layer_of(&server, &some_points(30, 1), 1);
    std::fs::remove_dir_all(&folder).unwrap();
    let other = Store::open(&folder).unwrap();
    other.claim().unwrap();
    let theirs = layer_of(&other, &some_points(50, 2), 1);
    let before = entries(&folder);
    let changes: [(&str, Result<(), Error>); 5] = [
        ("append", layer.append(batch(&some_points(30, 1)), None).map(drop)),
        ("description", layer.set_description(Description { title: Some("x".into()), ..Description::default() })),
        ("rooms", server.set_rooms("points", "{}").map(drop)),
        ("create", server.create("more", Description::default()).map(drop)),
        ("remove", server.remove("points").map(drop)),
    ];
    for (change, outcome) in changes {
        let message = outcome.unwrap_err().to_string();
        assert!(
            message.contains("the folder was replaced, and another server uses the new one"),
            "{change}: {message}"
        );
    }
    assert!(server.claim().unwrap_err().to_string().contains("another server uses this store"));
    assert_eq!((entries(&folder), theirs.snapshot().points()), (before, 50));
    // Once the other server has ended, the first one owns its store.
    drop((theirs, other));
    server.claim().unwrap();
    let layer = server.layer("points").unwrap().unwrap();
    layer.append(batch(&some_points(30, 1)), None).unwrap();
    assert_eq!((layer.snapshot().points(), server.is_in_place()), (80, true));
}
