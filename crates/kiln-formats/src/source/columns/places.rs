//! Coordinates: two columns of numbers or texts, or one column of geometries.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::adapter::explain;
use super::values::{for_each_bytes, for_each_text, is_blank, is_text, numbers, shown_value, unpacked};
use crate::source::AxisOrder;
use crate::source::geometry::coordinate::{self, Axis};
use crate::source::geometry::crs::Crs;
use crate::source::geometry::decode::{self, Encoding};

/// How the coordinates of rows are read.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) columns: PlaceColumns,
    /// The coordinate reference system that the coordinates are in; `None`: they are taken as they are.
    pub(super) crs: Option<Crs>,
}

#[derive(Debug)]
pub(super) enum PlaceColumns {
    Axes { lon: AxisColumn, lat: AxisColumn },
    Geometry(GeometryColumn),
}

/// A column of longitudes or of latitudes.
#[derive(Debug)]
pub(super) struct AxisColumn {
    /// Its place among the columns of a batch.
    pub(super) column: usize,
    pub(super) name: String,
    pub(super) axis: Axis,
    /// What its numbers are multiplied by.
    pub(super) scale: Option<f64>,
    /// Whether a comma before three digits is a decimal comma.
    pub(super) decimal_comma: bool,
    /// The column that says whether the number counts north or south, east or west.
    pub(super) hemisphere: Option<usize>,
}

/// A column of geometries.
#[derive(Debug)]
pub(super) struct GeometryColumn {
    /// Its place among the columns of a batch.
    pub(super) column: usize,
    pub(super) name: String,
    /// The order of coordinates that the user gives.
    pub(super) order: Option<AxisOrder>,
    /// The number of the reference system that all geometries have to be in; `None`: whatever they are in.
    pub(super) srid: Option<u32>,
    /// Whether bytes begin with the header of GeoPackage.
    pub(super) encoding: Encoding,
}

/// The coordinates of some rows.
pub(super) struct Coordinates<'b> {
    /// NaN where a row holds no position, here or in `lat`.
    pub(super) lon: Cow<'b, [f64]>,
    pub(super) lat: Cow<'b, [f64]>,
    /// The row of each position; `None`: there is one position per row.
    pub(super) rows: Option<Vec<u32>>,
}

impl Coordinates<'_> {
    /// The row of a position.
    pub(super) fn row(&self, index: usize) -> usize {
        self.rows.as_ref().map_or(index, |rows| rows[index] as usize)
    }
}

impl Place {
    /// The coordinates of the rows of a batch.
    pub(super) fn read<'b>(&self, batch: &'b RecordBatch) -> Coordinates<'b> {
        let mut coordinates = match &self.columns {
            PlaceColumns::Axes { lon, lat } => Coordinates { lon: lon.read(batch), lat: lat.read(batch), rows: None },
            PlaceColumns::Geometry(geometry) => geometry.read(batch.column(geometry.column)),
        };
        if let Some(crs) = &self.crs {
            crs.to_degrees(coordinates.lon.to_mut(), coordinates.lat.to_mut());
        }
        coordinates
    }

    /// Says why a row has no coordinates.
    pub(super) fn explain(&self, batch: &RecordBatch, row: usize) -> String {
        let flaw = match &self.columns {
            PlaceColumns::Axes { lon, lat } => lon.explain(batch, row).or_else(|| lat.explain(batch, row)),
            PlaceColumns::Geometry(geometry) => geometry.explain(batch.column(geometry.column), row),
        };
        flaw.unwrap_or_else(|| {
            let name = match &self.crs {
                Some(Crs::Projected(transform)) => &transform.name,
                _ => "their reference system",
            };
            format!("the coordinates are outside of the area of {name}")
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
            for_each_text(&unpacked(batch.column(hemisphere)), |text| {
                if let Some(degrees) = degrees_of.next() {
                    // Without a letter, nobody knows.
                    let sign = text.and_then(coordinate::hemisphere).filter(|(axis, _)| *axis == self.axis);
                    let sign = sign.map(|(_, sign)| sign).filter(|sign| *degrees >= 0.0 || *sign < 0.0);
                    *degrees = sign.map_or(f64::NAN, |sign| degrees.abs() * sign);
                }
            });
        }
        degrees
    }

    /// Says why a row has no such coordinate, if it has none.
    fn explain(&self, batch: &RecordBatch, row: usize) -> Option<String> {
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
            if let Err(flaw) = self.parse(&text) {
                return Some(format!("{name}: {} {flaw}", shown_value(array, row)));
            }
        }
        let expected = if self.scale.is_some() { "an integer of 10⁻⁷ degrees" } else { "a number" };
        Some(explain(array, name, row, expected))
    }

    /// The coordinate that a text writes. A comma before three digits may separate thousands.
    fn parse(&self, text: &str) -> Result<f64, coordinate::CoordinateError> {
        let is_thousands = |text: &str| text.split_once(',').is_some_and(|(_, digits)| digits.trim_end().len() == 3);
        coordinate::parse(text, self.axis, self.decimal_comma || !is_thousands(text))
    }
}

