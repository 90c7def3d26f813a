//! Points within bounds: all of them, a sample, or those with the greatest weights.

use std::collections::BinaryHeap;

use super::{Query, ScanReport, Source};
use crate::error::Result;
use crate::geo::{Bounds, Points};

/// The points that are returned if there are more than the maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PointOrder {
    /// A simple random sample, in input order: every point has the same probability. It is deterministic.
    #[default]
    Sample,
    /// The points with the greatest weights, in descending order.
    Weight,
}

/// A point within bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct PointWithin {
    /// Longitude, in the same copy of the world as the bounds; or x.
    pub lon: f64,
    /// Latitude, or y.
    pub lat: f64,
    /// Weight; 1 if the points have no weights.
    pub weight: f32,
    /// Time in microseconds since 1970, if the query selects times and the point has one.
    pub time_us: Option<i64>,
    /// Category, if the query selects categories and the point has one.
    pub category: Option<Box<str>>,
}

/// Points within bounds.
#[derive(Clone, Debug, Default)]
pub struct PointsWithin {
    /// Up to the maximum number of points.
    pub points: Vec<PointWithin>,
    /// The number of all points within the bounds.
    pub total: u64,
    /// The report of the scan.
    pub report: ScanReport,
}

impl PointsWithin {
    /// Whether there are more points than `points`.
    pub fn is_truncated(&self) -> bool {
        (self.points.len() as u64) < self.total
    }
}

/// The best points so far; the worst one is the greatest, on top of the heap.
struct Selection {
    heap: BinaryHeap<Selected>,
    max: usize,
    order: PointOrder,
}

/// A selected point. Points with a lower rank are preferred, and of equal ranks the first one.
struct Selected {
    rank: u64,
    index: u64,
    point: PointWithin,
}

impl PartialEq for Selected {
    fn eq(&self, other: &Self) -> bool {
        (self.rank, self.index) == (other.rank, other.index)
    }
}

impl Eq for Selected {}

impl PartialOrd for Selected {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Selected {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rank, self.index).cmp(&(other.rank, other.index))
    }
}

impl Selection {
    /// Adds a point, which `point` creates if it is selected.
    fn add(&mut self, index: u64, weight: f32, point: impl FnOnce() -> PointWithin) {
        let rank = match self.order {
            PointOrder::Sample => mixed(index),
            PointOrder::Weight => u64::from(descending(weight)),
        };
        if self.heap.len() < self.max {
            self.heap.push(Selected { rank, index, point: point() });
        } else if let Some(mut worst) = self.heap.peek_mut()
            && (rank, index) < (worst.rank, worst.index)
        {
            *worst = Selected { rank, index, point: point() };
        }
    }

    fn into_points(self) -> Vec<PointWithin> {
        let mut selected = self.heap.into_vec();
        match self.order {
            PointOrder::Sample => selected.sort_unstable_by_key(|selected| selected.index),
            PointOrder::Weight => selected.sort_unstable(),
        }
        selected.into_iter().map(|selected| selected.point).collect()
    }
}

