//! Rows of text into points.

use std::ops::ControlFlow;

use super::header::{Layout, Wanted, text_of};
use super::index::Index;
use super::number::{Column, any_number, read_column};
use crate::geo::Points;
use crate::source::intake::{Intake, Row};
use crate::source::role::shown;
use crate::source::time::parse_time_us;

/// Points on their way to the intake.
#[derive(Debug, Default)]
pub(super) struct Batch {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    /// The columns of the rows that are being read.
    read: [Vec<f64>; 3],
}

impl Batch {
    /// As many as the intake passes on at once.
    const ROWS: usize = 8192;

    /// Passes the points on.
    pub(super) fn flush(&mut self, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        let Ok(mut points) = Points::new(&self.lon, &self.lat) else { return ControlFlow::Break(()) };
        if !self.weight.is_empty() {
            let Ok(weighted) = points.with_weight(&self.weight) else { return ControlFlow::Break(()) };
            points = weighted;
        }
        let flow = if points.len() * 4 >= Self::ROWS {
            intake.columns(points)
        } else {
            // The intake gathers a few rows at a time, so that sinks see no tiny batches.
            (0..points.len()).try_for_each(|i| {
                let weight = points.weight().map(|weight| weight[i] as f64);
                intake.row(Row { lon: points.lon()[i], lat: points.lat()[i], weight, ..Row::default() })
            })
        };
        self.lon.clear();
        self.lat.clear();
        self.weight.clear();
        flow
    }

    /// Adds the points that were read.
    fn extend(&mut self, weighted: bool, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        if self.lon.len() + self.read[0].len() > Self::ROWS {
            self.flush(intake)?;
        }
        let [lon, lat, weight] = &self.read;
        self.lon.extend_from_slice(lon);
        self.lat.extend_from_slice(lat);
        if weighted {
            self.weight.extend(weight.iter().map(|&weight| weight as f32));
        }
        ControlFlow::Continue(())
    }

    fn push(&mut self, row: Row<'_>, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        if self.lon.len() == Self::ROWS {
            self.flush(intake)?;
        }
        self.lon.push(row.lon);
        self.lat.push(row.lat);
        self.weight.extend(row.weight.map(|weight| weight as f32));
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
    /// Reads the rows of `index` that start before `limit`, and answers where the row behind them starts.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        index: &Index,
        limit: usize,
        batch: &mut Batch,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<(), usize> {
        let columns = self.layout.names.len();
        let filters = self.wanted.time.is_some() || self.wanted.category.is_some();
        let mut fields = index.fields();
        let mut row_ends = index.row_ends();
        // The row that reaches the limit is the last one to read.
        let rows = 1 + row_ends.partition_point(|&end| (end as usize) < limit);
        row_ends = &row_ends[..rows.min(row_ends.len())];
        while let [row_end, ..] = row_ends {
            let is_regular = |(i, end): &(usize, &u32)| fields.get((i + 1) * columns) == Some(end);
            let regular = if filters { 0 } else { row_ends.iter().enumerate().take_while(is_regular).count() };
            let (rows, last) = if regular > 0 {
                self.read_regular(bytes, &fields[..=regular * columns], batch, intake)?;
                (regular, regular * columns)
            } else {
                let last = fields.iter().position(|start| start == row_end).unwrap_or(fields.len() - 1);
                self.read_closely(Cells { bytes, starts: &fields[..=last] }, filters, batch, intake)?;
                (1, last)
            };
            row_ends = &row_ends[rows..];
            fields = &fields[last..];
        }
        ControlFlow::Continue(fields[0] as usize)
    }

    /// Reads rows that have a field for each column, one column after the other.
    fn read_regular(
        &self,
        bytes: &[u8],
        fields: &[u32],
        batch: &mut Batch,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<()> {
        let columns = self.layout.names.len();
        let wanted = [Some(self.wanted.lon), Some(self.wanted.lat), self.wanted.weight];
        let rows = fields.len() / columns;
        let mut all_read = true;
        for (column, numbers) in wanted.into_iter().zip(&mut batch.read) {
            if let Some(column) = column {
                numbers.resize(rows, 0.0);
                all_read &= read_column(Column { bytes, starts: fields, columns, position: column }, numbers);
            }
        }
        if all_read {
            return batch.extend(self.wanted.weight.is_some(), intake);
        }
        for (i, starts) in fields.windows(columns + 1).step_by(columns).enumerate() {
            let [lon, lat, weight] = &batch.read;
            let (lon, lat, weight) = (lon[i], lat[i], self.wanted.weight.map(|_| weight[i]));
            if lon.is_nan() || lat.is_nan() || weight.is_some_and(f64::is_nan) {
                self.read_closely(Cells { bytes, starts }, false, batch, intake)?;
            } else {
                batch.push(Row { lon, lat, weight, ..Row::default() }, intake)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads a row that is out of the ordinary, or whose time or category matters.
    #[inline(never)]
    fn read_closely(
        &self,
        cells: Cells<'_>,
        filters: bool,
        batch: &mut Batch,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<()> {
        let is_blank = cells.starts.len() == 2 && cells.field(0).is_none_or(|field| field.trim_ascii().is_empty());
        if is_blank {
            return ControlFlow::Continue(());
        }
        match self.row(cells) {
            Ok((row, _)) if !filters => batch.push(row, intake),
            Ok((row, category)) => {
                let category = category.map(text_of);
                intake.row(Row { category: category.as_deref(), ..row })
            }
            Err(flaw) => {
                batch.flush(intake)?;
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
        let time = |column| match text_of(field(column)?).as_ref() {
            "" => Ok(None),
            text => parse_time_us(text).map(Some).ok_or(Flaw::NotATime(column)),
        };
        let row = Row {
            lon: cells.number(self.wanted.lon)?,
            lat: cells.number(self.wanted.lat)?,
            weight: self.wanted.weight.map(|column| cells.number(column)).transpose()?,
            time_us: self.wanted.time.map(time).transpose()?.flatten(),
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
