//! The points of a segment: an Arrow IPC file in Z-order.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float32Array, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt32Array, UInt64Array,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::arrow_file::{ArrowFile, ArrowWriter, FileDigest};
use super::bins::BinColumns;
use super::numbers::{NumberType, Numbers};
use super::requests::{self, Request};
use super::rows::{Columns, Names, Rows};
use kiln_core::error::{Error, Result};
use kiln_core::geo::morton;
use kiln_core::geo::{Frame, Points};
use kiln_core::parameter::Parameter;

/// Rows per batch, except for the last one.
pub(super) const BATCH_ROWS: usize = 1 << 16;

/// Writes points in Z-order.
pub(super) struct PointsWriter {
    file: ArrowWriter,
    columns: Columns,
    names: Option<ArrayRef>,
    pending: Rows,
}

/// The description in the schema, for other readers of the file.
fn about(frame: Frame, level: Option<u32>) -> String {
    let coordinates = match frame {
        Frame::Mercator => "x and y are Web Mercator (EPSG:3857) in units of 2^-32 of the world's width: \
            lon = (x + 0.5) / 2^32 * 360 - 180, lat = degrees(atan(sinh(pi * (1 - 2 * (y + 0.5) / 2^32))))."
            .to_owned(),
        Frame::Plane(frame) => {
            let [west, south] = frame.origin();
            let north = south + i64::from(u32::MAX);
            format!(
                "x and y are units of 0.1 mm on a plane, from the western edge of a square to the east and from its \
                northern edge to the south: in meters to the east and to the north, x_m = (x + {west}) / 10000 and y_m \
                = ({north} - y) / 10000. The columns x_m and y_m are the exact positions in meters; without them, \
                every point is exactly at the position of its units."
            )
        }
    };
    match level {
        None => format!("Points in Z-order. {coordinates} Without the column weight every point weighs 1."),
        Some(level) => format!(
            "Bins in Z-order, each of n points in a cell of the 2^{level} x 2^{level} cells of the world, at its middle. \
             {coordinates} weight is the sum of their weights, and max the greatest, NaN if it is unknown. Without \
             these columns every point weighs 1."
        ),
    }
}

/// The columns of the exact positions on a plane.
const EXACT: [&str; 2] = ["x_m", "y_m"];

