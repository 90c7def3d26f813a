//! Checks of the numbers in a manifest: against each other, and against the points of a segment.
//!
//! The checksums of a manifest and of its files show damage, but not numbers that another program has written.

use super::bins::TIME_STEPS_US;
use super::manifest::Manifest;
use super::rows::Rows;
use super::segment::{Segment, SegmentEntry, SegmentTotals};
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Frame, PointBins, Points};

/// The number of points of which columns are in memory at a time.
const ROWS_AT_A_TIME: u64 = 1 << 18;

impl Manifest {
    /// The greatest number of a manifest, apart from numbers of points. Sums of a few of them never overflow.
    const MAX_NUMBER: u64 = 1 << 53;
    /// The maximum number of removed segments whose files stay.
    const MAX_REMOVED: u64 = 1 << 23;

    /// Whether the numbers that name files and count versions are consistent: segments have numbers of their own, below the
    /// next one.
    pub(super) fn has_valid_numbers(&self) -> bool {
        let mut ids: Vec<u64> = self.segments.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        let are_distinct = ids.windows(2).all(|ids| ids[0] < ids[1]);
        let published = self.published.iter().flat_map(|published| [published.at_s, published.revision]);
        let numbers = [self.version, self.next_segment, self.created_s, self.changed_s].into_iter().chain(published);
        let of_segments = self.segments.iter().flat_map(|entry| {
            let files = [Some(entry.points), entry.bins].into_iter().flatten();
            files.flat_map(|file| [file.bytes, file.tail.map_or(0, |tail| tail.start)]).chain([entry.rows])
        });
        are_distinct
            && ids.last().is_none_or(|last| *last < self.next_segment)
            && self.removed.len().is_some_and(|count| count <= Self::MAX_REMOVED)
            && numbers.chain(of_segments).all(|number| number <= Self::MAX_NUMBER)
    }
}

impl SegmentEntry {
    /// Checks that the totals do not contradict the number of rows and each other. Rows are points in `frame`, or bins of
    /// `level`.
    pub(super) fn check_totals(&self, frame: Frame, level: Option<u32>) -> Result<(), &'static str> {
        let SegmentTotals { extent, extent_m, time_us, time_step_us, n, max_n, untimed, .. } = &self.totals;
        if n.is_some() != level.is_some() || max_n.is_some() && level.is_none() {
            return Err("its number of points");
        }
        let max_sum = self.rows.saturating_mul(PointBins::MAX_N);
        let is_sum = |n: u64| (self.rows..=max_sum).contains(&n) && max_n.is_none_or(|max_n| max_n <= n);
        if !n.is_none_or(is_sum) || *untimed > self.point_count() {
            return Err("its number of points");
        }
        if extent.is_some() != (self.rows > 0) || extent_m.is_some() != (frame.plane().is_some() && self.rows > 0) {
            return Err("its extent");
        }
        let is_ordered = extent.is_none_or(|[min, max]| min[0] <= max[0] && min[1] <= max[1]);
        let is_inside = |[min, max]: [[f64; 2]; 2]| {
            [min, max].into_iter().all(|[x, y]| frame.contains(x, y)) && min[0] <= max[0] && min[1] <= max[1]
        };
        if !is_ordered || !extent_m.is_none_or(is_inside) {
            return Err("its extent");
        }
        let is_period = |[first, last]: [i64; 2]| Points::NO_TIME < first && first <= last;
        if !time_us.is_none_or(is_period) || !time_step_us.is_none_or(|step| TIME_STEPS_US.contains(&step)) {
            return Err("its times");
        }
        Ok(())
    }
}

impl Segment {
    /// Checks the totals of the manifest against the points, which reads all of them.
    ///
    /// # Errors
    /// [`Error::Input`] if a total is another one, or the file is damaged.
    pub(super) fn check_points(&self) -> Result<()> {
        let differs = |what: &str| {
            let reason = format!("the manifest contradicts it: {what}");
            Error::input(self.points.path(), reason)
        };
        let (mut totals, mut weights_of_1) = (SegmentTotals::default(), 0.0);
        for start in self.all().step_by(ROWS_AT_A_TIME as usize) {
            let range = start..(start + ROWS_AT_A_TIME).min(self.entry.rows);
            let rows = self.points.rows(range.clone(), self.level);
            if !rows.keys.is_sorted() || self.level.is_some_and(|level| !are_cells(&rows.keys, level)) {
                return Err(differs("the order or the level of its cells"));
            }
            weights_of_1 += sum_of_ones(&rows);
            totals.add(&rows);
            self.points.release(range);
        }
        if let Some(damage) = self.damage() {
            return Err(damage);
        }
        self.entry.totals.compare(&totals, weights_of_1).map_err(differs)
    }
}

/// The sum of the weights of rows of which each point weighs 1.
#[allow(clippy::float_cmp, reason = "a weight of 1 is stored exactly")]
fn sum_of_ones(rows: &Rows) -> f64 {
    let ones = rows.weight.iter().enumerate().filter(|(_, weight)| **weight == 1.0);
    match rows.level {
        None => ones.count() as f64,
        Some(_) => ones.map(|(row, _)| rows.n[row] as f64).sum(),
    }
}

/// Whether keys are the middles of cells of a level.
fn are_cells(keys: &[u64], level: u32) -> bool {
    let mut cells = keys.to_vec();
    super::bins::snap_to_cells(&mut cells, level);
    cells == keys
}

impl SegmentTotals {
    /// Compares the totals with those of the points, of which `weights_of_1` have the weight 1.
    #[allow(clippy::float_cmp, reason = "both are of the same stored weights")]
    fn compare(&self, points: &Self, weights_of_1: f64) -> Result<(), &'static str> {
        // Earlier versions of Kiln did not have all totals, and left some points without a time or a weight out of those of
        // merged segments.
        let is_known = |own: Option<u64>, other: Option<u64>| own.is_none() || own == other;
        if self.n != points.n || !is_known(self.max_n, points.max_n) || self.untimed > points.untimed {
            return Err("its number of points");
        }
        if (self.extent, self.halves, self.extent_m) != (points.extent, points.halves, points.extent_m) {
            return Err("its extent");
        }
        if self.time_us != points.time_us || !is_known(self.time_step_us, points.time_step_us) {
            return Err("its times");
        }
        let is_weight = match (self.weight, points.weight) {
            (None, None) => true,
            (Some([sum, min, max]), Some([all, least, most])) => {
                // Sums depend on the order of the points.
                let tolerance = 1e-9 * all.abs().max(sum.abs()).max(least.abs()).max(most.abs()).max(1.0);
                let is_sum = (all - weights_of_1 - tolerance..=all + tolerance).contains(&sum);
                is_sum && (min == least || least == 1.0) && (max == most || most == 1.0)
            }
            _ => false,
        };
        if !is_weight || self.without_max != points.without_max {
            return Err("its weights");
        }
        Ok(())
    }
}
