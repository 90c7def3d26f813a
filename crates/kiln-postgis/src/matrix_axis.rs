//! The axes of matrices as SQL.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use tokio_postgres::Row;

use super::local_time::{check_zone, push_local, push_time_part};
use super::relation::{Column, ColumnType, Relation};
use super::snapshot::LiveSnapshot;
use super::sql::Sql;
use kiln_core::calendar::TimePart;
use kiln_core::error::Result;
use kiln_core::geo::{Points, fixed};
use kiln_core::matrix::{Axis, BinQuantity, NumberBins};
use kiln_core::parameter::Parameter;

/// A value on an axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Number(i64),
    Name(Box<str>),
}

impl Key {
    /// Reads the value in a column of a result; `None` if it is NULL.
    pub(super) fn read(row: &Row, column: usize, is_name: bool) -> Result<Option<Self>, tokio_postgres::Error> {
        Ok(if is_name {
            row.try_get::<_, Option<&str>>(column)?.map(|name| Self::Name(shortened(name).into()))
        } else {
            row.try_get::<_, Option<i64>>(column)?.map(Self::Number)
        })
    }

    pub(super) fn name(self) -> Option<Box<str>> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }

    pub(super) fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }
}

/// The maximum length of a name in characters; longer ones are cut.
const MAX_NAME_CHARS: usize = 200;

/// The first [`MAX_NAME_CHARS`] characters of a name, with an ellipsis if there are more.
fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or(name)).into(),
        None => name.into(),
    }
}

/// Appends the start of a text expression: one character more than names have.
fn push_name(sql: &mut Sql, text: impl FnOnce(&mut Sql)) {
    sql.push("(left(");
    text(sql);
    sql.push(&format!(", {}) COLLATE \"C\")", MAX_NAME_CHARS + 1));
}

/// The maximum number of bins whose edges are passed to the database.
const MAX_BINS: i64 = 20_000;

/// Where the values of an axis come from.
#[derive(Clone, Debug)]
enum Values<'a> {
    Whole,
    Time(TimePart),
    Category,
    Text(&'a Column),
    /// An expression of the type `float8`, and its bins.
    Numbers(String, NumberBins),
    Lon(NumberBins),
    /// The bins, the lowest latitude of each and the first latitude beyond the last, and the index of the first; `None`
    /// if they are too many.
    Lat(NumberBins, Option<(Vec<f64>, i64)>),
}

/// An axis of a matrix, whose columns are those of the table.
#[derive(Clone, Debug)]
pub(super) struct AxisSql<'a> {
    values: Values<'a>,
    zone: TimeZone,
}

impl<'a> AxisSql<'a> {
    /// The axis that `parameter` selects.
    ///
    /// # Errors
    /// [`Error::Invalid`](kiln_core::Error::Invalid) if its column is unknown or unsuitable, or the database cannot know
    /// the time zone.
    pub(super) fn new(snapshot: &'a LiveSnapshot, parameter: Parameter, axis: &Axis, zone: &TimeZone) -> Result<Self> {
        let relation = &snapshot.relation;
        let values = match axis {
            Axis::Whole => Values::Whole,
            Axis::Time(part) => {
                check_zone(zone)?;
                Values::Time(*part)
            }
            Axis::Category => Values::Category,
            Axis::Column(name) => {
                let column = relation.allowed_column(parameter, name)?;
                if column.kind == ColumnType::TimestampTz {
                    check_zone(zone)?;
                }
                Values::Text(column)
            }
            Axis::Bins(BinQuantity::Lon, bins) => Values::Lon(*bins),
            Axis::Bins(BinQuantity::Lat, bins) => Values::Lat(*bins, latitudes(snapshot.area, bins)),
            Axis::Bins(BinQuantity::Weight, bins) => {
                // Without weights, the weight of every point is 1.
                Values::Numbers(relation.rounded_weight().unwrap_or_else(|| "1::float8".into()), *bins)
            }
            Axis::Bins(BinQuantity::Column(name), bins) => {
                Values::Numbers(relation.numeric_column(parameter, name)?.number_sql(), *bins)
            }
        };
        Ok(Self { values, zone: zone.clone() })
    }

