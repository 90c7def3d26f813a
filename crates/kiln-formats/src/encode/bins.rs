//! Sums of points per cell as Parquet, for data frames and databases.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::write_error;
use kiln_core::error::{Error, Result};

/// The count and weight of the points in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Longitude of the cell's center, in degrees.
    pub lon: f64,
    /// Latitude of the cell's center in Web Mercator, in degrees.
    pub lat: f64,
    /// The zoom at which the cell is one pixel, with tiles of 256 pixels.
    pub zoom: u8,
    /// Width of the cell, in degrees of longitude.
    pub width_deg: f64,
    /// Number of points.
    pub count: u64,
    /// The sum of the points' weights; points without a weight weigh 1.
    pub weight: f64,
}

/// Writes cells as a Parquet file with the columns `lon`, `lat`, `zoom`, `width_deg`, `count` and `weight`.
pub struct BinsWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    buffered: Vec<Bin>,
}

impl<W: Write + Send> BinsWriter<W> {
    const SCHEMA: &str = "message bins {
        required double lon;
        required double lat;
        required int32 zoom (integer(8, false));
        required double width_deg;
        required int64 count;
        required double weight;
    }";
    /// Rows per row group, which are buffered in memory.
    const GROUP_ROWS: usize = 1 << 18;

    /// Starts a file.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to `out` fails.
    pub fn new(out: W) -> Result<Self> {
        let schema = Arc::new(parse_message_type(Self::SCHEMA).map_err(encoding_error)?);
        let properties = WriterProperties::builder()
            .set_created_by(concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(encoding_error)?;
        Ok(Self { writer, buffered: Vec::new() })
    }

    /// Adds a cell.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails.
    pub fn push(&mut self, bin: Bin) -> Result<()> {
        self.buffered.push(bin);
        if self.buffered.len() < Self::GROUP_ROWS { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let bins = std::mem::take(&mut self.buffered);
        let mut group = self.writer.next_row_group().map_err(encoding_error)?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.lon)?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.lat)?;
        column::<W, Int32Type>(&mut group, &bins, |bin| i32::from(bin.zoom))?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.width_deg)?;
        column::<W, Int64Type>(&mut group, &bins, |bin| i64::try_from(bin.count).unwrap_or(i64::MAX))?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.weight)?;
        group.close().map(drop).map_err(encoding_error)
    }

    /// Writes the remaining cells and the footer.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails.
    pub fn finish(mut self) -> Result<()> {
        if !self.buffered.is_empty() {
            self.flush()?;
        }
        self.writer.close().map(drop).map_err(encoding_error)
    }
}

/// Writes the next column of a row group.
fn column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    bins: &[Bin],
    value: impl Fn(&Bin) -> T::T,
) -> Result<()> {
    let values: Vec<T::T> = bins.iter().map(value).collect();
    let column = group.next_column().map_err(encoding_error)?;
    let mut column = column.ok_or_else(|| write_error(std::io::Error::other("the schema has fewer columns")))?;
    column.typed::<T>().write_batch(&values, None, None).map_err(encoding_error)?;
    column.close().map_err(encoding_error)
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
    use parquet::record::RowAccessor;

    use super::*;

    #[test]
    fn cells_of_several_row_groups_read_back_the_same() {
        let count = BinsWriter::<Vec<u8>>::GROUP_ROWS + 5;
        let mut bytes = Vec::new();
        let mut writer = BinsWriter::new(&mut bytes).unwrap();
        for i in 0..count {
            let weight = i as f64 / 3.0;
            writer.push(Bin { lon: weight, lat: -weight, zoom: 7, width_deg: 0.5, count: i as u64, weight }).unwrap();
        }
        writer.finish().unwrap();
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        assert_eq!((reader.num_row_groups(), reader.metadata().file_metadata().num_rows()), (2, count as i64));
        for (i, row) in reader.get_row_iter(None).unwrap().enumerate().step_by(10_007) {
            let row = row.unwrap();
            assert_eq!((row.get_long(4).unwrap(), row.get_ubyte(2).unwrap()), (i as i64, 7));
            assert!((row.get_double(1).unwrap() + i as f64 / 3.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_failed_write_is_an_io_error() {
        let mut full = std::io::Cursor::new([0_u8; 3]);
        let outcome = BinsWriter::new(&mut full).and_then(BinsWriter::finish);
        assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    }
}
