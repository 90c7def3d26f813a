//! Tables of numbers as Parquet, for data frames and databases.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::bins::encoding_error;
use super::write_error;
use kiln_core::error::Result;

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableColumn {
    /// Doubles; `None` is null.
    Doubles(Vec<Option<f64>>),
    /// Integers.
    Integers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

/// Writes columns of the same length as a Parquet file with one row group. The names must be lower-case words. `metadata`
/// are the keys and values of the file.
///
/// # Errors
/// [`Error::Io`](kiln_core::Error::Io) if writing to `out` fails.
pub fn write_table(out: impl Write + Send, columns: &[(&str, TableColumn)], metadata: &[(&str, String)]) -> Result<()> {
    let field = |(name, column): &(&str, TableColumn)| match column {
        TableColumn::Doubles(_) => format!("optional double {name};"),
        TableColumn::Integers(_) => format!("required int64 {name};"),
        TableColumn::Texts(_) => format!("required binary {name} (string);"),
    };
    let fields: String = columns.iter().map(field).collect();
    let schema = parse_message_type(&format!("message table {{ {fields} }}")).map_err(encoding_error)?;
    let pair = |(key, value): &(&str, String)| KeyValue::new((*key).to_owned(), value.clone());
    let properties = WriterProperties::builder()
        .set_created_by(concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(metadata.iter().map(pair).collect()))
        .build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(encoding_error)?;
    let mut group = writer.next_row_group().map_err(encoding_error)?;
    for (_, column) in columns {
        let next = group.next_column().map_err(encoding_error)?;
        let mut next = next.ok_or_else(|| write_error(std::io::Error::other("the schema has fewer columns")))?;
        match column {
            TableColumn::Doubles(values) => {
                let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                let values: Vec<f64> = values.iter().copied().flatten().collect();
                next.typed::<DoubleType>().write_batch(&values, Some(&levels), None).map_err(encoding_error)?;
            }
            TableColumn::Integers(values) => {
                next.typed::<Int64Type>().write_batch(values, None, None).map_err(encoding_error)?;
            }
            TableColumn::Texts(values) => {
                let values: Vec<ByteArray> = values.iter().map(|text| text.as_str().into()).collect();
                next.typed::<ByteArrayType>().write_batch(&values, None, None).map_err(encoding_error)?;
            }
        }
        next.close().map_err(encoding_error)?;
    }
    group.close().map_err(encoding_error)?;
    writer.close().map(drop).map_err(encoding_error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;

    #[test]
    fn a_table_reads_back_the_same() {
        let columns = [
            ("x", TableColumn::Doubles(vec![Some(0.25), None, Some(-1.0)])),
            ("count", TableColumn::Integers(vec![3, 0, i64::MAX])),
        ];
        let mut bytes = Vec::new();
        write_table(&mut bytes, &columns, &[("kiln.unit", "points".to_owned())]).unwrap();
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert!(metadata.iter().any(|pair| pair.key == "kiln.unit" && pair.value.as_deref() == Some("points")));
        let rows: Vec<Vec<(String, Field)>> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns()).collect();
        let row = |x: Field, count: i64| vec![("x".to_owned(), x), ("count".to_owned(), Field::Long(count))];
        assert_eq!(rows, [row(Field::Double(0.25), 3), row(Field::Null, 0), row(Field::Double(-1.0), i64::MAX)]);
    }
}
