//! A request body as a stream for blocking readers: decompressed, counted, and limited.

use std::hash::Hasher;
use std::io::{self, BufReader, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use twox_hash::XxHash64;

use super::problem::{Answer, Problem};

/// The compression of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// The magic bytes of gzip.
    const GZIP: &[u8] = b"\x1F\x8B";
    /// The magic bytes of Zstandard.
    const ZSTD: &[u8] = b"\x28\xB5\x2F\xFD";
    /// The largest window of Zstandard as a power of two, as RFC 9659 has it.
    const ZSTD_WINDOW: u32 = 23;

    /// The compression that `Content-Encoding` names.
    pub(crate) fn of(headers: &HeaderMap) -> Answer<Self> {
        let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
        match encoding.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Ok(Self::None),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => {
                let why = format!("the Content-Encoding `{other}` is not read; send it as it is, or with gzip or zstd");
                Err(Problem::media_type(why))
            }
        }
    }

    /// The compression that content begins with: clients send compressed files without a header.
    fn of_content(head: &[u8]) -> Self {
        match head {
            head if head.starts_with(Self::GZIP) => Self::Gzip,
            head if head.starts_with(Self::ZSTD) => Self::Zstd,
            _ => Self::None,
        }
    }

    fn decoder<'r>(self, compressed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        const BUFFER_BYTES: usize = 1 << 16;
        let compressed = BufReader::with_capacity(BUFFER_BYTES, compressed);
        Ok(match self {
            Self::None => Box::new(compressed),
            Self::Gzip => Box::new(MultiGzDecoder::new(compressed)),
            Self::Zstd => {
                let mut decoded = zstd::Decoder::with_buffer(compressed)?;
                decoded.window_log_max(Self::ZSTD_WINDOW)?;
                Box::new(decoded)
            }
        })
    }
}

/// The first fault of a body, which takes precedence over what its reader reports.
#[derive(Clone, Debug, Default)]
struct Fault(Arc<Mutex<Option<Box<Problem>>>>);

impl Fault {
    /// Keeps the first fault, and returns an error for the reader.
    fn set(&self, problem: Box<Problem>) -> io::Error {
        let error = io::Error::other(problem.detail().to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
        error
    }
}

/// How much content a request may have, and how much of it was read, in bytes after decompression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContentLimit {
    pub(crate) bytes: u64,
    pub(crate) taken: u64,
}

/// A body, of which the beginning may have arrived.
#[derive(Debug)]
pub(crate) struct RequestBody {
    head: Vec<u8>,
    rest: Option<Receiver<Bytes>>,
    fault: Fault,
}

/// The rest of a body, which arrives while the [`RequestBody`] is read.
#[derive(Debug)]
pub(crate) struct Rest {
    body: Body,
    sender: ChunkSender,
}

/// Sends chunks of a body to its reader.
#[derive(Debug)]
pub(crate) struct ChunkSender {
    sender: Sender<Bytes>,
    fault: Fault,
}

impl RequestBody {
    /// Bytes that are buffered before a reader starts.
    pub(crate) const SMALL_BYTES: usize = 1 << 20;

