//! Rows that stand for many points each: their level, columns and errors.

use kiln_core::error::{Error, Result};
use kiln_core::geo::PointBins;
use kiln_core::parameter::Parameter;

use super::numbers::NumberSlice;
use super::points::PointBatch;
use super::snapshot::Snapshot;

const SECOND_US: u64 = 1_000_000;
const MINUTE_US: u64 = 60 * SECOND_US;
const HOUR_US: u64 = 60 * MINUTE_US;
const DAY_US: u64 = 24 * HOUR_US;

/// The steps of times that are distinguished, in microseconds: the greatest that divides all times of a segment of bins.
pub(super) const TIME_STEPS_US: [u64; 5] = [DAY_US, HOUR_US, MINUTE_US, SECOND_US, 1];

/// The columns of the rows of a segment of bins.
#[derive(Clone, Copy, Debug)]
pub(super) struct BinColumns<'a> {
    /// The number of points of each row.
    pub(super) n: NumberSlice<'a>,
    /// Sums and maximums of the weights; `None` if every point weighs 1.
    pub(super) weights: Option<(&'a [f64], &'a [f32])>,
}

/// Moves Z-order keys to the middles of their cells of `level`.
pub(super) fn snap_to_cells(keys: &mut [u64], level: u32) {
    let Some(half_bits) = PointBins::MAX_LEVEL.checked_sub(level + 1) else { return };
    let middle = 0b11 << (2 * half_bits);
    let cell = u64::MAX.checked_shl(2 * half_bits + 2).unwrap_or(0);
    for key in keys {
        *key = *key & cell | middle;
    }
}

/// The error of rows of `level` that cannot be in a layer, or among other rows, of level `existing`; `None` is a level of
/// single points.
pub(super) fn other_rows(existing: Option<u32>, level: Option<u32>) -> Error {
    let message = match (existing, level) {
        (Some(existing), Some(level)) => {
            format!("the rows are bins of level {level}, but those of the layer are of level {existing}")
        }
        (None, Some(level)) => {
            format!(
                "the rows are bins of level {level}, but the layer has single points; bins need a layer of their own"
            )
        }
        (existing, None) => format!(
            "the rows are single points, but the layer has bins of level {}; its rows need the columns level, cell_x, \
             cell_y and n, or quadbin and n",
            existing.unwrap_or_default()
        ),
    };
    Error::invalid(Parameter::LAYER, message)
}

/// The error of rows of two kinds in one input.
pub(super) fn mixed_rows(first: Option<u32>, other: Option<u32>) -> Error {
    let kind = |level: Option<u32>| match level {
        Some(level) => format!("bins of level {level}"),
        None => "single points".to_owned(),
    };
    let message = format!("some rows are {}, others {}; import them separately", kind(first), kind(other));
    Error::invalid(Parameter::LAYER, message)
}

impl Snapshot {
    /// The level of the bins of the layer; `None` if its rows are single points.
    pub fn level(&self) -> Option<u32> {
        self.manifest.level
    }

    /// Checks that the rows are single points, which what is called `needs` reads; `instead` is what bins have.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the layer has bins.
    pub(super) fn check_single_points(&self, needs: &str, instead: &str) -> Result<()> {
        let Some(level) = self.level() else { return Ok(()) };
        Err(Error::invalid(
            Parameter::LAYER,
            format!(
                "the layer has bins of level {level}, each the sum of several points; {needs} needs single points; use \
                 {instead}"
            ),
        ))
    }

    /// Checks that the greatest weights of all bins are known.
    ///
    /// # Errors
    /// [`Error::Invalid`] if not.
    pub(super) fn check_max(&self) -> Result<()> {
        if self.segments.iter().any(|segment| segment.entry.totals.without_max) {
            let message = "max needs the greatest weight of each bin, but bins of the layer were imported without the \
                           column max_weight; use sum, count or mean";
            return Err(Error::invalid(Parameter::AGG, message));
        }
        Ok(())
    }
}

impl Snapshot {
    /// The time in microseconds of which all times of bins are multiples: a day, an hour, a minute or a second; `None` if
    /// there are no times, or they are multiples of neither.
    pub(super) fn bucket_us(&self) -> Option<u64> {
        let steps = self.segments.iter().filter_map(|segment| segment.entry.totals.time_step_us);
        steps.min().filter(|step| *step > 1)
    }

    /// Checks that a filter by times does not cut the buckets of bins. The time of a row is the begin of its bucket, whose
    /// width is unknown; but a bucket that begins at midnight is no shorter than a day if all do, and so on for hours,
    /// minutes and seconds.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the first parameter that cuts a bucket.
    pub(super) fn check_buckets(&self, filter: &kiln_core::source::Filter) -> Result<()> {
        let Some(step_us) = self.bucket_us() else { return Ok(()) };
        let unit = match step_us {
            DAY_US => "days",
            HOUR_US => "hours",
            MINUTE_US => "minutes",
            _ => "seconds",
        };
        for (parameter, time_us) in [(Parameter::START, filter.start_us), (Parameter::END, filter.end_us)] {
            if time_us.is_some_and(|time_us| time_us.rem_euclid(step_us as i64) != 0) {
                let message = format!(
                    "it cuts a bucket of time: the bins of the layer are of whole {unit} in UTC, of which the parts are \
                     not known; use a time at the begin of one"
                );
                return Err(Error::invalid(parameter, message));
            }
        }
        if step_us == DAY_US && filter.time_parts.iter().any(|part| part.hours.is_some()) {
            let message = "the bins of the layer are of whole days, of which the hours are not known";
            return Err(Error::invalid(Parameter::HOURS, message));
        }
        Ok(())
    }
}

impl PointBatch {
    /// The number of points of some rows.
    pub(super) fn points_of(&self, rows: impl Iterator<Item = usize>) -> u64 {
        match &self.bins {
            Some(bins) => rows.fold(0u64, |sum, row| sum.saturating_add(bins.n.get(row))),
            None => rows.count() as u64,
        }
    }
}
