//! Arrow IPC files: written once, then memory-mapped and read without copying.

use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::writer::FileWriter;
use arrow_ipc::{root_as_footer, root_as_message};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::checksums::{self, ChunkChecksums, ChunkHasher, TailDigest};
use super::disk::{File, Map};
use kiln_core::error::{Error, Result};
use kiln_core::unwind::quietly;

/// The size and the checksums of a written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileDigest {
    /// Size of the file.
    pub(super) bytes: u64,
    /// CRC-32 (IEEE) of the file.
    pub(super) crc32: u32,
    /// The end of the file, which has the checksums of its chunks; `None` for a file of a version of Kiln without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<TailDigest>,
}

/// Writes an Arrow file.
pub(super) struct ArrowWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: FileWriter<ChecksumWriter>,
}

/// A writer that counts the bytes and computes their checksums.
struct ChecksumWriter {
    file: BufWriter<File>,
    bytes: u64,
    crc: crc32fast::Hasher,
    chunks: ChunkHasher,
    tail: Option<(u64, crc32fast::Hasher)>,
}

impl Write for ChecksumWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        self.crc.update(&bytes[..written]);
        match &mut self.tail {
            Some((_, tail)) => tail.update(&bytes[..written]),
            None => self.chunks.update(&bytes[..written]),
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl ArrowWriter {
    /// Creates a file, which must not exist.
    pub(super) fn create(path: &Path, schema: Schema) -> Result<Self> {
        const BUFFER_BYTES: usize = 1 << 20;
        let file = File::create_new(path);
        let file = file.map_err(|error| Error::io(path, "create", error))?;
        let counted = ChecksumWriter {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            bytes: 0,
            crc: crc32fast::Hasher::new(),
            chunks: ChunkHasher::default(),
            tail: None,
        };
        let schema = Arc::new(schema);
        let writer = FileWriter::try_new(counted, &schema).map_err(|error| write_error(path, error))?;
        Ok(Self { path: path.to_owned(), schema, writer })
    }

    /// Writes a batch with the columns of the schema.
    pub(super) fn write(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let written = batch.and_then(|batch| self.writer.write(&batch));
        written.map_err(|error| write_error(&self.path, error))
    }

    /// Finishes the file, and syncs it to disk if `durable`.
    pub(super) fn finish(mut self, durable: bool) -> Result<FileDigest> {
        let path = self.path;
        let written = self.writer.get_mut();
        written.tail = Some((written.bytes, crc32fast::Hasher::new()));
        let chunks = written.chunks.take();
        self.writer.write_metadata(checksums::METADATA, chunks);
        self.writer.finish().map_err(|error| write_error(&path, error))?;
        let ChecksumWriter { file, bytes, crc, tail, .. } =
            self.writer.into_inner().map_err(|error| write_error(&path, error))?;
        let file = file.into_inner().map_err(|error| Error::io(&path, "write", error.into_error()))?;
        if durable {
            file.sync_all().map_err(|error| Error::io(&path, "write", error))?;
        }
        let tail = tail.map(|(start, crc)| TailDigest { start, crc32: crc.finalize() });
        Ok(FileDigest { bytes, crc32: crc.finalize(), tail })
    }
}

/// Converts an error of writing a file. The kind of an I/O error, such as a full disk, is preserved.
fn write_error(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io(path, "write", source),
        other => Error::io(path, "write", std::io::Error::other(other)),
    }
}

/// A memory-mapped Arrow file.
#[derive(Debug)]
pub(super) struct ArrowFile {
    path: PathBuf,
    map: Arc<Map>,
    digest: FileDigest,
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
    /// `None` for a file of a version of Kiln without them, which is verified as a whole before its first batch is read.
    checksums: Option<ChunkChecksums>,
    /// The bytes of each batch, and whether they were verified.
    parts: Vec<(Range<usize>, AtomicBool)>,
    /// Whether the entire file was verified. The lock makes the first readers wait instead of reading it several times.
    verified: (AtomicBool, Mutex<()>),
    /// The reason why the file is damaged, as found by a read.
    damage: OnceLock<&'static str>,
}

