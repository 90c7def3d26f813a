//! Coordinates: a longitude and a latitude column, or one geometry column.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::adapter::describe_invalid;
use super::values::{decoded, for_each_bytes, for_each_text, is_blank, is_text, numbers, shown_value};
use crate::source::AxisOrder;
use crate::source::geometry::coordinate::{self, Axis};
use crate::source::geometry::crs::Crs;
use crate::source::geometry::decode::{self, Encoding};

/// Reads the coordinates of rows.
#[derive(Debug)]
pub(super) struct CoordinateReader {
    pub(super) columns: CoordinateColumns,
    /// The coordinate reference system to transform from; `None`: no transformation.
    pub(super) crs: Option<Crs>,
}

#[derive(Debug)]
/// The columns that coordinates are read from.
pub(super) enum CoordinateColumns {
    Axes {
        lon: AxisColumn,
        lat: AxisColumn,
    },
    Geometry(GeometryColumn),
    /// None, of an input from which no positions are needed.
    None,
}

/// A column of longitudes or of latitudes.
#[derive(Debug)]
pub(super) struct AxisColumn {
    /// The index of the column in a batch.
    pub(super) column: usize,
    pub(super) name: String,
    pub(super) axis: Axis,
    /// The factor from values to degrees.
    pub(super) scale: Option<f64>,
    /// Whether a comma before three digits is a decimal comma, not a thousands separator.
    pub(super) decimal_comma: bool,
    /// The index of the hemisphere column (N or S, E or W) in a batch.
    pub(super) hemisphere: Option<usize>,
}

/// A column of geometries.
#[derive(Debug)]
pub(super) struct GeometryColumn {
    /// The index of the column in a batch.
    pub(super) column: usize,
    pub(super) name: String,
    /// The coordinate order that the user set.
    pub(super) order: Option<AxisOrder>,
    /// The required EPSG code of all geometries; `None`: any.
    pub(super) srid: Option<u32>,
    /// The encoding of binary geometries.
    pub(super) encoding: Encoding,
}

/// The coordinates of a batch.
pub(super) struct Coordinates<'b> {
    /// Longitudes in degrees. NaN here or in `lat` if a row has no valid position.
    pub(super) lon: Cow<'b, [f64]>,
    pub(super) lat: Cow<'b, [f64]>,
    /// The row of each position; `None`: each row has one position.
    pub(super) rows: Option<Vec<u32>>,
}

impl Coordinates<'_> {
    /// The row of the position at `index`.
    pub(super) fn row(&self, index: usize) -> usize {
        self.rows.as_ref().map_or(index, |rows| rows[index] as usize)
    }
}

impl CoordinateReader {
    /// The reader of an input from which no positions are needed: all are zero.
    pub(super) const NONE: Self = Self { columns: CoordinateColumns::None, crs: None };

    /// The coordinates of the rows of a batch.
    pub(super) fn read<'b>(&self, batch: &'b RecordBatch) -> Coordinates<'b> {
        let mut coordinates = match &self.columns {
            CoordinateColumns::Axes { lon, lat } => {
                Coordinates { lon: lon.read(batch), lat: lat.read(batch), rows: None }
            }
            CoordinateColumns::Geometry(geometry) => geometry.read(batch.column(geometry.column)),
            CoordinateColumns::None => {
                let zeros = || Cow::Owned(vec![0.0; batch.num_rows()]);
                Coordinates { lon: zeros(), lat: zeros(), rows: None }
            }
        };
        if let Some(crs) = &self.crs {
            crs.to_degrees(coordinates.lon.to_mut(), coordinates.lat.to_mut());
        }
        coordinates
    }

    /// Describes why a row has no valid coordinates.
    pub(super) fn describe_invalid(&self, batch: &RecordBatch, row: usize) -> String {
        let reason = match &self.columns {
            CoordinateColumns::Axes { lon, lat } => {
                lon.describe_invalid(batch, row).or_else(|| lat.describe_invalid(batch, row))
            }
            CoordinateColumns::Geometry(geometry) => geometry.describe_invalid(batch.column(geometry.column), row),
            CoordinateColumns::None => None,
        };
        reason.unwrap_or_else(|| {
            let name = match &self.crs {
                Some(Crs::Projected(transform)) => &transform.name,
                _ => "their reference system",
            };
            format!("the coordinates are outside the area of {name}")
        })
    }
}

