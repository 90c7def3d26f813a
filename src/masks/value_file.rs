//! The file of the values of a mask: little-endian floats, row by row.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::mask::{Mask, Values};
use crate::raster::Grid;

/// The type of the values of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ValueType {
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
}

/// Rows, columns and type of the values of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) columns: usize,
    #[serde(rename = "type")]
    pub(super) value_type: ValueType,
}

impl ValueType {
    fn bytes(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::F64 => size_of::<f64>(),
        }
    }
}

impl Layout {
    /// The layout of the values of `mask`.
    pub(super) fn of(mask: &Mask) -> Self {
        let value_type = match mask.values() {
            Values::Single(_) => ValueType::F32,
            Values::Double(_) => ValueType::F64,
        };
        Self { rows: mask.rows(), columns: mask.columns(), value_type }
    }

    /// The size of the file in bytes; `None` if it overflows `usize`.
    pub(super) fn bytes(self) -> Option<usize> {
        self.rows.checked_mul(self.columns)?.checked_mul(self.value_type.bytes())
    }
}

/// Writes the values of `mask`.
pub(super) fn write(mask: &Mask, file: &mut File) -> io::Result<()> {
    /// Values per system call.
    const CHUNK: usize = 1 << 16;
    let mut buffer = Vec::with_capacity(CHUNK * size_of::<f64>());
    let mut write = |fill: &dyn Fn(&mut Vec<u8>)| {
        buffer.clear();
        fill(&mut buffer);
        file.write_all(&buffer)
    };
    match mask.values() {
        Values::Single(grid) => grid.cells().chunks(CHUNK).try_for_each(|values| {
            write(&|bytes| values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())))
        }),
        Values::Double(grid) => grid.cells().chunks(CHUNK).try_for_each(|values| {
            write(&|bytes| values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())))
        }),
    }
}

/// Reads the mask in a file.
pub(super) fn read(path: &Path, layout: Layout) -> Result<Mask> {
    let damaged = || Error::input(path, "invalid file size; expected one value per cell of the mask");
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, "read", error))?;
    if layout.bytes() != Some(bytes.len()) {
        return Err(damaged());
    }
    let Layout { rows, columns, value_type } = layout;
    let values = match value_type {
        ValueType::F32 => {
            let (values, _) = bytes.as_chunks::<4>();
            let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Grid::from_cells(columns, rows, values).map(Values::Single)
        }
        ValueType::F64 => {
            let (values, _) = bytes.as_chunks::<8>();
            let values = values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            Grid::from_cells(columns, rows, values).map(Values::Double)
        }
    };
    Mask::new(values.ok_or_else(damaged)?)
}

/// Reads only the value of the cell at `row` and `column`; `None` if it has no data.
pub(super) fn read_value(path: &Path, layout: Layout, (row, column): (usize, usize)) -> Result<Option<f64>> {
    let read = || -> io::Result<f64> {
        let mut file = File::open(path)?;
        let cell = row as u64 * layout.columns as u64 + column as u64;
        file.seek(SeekFrom::Start(cell * layout.value_type.bytes() as u64))?;
        match layout.value_type {
            ValueType::F32 => {
                let mut bytes = [0; size_of::<f32>()];
                file.read_exact(&mut bytes)?;
                Ok(f64::from(f32::from_le_bytes(bytes)))
            }
            ValueType::F64 => {
                let mut bytes = [0; size_of::<f64>()];
                file.read_exact(&mut bytes)?;
                Ok(f64::from_le_bytes(bytes))
            }
        }
    };
    let value = read().map_err(|error| Error::io(path, "read", error))?;
    Ok(Some(value).filter(|value| !value.is_nan()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("values");
        let single = Grid::from_cells(3, 2, vec![0.5, -1.0, f32::NAN, f32::INFINITY, 4.0, 5.0]).map(Values::Single);
        let double = Grid::from_cells(2, 1, vec![1e300, f64::NAN]).map(Values::Double);
        for values in [single, double] {
            let mask = Mask::new(values.unwrap()).unwrap();
            write(&mask, &mut File::create(&path).unwrap()).unwrap();
            let layout = Layout::of(&mask);
            let read = read(&path, layout).unwrap();
            for (row, column) in (0..mask.rows()).flat_map(|row| (0..mask.columns()).map(move |column| (row, column))) {
                let value = mask.value(row, column);
                assert_eq!(read.value(row, column), value);
                assert_eq!(read_value(&path, layout, (row, column)).unwrap(), value);
            }
            let longer = Layout { rows: layout.rows + 1, ..layout };
            assert!(super::read(&path, longer).is_err());
            assert!(read_value(&path, longer, (layout.rows, 0)).is_err());
        }
    }
}
