//! Sums of points that are in any order: per worker in memory, in sorted runs on disk if there are many, and merged.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::bin_runs::BinRuns;
use super::progress::Progress;
use crate::cell_bins::{BinChunk, BinCollector, BinRecord, BinsRequest, UnitColumns};
use crate::error::{Error, Result};
use crate::geo::{Categories, Points, fixed};
use crate::parameter::Parameter;
use crate::source::{PointSet, Query, scan_each};

/// The number of records in memory of all workers, of 40 bytes each.
const MAX_RECORDS: usize = 1 << 21;
/// Records per chunk, about.
const CHUNK_RECORDS: usize = 1 << 16;

/// Sums per group of the points of a set in any order.
pub(super) struct BinSorter<'a> {
    pub(super) request: BinsRequest,
    /// The file to which the sums will be written; temporary data is in its folder.
    pub(super) target: &'a Path,
    pub(super) threads: usize,
    pub(super) progress: &'a Progress,
    /// The number of records in memory of all workers.
    max_records: usize,
}

impl<'a> BinSorter<'a> {
    pub(super) fn new(request: BinsRequest, target: &'a Path, threads: usize, progress: &'a Progress) -> Self {
        Self { request, target, threads, progress, max_records: MAX_RECORDS }
    }

    /// Scans the points that match `query`, and passes their sums to `take` in Z-order.
    ///
    /// # Errors
    /// If the points cannot be read or have no categories for the groups, and the first error of `take`.
    pub(super) fn sum(
        &self,
        points: &dyn PointSet,
        query: &Query<'_>,
        take: &mut dyn FnMut(BinChunk<'_>) -> Result<()>,
    ) -> Result<()> {
        let (runs, names) = (BinRuns::new(self.target), Mutex::new(HashMap::new()));
        let threads = points.concurrency(self.threads).max(1);
        let max_records = self.max_records / threads;
        let mut workers: Vec<Worker> = (0..threads).map(|_| Worker::new(self.request)).collect();
        let scanned = scan_each(points, query, &mut workers, |worker, points| {
            self.progress.advance(0, points.len() as u64);
            match worker.add(points, &names, &runs, max_records) {
                Ok(()) => query.flow(),
                Err(error) => {
                    worker.failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        // An error of a worker has stopped the scan.
        if let Some(error) = workers.iter_mut().find_map(|worker| worker.failed.take()) {
            return Err(error);
        }
        scanned?;
        if self.request.by_category && workers.iter().any(|worker| worker.lacks_categories) {
            return Err(Error::invalid(Parameter::BY_CATEGORY, "the points have no categories"));
        }
        let names = names.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (names, ranks) = in_alphabetical_order(names);
        let memory = workers.iter_mut().map(|worker| worker.collector.take()).collect();
        let mut chunk = BinCollector::new(self.request);
        let mut last_cell = None;
        runs.merge(memory, |mut record: BinRecord| {
            if chunk.len() >= CHUNK_RECORDS && last_cell != Some(record.group.cell) {
                take(BinChunk { records: chunk.take(), categories: &names, read: 0 })?;
            }
            last_cell = Some(record.group.cell);
            record.group.category = ranks.get(record.group.category as usize).copied().unwrap_or(Categories::NONE);
            chunk.add_record(record);
            Ok(())
        })?;
        take(BinChunk { records: chunk.take(), categories: &names, read: 0 })
    }
}

/// Names in alphabetical order, and the index of each by its code.
fn in_alphabetical_order(codes: HashMap<Box<str>, u32>) -> (Vec<Box<str>>, Vec<u32>) {
    let mut names: Vec<(Box<str>, u32)> = codes.into_iter().collect();
    names.sort_unstable();
    let mut ranks = vec![0; names.len()];
    for (rank, (_, code)) in (0..).zip(&names) {
        ranks[*code as usize] = rank;
    }
    (names.into_iter().map(|(name, _)| name).collect(), ranks)
}

/// The sums of one thread.
struct Worker {
    request: BinsRequest,
    collector: BinCollector,
    x: Vec<u32>,
    y: Vec<u32>,
    lacks_categories: bool,
    failed: Option<Error>,
}

impl Worker {
    fn new(request: BinsRequest) -> Self {
        let collector = BinCollector::new(request);
        Self { request, collector, x: Vec::new(), y: Vec::new(), lacks_categories: false, failed: None }
    }

    /// Adds points. Those beyond the edge of the map are skipped.
    fn add(
        &mut self,
        points: Points<'_>,
        names: &Mutex<HashMap<Box<str>, u32>>,
        runs: &BinRuns,
        max_records: usize,
    ) -> Result<()> {
        let is_on_map = |index: &usize| fixed::is_on_map(points.lat()[*index]);
        let category = points.category().filter(|_| self.request.by_category);
        self.lacks_categories |= category.is_none() && !points.is_empty();
        let codes: Option<Vec<u32>> = category.map(|Categories { codes, names: own }| {
            let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
            let map: Vec<u32> = own.iter().map(|name| code_of(&mut names, name)).collect();
            codes.iter().map(|&code| map.get(code as usize).copied().unwrap_or(Categories::NONE)).collect()
        });
        let mut start = 0;
        while start < points.len() {
            let end = start + (start..points.len()).take_while(is_on_map).count();
            let inside = points.slice(start..end);
            self.x.clear();
            self.y.clear();
            fixed::to_fixed(inside, &mut self.x, &mut self.y);
            self.collector.add(&UnitColumns {
                x: &self.x,
                y: &self.y,
                weight: inside.weight(),
                time_us: inside.time_us(),
                category: codes.as_ref().map(|codes| &codes[start..end]),
                ..UnitColumns::default()
            });
            start = end + (end..points.len()).take_while(|index| !is_on_map(index)).count();
        }
        if self.collector.len() >= max_records {
            self.collector.compact();
            if self.collector.len() >= max_records / 2 {
                runs.write(&self.collector.take())?;
            }
        }
        Ok(())
    }
}

/// The code of a name, which is added if it is missing.
fn code_of(names: &mut HashMap<Box<str>, u32>, name: &str) -> u32 {
    if let Some(code) = names.get(name) {
        return *code;
    }
    let code = names.len() as u32;
    names.insert(name.into(), code);
    code
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cell_bins::{Bin, for_each_bin};
    use crate::source::{MemorySource, ResidentPoints};

    /// The sums of points, with as many records in memory.
    fn bins(
        points: Points<'_>,
        request: BinsRequest,
        threads: usize,
        max_records: usize,
    ) -> Vec<(Bin, Option<Box<str>>)> {
        let folder = tempfile::tempdir().unwrap();
        let query = Query::default().with_weights(true).with_times(true).with_categories(true);
        let points = ResidentPoints::load(&MemorySource(points), &query, usize::MAX).unwrap();
        let (target, progress) = (folder.path().join("out"), Progress::default());
        let sorter = BinSorter { max_records, ..BinSorter::new(request, &target, threads, &progress) };
        let mut bins = Vec::new();
        let mut take = |BinChunk { records, categories, .. }: BinChunk<'_>| {
            for_each_bin(&records, |bin| {
                bins.push((bin, categories.get(bin.group.category as usize).cloned()));
                Ok(())
            })
        };
        sorter.sum(&points, &query, &mut take).unwrap();
        bins
    }

    #[test]
    fn sums_depend_neither_on_the_memory_nor_on_the_threads() {
        const COUNT: usize = 60_000;
        let at = |i: usize, factor: f64| ((i as f64 * factor).fract() - 0.5) * 170.0;
        let lon: Vec<f64> = (0..COUNT).map(|i| at(i, 0.618_034)).collect();
        // Some of them are beyond the edge of the map.
        let lat: Vec<f64> = (0..COUNT).map(|i| at(i, 0.414_214) * 1.01).collect();
        let weight: Vec<f32> = (0..COUNT).map(|i| (i % 7) as f32 * 1e12 + 0.1).collect();
        let time_us: Vec<i64> = (0..COUNT as i64).map(|i| if i % 5 == 0 { Points::NO_TIME } else { i % 40 }).collect();
        let names: Vec<Box<str>> = ["tram", "bus", "ferry"].map(Into::into).to_vec();
        let codes: Vec<u32> = (0..COUNT as u32).map(|i| if i % 11 == 0 { Categories::NONE } else { i % 3 }).collect();
        let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap().with_time(&time_us).unwrap();
        let points = points.with_category(Categories { codes: &codes, names: &names }).unwrap();
        let on_map = lat.iter().filter(|lat| fixed::is_on_map(**lat)).count() as u64;
        assert!(on_map < COUNT as u64);
        for request in [
            BinsRequest { level: 9, ..BinsRequest::default() },
            BinsRequest { level: 3, period_us: Some(10), by_category: true },
        ] {
            let expected = bins(points, request, 1, usize::MAX);
            assert_eq!(expected.iter().map(|(bin, _)| bin.n).sum::<u64>(), on_map);
            let group = |(bin, name): &(Bin, Option<Box<str>>)| {
                (bin.group.cell, bin.group.time_us, name.is_none(), name.clone())
            };
            assert!(expected.is_sorted_by(|one, other| group(one) < group(other)));
            for (threads, max_records) in [(1, 500), (3, 2000), (2, usize::MAX)] {
                assert!(bins(points, request, threads, max_records) == expected, "{request:?} {threads} {max_records}");
            }
        }
    }
}