impl PointsWriter {
    pub(super) fn create(path: &Path, columns: Columns, requests: &[Request]) -> Result<Self> {
        let mut fields = vec![Field::new("x", DataType::UInt32, false), Field::new("y", DataType::UInt32, false)];
        if columns.exact {
            fields.extend(EXACT.map(|name| Field::new(name, DataType::Float64, false)));
        }
        if columns.level.is_some() {
            fields.push(Field::new("n", NumberType::of(columns.max_n).data_type(), false));
        }
        match (columns.weighted, columns.level) {
            (false, _) => {}
            (true, None) => fields.push(Field::new("weight", DataType::Float32, false)),
            (true, Some(_)) => {
                fields.push(Field::new("weight", DataType::Float64, false));
                fields.push(Field::new("max", DataType::Float32, false));
            }
        }
        if columns.timed {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            fields.push(Field::new("time", utc, true));
        }
        if columns.names.is_some() {
            let dictionary = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
            fields.push(Field::new("category", dictionary, true));
        }
        if columns.tracked {
            fields.push(Field::new("track", DataType::UInt64, true));
        }
        let names = columns.names.as_ref().map(|names| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(names.list.iter().map(|name| &**name)))
        });
        let mut about = HashMap::from([("kiln".to_owned(), about(columns.frame, columns.level))]);
        if !requests.is_empty() {
            about.insert(requests::METADATA.to_owned(), requests::to_text(requests));
        }
        let file = ArrowWriter::create(path, Schema::new(fields).with_metadata(about))?;
        Ok(Self { file, columns, names, pending: Rows::default() })
    }

    /// The columns that are written.
    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Writes the next points. Their category codes must be those of the writer's columns.
    pub(super) fn push(&mut self, rows: Rows) -> Result<()> {
        let mut rows = rows;
        if !self.pending.is_empty() {
            let mut pending = std::mem::take(&mut self.pending);
            pending.append_columns(&rows);
            rows = pending;
        }
        let full = rows.len() / BATCH_ROWS * BATCH_ROWS;
        for start in (0..full).step_by(BATCH_ROWS) {
            self.write(&rows, start..start + BATCH_ROWS)?;
        }
        self.pending = rows.tail(full);
        Ok(())
    }

    fn write(&mut self, rows: &Rows, range: Range<usize>) -> Result<()> {
        let count = range.len();
        let (mut x, mut y) = (vec![0; count], vec![0; count]);
        morton::decode_all(&rows.keys[range.clone()], &mut x, &mut y);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(x)), Arc::new(UInt32Array::from(y))];
        if self.columns.exact {
            columns.extend(
                rows.positions_of(range.clone()).map(|column| -> ArrayRef { Arc::new(Float64Array::from(column)) }),
            );
        }
        if self.columns.level.is_some() {
            columns.push(NumberType::of(self.columns.max_n).array(&rows.n[range.clone()])?);
        }
        if self.columns.weighted {
            if self.columns.level.is_some() {
                let ones = || rows.n[range.clone()].iter().map(|&n| n as f64).collect();
                let sum = rows.sum.get(range.clone()).map_or_else(ones, <[f64]>::to_vec);
                columns.push(Arc::new(Float64Array::from(sum)));
            }
            let weight = rows.weight.get(range.clone()).map_or_else(|| vec![1.0; count], <[f32]>::to_vec);
            columns.push(Arc::new(Float32Array::from(weight)));
        }
        if self.columns.timed {
            let time = rows.time_us.get(range.clone()).map_or_else(|| vec![Points::NO_TIME; count], <[i64]>::to_vec);
            let nulls = nulls(&time, Points::NO_TIME);
            columns.push(Arc::new(TimestampMicrosecondArray::new(time.into(), nulls).with_timezone("UTC")));
        }
        if let Some(names) = &self.names {
            let codes =
                rows.category.get(range.clone()).map_or_else(|| vec![Rows::NO_CATEGORY; count], <[u32]>::to_vec);
            let nulls = nulls(&codes, Rows::NO_CATEGORY);
            // Some readers require a valid dictionary key even for null values.
            let keys: Vec<u32> = codes.iter().map(|&code| if code == Rows::NO_CATEGORY { 0 } else { code }).collect();
            let codes = UInt32Array::new(keys.into(), nulls);
            let dictionary = DictionaryArray::<UInt32Type>::try_new(codes, Arc::clone(names));
            columns.push(Arc::new(dictionary.map_err(|error| Error::invalid(Parameter::CATEGORY, error.to_string()))?));
        }
        if self.columns.tracked {
            let track = rows.track.get(range).map_or_else(|| vec![Points::NO_TRACK; count], <[u64]>::to_vec);
            let nulls = nulls(&track, Points::NO_TRACK);
            columns.push(Arc::new(UInt64Array::new(track.into(), nulls)));
        }
        self.file.write(columns)
    }

    pub(super) fn finish(mut self, durable: bool) -> Result<FileDigest> {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.write(&pending, 0..pending.len())?;
        }
        self.file.finish(durable)
    }
}

/// The validity bitmap of values, of which `none` is null; `None` if no value is null.
fn nulls<T: PartialEq + Copy>(values: &[T], none: T) -> Option<NullBuffer> {
    values.contains(&none).then(|| values.iter().map(|value| *value != none).collect())
}

/// An open file of points.
#[derive(Debug)]
pub(super) struct PointsFile {
    file: ArrowFile,
    pub(super) frame: Frame,
    pub(super) batches: Vec<PointBatch>,
    pub(super) rows: u64,
    pub(super) names: Names,
}

/// A record batch of a file.
#[derive(Debug)]
pub(super) struct PointBatch {
    pub(super) first_row: u64,
    first_key: u64,
    pub(super) x: ScalarBuffer<u32>,
    pub(super) y: ScalarBuffer<u32>,
    frame: Frame,
    /// Exact positions on a plane in meters, if any differs from that of its units.
    exact: Option<[ScalarBuffer<f64>; 2]>,
    pub(super) weight: Option<ScalarBuffer<f32>>,
    /// The columns of rows that stand for many points each. The batch has no `weight` then.
    pub(super) bins: Option<BinBuffers>,
    /// Times in microseconds; [`Points::NO_TIME`] if a point has none.
    pub(super) time_us: Option<ScalarBuffer<i64>>,
    pub(super) category: Option<Codes>,
    /// Tracks; [`Points::NO_TRACK`] if a point has none.
    pub(super) track: Option<ScalarBuffer<u64>>,
}

