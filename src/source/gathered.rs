//! Points gathered batch by batch.

use std::ops::Range;

use crate::geo::Points;

/// Columns that points are gathered in.
#[derive(Debug, Default)]
pub struct Gathered {
    lon: Vec<f64>,
    lat: Vec<f64>,
    /// As long as the others once a batch had weights, else empty.
    weight: Vec<f32>,
    weighted: bool,
}

impl Gathered {
    /// Takes in a batch. Batches with and without weights may follow each other; a point without weighs 1.
    pub fn add(&mut self, batch: Points<'_>) {
        if batch.is_empty() {
            return;
        }
        if batch.weight().is_some() && !self.weighted {
            self.weighted = true;
            self.weight = vec![1.0; self.lon.len()];
        }
        self.lon.extend_from_slice(batch.lon());
        self.lat.extend_from_slice(batch.lat());
        match batch.weight() {
            Some(weight) => self.weight.extend_from_slice(weight),
            None if self.weighted => self.weight.resize(self.lon.len(), 1.0),
            None => {}
        }
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.lon.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.lon.is_empty()
    }

    /// Whether a batch had weights.
    pub fn is_weighted(&self) -> bool {
        self.weighted
    }

    /// The points, in the order in which they came.
    pub fn points(&self) -> Points<'_> {
        self.slice(0..self.len())
    }

    /// Some of the points. The range must not reach beyond them.
    pub fn slice(&self, range: Range<usize>) -> Points<'_> {
        // Both columns grow together, so neither call can fail.
        let points = Points::new(&self.lon[range.clone()], &self.lat[range.clone()]).unwrap_or_default();
        if self.weighted { points.with_weight(&self.weight[range]).unwrap_or_default() } else { points }
    }
}