/// A pseudo-random permutation of the integers: the finalizer of `SplitMix64` (Steele, Lea and Flood 2014, Fast Splittable
/// Pseudorandom Number Generators).
fn mixed(index: u64) -> u64 {
    let bits = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number that is lower for greater weights, in the total order of IEEE 754.
fn descending(weight: f32) -> u32 {
    let bits = weight.to_bits();
    // Ascending order: the sign bit is inverted, and for negative numbers all bits.
    let ascending = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    !ascending
}

/// The points of `source` inside `bounds`, edges included; if there are more than `max`, those that `order` selects. Without
/// an order, all of them are in input order.
///
/// # Errors
/// If the input cannot be read.
pub fn points_within(
    source: &dyn Source,
    query: &Query<'_>,
    bounds: Bounds,
    max: usize,
    order: PointOrder,
) -> Result<PointsWithin> {
    points_within_tolerance(source, query, bounds, 0.0, max, order)
}

/// The points as [`points_within`] returns them, also those that are at most `tolerance` outside of `bounds`, in degrees or
/// meters: rounding may have moved a point on an edge.
///
/// # Errors
/// As [`points_within`].
pub fn points_within_tolerance(
    source: &dyn Source,
    query: &Query<'_>,
    bounds: Bounds,
    tolerance: f64,
    max: usize,
    order: PointOrder,
) -> Result<PointsWithin> {
    let wraps = query.columns.space.wraps();
    let Bounds { west, south, east, north } = bounds;
    let bounds =
        Bounds { west: west - tolerance, south: south - tolerance, east: east + tolerance, north: north + tolerance };
    let width = bounds.east - bounds.west;
    let (mut selection, mut total) = (Selection { heap: BinaryHeap::new(), max, order }, 0);
    let mut sink = |batch: Points<'_>| {
        for i in 0..batch.len() {
            let (lon, lat) = (batch.lon()[i], batch.lat()[i]);
            // The longitude in the copy of the world of the bounds.
            let turns = if wraps { ((lon - bounds.west) / 360.0).floor() } else { 0.0 };
            let lon = lon - 360.0 * turns;
            if (0.0..=width).contains(&(lon - bounds.west)) && (bounds.south..=bounds.north).contains(&lat) {
                let weight = batch.weight().map_or(1.0, |weight| weight[i]);
                selection.add(total, weight, || PointWithin {
                    lon,
                    lat,
                    weight,
                    time_us: batch.time_us().map(|time_us| time_us[i]).filter(|time_us| *time_us != Points::NO_TIME),
                    category: batch.category().and_then(|category| category.name(i)).map(Box::from),
                });
                total += 1;
            }
        }
        query.flow()
    };
    let report = source.scan(&query.clone().with_near(Some(bounds)), &mut [&mut sink])?;
    Ok(PointsWithin { points: selection.into_points(), total, report })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;
    use crate::geo::Categories;
    use crate::source::MemorySource;

    const WORLD: Bounds = Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };

    fn within(points: Points<'_>, bounds: Bounds, max: usize, order: PointOrder) -> PointsWithin {
        let query = Query::default().with_weights(true).with_times(true).with_categories(true);
        points_within(&MemorySource(points), &query, bounds, max, order).unwrap()
    }

    fn lons(within: &PointsWithin) -> Vec<f64> {
        within.points.iter().map(|point| point.lon).collect()
    }

    #[test]
    fn points_within_bounds_are_counted_beyond_the_limit() {
        let points = Points::new(&[10.0, 11.0, 12.0, 179.0, -179.0], &[0.0; 5]).unwrap();
        let bounds = |west, east| Bounds { west, south: -1.0, east, north: 0.0 };
        let two = within(points, bounds(10.0, 12.0), 2, PointOrder::Sample);
        assert_eq!((two.points.len(), two.total, two.is_truncated()), (2, 3, true));
        let across = within(points, bounds(178.0, 182.0), 9, PointOrder::Sample);
        assert_eq!((lons(&across), across.total, across.is_truncated()), (vec![179.0, 181.0], 2, false));
        assert_eq!(within(points, bounds(10.0, 12.0), 0, PointOrder::Weight).total, 3);
    }

    #[test]
    fn the_sample_is_in_input_order_and_every_point_is_as_probable() {
        /// Positions in groups of a hundred, whose shares of the samples are compared.
        const GROUPS: usize = 20;
        let lon: Vec<f64> = (0..GROUPS * 100).map(|i| i as f64 / 100.0).collect();
        let lat = vec![0.0; lon.len()];
        let points = Points::new(&lon, &lat).unwrap();
        let sample = within(points, WORLD, 500, PointOrder::Sample);
        assert_eq!((sample.points.len(), sample.total), (500, 2000));
        assert_eq!(lons(&sample), lons(&within(points, WORLD, 500, PointOrder::Sample)));
        assert!(lons(&sample).is_sorted());
        let mut counts = [0_usize; GROUPS];
        sample.points.iter().for_each(|point| counts[point.lon as usize] += 1);
        // 25 of 100 are expected, with a standard deviation of 4.3 in each group.
        assert!(counts.iter().all(|count| (8..=42).contains(count)), "{counts:?}");
        let spread: f64 = counts.iter().map(|count| (*count as f64 - 25.0).powi(2)).sum::<f64>() / GROUPS as f64;
        assert!((4.0..60.0).contains(&spread), "not random: the variance is {spread}, expected 19 {counts:?}");
        let all = within(points, WORLD, 2000, PointOrder::Sample);
        assert_eq!(lons(&all), lon);
    }

    #[test]
    fn the_heaviest_points_are_in_descending_order_and_the_first_of_equal_ones_is_preferred() {
        let weights = [1.0, 7.0, -3.0, 7.0, 0.0, -0.5, 2.5, 7.0];
        let lon: Vec<f64> = (0..8).map(f64::from).collect();
        let points = Points::new(&lon, &[0.0; 8]).unwrap().with_weight(&weights).unwrap();
        let heaviest = |max| lons(&within(points, WORLD, max, PointOrder::Weight));
        assert_eq!(heaviest(2), [1.0, 3.0]);
        assert_eq!(heaviest(4), [1.0, 3.0, 7.0, 6.0]);
        assert_eq!(heaviest(9), [1.0, 3.0, 7.0, 6.0, 0.0, 4.0, 5.0, 2.0]);
    }

    #[test]
    fn a_point_keeps_its_time_and_category() {
        let names = ["bus".into()];
        let points = Points::new(&[1.0, 2.0], &[0.0; 2]).unwrap().with_time(&[5, Points::NO_TIME]).unwrap();
        let points = points.with_category(Categories { codes: &[Categories::NONE, 0], names: &names }).unwrap();
        let found = within(points, WORLD, 9, PointOrder::Sample).points;
        assert_eq!((found[0].time_us, found[0].category.as_deref()), (Some(5), None));
        assert_eq!((found[1].time_us, found[1].category.as_deref()), (None, Some("bus")));
    }
}