/// The columns of rows that stand for many points each.
#[derive(Debug)]
pub(super) struct BinBuffers {
    /// The number of points of each row.
    pub(super) n: Numbers,
    /// Sums and maximums of the weights; `None` if every point weighs 1.
    pub(super) weights: Option<(ScalarBuffer<f64>, ScalarBuffer<f32>)>,
}

impl BinBuffers {
    fn read(batch: &RecordBatch) -> Option<Self> {
        let n = Numbers::read(batch.column_by_name("n")?)?;
        let weights = match (batch.column_by_name("weight"), batch.column_by_name("max")) {
            (Some(sum), Some(max)) => Some((
                sum.as_primitive_opt::<Float64Type>()?.values().clone(),
                max.as_primitive_opt::<Float32Type>()?.values().clone(),
            )),
            (None, None) => None,
            _ => return None,
        };
        Some(Self { n, weights })
    }

    /// Replaces the contents of `n`, `sum` and `max` by the columns of `rows`; without weights, `sum` and `max` are empty.
    pub(super) fn gather(
        &self,
        rows: impl Iterator<Item = usize> + Clone,
        n: &mut Vec<u64>,
        sum: &mut Vec<f64>,
        max: &mut Vec<f32>,
    ) {
        n.clear();
        sum.clear();
        max.clear();
        n.extend(rows.clone().map(|row| self.n.get(row)));
        if let Some((sums, maximums)) = &self.weights {
            sum.extend(rows.clone().map(|row| sums[row]));
            max.extend(rows.map(|row| maximums[row]));
        }
    }

    /// The columns of some rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> BinColumns<'_> {
        let weights = self.weights.as_ref();
        BinColumns {
            n: self.n.slice(rows.clone()),
            weights: weights.map(|(sum, max)| (&sum[rows.clone()], &max[rows])),
        }
    }
}

/// The category codes of points.
#[derive(Debug)]
pub(super) struct Codes {
    values: ScalarBuffer<u32>,
    /// Which points have a category; `None` if all have.
    nulls: Option<NullBuffer>,
}

impl Codes {
    /// The codes of all rows; `None` if a row has no category.
    pub(super) fn all(&self) -> Option<&[u32]> {
        self.nulls.is_none().then_some(&self.values)
    }

    /// The category code of a row; [`Rows::NO_CATEGORY`] if it has none.
    pub(super) fn at(&self, row: usize) -> u32 {
        if self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) { self.values[row] } else { Rows::NO_CATEGORY }
    }
}

impl PointBatch {
    fn read(file: &ArrowFile, batch: &RecordBatch, first_row: u64, frame: Frame) -> Option<Self> {
        let units = |name: &str| Some(batch.column_by_name(name)?.as_primitive_opt::<UInt32Type>()?.values().clone());
        let (x, y) = (units("x")?, units("y")?);
        let [x_m, y_m] = EXACT.map(|name| batch.column_by_name(name));
        let exact = match (x_m, y_m) {
            (Some(x_m), Some(y_m)) => {
                let values = |column: &ArrayRef| Some(column.as_primitive_opt::<Float64Type>()?.values().clone());
                Some([values(x_m)?, values(y_m)?])
            }
            _ => None,
        };
        let bins = match batch.column_by_name("n") {
            Some(_) => Some(BinBuffers::read(batch)?),
            None => None,
        };
        let weight = match batch.column_by_name("weight").filter(|_| bins.is_none()) {
            Some(column) => Some(column.as_primitive_opt::<Float32Type>()?.values().clone()),
            None => None,
        };
        let time_us = match batch.column_by_name("time") {
            Some(column) => Some(column.as_primitive_opt::<TimestampMicrosecondType>()?.values().clone()),
            None => None,
        };
        let category = match batch.column_by_name("category") {
            Some(column) => {
                let codes = column.as_dictionary_opt::<UInt32Type>()?.keys();
                Some(Codes { values: codes.values().clone(), nulls: codes.nulls().cloned() })
            }
            None => None,
        };
        let track = match batch.column_by_name("track") {
            Some(column) => Some(column.as_primitive_opt::<UInt64Type>()?.values().clone()),
            None => None,
        };
        if !file.has_intact(x.get(..1)?) || !file.has_intact(y.get(..1)?) {
            return None;
        }
        let first_key = morton::key(*x.first()?, *y.first()?);
        Some(Self { first_row, first_key, x, y, frame, exact, weight, bins, time_us, category, track })
    }