/// A memory map as the owner of the bytes of buffers.
struct MapOwner(Arc<Map>);

impl AsRef<[u8]> for MapOwner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The reason of damage that a checksum has detected.
const MISMATCH: &str = "the checksum does not match";

impl ArrowFile {
    /// Maps a written file. Its metadata is verified before it is decoded, and its batches when they are first read.
    pub(super) fn open(path: &Path, digest: FileDigest) -> Result<Self> {
        let damaged = |reason: String| Error::input(path, format!("it is damaged: {reason}"));
        let file = File::open(path).map_err(|error| Error::io(path, "read", error))?;
        let length = file.metadata().map_err(|error| Error::io(path, "read", error))?.len();
        if length != digest.bytes {
            return Err(damaged(format!("its size is {length} bytes instead of {}", digest.bytes)));
        }
        let map = Map::of(&file).map_err(|error| Error::io(path, "map", error))?;
        let map = Arc::new(map);
        let buffer = Buffer::from(bytes::Bytes::from_owner(MapOwner(Arc::clone(&map))));
        // The decoder panics on some files, of which the checksums match if they were written so.
        let decoded = quietly(|| decode(&buffer, digest.tail));
        let Decoded { schema, batches, parts, checksums } =
            decoded.unwrap_or_else(|_| Err("its metadata is inconsistent".to_owned())).map_err(damaged)?;
        let parts = parts.into_iter().map(|part| (part, AtomicBool::default())).collect();
        let (path, verified, damage) = (path.to_owned(), Default::default(), OnceLock::new());
        Ok(Self { path, map, digest, schema, batches, checksums, parts, verified, damage })
    }

    /// Whether a batch has its checksums, which are verified when it is first read. If not, the file is
    /// [damaged](Self::damage).
    pub(super) fn is_intact(&self, batch: usize) -> bool {
        let (range, is_verified) = &self.parts[batch];
        if is_verified.load(Ordering::Acquire) {
            return true;
        }
        let is_intact = self.damage.get().is_none()
            && match &self.checksums {
                Some(checksums) => checksums.verify(&self.map, range.clone()),
                None => self.verify_once().is_ok(),
            };
        if is_intact {
            is_verified.store(true, Ordering::Release);
        } else {
            self.damage.get_or_init(|| MISMATCH);
        }
        is_intact
    }

    /// Whether the bytes of values of a batch have their checksums. Those of a file without checksums of its chunks are
    /// not verified.
    pub(super) fn has_intact<T>(&self, values: &[T]) -> bool {
        let Some(checksums) = &self.checksums else { return true };
        let start = values.as_ptr().addr().checked_sub(self.map.as_ptr().addr());
        start.is_some_and(|start| checksums.verify(&self.map, start..start + size_of_val(values)))
    }

    /// The error of a file that a read has found to be damaged.
    pub(super) fn damage(&self) -> Option<Error> {
        self.damage.get().map(|reason| Error::damaged(&self.path, *reason))
    }

    /// Verifies the entire file, unless it has checksums of its chunks or was verified before. Called before the first
    /// read of a file, whose names and statistics are read, too. The result is that of [`damage`](Self::damage).
    pub(super) fn before_read(&self) {
        if self.checksums.is_none() && self.damage.get().is_none() && self.verify_once().is_err() {
            self.damage.get_or_init(|| MISMATCH);
        }
    }

