//! Columns of points in NumPy arrays, which are read in place.

use std::ops::{ControlFlow, Range};

use kiln::geo::{Categories, Points};
use kiln::message;
use kiln::parameter::Parameter;
use kiln::source::batch::{Batch, RowFields};
use kiln::source::parts::scan_parts;
use kiln::source::row_sink::RowSink;
use kiln::source::{Query, ScanReport, Sink, Source};
use kiln::{Error, Result};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A one-dimensional array of numbers or times.
pub(crate) struct Column {
    /// The array that owns the memory.
    _array: Py<PyAny>,
    data: *const u8,
    len: usize,
    /// The distance between elements in bytes; it may be negative.
    stride: isize,
    element: Element,
}

// SAFETY: The memory belongs to `_array`, which the column keeps alive, and NumPy neither moves nor frees the memory of an array
// that is referenced. It is only read. As for NumPy's own functions that release the lock of the interpreter, another Python
// thread must not write to the array at the same time: it would change values, never addresses.
#[allow(unsafe_code)]
unsafe impl Send for Column {}
// SAFETY: As above; reads need no synchronization.
#[allow(unsafe_code)]
unsafe impl Sync for Column {}

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    F64,
    F32,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    /// A number of units since 1970-01-01 UTC: how many microseconds a unit has, or how many units a microsecond has.
    Time {
        multiplier: i64,
        divisor: i64,
    },
}

