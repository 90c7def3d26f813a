//! Partitions, which imports replace as a whole.

use kiln_core::source::MemorySource;

use super::*;
use crate::manifest::Manifest;
use crate::partition::Partition;

fn partition(name: &str, run: &str) -> Partition {
    Partition::new(name, Some(run.to_owned())).unwrap()
}

/// Imports as many points as a partition; returns whether they replaced others.
fn import(layer: &StoredLayer, points: usize, partition: Partition) -> bool {
    let columns = some_points(points, 7);
    let points = Points::new(&columns.lon, &columns.lat).unwrap().with_time(&columns.time).unwrap();
    let prepared = layer.prepare_import(&MemorySource(points), &Query::default(), 2, &Progress::default()).unwrap();
    layer.commit_partition(prepared, partition, None).unwrap().1
}

/// The names, runs and numbers of points of the partitions.
fn partitions(layer: &StoredLayer) -> Vec<(String, Option<String>, u64)> {
    let all = layer.refresh().unwrap().partitions();
    all.into_iter().map(|found| (found.name, found.run, found.points)).collect()
}

fn found(name: &str, run: &str, points: u64) -> (String, Option<String>, u64) {
    (name.to_owned(), Some(run.to_owned()), points)
}

#[test]
fn an_import_replaces_the_points_of_its_partition_once() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(30, 1), 1);
    assert!(import(&layer, 100, partition("2026-11-27", "a")));
    assert!(import(&layer, 200, partition("2026-11-28", "a")));
    assert!(import(&layer, 250, partition("2026-11-28", "b")));
    let expected = vec![found("2026-11-27", "a", 100), found("2026-11-28", "b", 250)];
    assert_eq!((layer.snapshot().points(), partitions(&layer)), (380, expected));
    let version = layer.snapshot().version();
    let manifest = std::fs::read(layer.folder().join("manifest.json")).unwrap();
    assert!(!import(&layer, 250, partition("2026-11-28", "b")));
    assert_eq!((layer.snapshot().version(), layer.snapshot().points()), (version, 380));
    assert_eq!(std::fs::read(layer.folder().join("manifest.json")).unwrap(), manifest);
    // A run without an identity is never the same.
    let unknown = || Partition::new("2026-11-28", None).unwrap();
    assert!(import(&layer, 10, unknown()) && import(&layer, 10, unknown()));
    assert_eq!(layer.snapshot().points(), 140);
    assert_eq!(layer.remove_partitions(|name| name < "2026-11-28").unwrap(), 100);
    assert_eq!(layer.remove_partitions(|name| name == "2026-11-29").unwrap(), 0);
    assert_eq!((layer.snapshot().points(), partitions(&layer).len()), (40, 1));
    let files = entries(layer.folder()).into_iter().filter(|name| name.ends_with(".points.arrow"));
    assert_eq!(files.count(), 2);
}

#[test]
fn segments_are_merged_and_expire_within_their_partition() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(80, 1), 8);
    for (day, points) in [("a", 10), ("b", 20), ("c", 30), ("d", 40), ("e", 50), ("f", 60), ("g", 70), ("h", 80)] {
        import(&layer, points, partition(day, "run"));
    }
    let before = partitions(&layer);
    let progress = Progress::default();
    while layer.compact_some(0..=u64::MAX, 1, &progress).unwrap() {}
    assert_eq!(layer.snapshot().segments.len(), 9);
    layer.append(batch(&some_points(5, 3)), None).unwrap();
    layer.compact(1, &progress).unwrap();
    assert_eq!((layer.snapshot().segments.len(), partitions(&layer)), (9, before));
    let summary = layer.snapshot().summary();
    let [first, last] = summary.time_us.unwrap();
    layer.expire(i64::midpoint(first, last), 1, &progress).unwrap();
    let after = partitions(&layer);
    assert!(after.iter().all(|(_, run, _)| run.as_deref() == Some("run")), "{after:?}");
    // What has expired does not come back with the same run.
    let points = layer.snapshot().points();
    assert!(points < summary.points && !import(&layer, 80, partition("h", "run")));
    assert_eq!(layer.snapshot().points(), points);
}

#[test]
fn only_a_layer_with_partitions_has_their_format() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(80, 1), 2);
    let format = || Manifest::read(layer.folder()).unwrap().unwrap().format;
    assert_eq!(format(), 1);
    import(&layer, 10, partition("a", "run"));
    assert_eq!(format(), 4);
    assert_eq!(Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap().snapshot().points(), 90);
    layer.remove_partitions(|_| true).unwrap();
    assert_eq!((format(), layer.snapshot().points()), (1, 80));
}

#[test]
fn a_damaged_partition_is_repaired_by_an_import_of_the_same_run() {
    let (_folder, store) = store();
    let layer = store.create("points", Description::default()).unwrap();
    import(&layer, 100, partition("a", "run"));
    let segment = layer.folder().join("00000001.points.arrow");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!((layer.verify().len(), layer.snapshot().points()), (1, 0));
    assert!(import(&layer, 100, partition("a", "run")));
    assert_eq!((layer.verify().len(), layer.snapshot().points()), (0, 100));
}

#[test]
fn names_of_partitions_are_checked() {
    for name in ["2026-11-28", "day=2026-11-28", "A.b_c:d+e", &"x".repeat(100)] {
        assert!(Partition::check_name(name).is_ok(), "{name}");
    }
    for name in ["", "a b", "a/b", "ä", "a\n", &"x".repeat(101)] {
        let message = Partition::check_name(name).unwrap_err().to_string();
        assert!(message.contains("partition") && message.contains("1 to 100 characters"), "{message}");
    }
}
