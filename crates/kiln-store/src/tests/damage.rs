//! Damage never changes an answer in silence: bits of each file of a layer are flipped, and files are cut.
#![allow(clippy::panic, reason = "tests")]

use std::collections::HashMap;

use super::*;
use crate::manifest::Manifest;
use kiln_core::source::{PointSet, Query};

/// The bits of the values of a grid.
type Bits = Option<Vec<u32>>;

/// The answers of a layer: cells of tiles, statistics, and all points with their columns, in the order of the segments.
#[derive(Clone, Debug, PartialEq)]
struct Answers {
    cells: Vec<[Bits; 2]>,
    statistics: String,
    points: Vec<(u64, u64, u32, i64, String)>,
}

impl Answers {
    fn of(snapshot: &Snapshot) -> Result<Self, Error> {
        let bits =
            |grid: &Option<Grid<f32>>| grid.as_ref().map(|grid| grid.cells().iter().map(|v| v.to_bits()).collect());
        let mut cells = Vec::new();
        for (z, x, y) in [(0, 0, 0), (5, 17, 9), (9, 281, 150), (12, 2046, 1362)] {
            let canvas = Canvas::tile(TileCoord::new(z, x, y).unwrap(), 64).unwrap();
            for query in [Query::default().with_weights(true), Query::default().with_end(Some(500_000_000))] {
                let (summed, _) = snapshot.cells(&query, &canvas, Reduction::CountAndSum, 3.0, 1)?;
                cells.push([bits(&summed.counts), bits(&summed.sums)]);
            }
        }
        let categories = PointSet::categories(snapshot, None)?;
        let statistics = format!("{:?} {:?} {:?}", snapshot.summary(), categories, snapshot.extent());
        let mut points = Vec::new();
        let mut sink = |batch: Points<'_>| {
            for i in 0..batch.len() {
                let category = batch.category().map(|category| category.name(i).unwrap_or("-").to_owned());
                points.push((
                    batch.lon()[i].to_bits(),
                    batch.lat()[i].to_bits(),
                    batch.weight().map_or(0, |weight| weight[i].to_bits()),
                    batch.time_us().map_or(0, |time| time[i]),
                    category.unwrap_or_default(),
                ));
            }
            ControlFlow::Continue(())
        };
        let query = Query::default().with_weights(true).with_times(true).with_categories(true);
        snapshot.scan(&query, &mut [&mut sink as &mut Sink<'_>])?;
        Ok(Self { cells, statistics, points })
    }
}

/// The answers of a layer whose damaged segments are left out, by the numbers of these segments.
type Expected = HashMap<Vec<u64>, Answers>;

/// How a layer with a damaged file behaved.
#[derive(Debug, PartialEq, Eq, Hash, Clone, Copy)]
enum Outcome {
    Unchanged,
    /// The layer could not be opened.
    Rejected,
    /// The damage was reported when the layer was opened.
    ReportedAtOpening,
    /// The damage was reported by a read.
    ReportedByRead,
}

fn outcome(store: &Store, expected: &Expected, rooms: &serde_json::Value) -> Outcome {
    let opened = Store::open(store.folder()).unwrap();
    let layer = match opened.layer("points") {
        Ok(Some(layer)) => layer,
        Ok(None) => panic!("the layer is missing"),
        Err(error) => {
            assert!(error.to_string().contains("manifest.json: "), "{error}");
            return Outcome::Rejected;
        }
    };
    let ids = |snapshot: &Snapshot| {
        let mut ids: Vec<u64> = snapshot.damaged().iter().map(|damage| damage.segment).collect();
        ids.sort_unstable();
        ids
    };
    let before = layer.snapshot();
    let result = Answers::of(&before);
    let after = layer.snapshot();
    let reported_by_read = match result {
        Ok(answers) => {
            assert!(answers == expected[&ids(&before)], "another answer in silence");
            assert_eq!(ids(&before), ids(&after));
            false
        }
        Err(Error::Damaged { .. }) => {
            assert!(ids(&after).len() > ids(&before).len());
            assert_ne!(before.version(), after.version());
            let answers = Answers::of(&after).unwrap();
            assert!(answers == expected[&ids(&after)], "another answer after the damage was reported");
            true
        }
        Err(error) => panic!("{error}"),
    };
    let read_rooms = opened.rooms("points").ok().map(|text| text.unwrap());
    let read_rooms = read_rooms.map(|text| serde_json::from_str::<serde_json::Value>(&text));
    match read_rooms {
        Some(Ok(read)) => assert_eq!(read, *rooms),
        _ => return Outcome::Rejected,
    }
    match (reported_by_read, before.damaged().is_empty()) {
        (true, _) => Outcome::ReportedByRead,
        (_, false) => Outcome::ReportedAtOpening,
        _ => Outcome::Unchanged,
    }
}

/// A layer of two large segments with bins, which are verified when they are read, and a small one.
fn damaged_layer() -> (tempfile::TempDir, Store, Expected, serde_json::Value) {
    let (home, store) = store();
    let layer = layer_of(&store, &some_points(150_000, 11), 2);
    layer.append(batch(&some_points(500, 12)), None).unwrap();
    let rooms = serde_json::json!({"type": "FeatureCollection", "features": [{"name": "hall"}]});
    store.set_rooms("points", &rooms.to_string()).unwrap();
    let sizes: Vec<u64> = layer.snapshot().segments.iter().map(|segment| segment.bytes()).collect();
    assert!(sizes.iter().filter(|bytes| **bytes > 1 << 20).count() == 2, "{sizes:?}");
    let whole = layer.snapshot();
    let mut expected = HashMap::from([(Vec::new(), Answers::of(&whole).unwrap())]);
    for segment in &whole.segments {
        let error = Error::damaged("file", "test");
        let damage = crate::damage::Damage::new(&segment.entry, &error);
        let partial = whole.without(damage);
        expected.insert(vec![segment.entry.id], Answers::of(&partial).unwrap());
    }
    (home, store, expected, rooms)
}

/// Flips `count` bits, one at a time, and returns the outcomes.
fn flips(
    store: &Store,
    expected: &Expected,
    rooms: &serde_json::Value,
    count: u64,
    seed: u64,
) -> HashMap<Outcome, u32> {
    const EDGE: usize = 4096;
    let folder = store.folder().join("points");
    // The lock file is empty.
    let has_bytes = |name: &String| std::fs::metadata(folder.join(name)).unwrap().len() > 0;
    let files: Vec<String> = entries(&folder).into_iter().filter(has_bytes).collect();
    assert!(files.iter().any(|name| name.ends_with("bins.arrow")) && files.len() >= 7, "{files:?}");
    let mut random = Random(seed);
    let mut outcomes = HashMap::new();
    for _ in 0..count {
        let name = &files[(random.next() * files.len() as f64) as usize];
        let path = folder.join(name);
        let original = std::fs::read(&path).unwrap();
        let within = |range: usize, random: &mut Random| (random.next() * range as f64) as usize;
        let at = match (random.next() * 4.0) as u32 {
            0 => within(original.len().min(EDGE), &mut random),
            1 => original.len() - 1 - within(original.len().min(EDGE), &mut random),
            _ => within(original.len(), &mut random),
        };
        let bit = within(8, &mut random);
        let mut flipped = original.clone();
        flipped[at] ^= 1 << bit;
        std::fs::write(&path, flipped).unwrap();
        let result = std::panic::catch_unwind(|| outcome(store, expected, rooms));
        std::fs::write(&path, original).unwrap();
        match result {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(panic) => {
                eprintln!("bit {bit} of byte {at} of {name}, seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    outcomes
}

/// The number of flipped bits; `KILN_FLIPS=1000` for more.
fn flip_count() -> u64 {
    std::env::var("KILN_FLIPS").ok().and_then(|count| count.parse().ok()).unwrap_or(300)
}

#[test]
fn no_flipped_bit_changes_an_answer_in_silence() {
    let (_home, store, expected, rooms) = damaged_layer();
    let outcomes = flips(&store, &expected, &rooms, flip_count(), 21);
    eprintln!("{outcomes:?}");
    // Each way to report damage is covered.
    for outcome in [Outcome::Rejected, Outcome::ReportedAtOpening, Outcome::ReportedByRead] {
        assert!(outcomes.get(&outcome).is_some_and(|count| *count > 5), "{outcomes:?}");
    }
}

/// Removes the checksums of chunks from the manifest, as if an earlier version had written it.
fn without_chunk_checksums(store: &Store) {
    let folder = store.folder().join("points");
    let mut manifest = Manifest::read(&folder).unwrap().unwrap();
    for entry in &mut manifest.segments {
        entry.points.tail = None;
        if let Some(bins) = &mut entry.bins {
            bins.tail = None;
        }
    }
    manifest.write(&folder).unwrap();
    assert!(!std::fs::read_to_string(folder.join("manifest.json")).unwrap().contains("tail"));
}

#[test]
fn no_flipped_bit_of_a_store_of_an_earlier_version_changes_an_answer_in_silence() {
    let (_home, store, expected, rooms) = damaged_layer();
    without_chunk_checksums(&store);
    let outcomes = flips(&store, &expected, &rooms, flip_count() / 3, 22);
    assert!(outcomes.get(&Outcome::ReportedByRead).is_some_and(|count| *count > 5), "{outcomes:?}");
}

#[test]
fn cut_and_missing_files_are_reported() {
    let (_home, store, expected, rooms) = damaged_layer();
    let folder = store.folder().join("points");
    for name in entries(&folder).into_iter().filter(|name| name.contains(".arrow")) {
        let path = folder.join(&name);
        let original = std::fs::read(&path).unwrap();
        for length in [0, 1, 10, original.len() / 2, original.len() - 4096.min(original.len()), original.len() - 1] {
            std::fs::write(&path, &original[..length]).unwrap();
            assert_eq!(outcome(&store, &expected, &rooms), Outcome::ReportedAtOpening, "{name} {length}");
        }
        std::fs::write(&path, [&original[..], b"more"].concat()).unwrap();
        assert_eq!(outcome(&store, &expected, &rooms), Outcome::ReportedAtOpening, "{name} with more");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(outcome(&store, &expected, &rooms), Outcome::ReportedAtOpening, "{name} removed");
        std::fs::write(&path, &original).unwrap();
        assert_eq!(outcome(&store, &expected, &rooms), Outcome::Unchanged);
    }
}

#[test]
fn damage_found_by_a_read_is_reported_once_and_then_left_out() {
    let (_home, store, expected, _) = damaged_layer();
    let path = store.folder().join("points/00000002.points.arrow");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let layer = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap();
    let before = layer.snapshot();
    assert!(before.damaged().is_empty(), "the segment is verified when it is read");
    let error = Answers::of(&before).unwrap_err().to_string();
    assert!(error.ends_with("00000002.points.arrow: it is damaged: the checksum does not match"), "{error}");
    // The snapshot that the read used never returns a wrong answer, even without the layer.
    assert!(Answers::of(&before).is_err());
    let after = layer.snapshot();
    let [damage] = after.damaged() else { panic!("{:?}", after.damaged()) };
    assert_eq!(damage.points, 75_000);
    assert_eq!(damage.public_reason, "00000002.points.arrow: it is damaged: the checksum does not match");
    assert_eq!(Answers::of(&after).unwrap(), expected[&vec![2]]);
    // A later write keeps it out.
    layer.append(batch(&some_points(10, 3)), None).unwrap();
    assert_eq!(layer.snapshot().damaged(), std::slice::from_ref(damage));
}

#[test]
fn damage_that_appears_after_a_file_was_read_is_found_by_the_next_verification() {
    let (_home, store, expected, _) = damaged_layer();
    let layer = Store::open(store.folder()).unwrap().layer("points").unwrap().unwrap();
    let intact = layer.snapshot();
    assert!(Answers::of(&intact).unwrap() == expected[&Vec::new()]);
    assert_eq!(layer.verify(), []);
    assert!(Arc::ptr_eq(&intact, &layer.snapshot()));
    // The mapped file changes in place.
    let path = store.folder().join("points/00000002.points.arrow");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, &bytes[middle..=middle], middle as u64).unwrap();
    // Reads verify a block once.
    assert!(Answers::of(&layer.snapshot()).is_ok() && layer.snapshot().damaged().is_empty());
    let [damage] = &layer.verify()[..] else { panic!("the damage is not found") };
    assert_eq!(
        (damage.points, &*damage.public_reason),
        (75_000, "00000002.points.arrow: it is damaged: the checksum does not match")
    );
    let after = layer.snapshot();
    assert_ne!(after.version(), intact.version());
    assert!(Answers::of(&after).unwrap() == expected[&vec![2]]);
    assert_eq!(layer.verify(), after.damaged());
}

#[test]
fn a_damaged_manifest_names_the_repair_and_a_running_reader_keeps_its_snapshot() {
    let (_home, store) = store();
    let layer = layer_of(&store, &some_points(300, 1), 1);
    let path = layer.folder().join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"rows\":300", "\"rows\":301", 1)).unwrap();
    let error = Store::open(store.folder()).unwrap().layer("points").unwrap_err();
    assert!(matches!(error, Error::DamagedManifest { .. }), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("manifest.json: it is damaged: the checksum does not match; restore "), "{error}");
    assert!(error.contains("`kiln drop points --yes`"), "{error}");
    assert!(matches!(layer.refresh(), Err(Error::DamagedManifest { .. })));
    assert_eq!(layer.refresh().unwrap().points(), 300, "the damaged manifest is read once");
    let failed = layer.append(batch(&some_points(10, 3)), None).unwrap_err();
    assert!(matches!(failed, Error::DamagedManifest { .. }), "{failed:?}");
    std::fs::write(&path, text).unwrap();
    layer.append(batch(&some_points(10, 3)), None).unwrap();
    assert_eq!(layer.refresh().unwrap().points(), 310);
}
