//! Where the points of a picture come from, and how they become cells.

use std::ops::ControlFlow;

use super::render::scan_each;
use crate::error::Result;
use crate::geo::Canvas;
use crate::postgis::LiveSnapshot;
use crate::raster::{Bins, Cells, Tally};
use crate::source::{Query, ScanReport, Source};
use crate::store::Snapshot;

/// Where the points of a picture come from.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// They are read one by one.
    Source(&'a dyn Source),
    /// A stored layer, which has sums of them.
    Stored(&'a Snapshot),
    /// A live table, whose database sums them up.
    Live(&'a LiveSnapshot),
}

impl<'a> Origin<'a> {
    /// The points one by one.
    pub fn source(self) -> &'a dyn Source {
        match self {
            Self::Source(source) => source,
            Self::Stored(snapshot) => snapshot,
            Self::Live(snapshot) => snapshot,
        }
    }

    /// Whether it sums up points by itself, at a cost that follows the pixels.
    pub fn has_sums(self) -> bool {
        !matches!(self, Self::Source(_))
    }

    /// How many pictures are best drawn at the same time by `threads`: those of a live table wait for its database.
    pub(super) fn threads(self, threads: usize) -> usize {
        match self {
            Self::Source(_) | Self::Stored(_) => threads,
            Self::Live(snapshot) => threads.max(snapshot.connections() / 2),
        }
    }

    /// The points that pass `query`, summed up per cell of `canvas`, which a kernel of `radius_px` pixels will smooth.
    ///
    /// # Errors
    /// If the points cannot be read, or have not what `query` asks for.
    pub fn cells(
        self,
        query: &Query<'_>,
        canvas: &Canvas,
        tally: Tally,
        radius_px: f64,
        threads: usize,
    ) -> Result<(Cells, ScanReport)> {
        match self {
            Self::Source(source) => bin(source, query, canvas, tally, threads),
            Self::Stored(snapshot) => snapshot.cells(query, canvas, tally, radius_px, threads),
            Self::Live(snapshot) => snapshot.cells(query, canvas, tally, radius_px),
        }
    }
}

/// Sums the points per cell of `canvas`, each worker in bins of its own, of which there are fewer where they are large.
fn bin(
    source: &dyn Source,
    query: &Query<'_>,
    canvas: &Canvas,
    tally: Tally,
    threads: usize,
) -> Result<(Cells, ScanReport)> {
    /// Memory that the workers' bins may take together, unless one worker alone needs more.
    const MAX_BYTES: u64 = 1 << 30;
    let bytes = u64::from(canvas.width()) * u64::from(canvas.height()) * tally.bytes_per_cell();
    let workers = (threads as u64).min(MAX_BYTES / bytes.max(1)).max(1);
    let mut workers: Vec<Bins> = (0..workers).map(|_| Bins::new(canvas, tally)).collect();
    // One pixel more, for what rounding brings in.
    let query = Query { near: Some(canvas.grow(1).bounds()), ..query.clone() };
    let report = scan_each(source, &query, &mut workers, |bins, points| {
        bins.add(points);
        if query.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let mut workers = workers.into_iter();
    let mut bins = workers.next().unwrap_or_else(|| Bins::new(canvas, tally));
    for worker in workers {
        bins.merge(worker)?;
    }
    Ok((bins.into_cells(), report))
}
