//! Publication of layers in buckets.

use std::time::Duration;

use super::*;
use crate::bucket::{Fault, MemoryBucket};
use crate::manifest::Manifest;

/// Publishes a layer of the store.
pub(super) fn publish(store: &Store, bucket: &MemoryBucket, options: PublishOptions) -> Result<PublishReport, Error> {
    store.publish("points", bucket, &options, &CopyProgress::default())
}

pub(super) const FORCED: PublishOptions = PublishOptions { grace: Duration::from_secs(3600), force: true, uploads: 2 };

/// The published manifest of a layer.
fn manifest(bucket: &MemoryBucket) -> Manifest {
    let Fetched::Content { bytes, .. } = bucket.fetch("points/manifest.json", None).unwrap() else { unreachable!() };
    Manifest::parse(std::str::from_utf8(&bytes).unwrap(), Path::new("manifest.json"), "points").unwrap()
}

/// The objects that the published manifest names, and which the bucket has, without the manifest.
fn needed_and_kept(bucket: &MemoryBucket) -> (Vec<String>, Vec<String>) {
    let manifest = manifest(bucket);
    let objects = manifest.objects(manifest.published.as_ref().unwrap());
    let mut needed: Vec<String> = objects.into_iter().map(|object| format!("points/{}", object.key)).collect();
    needed.sort();
    let kept =
        bucket.keys().into_iter().filter(|key| !key.ends_with("manifest.json") && !needed.contains(key)).collect();
    assert!(needed.iter().all(|key| bucket.keys().contains(key)), "{needed:?}");
    (needed, kept)
}

/// Sets the times until which removed objects stay to the past.
fn let_grace_pass(bucket: &MemoryBucket) {
    let mut manifest = manifest(bucket);
    for removed in &mut manifest.published.as_mut().unwrap().removed {
        removed.until_s = 1;
    }
    bucket.edit("points/manifest.json", |bytes| *bytes = manifest.to_text().unwrap().into_bytes());
}

#[test]
fn a_version_is_published_once_and_only_new_files_are_uploaded() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(3000, 1), 3);
    store.set_rooms("points", "{}").unwrap();
    let bucket = MemoryBucket::default();
    let first = publish(&store, &bucket, PublishOptions::default()).unwrap();
    assert_eq!((first.is_new, first.files, first.uploaded, first.removed), (true, 4, 4, 0));
    assert_eq!(first.version, layer.snapshot().version());
    let keys = bucket.keys();
    let again = publish(&store, &bucket, PublishOptions::default()).unwrap();
    assert_eq!(again, PublishReport { is_new: false, uploaded: 0, bytes: 0, ..first });
    assert!(
        !bucket.take_requests().iter().skip(8).any(|request| request.starts_with("put") || request.starts_with("swap"))
    );
    assert_eq!(bucket.keys(), keys);
    layer.append(batch(&some_points(10, 2)), None).unwrap();
    let next = publish(&store, &bucket, PublishOptions::default()).unwrap();
    assert_eq!((next.is_new, next.files, next.uploaded), (true, 5, 1));
    assert_eq!(
        needed_and_kept(&bucket),
        (bucket.keys().into_iter().filter(|key| !key.ends_with("manifest.json")).collect(), vec![])
    );
    // An object that was lost is uploaded again.
    let (needed, _) = needed_and_kept(&bucket);
    bucket.delete(&needed[0]).unwrap();
    let healed = publish(&store, &bucket, PublishOptions::default()).unwrap();
    assert_eq!((healed.is_new, healed.uploaded), (false, 1));
    needed_and_kept(&bucket);
}

