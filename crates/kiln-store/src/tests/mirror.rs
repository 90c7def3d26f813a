//! Mirrors of buckets.

use std::time::Duration;

use super::publish::{FORCED, publish};
use super::*;
use crate::bucket::{Fault, MemoryBucket};
use crate::manifest::Manifest;
use crate::mirror::to_cache_error;

/// A mirror whose threads are not started: `run` does their work.
fn open(bucket: &MemoryBucket, folder: &Path) -> Mirror {
    Mirror::open(Arc::new(bucket.clone()), folder, MirrorOptions::default()).unwrap()
}

/// Checks for new versions, and copies all files.
fn run(mirror: &Mirror) {
    mirror.poll();
    while mirror.copy_file() {}
}

/// The version and the number of points of the layer.
fn served(mirror: &Mirror) -> Option<(String, u64)> {
    let snapshot = mirror.store().layer("points").unwrap()?.snapshot();
    assert!(snapshot.damaged().is_empty(), "{:?}", snapshot.damaged());
    Some((snapshot.version(), snapshot.points()))
}

/// What a layer of a store should be in its mirror.
#[allow(clippy::unnecessary_wraps, reason = "it is compared with what is served")]
fn expected(store: &Store) -> Option<(String, u64)> {
    let snapshot = store.layer("points").unwrap().unwrap().snapshot();
    Some((snapshot.version(), snapshot.points()))
}

/// A store with a published layer, its bucket, and the folder of a mirror.
fn published() -> (tempfile::TempDir, Store, MemoryBucket, std::path::PathBuf) {
    let (folder, store) = store();
    layer_of(&store, &some_points(3000, 1), 3);
    let bucket = MemoryBucket::default();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let cache = folder.path().join("cache");
    (folder, store, bucket, cache)
}

fn problem(mirror: &Mirror) -> String {
    mirror.status().problems.first().map(|problem| problem.reason.clone()).unwrap_or_default()
}

#[test]
fn a_mirror_copies_all_layers_once_and_then_only_new_files() {
    let (_folder, store, bucket, cache) = published();
    store.set_rooms("points", "{}").unwrap();
    store.set_floor_plan("points", &[b"plan"]).unwrap();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let mirror = open(&bucket, &cache);
    mirror.check_bucket().unwrap();
    mirror.poll();
    let status = mirror.status();
    assert_eq!((status.is_ready, status.files), (false, [0, 5]));
    while mirror.copy_file() {}
    assert_eq!(served(&mirror), expected(&store));
    let status = mirror.status();
    assert_eq!((status.is_ready, status.files, status.problems), (true, [0, 0], vec![]));
    assert_eq!(mirror.store().rooms("points").unwrap().as_deref(), Some("{}"));
    bucket.take_requests();
    run(&mirror);
    assert_eq!(bucket.take_requests(), ["get points/manifest.json"]);

    let layer = store.layer("points").unwrap().unwrap();
    layer.append(batch(&some_points(10, 2)), None).unwrap();
    store.remove_rooms("points").unwrap();
    let report = publish(&store, &bucket, PublishOptions::default()).unwrap();
    let held = mirror.store().layer("points").unwrap().unwrap().snapshot();
    bucket.take_requests();
    run(&mirror);
    let requests = bucket.take_requests();
    assert_eq!((requests.len() as u64, served(&mirror)), (1 + report.uploaded, expected(&store)));
    assert_eq!((mirror.store().rooms("points").unwrap(), held.points()), (None, 3000));
    // The sums are those of the store.
    let query = Query::default();
    let canvas = Canvas::tile(TileCoord::new(1, 1, 0).unwrap(), 256).unwrap();
    let cells = |store: &Store| {
        let snapshot = store.layer("points").unwrap().unwrap().snapshot();
        snapshot.cells(&query, &canvas, Reduction::Sum, 10.0, 1).unwrap().0
    };
    assert_eq!(format!("{:?}", cells(&store)), format!("{:?}", cells(mirror.store())));
}

