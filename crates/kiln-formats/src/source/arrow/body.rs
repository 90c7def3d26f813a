//! Reads the requested columns from the bodies of messages.

use std::collections::HashMap;
use std::fs::File;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::{RecordBatchDecoder, read_dictionary};
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef, UnionMode};

use super::super::read_at::read_exact_at;
use super::error::{ArrowReadError, damaged};
use super::layout::{MessageLocation, head, parse};

/// The values of dictionaries by dictionary ID.
pub(super) type Dictionaries = HashMap<i64, ArrayRef>;

/// The maximum decompressed size of the requested columns of a record batch.
const MAX_DECOMPRESSED_BYTES: u64 = 2 << 30;

/// Reads the columns `requested`, in this order, of a record batch.
pub(super) fn read_batch(
    file: &File,
    message: &MessageLocation,
    schema: &SchemaRef,
    requested: &[usize],
    dictionaries: &Dictionaries,
) -> Result<RecordBatch, ArrowReadError> {
    let head = head(file, message)?;
    let head = parse(&head)?;
    let batch = head.header_as_record_batch().ok_or_else(|| damaged("a message is not a record batch as expected"))?;
    let body = read_body(file, message, &batch, &needed_buffers(schema, requested, &batch, head.version())?)?;
    let version = head.version();
    let decoder = RecordBatchDecoder::try_new(&body, batch, schema.clone(), dictionaries, &version)?;
    Ok(decoder.with_projection(Some(requested)).read_record_batch()?)
}

/// Adds the dictionary in `message` to `dictionaries` if its ID is among `requested`.
pub(super) fn add_dictionary(
    file: &File,
    message: &MessageLocation,
    schema: &Schema,
    requested: &[i64],
    dictionaries: &mut Dictionaries,
) -> Result<(), ArrowReadError> {
    let head = head(file, message)?;
    let head = parse(&head)?;
    let dictionary = head.header_as_dictionary_batch();
    let dictionary = dictionary.ok_or_else(|| damaged("a message is not a dictionary as expected"))?;
    if !requested.contains(&dictionary.id()) {
        return Ok(());
    }
    let values = dictionary.data().ok_or_else(|| damaged("a dictionary is empty"))?;
    let needed = vec![true; values.buffers().map_or(0, |buffers| buffers.len())];
    let body = read_body(file, message, &values, &needed)?;
    Ok(read_dictionary(&body, dictionary, schema, dictionaries, &head.version())?)
}

/// Reads the needed buffers of a body at their offsets. The gaps are zeroed and never accessed, and take no memory
/// because the operating system allocates pages on the first write.
fn read_body(
    file: &File,
    message: &MessageLocation,
    batch: &arrow_ipc::RecordBatch<'_>,
    needed: &[bool],
) -> Result<Buffer, ArrowReadError> {
    let too_large = |bytes: u64| damaged(format!("a record batch of {} MiB exceeds the available memory", bytes >> 20));
    let mut body =
        MutableBuffer::try_from_len_zeroed(message.body_bytes as usize).map_err(|_| too_large(message.body_bytes))?;
    let mut decompressed_bytes = 0u64;
    for (buffer, _) in batch.buffers().into_iter().flatten().zip(needed).filter(|(_, needed)| **needed) {
        let outside = || damaged("a column is outside of its record batch");
        let start = u64::try_from(buffer.offset()).map_err(|_| outside())?;
        let end = start.checked_add_signed(buffer.length()).filter(|&end| end >= start && end <= message.body_bytes);
        let end = end.ok_or_else(outside)?;
        let bytes = &mut body[start as usize..end as usize];
        read_exact_at(file, bytes, message.start + message.head_bytes + start)?;
        if let (Some(_), Some(size)) = (batch.compression(), bytes.first_chunk()) {
            // A negative size means that the buffer is not compressed, or is invalid.
            decompressed_bytes = decompressed_bytes.saturating_add(i64::from_le_bytes(*size).max(0) as u64);
        }
    }
    if decompressed_bytes > MAX_DECOMPRESSED_BYTES {
        let (size, max) = (decompressed_bytes >> 20, MAX_DECOMPRESSED_BYTES >> 20);
        let message = format!(
            "the decompressed size of a record batch, {size} MiB, exceeds {max} MiB; \
             rewrite the file with smaller batches"
        );
        return Err(damaged(message));
    }
    // The decoder aborts if it cannot allocate this memory.
    Vec::<u8>::new().try_reserve_exact(decompressed_bytes as usize).map_err(|_| too_large(decompressed_bytes))?;
    Ok(body.into())
}

/// Whether each buffer of a record batch belongs to one of the columns `requested`.
fn needed_buffers(
    schema: &Schema,
    requested: &[usize],
    batch: &arrow_ipc::RecordBatch<'_>,
    version: MetadataVersion,
) -> Result<Vec<bool>, ArrowReadError> {
    let mut variadic = batch.variadicBufferCounts().into_iter().flatten();
    let mut needed = Vec::new();
    let all = batch.buffers().map_or(0, |buffers| buffers.len());
    for (index, field) in schema.fields().iter().enumerate() {
        let count = buffers_of(field.data_type(), &mut variadic, version).filter(|&count| count <= all - needed.len());
        let count = count.ok_or_else(|| damaged("a record batch contradicts the schema"))?;
        needed.resize(needed.len() + count, requested.contains(&index));
    }
    Ok(needed)
}

/// The number of buffers of a column of a type. For view types it is the next number of `variadic`.
fn buffers_of(
    data_type: &DataType,
    variadic: &mut impl Iterator<Item = i64>,
    version: MetadataVersion,
) -> Option<usize> {
    let (own, children): (usize, Vec<&FieldRef>) = match data_type {
        DataType::Null => (0, vec![]),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => (3, vec![]),
        DataType::Utf8View | DataType::BinaryView => {
            (usize::try_from(variadic.next()?).ok()?.saturating_add(2), vec![])
        }
        DataType::FixedSizeList(values, _) => (1, vec![values]),
        DataType::List(values) | DataType::LargeList(values) | DataType::Map(values, _) => (2, vec![values]),
        DataType::ListView(values) | DataType::LargeListView(values) => (3, vec![values]),
        DataType::Struct(fields) => (1, fields.iter().collect()),
        DataType::RunEndEncoded(ends, values) => (0, vec![ends, values]),
        DataType::Union(fields, mode) => {
            let own = 1 + usize::from(*mode == UnionMode::Dense) + usize::from(version < MetadataVersion::V5);
            (own, fields.iter().map(|(_, field)| field).collect())
        }
        _ => (2, vec![]),
    };
    let add =
        |sum: usize, field: &FieldRef| Some(sum.saturating_add(buffers_of(field.data_type(), variadic, version)?));
    children.into_iter().try_fold(own, add)
}
