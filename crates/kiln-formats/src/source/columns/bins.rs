//! Tables of bins: rows that stand for many points in a cell of the world.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::categories::CategoryColumn;
use super::column_sink::ColumnSink;
use super::find::{Finder, FoundCoordinates};
use super::plan::Plan;
use super::values::{INVALID_TIME, decoded, is_blank, is_text, numbers, shown_value, value_text};
use super::{quadbin, scan_parts};
use crate::source::batch::RowFields;
use crate::source::role::{position, quoted};
use crate::source::row_sink::RowSink;
use crate::source::table::{RequestedColumn, Table, ValueType};
use crate::source::{Columns, CoordinateSpace, Query, ReadOptions, ScanReport, Sink};
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Categories, Frame, PointBins, Points};
use kiln_core::message;
use kiln_core::parameter::Parameter;

/// The columns of a table of bins.
pub(super) struct BinTable {
    cells: CellColumns,
    n: RequestedColumn,
    weight: Option<RequestedColumn>,
    max: Option<RequestedColumn>,
}

/// The columns of the cells.
enum CellColumns {
    Lattice { level: RequestedColumn, x: RequestedColumn, y: RequestedColumn },
    Quadbin(RequestedColumn),
}

impl BinTable {
    /// The index in the schema of the column of the weights.
    pub(super) fn weight_index(&self) -> Option<usize> {
        self.weight.as_ref()?.index
    }

    /// The columns of `table`, if it has those of bins: `level`, `cell_x`, `cell_y` and `n`, or `quadbin` and `n` without
    /// coordinates. A table whose coordinates `query` names is one of points.
    ///
    /// # Errors
    /// [`Error::Input`] if a column is missing.
    pub(super) fn find(table: &dyn Table, query: &Query<'_>) -> Result<Option<Self>> {
        let Columns { lon, lat, geometry, weight, .. } = &query.columns.names;
        if lon.is_some() || lat.is_some() || geometry.is_some() || table.is_positional() {
            return Ok(None);
        }
        let fields = table.schema().fields();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        // Of names that differ in case alone, none is meant.
        let find = |name: &str, value_type: ValueType| -> Option<RequestedColumn> {
            let index = position(name, &names).ok()??;
            Some(RequestedColumn { index: Some(index), name: names[index].to_owned(), value_type })
        };
        let number = |name: &str| find(name, ValueType::Number);
        // As text, of which numbers of more than 53 bits are read without a loss.
        let integer = |name: &str| find(name, ValueType::Text);
        let (x, y, n) = (integer("cell_x"), integer("cell_y"), integer("n"));
        let has_coordinates = || {
            let found = Finder::new(table, query).coordinates_for(query);
            matches!(found, Ok(FoundCoordinates::Columns { .. } | FoundCoordinates::Geometry(_)))
        };
        let cells = match (x, y, &n) {
            (Some(x), Some(y), n) => match (integer("level"), n) {
                (Some(level), Some(_)) => Some(CellColumns::Lattice { level, x, y }),
                // Such columns of points mean something else.
                _ if has_coordinates() => None,
                (level, _) => {
                    let missing = if level.is_none() { "level" } else { "n" };
                    let text = format!("bins have the columns level, cell_x, cell_y and n; it has no {missing}");
                    return Err(Error::input(table.name(), text));
                }
            },
            (_, _, Some(_)) if !has_coordinates() => integer("quadbin").map(CellColumns::Quadbin),
            _ => None,
        };
        let (Some(cells), Some(n)) = (cells, n) else { return Ok(None) };
        let weight = match weight.as_deref() {
            Some(Columns::NO_COLUMN) => None,
            // That of a layer may have another name.
            Some(name) => match number(name) {
                None => Some(number("weight").ok_or_else(|| {
                    let missing = match name {
                        "weight" => "the bins have no column weight, the sum of the weights".to_owned(),
                        _ => format!("the bins have no column {}, nor weight, the sum of the weights", quoted(name)),
                    };
                    let rest = " to none, so that every point of them weighs 1";
                    Error::input(table.name(), message!(missing, "; add it, or set ", Parameter::WEIGHT, rest))
                })?),
                weight => weight,
            },
            None => number("weight"),
        };
        let max = number("max_weight").filter(|_| weight.is_some() || query.columns.names.weight.is_none());
        if let (None, Some(max)) = (&weight, &max) {
            let text = format!("the column {} needs the column weight, the sum of the weights", quoted(&max.name));
            return Err(Error::input(table.name(), text));
        }
        Ok(Some(Self { cells, n, weight, max }))
    }

