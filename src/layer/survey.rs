//! A look at the points before they are drawn.

use std::ops::ControlFlow;

use super::render::scan_each;
use crate::error::Result;
use crate::geo::{Extent, Points};
use crate::source::{Memory, Query, ScanReport, Source};

/// A look at all points before they are drawn: where they are, and the points themselves while they are few.
#[derive(Debug, Default)]
pub struct Survey {
    /// Where the points are.
    pub extent: Extent,
    /// What the scan met.
    pub report: ScanReport,
    kept: Option<Columns>,
}

#[derive(Debug, Default)]
struct Columns {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    weighted: bool,
}

/// What one worker of a survey has seen.
struct Look {
    extent: Extent,
    /// `None` once there were too many.
    kept: Option<Columns>,
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
        let look = || Look { extent: Extent::default(), kept: Some(Columns::default()) };
        let mut looks: Vec<Look> = (0..threads.max(1)).map(|_| look()).collect();
        let report = scan_each(source, query, &mut looks, |look, points| {
            look.extent.add(points);
            if look.kept.as_ref().is_some_and(|kept| kept.lon.len() + points.len() > share) {
                look.kept = None;
            }
            if let Some(kept) = &mut look.kept {
                kept.add(points);
            }
            ControlFlow::Continue(())
        })?;
        let mut survey = Self { extent: Extent::default(), report, kept: Some(Columns::default()) };
        for look in looks {
            survey.extent.merge(&look.extent);
            survey.kept = survey.kept.zip(look.kept).map(|(all, more)| all.and(&more));
        }
        Ok(survey)
    }

    /// The points themselves, if they were few enough to be kept.
    pub fn kept(&self) -> Option<Memory<'_>> {
        let kept = self.kept.as_ref()?;
        let points = Points::new(&kept.lon, &kept.lat).ok()?;
        Some(Memory(if kept.weighted { points.with_weight(&kept.weight).ok()? } else { points }))
    }
}

impl Columns {
    fn add(&mut self, points: Points<'_>) {
        if points.is_empty() {
            return;
        }
        // Inputs with and without weights may follow each other.
        if let (Some(_), false) = (points.weight(), self.weighted) {
            self.weighted = true;
            self.weight = vec![1.0; self.lon.len()];
        }
        self.lon.extend_from_slice(points.lon());
        self.lat.extend_from_slice(points.lat());
        match points.weight() {
            Some(weight) => self.weight.extend_from_slice(weight),
            None if self.weighted => self.weight.resize(self.lon.len(), 1.0),
            None => {}
        }
    }

    fn and(mut self, more: &Self) -> Self {
        if let Ok(points) = Points::new(&more.lon, &more.lat) {
            let weighted = if more.weighted { points.with_weight(&more.weight).ok() } else { None };
            self.add(weighted.unwrap_or(points));
        }
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_survey_keeps_what_it_saw() {
        let (lon, lat, weight) = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.5f32, 1.5, 2.5]);
        let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap();
        let query = Query { weights: true, ..Query::default() };
        let survey = Survey::of(&Memory(points), &query, 2).unwrap();
        let kept = survey.kept().unwrap().0;
        assert_eq!((kept.lon(), kept.lat(), kept.weight()), (&lon[..], &lat[..], Some(&weight[..])));
        assert_eq!(survey.report.read, 3);
    }
}