    /// Whether the database can compute the values.
    pub(super) fn is_pushed(&self) -> bool {
        !matches!(self.values, Values::Lat(_, None))
    }

    /// The value of a fetched point: the bin of its position if the axis has positions, otherwise the value that was
    /// read.
    pub(super) fn key_at(&self, lon: f64, lat: f64, read: Option<Key>) -> Option<Key> {
        match &self.values {
            Values::Lon(bins) => bins.index(lon).map(Key::Number),
            Values::Lat(bins, _) => bins.index(lat).map(Key::Number),
            _ => read,
        }
    }

    /// Appends the value, as `int8` or, if it is a name, as `text`; NULL for points without a value.
    pub(super) fn push(&self, sql: &mut Sql, relation: &Relation) {
        match &self.values {
            Values::Whole => {
                sql.push("0::int8");
            }
            Values::Time(part) => push_time_part(sql, relation, *part, &self.zone),
            Values::Category => {
                let category = relation.category_sql().unwrap_or_else(|| "NULL::text".into());
                push_name(sql, |sql| {
                    sql.push(&category);
                });
            }
            Values::Text(column) => push_name(sql, |sql| {
                sql.push("NULLIF(");
                if column.kind == ColumnType::TimestampTz {
                    push_local(sql, &column.time_sql(), column.kind, &self.zone);
                } else {
                    sql.push(&column.sql());
                }
                sql.push("::text, '')");
            }),
            Values::Numbers(number, bins) => push_bin(sql, number, bins),
            Values::Lon(bins) => {
                // The center of the fixed-point unit of the longitude, as in a stored layer; exact in IEEE arithmetic.
                let turn = format!("({} / 360 + 0.5)", relation.lon());
                let unit = format!("least(trunc(({turn} - floor({turn})) * 4294967296), 4294967295)");
                push_bin(sql, &format!("((({unit} + 0.5) / 4294967296 - 0.5) * 360)"), bins);
            }
            Values::Lat(_, Some((edges, first))) => push_bucket(sql, &relation.lat(), edges.clone(), *first),
            Values::Lat(_, None) => {
                sql.push("NULL::int8");
            }
        }
    }
}

/// Appends `first` plus the index of the interval between two `edges` that contains `number`; NULL outside of them.
fn push_bucket(sql: &mut Sql, number: &str, edges: Vec<f64>, first: i64) {
    // Subscripts outside of an array, such as the bucket of NaN, which is the last one, return NULL.
    let keys: Vec<i64> = (first..).take(edges.len().saturating_sub(1)).collect();
    sql.push("(").value(keys, "int8[]").push(&format!(")[width_bucket({number}, ")).value(edges, "float8[]").push(")]");
}

/// Appends the index of the bin of `number`, a `float8` expression; NULL if it is in no bin.
fn push_bin(sql: &mut Sql, number: &str, bins: &NumberBins) {
    if let Some(count) = bins.count.map(i64::from).filter(|count| *count <= MAX_BINS) {
        let edges = (0..=count).map(|index| first_number(|number| position(bins, number) >= index)).collect();
        push_bucket(sql, number, edges, 0);
        return;
    }
    let last = bins.count.map_or(i64::MAX - 1, |count| i64::from(count) - 1);
    let low = first_number(|number| position(bins, number) > i64::MIN);
    let high = first_number(|number| position(bins, number) > last).next_down();
    // PostgreSQL rejects a division that underflows, and these are less than one bin from the start.
    let near = bins.width * 1e-10;
    sql.push(&format!("(CASE WHEN {number} BETWEEN ")).value(low, "float8").push(" AND ").value(high, "float8");
    sql.push(&format!(" THEN least(CASE WHEN abs({number} - ")).value(bins.start, "float8").push(") < ");
    sql.value(near, "float8").push(&format!(" THEN CASE WHEN {number} < ")).value(bins.start, "float8");
    sql.push(&format!(" THEN -1 ELSE 0 END ELSE floor(({number} - ")).value(bins.start, "float8").push(") / ");
    sql.value(bins.width, "float8").push(")::int8 END, ").value(last, "int8").push(") END)");
}

