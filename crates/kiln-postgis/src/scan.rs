//! The points of a snapshot as a source.

use std::ops::ControlFlow;

use super::rows::{Batch, ColumnSelection, fetch};
use super::snapshot::LiveSnapshot;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Points, fixed, morton};
use kiln_core::source::{PointColumns, Query, ScanReport, Sink, Source};

/// The maximum number of points that are sorted. If there are more, they are in the order of the table.
const MAX_SORTED: usize = 2_000_000;

impl Source for LiveSnapshot {
    /// Points are in Z-order, at the coordinates that an embedded layer stores. If there are more than 2 million, they
    /// are in the order of the table.
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        self.check(query)?;
        let Some(sink) = sinks.first_mut() else { return Ok(ScanReport::default()) };
        let boxes = query.scan.near.map(|near| self.boxes_of(near, None));
        let boxes = match (&query.filter.polygon, boxes) {
            (Some(polygon), boxes) => Some(self.boxes_of(polygon.bounds(), boxes.as_deref())),
            (None, boxes) => boxes,
        };
        let columns = ColumnSelection::of(&self.relation, query);
        let mut report = ScanReport::default();
        let is_empty = self.area.is_none() && self.relation.geometry.is_some();
        if is_empty || boxes.as_ref().is_some_and(Vec::is_empty) {
            return Ok(report);
        }
        let mut unsorted = Some(PointColumns::default());
        let mut stopped = false;
        let mut kept = PointColumns::default();
        fetch(&self.database, &self.relation, query, columns, boxes.as_deref(), |batch| {
            report.read += batch.read;
            report.rejected += batch.rejected;
            kept.clear();
            report.filtered += keep(&batch, query, &mut kept);
            let points = if query.columns.weights { kept.points() } else { kept.points().without_weight() };
            if let Some(all) = &mut unsorted {
                all.add(points);
                if all.len() <= MAX_SORTED {
                    return ControlFlow::Continue(());
                }
            }
            let flow = match unsorted.take() {
                Some(all) => sink(all.points()),
                None => sink(points),
            };
            stopped = flow.is_break();
            flow
        })?;
        if let Some(all) = unsorted {
            stopped = push_sorted(&all, sink).is_break();
        }
        if stopped {
            return Err(Error::Cancelled);
        }
        if query.columns.weights && self.relation.weight.is_none() {
            report.unweighted = report.valid();
        }
        Ok(report)
    }
}

/// Adds the points of a batch that are on the map and in the polygon, and returns the number of the others.
fn keep(batch: &Batch, query: &Query<'_>, kept: &mut PointColumns) -> u64 {
    let points = batch.points();
    let (mut x, mut y) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
    fixed::to_fixed(points, &mut x, &mut y);
    let locations: Vec<(f64, f64)> = x.iter().zip(&y).map(|(&x, &y)| fixed::from_fixed(x, y)).collect();
    let passes: Vec<bool> = locations
        .iter()
        .zip(points.lat())
        .map(|(&(lon, lat), stored)| {
            fixed::is_on_map(*stored) && query.filter.polygon.as_ref().is_none_or(|polygon| polygon.contains(lon, lat))
        })
        .collect();
    let mut own = Batch::like(&points);
    for i in (0..points.len()).filter(|i| passes[*i]) {
        own.take(&points, i, locations[i]);
    }
    kept.add(own.points());
    passes.iter().filter(|passes| !**passes).count() as u64
}

impl Batch {
    /// Adds a point of `points`, which has the same category names, at another location.
    fn take(&mut self, points: &Points<'_>, i: usize, (lon, lat): (f64, f64)) {
        self.lon.push(lon);
        self.lat.push(lat);
        if let (Some(own), Some(others)) = (&mut self.weight, points.weight()) {
            own.push(others[i]);
        }
        if let (Some(own), Some(others)) = (&mut self.time_us, points.time_us()) {
            own.push(others[i]);
        }
        if let (Some(own), Some(others)) = (&mut self.codes, points.category()) {
            own.push(others.codes[i]);
        }
    }
}

/// Passes the points to a sink in Z-order.
fn push_sorted(all: &PointColumns, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let points = all.points();
    let (mut x, mut y) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
    fixed::to_fixed(points, &mut x, &mut y);
    let mut order: Vec<(u64, u32)> =
        x.iter().zip(&y).zip(0..).map(|((&x, &y), index)| (morton::key(x, y), index)).collect();
    // Points at the same location are ordered by weight.
    let weight = |index: u32| points.weight().map_or(0.0, |weight| weight[index as usize]);
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| weight(a.1).total_cmp(&weight(b.1))).then(a.1.cmp(&b.1)));
    for chunk in order.chunks(Batch::ROWS) {
        let mut batch = Batch::like(&points);
        for &(_, index) in chunk {
            let i = index as usize;
            batch.take(&points, i, (points.lon()[i], points.lat()[i]));
        }
        if sink(batch.points()).is_break() {
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}
