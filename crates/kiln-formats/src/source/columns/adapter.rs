//! Batches into points, row by row only where a row is out of the ordinary.

use std::borrow::Cow;
use std::ops::ControlFlow;

use arrow_array::{ArrayRef, RecordBatch};

use super::categories::CategoryColumn;
use super::places::Coordinates;
use super::plan::Plan;
use super::values::{UNREADABLE, is_blank, numbers, shown_value};
use crate::source::batch::{Batch, Row};
use crate::source::role::Role;
use crate::source::row_sink::RowSink;
use crate::source::table::BatchSink;
use kiln_core::error::Result;
use kiln_core::geo::{Categories, Points};

/// Turns the batches of one part into points.
pub(super) struct Adapter<'a, 'i, 's> {
    plan: &'a Plan,
    row_sink: &'a mut RowSink<'i, 's>,
    categories: CategoryColumn,
}

/// The columns of a batch as they are read.
struct Columns<'b> {
    place: Coordinates<'b>,
    /// NaN where there is no number.
    weight: Option<Cow<'b, [f64]>>,
    /// [`Points::NO_TIME`] where there is none, [`UNREADABLE`] where it cannot be read.
    time_us: Option<Vec<i64>>,
}

impl Columns<'_> {
    /// Whether each row holds one point in which everything can be read.
    fn are_whole(&self) -> bool {
        let Self { place, weight, time_us } = self;
        place.rows.is_none()
            && !has_nan(&place.lon)
            && !has_nan(&place.lat)
            && weight.as_ref().is_none_or(|weight| weight.iter().fold(true, |fits, &weight| fits & is_weight(weight)))
            && time_us.as_ref().is_none_or(|time_us| !time_us.contains(&UNREADABLE))
    }
}

/// The columns as points.
fn points<'c>(
    place: &'c Coordinates<'_>,
    weight: Option<&'c [f32]>,
    time_us: Option<&'c [i64]>,
    category: Option<Categories<'c>>,
) -> Result<Points<'c>> {
    let mut points = Points::new(&place.lon, &place.lat)?;
    if let Some(weight) = weight {
        points = points.with_weight(weight)?;
    }
    if let Some(time_us) = time_us {
        points = points.with_time(time_us)?;
    }
    category.map_or(Ok(points), |category| points.with_category(category))
}

impl<'a, 'i, 's> Adapter<'a, 'i, 's> {
    pub(super) fn new(plan: &'a Plan, row_sink: &'a mut RowSink<'i, 's>) -> Self {
        Self { plan, row_sink, categories: CategoryColumn::default() }
    }

    /// Takes no more rows than a batch of points holds.
    fn rows(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        let plan = self.plan;
        plan.note_met(batch);
        let columns = Columns {
            place: plan.place.read(batch),
            weight: plan.weight.as_ref().map(|weight| numbers(batch.column(weight.column), |text| plan.number(text))),
            time_us: plan.time.as_ref().map(|time| time.read(batch)),
        };
        if let Some(category) = plan.category {
            self.categories.fill(batch.column(category));
        }
        if !columns.are_whole() {
            return self.one_by_one(batch, &columns);
        }
        let Columns { place, weight, time_us } = &columns;
        let weight: Option<Vec<f32>> =
            weight.as_ref().map(|weight| weight.iter().map(|&weight| weight as f32).collect());
        let category = plan.category.map(|_| self.categories.categories());
        // Columns of one batch are equally long, so there always are points.
        let points = points(place, weight.as_deref(), time_us.as_deref(), category);
        points.map_or(ControlFlow::Break(()), |points| self.row_sink.columns(points))
    }

    /// Takes rows of which some hold no point, several points, or a value that cannot be read.
    fn one_by_one(&mut self, batch: &RecordBatch, columns: &Columns<'_>) -> ControlFlow<()> {
        let Columns { place, weight, time_us } = columns;
        for (index, (&lon, &lat)) in place.lon.iter().zip(&*place.lat).enumerate() {
            let row = place.row(index);
            if lon.is_nan() || lat.is_nan() {
                self.row_sink.reject(|| self.plan.place.explain(batch, row));
                continue;
            }
            let Ok(weight) = self.weight(batch, weight.as_ref().map(|weight| weight[row]), row) else { continue };
            let Ok(time_us) = self.time_us(batch, time_us.as_ref().map(|time_us| time_us[row]), row) else { continue };
            let category = self.plan.category.and_then(|_| self.categories.categories().name(row));
            self.row_sink.row(Row { lon, lat, weight, time_us, category })?;
        }
        ControlFlow::Continue(())
    }

    /// The weight of a row; an error if the row was rejected for it.
    fn weight(&mut self, batch: &RecordBatch, weight: Option<f64>, row: usize) -> Result<Option<f64>, ()> {
        let (Some(weight), Some(column)) = (weight, &self.plan.weight) else { return Ok(None) };
        // A weight that is a number, but too large, is explained by the row sink.
        if is_weight(weight) || (column.is_named && weight.is_finite()) {
            return Ok(Some(weight));
        }
        let explain = || explain(batch.column(column.column), &column.name, row, "a number");
        if column.is_named {
            self.row_sink.reject(explain);
            return Err(());
        }
        self.row_sink.ignore(Role::Weight, || (column.name.clone(), explain()));
        Ok(Some(1.0))
    }

    /// The time of a row, if it has one; an error if the row was rejected for it.
    fn time_us(&mut self, batch: &RecordBatch, time_us: Option<i64>, row: usize) -> Result<Option<i64>, ()> {
        let (Some(time_us), Some(column)) = (time_us, &self.plan.time) else { return Ok(None) };
        if time_us != UNREADABLE {
            return Ok((time_us != Points::NO_TIME).then_some(time_us));
        }
        if column.is_named {
            self.row_sink.reject(|| column.explain(batch, row));
            return Err(());
        }
        self.row_sink.ignore(Role::Time, || (column.name.clone(), column.explain(batch, row)));
        Ok(None)
    }
}

impl BatchSink for Adapter<'_, '_, '_> {
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        if batch.num_rows() <= Batch::ROWS {
            return self.rows(batch);
        }
        (0..batch.num_rows())
            .step_by(Batch::ROWS)
            .try_for_each(|start| self.rows(&batch.slice(start, Batch::ROWS.min(batch.num_rows() - start))))
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()> {
        self.row_sink.reject(reason);
        self.row_sink.flow()
    }

    fn skip(&mut self, rows: u64) -> ControlFlow<()> {
        // A row without a time passes no range of times.
        (0..rows).try_for_each(|_| self.row_sink.row(Row::default()))
    }

    fn advance(&mut self, bytes: u64) {
        self.row_sink.advance(bytes);
    }
}

/// Says what is wrong with a value.
pub(super) fn explain(array: &ArrayRef, name: &str, row: usize, expected: &str) -> String {
    if is_blank(array, row) {
        format!("{name} is empty")
    } else {
        format!("{name}: {} is not {expected}", shown_value(array, row))
    }
}

fn has_nan(values: &[f64]) -> bool {
    // No early exit, so that the loop vectorizes.
    values.iter().fold(false, |has, value| has | value.is_nan())
}

fn is_weight(weight: f64) -> bool {
    (weight as f32).abs() <= Points::MAX_WEIGHT
}