/// The bin of a number, or the minimum or maximum of `i64` below or above all bins. It increases with the number.
fn position(bins: &NumberBins, number: f64) -> i64 {
    bins.index(number).unwrap_or(if number < bins.start { i64::MIN } else { i64::MAX })
}

/// The smallest finite number that satisfies the monotonic predicate `is_beyond`; infinity if there is none.
fn first_number(is_beyond: impl Fn(f64) -> bool) -> f64 {
    // Maps floats to integers in the same order, and back.
    let flip = |bits: i64| bits ^ ((bits >> 63) as u64 >> 1) as i64;
    let number = |order: i64| f64::from_bits(flip(order) as u64);
    let (mut low, mut high) = (flip(f64::MIN.to_bits() as i64), flip(f64::INFINITY.to_bits() as i64));
    while low < high {
        // `i64::midpoint` rounds towards zero, so up to `high` if both are negative.
        let middle = (low & high) + ((low ^ high) >> 1);
        if is_beyond(number(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    number(high)
}

/// The lowest latitude in degrees of each bin that points in `area` may be in, with the first latitude beyond the last
/// bin, and the index of the first bin; `None` if there are too many. Latitudes are those of fixed-point units, as in a
/// stored layer.
fn latitudes(area: Option<[f64; 4]>, bins: &NumberBins) -> Option<(Vec<f64>, i64)> {
    let at = |unit: u32| position(bins, fixed::from_fixed(0, unit).1);
    let bin_of = |lat: f64| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        fixed::to_fixed(Points::new(&[0.0], &[lat]).unwrap_or_default(), &mut x, &mut y);
        y.first().map(|unit| at(*unit))
    };
    let [_, south, _, north] = area.unwrap_or_default();
    let (first, last) = match bins.count.map(i64::from) {
        Some(count) if count <= MAX_BINS => (0, count - 1),
        Some(count) => (bin_of(south)?.max(0), bin_of(north)?.min(count - 1)),
        None => (bin_of(south)?, bin_of(north)?),
    };
    if last.saturating_sub(first) >= MAX_BINS {
        return None;
    }
    let edge = |index: i64| {
        // Units increase to the south: the first unit that is south of the bin.
        let (mut low, mut high) = (0u64, 1u64 << 32);
        while low < high {
            let unit = low.midpoint(high);
            if at(unit as u32) >= index {
                low = unit + 1;
            } else {
                high = unit;
            }
        }
        fixed::first_lat(low)
    };
    Some(((first..=last.saturating_add(1)).map(edge).collect(), first))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_the_first_numbers_of_their_bins() {
        for bins in [NumberBins::between(0.0, 0.7, 7).unwrap(), NumberBins::between(-1e300, 1e300, 3).unwrap()] {
            let count = i64::from(bins.count.unwrap());
            for index in 0..count {
                let edge = first_number(|number| position(&bins, number) >= index);
                assert_eq!(bins.index(edge), Some(index));
                assert_ne!(bins.index(edge.next_down()), Some(index));
            }
            let end = first_number(|number| position(&bins, number) >= count);
            assert_eq!((bins.index(end), bins.index(end.next_down())), (None, Some(count - 1)));
        }
        assert!(first_number(|_| false).is_infinite());
    }

    #[test]
    fn edges_of_latitudes_are_those_of_the_positions_of_a_stored_layer() {
        let bins = NumberBins::of_width(0.5).unwrap();
        let (edges, first) = latitudes(Some([0.0, -1.2, 0.0, 0.7]), &bins).unwrap();
        assert_eq!((first, edges.len()), (-3, 6));
        let bin = |lat: f64| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            fixed::to_fixed(Points::new(&[0.0], &[lat]).unwrap(), &mut x, &mut y);
            bins.index(fixed::from_fixed(x[0], y[0]).1).unwrap()
        };
        for (edge, index) in edges.iter().zip(first..) {
            assert_eq!((bin(*edge), bin(edge.next_down())), (index, index - 1));
        }
        assert!(latitudes(Some([0.0, -80.0, 0.0, 80.0]), &NumberBins::of_width(0.001).unwrap()).is_none());
    }
}