    /// The plan that finds the times and categories of the bins of `table`.
    ///
    /// # Errors
    /// As [`Plan::of`].
    pub(super) fn plan(table: &dyn Table, options: &ReadOptions, query: &Query<'_>) -> Result<Plan> {
        let mut other = query.clone().with_weights(false).with_tracks(false).with_positions(false).with_near(None);
        other = other.with_polygon(None);
        other.columns.names = Columns {
            time: query.columns.names.time.clone(),
            category: query.columns.names.category.clone(),
            ..Columns::default()
        };
        Plan::of(table, options, &other)
    }

    /// Reads the bins of a table.
    ///
    /// # Errors
    /// [`Error::Input`] if the query needs single points, or if a row is invalid, with the number of the first one.
    pub(super) fn scan(
        &self,
        table: &dyn Table,
        options: &ReadOptions,
        query: &Query<'_>,
        sinks: &mut [&mut Sink<'_>],
    ) -> Result<ScanReport> {
        let input = |message: String| Error::input(table.name(), message);
        if !query.columns.bins {
            let text = "its rows are bins, each of several points, but this needs single points; import the bins into a \
                        layer with `kiln import`, and use the layer";
            return Err(input(text.to_owned()));
        }
        if query.columns.space == CoordinateSpace::Plane {
            return Err(input("its rows are bins, which are on the globe and not on a plane".to_owned()));
        }
        let plan = Self::plan(table, options, query)?;
        let mut request = plan.request(query, sinks.len());
        let mut add = |column: &RequestedColumn| {
            request.columns.push(column.clone());
            request.columns.len() - 1
        };
        let cells = match &self.cells {
            CellColumns::Lattice { level, x, y } => CellIndexes::Lattice { level: add(level), x: add(x), y: add(y) },
            CellColumns::Quadbin(quadbin) => CellIndexes::Quadbin(add(quadbin)),
        };
        let (n, weight) = (add(&self.n), self.weight.as_ref().map(&mut add));
        let max = self.max.as_ref().map(&mut add);
        let names = request.columns.iter().map(|column| column.name.clone()).collect();
        let bins = BinPlan { plan: &plan, cells, n, weight, max, names, level: OnceLock::new() };
        let scan = table.scan(&request)?;
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(scan.bytes());
        }
        let fields = RowFields { weight: weight.is_some(), ..plan.row_fields() };
        let mut report = scan_parts(table.name(), scan.parts(), query, fields, sinks, |part, row_sink| {
            let mut adapter = BinAdapter { bins: &bins, categories: CategoryColumn::default() };
            let convert = |batch: &RecordBatch, row_sink: &mut RowSink<'_, '_>| adapter.push_rows(batch, row_sink);
            scan.read_part(part, &mut ColumnSink { row_sink, convert })
        })?;
        if report.rejected > 0 {
            let first = report.rejections.first();
            let first = first
                .map_or_else(String::new, |first| format!("{} {}: {}; ", table.nouns().row, first.row, first.reason));
            let (invalid, all) = (report.rejected, report.read);
            let (are, bins) = if invalid == 1 { ("is", "bin") } else { ("are", "bins") };
            let bins = if all == 1 { bins } else { "bins" };
            return Err(input(format!("{first}{invalid} of {all} {bins} {are} invalid, so none was added")));
        }
        plan.check(&report)?;
        report.notices = plan.notices();
        report.weight = self.weight.as_ref().map(|weight| weight.name.clone());
        Ok(report)
    }
}

/// The indexes of the columns of the cells in a batch.
enum CellIndexes {
    Lattice { level: usize, x: usize, y: usize },
    Quadbin(usize),
}