    fn verify_once(&self) -> Result<()> {
        let _reading = self.verified.1.lock().unwrap_or_else(PoisonError::into_inner);
        if self.verified.0.load(Ordering::Acquire) { Ok(()) } else { self.verify(self.digest) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Verifies the checksum, which reads the entire file.
    pub(super) fn verify(&self, expected: FileDigest) -> Result<()> {
        const CHUNK_BYTES: usize = 1 << 24;
        let mut crc = crc32fast::Hasher::new();
        // The hint enables read-ahead. Pages are released after reading, so that they do not evict others.
        self.map.advise_sequential(true);
        for (i, chunk) in self.map.chunks(CHUNK_BYTES).enumerate() {
            crc.update(chunk);
            self.map.release(i * CHUNK_BYTES, chunk.len());
        }
        self.map.advise_sequential(false);
        if crc.finalize() != expected.crc32 {
            return Err(Error::input(&self.path, format!("it is damaged: {MISMATCH}")));
        }
        self.verified.0.store(true, Ordering::Release);
        self.parts.iter().for_each(|(_, is_verified)| is_verified.store(true, Ordering::Release));
        Ok(())
    }

    /// Releases the pages of the file from memory. Reading a few bytes in many locations, such as the first of each
    /// batch, maps many pages around them.
    pub(super) fn release_all(&self) {
        self.map.release(0, self.map.len());
    }

    /// Releases the pages of the columns of a batch from memory.
    pub(super) fn release_batch(&self, batch: usize) {
        let base = self.map.as_ptr() as usize;
        for column in self.batches[batch].columns() {
            for buffer in column.to_data().buffers() {
                if let Some(offset) = (buffer.as_ptr() as usize).checked_sub(base)
                    && offset + buffer.len() <= self.map.len()
                {
                    self.map.release(offset, buffer.len());
                }
            }
        }
    }
}

/// The decoded metadata of a file. The buffers of batches are slices of the file.
struct Decoded {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// The bytes of each batch.
    parts: Vec<Range<usize>>,
    checksums: Option<ChunkChecksums>,
}

/// Decodes the metadata of a file. If its end has a checksum, all of it is verified before it is decoded.
fn decode(file: &Buffer, tail: Option<TailDigest>) -> Result<Decoded, String> {
    const TRAILER: usize = 10;
    let tail_at = tail.map(|tail| usize::try_from(tail.start).unwrap_or(usize::MAX));
    if let (Some(tail), Some(at)) = (tail, tail_at)
        && file.get(at..).is_none_or(|bytes| crc32fast::hash(bytes) != tail.crc32)
    {
        return Err(MISMATCH.to_owned());
    }
    let message = |error: ArrowError| error.to_string();
    let trailer_at = file.len().checked_sub(TRAILER).ok_or("it is too short")?;
    let trailer = file[trailer_at..].try_into().map_err(|_| "it is too short")?;
    let footer_length = read_footer_length(trailer).map_err(message)?;
    let footer_at = trailer_at.checked_sub(footer_length).ok_or("the footer is invalid")?;
    let footer = root_as_footer(&file[footer_at..trailer_at]).map_err(|error| error.to_string())?;
    let schema = footer.schema().ok_or("the schema is missing")?;
    let schema = Arc::new(try_fb_to_schema(schema).map_err(message)?);
    if !schema.fields().iter().all(|field| is_written_type(field.data_type())) {
        return Err("a column has another type than those of this file".to_owned());
    }
    let listed = |end: usize| {
        let pairs = footer.custom_metadata().into_iter().flatten();
        let text = pairs.filter(|pair| pair.key() == Some(checksums::METADATA)).find_map(|pair| pair.value());
        ChunkChecksums::parse(text?, end)
    };
    let checksums = match tail_at {
        Some(end) => Some(listed(end).ok_or("the checksums are missing")?),
        None => None,
    };
    let verify = |range: Range<usize>| match &checksums {
        Some(checksums) if !checksums.verify(file, range) => Err(MISMATCH.to_owned()),
        _ => Ok(()),
    };
    let mut decoder = FileDecoder::new(Arc::clone(&schema), footer.version()).with_require_alignment(true);
    // The bytes of a message, and the length of its metadata.
    let range = |block: &arrow_ipc::Block| {
        let (offset, body) = (usize::try_from(block.offset()).ok()?, usize::try_from(block.bodyLength()).ok()?);
        let head = usize::try_from(block.metaDataLength()).ok()?;
        let end = offset.checked_add(body.checked_add(head)?)?;
        (end <= footer_at).then_some((offset..end, head))
    };
    let checked = |block: &arrow_ipc::Block, widths: &[i64], is_read: bool| {
        let (range, head) = range(block).ok_or("a batch is outside of the file")?;
        verify(if is_read { range.clone() } else { range.start..range.start + head })?;
        let message = file.slice_with_length(range.start, range.len());
        check_message(&message, block.metaDataLength(), widths)?;
        Ok::<_, String>(message)
    };
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &checked(block, &widths(&DataType::Utf8), true)?).map_err(message)?;
    }
    let columns: Vec<i64> = schema.fields().iter().flat_map(|field| widths(field.data_type())).collect();
    let blocks = || footer.recordBatches().into_iter().flatten();
    let batches = blocks().map(|block| {
        let batch = decoder.read_record_batch(block, &checked(block, &columns, false)?).map_err(message)?;
        batch.ok_or_else(|| "a batch is missing".to_owned())
    });
    let batches = batches.collect::<Result<_, String>>()?;
    let parts = blocks().filter_map(|block| range(block).map(|(range, _)| range)).collect();
    Ok(Decoded { schema, batches, parts, checksums })
}

