//! The grace time of removed segments and layers.

use std::time::Duration;

use super::*;
use crate::manifest::Manifest;

const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

/// The number of files of points in the folder of a layer.
fn files(layer: &StoredLayer) -> usize {
    entries(layer.folder()).iter().filter(|name| name.ends_with(".points.arrow")).count()
}

/// Sets the time until which the removed segments of a layer stay to the past.
fn let_grace_pass(layer: &StoredLayer) {
    let mut manifest = Manifest::read(layer.folder()).unwrap().unwrap();
    let text = serde_json::to_string(&manifest.removed).unwrap();
    let past = with_past_times(&text);
    manifest.removed = serde_json::from_str(&past).unwrap();
    manifest.write(layer.folder()).unwrap();
}

/// The text with all times replaced by 1.
fn with_past_times(text: &str) -> String {
    let mut removed: serde_json::Value = serde_json::from_str(text).unwrap();
    for entry in removed.as_array_mut().unwrap() {
        entry["until_s"] = 1.into();
    }
    removed.to_string()
}

#[test]
fn removed_segments_stay_for_the_grace_time_of_their_remover() {
    let (_folder, store) = store();
    let store = store.with_grace(HOUR);
    let layer = layer_of(&store, &some_points(300, 1), 3);
    layer.compact(1, &Progress::default()).unwrap();
    assert_eq!((layer.snapshot().segments.len(), files(&layer)), (1, 4));
    // Neither a process without a grace time, nor one that starts, removes them.
    let other = Store::open(store.folder()).unwrap().with_grace(Some(Duration::ZERO));
    other.sweep();
    other.sweep_removed();
    other.layer("points").unwrap().unwrap().append(batch(&some_points(10, 2)), None).unwrap();
    assert_eq!(files(&layer), 5);
    let_grace_pass(&layer);
    store.sweep_removed();
    assert_eq!((files(&layer), layer.refresh().unwrap().points()), (2, 310));
    store.sweep_removed();
    // The next commit forgets them.
    layer.append(batch(&some_points(10, 3)), None).unwrap();
    let manifest = std::fs::read_to_string(layer.folder().join("manifest.json")).unwrap();
    assert!(!manifest.contains("removed"), "{manifest}");
}

#[test]
fn a_commit_removes_the_segments_whose_grace_time_has_passed() {
    let (_folder, store) = store();
    let store = store.with_grace(HOUR);
    let layer = layer_of(&store, &some_points(300, 1), 3);
    layer.compact(1, &Progress::default()).unwrap();
    let_grace_pass(&layer);
    layer.append(batch(&some_points(10, 2)), None).unwrap();
    assert_eq!((files(&layer), layer.snapshot().points()), (2, 310));
}

#[test]
fn the_files_of_a_removed_layer_stay_for_the_grace_time() {
    let (_folder, store) = store();
    let store = store.with_grace(HOUR);
    layer_of(&store, &some_points(300, 1), 3);
    assert!(store.remove("points").unwrap());
    assert_eq!(store.names().unwrap(), [""; 0]);
    store.sweep();
    let kept = entries(store.folder());
    assert!(kept.len() == 1 && kept[0].starts_with(".work-removed-"), "{kept:?}");
    assert!(entries(&store.folder().join(&kept[0]).join("points")).contains(&"00000001.points.arrow".to_owned()));
    let past = store.folder().join(".work-removed-1-x");
    std::fs::rename(store.folder().join(&kept[0]), past).unwrap();
    store.sweep_removed();
    assert_eq!(entries(store.folder()), [""; 0]);
}

#[test]
fn a_full_disk_ends_the_grace_time() {
    let (_folder, store) = store();
    let store = store.with_grace(HOUR);
    let layer = layer_of(&store, &some_points(300, 1), 3);
    layer.compact(1, &Progress::default()).unwrap();
    assert!(store.remove("none").is_ok_and(|existed| !existed));
    store.create("other", Description::default()).unwrap();
    store.remove("other").unwrap();
    for kind in [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::StorageFull] {
        assert_eq!((files(&layer), entries(store.folder()).len()), (4, 2));
        let failed: Result<(), Error> = Err(Error::io("store", "write", kind.into()));
        assert!(layer.free_if_full(failed).is_err());
    }
    assert_eq!((files(&layer), entries(store.folder()).len(), layer.snapshot().points()), (1, 1, 300));
}

#[test]
fn a_process_that_reads_the_manifest_before_a_commit_finds_its_files() {
    let (_folder, store) = store();
    let store = store.with_grace(HOUR);
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let before = Manifest::read(layer.folder()).unwrap().unwrap();
    layer.compact(1, &Progress::default()).unwrap();
    let opened = crate::snapshot::Snapshot::open(layer.folder(), before, None, false).unwrap();
    assert_eq!((opened.points(), opened.segments.len()), (300, 3));
}