impl Element {
    /// The element of an `__array_interface__`; `None` if it has to be converted first.
    fn of(kind: &str) -> Option<Self> {
        let time = |multiplier, divisor| Some(Self::Time { multiplier, divisor });
        match kind {
            "<f8" => Some(Self::F64),
            "<f4" => Some(Self::F32),
            "<i8" => Some(Self::I64),
            "<i4" => Some(Self::I32),
            "<i2" => Some(Self::I16),
            "|i1" => Some(Self::I8),
            "<u8" => Some(Self::U64),
            "<u4" => Some(Self::U32),
            "<u2" => Some(Self::U16),
            "|u1" | "|b1" => Some(Self::U8),
            "<M8[D]" => time(86_400_000_000, 1),
            "<M8[h]" => time(3_600_000_000, 1),
            "<M8[m]" => time(60_000_000, 1),
            "<M8[s]" => time(1_000_000, 1),
            "<M8[ms]" => time(1000, 1),
            "<M8[us]" => time(1, 1),
            "<M8[ns]" => time(1, 1000),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 | Self::Time { .. } => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }
}

impl Column {
    /// The column of an array of NumPy, `name` in messages.
    pub(crate) fn of(array: &Bound<'_, PyAny>, name: &str) -> PyResult<Self> {
        let py = array.py();
        // Any object can claim an interface; the addresses of an array of NumPy are valid.
        if !array.is_instance(&crate::pixels::numpy(py)?.getattr("ndarray")?)? {
            return Err(PyTypeError::new_err(format!("{name}: not an array of NumPy")));
        }
        let interface = array.getattr("__array_interface__")?.cast_into::<PyDict>()?;
        let item =
            |key: &str| interface.get_item(key)?.ok_or_else(|| PyValueError::new_err(format!("{name}: no {key}")));
        let (data, _): (usize, bool) = item("data")?.extract()?;
        let shape: Vec<usize> = item("shape")?.extract()?;
        let strides: Option<Vec<isize>> = item("strides")?.extract()?;
        let kind: String = item("typestr")?.extract()?;
        let [len] = shape[..] else {
            return Err(PyValueError::new_err(format!(
                "{name}: the array has {} dimensions; expected one",
                shape.len()
            )));
        };
        let element = Element::of(&kind)
            .ok_or_else(|| PyTypeError::new_err(format!("{name}: the type {kind} is not supported")))?;
        let stride = strides.map_or(element.bytes() as isize, |strides| strides[0]);
        Ok(Self { _array: array.clone().unbind(), data: data as *const u8, len, stride, element })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn is_time(&self) -> bool {
        matches!(self.element, Element::Time { .. })
    }

    /// The elements, if they are adjacent elements `T`, which has the size and the alignment of `element`.
    fn adjacent<T: Copy>(&self, element: Element) -> Option<&[T]> {
        let is_adjacent = self.element == element
            && self.stride == size_of::<T>() as isize
            && size_of::<T>() == element.bytes()
            && self.data.cast::<T>().is_aligned();
        if !is_adjacent || self.len == 0 {
            return None;
        }
        // SAFETY: NumPy guarantees `len` elements of this type at `stride`, here adjacent and aligned, and any bits are a valid
        // `T`: this is only called for numbers. The array is alive as long as `self`.
        #[allow(unsafe_code)]
        Some(unsafe { std::slice::from_raw_parts(self.data.cast::<T>(), self.len) })
    }

    /// Appends `convert` of the elements of `range`, read as `T`, which must be the type of the elements.
    fn read<T: Copy, U>(&self, range: Range<usize>, values: &mut Vec<U>, convert: impl Fn(T) -> U) {
        debug_assert_eq!(size_of::<T>(), self.element.bytes());
        values.extend(range.map(|index| {
            // SAFETY: `index` is less than `len`, as each caller clamps the range, so NumPy guarantees an element at this
            // address. It may be unaligned. Any bits are a valid `T`, as above.
            #[allow(unsafe_code)]
            let value = unsafe { self.data.offset(self.stride * index as isize).cast::<T>().read_unaligned() };
            convert(value)
        }));
    }

    /// The elements of `range` as numbers, in `buffer` if they are converted.
    fn numbers<'c>(&'c self, range: Range<usize>, buffer: &'c mut Vec<f64>) -> &'c [f64] {
        let range = range.start.min(self.len)..range.end.min(self.len);
        if let Some(values) = self.adjacent::<f64>(Element::F64) {
            return &values[range];
        }
        buffer.clear();
        match self.element {
            Element::F64 => self.read::<f64, f64>(range, buffer, |value| value),
            Element::F32 => self.read::<f32, f64>(range, buffer, f64::from),
            Element::I64 | Element::Time { .. } => self.read::<i64, f64>(range, buffer, |value| value as f64),
            Element::I32 => self.read::<i32, f64>(range, buffer, f64::from),
            Element::I16 => self.read::<i16, f64>(range, buffer, f64::from),
            Element::I8 => self.read::<i8, f64>(range, buffer, f64::from),
            Element::U64 => self.read::<u64, f64>(range, buffer, |value| value as f64),
            Element::U32 => self.read::<u32, f64>(range, buffer, f64::from),
            Element::U16 => self.read::<u16, f64>(range, buffer, f64::from),
            Element::U8 => self.read::<u8, f64>(range, buffer, f64::from),
        }
        buffer
    }

    /// The elements of `range` as weights, in `buffer` if they are converted; `wide` is another buffer.
    fn weights<'c>(&'c self, range: Range<usize>, wide: &mut Vec<f64>, buffer: &'c mut Vec<f32>) -> &'c [f32] {
        let range = range.start.min(self.len)..range.end.min(self.len);
        if let Some(values) = self.adjacent::<f32>(Element::F32) {
            return &values[range];
        }
        buffer.clear();
        if self.element == Element::F32 {
            self.read::<f32, f32>(range, buffer, |value| value);
        } else {
            buffer.extend(self.numbers(range, wide).iter().map(|value| *value as f32));
        }
        buffer
    }

    /// The elements of `range` as times in microseconds since 1970-01-01 UTC, in `buffer` if they are converted.
    fn times<'c>(&'c self, range: Range<usize>, buffer: &'c mut Vec<i64>) -> &'c [i64] {
        let range = range.start.min(self.len)..range.end.min(self.len);
        let Element::Time { multiplier, divisor } = self.element else { return &[] };
        if let Some(values) = self.adjacent::<i64>(Element::Time { multiplier: 1, divisor: 1 }) {
            return &values[range];
        }
        buffer.clear();
        let microseconds = |value: i64| {
            if value == Points::NO_TIME { value } else { value.saturating_mul(multiplier).div_euclid(divisor) }
        };
        self.read::<i64, i64>(range, buffer, microseconds);
        buffer
    }

    /// The elements as codes of categories; none if they are not `uint32`.
    pub(crate) fn codes(&self) -> Vec<u32> {
        let mut codes = Vec::with_capacity(self.len);
        if self.element == Element::U32 {
            self.read::<u32, u32>(0..self.len, &mut codes, |code| code);
        }
        codes
    }

    /// Whether the elements need no conversion.
    fn is_direct(&self) -> bool {
        self.adjacent::<f64>(Element::F64).is_some()
    }

    fn is_direct_weight(&self) -> bool {
        self.adjacent::<f32>(Element::F32).is_some()
    }

    fn is_direct_time(&self) -> bool {
        self.adjacent::<i64>(Element::Time { multiplier: 1, divisor: 1 }).is_some()
    }
}

/// The categories of points.
pub(crate) struct CategoryCodes {
    /// For each point, an index of `names`, or [`Categories::NONE`].
    pub(crate) codes: Vec<u32>,
    pub(crate) names: Vec<Box<str>>,
}

/// Points in arrays, read in place: adjacent `float64` coordinates and `float32` weights without a copy, other types in
/// batches that stay in the cache.
pub(crate) struct Arrays {
    lon: Column,
    lat: Column,
    weight: Option<Column>,
    time: Option<Column>,
    category: Option<CategoryCodes>,
}

/// Buffers for the elements that are converted.
#[derive(Default)]
struct Buffers {
    lon: Vec<f64>,
    lat: Vec<f64>,
    wide: Vec<f64>,
    weight: Vec<f32>,
    time: Vec<i64>,
}

impl Arrays {
    /// Points that a worker reads at a time.
    const PART_POINTS: usize = 1 << 17;