#[test]
fn a_mirror_that_starts_again_serves_its_copy_while_the_bucket_is_away() {
    let (_folder, store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    bucket.set_fault(Some(Fault::Away));
    mirror.check_bucket().unwrap();
    run(&mirror);
    assert!(!mirror.status().is_ready && mirror.status().outage.unwrap().contains("cannot reach"));
    bucket.set_fault(None);
    run(&mirror);
    assert!(mirror.status().is_ready && mirror.status().outage.is_none());
    drop(mirror);
    bucket.set_fault(Some(Fault::Away));
    let mirror = open(&bucket, &cache);
    assert!(mirror.status().is_ready && mirror.status().contact_s.is_some() && mirror.status().is_contact_saved);
    run(&mirror);
    assert_eq!((served(&mirror), mirror.status().is_ready), (expected(&store), true));
    bucket.set_fault(None);
    bucket.take_requests();
    run(&mirror);
    assert_eq!(bucket.take_requests(), ["folders ", "get points/manifest.json"]);
    assert!(!mirror.status().is_contact_saved);
    // Access that is denied is an error of a mirror without a copy only.
    bucket.set_fault(Some(Fault::Denied));
    assert!(mirror.check_bucket().unwrap_err().to_string().contains("access denied"));
    run(&mirror);
    assert_eq!((served(&mirror), mirror.counters().failures), (expected(&store), 2));
    // The end of a process saves the last contact, which is otherwise saved once a minute.
    let record = cache.join("replica.json");
    let text = std::fs::read_to_string(&record).unwrap();
    mirror.set_contact_s(5_000_000_000);
    mirror.stop();
    let saved = std::fs::read_to_string(&record).unwrap();
    assert!(saved != text && saved.contains("5000000000"), "{saved}");
}

#[test]
fn damaged_downloads_leave_the_last_version_and_are_repeated() {
    let (_folder, store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    run(&mirror);
    let before = served(&mirror);
    let layer = store.layer("points").unwrap().unwrap();
    layer.append(batch(&some_points(500, 2)), None).unwrap();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    for (fault, word) in [
        (Fault::Cut, "connection reset"),
        (Fault::Short, "bytes that the manifest names"),
        (Fault::Flipped, "the checksum does not match"),
    ] {
        bucket.set_fault(Some(fault));
        run(open_again(&mirror, &bucket, &cache));
        // The first repetition follows at the next check; later ones wait.
        run(&mirror);
        assert_eq!(served(&mirror), before, "{fault:?}");
        mirror.forget_failures();
        assert!(problem(&mirror).contains(word), "{fault:?}: {}", problem(&mirror));
        assert_eq!(entries(&cache.join(".copy/points")), [""; 0]);
    }
    bucket.set_fault(None);
    run(&mirror);
    assert_eq!((served(&mirror), problem(&mirror)), (expected(&store), String::new()));
}

/// A second mirror cannot use the folder, so the first one is returned.
fn open_again<'a>(mirror: &'a Mirror, bucket: &MemoryBucket, cache: &Path) -> &'a Mirror {
    let second = Mirror::open(Arc::new(bucket.clone()), cache, MirrorOptions::default());
    assert!(second.unwrap_err().to_string().contains("another server uses this cache"));
    mirror
}