/// Whether columns of this type are written. The decoder panics on some invalid types.
fn is_written_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(codes, values) => **codes == DataType::UInt32 && **values == DataType::Utf8,
        DataType::List(item) => item.data_type().is_primitive(),
        other => other.is_primitive(),
    }
}

/// The sizes in bytes of the values in each buffer of a column: validity first, then offsets, then values.
fn widths(data_type: &DataType) -> Vec<i64> {
    match data_type {
        DataType::Utf8 => vec![1, 4, 1],
        DataType::Dictionary(..) => vec![1, 4],
        DataType::List(item) => [vec![1, 4], widths(item.data_type())].concat(),
        other => vec![1, other.primitive_width().unwrap_or(1) as i64],
    }
}

/// Checks what the decoder does not: that a message of `head_bytes` bytes of metadata contains its buffers, aligned, with
/// values of `widths`.
fn check_message(message: &[u8], head_bytes: i32, widths: &[i64]) -> Result<(), String> {
    const PREFIX: usize = 8;
    const ALIGNMENT: usize = 8;
    let contradiction = || "the metadata of a batch contradicts its contents".to_owned();
    let split = usize::try_from(head_bytes).ok().filter(|head| *head > PREFIX);
    let (head, body) = split.and_then(|split| message.split_at_checked(split)).ok_or_else(contradiction)?;
    // The decoder reads older files without the marker, too, which are never written.
    let head = head.strip_prefix(&[0xFF; 4]).and_then(|head| head.get(PREFIX - 4..)).ok_or_else(contradiction)?;
    let head = root_as_message(head).map_err(|error| error.to_string())?;
    let dictionary = || head.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let batch = head.header_as_record_batch().or_else(dictionary).ok_or_else(contradiction)?;
    // Each row takes at least a bit.
    let max_rows = body.len() as u64 * 8;
    let is_count = |count: i64| u64::try_from(count).is_ok_and(|count| count <= max_rows);
    let is_inside = |buffer: &arrow_ipc::Buffer| {
        let (start, bytes) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length()));
        let end = start.ok().zip(bytes.ok()).and_then(|(start, bytes)| start.checked_add(bytes));
        end.is_some_and(|end| end <= body.len() as u64)
    };
    let is_aligned = |buffer: &arrow_ipc::Buffer| {
        body.as_ptr().addr().wrapping_add(buffer.offset() as usize).is_multiple_of(ALIGNMENT)
    };
    let is_buffer = |(buffer, width): (&arrow_ipc::Buffer, &i64)| {
        is_inside(buffer) && is_aligned(buffer) && buffer.length() % width == 0
    };
    let buffers = batch.buffers().unwrap_or_default();
    let is_node = |node: &arrow_ipc::FieldNode| is_count(node.length()) && is_count(node.null_count());
    let is_valid = is_count(batch.length())
        && batch.compression().is_none()
        && batch.nodes().into_iter().flatten().all(is_node)
        && buffers.len() == widths.len()
        && buffers.iter().zip(widths).all(is_buffer);
    if is_valid { Ok(()) } else { Err(contradiction()) }
}
