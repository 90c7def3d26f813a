//! Rows gathered as the columns of a batch.

use super::category_dictionary::CategoryDictionary;
use crate::error::Result;
use crate::geo::{Categories, Points};

/// One row as a reader found it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'a> {
    /// Longitude in degrees, or x.
    pub lon: f64,
    /// Latitude in degrees, or y.
    pub lat: f64,
    /// `None`: the input has no weights, or none are wanted.
    pub weight: Option<f64>,
    /// Microseconds since 1970-01-01 UTC.
    pub time_us: Option<i64>,
    /// `None`: no category.
    pub category: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// The point at `index`.
    pub fn of(points: Points<'a>, index: usize) -> Self {
        Self {
            lon: points.lon()[index],
            lat: points.lat()[index],
            weight: points.weight().map(|weight| weight[index] as f64),
            time_us: points.time_us().map(|time_us| time_us[index]).filter(|&time_us| time_us != Points::NO_TIME),
            category: points.category().and_then(|category| category.name(index)),
        }
    }
}

/// What rows have besides their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowFields {
    /// A weight.
    pub weight: bool,
    /// A time.
    pub time: bool,
    /// A category.
    pub category: bool,
}

/// Rows as columns. The columns that the rows have are equally long, the others empty.
#[derive(Debug, Default)]
pub struct Batch {
    /// Which columns the rows have.
    pub has: RowFields,
    /// Longitudes in degrees, or x.
    pub lon: Vec<f64>,
    /// Latitudes in degrees, or y.
    pub lat: Vec<f64>,
    /// Weights.
    pub weight: Vec<f32>,
    /// Microseconds since 1970-01-01 UTC, or [`Points::NO_TIME`].
    pub time_us: Vec<i64>,
    /// Codes of categories.
    pub codes: Vec<u32>,
    /// The categories that `codes` stand for.
    pub labels: CategoryDictionary,
}

impl Batch {
    /// Rows a batch holds before it goes on: few enough to stay in the second-level cache.
    pub const ROWS: usize = 8192;

    /// A batch without a row.
    pub fn new(has: RowFields) -> Self {
        Self { has, ..Self::default() }
    }

    /// The number of rows.
    #[allow(clippy::len_without_is_empty, reason = "nobody needs it")]
    pub fn len(&self) -> usize {
        self.lon.len()
    }

    /// Whether it has to go on before another row comes.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() >= Self::ROWS || self.labels.is_large()
    }

    /// Adds a row. Of what it has beyond `has`, nothing is kept.
    #[inline]
    pub fn push(&mut self, row: Row<'_>) {
        self.lon.push(row.lon);
        self.lat.push(row.lat);
        if self.has.weight {
            self.weight.push(row.weight.map_or(f32::NAN, |weight| weight as f32));
        }
        if self.has.time {
            self.time_us.push(row.time_us.unwrap_or(Points::NO_TIME));
        }
        if self.has.category {
            self.codes.push(self.labels.code(row.category));
        }
    }

    /// Adds those of `points` that are `chosen`.
    pub fn extend(&mut self, points: Points<'_>, chosen: &[bool]) {
        choose(&mut self.lon, points.lon(), chosen);
        choose(&mut self.lat, points.lat(), chosen);
        let count = self.len();
        if self.has.weight {
            choose(&mut self.weight, points.weight().unwrap_or_default(), chosen);
            self.weight.resize(count, f32::NAN);
        }
        if self.has.time {
            choose(&mut self.time_us, points.time_us().unwrap_or_default(), chosen);
            self.time_us.resize(count, Points::NO_TIME);
        }
        if self.has.category {
            let name = |index| points.category().and_then(|category| category.name(index));
            let chosen = chosen.iter().enumerate().filter(|(_, chosen)| **chosen);
            self.codes.extend(chosen.map(|(index, _)| self.labels.code(name(index))));
        }
    }

    /// The rows.
    ///
    /// # Errors
    /// If the columns differ in length, which [`push`](Self::push) and [`extend`](Self::extend) do not let happen.
    pub fn points(&self) -> Result<Points<'_>> {
        let mut points = Points::new(&self.lon, &self.lat)?;
        if self.has.weight {
            points = points.with_weight(&self.weight)?;
        }
        if self.has.time {
            points = points.with_time(&self.time_us)?;
        }
        if self.has.category {
            points = points.with_category(Categories { codes: &self.codes, names: self.labels.names() })?;
        }
        Ok(points)
    }

    /// Forgets the rows.
    pub fn clear(&mut self) {
        self.lon.clear();
        self.lat.clear();
        self.weight.clear();
        self.time_us.clear();
        self.codes.clear();
        self.labels.clear_if_large();
    }
}

/// Adds those of `values` that are `chosen`.
fn choose<T: Copy + Default>(column: &mut Vec<T>, values: &[T], chosen: &[bool]) {
    let mut end = column.len();
    column.resize(end + values.len(), T::default());
    // Each is written and some are overwritten, so that no branch has to be guessed.
    for (value, chosen) in values.iter().zip(chosen) {
        column[end] = *value;
        end += usize::from(*chosen);
    }
    column.truncate(end);
}
