//! Distributions of the weights, times and categories of points, for charts.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Result;
use crate::geo::{Categories, Points};
use crate::http::parameters::filter::Filter;
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set, time_text};
use crate::source::{Query, Sink};

parameter_set! {
    /// The resolution of distributions.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct DistributionOptions {
        /// Number of bins of the distributions of weights and times. Without it the response has no distributions.
        pub(super) bins: u64 = Declaration::new(Parameter::BINS, Kind::Integer { min: 1, max: 500 }).example("48"),
    }
}

/// Distributions of the points.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct DistributionsReply {
    /// Weights; null if every point weighs 1, there are no points, or the rows of the layer are bins, of which the single
    /// weights are not known.
    weights: Option<WeightBins>,
    /// Times; null if no point has a time.
    times: Option<TimeBins>,
    /// Up to 50 categories with the most points, in descending order; null if no point has a category.
    categories: Option<Vec<CategoryPoints>>,
}

/// Bins of weights, from the minimum to the maximum. They are of equal width, or, if no weight is negative and the
/// maximum exceeds 100 times the mean, of equal ratio from a hundredth of the mean; the first bin then starts at the minimum.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct WeightBins {
    /// Edges of the bins, one more than the bins.
    edges: Vec<f64>,
    /// Number of points per bin.
    points: Vec<u64>,
}

/// Bins of equal duration, from the first time to the last; of a layer of bins, each has whole buckets, so there may be fewer.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct TimeBins {
    /// Start of the first bin, in RFC 3339 format.
    #[schema(example = "2024-01-01T00:00:00Z")]
    start: String,
    /// End of the last bin, in RFC 3339 format.
    #[schema(example = "2024-03-01T12:30:00Z")]
    end: String,
    /// Number of points per bin.
    points: Vec<u64>,
}

/// A category with the number of its points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct CategoryPoints {
    /// Name of the category.
    #[schema(example = "bus")]
    name: String,
    /// Number of points.
    #[schema(example = 34)]
    points: u64,
}

/// The ranges of the points whose distributions are computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranges {
    /// Minimum, maximum and mean.
    pub(super) weight: Option<[f64; 3]>,
    /// First and last time.
    pub(super) time_us: Option<[i64; 2]>,
}

impl DistributionsReply {
    const MAX_CATEGORIES: usize = 50;
    /// Weights are skewed if their maximum exceeds this multiple of their mean.
    const SKEWED: f64 = 100.0;

    /// Computes the distributions of the points that pass the filter.
    pub(super) fn compute(
        layer: &Layer,
        filter: &Filter,
        query: &Query<'_>,
        ranges: Ranges,
        bins: usize,
    ) -> Result<Self> {
        let query = filter.applied_to(query.clone()).with_bins(true);
        let is_single = layer.bin_level().is_none();
        let mut categories = CategoryCounts::default();
        let mut weights = ranges.weight.filter(|_| is_single).map(|[min, max, mean]| {
            let is_skewed = min >= 0.0 && max > Self::SKEWED * mean;
            if is_skewed {
                Bins::of_equal_ratio(min, mean / Self::SKEWED, max, bins)
            } else {
                Bins::of_equal_width(min, max, bins)
            }
        });
        let first = query.clone().with_weights(true).with_categories(true);
        scan(layer, &first, |batch| {
            categories.add(batch);
            if let Some(weights) = &mut weights {
                batch.weight().into_iter().flatten().for_each(|weight| weights.add(f64::from(*weight)));
            }
        })?;
        // In a separate scan, since a scan with times rejects points whose time is invalid.
        let ranges = ranges.time_us.map(|range| whole_buckets(range, layer.bucket_us(), bins));
        let mut times = ranges.map(|([start, end], bins)| Bins::of_equal_width(0.0, (end - start) as f64, bins));
        // In the middle of its bucket, a time is in the right bin in spite of rounding.
        let half = layer.bucket_us().map_or(0, |bucket_us| bucket_us.cast_signed() / 2);
        if let (Some(times), Some(([start, _], _))) = (&mut times, ranges) {
            scan(layer, &query.with_weights(false).with_times(true), |batch| {
                let all = batch.time_us().into_iter().flatten().enumerate();
                let valid = all.filter(|(_, time)| **time != Points::NO_TIME);
                valid.for_each(|(row, time)| times.add_many((time - start + half) as f64, batch.points_of(row)));
            })?;
        }
        Ok(Self {
            weights: weights.map(|Bins { edges, points }| WeightBins { edges, points }),
            times: ranges.zip(times).map(|(([start, end], _), Bins { points, .. })| TimeBins {
                start: time_text(start),
                end: time_text(end),
                points,
            }),
            categories: categories.largest(Self::MAX_CATEGORIES),
        })
    }
}

/// The range of times, and the number of bins. Of times at the begins of buckets, each bin has the same whole number of
/// buckets, so there may be fewer bins.
fn whole_buckets([start, end]: [i64; 2], bucket_us: Option<u64>, bins: usize) -> ([i64; 2], usize) {
    let Some(bucket_us) = bucket_us else { return ([start, end], bins) };
    let buckets = end.abs_diff(start) / bucket_us.max(1) + 1;
    let per_bin = buckets.div_ceil(bins.max(1) as u64);
    let bins = buckets.div_ceil(per_bin);
    ([start, start.saturating_add_unsigned(bins * per_bin * bucket_us)], bins as usize)
}

/// Numbers of points in bins.
#[derive(Debug)]
struct Bins {
    /// Ascending, one more than the bins.
    edges: Vec<f64>,
    points: Vec<u64>,
}

