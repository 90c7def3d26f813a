//! What a scan delivers: which columns, which points, and under which conditions it runs.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Comparison, CoordinateSpace, Progress};
use crate::geo::{Bounds, Polygon};

/// What a scan delivers. The default is the positions of all points on the globe.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    /// What is read of each point.
    pub columns: ColumnSelection,
    /// Which points pass.
    pub filter: Filter,
    /// The conditions under which the scan runs.
    pub scan: ScanContext<'a>,
}

/// What is read of each point.
#[derive(Clone, Debug, Default)]
pub struct ColumnSelection {
    /// Columns by name; `None`: found by their usual names.
    pub names: Columns,
    /// Which coordinates are valid.
    pub space: CoordinateSpace,
    /// Whether batches carry weights. If not, no weight column is read. Default: `false`.
    pub weights: bool,
    /// Whether batches carry times, where the input has them: it is no error if it has none, unless `names` names one. A
    /// row with an invalid time is rejected; one without a time has [`Points::NO_TIME`](crate::geo::Points::NO_TIME).
    /// Default: `false`.
    pub times: bool,
    /// Whether batches carry categories, where the input has them: it is no error if it has none, unless `names` names
    /// one. Default: `false`.
    pub categories: bool,
}

/// The columns (CSV headers, Parquet columns, GeoJSON properties), each by its name, or by its number from 1 where no
/// column has that name; `None`: found by their usual names. A weight, time or category called [`Columns::NO_COLUMN`] is not
/// read.
///
/// In JSON and GeoJSON the usual names are searched in the first 1000 rows; a member that comes later must be named.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Longitude or x: `lon`, `lng`, `long`, `longitude`, `x`.
    pub lon: Option<String>,
    /// Latitude or y: `lat`, `latitude`, `y`.
    pub lat: Option<String>,
    /// Weight: `weight`, `value`, `w`, `count`.
    pub weight: Option<String>,
    /// Time: `time`, `timestamp`, `datetime`, `date`.
    pub time: Option<String>,
    /// Category: `category`, `type`, `class`, `kind`.
    pub category: Option<String>,
    /// Geometry, in place of longitude and latitude: `geometry`, `geom`, `wkt`, `location` and the like.
    pub geometry: Option<String>,
}

impl Columns {
    /// The name that stands for no column: `none`.
    pub const NO_COLUMN: &str = "none";
}

/// Which points pass. The default passes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// First instant that passes, in microseconds since 1970-01-01 UTC; `None`: no lower end.
    pub start_us: Option<i64>,
    /// First instant that no longer passes, in microseconds since 1970-01-01 UTC; `None`: no upper end.
    pub end_us: Option<i64>,
    /// Categories that pass; empty: all of them.
    pub categories: Vec<String>,
    /// The polygon whose points pass, on the globe; `None`: all of it. On a plane it is an error.
    pub polygon: Option<Arc<Polygon>>,
    /// Conditions on columns of a live table; other sources have none.
    pub comparisons: Vec<Comparison>,
}

/// The conditions under which a scan runs; none of them changes which points pass the filter.
#[derive(Clone, Copy, Debug)]
pub struct ScanContext<'a> {
    /// The bounds that the caller looks at. Points beyond them may be left out; they count as read.
    pub near: Option<Bounds>,
    /// How many rejected rows the report keeps with their reasons, the first ones; 5 by default. All are counted.
    pub max_rejections: usize,
    /// Where the scan reports its progress.
    pub progress: Option<&'a Progress>,
    /// Set by the caller to cancel the scan, which then ends with [`Error::Cancelled`](crate::Error::Cancelled).
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
    /// Whether any point could be left out.
    pub fn is_active(&self) -> bool {
        self.filters_time() || self.filters_category() || self.polygon.is_some() || !self.comparisons.is_empty()
    }

    /// Whether points are left out by their time.
    pub fn filters_time(&self) -> bool {
        self.start_us.is_some() || self.end_us.is_some()
    }

    /// Whether points are left out by their category.
    pub fn filters_category(&self) -> bool {
        !self.categories.is_empty()
    }

    /// The filter that passes what both filters pass. There can be only one polygon: where this filter has one, that of
    /// `other` is not used.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.start_us = self.start_us.max(other.start_us);
        self.end_us = match (self.end_us, other.end_us) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        if self.categories.is_empty() {
            self.categories.clone_from(&other.categories);
        } else if !other.categories.is_empty() {
            self.categories.retain(|category| other.categories.contains(category));
            if self.categories.is_empty() {
                self.categories.push(NO_CATEGORY.to_owned());
            }
        }
        self.polygon = self.polygon.or_else(|| other.polygon.as_ref().map(Arc::clone));
        self.comparisons.extend(other.comparisons.iter().cloned());
        self
    }
}

