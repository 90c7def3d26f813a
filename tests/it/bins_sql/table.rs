//! Bins as the tests compare them: those of a stored layer, and those in Parquet files of an engine.

use std::collections::HashMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kiln::geo::{Points, fixed};
use kiln::source::{Query, Sink, Source};
use kiln::store::Store;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// Column, row, start of the bucket in microseconds, and category.
pub(super) type Key = (u32, u32, Option<i64>, Option<String>);

/// The sums of a cell: points, the bits of the sum of weights, and the bits of the greatest weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) n: u64,
    pub(super) weight: u64,
    pub(super) max: u32,
}

pub(super) type Bins = HashMap<Key, Sums>;

/// What bins are compared by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grouping {
    pub(super) level: u8,
    pub(super) bucket: Option<fn(i64) -> i64>,
    pub(super) has_categories: bool,
}

/// The bins of a stored layer, from its points.
pub(super) fn of_layer(store: &Path, name: &str, grouping: Grouping) -> Bins {
    let snapshot = Store::open(store).unwrap().layer(name).unwrap().unwrap().snapshot();
    let mut bins: HashMap<Key, (u64, f64, f32)> = HashMap::new();
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let mut add = |points: Points<'_>| {
        x.clear();
        y.clear();
        // The positions of stored points are the centers of their units.
        fixed::to_fixed(points, &mut x, &mut y);
        for i in 0..points.len() {
            let cell = |unit: u32| unit >> (32 - grouping.level);
            let time = points.time_us().map(|times| times[i]).filter(|time| *time != Points::NO_TIME);
            let time = grouping.bucket.and_then(|bucket| time.map(bucket));
            let category = points.category().filter(|_| grouping.has_categories);
            let category = category.and_then(|categories| categories.name(i)).map(str::to_owned);
            let weight = points.weight().map_or(1.0, |weights| weights[i]);
            let sums = bins.entry((cell(x[i]), cell(y[i]), time, category)).or_insert((0, 0.0, f32::NEG_INFINITY));
            *sums = (sums.0 + 1, sums.1 + f64::from(weight), sums.2.max(weight));
        }
        ControlFlow::Continue(())
    };
    let query = Query::default().with_weights(true).with_times(true).with_categories(true);
    snapshot.scan(&query, &mut [&mut add as &mut Sink<'_>]).unwrap();
    let sums = |(n, weight, max): (u64, f64, f32)| Sums { n, weight: weight.to_bits(), max: max.to_bits() };
    bins.into_iter().map(|(key, bin)| (key, sums(bin))).collect()
}

/// The Parquet files of a folder, or the file itself.
pub(super) fn parquet_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = path.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

/// The bins that an engine wrote to a file or a folder. Two rows of one key are an error.
pub(super) fn of_files(path: &Path, level: u8) -> Bins {
    let integer = |field: &Field| match *field {
        Field::Byte(value) => i64::from(value),
        Field::Int(value) => i64::from(value),
        Field::Long(value) => value,
        Field::ULong(value) => value as i64,
        ref other => panic!("{other:?} is not an integer"),
    };
    let mut bins = Bins::new();
    for file in parquet_files(path) {
        let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let (mut cell, mut sums) = ([0; 2], Sums { n: 0, weight: 0, max: 0 });
            let (mut time, mut category) = (None, None);
            for (name, field) in row.get_column_iter() {
                match (name.as_str(), field) {
                    ("level", field) => assert_eq!(integer(field), i64::from(level)),
                    ("cell_x", field) => cell[0] = u32::try_from(integer(field)).unwrap(),
                    ("cell_y", field) => cell[1] = u32::try_from(integer(field)).unwrap(),
                    ("n", field) => sums.n = u64::try_from(integer(field)).unwrap(),
                    ("weight", Field::Double(value)) => sums.weight = value.to_bits(),
                    ("max_weight", Field::Float(value)) => sums.max = value.to_bits(),
                    ("time", Field::TimestampMicros(value)) => time = Some(*value),
                    ("category", Field::Str(text)) => category = Some(text.clone()),
                    ("category", Field::Bytes(bytes)) => {
                        category = Some(String::from_utf8(bytes.data().to_vec()).unwrap());
                    }
                    ("time" | "category", Field::Null) => {}
                    (name, field) => panic!("{name}: {field:?}"),
                }
            }
            let before = bins.insert((cell[0], cell[1], time, category), sums);
            assert!(before.is_none(), "two rows of {cell:?}");
        }
    }
    bins
}

/// Asserts that no cell differs.
pub(super) fn assert_same(context: &str, found: &Bins, expected: &Bins) {
    let differs = |(key, sums): &(&Key, &Sums)| found.get(*key) != Some(*sums);
    let differing: Vec<_> = expected.iter().filter(differs).collect();
    let examples: Vec<_> = differing.iter().take(3).map(|(key, sums)| (key, sums, found.get(*key))).collect();
    let many = found.keys().filter(|key| !expected.contains_key(key)).count();
    assert!(
        differing.is_empty() && many == 0,
        "{context}: of {} cells {} differ, such as {examples:?}; {many} are too many",
        expected.len(),
        differing.len()
    );
}
