#![no_main]

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

// Wraps geometries in a Parquet file, whose reader is their only public entry point. An input is a series of geometries, each
// preceded by its length.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let mut geometries = Vec::new();
    while let Some((&length, behind)) = rest.split_first() {
        let (geometry, behind) = behind.split_at(behind.len().min(length.into()));
        geometries.push(ByteArray::from(geometry.to_vec()));
        rest = behind;
    }
    if let Ok(file) = file(&geometries) {
        kiln_fuzz::scan_as(&file, "application/vnd.apache.parquet");
    }
});

fn file(geometries: &[ByteArray]) -> parquet::errors::Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type("message points { required binary geometry; }")?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::default())?;
    let mut group = file.next_row_group()?;
    if let Some(mut column) = group.next_column()? {
        column.typed::<ByteArrayType>().write_batch(geometries, None, None)?;
        column.close()?;
    }
    group.close()?;
    file.into_inner()
}
