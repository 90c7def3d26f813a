//! Arrow record batches in memory as a table, for tables of other programs.

use std::ops::{ControlFlow, Range};

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::columns::TablePoints;
use super::nested::{Nested, select};
use super::table::{BatchSink, PartResult, Request, Table, TableScan};
use super::{ReadOptions, Source};
use kiln_core::error::{Error, Result};

/// A source of the points of record batches in memory; `name` is the name of the input in messages. The columns are those of
/// [`open`](super::open): types, units and missing values are handled in the same way. The schema of each batch must be
/// `schema`.
pub fn of_batches(name: &str, schema: &Schema, batches: Vec<RecordBatch>, options: &ReadOptions) -> Box<dyn Source> {
    let table = MemoryTable { name: name.to_owned(), columns: Nested::of(schema), batches };
    Box::new(TablePoints::new(Box::new(table), options))
}

/// Record batches in memory.
struct MemoryTable {
    name: String,
    columns: Nested,
    batches: Vec<RecordBatch>,
}

impl MemoryTable {
    /// The rows of a part, which a worker reads at a time.
    const PART_ROWS: usize = 1 << 17;
}

impl Table for MemoryTable {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> &Schema {
        &self.columns.schema
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        let paths = request.indexes().map(|index| &self.columns.paths[index][..]).collect();
        let parts = self.batches.iter().enumerate().flat_map(|(batch, rows)| {
            let starts = (0..rows.num_rows()).step_by(Self::PART_ROWS);
            starts.map(move |start| (batch, start..rows.num_rows().min(start + Self::PART_ROWS)))
        });
        Ok(Box::new(MemoryScan { table: self, paths, parts: parts.collect() }))
    }
}

/// A scan of the requested columns.
struct MemoryScan<'a> {
    table: &'a MemoryTable,
    paths: Vec<&'a [String]>,
    /// The batch and the rows of each part.
    parts: Vec<(usize, Range<usize>)>,
}

impl TableScan for MemoryScan<'_> {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn bytes(&self) -> u64 {
        self.table.batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum()
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let (batch, range) = &self.parts[part];
        let slice = self.table.batches[*batch].slice(range.start, range.len());
        let columns = select(&slice, &self.paths)
            .map_err(|error| Error::input(&self.table.name, format!("the table cannot be read: {error}")))?;
        if rows.batch(&columns).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        rows.advance(slice.get_array_memory_size() as u64);
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float32Array, Float64Array, StringArray};
    use arrow_schema::{DataType, Field};

    use super::super::{PointColumns, Points};
    use super::*;
    use kiln_core::source::Query;

    fn batch(rows: usize, from: usize) -> RecordBatch {
        let numbers = || (from..from + rows).map(|row| row as f64 / 1e6);
        let kinds = (from..from + rows).map(|row| if row % 2 == 0 { "bus" } else { "tram" });
        let columns: [(&str, ArrayRef); 4] = [
            ("lat", Arc::new(Float64Array::from_iter_values(numbers()))),
            ("lon", Arc::new(Float32Array::from_iter_values(numbers().map(|number| number as f32)))),
            ("weight", Arc::new(numbers().map(|number| (number > 0.0).then_some(number)).collect::<Float64Array>())),
            ("kind", Arc::new(StringArray::from_iter_values(kinds))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    #[test]
    fn batches_are_read_in_order_with_their_columns() {
        let batches = vec![batch(200_000, 0), batch(7, 200_000)];
        let source = of_batches("the table", &batches[0].schema(), batches.clone(), &ReadOptions::default());
        let mut points = PointColumns::default();
        let mut sink = |batch: Points<'_>| {
            points.add(batch);
            ControlFlow::Continue(())
        };
        let query = Query::default().with_weights(true).with_categories(true);
        let report = source.scan(&query, &mut [&mut sink]).unwrap();
        assert_eq!((report.read, report.rejected, report.unweighted), (200_007, 0, 0));
        assert_eq!(report.ignored[0].values, 1);
        let points = points.points();
        assert_eq!((points.lat()[200_006], points.weight().unwrap()[200_006]), (0.200_006, 0.200_006));
        assert_eq!(points.category().unwrap().name(200_001), Some("tram"));
    }

    #[test]
    fn a_table_without_coordinates_is_an_error_with_its_name() {
        let schema = Schema::new(vec![Field::new("city", DataType::Utf8, true)]);
        let source = of_batches("the table", &schema, Vec::new(), &ReadOptions::default());
        let mut sink = |_: Points<'_>| ControlFlow::Continue(());
        let message = source.scan(&Query::default(), &mut [&mut sink]).unwrap_err().to_string();
        assert!(message.starts_with("the table: ") && message.contains("city"), "{message}");
    }
}
