//! The layout of a file: its schema, and the locations of its messages.

use std::fs::File;
use std::sync::Arc;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::{Endianness, MessageHeader, root_as_footer};
use arrow_schema::SchemaRef;

use super::super::read_at::read_exact_at;
use super::error::{ArrowReadError, damaged};

/// The location of a record batch or a dictionary: its metadata, followed by its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageLocation {
    pub(super) start: u64,
    /// Including the prefix with the length.
    pub(super) head_bytes: u64,
    pub(super) body_bytes: u64,
}

/// A record batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLocation {
    pub(super) message: MessageLocation,
    /// The number of dictionaries that it may use: in a stream those before it; a later one may replace or extend an
    /// earlier one.
    pub(super) dictionaries: usize,
}

/// The schema of a file and the locations of its messages.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) schema: SchemaRef,
    pub(super) dictionaries: Vec<MessageLocation>,
    pub(super) batches: Vec<BatchLocation>,
}

/// The magic number at the start and the end of the file format.
pub(super) const MAGIC: &[u8] = b"ARROW1";
/// The marker at the start of the messages of a stream.
pub(super) const CONTINUATION: &[u8] = b"\xFF\xFF\xFF\xFF";

impl Layout {
    /// Size of the prefix of a message: the marker and the length of the metadata.
    const PREFIX_BYTES: u64 = 8;

    /// Reads the footer of a file of `file_bytes` bytes.
    pub(super) fn of_file(file: &File, file_bytes: u64) -> Result<Self, ArrowReadError> {
        let unfinished = || damaged("the footer is missing; was the file still being written?");
        let tail_start = file_bytes.checked_sub(4 + MAGIC.len() as u64).ok_or_else(unfinished)?;
        let tail = read(file, tail_start, file_bytes - tail_start)?;
        let (length, magic) = tail.split_first_chunk().ok_or_else(unfinished)?;
        let start = tail_start.checked_sub(u64::from(u32::from_le_bytes(*length))).filter(|_| magic == MAGIC);
        let start = start.ok_or_else(unfinished)?;
        let footer = read(file, start, tail_start - start)?;
        let footer = root_as_footer(&footer).map_err(|error| damaged(format!("invalid footer: {error}")))?;
        let schema = schema_of(footer.schema())?;
        let message = |block: &arrow_ipc::Block| {
            let length = |length: i64| u64::try_from(length).ok();
            let (start, head_bytes) = (length(block.offset())?, length(block.metaDataLength().into())?);
            let body_bytes = length(block.bodyLength())?;
            let end = start.checked_add(head_bytes)?.checked_add(body_bytes)?;
            (end <= file_bytes).then_some(MessageLocation { start, head_bytes, body_bytes })
        };
        let outside = || {
            damaged(
                "a record batch is outside of the file according to the footer; was the file truncated or overwritten?",
            )
        };
        let messages = |blocks: Option<_>| -> Result<Vec<MessageLocation>, ArrowReadError> {
            let blocks = blocks.into_iter().flatten();
            blocks.map(|block| message(block).ok_or_else(outside)).collect()
        };
        let dictionaries = messages(footer.dictionaries().map(|blocks| blocks.iter()))?;
        let batches = messages(footer.recordBatches().map(|blocks| blocks.iter()))?;
        let batches =
            batches.into_iter().map(|message| BatchLocation { message, dictionaries: dictionaries.len() }).collect();
        Ok(Self { schema, dictionaries, batches })
    }

    /// Reads the metadata of all messages of a stream of `file_bytes` bytes.
    pub(super) fn of_stream(file: &File, file_bytes: u64) -> Result<Self, ArrowReadError> {
        let truncated = || damaged("it ends within a message; was the file truncated?");
        let (mut schema, mut dictionaries, mut batches) = (None, Vec::new(), Vec::new());
        let mut start = 0;
        while start < file_bytes {
            let left = file_bytes - start;
            let prefix = read(file, start, left.min(Self::PREFIX_BYTES))?;
            let (marker, length) = prefix.split_first_chunk::<4>().ok_or_else(truncated)?;
            let length = length.first_chunk().ok_or_else(truncated)?;
            if marker != CONTINUATION {
                return Err(damaged("a message does not start with the marker 0xFFFFFFFF"));
            }
            let head_bytes = Self::PREFIX_BYTES + u64::from(u32::from_le_bytes(*length));
            if head_bytes == Self::PREFIX_BYTES {
                break;
            }
            if head_bytes > left {
                return Err(truncated());
            }
            let head = read(file, start + Self::PREFIX_BYTES, head_bytes - Self::PREFIX_BYTES)?;
            let head = parse(&head)?;
            let body_bytes =
                u64::try_from(head.bodyLength()).map_err(|_| damaged("a message has a negative length"))?;
            if body_bytes > left - head_bytes {
                return Err(truncated());
            }
            let message = MessageLocation { start, head_bytes, body_bytes };
            match (head.header_type(), &schema) {
                (MessageHeader::Schema, None) => schema = Some(schema_of(head.header_as_schema())?),
                (_, None) => return Err(damaged("the first message is not a schema")),
                (MessageHeader::DictionaryBatch, _) => dictionaries.push(message),
                (MessageHeader::RecordBatch, _) => {
                    batches.push(BatchLocation { message, dictionaries: dictionaries.len() });
                }
                (kind, _) => return Err(damaged(format!("unexpected message {kind:?} among the record batches"))),
            }
            start += head_bytes + body_bytes;
        }
        Ok(Self { schema: schema.ok_or_else(|| damaged("the schema is missing"))?, dictionaries, batches })
    }
}

fn schema_of(schema: Option<arrow_ipc::Schema<'_>>) -> Result<SchemaRef, ArrowReadError> {
    let schema = schema.ok_or_else(|| damaged("the schema is missing"))?;
    if schema.endianness() != Endianness::Little {
        return Err(damaged("big-endian files are not supported; rewrite it as little-endian"));
    }
    Ok(Arc::new(try_fb_to_schema(schema)?))
}

/// Reads the metadata of a message, without the prefix.
pub(super) fn head(file: &File, message: &MessageLocation) -> Result<Vec<u8>, ArrowReadError> {
    let mut head = read(file, message.start, message.head_bytes)?;
    // Files of versions before 0.15 have no marker.
    let prefix_bytes = if head.starts_with(CONTINUATION) { 8 } else { 4 };
    head.drain(..prefix_bytes.min(head.len()));
    Ok(head)
}

pub(super) fn parse(head: &[u8]) -> Result<arrow_ipc::Message<'_>, ArrowReadError> {
    arrow_ipc::root_as_message(head).map_err(|error| damaged(format!("invalid message: {error}")))
}

fn read(file: &File, start: u64, bytes: u64) -> Result<Vec<u8>, ArrowReadError> {
    let mut content = vec![0; bytes as usize];
    read_exact_at(file, &mut content, start)?;
    Ok(content)
}