    /// The points of columns, which must have the same length.
    pub(crate) fn new(
        lon: Column,
        lat: Column,
        weight: Option<Column>,
        time: Option<Column>,
        category: Option<CategoryCodes>,
    ) -> PyResult<Self> {
        let lengths = [
            ("lat", Some(lat.len())),
            ("weight", weight.as_ref().map(Column::len)),
            ("time", time.as_ref().map(Column::len)),
            ("category_column", category.as_ref().map(|category| category.codes.len())),
        ];
        for (name, length) in lengths {
            if let Some(length) = length.filter(|length| *length != lon.len()) {
                let detail = format!("{name}: {length} values for {} points", lon.len());
                return Err(PyValueError::new_err(detail));
            }
        }
        if time.as_ref().is_some_and(|time| !time.is_time()) {
            return Err(PyTypeError::new_err("time: not an array of datetime64"));
        }
        Ok(Self { lon, lat, weight, time, category })
    }

    fn check_filters(&self, query: &Query<'_>) -> Result<()> {
        let missing = if query.filter.filters_time() && self.time.is_none() {
            (query.filter.time_parameter(), Parameter::TIME)
        } else if query.filter.filters_category() && self.category.is_none() {
            (Parameter::CATEGORY, Parameter::CATEGORY_COLUMN)
        } else {
            return Ok(());
        };
        let message = message!("the points have no column to filter by; give ", missing.1.name());
        Err(Error::invalid(missing.0, message))
    }

    /// Whether all points of a part can be passed on as they are.
    fn is_direct(&self, fields: RowFields) -> bool {
        self.lon.is_direct()
            && self.lat.is_direct()
            && (!fields.weight || self.weight.as_ref().is_none_or(Column::is_direct_weight))
            && (!fields.time || self.time.as_ref().is_none_or(Column::is_direct_time))
    }

    /// Passes the points of `range` on.
    fn pass(
        &self,
        range: Range<usize>,
        fields: RowFields,
        buffers: &mut Buffers,
        sink: &mut RowSink<'_, '_>,
    ) -> Result<ControlFlow<()>> {
        let Buffers { lon, lat, wide, weight, time } = buffers;
        let lon = self.lon.numbers(range.clone(), lon);
        let lat = self.lat.numbers(range.clone(), lat);
        let mut points = Points::new(lon, lat)?;
        if let Some(column) = self.weight.as_ref().filter(|_| fields.weight) {
            points = points.with_weight(column.weights(range.clone(), wide, weight))?;
        }
        if let Some(column) = self.time.as_ref().filter(|_| fields.time) {
            points = points.with_time(column.times(range.clone(), time))?;
        }
        if let Some(CategoryCodes { codes, names }) = self.category.as_ref().filter(|_| fields.category) {
            points = points.with_category(Categories { codes: &codes[range], names })?;
        }
        Ok(sink.columns(points))
    }
}

impl Source for Arrays {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        self.check_filters(query)?;
        let fields = RowFields {
            weight: self.weight.is_some() && query.columns.weights,
            time: self.time.is_some() && (query.columns.times || query.filter.filters_time()),
            category: self.category.is_some() && (query.columns.categories || query.filter.filters_category()),
            track: false,
        };
        let len = self.lon.len();
        let step = if self.is_direct(fields) { Self::PART_POINTS } else { Batch::ROWS };
        let parts = len.div_ceil(Self::PART_POINTS);
        scan_parts("points", parts, query, fields, sinks, |part, row_sink| {
            let (start, mut buffers) = (part * Self::PART_POINTS, Buffers::default());
            let end = len.min(start + Self::PART_POINTS);
            for start in (start..end).step_by(step) {
                if self.pass(start..end.min(start + step), fields, &mut buffers, row_sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}
