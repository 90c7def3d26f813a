//! Numbers of manifests and files that another program has written, with the checksums that they need.
#![allow(clippy::panic, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::bins::{layer_of_bins, summed};
use super::*;
use crate::bucket::MemoryBucket;
use crate::checksums::ChunkHasher;
use kiln_core::cell_bins::BinsRequest;
use kiln_core::matrix::{Axis, MatrixRequest};
use kiln_core::source::PointSet;

/// The paths of all numbers of a manifest.
fn numbers(value: &Value, at: &str, paths: &mut Vec<String>) {
    match value {
        Value::Number(_) => paths.push(at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| numbers(item, &format!("{at}/{i}"), paths));
        }
        Value::Object(members) => members.iter().for_each(|(key, item)| numbers(item, &format!("{at}/{key}"), paths)),
        _ => {}
    }
}

/// Other numbers in the place of one.
fn others(number: &Value) -> Vec<Value> {
    let near = number.as_i64().unwrap_or(7);
    let mut others = vec![json!(0), json!(1), json!(near.saturating_add(1)), json!(near.saturating_sub(1))];
    others.extend([json!(u32::MAX), json!(i64::MAX), json!(u64::MAX), json!(1u64 << 53), json!(-1), json!(i64::MIN)]);
    others.extend([json!(1e308), json!(-1e308), json!(0.5), Value::Null]);
    others.retain(|other| other.as_f64() != number.as_f64());
    others
}

/// The text of a manifest with the checksum that it needs.
fn sealed(layer: &Value) -> Vec<u8> {
    let text = layer.to_string();
    format!("{{\"crc32\":{},\"layer\":{text}}}\n", crc32fast::hash(text.as_bytes())).into_bytes()
}

fn layer_value(bytes: &[u8]) -> Value {
    serde_json::from_slice::<Value>(bytes).unwrap()["layer"].take()
}

/// Everything that requests read of a layer; errors are answers, too.
fn answers(snapshot: &Snapshot) -> String {
    let mut all = format!("{:?} {:?} {:?}", snapshot.summary(), snapshot.extent(), snapshot.level());
    let mut add = |answer: String| {
        all = format!("{:08x}{:08x}", crc32fast::hash(all.as_bytes()), crc32fast::hash(answer.as_bytes()));
    };
    let queries = [
        Query::default().with_weights(true),
        Query::default().with_start(Some(0)).with_end(Some(500_000_000)),
        Query::default().with_category_filter(vec!["bus".into()]),
    ];
    for query in &queries {
        for (z, x, y) in [(0, 0, 0), (5, 17, 9)] {
            let canvas = Canvas::tile(TileCoord::new(z, x, y).unwrap(), 16).unwrap();
            for reduction in [Reduction::CountAndSum, Reduction::Sum, Reduction::Max] {
                add(format!("{:?}", snapshot.cells(query, &canvas, reduction, 3.0, 1)));
            }
        }
        add(format!("{:?} {:?}", snapshot.sample(query, 20), snapshot.count_points(query)));
        let request = BinsRequest { level: 9, period_us: Some(100_000_000), by_category: true };
        let mut records = Vec::new();
        let summed = snapshot.cell_bins(query, &request, 1, &mut |chunk| {
            records.push(format!("{:?}", chunk.records));
            Ok(())
        });
        add(format!("{summed:?} {records:?}"));
        let request = MatrixRequest::new(Axis::Time(kiln_core::calendar::TimePart::ALL[0]), Axis::Category);
        add(format!("{:?}", PointSet::matrix(snapshot, query, &request, 1)));
    }
    add(format!("{:?} {:?}", PointSet::categories(snapshot, None), snapshot.expiry(500_000_000)));
    add(format!("{:?} {:?} {:?}", snapshot.partitions(), snapshot.version(), snapshot.created_and_changed_s()));
    all
}

