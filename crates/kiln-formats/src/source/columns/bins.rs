//! Tables of bins: rows that stand for many points in a cell of the world.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::categories::CategoryColumn;
use super::find::{Finder, FoundCoordinates};
use super::plan::Plan;
use super::values::{INVALID_TIME, decoded, is_blank, is_text, numbers, shown_value, value_text};
use super::{quadbin, scan_parts};
use crate::source::batch::{Batch, Row, RowFields};
use crate::source::role::{position, quoted};
use crate::source::row_sink::RowSink;
use crate::source::table::{BatchSink, RequestedColumn, Table, ValueType};
use crate::source::{Columns, CoordinateSpace, Query, ReadOptions, ScanReport, Sink};
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Categories, Frame, PointBins, Points};

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
        let (x, y, n) = (number("cell_x"), number("cell_y"), number("n"));
        let has_coordinates = || {
            let found = Finder::new(table, query).coordinates_for(query);
            matches!(found, Ok(FoundCoordinates::Columns { .. } | FoundCoordinates::Geometry(_)))
        };
        let cells = match (x, y, &n) {
            (Some(x), Some(y), n) => match (number("level"), n) {
                (Some(level), Some(_)) => Some(CellColumns::Lattice { level, x, y }),
                // Such columns of points mean something else.
                _ if has_coordinates() => None,
                (level, _) => {
                    let missing = if level.is_none() { "level" } else { "n" };
                    let text = format!("bins have the columns level, cell_x, cell_y and n; it has no {missing}");
                    return Err(Error::input(table.name(), text));
                }
            },
            (_, _, Some(_)) if !has_coordinates() => find("quadbin", ValueType::Text).map(CellColumns::Quadbin),
            _ => None,
        };
        let (Some(cells), Some(n)) = (cells, n) else { return Ok(None) };
        let weight = match weight.as_deref() {
            Some(Columns::NO_COLUMN) => None,
            // That of a layer may have another name.
            Some(name) => match number(name) {
                None => Some(number("weight").ok_or_else(|| {
                    Error::input(table.name(), format!("no column is called {}, nor weight", quoted(name)))
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
            scan.read_part(part, &mut BinAdapter { bins: &bins, row_sink, categories: CategoryColumn::default() })
        })?;
        if report.rejected > 0 {
            let first = report.rejections.first();
            let first = first
                .map_or_else(String::new, |first| format!("{} {}: {}; ", table.nouns().row, first.row, first.reason));
            let (invalid, all) = (report.rejected, report.read);
            return Err(input(format!("{first}{invalid} of {all} bins are invalid, so none was added")));
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
struct BinAdapter<'a, 'i, 's> {
    bins: &'a BinPlan<'a>,
    row_sink: &'a mut RowSink<'i, 's>,
    categories: CategoryColumn,
}

/// A column of numbers in a batch.
struct NumberColumn<'b> {
    array: &'b ArrayRef,
    name: &'b str,
    values: Cow<'b, [f64]>,
}

impl NumberColumn<'_> {
    /// Describes why the value of a row is invalid.
    fn invalid(&self, row: usize, expected: &str) -> String {
        describe(self.array, self.name, row, expected)
    }

    /// A whole number from `min` to `max`.
    fn whole(&self, row: usize, [min, max]: [u64; 2]) -> Result<u64, String> {
        let value = self.values[row];
        // Whole numbers up to 2^53 are exact.
        if value.fract() == 0.0 && value >= min as f64 && value <= max as f64 {
            return Ok(value as u64);
        }
        Err(self.invalid(row, &format!("a whole number from {min} to {max}")))
    }

    /// A finite number whose absolute value is at most `max`.
    fn finite(&self, row: usize, max: f64) -> Result<f64, String> {
        let value = self.values[row];
        if value.abs() <= max { Ok(value) } else { Err(self.invalid(row, "a finite number in the range of weights")) }
    }
}

fn describe(array: &ArrayRef, name: &str, row: usize, expected: &str) -> String {
    if is_blank(array, row) {
        return format!("{name} is empty, not {expected}");
    }
    let shown = shown_value(array, row);
    // Readers of text read whole numbers as `f64`.
    let shown = shown.strip_suffix(".0").unwrap_or(&shown);
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

impl BinAdapter<'_, '_, '_> {
    /// Adds the rows of a batch of at most [`Batch::ROWS`] rows.
    fn push_rows(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        let bins = self.bins;
        let numbers = |column: usize| bins.numbers(batch, column);
        let lattice = match &bins.cells {
            CellIndexes::Lattice { level, x, y } => Some([numbers(*level), numbers(*x), numbers(*y)]),
            CellIndexes::Quadbin(_) => None,
        };
        let quadbins = match &bins.cells {
            CellIndexes::Quadbin(column) => Some((batch.column(*column), integers(batch.column(*column)))),
            CellIndexes::Lattice { .. } => None,
        };
        let cell = |row: usize| -> Result<(u32, u32), String> {
            let (level, x, y) = match (&lattice, &quadbins) {
                (Some([level, x, y]), _) => {
                    let level = level.whole(row, [0, u64::from(PointBins::MAX_LEVEL)])?;
                    let last = (1u64 << level) - 1;
                    (level as u32, x.whole(row, [0, last])? as u32, y.whole(row, [0, last])? as u32)
                }
                (None, Some((array, quadbins))) => quadbins[row]
                    .and_then(quadbin::decode)
                    .ok_or_else(|| describe(array, "quadbin", row, "a quadbin of a cell"))?,
                (None, None) => return Err("it has no cell".to_owned()),
            };
            bins.middle(level, x, y)
        };
        let (n, weight, max) = (numbers(bins.n), bins.weight.map(numbers), bins.max.map(numbers));
        let time_us = bins.plan.time.as_ref().map(|time| time.read(batch));
        if let Some(category) = bins.plan.category {
            self.categories.fill(batch.column(category));
        }
        let read = |row: usize, rows: &mut Rows| -> Result<(), String> {
            let (x, y) = cell(row)?;
            let n = n.whole(row, [1, PointBins::MAX_N])?;
            let sum = weight.as_ref().map(|weight| weight.finite(row, n as f64 * f64::from(Points::MAX_WEIGHT)));
            let max = max.as_ref().map(|max| max.finite(row, f64::from(Points::MAX_WEIGHT)));
            let (sum, max) = (sum.transpose()?, max.transpose()?);
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
            rows.max.extend(max.map(|max| max as f32));
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
            self.row_sink.bins(points)?;
            start = end;
            if let Some(reason) = invalid {
                self.row_sink.reject(|| reason);
                start += 1;
            }
        }
        self.row_sink.flow()
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

/// The values of a column as whole numbers of 64 bits.
fn integers(array: &ArrayRef) -> Vec<Option<u64>> {
    let array = decoded(array);
    if is_text(array.data_type()) {
        let value = |row: usize| value_text(&array, row).trim().parse().ok();
        return (0..array.len()).map(value).collect();
    }
    match cast(&array, &DataType::Int64) {
        Ok(numbers) => numbers.as_primitive::<Int64Type>().iter().map(|number| u64::try_from(number?).ok()).collect(),
        Err(_) => vec![None; array.len()],
    }
}

impl BatchSink for BinAdapter<'_, '_, '_> {
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        (0..batch.num_rows())
            .step_by(Batch::ROWS)
            .try_for_each(|start| self.push_rows(&batch.slice(start, Batch::ROWS.min(batch.num_rows() - start))))
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()> {
        self.row_sink.reject(reason);
        self.row_sink.flow()
    }

    fn skip(&mut self, rows: u64) -> ControlFlow<()> {
        // A row without a time never passes a time filter.
        (0..rows).try_for_each(|_| self.row_sink.row(Row::default()))
    }

    fn advance(&mut self, bytes: u64) {
        self.row_sink.advance(bytes);
    }
}
