//! Points in spatial order.

use super::{PointColumns, Query};
use crate::error::{Error, Result};
use crate::geo::{Categories, Points, morton};
use crate::parallel;

/// The bits of a key.
const KEY_BITS: u32 = u32::BITS;

/// The bits of a key that select its bucket. The buckets of a chunk are written at once, each to the end of its own range, so
/// that their last cache lines stay in the L2 cache.
const BUCKET_BITS: u32 = 11;

const BUCKETS: usize = 1 << BUCKET_BITS;

/// Copies points in the order of a Z-curve over their bounds, so that nearby points are consecutive; points in the same cell of
/// a grid of 65,536 by 65,536 cells keep their order. More points than an index of 32 bits can number keep theirs.
///
/// The order does not depend on `threads`. 10 million points take half of the time of a sort of indices by which the points are
/// then read one by one, even on one thread: points are moved twice, within ranges that fit in the caches.
///
/// # Errors
/// [`Error::Cancelled`] if `query` is stopped.
pub fn in_spatial_order(points: Points<'_>, query: &Query<'_>, threads: usize) -> Result<PointColumns> {
    if points.is_empty() || u32::try_from(points.len()).is_err() {
        let mut columns = PointColumns::default();
        columns.add(points);
        return Ok(columns);
    }
    let order = Order::of(points, threads.max(1));
    let mut columns = PointColumns::default();
    columns.lon = order.apply(points.lon(), query)?;
    columns.lat = order.apply(points.lat(), query)?;
    columns.weight = points.weight().map(|values| order.apply(values, query)).transpose()?;
    columns.time_us = points.time_us().map(|values| order.apply(values, query)).transpose()?;
    columns.track = points.track().map(|values| order.apply(values, query)).transpose()?;
    if let Some(Categories { codes, names }) = points.category() {
        let codes = order.apply(codes, query)?;
        columns.codes = Some(columns.own_codes(Categories { codes: &codes, names }));
    }
    Ok(columns)
}

/// The order of points: by bucket, and within a bucket.
struct Order {
    threads: usize,
    /// The points of a chunk, which a thread reads at a time.
    chunk_points: usize,
    /// The keys of the points, in the order of the input.
    keys: Vec<u32>,
    /// For each chunk, the start of each bucket among the points of the chunk, and their number.
    starts: Vec<Vec<usize>>,
    /// For each point of a bucket, its index among the points of the bucket in the order of the input.
    within: Vec<u32>,
}

impl Order {
    fn of(points: Points<'_>, threads: usize) -> Self {
        let grid = Grid::around(points, threads);
        let chunk_points = points.len().div_ceil(threads);
        let chunk = |start: usize| {
            let chunk = points.slice(start..points.len().min(start + chunk_points));
            let keys: Vec<u32> = chunk.lon().iter().zip(chunk.lat()).map(|(lon, lat)| grid.key(*lon, *lat)).collect();
            let mut starts = vec![0; BUCKETS + 1];
            for key in &keys {
                starts[bucket(*key) + 1] += 1;
            }
            for index in 1..starts.len() {
                starts[index] += starts[index - 1];
            }
            (keys, starts)
        };
        let chunks = parallel::map((0..points.len()).step_by(chunk_points), threads, chunk);
        let (keys, starts): (Vec<_>, Vec<_>) = chunks.into_iter().unzip();
        let mut order = Self { threads, chunk_points, keys: keys.concat(), starts, within: Vec::new() };
        order.within = order.sort_buckets();
        order
    }

    /// Sorts the points of each bucket by their keys.
    fn sort_buckets(&self) -> Vec<u32> {
        let grouped = self.group(&self.keys);
        let mut within = vec![0; self.keys.len()];
        self.for_each_bucket(&mut within, |bucket, within| {
            let keys = self.parts(bucket, &grouped).flatten();
            // Together with its index, each key is unique: equal ones keep their order.
            let mut rows: Vec<u64> = keys.zip(0..).map(|(key, index)| u64::from(*key) << u32::BITS | index).collect();
            rows.sort_unstable();
            within.iter_mut().zip(rows).for_each(|(index, row)| *index = row as u32);
        });
        within
    }

    /// Copies the values of the points in this order.
    fn apply<T: Copy + Default + Send + Sync>(&self, values: &[T], query: &Query<'_>) -> Result<Vec<T>> {
        let grouped = self.group(values);
        let mut ordered = vec![T::default(); values.len()];
        let mut rest = &self.within[..];
        let within: Vec<&[u32]> =
            (0..BUCKETS).map(|bucket| rest.split_off(..self.len(bucket)).unwrap_or_default()).collect();
        self.for_each_bucket(&mut ordered, |bucket, ordered| {
            if query.is_stopped() {
                return;
            }
            let values: Vec<T> = self.parts(bucket, &grouped).flatten().copied().collect();
            ordered.iter_mut().zip(within[bucket]).for_each(|(value, index)| *value = values[*index as usize]);
        });
        if query.is_stopped() { Err(Error::Cancelled) } else { Ok(ordered) }
    }

    /// The values of each chunk, by bucket.
    fn group<T: Copy + Default + Send + Sync>(&self, values: &[T]) -> Vec<Vec<T>> {
        let chunks = values.chunks(self.chunk_points).zip(self.keys.chunks(self.chunk_points)).zip(&self.starts);
        parallel::map(chunks.collect::<Vec<_>>(), self.threads, |((values, keys), starts)| {
            let (mut grouped, mut ends) = (vec![T::default(); values.len()], starts.clone());
            for (value, key) in values.iter().zip(keys) {
                let end = &mut ends[bucket(*key)];
                grouped[*end] = *value;
                *end += 1;
            }
            grouped
        })
    }