/// A layer of points or of bins, of two segments, the first of which has blocks.
fn layers() -> [(tempfile::TempDir, Store, Arc<StoredLayer>); 2] {
    let [points, bins] = [store(), store()];
    let columns = some_points(7000, 5);
    let of_points = layer_of(&points.1, &columns, 2);
    let of_bins = layer_of_bins(&bins.1, &summed(&columns, 12), 2);
    for layer in [&of_points, &of_bins] {
        layer.compact(1, &Progress::default()).unwrap();
        assert!(layer.snapshot().segments[0].blocks.is_some(), "the test needs blocks");
    }
    of_points.append(batch(&some_points(40, 6)), None).unwrap();
    let (more, names) = (summed(&some_points(40, 6), 12), names());
    let mut batch = of_bins.batch();
    batch.add(more.points(&names, 0..more.n.len(), true));
    of_bins.append(batch, None).unwrap();
    [(points.0, points.1, of_points), (bins.0, bins.1, of_bins)]
}

/// Calls `check` with manifests that differ from `layer` in a number, every `step`-th. Returns their number.
fn for_each_forged(layer: &Value, step: usize, mut check: impl FnMut(&str, &Value, Vec<u8>)) -> usize {
    let mut paths = Vec::new();
    numbers(layer, "", &mut paths);
    let mut forged_numbers: Vec<(String, Value)> = Vec::new();
    for path in paths {
        let number = layer.pointer(&path).unwrap();
        forged_numbers.extend(others(number).into_iter().map(|other| (path.clone(), other)));
    }
    let count = forged_numbers.len();
    let mut forged_numbers: Vec<_> = forged_numbers.into_iter().step_by(step).collect();
    // Totals that only other layers have.
    for segment in 0..layer["segments"].as_array().unwrap().len() {
        for (member, values) in [
            ("n", vec![json!(1), json!(1_000_000), json!(u64::MAX)]),
            ("max_n", vec![json!(u64::MAX)]),
            ("time_step_us", vec![json!(0), json!(u64::MAX)]),
            ("extent_m", vec![json!([[-1e308, -1e308], [1e308, 1e308]])]),
        ] {
            let path = format!("/segments/{segment}/totals/{member}");
            if layer.pointer(&path).is_none() {
                forged_numbers.extend(values.into_iter().map(|value| (path.clone(), value)));
            }
        }
    }
    for (path, other) in forged_numbers {
        let mut forged = layer.clone();
        let (parent, member) = path.rsplit_once('/').unwrap();
        match forged.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[member.parse::<usize>().unwrap()] = other.clone(),
            parent => parent[member] = other.clone(),
        }
        let checked = catch_unwind(AssertUnwindSafe(|| check(&path, &other, sealed(&forged))));
        if let Err(panic) = checked {
            eprintln!("{path} = {other}");
            std::panic::resume_unwind(panic);
        }
    }
    count
}

#[test]
fn no_number_of_a_manifest_ends_in_a_panic() {
    for (_home, store, layer) in layers() {
        let (name, path) = (layer.name().to_owned(), layer.folder().join("manifest.json"));
        let original = std::fs::read(&path).unwrap();
        let copy = tempfile::tempdir().unwrap();
        let mut read = 0;
        // KILN_FLIPS for all of them.
        let step = if std::env::var_os("KILN_FLIPS").is_some() { 1 } else { 3 };
        let count = for_each_forged(&layer_value(&original), step, |number, other, text| {
            std::fs::write(&path, text).unwrap();
            let opened = Store::open(store.folder()).unwrap();
            opened.sweep_removed();
            let Ok(Some(layer)) = opened.layer(&name) else { return };
            read += 1;
            answers(&layer.snapshot());
            // Writes: an append, a merge and a removal, in a copy.
            let is_extreme = [json!(0), json!(u64::MAX), json!(i64::MAX), json!(1u64 << 53)].contains(other);
            if is_extreme && !number.starts_with("/segments/0") {
                let other_store = copy.path().join("store");
                let _ = std::fs::remove_dir_all(&other_store);
                std::fs::create_dir_all(other_store.join(&name)).unwrap();
                for file in entries(layer.folder()) {
                    std::fs::copy(layer.folder().join(&file), other_store.join(&name).join(&file)).unwrap();
                }
                let written = Store::open(&other_store).unwrap();
                let layer = written.layer(&name).unwrap().unwrap();
                let points = layer.snapshot().points();
                let _ = layer.append(batch(&some_points(5, 7)), None);
                let _ = layer.compact(1, &Progress::default());
                let _ = layer.expire(1000, 1, &Progress::default());
                assert!(layer.snapshot().points() <= points.saturating_add(5), "{number} = {other}");
                answers(&layer.snapshot());
            }
        });
        assert!(count > 500 && read > 30, "{count} {read}");
    }
}

