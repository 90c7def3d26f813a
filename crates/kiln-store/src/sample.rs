//! Systematic samples of the points of a layer.

use super::Snapshot;
use super::filter::SelectedPoints;
use super::points::{BATCH_ROWS, PointBatch};
use super::segment::Segment;
use super::snapshot::points_of;
use kiln_core::error::{Error, Result};
use kiln_core::geo::SystematicSample;
use kiln_core::source::Query;

impl Snapshot {
    /// The locations, in degrees of longitude and latitude or in meters on a plane, of up to `count` of the points that pass `query`, evenly
    /// spaced in their order.
    ///
    /// # Errors
    /// As for [`cells`](Self::cells).
    pub fn sample(&self, query: &Query<'_>, count: usize) -> Result<Vec<(f64, f64)>> {
        self.check(query)?;
        let segments = self.passing(query);
        let is_filtered = segments.iter().any(|(_, filter)| filter.is_some());
        let locations = if is_filtered {
            let mut sample = SystematicSample::new(count);
            let mut selected = SelectedPoints::default();
            for (segment, filter) in &segments {
                let everything = super::filter::Filter::everything();
                let filter = filter.as_ref().unwrap_or(&everything);
                for (batch, range) in segment.points.batch_ranges(segment.all()) {
                    if query.is_stopped() {
                        return Err(Error::Cancelled);
                    }
                    filter.select(batch, range, false, &mut selected, |selected| {
                        let positions = selected.rows.iter().map(|&row| (row as usize, batch.position(row as usize)));
                        match &batch.bins {
                            None => positions.for_each(|(_, position)| sample.push(position)),
                            Some(bins) => {
                                positions.for_each(|(row, position)| sample.push_many(position, bins.n.get(row)));
                            }
                        }
                    });
                }
            }
            sample.items()
        } else {
            let total = points_of(&segments);
            let count = (count as u64).min(total);
            // In 128 bits, because bins may stand for very many points.
            let picked =
                (0..count).map(|i| ((2 * u128::from(i) + 1) * u128::from(total) / (2 * u128::from(count))) as u64);
            let mut locations = Vec::with_capacity(count as usize);
            for rank in picked {
                let mut before = 0;
                for (segment, _) in &segments {
                    let points = segment.entry.point_count();
                    if rank - before < points {
                        locations.extend(segment.position_of(rank - before));
                        break;
                    }
                    before += points;
                }
            }
            locations
        };
        self.check_damage()?;
        Ok(locations)
    }
}

impl Snapshot {
    /// The number of points that pass `query`.
    ///
    /// # Errors
    /// As for [`cells`](Self::cells).
    pub fn count_points(&self, query: &Query<'_>) -> Result<u64> {
        self.check(query)?;
        let mut points: u64 = 0;
        for (segment, filter) in self.passing(query) {
            let Some(filter) = filter else {
                points = points.saturating_add(segment.entry.point_count());
                continue;
            };
            for (batch, range) in segment.points.batch_ranges(segment.all()) {
                if query.is_stopped() {
                    return Err(Error::Cancelled);
                }
                points = points.saturating_add(filter.count_points(batch, range));
            }
        }
        self.check_damage()?;
        Ok(points)
    }
}

impl Segment {
    /// The position of the point with a rank, in the order of the rows; a row that stands for n points has n ranks.
    fn position_of(&self, rank: u64) -> Option<(f64, f64)> {
        if self.level.is_none() {
            let (batch, range) = self.points.batch_ranges(rank..rank + 1).next()?;
            return Some(batch.position(range.start));
        }
        let before = self.points_before.get_or_init(|| self.count_batches());
        let index = before.partition_point(|before| *before <= rank).checked_sub(1)?;
        let first_row = index as u64 * BATCH_ROWS as u64;
        let rows = first_row..(first_row + BATCH_ROWS as u64).min(self.entry.rows);
        let (batch, range) = self.points.batch_ranges(rows).next()?;
        let mut rest = rank - before[index];
        let n = &batch.bins.as_ref()?.n;
        let contains = |row: &usize| {
            let n = n.get(*row);
            let is_here = rest < n;
            rest = rest.saturating_sub(n);
            is_here
        };
        range.into_iter().find(contains).map(|row| batch.position(row))
    }

    /// The number of points before each batch.
    fn count_batches(&self) -> Vec<u64> {
        let mut before = Vec::with_capacity(self.points.batches.len());
        let mut points: u64 = 0;
        for first_row in (0..self.entry.rows).step_by(BATCH_ROWS) {
            before.push(points);
            let rows = first_row..(first_row + BATCH_ROWS as u64).min(self.entry.rows);
            let of = |(batch, range): (&PointBatch, _)| batch.points_of(range);
            points = self.points.batch_ranges(rows).map(of).fold(points, u64::saturating_add);
        }
        before
    }
}
