//! Batches of rows, as columns.

use super::category_dictionary::CategoryDictionary;
use crate::error::Result;
use crate::geo::{Categories, Points};

/// A row as read from an input, not yet validated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'a> {
    /// Longitude in degrees, or x.
    pub lon: f64,
    /// Latitude in degrees, or y.
    pub lat: f64,
    /// Weight; `None` if the input has no weights, or they are not selected.
    pub weight: Option<f64>,
    /// Microseconds since 1970-01-01 UTC, if the row has a time.
    pub time_us: Option<i64>,
    /// Category, if the row has one.
    pub category: Option<&'a str>,
    /// Track, if the row has one.
    pub track: Option<u64>,
}

impl<'a> Row<'a> {
    /// The row of the point at `index`.
    pub fn of(points: Points<'a>, index: usize) -> Self {
        Self {
            lon: points.lon()[index],
            lat: points.lat()[index],
            weight: points.weight().map(|weight| weight[index] as f64),
            time_us: points.time_us().map(|time_us| time_us[index]).filter(|&time_us| time_us != Points::NO_TIME),
            category: points.category().and_then(|category| category.name(index)),
            track: points.track().map(|track| track[index]).filter(|&track| track != Points::NO_TRACK),
        }
    }
}

/// The optional fields of rows.
#[allow(clippy::struct_excessive_bools, reason = "each is one column")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowFields {
    /// Whether rows have a weight.
    pub weight: bool,
    /// Whether rows have a time.
    pub time: bool,
    /// Whether rows have a category.
    pub category: bool,
    /// Whether rows have a track.
    pub track: bool,
}

/// A batch of rows as columns. The columns of `fields` have equal lengths, the others are empty.
#[derive(Debug, Default)]
pub struct Batch {
    /// The optional fields of the rows.
    pub fields: RowFields,
    /// Longitudes in degrees, or x.
    pub lon: Vec<f64>,
    /// Latitudes in degrees, or y.
    pub lat: Vec<f64>,
    /// Weights.
    pub weight: Vec<f32>,
    /// Microseconds since 1970-01-01 UTC, or [`Points::NO_TIME`].
    pub time_us: Vec<i64>,
    /// Codes of categories in `labels`, or [`Categories::NONE`].
    pub codes: Vec<u32>,
    /// The dictionary of `codes`.
    pub labels: CategoryDictionary,
    /// Tracks, or [`Points::NO_TRACK`].
    pub track: Vec<u64>,
}

impl Batch {
    /// The number of rows of a full batch, which stays in the L2 cache.
    pub const ROWS: usize = 8192;

    /// An empty batch of rows with `fields`.
    pub fn new(fields: RowFields) -> Self {
        Self { fields, ..Self::default() }
    }

    /// The number of rows.
    #[allow(clippy::len_without_is_empty, reason = "no caller needs it")]
    pub fn len(&self) -> usize {
        self.lon.len()
    }

    /// Whether the batch must be passed on before another row is added.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() >= Self::ROWS || self.labels.is_large()
    }

    /// Adds a row. Values that are not in `fields` are dropped.
    #[inline]
    pub fn push(&mut self, row: Row<'_>) {
        self.lon.push(row.lon);
        self.lat.push(row.lat);
        if self.fields.weight {
            self.weight.push(row.weight.map_or(f32::NAN, |weight| weight as f32));
        }
        if self.fields.time {
            self.time_us.push(row.time_us.unwrap_or(Points::NO_TIME));
        }
        if self.fields.category {
            self.codes.push(self.labels.code(row.category));
        }
        if self.fields.track {
            self.track.push(row.track.unwrap_or(Points::NO_TRACK));
        }
    }

    /// Adds the `selected` ones of `points`.
    pub fn extend(&mut self, points: Points<'_>, selected: &[bool]) {
        append_selected(&mut self.lon, points.lon(), selected);
        append_selected(&mut self.lat, points.lat(), selected);
        let count = self.len();
        if self.fields.weight {
            append_selected(&mut self.weight, points.weight().unwrap_or_default(), selected);
            self.weight.resize(count, f32::NAN);
        }
        if self.fields.time {
            append_selected(&mut self.time_us, points.time_us().unwrap_or_default(), selected);
            self.time_us.resize(count, Points::NO_TIME);
        }
        if self.fields.category {
            let name = |index| points.category().and_then(|category| category.name(index));
            let selected = selected.iter().enumerate().filter(|(_, selected)| **selected);
            self.codes.extend(selected.map(|(index, _)| self.labels.code(name(index))));
        }
        if self.fields.track {
            append_selected(&mut self.track, points.track().unwrap_or_default(), selected);
            self.track.resize(count, Points::NO_TRACK);
        }
    }

    /// The rows as points.
    ///
    /// # Errors
    /// If the columns differ in length, which [`push`](Self::push) and [`extend`](Self::extend) rule out.
    pub fn points(&self) -> Result<Points<'_>> {
        let mut points = Points::new(&self.lon, &self.lat)?;
        if self.fields.weight {
            points = points.with_weight(&self.weight)?;
        }
        if self.fields.time {
            points = points.with_time(&self.time_us)?;
        }
        if self.fields.category {
            points = points.with_category(Categories { codes: &self.codes, names: self.labels.names() })?;
        }
        if self.fields.track {
            points = points.with_track(&self.track)?;
        }
        Ok(points)
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        self.lon.clear();
        self.lat.clear();
        self.weight.clear();
        self.time_us.clear();
        self.codes.clear();
        self.track.clear();
        self.labels.clear_if_large();
    }
}

/// Appends the `selected` ones of `values`.
fn append_selected<T: Copy + Default>(column: &mut Vec<T>, values: &[T], selected: &[bool]) {
    let mut end = column.len();
    column.resize(end + values.len(), T::default());
    // Branchless: every value is written, and those not selected are overwritten.
    for (value, selected) in values.iter().zip(selected) {
        column[end] = *value;
        end += usize::from(*selected);
    }
    column.truncate(end);
}
