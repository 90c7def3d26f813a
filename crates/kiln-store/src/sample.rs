//! Systematic samples of the points of a layer.

use super::Snapshot;
use super::filter::SelectedPoints;
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
                        selected.rows.iter().for_each(|&row| sample.push(batch.position(row as usize)));
                    });
                }
            }
            sample.items()
        } else {
            let total: u64 = segments.iter().map(|(segment, _)| segment.entry.rows).sum();
            let picked = (0..(count as u64).min(total)).map(|i| (2 * i + 1) * total / (2 * (count as u64).min(total)));
            let mut locations = Vec::with_capacity(count);
            for rank in picked {
                let mut before = 0;
                for (segment, _) in &segments {
                    if rank < before + segment.entry.rows {
                        locations.extend(
                            segment
                                .points
                                .batch_ranges(rank - before..rank - before + 1)
                                .next()
                                .map(|(batch, range)| batch.position(range.start)),
                        );
                        break;
                    }
                    before += segment.entry.rows;
                }
            }
            locations
        };
        self.check_damage()?;
        Ok(locations)
    }
}
