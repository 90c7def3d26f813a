//! The rows of record batches, told to the intake.

use std::ops::{ControlFlow, Range};

use arrow_array::{Array, RecordBatch};

use super::cells::{Names, Times, numbers};
use super::columns::Wanted;
use crate::source::batch::{Batch, Row};
use crate::source::intake::Intake;
use kiln_core::error::Result;
use kiln_core::geo::Points;

/// The columns of some rows, in memory that serves for the next ones too.
#[derive(Default)]
pub(super) struct Rows {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    numbers: Vec<f64>,
    times: Times,
    names: Names,
}

/// The wanted columns of a record batch.
struct Columns<'b> {
    lon: &'b dyn Array,
    lat: &'b dyn Array,
    weight: Option<&'b dyn Array>,
    time: Option<&'b dyn Array>,
    category: Option<&'b dyn Array>,
}

impl Rows {
    /// Tells the rows of `batch`, whose columns are those of `wanted` in their order.
    pub(super) fn tell(
        &mut self,
        batch: &RecordBatch,
        wanted: &Wanted,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<()> {
        let mut columns = batch.columns().iter();
        let has = wanted.has();
        let (Some(lon), Some(lat)) = (columns.next(), columns.next()) else { return ControlFlow::Break(()) };
        let mut next_if = |has: bool| if has { columns.next() } else { None };
        let (weight, time, category) = (next_if(has.weight), next_if(has.time), next_if(has.category));
        if let Some(category) = category {
            self.names.restart(category);
        }
        let columns = Columns {
            lon,
            lat,
            weight: weight.map(|array| &**array),
            time: time.map(|array| &**array),
            category: category.map(|array| &**array),
        };
        for start in (0..batch.num_rows()).step_by(Batch::ROWS) {
            let rows = start..batch.num_rows().min(start + Batch::ROWS);
            self.fill(&columns, rows.clone());
            let is_whole = self.times.flaws.is_empty()
                && [Some(columns.lon), Some(columns.lat), columns.weight]
                    .into_iter()
                    .flatten()
                    .all(|array| array.null_count() == 0 || rows.clone().all(|row| array.is_valid(row)));
            match self.points(&columns) {
                Ok(points) if is_whole => intake.columns(points)?,
                _ => self.tell_one_by_one(&columns, rows, intake)?,
            }
        }
        ControlFlow::Continue(())
    }

    fn fill(&mut self, columns: &Columns<'_>, rows: Range<usize>) {
        numbers(columns.lon, rows.clone(), &mut self.lon);
        numbers(columns.lat, rows.clone(), &mut self.lat);
        if let Some(weight) = columns.weight {
            numbers(weight, rows.clone(), &mut self.numbers);
            self.weight.clear();
            self.weight.extend(self.numbers.iter().map(|&weight| weight as f32));
        }
        if let Some(time) = columns.time {
            self.times.fill(time, rows.clone());
        }
        if let Some(category) = columns.category {
            self.names.fill(category, rows);
        }
    }

    fn points(&self, columns: &Columns<'_>) -> Result<Points<'_>> {
        let mut points = Points::new(&self.lon, &self.lat)?;
        if columns.weight.is_some() {
            points = points.with_weight(&self.weight)?;
        }
        if columns.time.is_some() {
            points = points.with_time(&self.times.time_us)?;
        }
        if columns.category.is_some() {
            points = points.with_category(self.names.categories())?;
        }
        Ok(points)
    }

    /// Tells rows of which some hold no point.
    fn tell_one_by_one(
        &self,
        columns: &Columns<'_>,
        rows: Range<usize>,
        intake: &mut Intake<'_, '_>,
    ) -> ControlFlow<()> {
        for (index, row) in rows.enumerate() {
            let weight = columns.weight.map(|_| f64::from(self.weight[index]));
            let time_us = if columns.time.is_some() { self.times.at(index) } else { Ok(None) };
            let category = columns.category.and_then(|_| self.names.categories().name(index));
            match time_us {
                _ if columns.lon.is_null(row) => intake.reject(|| "the longitude is null".to_owned()),
                _ if columns.lat.is_null(row) => intake.reject(|| "the latitude is null".to_owned()),
                _ if columns.weight.is_some_and(|weight| weight.is_null(row)) => {
                    intake.reject(|| "the weight is null".to_owned());
                }
                Err(reason) => intake.reject(|| reason.to_owned()),
                Ok(time_us) => {
                    intake.row(Row { lon: self.lon[index], lat: self.lat[index], weight, time_us, category })?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}