    /// Buffers the beginning of a body, which is all of a small one. Otherwise the rest must be [fed](Rest::feed) to the
    /// reader.
    pub(crate) async fn of(mut body: Body) -> Answer<(Self, Option<Rest>)> {
        let mut head = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| cut(&error))?;
            head.extend_from_slice(&frame.into_data().unwrap_or_default());
            if head.len() > Self::SMALL_BYTES {
                let (begun, sender) = Self::channel();
                return Ok((Self { head, ..begun }, Some(Rest { body, sender })));
            }
        }
        Ok((Self { head, rest: None, fault: Fault::default() }, None))
    }

    /// A body whose chunks are sent while it is read.
    pub(crate) fn channel() -> (Self, ChunkSender) {
        const CHUNKS: usize = 4;
        let (sender, receiver) = channel(CHUNKS);
        let fault = Fault::default();
        (Self { head: Vec::new(), rest: Some(receiver), fault: fault.clone() }, ChunkSender { sender, fault })
    }

    /// Calls `read` with a reader of the decompressed content, and returns its result, unless the content is at fault. `grown` is
    /// called once before more than [`Self::SMALL_BYTES`] are read.
    pub(crate) fn read<T>(
        self,
        packing: Compression,
        limit: &mut ContentLimit,
        digest: Option<&mut XxHash64>,
        grown: &mut dyn FnMut() -> io::Result<()>,
        read: impl FnOnce(&mut dyn Read) -> T,
    ) -> Answer<T> {
        let Self { head, rest, fault } = self;
        let rest = ChannelReader { receiver: rest, chunk: Bytes::new() };
        let plain = Cursor::new(head).chain(rest);
        let broken = |error: io::Error| fault.set(Problem::body(format!("the body cannot be decompressed: {error}")));
        let made = || -> io::Result<_> {
            let mut decoded = packing.decoder(plain)?;
            let start = start(&mut decoded)?;
            let inner = Compression::of_content(&start);
            if packing != Compression::None && inner != Compression::None {
                return Err(io::Error::other("it is packed twice"));
            }
            inner.decoder(Cursor::new(start).chain(decoded))
        };
        let answer = match made() {
            Ok(content) => {
                let fault = fault.clone();
                Some(read(&mut Content { decoded: content, limit, digest, grown, has_grown: false, fault }))
            }
            Err(error) => {
                let _ = broken(error);
                None
            }
        };
        let fault = fault.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (fault, answer) {
            (None, Some(answer)) => Ok(answer),
            (Some(problem), _) => Err(problem),
            (None, None) => Err(Problem::body("the body cannot be read")),
        }
    }
}

impl Rest {
    /// Sends the rest to the reader, until it ends or the reader is dropped.
    pub(crate) async fn feed(mut self) {
        while let Some(frame) = self.body.frame().await {
            let chunk = match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => return self.sender.fail(cut(&error)),
            };
            if !self.sender.send(chunk).await {
                return;
            }
        }
        self.sender.end().await;
    }
}

impl ChunkSender {
    /// Sends a chunk. Returns whether there is still a reader.
    pub(crate) async fn send(&self, chunk: Bytes) -> bool {
        chunk.is_empty() || self.sender.send(chunk).await.is_ok()
    }

    /// Marks the end: a body without it was cut off.
    pub(crate) async fn end(self) {
        let _ = self.sender.send(Bytes::new()).await;
    }

    /// Ends the body with what its reader is to report.
    pub(crate) fn fail(self, problem: Box<Problem>) {
        let _ = self.fault.set(problem);
    }
}

fn cut(error: &axum::Error) -> Box<Problem> {
    Problem::body(format!("the body ended early: {error}"))
}

/// The problem of a body with more content than `limits.ingest_body` allows.
pub(crate) fn beyond_limit(limit_bytes: u64) -> Box<Problem> {
    let why = format!("the body holds more than the {limit_bytes} bytes that it allows");
    Problem::too_large("limits.ingest_body", why)
}

/// The first bytes, which show the compression of the rest.
fn start(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(Compression::ZSTD.len() as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Reads the chunks of a body, the last of which is empty.
struct ChannelReader {
    receiver: Option<Receiver<Bytes>>,
    chunk: Bytes,
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let Some(receiver) = &mut self.receiver else { return Ok(0) };
            self.chunk = receiver.blocking_recv().ok_or(io::ErrorKind::ConnectionAborted)?;
            if self.chunk.is_empty() {
                self.receiver = None;
                return Ok(0);
            }
        }
        let count = self.chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}

/// Decompressed content, which is counted and hashed as it is read.
struct Content<'c> {
    decoded: Box<dyn Read + 'c>,
    limit: &'c mut ContentLimit,
    digest: Option<&'c mut XxHash64>,
    grown: &'c mut dyn FnMut() -> io::Result<()>,
    has_grown: bool,
    fault: Fault,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.decoded.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                return Err(self.fault.set(Problem::body(format!("the body cannot be decompressed: {error}"))));
            }
        };
        let ContentLimit { bytes, taken } = &mut *self.limit;
        *taken += count as u64;
        if *taken > *bytes {
            return Err(self.fault.set(beyond_limit(*bytes)));
        }
        if *taken > RequestBody::SMALL_BYTES as u64 && !self.has_grown {
            self.has_grown = true;
            (self.grown)()?;
        }
        if let Some(digest) = &mut self.digest {
            digest.write(&buffer[..count]);
        }
        Ok(count)
    }
}
