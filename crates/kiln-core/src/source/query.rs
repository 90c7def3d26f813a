//! Queries: the columns, the filter and the context of a scan.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{CategorySet, Comparison, CoordinateSpace, Operand, Progress};
use crate::calendar::TimePartFilter;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Polygon};
use crate::parameter::Parameter;

/// A query of points. The default selects the positions of all points on the globe.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    /// The columns to read.
    pub columns: ColumnSelection,
    /// The filter that selects points.
    pub filter: Filter,
    /// The context of the scan.
    pub scan: ScanContext<'a>,
}

/// The columns to read.
#[allow(clippy::struct_excessive_bools, reason = "each is one column")]
#[derive(Clone, Debug, Default)]
pub struct ColumnSelection {
    /// The names of columns; `None`: detected by their usual names.
    pub names: Columns,
    /// The coordinate space of the points.
    pub space: CoordinateSpace,
    /// Whether batches have weights. If not, no weight column is read. Default: `false`.
    pub weights: bool,
    /// Whether batches have times, if the input has them. An input without times is not an error, unless `names` names
    /// the column. A row with an invalid time is rejected; one without a time has
    /// [`Points::NO_TIME`](crate::geo::Points::NO_TIME). Default: `false`.
    pub times: bool,
    /// Whether an input without times is an error. Default: `false`.
    pub requires_times: bool,
    /// Whether batches have categories, if the input has them. An input without categories is not an error, unless
    /// `names` names the column. Default: `false`.
    pub categories: bool,
    /// Whether batches need no positions: those that are passed may be zeros, and the input needs no coordinates. Rows
    /// with invalid positions may then pass. Not with a polygon. Default: `false`.
    pub without_positions: bool,
    /// Whether batches have tracks, if the input has them. An input without tracks is not an error, unless `names` names
    /// the column. Default: `false`.
    pub tracks: bool,
    /// Whether rows may stand for many points each: see [`Points::bins`](crate::geo::Points::bins). If not, a source of
    /// such rows is an error. Default: `false`.
    pub bins: bool,
}

/// The names of the columns (CSV headers, Parquet columns, GeoJSON properties). A number selects a column by its
/// position from 1 if no column has that name; `None` detects the column by its usual names. With
/// [`Columns::NO_COLUMN`] as its name, a weight, time, category or track is not read.
///
/// In JSON and GeoJSON, the usual names are detected in the first 1000 rows; members that first occur later must be
/// named.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Longitude or x: `lon`, `lng`, `long`, `longitude`, `x`.
    pub lon: Option<String>,
    /// Latitude or y: `lat`, `latitude`, `y`.
    pub lat: Option<String>,
    /// Weight: `weight`, `value`, `w`, `count`, `population`, `pop`, `magnitude`, `mag`, `intensity`.
    pub weight: Option<String>,
    /// Time: `time`, `timestamp`, `datetime`, `date`.
    pub time: Option<String>,
    /// Category: `category`, `type`, `class`, `kind`.
    pub category: Option<String>,
    /// Track, the id of a person or device: `track`, `track_id`, `trajectory`, `object_id`, `person_id`, `device_id`.
    pub track: Option<String>,
    /// Geometry, in place of longitude and latitude: `geometry`, `geom`, `wkt`, `location` and the like.
    pub geometry: Option<String>,
}

impl Columns {
    /// The name that disables a column: `none`.
    pub const NO_COLUMN: &str = "none";
}

/// A filter of points. All of its conditions must match; the default matches all points.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Inclusive start of the time range, in microseconds since 1970-01-01 UTC; `None`: unbounded.
    pub start_us: Option<i64>,
    /// Exclusive end of the time range, in microseconds since 1970-01-01 UTC; `None`: unbounded.
    pub end_us: Option<i64>,
    /// Filters by parts of the local time, which must all match.
    pub time_parts: Vec<TimePartFilter>,
    /// The categories that match; empty: all.
    pub categories: CategorySet,
    /// The polygon that contains the points; `None`: no restriction. It must be in the coordinate space of the points:
    /// see [`Polygon::wraps`].
    pub polygon: Option<Arc<Polygon>>,
    /// Comparisons of columns of a live table; other sources do not support them.
    pub comparisons: Vec<Comparison>,
}