impl fmt::Display for Filter {
    /// Writes the canonical text: the same for equal filters in every process, and different for different ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, time_us) in [("start", self.start_us), ("end", self.end_us)] {
            if let Some(time_us) = time_us {
                write!(f, "{name}={time_us};")?;
            }
        }
        for category in &self.categories {
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

    /// What a sink returns: it goes on unless the caller has cancelled the scan.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The query with the names of the columns.
    #[must_use]
    pub fn with_names(mut self, names: Columns) -> Self {
        self.columns.names = names;
        self
    }

    /// The query in another coordinate space.
    #[must_use]
    pub fn with_coordinate_space(mut self, space: CoordinateSpace) -> Self {
        self.columns.space = space;
        self
    }

    /// The query with or without weights.
    #[must_use]
    pub fn with_weights(mut self, weights: bool) -> Self {
        self.columns.weights = weights;
        self
    }

    /// The query with or without times.
    #[must_use]
    pub fn with_times(mut self, times: bool) -> Self {
        self.columns.times = times;
        self
    }

    /// The query with or without categories.
    #[must_use]
    pub fn with_categories(mut self, categories: bool) -> Self {
        self.columns.categories = categories;
        self
    }

    /// The query with another filter.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// The query for points from an instant on, in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn with_start(mut self, start_us: Option<i64>) -> Self {
        self.filter.start_us = start_us;
        self
    }

    /// The query for points before an instant, in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn with_end(mut self, end_us: Option<i64>) -> Self {
        self.filter.end_us = end_us;
        self
    }

    /// The query for points of some categories; empty: all of them.
    #[must_use]
    pub fn with_category_filter(mut self, categories: Vec<String>) -> Self {
        self.filter.categories = categories;
        self
    }

    /// The query for points in a polygon.
    #[must_use]
    pub fn with_polygon(mut self, polygon: Option<Arc<Polygon>>) -> Self {
        self.filter.polygon = polygon;
        self
    }

    /// The query for points that meet conditions on their columns.
    #[must_use]
    pub fn with_comparisons(mut self, comparisons: Vec<Comparison>) -> Self {
        self.filter.comparisons = comparisons;
        self
    }

    /// The query for the points near to some bounds.
    #[must_use]
    pub fn with_near(mut self, near: Option<Bounds>) -> Self {
        self.scan.near = near;
        self
    }

    /// The query with another number of rejected rows to report.
    #[must_use]
    pub fn with_max_rejections(mut self, max_rejections: usize) -> Self {
        self.scan.max_rejections = max_rejections;
        self
    }

    /// The query with a place to report progress to.
    #[must_use]
    pub fn with_progress<'b>(self, progress: Option<&'b Progress>) -> Query<'b>
    where
        'a: 'b,
    {
        let Self { columns, filter, scan } = self;
        Query { columns, filter, scan: ScanContext { progress, ..scan } }
    }

    /// The query with a flag that cancels the scan.
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
            categories: vec!["x;y".into(), "z".into()],
            polygon,
            comparisons: vec![comparison],
        };
        let expected =
            r#"start=-1;end=2;category="x;y";category="z";edge=0,9,0.5,9,9;edge=0,0,0.5,9,9;where="a\"b">=0.1;"#;
        assert_eq!(filter.to_string(), expected);
        let one = Filter { categories: vec!["x\";category=\"y".into()], ..Filter::default() };
        let two = Filter { categories: vec!["x".into(), "y".into()], ..Filter::default() };
        assert_ne!(one.to_string(), two.to_string());
    }

    #[test]
    fn what_passes_passes_both_filters() {
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let filter = |start_us, end_us, names: &[&str]| Filter {
            start_us,
            end_us,
            categories: text(names),
            ..Filter::default()
        };
        let both = |other: Filter| {
            let both = Filter::default().and(&filter(Some(1), Some(9), &["a", "b"])).and(&other);
            (both.start_us, both.end_us, both.categories)
        };
        assert_eq!(both(filter(Some(3), None, &["b", "c"])), (Some(3), Some(9), text(&["b"])));
        assert_eq!(both(filter(None, Some(12), &[])), (Some(1), Some(9), text(&["a", "b"])));
        assert_eq!(both(filter(None, None, &["c"])).2, [NO_CATEGORY]);
    }
}
