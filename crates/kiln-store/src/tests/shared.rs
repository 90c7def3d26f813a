//! What others do to a layer while one is at it.

use super::*;

/// Puts another layer in the place of `points`, as another process does it.
fn make_anew(store: &Store, columns: &Columns, parts: usize) {
    let other = Store::open(store.folder()).unwrap();
    assert!(other.remove("points").unwrap());
    layer_of(&other, columns, parts);
}

#[test]
fn a_merge_leaves_a_layer_alone_that_took_the_place_of_its_own() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let began_with = layer.snapshot();
    make_anew(&store, &some_points(90, 2), 3);
    let merged = layer.replace(&began_with, &began_with.segments, None, 1, None);
    assert!(matches!(merged, Err(Error::Cancelled)), "{merged:?}");
    let there = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap().snapshot();
    assert_eq!((there.points(), there.segments.len()), (90, 3));
    // Who held the old layer has the new one now.
    assert_eq!(layer.snapshot().points(), 90);
}

#[test]
fn a_damage_goes_with_its_layer() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let segment = layer.folder().join("00000002.points.arrow");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(layer.verify().len(), 1);
    make_anew(&store, &some_points(90, 2), 3);
    layer.refresh().unwrap();
    assert_eq!((layer.snapshot().points(), layer.snapshot().damaged()), (90, &[][..]));
}

#[test]
fn points_that_come_while_others_expire_are_not_counted_with_them() {
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
fn a_store_is_made_with_the_folders_that_it_lies_in() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("maps/of/points");
    let store = Store::open(&folder).unwrap();
    store.create("points", Description::default()).unwrap();
    assert_eq!(entries(&folder), ["points"]);
    // A folder that is there already is as good, and a file is none.
    store.create("more", Description::default()).unwrap();
    std::fs::write(home.path().join("file"), "x").unwrap();
    let store = Store::open(&home.path().join("file/store")).unwrap();
    let refused = store.create("points", Description::default()).unwrap_err().to_string();
    assert!(refused.contains("file/store: cannot write to"), "{refused}");
}

#[test]
fn a_request_is_known_though_its_layer_could_not_be_read_anew() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 1);
    let columns = some_points(10, 2);
    let request =
        || Some(Request { key: "monday".into(), digest: 1, accepted: 10, rejected: 0, at_s: super::manifest::now_s() });
    // Another process answers it, and this one has just looked.
    let other = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap();
    layer.refresh().unwrap();
    assert_eq!(other.append(batch(&columns), request()).unwrap(), AppendOutcome::Appended);
    assert_eq!(layer.append(batch(&columns), request()).unwrap(), AppendOutcome::Duplicate(request().unwrap()));
    assert_eq!(layer.refresh().unwrap().points(), 310);
}

#[test]
fn what_is_damaged_is_not_merged() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    // One bit of a place, once the file is in use: what is read is still in order, or nearly.
    let path = layer.folder().join("00000002.points.arrow");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let refused = layer.compact(1, &Progress::default()).unwrap_err().to_string();
    assert!(refused.contains("00000002.points.arrow: it is damaged"), "{refused}");
    assert_eq!((layer.snapshot().points(), layer.snapshot().damaged().len()), (200, 1));
    // The others are merged next time, and the damaged one stays to be looked at.
    layer.compact(1, &Progress::default()).unwrap();
    assert_eq!((layer.snapshot().points(), layer.snapshot().segments.len()), (200, 1));
    assert!(path.exists());
    let again = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap().snapshot();
    assert_eq!((again.points(), again.damaged().len()), (200, 1));
}

#[test]
fn one_server_claims_a_store_when_it_is_there() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("store");
    let [first, second] = [(); 2].map(|()| Store::open_for_server(&folder).unwrap());
    assert!(!folder.exists());
    second.claim().unwrap();
    second.claim().unwrap();
    let refused = first.claim().unwrap_err().to_string();
    assert!(refused.contains("another server has this store"), "{refused}");
    assert!(Store::open_for_server(&folder).is_err());
    drop(second);
    first.claim().unwrap();
}