impl AxisColumn {
    fn read<'b>(&self, batch: &'b RecordBatch) -> Cow<'b, [f64]> {
        let mut degrees = numbers(batch.column(self.column), |text| self.parse(text).ok());
        if let Some(scale) = self.scale {
            let scaled = |value: f64| if value.fract() == 0.0 { value * scale } else { f64::NAN };
            degrees.to_mut().iter_mut().for_each(|degrees| *degrees = scaled(*degrees));
        }
        if let Some(hemisphere) = self.hemisphere {
            let mut degrees_of = degrees.to_mut().iter_mut();
            for_each_text(&decoded(batch.column(hemisphere)), |text| {
                if let Some(degrees) = degrees_of.next() {
                    // Without a letter, the sign is unknown.
                    let sign = text.and_then(coordinate::hemisphere).filter(|(axis, _)| *axis == self.axis);
                    let sign = sign.map(|(_, sign)| sign).filter(|sign| *degrees >= 0.0 || *sign < 0.0);
                    *degrees = sign.map_or(f64::NAN, |sign| degrees.abs() * sign);
                }
            });
        }
        degrees
    }

    /// Describes why the coordinate of a row is invalid; `None` if it is valid.
    fn describe_invalid(&self, batch: &RecordBatch, row: usize) -> Option<String> {
        let one = batch.slice(row, 1);
        if !self.read(&one)[0].is_nan() {
            return None;
        }
        let (array, name) = (batch.column(self.column), &self.name);
        if let Some(hemisphere) = self.hemisphere
            && numbers(one.column(self.column), |text| self.parse(text).ok())[0].is_finite()
        {
            let letters = if self.axis == Axis::Longitude { "E or W" } else { "N or S" };
            let (value, hemisphere) = (shown_value(array, row), shown_value(batch.column(hemisphere), row));
            return Some(format!(
                "{name}: the hemisphere {hemisphere} of {value} is not {letters}, or contradicts its sign"
            ));
        }
        if is_text(array.data_type()) && !is_blank(array, row) {
            let text = super::values::value_text(array, row);
            if let Err(error) = self.parse(&text) {
                return Some(format!("{name}: {} {error}", shown_value(array, row)));
            }
        }
        let expected = if self.scale.is_some() { "an integer of 10⁻⁷ degrees" } else { "a number" };
        Some(describe_invalid(array, name, row, expected))
    }

    /// Parses a coordinate. A comma before three digits may be a thousands separator.
    fn parse(&self, text: &str) -> Result<f64, coordinate::CoordinateError> {
        let is_thousands = |text: &str| text.split_once(',').is_some_and(|(_, digits)| digits.trim_end().len() == 3);
        coordinate::parse(text, self.axis, self.decimal_comma || !is_thousands(text))
    }
}

impl GeometryColumn {
    /// The EPSG code of WGS 84 in degrees, the default for geometries without a reference system.
    pub(super) const WGS84: u32 = 4326;

    fn read(&self, array: &ArrayRef) -> Coordinates<'static> {
        let mut positions = Positions::with_capacity(array.len());
        self.for_each_geometry(array, |row, read| positions.push(row, read.unwrap_or_default()));
        let Positions { lon, lat, rows, is_one_per_row } = positions;
        Coordinates { lon: lon.into(), lat: lat.into(), rows: (!is_one_per_row).then_some(rows) }
    }

    /// Describes why a row has no valid position.
    fn describe_invalid(&self, array: &ArrayRef, row: usize) -> Option<String> {
        let mut reason = None;
        self.for_each_geometry(&array.slice(row, 1), |_, read| {
            reason = match read {
                Err(error) => Some(error),
                Ok(positions) if positions.iter().all(|[lon, lat]| lon.is_nan() || lat.is_nan()) => {
                    Some("the geometry is empty".to_owned())
                }
                Ok(_) => None,
            };
        });
        Some(format!("{}: {}", self.name, reason?))
    }

    /// Checks that the SRID of a geometry is that of the column. A geometry without an SRID is in WGS 84.
    fn check_srid(&self, srid: Option<u32>) -> Result<(), String> {
        let Some(expected) = self.srid else { return Ok(()) };
        let srid = srid.unwrap_or(Self::WGS84);
        if srid == expected {
            return Ok(());
        }
        Err(format!(
            "the geometry is in EPSG:{srid}, the first one in EPSG:{expected}; all geometries must be in the same reference system"
        ))
    }

    /// Calls `take` with the positions of each geometry of a column, or with an error message.
    fn for_each_geometry(&self, array: &ArrayRef, mut take: impl FnMut(usize, Result<&[[f64; 2]], String>)) {
        let mut positions = Vec::new();
        if let Some(native) = NativeGeometry::of(array) {
            for row in 0..array.len() {
                positions.clear();
                if array.is_valid(row) {
                    native.positions(row, &mut positions);
                }
                if self.order == Some(AxisOrder::LatLon) {
                    for position in &mut positions {
                        position.reverse();
                    }
                }
                take(row, Ok(&positions));
            }
            return;
        }
        let encoding = if is_text(array.data_type()) { Encoding::Text } else { self.encoding };
        let mut row = 0;
        for_each_bytes(&decoded(array), |bytes| {
            positions.clear();
            let read = bytes.map(|bytes| decode::read(encoding, bytes, self.order, &mut positions));
            let read = match read {
                None => Ok(()),
                Some(Ok(srid)) => self.check_srid(srid),
                Some(Err(error)) => Err(error.to_string()),
            };
            take(row, read.map(|()| &positions[..]));
            row += 1;
        });
    }
}

