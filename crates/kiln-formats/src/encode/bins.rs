//! Sums of points per cell as Parquet, for query engines, data frames and `kiln import`.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::write_error;
use kiln_core::error::{Error, Result};

/// The columns of a table of cells beyond `level`, `cell_x`, `cell_y` and `n`.
#[allow(clippy::struct_excessive_bools, reason = "each is one column")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinsColumns {
    /// Whether cells have 64 bits, as those of level 32 need. Otherwise they have 32.
    pub wide_cells: bool,
    /// `weight` and `max_weight`.
    pub weights: bool,
    /// `time`.
    pub times: bool,
    /// `category`.
    pub categories: bool,
}

/// The sums of the points of a cell, or of a period and category in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinRow<'a> {
    /// The grid level: the world has 2^level cells per side.
    pub level: u8,
    /// The column of the cell, from the west.
    pub cell_x: u32,
    /// The row of the cell, from the north.
    pub cell_y: u32,
    /// Number of points.
    pub n: u64,
    /// The sum of the weights.
    pub weight: f64,
    /// The maximum weight; `None` if it is unknown.
    pub max_weight: Option<f32>,
    /// The begin of the period in microseconds since 1970-01-01 UTC; `None` for points without a time.
    pub time_us: Option<i64>,
    /// The category; `None` for points without one.
    pub category: Option<&'a str>,
}

/// Writes cells as a Parquet file with the columns `level`, `cell_x`, `cell_y`, `n` and those of [`BinsColumns`].
pub struct BinsWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: BinsColumns,
    rows: usize,
    level: Vec<i32>,
    cell: [Vec<u32>; 2],
    n: Vec<i64>,
    weight: Vec<f64>,
    max_weight: Vec<Option<f32>>,
    time_us: Vec<Option<i64>>,
    category: Vec<Option<ByteArray>>,
}

/// The value of the key `kiln` in the metadata of the file.
const ABOUT: &str = "Points summed per cell. A level has 2^level x 2^level cells, squares of the Web Mercator world, which are the \
    pixels of tiles of 256 pixels at zoom level - 8. cell_x counts from 180 degrees west, cell_y from the northern edge.";

impl<W: Write + Send> BinsWriter<W> {
    /// Rows per row group, which are buffered in memory.
    const GROUP_ROWS: usize = 1 << 18;

    /// Starts a file.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to `out` fails.
    pub fn new(out: W, columns: BinsColumns) -> Result<Self> {
        let cell = if columns.wide_cells { "int64" } else { "int32" };
        let mut schema = format!(
            "message bins {{ required int32 level; required {cell} cell_x; required {cell} cell_y; required int64 n;"
        );
        for (is_present, field) in [
            (columns.weights, "required double weight; optional float max_weight;"),
            (columns.times, "optional int64 time (timestamp(micros, true));"),
            (columns.categories, "optional binary category (string);"),
        ] {
            schema.push_str(if is_present { field } else { "" });
        }
        schema.push('}');
        let schema = Arc::new(parse_message_type(&schema).map_err(encoding_error)?);
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![KeyValue::new("kiln".to_owned(), ABOUT.to_owned())]));
        // Few cells or sums are equal: a dictionary would make them larger. Consecutive cells are neighbors: of a million cells, each
        // column had 0.8 MB with deltas and 1.2 MB without.
        for name in ["cell_x", "cell_y", "weight", "max_weight"] {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        for name in ["cell_x", "cell_y"] {
            properties = properties.set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
        }
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build())).map_err(encoding_error)?;
        Ok(Self {
            writer,
            columns,
            rows: 0,
            level: Vec::new(),
            cell: [Vec::new(), Vec::new()],
            n: Vec::new(),
            weight: Vec::new(),
            max_weight: Vec::new(),
            time_us: Vec::new(),
            category: Vec::new(),
        })
    }

    /// Adds a cell.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails.
    pub fn push(&mut self, row: BinRow<'_>) -> Result<()> {
        self.rows += 1;
        self.level.push(i32::from(row.level));
        self.cell[0].push(row.cell_x);
        self.cell[1].push(row.cell_y);
        self.n.push(i64::try_from(row.n).unwrap_or(i64::MAX));
        if self.columns.weights {
            self.weight.push(row.weight);
            self.max_weight.push(row.max_weight);
        }
        if self.columns.times {
            self.time_us.push(row.time_us);
        }
        if self.columns.categories {
            self.category.push(row.category.map(ByteArray::from));
        }
        if self.rows < Self::GROUP_ROWS { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let mut group = self.writer.next_row_group().map_err(encoding_error)?;
        column::<W, Int32Type>(&mut group, &self.level, None)?;
        for cells in &self.cell {
            if self.columns.wide_cells {
                let cells: Vec<i64> = cells.iter().map(|&cell| i64::from(cell)).collect();
                column::<W, Int64Type>(&mut group, &cells, None)?;
            } else {
                let cells: Vec<i32> = cells.iter().map(|&cell| cell.cast_signed()).collect();
                column::<W, Int32Type>(&mut group, &cells, None)?;
            }
        }
        column::<W, Int64Type>(&mut group, &self.n, None)?;
        if self.columns.weights {
            column::<W, DoubleType>(&mut group, &self.weight, None)?;
            optional_column::<W, FloatType>(&mut group, &self.max_weight)?;
        }
        if self.columns.times {
            optional_column::<W, Int64Type>(&mut group, &self.time_us)?;
        }
        if self.columns.categories {
            optional_column::<W, ByteArrayType>(&mut group, &self.category)?;
        }
        group.close().map_err(encoding_error)?;
        self.rows = 0;
        self.level.clear();
        self.cell.iter_mut().for_each(Vec::clear);
        self.n.clear();
        self.weight.clear();
        self.max_weight.clear();
        self.time_us.clear();
        self.category.clear();
        Ok(())
    }

    /// Writes the remaining cells and the footer.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails.
    pub fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.writer.close().map(drop).map_err(encoding_error)
    }
}