/// The context of a scan. It does not affect which points match the filter.
#[derive(Clone, Copy, Debug)]
pub struct ScanContext<'a> {
    /// The bounds of interest. Points outside them may be skipped; they count as read.
    pub near: Option<Bounds>,
    /// The maximum number of rejected rows that the report describes. All are counted. Default: 5.
    pub max_rejections: usize,
    /// The progress to update.
    pub progress: Option<&'a Progress>,
    /// The cancellation flag. Once the caller sets it, the scan returns [`Error::Cancelled`].
    pub stop: Option<&'a AtomicBool>,
}

impl Default for ScanContext<'_> {
    fn default() -> Self {
        Self { near: None, max_rejections: 5, progress: None, stop: None }
    }
}

/// A category that no point has.
const NO_CATEGORY: &str = "\u{10ffff}";

impl Filter {
    /// Whether the filter has any condition.
    pub fn is_active(&self) -> bool {
        self.filters_time() || self.filters_category() || self.polygon.is_some() || !self.comparisons.is_empty()
    }

    /// Whether the filter has conditions on times, so that points without a time do not match.
    pub fn filters_time(&self) -> bool {
        self.filters_time_range() || !self.time_parts.is_empty()
    }

    /// Whether the filter has a time range.
    pub fn filters_time_range(&self) -> bool {
        self.start_us.is_some() || self.end_us.is_some()
    }

    /// The parameter that an error about times names: that of the first condition on times.
    pub fn time_parameter(&self) -> Parameter {
        match self.time_parts.first() {
            Some(filter) if !self.filters_time_range() => filter.parameter(),
            _ => Parameter::START,
        }
    }

    /// Whether the filter has categories.
    pub fn filters_category(&self) -> bool {
        !self.categories.is_empty()
    }

    /// The intersection of two filters. Only one polygon is supported: if both have one, that of `other` is ignored.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.start_us = self.start_us.max(other.start_us);
        self.end_us = match (self.end_us, other.end_us) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        for filter in &other.time_parts {
            if !self.time_parts.contains(filter) {
                self.time_parts.push(filter.clone());
            }
        }
        if self.categories.is_empty() {
            self.categories = other.categories.clone();
        } else if !other.categories.is_empty() {
            self.categories = self.categories.intersection(&other.categories);
            if self.categories.is_empty() {
                self.categories = [Box::from(NO_CATEGORY)].into_iter().collect();
            }
        }
        self.polygon = self.polygon.or_else(|| other.polygon.as_ref().map(Arc::clone));
        self.comparisons.extend(other.comparisons.iter().cloned());
        self
    }
}

impl Filter {
    /// The memory of the filter in bytes, about.
    pub fn bytes(&self) -> usize {
        let text = |comparison: &Comparison| {
            let operand = if let Operand::Text(text) = &comparison.operand { text.len() } else { 0 };
            size_of::<Comparison>() + comparison.column.len() + operand
        };
        size_of::<Self>()
            + self.categories.bytes()
            + self.time_parts.len() * size_of::<TimePartFilter>()
            + self.comparisons.iter().map(text).sum::<usize>()
            + self.polygon.as_ref().map_or(0, |polygon| polygon.bytes())
    }
}

impl fmt::Display for Filter {
    /// Writes the canonical text, which is the same for equal filters in every process, and different for different
    /// ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, time_us) in [("start", self.start_us), ("end", self.end_us)] {
            if let Some(time_us) = time_us {
                write!(f, "{name}={time_us};")?;
            }
        }
        self.time_parts.iter().try_for_each(|filter| write!(f, "{filter}"))?;
        for category in self.categories.names() {
            write!(f, "category=\"{}\";", category.escape_default())?;
        }
        for (part, [south, north]) in self.polygon.iter().flat_map(|polygon| polygon.edges()) {
            write!(f, "edge={part},{},{},{},{};", south[0], south[1], north[0], north[1])?;
        }
        self.comparisons.iter().try_for_each(|comparison| write!(f, "where={comparison};"))
    }
}