impl GeometryColumn {
    /// The number of WGS 84 in degrees, in which a geometry is that names no system.
    pub(super) const WGS84: u32 = 4326;

    fn read(&self, array: &ArrayRef) -> Coordinates<'static> {
        let mut positions = Positions::with_capacity(array.len());
        self.each(array, |row, read| positions.push(row, read.unwrap_or_default()));
        let Positions { lon, lat, rows, is_one_each } = positions;
        Coordinates { lon: lon.into(), lat: lat.into(), rows: (!is_one_each).then_some(rows) }
    }

    /// Says why a row has no position.
    fn explain(&self, array: &ArrayRef, row: usize) -> Option<String> {
        let mut flaw = None;
        self.each(&array.slice(row, 1), |_, read| {
            flaw = match read {
                Err(flaw) => Some(flaw),
                Ok(positions) if positions.iter().all(|[lon, lat]| lon.is_nan() || lat.is_nan()) => {
                    Some("the geometry is empty".to_owned())
                }
                Ok(_) => None,
            };
        });
        Some(format!("{}: {}", self.name, flaw?))
    }

    /// Makes sure that a geometry is in the reference system of the column; one that names none is in WGS 84.
    fn check_srid(&self, srid: Option<u32>) -> Result<(), String> {
        let Some(expected) = self.srid else { return Ok(()) };
        let srid = srid.unwrap_or(Self::WGS84);
        if srid == expected {
            return Ok(());
        }
        Err(format!("the geometry is in EPSG:{srid}, the first one in EPSG:{expected}; all have to be in one system"))
    }

    /// Calls `take` with the positions of each geometry of a column, or with what is wrong with it.
    fn each(&self, array: &ArrayRef, mut take: impl FnMut(usize, Result<&[[f64; 2]], String>)) {
        let mut positions = Vec::new();
        if let Some(native) = Native::of(array) {
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
        for_each_bytes(&unpacked(array), |bytes| {
            positions.clear();
            let read = bytes.map(|bytes| decode::read(encoding, bytes, self.order, &mut positions));
            let read = match read {
                None => Ok(()),
                Some(Ok(srid)) => self.check_srid(srid),
                Some(Err(flaw)) => Err(flaw.to_string()),
            };
            take(row, read.map(|()| &positions[..]));
            row += 1;
        });
    }
}

/// The positions of some geometries.
struct Positions {
    lon: Vec<f64>,
    lat: Vec<f64>,
    rows: Vec<u32>,
    is_one_each: bool,
}

impl Positions {
    fn with_capacity(rows: usize) -> Self {
        let column = || Vec::with_capacity(rows);
        Self { lon: column(), lat: column(), rows: Vec::with_capacity(rows), is_one_each: true }
    }

    /// Adds the positions of a row; without any, one that is none.
    fn push(&mut self, row: usize, positions: &[[f64; 2]]) {
        let positions = if positions.is_empty() { &[[f64::NAN; 2]] } else { positions };
        self.is_one_each &= positions.len() == 1;
        for &[lon, lat] in positions {
            self.lon.push(lon);
            self.lat.push(lat);
            self.rows.push(row as u32);
        }
    }
}

/// Geometries as GeoArrow stores them: coordinates in a structure or interleaved in a list, one or a list of them per row.
enum Native {
    Separate {
        x: Vec<f64>,
        y: Vec<f64>,
    },
    Interleaved {
        values: Vec<f64>,
        dimensions: usize,
    },
    /// The offsets of the positions of each row.
    Many(Vec<usize>, Box<Native>),
}

impl Native {
    /// The geometries of a column, unless they are in texts or bytes.
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
            return Self::Many(offsets, Box::new(inner));
        }
        // A list of numbers is one position.
        let values = numbers(values, |_| None);
        let of = |pair: &[usize], at: usize| if pair[1] - pair[0] > at { values[pair[0] + at] } else { f64::NAN };
        let (x, y) = offsets.windows(2).map(|pair| (of(pair, 0), of(pair, 1))).unzip();
        Self::Separate { x, y }
    }

    /// Adds the positions of a row.
    fn positions(&self, row: usize, positions: &mut Vec<[f64; 2]>) {
        match self {
            Self::Separate { x, y } => positions.push([x[row], y[row]]),
            Self::Interleaved { values, dimensions } => {
                positions.push([values[row * dimensions], values[row * dimensions + 1]]);
            }
            Self::Many(offsets, inner) => {
                (offsets[row]..offsets[row + 1]).for_each(|index| inner.positions(index, positions));
            }
        }
    }
}
