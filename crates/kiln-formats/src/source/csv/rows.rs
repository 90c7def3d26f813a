//! Rows of text into points.

use std::ops::ControlFlow;

use super::header::{Layout, Wanted, text_of};
use super::index::Index;
use super::number::{Column, any_number, read_column};
use crate::source::batch::{Batch, Row};
use crate::source::intake::Intake;
use crate::source::role::shown;
use crate::source::time::parse_time_us;
use kiln_core::geo::Points;

/// Rows on their way to the intake.
#[derive(Debug)]
pub(super) struct Rows {
    batch: Batch,
    /// The columns of numbers of the rows that are being read, and their times.
    read: [Vec<f64>; 3],
    read_us: Vec<i64>,
}

impl Rows {
    /// Passes the rows on.
    pub(super) fn flush(&mut self, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        // The columns of a batch grow together, so there always are points.
        let Ok(points) = self.batch.points() else { return ControlFlow::Break(()) };
        let flow = intake.columns(points);
        self.batch.clear();
        flow
    }

    /// Adds the rows that were read, each with the text of its category if rows have one.
    fn extend<'b>(
        &mut self,
        categories: impl Iterator<Item = &'b [u8]>,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<()> {
        if self.batch.len() + self.read[0].len() > Batch::ROWS || self.batch.is_full() {
            self.flush(intake)?;
        }
        let ([lon, lat, weight], batch) = (&self.read, &mut self.batch);
        batch.lon.extend_from_slice(lon);
        batch.lat.extend_from_slice(lat);
        if batch.has.weight {
            batch.weight.extend(weight.iter().map(|&weight| weight as f32));
        }
        if batch.has.time {
            batch.time_us.extend_from_slice(&self.read_us);
        }
        if batch.has.category {
            batch.codes.extend(categories.map(|text| batch.labels.code(Some(&text_of(text)))));
        }
        ControlFlow::Continue(())
    }

    fn push(&mut self, row: Row<'_>, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        if self.batch.is_full() {
            self.flush(intake)?;
        }
        self.batch.push(row);
        ControlFlow::Continue(())
    }
}

/// Why a row holds no point; the numbers are columns.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    TooManyFields,
    Missing(usize),
    NotANumber(usize),
    NotATime(usize),
}

/// How rows become points.
#[derive(Debug)]
pub(super) struct RowReader<'l> {
    pub(super) layout: &'l Layout,
    pub(super) wanted: Wanted,
}

/// One row: the buffer it is in, and where in it the fields begin; the last number is where the next row begins.
#[derive(Clone, Copy)]
struct Cells<'b> {
    bytes: &'b [u8],
    starts: &'b [u32],
}

impl<'b> Cells<'b> {
    /// How many fields there are.
    fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where a field begins and ends.
    fn range(&self, column: usize) -> Option<(usize, usize)> {
        let columns = self.count();
        (column < columns).then_some(())?;
        Column { bytes: self.bytes, starts: self.starts, columns, position: column }.spans().next()
    }

    fn field(&self, column: usize) -> Option<&'b [u8]> {
        self.range(column).map(|(start, end)| &self.bytes[start..end])
    }

    fn number(&self, column: usize) -> Result<f64, Flaw> {
        let field = self.field(column).ok_or(Flaw::Missing(column))?;
        any_number(field).ok_or(Flaw::NotANumber(column))
    }
}