/// A builder of the positions of geometries.
struct Positions {
    lon: Vec<f64>,
    lat: Vec<f64>,
    rows: Vec<u32>,
    is_one_per_row: bool,
}

impl Positions {
    fn with_capacity(rows: usize) -> Self {
        let column = || Vec::with_capacity(rows);
        Self { lon: column(), lat: column(), rows: Vec::with_capacity(rows), is_one_per_row: true }
    }

    /// Adds the positions of a row, or a NaN position if it has none.
    fn push(&mut self, row: usize, positions: &[[f64; 2]]) {
        let positions = if positions.is_empty() { &[[f64::NAN; 2]] } else { positions };
        self.is_one_per_row &= positions.len() == 1;
        for &[lon, lat] in positions {
            self.lon.push(lon);
            self.lat.push(lat);
            self.rows.push(row as u32);
        }
    }
}

/// Geometries in a native GeoArrow encoding: separate or interleaved coordinates, one position or a list of them per
/// row.
enum NativeGeometry {
    Separate {
        x: Vec<f64>,
        y: Vec<f64>,
    },
    Interleaved {
        values: Vec<f64>,
        dimensions: usize,
    },
    /// The offsets of the positions of each row.
    List(Vec<usize>, Box<NativeGeometry>),
}

impl NativeGeometry {
    /// The geometries of a column; `None` for string and binary columns.
    fn of(array: &ArrayRef) -> Option<Self> {
        let numbers = |array: &ArrayRef| numbers(array, |_| None).into_owned();
        Some(match array.data_type() {
            DataType::Struct(_) => {
                let fields = array.as_struct();
                let of = |name| fields.column_by_name(name).map(numbers);
                Self::Separate { x: of("x")?, y: of("y")? }
            }
            DataType::FixedSizeList(_, dimensions) => {
                let list = array.as_fixed_size_list();
                Self::Interleaved { values: numbers(list.values()), dimensions: (*dimensions).max(2) as usize }
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let offsets = list.value_offsets().iter().map(|&offset| offset as usize).collect();
                Self::list(offsets, list.values())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let offsets = list.value_offsets().iter().map(|&offset| offset as usize).collect();
                Self::list(offsets, list.values())
            }
            _ => return None,
        })
    }

    fn list(offsets: Vec<usize>, values: &ArrayRef) -> Self {
        if let Some(inner) = Self::of(values) {
            return Self::List(offsets, Box::new(inner));
        }
        // A list of numbers is a position.
        let values = numbers(values, |_| None);
        let ordinate =
            |range: &[usize], at: usize| if range[1] - range[0] > at { values[range[0] + at] } else { f64::NAN };
        let (x, y) = offsets.windows(2).map(|range| (ordinate(range, 0), ordinate(range, 1))).unzip();
        Self::Separate { x, y }
    }

    /// Appends the positions of a row to `positions`.
    fn positions(&self, row: usize, positions: &mut Vec<[f64; 2]>) {
        match self {
            Self::Separate { x, y } => positions.push([x[row], y[row]]),
            Self::Interleaved { values, dimensions } => {
                positions.push([values[row * dimensions], values[row * dimensions + 1]]);
            }
            Self::List(offsets, inner) => {
                (offsets[row]..offsets[row + 1]).for_each(|index| inner.positions(index, positions));
            }
        }
    }
}