#[test]
fn a_forged_manifest_leaves_the_last_version_of_a_mirror() {
    for (home, store, layer) in layers() {
        let name = layer.name();
        let bucket = MemoryBucket::default();
        store.publish(name, &bucket, &PublishOptions::default(), &CopyProgress::default()).unwrap();
        let key = format!("{name}/manifest.json");
        let Fetched::Content { bytes: original, .. } = bucket.fetch(&key, None).unwrap() else { unreachable!() };
        let mirror = Mirror::open(Arc::new(bucket.clone()), &home.path().join("cache"), MirrorOptions::default());
        let mirror = mirror.unwrap();
        let run = || {
            mirror.forget_failures();
            mirror.poll();
            while mirror.copy_file() {}
        };
        run();
        let served = || mirror.store().layer(name).unwrap().unwrap().snapshot();
        let (points, version) = (answers(&served()), served().version());
        let mut rejected = 0;
        for_each_forged(&layer_value(&original), 5, |number, other, text| {
            bucket.edit(&key, |bytes| *bytes = text);
            run();
            let status = mirror.status();
            // Versions, times of publications and descriptions are what the publisher says.
            if number.starts_with("/segments") || number == "/level" {
                // Totals that earlier versions of Kiln did not have.
                let is_optional = other.is_null() && (number.ends_with("max_n") || number.ends_with("time_step_us"));
                // They left points without a time out of those of merged segments.
                let is_optional = is_optional || number.ends_with("untimed") && status.problems.is_empty();
                let is_optional = is_optional || number.ends_with("/id") && status.problems.is_empty();
                assert!(is_optional || !status.problems.is_empty(), "{number} = {other}");
                assert!(status.problems.iter().all(|problem| problem.is_served) && status.is_ready);
                rejected += status.problems.len();
            }
            assert_eq!(served().damaged(), [], "{number} = {other}");
            if !status.problems.is_empty() {
                assert_eq!(served().version(), version, "{number} = {other}");
                assert_eq!(answers(&served()), points, "{number} = {other}");
            }
            bucket.edit(&key, |bytes| bytes.clone_from(&original));
            run();
            assert_eq!((mirror.status().problems, answers(&served())), (vec![], points.clone()), "{number} = {other}");
        });
        assert!(rejected > 60, "{rejected}");
    }
}

#[test]
fn a_new_mirror_serves_no_layer_whose_manifest_is_forged() {
    let (home, store) = store();
    layer_of(&store, &some_points(300, 5), 1);
    let bucket = MemoryBucket::default();
    store.publish("points", &bucket, &PublishOptions::default(), &CopyProgress::default()).unwrap();
    bucket.edit("points/manifest.json", |bytes| {
        let mut layer = layer_value(bytes);
        layer["segments"][0]["totals"]["weight"][0] = json!(1e300);
        *bytes = sealed(&layer);
    });
    let mirror = Mirror::open(Arc::new(bucket), &home.path().join("cache"), MirrorOptions::default()).unwrap();
    for _ in 0..2 {
        mirror.poll();
        while mirror.copy_file() {}
    }
    let status = mirror.status();
    assert!(!status.is_ready && mirror.store().names().unwrap().is_empty());
    assert!(!status.problems[0].is_served);
    let reason = &status.problems[0].reason;
    assert!(reason.contains("the published version contradicts itself") && reason.contains("its weights"), "{reason}");
    assert_eq!(mirror.counters().failures, 1, "it is not copied again and again");
}

