//! Sums of points per cell as Parquet, which data frames and databases read.

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

/// The points of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Longitude of its center, in degrees.
    pub lon: f64,
    /// Latitude of its center on the map, in degrees.
    pub lat: f64,
    /// The zoom whose pixel it is, at 256 pixels a tile.
    pub zoom: u8,
    /// How wide it is, in degrees of longitude.
    pub width_deg: f64,
    /// How many points there are.
    pub count: u64,
    /// The sum of their weights; where they have none, each weighs 1.
    pub weight: f64,
}

/// Cells that are written as they come: columns `lon`, `lat`, `zoom`, `width_deg`, `count` and `weight`.
pub struct BinsWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    waiting: Vec<Bin>,
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
    /// Rows of a group: so many are held.
    const GROUP: usize = 1 << 18;

    /// Begins a file.
    ///
    /// # Errors
    /// [`Error::Io`] if `out` refuses the bytes.
    pub fn new(out: W) -> Result<Self> {
        let schema = Arc::new(parse_message_type(Self::SCHEMA).map_err(refused)?);
        let properties = WriterProperties::builder()
            .set_created_by(concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(refused)?;
        Ok(Self { writer, waiting: Vec::new() })
    }

    /// Adds a cell.
    ///
    /// # Errors
    /// [`Error::Io`] if the bytes are refused.
    pub fn push(&mut self, bin: Bin) -> Result<()> {
        self.waiting.push(bin);
        if self.waiting.len() < Self::GROUP { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let bins = std::mem::take(&mut self.waiting);
        let mut group = self.writer.next_row_group().map_err(refused)?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.lon)?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.lat)?;
        column::<W, Int32Type>(&mut group, &bins, |bin| i32::from(bin.zoom))?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.width_deg)?;
        column::<W, Int64Type>(&mut group, &bins, |bin| i64::try_from(bin.count).unwrap_or(i64::MAX))?;
        column::<W, DoubleType>(&mut group, &bins, |bin| bin.weight)?;
        group.close().map(drop).map_err(refused)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`Error::Io`] if the bytes are refused.
    pub fn finish(mut self) -> Result<()> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        self.writer.close().map(drop).map_err(refused)
    }
}

/// Writes the next column of a group.
fn column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    bins: &[Bin],
    value: impl Fn(&Bin) -> T::T,
) -> Result<()> {
    let values: Vec<T::T> = bins.iter().map(value).collect();
    let next = group.next_column().map_err(refused)?;
    let mut next = next.ok_or_else(|| write_error(std::io::Error::other("a column is missing")))?;
    next.typed::<T>().write_batch(&values, None, None).map_err(refused)?;
    next.close().map_err(refused)
}

fn refused(error: ParquetError) -> Error {
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
    fn cells_come_back_group_by_group() {
        let count = BinsWriter::<Vec<u8>>::GROUP + 5;
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
    fn a_writer_that_refuses_is_told() {
        let mut full = std::io::Cursor::new([0_u8; 3]);
        let outcome = BinsWriter::new(&mut full).and_then(BinsWriter::finish);
        assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    }
}
