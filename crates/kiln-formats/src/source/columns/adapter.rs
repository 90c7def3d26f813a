//! Conversion of batches to points, row by row only for batches with invalid rows or geometries with several points.

use std::borrow::Cow;
use std::ops::ControlFlow;

use arrow_array::{ArrayRef, RecordBatch};

use super::categories::CategoryColumn;
use super::coordinates::Coordinates;
use super::plan::Plan;
use super::tracks::tracks;
use super::values::{INVALID_TIME, is_blank, numbers, shown_value};
use crate::source::batch::Row;
use crate::source::role::Role;
use crate::source::row_sink::RowSink;
use kiln_core::error::Result;
use kiln_core::geo::{Categories, Points};

/// Converts the batches of one part to points.
pub(super) struct Adapter<'a> {
    plan: &'a Plan,
    categories: CategoryColumn,
}

/// The converted columns of a batch.
struct Columns<'b> {
    coordinates: Coordinates<'b>,
    /// NaN if the value is not a number.
    weight: Option<Cow<'b, [f64]>>,
    /// [`Points::NO_TIME`] for a missing time, [`INVALID_TIME`] for an invalid one.
    time_us: Option<Vec<i64>>,
    /// [`Points::NO_TRACK`] for a missing track.
    track: Option<Vec<u64>>,
}

impl Columns<'_> {
    /// Whether each row is exactly one valid point.
    fn are_all_valid(&self) -> bool {
        let Self { coordinates, weight, time_us, .. } = self;
        coordinates.rows.is_none()
            && !has_nan(&coordinates.lon)
            && !has_nan(&coordinates.lat)
            && weight.as_ref().is_none_or(|weight| weight.iter().fold(true, |valid, &weight| valid & is_weight(weight)))
            && time_us.as_ref().is_none_or(|time_us| !time_us.contains(&INVALID_TIME))
    }
}

/// Builds points from converted columns.
fn points<'c>(
    coordinates: &'c Coordinates<'_>,
    weight: Option<&'c [f32]>,
    time_us: Option<&'c [i64]>,
    category: Option<Categories<'c>>,
    track: Option<&'c [u64]>,
) -> Result<Points<'c>> {
    let mut points = Points::new(&coordinates.lon, &coordinates.lat)?;
    if let Some(weight) = weight {
        points = points.with_weight(weight)?;
    }
    if let Some(time_us) = time_us {
        points = points.with_time(time_us)?;
    }
    if let Some(track) = track {
        points = points.with_track(track)?;
    }
    category.map_or(Ok(points), |category| points.with_category(category))
}

impl<'a> Adapter<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, categories: CategoryColumn::default() }
    }

    /// Adds the rows of a batch.
    pub(super) fn push_rows(&mut self, batch: &RecordBatch, row_sink: &mut RowSink<'_, '_>) -> ControlFlow<()> {
        let plan = self.plan;
        plan.record_seen(batch);
        let columns = Columns {
            coordinates: plan.coordinates.read(batch),
            weight: plan.weight.as_ref().map(|weight| numbers(batch.column(weight.column), |text| plan.number(text))),
            time_us: plan.time.as_ref().map(|time| time.read(batch)),
            track: plan.track.map(|track| tracks(batch.column(track))),
        };
        if let Some(category) = plan.category {
            self.categories.fill(batch.column(category));
        }
        if !columns.are_all_valid() {
            return self.push_row_by_row(batch, &columns, row_sink);
        }
        let Columns { coordinates, weight, time_us, track } = &columns;
        let weight: Option<Vec<f32>> =
            weight.as_ref().map(|weight| weight.iter().map(|&weight| weight as f32).collect());
        let category = plan.category.map(|_| self.categories.categories());
        // The columns have equal lengths, so this cannot fail.
        let points = points(coordinates, weight.as_deref(), time_us.as_deref(), category, track.as_deref());
        points.map_or(ControlFlow::Break(()), |points| row_sink.columns(points))
    }

    /// Adds rows of which some have no point, several points or an invalid value.
    fn push_row_by_row(
        &self,
        batch: &RecordBatch,
        columns: &Columns<'_>,
        row_sink: &mut RowSink<'_, '_>,
    ) -> ControlFlow<()> {
        let Columns { coordinates, weight, time_us, track } = columns;
        for (index, (&lon, &lat)) in coordinates.lon.iter().zip(&*coordinates.lat).enumerate() {
            let row = coordinates.row(index);
            if lon.is_nan() || lat.is_nan() {
                row_sink.reject(|| self.plan.coordinates.describe_invalid(batch, row));
                continue;
            }
            let weight = weight.as_ref().map(|weight| weight[row]);
            let Ok(weight) = self.weight(batch, weight, row, row_sink) else { continue };
            let time_us = time_us.as_ref().map(|time_us| time_us[row]);
            let Ok(time_us) = self.time_us(batch, time_us, row, row_sink) else { continue };
            let category = self.plan.category.and_then(|_| self.categories.categories().name(row));
            let track = track.as_ref().map(|track| track[row]).filter(|&track| track != Points::NO_TRACK);
            row_sink.row(Row { lon, lat, weight, time_us, category, track })?;
        }
        ControlFlow::Continue(())
    }

    /// The weight of a row. Returns an error after rejecting the row for an invalid weight.
    fn weight(
        &self,
        batch: &RecordBatch,
        weight: Option<f64>,
        row: usize,
        row_sink: &mut RowSink<'_, '_>,
    ) -> Result<Option<f64>, ()> {
        let (Some(weight), Some(column)) = (weight, &self.plan.weight) else { return Ok(None) };
        // The row sink describes weights that are too large.
        if is_weight(weight) || (column.is_named && weight.is_finite()) {
            return Ok(Some(weight));
        }
        let describe_invalid = || describe_invalid(batch.column(column.column), &column.name, row, "a number");
        if column.is_named {
            row_sink.reject(describe_invalid);
            return Err(());
        }
        row_sink.ignore(Role::Weight, || (column.name.clone(), describe_invalid()));
        Ok(Some(1.0))
    }

    /// The time of a row, if it has one. Returns an error after rejecting the row for an invalid time.
    fn time_us(
        &self,
        batch: &RecordBatch,
        time_us: Option<i64>,
        row: usize,
        row_sink: &mut RowSink<'_, '_>,
    ) -> Result<Option<i64>, ()> {
        let (Some(time_us), Some(column)) = (time_us, &self.plan.time) else { return Ok(None) };
        if time_us != INVALID_TIME {
            return Ok((time_us != Points::NO_TIME).then_some(time_us));
        }
        if column.is_named {
            row_sink.reject(|| column.describe_invalid(batch, row));
            return Err(());
        }
        row_sink.ignore(Role::Time, || (column.name.clone(), column.describe_invalid(batch, row)));
        Ok(None)
    }
}

/// Describes why a value is invalid.
pub(super) fn describe_invalid(array: &ArrayRef, name: &str, row: usize, expected: &str) -> String {
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