impl<'a> Query<'a> {
    /// Whether the caller has cancelled the scan.
    pub fn is_stopped(&self) -> bool {
        self.scan.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Checks that the polygon is in the coordinate space of the points.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the polygon if it is not.
    pub fn check_polygon(&self) -> Result<()> {
        let reason = match (self.filter.polygon.as_ref().map(|polygon| polygon.wraps()), self.columns.space) {
            (Some(true), CoordinateSpace::Plane) => "a polygon in degrees cannot filter points on a plane",
            (Some(false), CoordinateSpace::Globe) => "a polygon on a plane cannot filter points on the globe",
            _ => return Ok(()),
        };
        Err(Error::invalid(Parameter::POLYGON, reason))
    }

    /// The return value of a sink: `Break` if the caller has cancelled the scan, otherwise `Continue`.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The part of the `bounds` of points that the query is interested in: within [`ScanContext::near`] and the bounds
    /// of the polygon; `None` if there is none. On the globe, bounds in other copies of the world are not found.
    pub fn bounds_of_interest(&self, bounds: Bounds) -> Option<Bounds> {
        let polygon = self.filter.polygon.as_ref().map(|polygon| polygon.bounds());
        let within = self.scan.near.into_iter().chain(polygon).fold(bounds, |bounds, other| Bounds {
            west: bounds.west.max(other.west),
            south: bounds.south.max(other.south),
            east: bounds.east.min(other.east),
            north: bounds.north.min(other.north),
        });
        (within.west <= within.east && within.south <= within.north).then_some(within)
    }

    /// Sets the names of the columns.
    #[must_use]
    pub fn with_names(mut self, names: Columns) -> Self {
        self.columns.names = names;
        self
    }

    /// Sets the coordinate space.
    #[must_use]
    pub fn with_coordinate_space(mut self, space: CoordinateSpace) -> Self {
        self.columns.space = space;
        self
    }

    /// Sets whether batches have weights.
    #[must_use]
    pub fn with_weights(mut self, weights: bool) -> Self {
        self.columns.weights = weights;
        self
    }

    /// Sets whether batches have times.
    #[must_use]
    pub fn with_times(mut self, times: bool) -> Self {
        self.columns.times = times;
        self
    }

    /// Sets whether batches have categories.
    #[must_use]
    pub fn with_categories(mut self, categories: bool) -> Self {
        self.columns.categories = categories;
        self
    }

    /// Sets whether an input without times is an error.
    #[must_use]
    pub fn with_required_times(mut self, required: bool) -> Self {
        self.columns.requires_times = required;
        self
    }

    /// Sets whether batches need positions.
    #[must_use]
    pub fn with_positions(mut self, positions: bool) -> Self {
        self.columns.without_positions = !positions;
        self
    }

    /// Sets whether rows may stand for many points each.
    #[must_use]
    pub fn with_bins(mut self, bins: bool) -> Self {
        self.columns.bins = bins;
        self
    }

    /// Sets whether batches have tracks.
    #[must_use]
    pub fn with_tracks(mut self, tracks: bool) -> Self {
        self.columns.tracks = tracks;
        self
    }

    /// Sets the filter.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets the inclusive start of the time range, in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn with_start(mut self, start_us: Option<i64>) -> Self {
        self.filter.start_us = start_us;
        self
    }