/// The columns of a scan of bins.
struct BinPlan<'p> {
    plan: &'p Plan,
    cells: CellIndexes,
    n: usize,
    weight: Option<usize>,
    max: Option<usize>,
    /// The names of the columns of a batch.
    names: Vec<String>,
    /// The level of the first row, which all rows must have.
    level: OnceLock<u32>,
}

/// Converts the batches of one part to points.
struct BinAdapter<'a> {
    bins: &'a BinPlan<'a>,
    categories: CategoryColumn,
}

/// A column of numbers in a batch.
struct NumberColumn<'b> {
    array: &'b ArrayRef,
    name: &'b str,
    values: Cow<'b, [f64]>,
}

/// A column of whole numbers in a batch.
struct IntegerColumn<'b> {
    array: &'b ArrayRef,
    name: &'b str,
    values: Vec<Option<u64>>,
}

impl IntegerColumn<'_> {
    /// A whole number from `min` to `max`.
    fn whole(&self, row: usize, [min, max]: [u64; 2]) -> Result<u64, String> {
        let value = self.values[row].filter(|value| (min..=max).contains(value));
        value.ok_or_else(|| describe(self.array, self.name, row, &format!("a whole number from {min} to {max}")))
    }
}

impl NumberColumn<'_> {
    /// Describes why the value of a row is invalid.
    fn invalid(&self, row: usize, expected: &str) -> String {
        describe(self.array, self.name, row, expected)
    }

    /// A finite number whose absolute value is at most `max`.
    fn finite(&self, row: usize, max: f64) -> Result<f64, String> {
        let value = self.values[row];
        if value.abs() <= max { Ok(value) } else { Err(self.invalid(row, "a finite number in the range of weights")) }
    }
}

impl NumberColumn<'_> {
    /// The greatest weight of a row with a mean weight; NaN if it is null, because it is unknown.
    fn greatest(&self, row: usize, mean: f64) -> Result<f32, String> {
        /// The relative difference of the mean of equal weights from them: they are rounded to 24 bits.
        const TOLERANCE: f64 = 1e-6;
        if is_blank(self.array, row) {
            return Ok(f32::NAN);
        }
        let max = self.finite(row, f64::from(Points::MAX_WEIGHT))?;
        if max < mean - TOLERANCE * mean.abs() {
            return Err(self.invalid(row, &format!("the greatest of weights whose mean is {mean}")));
        }
        Ok(max as f32)
    }
}

fn describe(array: &ArrayRef, name: &str, row: usize, expected: &str) -> String {
    if is_blank(array, row) {
        return format!("{name} is empty, not {expected}");
    }
    let text = value_text(array, row);
    // Readers of text keep numbers as text.
    let shown = if text.trim().parse::<f64>().is_ok() { text } else { shown_value(array, row) };
    let shown = shown.trim();
    let shown = shown.strip_suffix(".0").unwrap_or(shown);
    format!("{name}: {shown} is not {expected}")
}

/// The converted rows of a batch.
#[derive(Default)]
struct Rows {
    lon: Vec<f64>,
    lat: Vec<f64>,
    n: Vec<u64>,
    sum: Vec<f64>,
    max: Vec<f32>,
}

impl BinPlan<'_> {
    fn numbers<'b>(&'b self, batch: &'b RecordBatch, column: usize) -> NumberColumn<'b> {
        let array = batch.column(column);
        NumberColumn { array, name: &self.names[column], values: numbers(array, |text| self.plan.number(text)) }
    }

    fn integers<'b>(&'b self, batch: &'b RecordBatch, column: usize) -> IntegerColumn<'b> {
        let array = batch.column(column);
        IntegerColumn { array, name: &self.names[column], values: integers(array) }
    }

    /// Checks a cell, and returns its middle in units.
    fn middle(&self, level: u32, x: u32, y: u32) -> Result<(u32, u32), String> {
        let known = *self.level.get_or_init(|| level);
        if known != level {
            return Err(format!("its level is {level}, that of other rows {known}; a layer has bins of one level"));
        }
        let Some(half_bits) = PointBins::MAX_LEVEL.checked_sub(level + 1) else { return Ok((x, y)) };
        let middle = |cell: u32| (u64::from(cell) << (half_bits + 1) | 1 << half_bits) as u32;
        Ok((middle(x), middle(y)))
    }
}