#[test]
fn objects_of_earlier_versions_stay_for_the_grace_time() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    store.set_rooms("points", "{}").unwrap();
    let bucket = MemoryBucket::default();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let (before, _) = needed_and_kept(&bucket);
    layer.compact(1, &Progress::default()).unwrap();
    store.set_rooms("points", "[]").unwrap();
    let report = publish(&store, &bucket, PublishOptions::default()).unwrap();
    assert_eq!((report.is_new, report.uploaded, report.removed), (true, 2, 0));
    assert_eq!(needed_and_kept(&bucket).1, before);
    // Rooms that are used again are not removed.
    store.set_rooms("points", "{}").unwrap();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let_grace_pass(&bucket);
    let report = publish(&store, &bucket, PublishOptions::default()).unwrap();
    assert_eq!((report.is_new, report.removed), (false, 4));
    assert_eq!(needed_and_kept(&bucket).1, [""; 0]);
}

#[test]
fn a_version_with_other_segments_has_a_revision() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let bucket = MemoryBucket::default();
    let versions = [(); 2].map(|()| {
        let version = publish(&store, &bucket, PublishOptions::default()).unwrap().version;
        layer.compact(1, &Progress::default()).unwrap();
        version
    });
    assert_eq!(versions[1], format!("{}-r1", versions[0]));
    assert_eq!(publish(&store, &bucket, PublishOptions::default()).unwrap().version, versions[1]);
    layer.append(batch(&some_points(10, 2)), None).unwrap();
    assert_eq!(publish(&store, &bucket, PublishOptions::default()).unwrap().version, layer.snapshot().version());
}

#[test]
fn an_older_version_or_another_layer_does_not_replace_a_published_one() {
    let (folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let bucket = MemoryBucket::default();
    let backup = std::fs::read(layer.folder().join("manifest.json")).unwrap();
    layer.append(batch(&some_points(10, 2)), None).unwrap();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let published = manifest(&bucket);
    std::fs::write(layer.folder().join("manifest.json"), backup).unwrap();
    let message = publish(&store, &bucket, PublishOptions::default()).unwrap_err().to_string();
    assert!(message.contains("has version 4 of the layer, and the store has the older version 3"), "{message}");
    let other = Store::open(&folder.path().join("other")).unwrap();
    layer_of(&other, &some_points(20, 3), 1);
    let message = publish(&other, &bucket, PublishOptions::default()).unwrap_err().to_string();
    assert!(message.contains("another layer of this name"), "{message}");
    assert_eq!(manifest(&bucket), published);
    assert!(publish(&other, &bucket, FORCED).unwrap().is_new);
    assert_ne!(manifest(&bucket).id, published.id);
    assert_eq!(needed_and_kept(&bucket).1.len(), 4);
}

#[test]
fn the_slower_of_two_publishers_changes_nothing() {
    let (_folder, store) = store();
    layer_of(&store, &some_points(300, 1), 3);
    let bucket = MemoryBucket::default();
    bucket.set_fault(Some(Fault::LostSwap));
    let message = publish(&store, &bucket, PublishOptions::default()).unwrap_err().to_string();
    assert!(message.contains("another process published the layer at the same time"), "{message}");
    bucket.set_fault(None);
    bucket.delete("points/manifest.json").unwrap();
    // A swap whose response was lost is known by its manifest.
    bucket.set_fault(Some(Fault::LostResponse));
    assert!(publish(&store, &bucket, PublishOptions::default()).unwrap().is_new);
}

#[test]
fn a_failed_publication_leaves_the_previous_version_and_can_be_repeated() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let bucket = MemoryBucket::default();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let before = manifest(&bucket);
    for seed in 2..6 {
        layer.append(batch(&some_points(10, seed)), None).unwrap();
    }
    for fault in [Fault::Away, Fault::Denied, Fault::Uploads(2)] {
        bucket.set_fault(Some(fault));
        assert!(publish(&store, &bucket, PublishOptions { uploads: 1, ..PublishOptions::default() }).is_err());
        bucket.set_fault(None);
        assert_eq!(manifest(&bucket), before, "{fault:?}");
    }
    let stopped = CopyProgress::default();
    stopped.stop();
    assert!(matches!(store.publish("points", &bucket, &PublishOptions::default(), &stopped), Err(Error::Cancelled)));
    assert_eq!(manifest(&bucket), before);
    let report = publish(&store, &bucket, PublishOptions::default()).unwrap();
    assert_eq!((report.uploaded, report.files), (2, 7));
    // What a publication of another layer has left is removed after a day.
    bucket.put("points/other/00000001-00000000.points.arrow", b"x").unwrap();
    assert_eq!(publish(&store, &bucket, PublishOptions::default()).unwrap().removed, 0);
    bucket.set_modified(1);
    assert_eq!(publish(&store, &bucket, PublishOptions::default()).unwrap().removed, 1);
    assert_eq!(needed_and_kept(&bucket).1, [""; 0]);
}

