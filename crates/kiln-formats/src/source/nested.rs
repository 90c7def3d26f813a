//! Fields of struct columns, addressed by dotted paths.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray, make_array};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema};

/// The columns of a schema and the nested fields of its struct columns.
#[derive(Debug)]
pub(super) struct Nested {
    /// All columns and nested fields, each named by its dotted path.
    pub(super) schema: Schema,
    /// The path of each one as a list of names.
    pub(super) paths: Vec<Vec<String>>,
}

impl Nested {
    /// The maximum nesting depth; fields of deeper structs are not listed.
    const MAX_DEPTH: usize = 8;

    /// Lists the columns of `schema` and their nested fields.
    pub(super) fn of(schema: &Schema) -> Self {
        let (mut fields, mut paths) = (Vec::new(), Vec::new());
        for field in schema.fields() {
            list(field, &[], &mut fields, &mut paths);
        }
        Self { schema: Schema::new_with_metadata(fields, schema.metadata().clone()), paths }
    }
}

fn list(field: &FieldRef, parent: &[String], fields: &mut Vec<FieldRef>, paths: &mut Vec<Vec<String>>) {
    let path: Vec<String> = parent.iter().chain([field.name()]).cloned().collect();
    let name = path.join(".");
    let is_top_level = parent.is_empty();
    fields.push(if is_top_level { Arc::clone(field) } else { Arc::new(Field::clone(field).with_name(name)) });
    paths.push(path.clone());
    if let DataType::Struct(children) = field.data_type()
        && path.len() < Nested::MAX_DEPTH
    {
        for child in children {
            list(child, &path, fields, paths);
        }
    }
}

/// Selects the columns at `paths`, in this order.
///
/// # Errors
/// If a column does not exist.
pub(super) fn select(batch: &RecordBatch, paths: &[&[String]]) -> Result<RecordBatch, ArrowError> {
    let column = |path: &&[String]| {
        let [name, rest @ ..] = path else { return Err(missing("")) };
        descend(batch.column_by_name(name).ok_or_else(|| missing(name))?, rest)
    };
    let columns: Vec<ArrayRef> = paths.iter().map(column).collect::<Result<_, _>>()?;
    let fields: Vec<Field> = columns.iter().map(|column| Field::new("", column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Schema::new(fields).into(), columns)
}

/// Returns the nested field of `array` at `path`. It is null in rows where a parent struct is null.
fn descend(array: &ArrayRef, path: &[String]) -> Result<ArrayRef, ArrowError> {
    let [name, rest @ ..] = path else { return Ok(Arc::clone(array)) };
    let parent: &StructArray = array.as_struct_opt().ok_or_else(|| missing(name))?;
    let child = parent.column_by_name(name).ok_or_else(|| missing(name))?;
    let child = match parent.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            let nulls = NullBuffer::union(Some(nulls), child.logical_nulls().as_ref());
            make_array(child.to_data().into_builder().nulls(nulls).build()?)
        }
        _ => Arc::clone(child),
    };
    descend(&child, rest)
}

fn missing(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("there is no column `{name}`"))
}