/// Writes the next column of a row group; `levels` are 0 for nulls, which have no value.
fn column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<()> {
    let column = group.next_column().map_err(encoding_error)?;
    let mut column = column.ok_or_else(|| write_error(std::io::Error::other("the schema has fewer columns")))?;
    column.typed::<T>().write_batch(values, levels, None).map_err(encoding_error)?;
    column.close().map_err(encoding_error)
}

/// Writes the next column of a row group, with nulls.
fn optional_column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[Option<T::T>],
) -> Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.iter().flatten().cloned().collect();
    column::<W, T>(group, &values, Some(&levels))
}

pub(super) fn encoding_error(error: ParquetError) -> Error {
    write_error(match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => *source,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, Row};

    use super::*;

    fn written<'a>(columns: BinsColumns, rows: impl IntoIterator<Item = BinRow<'a>>) -> SerializedFileReader<Bytes> {
        let mut bytes = Vec::new();
        let mut writer = BinsWriter::new(&mut bytes, columns).unwrap();
        rows.into_iter().for_each(|row| writer.push(row).unwrap());
        writer.finish().unwrap();
        SerializedFileReader::new(Bytes::from(bytes)).unwrap()
    }

    fn row(i: usize) -> BinRow<'static> {
        BinRow {
            level: 15,
            cell_x: i as u32,
            cell_y: 3 * i as u32,
            n: i as u64 + 1,
            weight: i as f64 / 3.0,
            max_weight: (i % 5 != 1).then_some(i as f32 / 7.0),
            time_us: i.is_multiple_of(2).then_some(i as i64),
            category: i.is_multiple_of(3).then_some("bus"),
        }
    }

    fn fields(row: Row) -> Vec<Field> {
        row.into_columns().into_iter().map(|(_, field)| field).collect()
    }

    #[test]
    fn cells_of_several_row_groups_read_back_the_same() {
        let count = BinsWriter::<Vec<u8>>::GROUP_ROWS + 5;
        let columns = BinsColumns { weights: true, times: true, categories: true, wide_cells: false };
        let reader = written(columns, (0..count).map(row));
        assert_eq!((reader.num_row_groups(), reader.metadata().file_metadata().num_rows()), (2, count as i64));
        for (i, read) in reader.get_row_iter(None).unwrap().enumerate().step_by(10_007) {
            let expected = [
                Field::Int(15),
                Field::Int(i as i32),
                Field::Int(3 * i as i32),
                Field::Long(i as i64 + 1),
                Field::Double(i as f64 / 3.0),
                if i % 5 == 1 { Field::Null } else { Field::Float(i as f32 / 7.0) },
                if i % 2 == 0 { Field::TimestampMicros(i as i64) } else { Field::Null },
                if i % 3 == 0 { Field::Str("bus".to_owned()) } else { Field::Null },
            ];
            assert_eq!(fields(read.unwrap()), expected);
        }
    }

    #[test]
    fn cells_of_level_32_have_64_bits() {
        let cell = BinRow { level: 32, cell_x: u32::MAX, cell_y: 1 << 31, ..row(0) };
        let reader = written(BinsColumns { wide_cells: true, ..BinsColumns::default() }, [cell]);
        let read = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
        let expected = [Field::Int(32), Field::Long(i64::from(u32::MAX)), Field::Long(1 << 31), Field::Long(1)];
        assert_eq!(fields(read), expected);
    }

    #[test]
    fn a_failed_write_is_an_io_error() {
        let mut full = std::io::Cursor::new([0_u8; 3]);
        let outcome = BinsWriter::new(&mut full, BinsColumns::default()).and_then(BinsWriter::finish);
        assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    }
}