#[test]
fn damaged_files_and_manifests_are_not_published_or_replaced() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 2);
    let bucket = MemoryBucket::default();
    let path = layer.folder().join("00000002.points.arrow");
    let intact = std::fs::read(&path).unwrap();
    let mut bytes = intact.clone();
    bytes[400] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let message = publish(&store, &bucket, PublishOptions::default()).unwrap_err().to_string();
    assert!(message.contains("00000002.points.arrow: it is damaged"), "{message}");
    assert!(!bucket.keys().contains(&"points/manifest.json".to_owned()));
    std::fs::write(&path, intact).unwrap();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    bucket.edit("points/manifest.json", |bytes| bytes.truncate(100));
    let message = publish(&store, &bucket, PublishOptions::default()).unwrap_err().to_string();
    assert!(message.contains("memory://bucket/points/manifest.json: it is damaged"), "{message}");
    publish(&store, &bucket, FORCED).unwrap();
    assert!(store.publish("none", &bucket, &FORCED, &CopyProgress::default()).is_err());
    assert!(store.publish("../points", &bucket, &FORCED, &CopyProgress::default()).is_err());
}

#[test]
fn a_removed_layer_stays_for_the_grace_time_and_can_be_published_again() {
    let (_folder, store) = store();
    layer_of(&store, &some_points(300, 1), 2);
    let bucket = MemoryBucket::default();
    let options = PublishOptions::default();
    assert!(!unpublish("points", &bucket, &options).unwrap());
    publish(&store, &bucket, options).unwrap();
    assert!(unpublish("points", &bucket, &options).unwrap());
    assert!(!unpublish("points", &bucket, &options).unwrap());
    assert!(manifest(&bucket).published.unwrap().is_removed && bucket.keys().len() == 3);
    let report = publish(&store, &bucket, options).unwrap();
    assert_eq!((report.is_new, report.uploaded), (true, 0));
    assert!(unpublish("points", &bucket, &options).unwrap());
    let_grace_pass(&bucket);
    assert!(!unpublish("points", &bucket, &options).unwrap());
    assert_eq!(bucket.keys(), ["points/manifest.json"]);
    assert_eq!(published_layers(&bucket).unwrap(), ["points"]);
}

#[test]
fn a_layer_that_changes_at_the_same_time_is_published_in_one_of_its_versions() {
    let (folder, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 3);
    let bucket = MemoryBucket::default();
    let cache = folder.path().join("cache");
    let mirror = Arc::new(
        Mirror::open(
            Arc::new(bucket.clone()),
            &cache,
            MirrorOptions { refresh: Duration::from_millis(1), ..MirrorOptions::default() },
        )
        .unwrap(),
    );
    let threads = mirror.start().unwrap();
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for seed in 0..30 {
                layer.append(batch(&some_points(20, seed)), None).unwrap();
                if seed % 3 == 0 {
                    layer.compact(1, &Progress::default()).unwrap();
                }
            }
        });
        while !changes.is_finished() {
            publish(&store, &bucket, PublishOptions::default()).unwrap();
            if let Some(copy) = mirror.store().layer("points").unwrap() {
                let snapshot = copy.snapshot();
                assert!(
                    snapshot.damaged().is_empty() && (snapshot.points() - 300) % 20 == 0,
                    "{:?}",
                    snapshot.damaged()
                );
            }
        }
    });
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let start = std::time::Instant::now();
    while mirror.store().layer("points").unwrap().map(|layer| layer.snapshot().points()) != Some(900) {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", mirror.status());
    }
    drop(threads);
}