    pub(super) fn len(&self) -> usize {
        self.x.len()
    }

    /// The position of a row: degrees of longitude and latitude, or meters on a plane.
    #[inline]
    pub(super) fn position(&self, row: usize) -> (f64, f64) {
        match &self.exact {
            Some([x, y]) => (x[row], y[row]),
            None => self.frame.position(self.x[row], self.y[row]),
        }
    }

    /// The exact positions of some rows on a plane; `None` if every point is exactly at the position of its units.
    pub(super) fn exact(&self, rows: Range<usize>) -> Option<[&[f64]; 2]> {
        self.exact.as_ref().map(|[x, y]| [&x[rows.clone()], &y[rows]])
    }

    /// Replaces the contents of `x` and `y` by the positions of `rows`.
    pub(super) fn positions(&self, rows: impl Iterator<Item = usize>, x: &mut Vec<f64>, y: &mut Vec<f64>) {
        x.clear();
        y.clear();
        for (x_at, y_at) in rows.map(|row| self.position(row)) {
            x.push(x_at);
            y.push(y_at);
        }
    }

    fn key(&self, row: usize) -> u64 {
        morton::key(self.x[row], self.y[row])
    }

    /// The first of `rows` whose key is at least `key`; their end if there is none.
    fn first_at(&self, key: u64, rows: Range<usize>) -> usize {
        let (mut low, mut high) = (rows.start, rows.end);
        while low < high {
            let mid = low.midpoint(high);
            if self.key(mid) < key {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        low
    }
}

impl PointsFile {
    pub(super) fn open(path: &Path, digest: FileDigest, frame: Frame) -> Result<Self> {
        let file = ArrowFile::open(path, digest)?;
        let damaged =
            || Error::input(path, "it is damaged: the columns or their checksums are not those of a file of points");
        let (mut batches, mut rows) = (Vec::with_capacity(file.batches.len()), 0);
        for (index, batch) in file.batches.iter().enumerate() {
            batches.push(PointBatch::read(&file, batch, rows, frame).ok_or_else(damaged)?);
            rows += batch.num_rows() as u64;
            // The first row is verified with all of its block.
            file.release_batch(index);
        }
        let are_full = batches.split_last().is_none_or(|(_, full)| full.iter().all(|batch| batch.len() == BATCH_ROWS));
        if !are_full || batches.iter().any(|batch| batch.len() > BATCH_ROWS) {
            return Err(damaged());
        }
        let names = file.batches.first().and_then(|batch| batch.column_by_name("category"));
        let names = names.and_then(|column| column.as_dictionary_opt::<UInt32Type>()).map(|dictionary| {
            let values = dictionary.values().as_string_opt::<i32>();
            values.into_iter().flatten().map(|name| name.unwrap_or_default().into()).collect()
        });
        file.release_all();
        Ok(Self { file, frame, batches, rows, names: names.unwrap_or_default() })
    }

    /// Whether there are exact positions. Otherwise every point on a plane is exactly at the position of its units.
    pub(super) fn has_exact_positions(&self) -> bool {
        self.batches.first().is_some_and(|batch| batch.exact.is_some())
    }

    pub(super) fn is_weighted(&self) -> bool {
        let has_weights = |batch: &PointBatch| match &batch.bins {
            Some(bins) => bins.weights.is_some(),
            None => batch.weight.is_some(),
        };
        self.batches.first().is_some_and(has_weights)
    }

    /// Whether rows stand for many points each.
    pub(super) fn has_bins(&self) -> bool {
        self.batches.first().is_some_and(|batch| batch.bins.is_some())
    }

    pub(super) fn is_timed(&self) -> bool {
        self.batches.first().is_some_and(|batch| batch.time_us.is_some())
    }

    pub(super) fn is_tracked(&self) -> bool {
        self.batches.first().is_some_and(|batch| batch.track.is_some())
    }

    pub(super) fn has_categories(&self) -> bool {
        self.batches.first().is_some_and(|batch| batch.category.is_some())
    }

    /// The ingest requests of the points.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.file.schema.metadata().get(requests::METADATA).map(|text| requests::from_text(text)).unwrap_or_default()
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn verify(&self, digest: FileDigest) -> Result<()> {
        self.file.verify(digest)
    }

    /// See [`ArrowFile::before_read`].
    pub(super) fn before_read(&self) {
        self.file.before_read();
    }

    /// See [`ArrowFile::damage`].
    pub(super) fn damage(&self) -> Option<Error> {
        self.file.damage()
    }

    /// The first of `rows` whose key is at least `key`; their end if there is none.
    pub(super) fn first_at(&self, key: u64, rows: Range<u64>) -> u64 {
        if rows.is_empty() {
            return rows.end;
        }
        let (first, last) = ((rows.start as usize) / BATCH_ROWS, (rows.end as usize - 1) / BATCH_ROWS);
        // The last batch that starts below the key contains the row, or ends immediately before it.
        let within = self.batches[first..=last].partition_point(|batch| batch.first_key < key);
        if within == 0 {
            return rows.start;
        }
        let index = first + within - 1;
        if !self.file.is_intact(index) {
            return rows.end;
        }
        let batch = &self.batches[index];
        let local = |row: u64| (row.max(batch.first_row) - batch.first_row).min(batch.len() as u64) as usize;
        batch.first_row + batch.first_at(key, local(rows.start)..local(rows.end)) as u64
    }

    /// The batches that contain `rows`, with the range of these rows in each batch. Damaged batches are skipped; the file
    /// is then [damaged](Self::damage).
    pub(super) fn batch_ranges(&self, rows: Range<u64>) -> impl Iterator<Item = (&PointBatch, Range<usize>)> {
        // Rows of a number that another file has may be beyond the end.
        let end = (rows.end as usize).div_ceil(BATCH_ROWS).min(self.batches.len());
        let batches = if rows.is_empty() { 0..0 } else { (rows.start as usize) / BATCH_ROWS..end };
        batches.filter(|&index| self.file.is_intact(index)).map(move |index| {
            let batch = &self.batches[index];
            let local = |row: u64| (row.max(batch.first_row) - batch.first_row).min(batch.len() as u64) as usize;
            (batch, local(rows.start)..local(rows.end))
        })
    }

    /// The keys of the first rows of the batches.
    pub(super) fn first_keys(&self) -> impl Iterator<Item = u64> {
        self.batches.iter().map(|batch| batch.first_key)
    }

    /// Releases the pages of all rows from memory.
    pub(super) fn release_all(&self) {
        self.file.release_all();
    }

    /// Releases the pages of all batches with some of `rows` from memory, also if they have rows of another range: of
    /// threads that read consecutive ranges at once, the last one in a batch releases what the others have mapped again.
    pub(super) fn release(&self, rows: Range<u64>) {
        let end = (rows.end as usize).div_ceil(BATCH_ROWS).min(self.batches.len());
        (rows.start as usize / BATCH_ROWS..end).for_each(|batch| self.file.release_batch(batch));
    }

    /// A copy of some rows, which are of `level` if they are bins.
    pub(super) fn rows(&self, range: Range<u64>, level: Option<u32>) -> Rows {
        let mut rows = Rows { frame: self.frame, level, names: self.names.clone(), ..Rows::default() };
        for (batch, range) in self.batch_ranges(range) {
            let before = rows.keys.len();
            rows.keys.resize(before + range.len(), 0);
            morton::keys(&batch.x[range.clone()], &batch.y[range.clone()], &mut rows.keys[before..]);
            for (column, exact) in rows.exact.iter_mut().zip(batch.exact.iter().flatten()) {
                column.extend_from_slice(&exact[range.clone()]);
            }
            rows.weight.extend(batch.weight.iter().flat_map(|weight| &weight[range.clone()]));
            if let Some(bins) = batch.bins.as_ref().map(|bins| bins.slice(range.clone())) {
                bins.n.append_to(&mut rows.n);
                if let Some((sum, max)) = bins.weights {
                    rows.sum.extend_from_slice(sum);
                    rows.weight.extend_from_slice(max);
                }
            }
            rows.time_us.extend(batch.time_us.iter().flat_map(|time| &time[range.clone()]));
            rows.category.extend(batch.category.iter().flat_map(|codes| range.clone().map(|row| codes.at(row))));
            rows.track.extend(batch.track.iter().flat_map(|track| &track[range.clone()]));
        }
        rows
    }
}
