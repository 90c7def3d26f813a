//! Arrow IPC files: written once, then mapped into memory and read without a copy.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::root_as_footer;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use memmap2::{Advice, Mmap, UncheckedAdvice};
use serde::{Deserialize, Serialize};

use kiln_core::error::{Error, Result};

/// The size and checksum of a file that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    /// Its size.
    pub(super) bytes: u64,
    /// CRC-32 (IEEE) of all of it.
    pub(super) crc32: u32,
}

/// A file that is being written.
pub(super) struct ArrowWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: FileWriter<Counted>,
}

/// Counts the bytes written, and their checksum.
struct Counted {
    file: BufWriter<File>,
    bytes: u64,
    crc: crc32fast::Hasher,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl ArrowWriter {
    /// Creates a file; it must not exist.
    pub(super) fn create(path: &Path, schema: Schema) -> Result<Self> {
        const BUFFER_BYTES: usize = 1 << 20;
        let file = File::options().write(true).create_new(true).open(path);
        let file = file.map_err(|error| Error::io(path, "create", error))?;
        let counted =
            Counted { file: BufWriter::with_capacity(BUFFER_BYTES, file), bytes: 0, crc: crc32fast::Hasher::new() };
        let schema = Arc::new(schema);
        let writer = FileWriter::try_new(counted, &schema).map_err(|error| refused(path, "write", error))?;
        Ok(Self { path: path.to_owned(), schema, writer })
    }

    /// Writes a batch, whose columns are those of the schema.
    pub(super) fn write(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let written = batch.and_then(|batch| self.writer.write(&batch));
        written.map_err(|error| refused(&self.path, "write", error))
    }

    /// Finishes the file; with `durable`, it is on disk then.
    pub(super) fn finish(mut self, durable: bool) -> Result<Written> {
        let path = self.path;
        self.writer.finish().map_err(|error| refused(&path, "write", error))?;
        let Counted { file, bytes, crc } = self.writer.into_inner().map_err(|error| refused(&path, "write", error))?;
        let file = file.into_inner().map_err(|error| Error::io(&path, "write", error.into_error()))?;
        if durable {
            file.sync_all().map_err(|error| Error::io(&path, "write", error))?;
        }
        Ok(Written { bytes, crc32: crc.finalize() })
    }
}

/// The error of a file; the kind of an I/O error, such as a full disk, is kept.
fn refused(path: &Path, action: &'static str, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io(path, action, source),
        other => Error::io(path, action, std::io::Error::other(other)),
    }
}

/// A file that is mapped into memory.
#[derive(Debug)]
pub(super) struct ArrowFile {
    path: PathBuf,
    map: Arc<Mmap>,
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
}

/// A map that owns the bytes of buffers.
struct Mapped(Arc<Mmap>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl ArrowFile {
    /// Maps a file of a known size.
    pub(super) fn open(path: &Path, bytes: u64) -> Result<Self> {
        let damaged = |why: String| Error::input(path, why);
        let file = File::open(path).map_err(|error| Error::io(path, "read", error))?;
        let length = file.metadata().map_err(|error| Error::io(path, "read", error))?.len();
        if length != bytes {
            return Err(damaged(format!("it is damaged: {length} bytes long instead of {bytes}")));
        }
        // SAFETY: segments are never written to once they have their name, and removed only by their name, which leaves
        // the map as it is. Truncating one by hand kills the process.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, "map", error))?;
        let map = Arc::new(map);
        let buffer = Buffer::from(bytes::Bytes::from_owner(Mapped(Arc::clone(&map))));
        let (schema, batches) = decode(&buffer).map_err(|why| damaged(format!("it is damaged: {why}")))?;
        Ok(Self { path: path.to_owned(), map, schema, batches })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Verifies the file's checksum, which reads all of it.
    pub(super) fn verify(&self, written: Written) -> Result<()> {
        const STRETCH: usize = 1 << 24;
        let mut crc = crc32fast::Hasher::new();
        // The hint makes the system read ahead; what was read is released, so that it displaces nothing else.
        let _ = self.map.advise(Advice::Sequential);
        for (i, stretch) in self.map.chunks(STRETCH).enumerate() {
            crc.update(stretch);
            self.release(i * STRETCH, stretch.len());
        }
        let _ = self.map.advise(Advice::Normal);
        if crc.finalize() == written.crc32 {
            Ok(())
        } else {
            Err(Error::input(&self.path, "it is damaged: its checksum is not the one that it was written with"))
        }
    }

    /// Releases the memory of the file's pages. Reading a few bytes here and there, such as the first of each batch, maps much
    /// around them.
    pub(super) fn release_all(&self) {
        self.release(0, self.map.len());
    }

    /// Releases the memory of a range of the file.
    fn release(&self, offset: usize, length: usize) {
        const PAGE: usize = 4096;
        let (start, end) = (offset.next_multiple_of(PAGE), (offset + length) / PAGE * PAGE);
        if start < end {
            // SAFETY: the map is a shared one of a file that is only read: pages that are dropped are read again.
            #[allow(unsafe_code)]
            let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        }
    }

    /// Releases the memory of a batch's columns.
    pub(super) fn release_batch(&self, batch: usize) {
        let base = self.map.as_ptr() as usize;
        for column in self.batches[batch].columns() {
            for buffer in column.to_data().buffers() {
                if let Some(offset) = (buffer.as_ptr() as usize).checked_sub(base)
                    && offset + buffer.len() <= self.map.len()
                {
                    self.release(offset, buffer.len());
                }
            }
        }
    }
}

/// The schema and the batches of a file, whose buffers are slices of it.
fn decode(file: &Buffer) -> Result<(SchemaRef, Vec<RecordBatch>), String> {
    const TRAILER: usize = 10;
    let message = |error: ArrowError| error.to_string();
    let trailer_at = file.len().checked_sub(TRAILER).ok_or("it is too short")?;
    let trailer = file[trailer_at..].try_into().map_err(|_| "it is too short")?;
    let footer_length = read_footer_length(trailer).map_err(message)?;
    let footer_at = trailer_at.checked_sub(footer_length).ok_or("its footer is broken")?;
    let footer = root_as_footer(&file[footer_at..trailer_at]).map_err(|error| error.to_string())?;
    let schema = footer.schema().ok_or("it has no schema")?;
    let schema = Arc::new(try_fb_to_schema(schema).map_err(message)?);
    let mut decoder = FileDecoder::new(Arc::clone(&schema), footer.version()).with_require_alignment(true);
    let stretch = |block: &arrow_ipc::Block| {
        let (offset, body) = (usize::try_from(block.offset()).ok()?, usize::try_from(block.bodyLength()).ok()?);
        let length = body.checked_add(usize::try_from(block.metaDataLength()).ok()?)?;
        (offset.checked_add(length)? <= footer_at).then(|| file.slice_with_length(offset, length))
    };
    let beyond = "it says that a batch lies beyond its end";
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &stretch(block).ok_or(beyond)?).map_err(message)?;
    }
    let blocks = footer.recordBatches().into_iter().flatten();
    let batches = blocks.map(|block| {
        let batch = decoder.read_record_batch(block, &stretch(block).ok_or(beyond)?).map_err(message)?;
        batch.ok_or_else(|| "a batch is missing".to_owned())
    });
    let batches = batches.collect::<Result<_, String>>()?;
    Ok((schema, batches))
}
