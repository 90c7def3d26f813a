//! Batches of the requested columns, built row by row.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::raw::{first, text};
use crate::source::builder::ColumnBuilder;
use crate::source::table::Request;

/// A builder of batches of the requested columns.
#[derive(Debug)]
pub(super) struct JsonBatchBuilder {
    columns: Vec<(String, Column)>,
    rows: usize,
}

#[derive(Debug)]
enum Column {
    Values(ColumnBuilder),
    Positions { field: Field, ordinates: Vec<f64> },
}

impl JsonBatchBuilder {
    /// An empty batch. The first column of the schema has the positions if `geometry` is set.
    pub(super) fn new(request: &Request<'_>, geometry: Option<&Field>) -> Self {
        let column = |index: Option<usize>, value_type| match geometry {
            Some(field) if index == Some(0) => Column::Positions { field: field.clone(), ordinates: Vec::new() },
            _ => Column::Values(ColumnBuilder::new(value_type)),
        };
        let columns = request.columns.iter();
        let columns = columns.map(|requested| (requested.name.clone(), column(requested.index, requested.value_type)));
        Self { columns: columns.collect(), rows: 0 }
    }

    /// Whether positions are requested.
    pub(super) fn has_positions(&self) -> bool {
        self.columns.iter().any(|(_, column)| matches!(column, Column::Positions { .. }))
    }

    /// Adds a row: the JSON value of each column, and the position, which is ignored unless requested.
    #[inline]
    pub(super) fn push<'v>(&mut self, values: impl Iterator<Item = Option<&'v str>>, position: [f64; 2]) {
        for ((_, column), value) in self.columns.iter_mut().zip(values) {
            match (column, value.filter(|value| first(value) != b'n')) {
                (Column::Positions { ordinates, .. }, _) => ordinates.extend(position),
                (Column::Values(builder), Some(value)) => builder.push_text(&text(value)),
                (Column::Values(builder), None) => builder.push_null(),
            }
        }
        self.rows += 1;
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the batch and starts the next one.
    ///
    /// # Errors
    /// If the columns differ in length, which does not happen.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
        for (name, column) in &mut self.columns {
            let (field, array): (_, ArrayRef) = match column {
                Column::Values(builder) => {
                    let array = builder.finish();
                    (Field::new(name.as_str(), array.data_type().clone(), true), array)
                }
                Column::Positions { field, ordinates } => {
                    let ordinates = Arc::new(Float64Array::from(std::mem::take(ordinates)));
                    (field.clone(), Arc::new(FixedSizeListArray::try_new(ordinate_field(), 2, ordinates, None)?))
                }
            };
            fields.push(field);
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
    }
}

/// The field of the coordinates in a column of positions.
pub(super) fn ordinate_field() -> Arc<Field> {
    Arc::new(Field::new("xy", DataType::Float64, false))
}