impl BinAdapter<'_> {
    /// Adds the rows of a batch.
    fn push_rows(&mut self, batch: &RecordBatch, row_sink: &mut RowSink<'_, '_>) -> ControlFlow<()> {
        let bins = self.bins;
        let numbers = |column: usize| bins.numbers(batch, column);
        let integers = |column: usize| bins.integers(batch, column);
        let lattice = match &bins.cells {
            CellIndexes::Lattice { level, x, y } => Some([*level, *x, *y].map(integers)),
            CellIndexes::Quadbin(_) => None,
        };
        let quadbins = match &bins.cells {
            CellIndexes::Quadbin(column) => Some(integers(*column)),
            CellIndexes::Lattice { .. } => None,
        };
        let cell = |row: usize| -> Result<(u32, u32), String> {
            let (level, x, y) = match (&lattice, &quadbins) {
                (Some([level, x, y]), _) => {
                    let level = level.whole(row, [0, u64::from(PointBins::MAX_LEVEL)])?;
                    let last = (1u64 << level) - 1;
                    (level as u32, x.whole(row, [0, last])? as u32, y.whole(row, [0, last])? as u32)
                }
                (None, Some(quadbins)) => quadbins.values[row]
                    .and_then(quadbin::decode)
                    .ok_or_else(|| describe(quadbins.array, "quadbin", row, "a quadbin of a cell"))?,
                (None, None) => return Err("it has no cell".to_owned()),
            };
            bins.middle(level, x, y)
        };
        let (n, weight, max) = (integers(bins.n), bins.weight.map(numbers), bins.max.map(numbers));
        let time_us = bins.plan.time.as_ref().map(|time| time.read(batch));
        if let Some(category) = bins.plan.category {
            self.categories.fill(batch.column(category));
        }
        let read = |row: usize, rows: &mut Rows| -> Result<(), String> {
            let (x, y) = cell(row)?;
            let n = n.whole(row, [1, PointBins::MAX_N])?;
            let sum = weight.as_ref().map(|weight| weight.finite(row, n as f64 * f64::from(Points::MAX_WEIGHT)));
            let sum = sum.transpose()?;
            let max = max.as_ref().map(|max| max.greatest(row, sum.unwrap_or(n as f64) / n as f64)).transpose()?;
            if let (Some(time), Some(time_us)) = (&bins.plan.time, &time_us)
                && time_us[row] == INVALID_TIME
            {
                return Err(time.describe_invalid(batch, row));
            }
            let (lon, lat) = Frame::Mercator.position(x, y);
            rows.lon.push(lon);
            rows.lat.push(lat);
            rows.n.push(n);
            rows.sum.extend(sum);
            rows.max.extend(max);
            Ok(())
        };
        let mut start = 0;
        while start < batch.num_rows() {
            let (mut rows, mut invalid) = (Rows::default(), None);
            for row in start..batch.num_rows() {
                if let Err(reason) = read(row, &mut rows) {
                    invalid = Some(reason);
                    break;
                }
            }
            let end = start + rows.n.len();
            let time_us = time_us.as_ref().map(|time_us| &time_us[start..end]);
            let category = bins.plan.category.map(|_| {
                let categories = self.categories.categories();
                Categories { codes: &categories.codes[start..end], names: categories.names }
            });
            let level = bins.level.get().copied().unwrap_or_default();
            // The columns have equal lengths, so this cannot fail.
            let Ok(points) = rows.points(level, weight.is_some(), max.is_some(), time_us, category) else {
                return ControlFlow::Break(());
            };
            row_sink.bins(points)?;
            start = end;
            if let Some(reason) = invalid {
                row_sink.reject(|| reason);
                start += 1;
            }
        }
        row_sink.flow()
    }
}

