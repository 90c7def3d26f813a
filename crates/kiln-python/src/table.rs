//! Tables as Arrow record batches: of the C stream interface, or of columns.

use std::sync::Arc;

use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, RecordBatchReader, StringArray};
use arrow_schema::{ArrowError, Schema};
use kiln::{Error, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};

use crate::work;

/// The name of tables in messages.
pub(crate) const NAME: &str = "the table";

/// A table in memory.
pub(crate) struct Table {
    pub(crate) schema: Arc<Schema>,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Table {
    /// Reads the stream in a capsule of the Arrow C stream interface. The batches share the memory of the table.
    pub(crate) fn of_stream(capsule: &Bound<'_, PyCapsule>) -> PyResult<Self> {
        let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
        // SAFETY: The name of the capsule is that of the interface, which guarantees a valid stream at its address. The stream is
        // moved out, and the one in the capsule is marked as released.
        #[allow(unsafe_code)]
        let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr().cast()) };
        work::run(capsule.py(), |_| Self::read(stream).map_err(|error| invalid(&error)))
    }

    fn read(stream: FFI_ArrowArrayStream) -> Result<Self, ArrowError> {
        let reader = RecordBatchStreamReader::try_new(stream)?;
        let schema = reader.schema();
        Ok(Self { schema, batches: reader.collect::<Result<_, _>>()? })
    }

    /// The table of columns by name: arrays of NumPy of `float64`, `int64` or `datetime64[us]`, or lists of texts and `None`.
    pub(crate) fn of_columns(columns: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut arrays: Vec<(String, ArrayRef, bool)> = Vec::new();
        for (name, values) in columns {
            let name: String = name.extract()?;
            let array = column(&values, &name)?;
            if let Some((first, rows)) = arrays.first().map(|(first, array, _)| (first, array.len()))
                && rows != array.len()
            {
                let detail = format!("{name}: {} values, but {first} has {rows}", array.len());
                return Err(PyValueError::new_err(detail));
            }
            arrays.push((name, array, true));
        }
        if arrays.is_empty() {
            return Err(PyValueError::new_err("the table has no columns"));
        }
        let batch = RecordBatch::try_from_iter_with_nullable(arrays)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { schema: batch.schema(), batches: vec![batch] })
    }
}

/// A column as an array of Arrow.
fn column(values: &Bound<'_, PyAny>, name: &str) -> PyResult<ArrayRef> {
    if let Ok(texts) = values.cast::<PyList>() {
        let texts: Vec<Option<String>> = texts.extract()?;
        return Ok(Arc::new(StringArray::from(texts)));
    }
    let kind: String = values.getattr("dtype")?.getattr("str")?.extract()?;
    let bytes = values.call_method0("tobytes")?;
    let bytes: &[u8] = bytes.extract()?;
    let words = || bytes.as_chunks::<8>().0.iter().copied();
    Ok(match kind.as_str() {
        "<f8" => Arc::new(PrimitiveArray::<Float64Type>::from_iter_values(words().map(f64::from_le_bytes))),
        "<i8" => Arc::new(PrimitiveArray::<Int64Type>::from_iter_values(words().map(i64::from_le_bytes))),
        "<M8[us]" => {
            // The minimum is what NumPy has for a missing time.
            let times = words().map(i64::from_le_bytes).map(|time| (time != i64::MIN).then_some(time));
            Arc::new(times.collect::<PrimitiveArray<TimestampMicrosecondType>>())
        }
        _ => return Err(PyValueError::new_err(format!("{name}: the type {kind} is not supported"))),
    })
}

fn invalid(error: &ArrowError) -> Error {
    Error::input(NAME, format!("the table cannot be read: {error}"))
}