    /// The values of a bucket in the order of the input.
    fn parts<'g, T>(&'g self, bucket: usize, grouped: &'g [Vec<T>]) -> impl Iterator<Item = &'g [T]> {
        let chunks = grouped.iter().zip(&self.starts);
        chunks.map(move |(chunk, starts)| &chunk[starts[bucket]..starts[bucket + 1]])
    }

    /// The number of points in a bucket.
    fn len(&self, bucket: usize) -> usize {
        self.starts.iter().map(|starts| starts[bucket + 1] - starts[bucket]).sum()
    }

    /// Calls `work` with each bucket that has points, and its part of `values`.
    fn for_each_bucket<T: Send>(&self, values: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
        let mut rest = values;
        let parts = (0..BUCKETS).map(|bucket| (bucket, rest.split_off_mut(..self.len(bucket)).unwrap_or_default()));
        let parts: Vec<(usize, &mut [T])> = parts.filter(|(_, part)| !part.is_empty()).collect();
        parallel::for_each(parts, self.threads, |(bucket, part)| work(bucket, part));
    }
}

fn bucket(key: u32) -> usize {
    (key >> (KEY_BITS - BUCKET_BITS)) as usize
}

/// The grid of the curve, over the bounds of the points.
struct Grid {
    origin: [f64; 2],
    /// Cells per degree or plane unit.
    scale: [f64; 2],
}

impl Grid {
    /// The columns and rows.
    const SIDE: f64 = 65_536.0;

    fn around(points: Points<'_>, threads: usize) -> Self {
        let step = points.len().div_ceil(threads).max(1);
        let ranges = parallel::map((0..points.len()).step_by(step), threads, |start| {
            let part = points.slice(start..points.len().min(start + step));
            [range(part.lon()), range(part.lat())]
        });
        let none = [[f64::INFINITY, f64::NEG_INFINITY]; 2];
        let axes = ranges.into_iter().fold(none, |all, part| {
            std::array::from_fn(|axis| [all[axis][0].min(part[axis][0]), all[axis][1].max(part[axis][1])])
        });
        let scale = |[low, high]: [f64; 2]| if high > low { Self::SIDE / (high - low) } else { 0.0 };
        Self { origin: axes.map(|[low, _]| low), scale: axes.map(scale) }
    }

    fn key(&self, lon: f64, lat: f64) -> u32 {
        let cell = |axis: usize, value: f64| {
            ((value - self.origin[axis]) * self.scale[axis]).clamp(0.0, Self::SIDE - 1.0) as u32
        };
        morton::key(cell(0, lon), cell(1, lat)) as u32
    }
}

/// The least and the greatest value.
fn range(values: &[f64]) -> [f64; 2] {
    values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(*value), high.max(*value)])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Positions of which some are equal, in no order.
    fn positions(count: u64) -> (Vec<f64>, Vec<f64>) {
        let mix = |index: u64, salt: u64| ((index + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64;
        let at = |salt| (0..count).map(|index| mix(index % (count / 3 + 1), salt) / 1e5 - 80.0).collect();
        (at(1), at(7))
    }

    #[test]
    fn the_order_is_that_of_a_stable_sort_by_cell_with_any_number_of_threads() {
        let (lon, lat) = positions(5000);
        let weight: Vec<f32> = (0..5000u16).map(f32::from).collect();
        let time: Vec<i64> = (0..5000).map(|index| index * 3).collect();
        let track: Vec<u64> = (0..5000).rev().collect();
        let codes: Vec<u32> = (0..5000).map(|index| [0, 1, 2, Categories::NONE][index % 4]).collect();
        let names = ["a", "b", "c"].map(Box::from);
        let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap().with_time(&time).unwrap();
        let points = points.with_track(&track).unwrap();
        let points = points.with_category(Categories { codes: &codes, names: &names }).unwrap();
        let grid = Grid::around(points, 1);
        let mut expected: Vec<usize> = (0..points.len()).collect();
        expected.sort_by_key(|index| grid.key(lon[*index], lat[*index]));
        assert!(expected.windows(2).any(|pair| pair[0] > pair[1]));
        for threads in [0, 1, 2, 3, 16] {
            let columns = in_spatial_order(points, &Query::default(), threads).unwrap();
            let found = columns.points();
            let category = found.category().unwrap();
            assert_eq!(found.len(), points.len());
            for (at, &index) in expected.iter().enumerate() {
                assert_eq!((found.lon()[at], found.lat()[at]), (lon[index], lat[index]), "{threads}: {at}");
                assert_eq!(found.weight().unwrap()[at].to_bits(), weight[index].to_bits());
                assert_eq!(found.time_us().unwrap()[at], time[index]);
                assert_eq!(found.track().unwrap()[at], track[index]);
                assert_eq!(category.name(at), points.category().unwrap().name(index));
            }
        }
    }

    #[test]
    fn few_points_and_points_at_one_place_keep_their_order() {
        for count in [0, 1, 5] {
            let (lon, lat) = (vec![3.0; count], vec![-4.0; count]);
            let weight: Vec<f32> = (0..count as u16).map(f32::from).collect();
            let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap();
            let columns = in_spatial_order(points, &Query::default(), 4).unwrap();
            assert_eq!(columns.points().weight().unwrap_or_default(), weight);
        }
    }

    #[test]
    fn a_stopped_query_cancels_it() {
        let (lon, lat) = positions(100);
        let stop = AtomicBool::new(true);
        let query = Query::default().with_stop(Some(&stop));
        let result = in_spatial_order(Points::new(&lon, &lat).unwrap(), &query, 2);
        assert!(matches!(result, Err(Error::Cancelled)));
    }
}