#[test]
fn the_totals_of_merged_segments_count_points_without_weights_and_times() {
    let (_home, store) = store();
    let layer = store.create("points", Description::default()).unwrap();
    let at = |lon: f64| {
        Points::new(&[lon; 2], &[3.0; 2]).map(|points| {
            let mut batch = Batch::default();
            batch.add(points);
            batch
        })
    };
    for i in 0..40 {
        layer.append(at(f64::from(i) - 100.0).unwrap(), None).unwrap();
    }
    layer.append(batch(&some_points(30, 1)), None).unwrap();
    let untimed = layer.snapshot().summary();
    layer.compact(1, &Progress::default()).unwrap();
    let merged = layer.snapshot();
    assert_eq!(merged.segments.len(), 1);
    let summary = merged.summary();
    assert_eq!((summary.untimed, summary.points), (untimed.untimed, 110));
    let [sum, min, _] = summary.weight.unwrap();
    let [expected, least, _] = untimed.weight.unwrap();
    assert!((sum - expected).abs() < 1e-9 && (min - least).abs() < 1e-9, "{sum} {expected}");
    merged.segments[0].check_points().unwrap();
}

/// Replaces bytes of a file, and the checksums in it and in its entry of the manifest.
fn reseal(original: &[u8], at: usize, bytes: &[u8], digest: &mut Value) -> Vec<u8> {
    let start = digest["tail"]["start"].as_u64().unwrap() as usize;
    let checksums = |file: &[u8]| {
        let mut hasher = ChunkHasher::default();
        hasher.update(&file[..start]);
        hasher.take().into_bytes()
    };
    let mut file = original.to_vec();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    let (before, after) = (checksums(original), checksums(&file));
    let found = file[start..].windows(before.len()).position(|window| window == before);
    if let Some(found) = found {
        file[start + found..start + found + after.len()].copy_from_slice(&after);
    }
    digest["tail"]["crc32"] = json!(crc32fast::hash(&file[start..]));
    digest["crc32"] = json!(crc32fast::hash(&file));
    file
}

#[test]
fn no_bytes_of_a_file_with_its_checksums_end_in_a_panic() {
    const EDGE: usize = 3000;
    let mut random = Random(8);
    // The number of changes of each file; KILN_FLIPS=5000 for more.
    let rounds = std::env::var("KILN_FLIPS").ok().and_then(|count| count.parse().ok()).unwrap_or(150);
    let (mut intact, mut damaged) = (0, 0);
    for (_home, store, layer) in layers() {
        let (name, folder) = (layer.name().to_owned(), layer.folder().to_owned());
        let manifest = folder.join("manifest.json");
        let original = layer_value(&std::fs::read(&manifest).unwrap());
        for (file, member) in [("points", "points"), ("bins", "bins")] {
            let id = original["segments"][0]["id"].as_u64().unwrap();
            let path = folder.join(format!("{id:08}.{file}.arrow"));
            let bytes = std::fs::read(&path).unwrap();
            let end = bytes.len() - 8;
            for round in 0..rounds {
                let within = |range: usize, random: &mut Random| (random.next() * range as f64) as usize;
                let at = match round % 4 {
                    0 => within(EDGE.min(end), &mut random),
                    1 | 2 => end - within(EDGE.min(end), &mut random),
                    _ => within(end, &mut random),
                };
                let number = (random.next() * f64::from(u32::MAX)) as u32;
                let other: Vec<u8> = match within(6, &mut random) {
                    0 => vec![0xFF; 8],
                    1 => vec![0; 8],
                    2 => i64::MAX.to_le_bytes().to_vec(),
                    3 => vec![0xFF; 4],
                    4 => number.to_le_bytes().to_vec(),
                    _ => vec![bytes[at] ^ 1 << (number % 8)],
                };
                let mut forged = original.clone();
                let resealed = reseal(&bytes, at, &other, &mut forged["segments"][0][member]);
                std::fs::write(&path, resealed).unwrap();
                std::fs::write(&manifest, sealed(&forged)).unwrap();
                let read = catch_unwind(AssertUnwindSafe(|| {
                    let layer = Store::open(store.folder()).unwrap().layer(&name).unwrap().unwrap();
                    answers(&layer.snapshot());
                    layer.snapshot().segments.iter().for_each(|segment| drop(segment.check_points()));
                    layer.snapshot().damaged().len()
                }));
                match read {
                    Ok(0) => intact += 1,
                    Ok(_) => damaged += 1,
                    Err(panic) => {
                        eprintln!("{other:?} at {at} of {}", path.display());
                        std::panic::resume_unwind(panic);
                    }
                }
            }
            std::fs::write(&path, bytes).unwrap();
        }
    }
    assert!(intact > 50 && damaged > 50, "{intact} {damaged}");
}