impl Bins {
    /// Bins of equal width from `min` to `max`.
    fn of_equal_width(min: f64, max: f64, bins: usize) -> Self {
        Self::new(min, max, bins, |share| min + share * (max - min))
    }

    /// Bins of equal ratio from `low` to `max`, with the values from `min` to `low` in the first.
    fn of_equal_ratio(min: f64, low: f64, max: f64, bins: usize) -> Self {
        Self::new(min, max, bins, |share| low * (max / low).powf(share))
    }

    /// Bins with inner edges by their share of the bins.
    fn new(min: f64, max: f64, bins: usize, inner: impl Fn(f64) -> f64) -> Self {
        let mut edges = vec![min];
        edges.extend((1..bins).map(|i| inner(i as f64 / bins as f64).clamp(min, max)));
        edges.push(max);
        Self { edges, points: vec![0; bins] }
    }

    /// Counts a point. A bin includes its lower edge, and the last one also its upper. If all values are equal, they are in
    /// the first bin.
    fn add(&mut self, value: f64) {
        self.add_many(value, 1);
    }

    /// Counts `points` points of a value.
    fn add_many(&mut self, value: f64, points: u64) {
        let last = self.points.len().saturating_sub(1);
        let is_equal = self.edges.first() == self.edges.last();
        let index =
            if is_equal { 0 } else { self.edges.partition_point(|edge| *edge <= value).saturating_sub(1).min(last) };
        if let Some(count) = self.points.get_mut(index) {
            *count = count.saturating_add(points);
        }
    }
}

/// Numbers of points by category.
#[derive(Debug, Default)]
struct CategoryCounts(BTreeMap<String, u64>);

impl CategoryCounts {
    fn add(&mut self, batch: Points<'_>) {
        let Some(Categories { codes, names }) = batch.category() else { return };
        let mut counts = vec![0; names.len()];
        for (row, code) in codes.iter().enumerate() {
            if let Some(count) = counts.get_mut(*code as usize) {
                *count += batch.points_of(row);
            }
        }
        for (name, count) in names.iter().zip(counts).filter(|(_, count)| *count > 0) {
            *self.0.entry(name.to_string()).or_default() += count;
        }
    }

    /// The categories with the most points, by number and name; `None` without categories.
    fn largest(self, max: usize) -> Option<Vec<CategoryPoints>> {
        let mut all: Vec<_> = self.0.into_iter().map(|(name, points)| CategoryPoints { name, points }).collect();
        all.sort_by(|a, b| b.points.cmp(&a.points).then_with(|| a.name.cmp(&b.name)));
        all.truncate(max);
        (!all.is_empty()).then_some(all)
    }
}

/// Calls `each` with batches of all points that pass the query.
pub(super) fn scan(layer: &Layer, query: &Query<'_>, mut each: impl FnMut(Points<'_>) + Send) -> Result<()> {
    let sink: &mut Sink<'_> = &mut |batch: Points<'_>| {
        each(batch);
        query.flow()
    };
    layer.point_set().scan(query, &mut [sink]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_contain_their_lower_edge_and_the_last_one_also_its_upper() {
        let mut bins = Bins::of_equal_width(1.0, 5.0, 4);
        for value in [1.0, 1.99, 2.0, 4.0, 5.0] {
            bins.add(value);
        }
        assert_eq!(bins.points, [2, 1, 0, 2]);
        let mut equal = Bins::of_equal_width(3.0, 3.0, 4);
        for value in [3.0, 3.0] {
            equal.add(value);
        }
        assert_eq!(equal.points, [2, 0, 0, 0]);
    }

    #[test]
    fn bins_of_times_have_whole_buckets() {
        const DAY_US: u64 = 86_400_000_000;
        let day = |day: i64| day * DAY_US.cast_signed();
        assert_eq!(whole_buckets([3, 7], None, 48), ([3, 7], 48));
        assert_eq!(whole_buckets([day(5), day(5)], Some(DAY_US), 48), ([day(5), day(6)], 1));
        assert_eq!(whole_buckets([day(0), day(29)], Some(DAY_US), 48), ([day(0), day(30)], 30));
        assert_eq!(whole_buckets([day(-1), day(99)], Some(DAY_US), 48), ([day(-1), day(101)], 34));
    }

    #[test]
    fn bins_of_equal_ratio_spread_skewed_weights() {
        let mut bins = Bins::of_equal_ratio(0.0, 1.0, 1000.0, 3);
        for value in [0.0, 0.5, 9.0, 11.0, 99.0, 1000.0] {
            bins.add(value);
        }
        assert_eq!(bins.points, [3, 2, 1]);
        assert!(
            bins.edges.iter().zip([0.0, 10.0, 100.0, 1000.0]).all(|(edge, expected)| (edge - expected).abs() < 1e-9)
        );
    }

    #[test]
    fn the_largest_categories_are_first() {
        let counts =
            CategoryCounts([("bus", 2), ("tram", 5), ("boat", 2)].map(|(name, n)| (name.to_owned(), n)).into());
        let names = |max| counts_of(&counts, max).into_iter().map(|category| category.name).collect::<Vec<_>>();
        assert_eq!(names(3), ["tram", "boat", "bus"]);
        assert_eq!(names(1), ["tram"]);
        assert_eq!(CategoryCounts::default().largest(3), None);
    }

    fn counts_of(counts: &CategoryCounts, max: usize) -> Vec<CategoryPoints> {
        CategoryCounts(counts.0.clone()).largest(max).unwrap_or_default()
    }
}
