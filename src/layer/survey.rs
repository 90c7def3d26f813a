//! A look at the points before they are drawn.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::geo::Extent;
use crate::source::{Gathered, Memory, Query, ScanReport, Source, scan_each};

/// A look at all points before they are drawn: where they are, and the points themselves while they are few.
#[derive(Debug, Default)]
pub struct Survey {
    /// Where the points are.
    pub extent: Extent,
    /// What the scan met.
    pub report: ScanReport,
    kept: Option<Gathered>,
}

/// What one worker of a survey has seen.
struct Look {
    extent: Extent,
    /// `None` once there were too many.
    kept: Option<Gathered>,
}

impl Survey {
    /// Up to this many points are kept, so that the input has to be read only once. They take 20 bytes each.
    pub const MAX_KEPT: usize = 2_000_000;

    /// Looks at all points of `source` that pass `query`. With one thread the kept points are in the order of the input.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn of(source: &dyn Source, query: &Query<'_>, threads: usize) -> Result<Self> {
        let share = Self::MAX_KEPT / threads.max(1);
        let look = || Look { extent: Extent::default(), kept: Some(Gathered::default()) };
        let mut looks: Vec<Look> = (0..threads.max(1)).map(|_| look()).collect();
        let report = scan_each(source, query, &mut looks, |look, points| {
            look.extent.add(points);
            if look.kept.as_ref().is_some_and(|kept| kept.len() + points.len() > share) {
                look.kept = None;
            }
            if let Some(kept) = &mut look.kept {
                kept.add(points);
            }
            ControlFlow::Continue(())
        })?;
        let mut survey = Self { extent: Extent::default(), report, kept: Some(Gathered::default()) };
        for look in looks {
            survey.extent.merge(&look.extent);
            survey.kept = survey.kept.zip(look.kept).map(|(mut all, more)| {
                all.add(more.points());
                all
            });
        }
        Ok(survey)
    }

    /// The points themselves, if they were few enough to be kept.
    pub fn kept(&self) -> Option<Memory<'_>> {
        self.kept.as_ref().map(|kept| Memory(kept.points()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Points;

    #[test]
    fn a_survey_keeps_what_it_saw() {
        let (lon, lat, weight) = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.5f32, 1.5, 2.5]);
        let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap();
        let query = Query::default().with_weights(true);
        let survey = Survey::of(&Memory(points), &query, 2).unwrap();
        let kept = survey.kept().unwrap().0;
        assert_eq!((kept.lon(), kept.lat(), kept.weight()), (&lon[..], &lat[..], Some(&weight[..])));
        assert_eq!(survey.report.read, 3);
    }
}