    /// Sets the exclusive end of the time range, in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn with_end(mut self, end_us: Option<i64>) -> Self {
        self.filter.end_us = end_us;
        self
    }

    /// Sets the categories that match; empty: all.
    #[must_use]
    pub fn with_category_filter(mut self, categories: Vec<String>) -> Self {
        self.filter.categories = categories.into();
        self
    }

    /// Sets the filters by parts of the local time.
    #[must_use]
    pub fn with_time_parts(mut self, time_parts: Vec<TimePartFilter>) -> Self {
        self.filter.time_parts = time_parts;
        self
    }

    /// Sets the polygon that contains the points.
    #[must_use]
    pub fn with_polygon(mut self, polygon: Option<Arc<Polygon>>) -> Self {
        self.filter.polygon = polygon;
        self
    }

    /// Sets the comparisons of columns.
    #[must_use]
    pub fn with_comparisons(mut self, comparisons: Vec<Comparison>) -> Self {
        self.filter.comparisons = comparisons;
        self
    }

    /// Sets the bounds of interest.
    #[must_use]
    pub fn with_near(mut self, near: Option<Bounds>) -> Self {
        self.scan.near = near;
        self
    }

    /// Sets the maximum number of rejected rows to describe.
    #[must_use]
    pub fn with_max_rejections(mut self, max_rejections: usize) -> Self {
        self.scan.max_rejections = max_rejections;
        self
    }

    /// Sets the progress to update.
    #[must_use]
    pub fn with_progress<'b>(self, progress: Option<&'b Progress>) -> Query<'b>
    where
        'a: 'b,
    {
        let Self { columns, filter, scan } = self;
        Query { columns, filter, scan: ScanContext { progress, ..scan } }
    }

    /// Sets the cancellation flag.
    #[must_use]
    pub fn with_stop<'b>(self, stop: Option<&'b AtomicBool>) -> Query<'b>
    where
        'a: 'b,
    {
        let Self { columns, filter, scan } = self;
        Query { columns, filter, scan: ScanContext { stop, ..scan } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Operand, Operator};

    #[test]
    fn the_text_of_a_filter_is_canonical() {
        assert_eq!(Filter::default().to_string(), "");
        let polygon = Polygon::new(&[vec![vec![[0.0, 0.5], [9.0, 0.5], [9.0, 9.0], [0.0, 0.5]]]]).map(Arc::new).ok();
        let comparison =
            Comparison { column: "a\"b".into(), operator: Operator::AtLeast, operand: Operand::Number(0.1) };
        let filter = Filter {
            start_us: Some(-1),
            end_us: Some(2),
            time_parts: vec![TimePartFilter {
                hours: "7-9".parse().ok(),
                weekdays: None,
                months: None,
                zone: jiff::tz::TimeZone::UTC,
            }],
            categories: vec!["x;y".into(), "z".into()].into(),
            polygon,
            comparisons: vec![comparison],
        };
        let expected = r#"start=-1;end=2;hours=7-9;tz=UTC;category="x;y";category="z";edge=0,9,0.5,9,9;edge=0,0,0.5,9,9;where="a\"b">=0.1;"#;
        assert_eq!(filter.to_string(), expected);
        let one = Filter { categories: vec!["x\";category=\"y".into()].into(), ..Filter::default() };
        let two = Filter { categories: vec!["x".into(), "y".into()].into(), ..Filter::default() };
        assert_ne!(one.to_string(), two.to_string());
    }

    #[test]
    fn and_is_the_intersection_of_two_filters() {
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let filter = |start_us, end_us, names: &[&str]| Filter {
            start_us,
            end_us,
            categories: text(names).into(),
            ..Filter::default()
        };
        let both = |other: Filter| {
            let both = Filter::default().and(&filter(Some(1), Some(9), &["a", "b"])).and(&other);
            (both.start_us, both.end_us, both.categories.to_strings())
        };
        assert_eq!(both(filter(Some(3), None, &["b", "c"])), (Some(3), Some(9), text(&["b"])));
        assert_eq!(both(filter(None, Some(12), &[])), (Some(1), Some(9), text(&["a", "b"])));
        assert_eq!(both(filter(None, None, &["c"])).2, [NO_CATEGORY]);
    }
}