impl RowReader<'_> {
    /// No rows yet, but room for what these rows have.
    pub(super) fn rows(&self) -> Rows {
        Rows { batch: Batch::new(self.wanted.has()), read: Default::default(), read_us: Vec::new() }
    }

    /// Reads the rows of `index` that start before `limit`, and answers where the row behind them starts.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        index: &Index,
        limit: usize,
        rows: &mut Rows,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<(), usize> {
        let columns = self.layout.names.len();
        let mut fields = index.fields();
        let mut row_ends = index.row_ends();
        // The row that reaches the limit is the last one to read.
        let count = 1 + row_ends.partition_point(|&end| (end as usize) < limit);
        row_ends = &row_ends[..count.min(row_ends.len())];
        while let [row_end, ..] = row_ends {
            let is_regular = |(i, end): &(usize, &u32)| fields.get((i + 1) * columns) == Some(end);
            let regular = row_ends.iter().enumerate().take_while(is_regular).count();
            let (count, last) = if regular > 0 {
                self.read_regular(bytes, &fields[..=regular * columns], rows, intake)?;
                (regular, regular * columns)
            } else {
                let last = fields.iter().position(|start| start == row_end).unwrap_or(fields.len() - 1);
                self.read_closely(Cells { bytes, starts: &fields[..=last] }, rows, intake)?;
                (1, last)
            };
            row_ends = &row_ends[count..];
            fields = &fields[last..];
        }
        ControlFlow::Continue(fields[0] as usize)
    }

    /// Reads rows that have a field for each column, one column after the other.
    fn read_regular(
        &self,
        bytes: &[u8],
        starts: &[u32],
        rows: &mut Rows,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<()> {
        let columns = self.layout.names.len();
        let column = |position| Column { bytes, starts, columns, position };
        let wanted = [Some(self.wanted.lon), Some(self.wanted.lat), self.wanted.weight];
        let count = starts.len() / columns;
        let mut all_read = true;
        for (position, numbers) in wanted.into_iter().zip(&mut rows.read) {
            if let Some(position) = position {
                numbers.resize(count, 0.0);
                all_read &= read_column(column(position), numbers);
            }
        }
        if let Some(position) = self.wanted.time {
            let texts = column(position).spans().map(|(start, end)| &bytes[start..end]);
            rows.read_us.clear();
            rows.read_us.extend(texts.zip(&mut rows.read[0]).map(|(text, lon)| {
                time(text).unwrap_or_else(|| {
                    // This row is to be looked at again.
                    (*lon, all_read) = (f64::NAN, false);
                    Points::NO_TIME
                })
            }));
        }
        let text_at = |(start, end): (usize, usize)| &bytes[start..end];
        if all_read {
            let category = self.wanted.category.map(column).into_iter();
            return rows.extend(category.flat_map(|column| column.spans().map(text_at)), intake);
        }
        for (i, starts) in starts.windows(columns + 1).step_by(columns).enumerate() {
            let [lon, lat, weight] = &rows.read;
            let (lon, lat, weight) = (lon[i], lat[i], self.wanted.weight.map(|_| weight[i]));
            let cells = Cells { bytes, starts };
            if lon.is_nan() || lat.is_nan() || weight.is_some_and(f64::is_nan) {
                self.read_closely(cells, rows, intake)?;
            } else {
                let time_us = self.wanted.time.map(|_| rows.read_us[i]).filter(|&time_us| time_us != Points::NO_TIME);
                let category = self.wanted.category.and_then(|position| cells.field(position)).map(text_of);
                rows.push(Row { lon, lat, weight, time_us, category: category.as_deref() }, intake)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads a row that is out of the ordinary.
    #[inline(never)]
    fn read_closely(&self, cells: Cells<'_>, rows: &mut Rows, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        let is_blank = cells.starts.len() == 2 && cells.field(0).is_none_or(|field| field.trim_ascii().is_empty());
        if is_blank {
            return ControlFlow::Continue(());
        }
        match self.row(cells) {
            Ok((row, category)) => {
                let category = category.map(text_of);
                rows.push(Row { category: category.as_deref(), ..row }, intake)
            }
            Err(flaw) => {
                rows.flush(intake)?;
                intake.reject(|| self.explain(flaw, cells));
                ControlFlow::Continue(())
            }
        }
    }

    /// The row and the bytes of its category.
    fn row<'b>(&self, cells: Cells<'b>) -> Result<(Row<'static>, Option<&'b [u8]>), Flaw> {
        // With a field too many nobody knows which ones moved. An empty one behind the last is but a habit of writers.
        let (fields, columns) = (cells.count(), self.layout.names.len());
        let trails = |column| cells.field(column).is_some_and(|field| field.trim_ascii().is_empty());
        if fields > columns && !(fields == columns + 1 && trails(columns)) {
            return Err(Flaw::TooManyFields);
        }
        let field = |column| cells.field(column).ok_or(Flaw::Missing(column));
        let time = |column| time(field(column)?).ok_or(Flaw::NotATime(column));
        let row = Row {
            lon: cells.number(self.wanted.lon)?,
            lat: cells.number(self.wanted.lat)?,
            weight: self.wanted.weight.map(|column| cells.number(column)).transpose()?,
            time_us: self.wanted.time.map(time).transpose()?.filter(|&time_us| time_us != Points::NO_TIME),
            category: None,
        };
        Ok((row, self.wanted.category.map(field).transpose()?))
    }

    fn explain(&self, flaw: Flaw, cells: Cells<'_>) -> String {
        let (fields, columns) = (cells.count(), self.layout.names.len());
        let name = |column: usize| self.layout.names[column].escape_debug();
        let text = |column| cells.field(column).map(text_of).unwrap_or_default();
        match flaw {
            Flaw::TooManyFields => {
                let delimiter = shown(&char::from(self.layout.delimiter).to_string());
                format!("the row has {fields} fields for {columns} columns: is there a bare {delimiter} in its text?")
            }
            Flaw::Missing(column) => format!("{}: missing, the row has {fields} of {columns} fields", name(column)),
            Flaw::NotANumber(column) | Flaw::NotATime(column) if text(column).is_empty() => {
                format!("{}: the field is empty", name(column))
            }
            Flaw::NotANumber(column) => {
                let text = text(column);
                let with_point = any_number(text.replace(',', ".").as_bytes());
                let hint = if with_point.is_some() { ": write decimals with a point" } else { "" };
                format!("{}: {} is not a number{hint}", name(column), shown(&text))
            }
            Flaw::NotATime(column) => {
                let example = "2024-01-31T12:00:00Z or Unix seconds";
                format!("{}: {} is not a time such as {example}", name(column), shown(&text(column)))
            }
        }
    }
}

/// The time that a field writes, none if it is empty; `None` if it cannot be read.
fn time(field: &[u8]) -> Option<i64> {
    match text_of(field).as_ref() {
        "" => Some(Points::NO_TIME),
        text => parse_time_us(text),
    }
}