impl Rows {
    fn points<'a>(
        &'a self,
        level: u32,
        has_weight: bool,
        has_max: bool,
        time_us: Option<&'a [i64]>,
        category: Option<Categories<'a>>,
    ) -> Result<Points<'a>> {
        let mut points = Points::new(&self.lon, &self.lat)?;
        if has_max {
            points = points.with_weight(&self.max)?;
        }
        if let Some(time_us) = time_us {
            points = points.with_time(time_us)?;
        }
        if let Some(category) = category {
            points = points.with_category(category)?;
        }
        points.with_bins(PointBins { level, n: &self.n, sum: has_weight.then_some(&self.sum) })
    }
}

/// The values of a column as whole numbers of 64 bits; `None` for others. None is rounded.
fn integers(array: &ArrayRef) -> Vec<Option<u64>> {
    let array = decoded(array);
    let by_row = |value: &dyn Fn(usize) -> Option<u64>| {
        let valid = |row: usize| if array.is_null(row) { None } else { value(row) };
        (0..array.len()).map(valid).collect()
    };
    match array.data_type() {
        DataType::UInt64 => array.as_primitive::<UInt64Type>().iter().collect(),
        data_type if data_type.is_integer() => match cast(&array, &DataType::Int64) {
            Ok(numbers) => {
                numbers.as_primitive::<Int64Type>().iter().map(|number| u64::try_from(number?).ok()).collect()
            }
            Err(_) => vec![None; array.len()],
        },
        data_type if data_type.is_floating() => match cast(&array, &DataType::Float64) {
            Ok(numbers) => {
                let numbers = numbers.as_primitive::<Float64Type>();
                by_row(&|row| whole(numbers.value(row)))
            }
            Err(_) => vec![None; array.len()],
        },
        data_type if is_text(data_type) || data_type.is_decimal() => by_row(&|row| digits(&value_text(&array, row))),
        _ => vec![None; array.len()],
    }
}

/// A whole number of a floating-point column; `None` for others, and for those beyond 2^53, which may be rounded.
fn whole(value: f64) -> Option<u64> {
    let is_whole = value.is_sign_positive() && value.fract() == 0.0 && value <= PointBins::MAX_N as f64;
    is_whole.then_some(value as u64)
}

/// A whole number in decimal digits, after which `.0` may follow, as floating-point columns are written.
fn digits(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !decimals.is_empty() && decimals.bytes().all(|byte| byte == b'0');
    if is_number && is_whole { digits.parse().ok() } else { None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Decimal128Array, Float32Array, Float64Array, Int8Array, StringArray, UInt64Array};

    use super::*;

    #[test]
    fn whole_numbers_are_read_exactly_or_not_at_all() {
        const EXACT: u64 = 9_007_199_254_740_993;
        let of = |array: ArrayRef| integers(&array);
        let texts = [
            "9007199254740993",
            " 7 ",
            "7.0",
            "7.00",
            "1.5",
            "1e3",
            "-0",
            "+1",
            "",
            "7.",
            ".0",
            "nan",
            "99999999999999999999",
        ];
        let read = of(Arc::new(StringArray::from(texts.to_vec())));
        let mut expected = vec![Some(EXACT), Some(7), Some(7), Some(7)];
        expected.resize(texts.len(), None);
        assert_eq!(read, expected);
        assert_eq!(of(Arc::new(UInt64Array::from(vec![u64::MAX, EXACT]))), [Some(u64::MAX), Some(EXACT)]);
        assert_eq!(of(Arc::new(Int8Array::from(vec![Some(3), Some(-1), None]))), [Some(3), None, None]);
        let floats = [3.0, 1.5, -0.0, f64::NAN, f64::INFINITY, 9_007_199_254_740_992.0, 9_007_199_254_740_994.0];
        let read = of(Arc::new(Float64Array::from(floats.to_vec())));
        assert_eq!(read, [Some(3), None, None, None, None, Some(1 << 53), None]);
        assert_eq!(of(Arc::new(Float32Array::from(vec![2.0, 2.5]))), [Some(2), None]);
        let decimals = Decimal128Array::from(vec![1200, 1250]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(of(Arc::new(decimals)), [Some(12), None]);
    }
}