#[test]
fn a_manifest_that_cannot_be_read_leaves_the_last_version() {
    let (folder, store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    run(&mirror);
    let before = served(&mirror);
    let key = "points/manifest.json";
    let mut newer = Manifest::read(store.layer("points").unwrap().unwrap().folder()).unwrap().unwrap();
    newer.format = 99;
    let newer = newer.to_text().unwrap().into_bytes();
    let not_published = std::fs::read(store.folder().join(key)).unwrap();
    for (text, word) in [
        (newer, "unsupported format 99"),
        (b"{\"crc32\": 1, \"la".to_vec(), "it is damaged"),
        (not_published, "not a published one"),
    ] {
        bucket.edit(key, |bytes| *bytes = text.clone());
        run(&mirror);
        assert_eq!((served(&mirror), mirror.status().is_ready), (before.clone(), true));
        assert!(problem(&mirror).contains(word), "{word}: {}", problem(&mirror));
        assert!(mirror.status().problems[0].is_served);
        // A mirror without a copy is not ready.
        let other = tempfile::tempdir_in(folder.path()).unwrap();
        let cold = open(&bucket, &other.path().join("cold"));
        run(&cold);
        assert_eq!((served(&cold), cold.status().is_ready), (None, false));
        assert!(!cold.status().problems[0].is_served);
    }
    publish(&store, &bucket, FORCED).unwrap();
    run(&mirror);
    assert_eq!((served(&mirror), problem(&mirror)), (expected(&store), String::new()));
}

#[test]
fn a_damaged_file_of_the_cache_is_copied_again() {
    let (_folder, store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    run(&mirror);
    for file in ["00000001.points.arrow", "manifest.json"] {
        let path = cache.join("points").join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        if let Ok(Some(layer)) = mirror.store().layer("points") {
            layer.verify();
        }
        drop(mirror.store().layer("points"));
        run(&mirror);
        assert_eq!(served(&mirror), expected(&store), "{file}");
    }
    // The manifest, the folder of the layer, or all of the cache is lost.
    std::fs::remove_file(cache.join("points/manifest.json")).unwrap();
    run(&mirror);
    assert_eq!(served(&mirror), expected(&store));
    assert_eq!(entries(&cache.join("points")).iter().filter(|name| name.ends_with(".points.arrow")).count(), 3);
    std::fs::remove_dir_all(cache.join("points")).unwrap();
    run(&mirror);
    assert_eq!(served(&mirror), expected(&store));
    std::fs::remove_dir_all(&cache).unwrap();
    run(&mirror);
    assert_eq!(served(&mirror), expected(&store));
}

#[test]
fn a_new_layer_of_the_same_name_replaces_the_former_one_without_a_gap() {
    let (folder, _store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    run(&mirror);
    let held = mirror.store().layer("points").unwrap().unwrap().snapshot();
    let other = Store::open(&folder.path().join("other")).unwrap();
    layer_of(&other, &some_points(90, 3), 3);
    publish(&other, &bucket, FORCED).unwrap();
    run(&mirror);
    assert_eq!((served(&mirror), held.points()), (expected(&other), 3000));
    assert_eq!(held.sample(&Query::default(), 10).unwrap().len(), 10);
    let names = entries(&cache.join("points"));
    assert!(names.contains(&"00000004.points.arrow".to_owned()), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.ends_with(".points.arrow")).count(), 3, "{names:?}");
    // It is the same after a restart.
    drop(mirror);
    assert_eq!(served(&open(&bucket, &cache)), expected(&other));
}

#[test]
fn keys_that_lead_out_of_the_folder_of_a_layer_are_rejected() {
    let (_folder, store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    let edit = |change: &dyn Fn(&mut Manifest)| {
        bucket.edit("points/manifest.json", |bytes| {
            let mut manifest =
                Manifest::parse(std::str::from_utf8(bytes).unwrap(), Path::new("manifest.json"), "points").unwrap();
            change(&mut manifest);
            *bytes = manifest.to_text().unwrap().into_bytes();
        });
    };
    let id = Manifest::read(store.layer("points").unwrap().unwrap().folder()).unwrap().unwrap().id;
    let keep = |manifest: &mut Manifest, key: &str| {
        let published = manifest.published.as_mut().unwrap();
        published.keep_removed([key.to_owned()].into(), 1, &std::collections::BTreeSet::new());
    };
    for change in [
        &(|manifest: &mut Manifest| manifest.id = "../../other".to_owned()) as &dyn Fn(&mut Manifest),
        &|manifest| manifest.id = "..".to_owned(),
        &|manifest| keep(manifest, "../../other/file"),
        &|manifest| keep(manifest, "/etc/file"),
    ] {
        edit(change);
        run(&mirror);
        assert!(problem(&mirror).contains("a key is invalid"), "{}", problem(&mirror));
        assert!(publish(&store, &bucket, PublishOptions::default()).is_err());
        edit(&|manifest| {
            manifest.id.clone_from(&id);
            manifest.published.as_mut().unwrap().removed.clear();
        });
    }
    run(&mirror);
    assert_eq!(served(&mirror), expected(&store));
}

#[test]
fn a_disk_that_cannot_be_written_leaves_the_last_version_and_no_other_files() {
    let (_folder, store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    run(&mirror);
    let before = (served(&mirror), entries(&cache.join("points")));
    let layer = store.layer("points").unwrap().unwrap();
    layer.append(batch(&some_points(500, 2)), None).unwrap();
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    let manifest = Manifest::read(layer.folder()).unwrap().unwrap();
    let entry = manifest.segments.last().unwrap();
    let object = format!("{}-{:08}-{:08x}.points.arrow.part", manifest.id, entry.id, entry.points.crc32);
    // A folder in place of a file, which fails also where tests run as root: of the copy, and of the manifest.
    for path in [cache.join(".copy/points").join(object), cache.join("points/manifest.json.part")] {
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("full"), "x").unwrap();
        mirror.forget_failures();
        run(&mirror);
        assert!(problem(&mirror).contains("cannot write"), "{}", problem(&mirror));
        let name = path.file_name().unwrap().to_str().unwrap();
        let found =
            entries(&cache.join("points")).into_iter().filter(|found| found != name && found != ".lock").collect();
        assert_eq!((served(&mirror), found), before.clone(), "{}", path.display());
        std::fs::remove_dir_all(&path).unwrap();
    }
    mirror.forget_failures();
    run(&mirror);
    assert_eq!((served(&mirror), problem(&mirror)), (expected(&store), String::new()));
}

#[test]
fn only_a_published_removal_removes_a_layer() {
    let (_folder, store, bucket, cache) = published();
    let mirror = open(&bucket, &cache);
    run(&mirror);
    for key in bucket.keys() {
        bucket.delete(&key).unwrap();
    }
    run(&mirror);
    assert_eq!(served(&mirror), expected(&store));
    assert!(problem(&mirror).contains("the bucket has no manifest of the layer"), "{}", problem(&mirror));
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    run(&mirror);
    assert_eq!((served(&mirror), problem(&mirror)), (expected(&store), String::new()));
    unpublish("points", &bucket, &PublishOptions::default()).unwrap();
    run(&mirror);
    assert_eq!((served(&mirror), mirror.status().is_ready), (None, true));
    publish(&store, &bucket, PublishOptions::default()).unwrap();
    run(&mirror);
    assert_eq!(served(&mirror), expected(&store));
}

#[test]
fn a_mirror_rejects_the_folder_of_a_store_and_of_another_bucket() {
    let (_folder, store, bucket, cache) = published();
    let open = |folder: &Path| Mirror::open(Arc::new(bucket.clone()), folder, MirrorOptions::default());
    let message = open(store.folder()).unwrap_err().to_string();
    assert!(message.contains("the folder has layers of a store"), "{message}");
    // A folder in which no bucket was reached is still free.
    bucket.set_fault(Some(Fault::Away));
    run(&open(&cache).unwrap());
    assert!(!Mirror::is_cache(&cache));
    bucket.set_fault(None);
    run(&open(&cache).unwrap());
    std::fs::write(cache.join("replica.json"), r#"{"bucket":"s3://other","is_complete":true,"contact_s":null}"#)
        .unwrap();
    let message = open(&cache).unwrap_err().to_string();
    assert!(message.contains("the folder is the cache of s3://other, not of memory://bucket"), "{message}");
}

#[test]
fn a_cache_on_a_read_only_file_system_is_an_error_that_does_not_suggest_to_only_read_it() {
    let read_only = std::io::Error::new(std::io::ErrorKind::ReadOnlyFilesystem, "needs store.read_only = true");
    let message = to_cache_error(Error::io("cache/server.lock", "lock", read_only)).to_string();
    assert_eq!(
        message,
        "cache/server.lock: cannot lock: the file system is read-only; a replica needs a cache that it can write"
    );
}

#[test]
fn threads_of_a_mirror_copy_new_versions_until_they_are_stopped() {
    let (_folder, store, bucket, cache) = published();
    let options = MirrorOptions { refresh: Duration::from_millis(5), ..MirrorOptions::default() };
    let mirror = Arc::new(Mirror::open(Arc::new(bucket.clone()), &cache, options).unwrap());
    let threads = mirror.start().unwrap();
    let layer = store.layer("points").unwrap().unwrap();
    for seed in 2..6 {
        layer.append(batch(&some_points(50, seed)), None).unwrap();
        publish(&store, &bucket, PublishOptions::default()).unwrap();
        let start = std::time::Instant::now();
        while served(&mirror) != expected(&store) {
            assert!(start.elapsed() < Duration::from_secs(60), "{:?}", mirror.status());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    drop(threads);
    // The threads have ended once they have released the mirror.
    let start = std::time::Instant::now();
    while Arc::strong_count(&mirror) > 1 {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
}
