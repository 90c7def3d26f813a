//! Request bodies as streams for blocking readers: decompressed, counted, and limited.

use std::hash::Hasher;
use std::io::{self, BufReader, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use twox_hash::XxHash64;

use super::body_budget::BodyLease;
use super::problem::{HttpResult, Problem};

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
    /// The maximum window log of Zstandard, 8 MB as in RFC 9659.
    const ZSTD_WINDOW: u32 = 23;

    /// The compression that `Content-Encoding` names.
    pub(crate) fn of(headers: &HeaderMap) -> HttpResult<Self> {
        let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
        match encoding.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Ok(Self::None),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => {
                let detail = format!("unsupported Content-Encoding `{other}`; expected identity, gzip or zstd");
                Err(Problem::media_type(detail))
            }
        }
    }

    /// Detects the compression by its magic bytes: clients send compressed files without a header.
    fn detect(head: &[u8]) -> Self {
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

/// The first problem of a body, which takes precedence over the error that its reader returns.
#[derive(Clone, Debug, Default)]
struct SharedProblem(Arc<Mutex<Option<Box<Problem>>>>);

impl SharedProblem {
    /// Keeps the first problem, and returns an error for the reader.
    fn set(&self, problem: Box<Problem>) -> io::Error {
        let error = io::Error::other(problem.detail().to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
        error
    }
}

/// The maximum content size of a request and the size read so far, in bytes after decompression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContentLimit {
    pub(crate) max_bytes: u64,
    pub(crate) read_bytes: u64,
}

/// A request body, partly buffered.
#[derive(Debug)]
pub(crate) struct RequestBody {
    head: Vec<u8>,
    rest: Option<Receiver<Bytes>>,
    problem: SharedProblem,
}

/// Feeds the unbuffered rest of a body to its [`RequestBody`].
#[derive(Debug)]
pub(crate) struct BodyFeed {
    body: Body,
    sender: ChunkSender,
}

/// Sends chunks of a body to its reader.
#[derive(Debug)]
pub(crate) struct ChunkSender {
    sender: Sender<Bytes>,
    problem: SharedProblem,
}

impl RequestBody {
    /// The number of bytes that are buffered before a reader starts.
    pub(crate) const SMALL_BYTES: usize = 1 << 20;

    /// Buffers the start of a body. If it is larger than [`Self::SMALL_BYTES`], the rest must be [fed](BodyFeed::feed)
    /// to the reader.
    ///
    /// The buffered bytes are charged to `lease`.
    pub(crate) async fn of(mut body: Body, lease: Option<&BodyLease>) -> HttpResult<(Self, Option<BodyFeed>)> {
        let mut head = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| truncated(&error))?;
            let data = frame.into_data().unwrap_or_default();
            lease.map_or(Ok(()), |lease| lease.add(data.len()))?;
            head.extend_from_slice(&data);
            if head.len() > Self::SMALL_BYTES {
                let (rest, sender) = Self::channel();
                return Ok((Self { head, ..rest }, Some(BodyFeed { body, sender })));
            }
        }
        Ok((Self { head, rest: None, problem: SharedProblem::default() }, None))
    }

    /// Creates a body whose chunks are sent while it is read.
    pub(crate) fn channel() -> (Self, ChunkSender) {
        const CHUNKS: usize = 4;
        let (sender, receiver) = channel(CHUNKS);
        let problem = SharedProblem::default();
        (Self { head: Vec::new(), rest: Some(receiver), problem: problem.clone() }, ChunkSender { sender, problem })
    }

    /// Calls `read` with a reader of the decompressed content, and returns its result, or the problem of the body if it
    /// has one. `on_large` is called once before more than [`Self::SMALL_BYTES`] are read.
    pub(crate) fn read<T>(
        self,
        compression: Compression,
        limit: &mut ContentLimit,
        digest: Option<&mut XxHash64>,
        on_large: &mut dyn FnMut() -> io::Result<()>,
        read: impl FnOnce(&mut dyn Read) -> T,
    ) -> HttpResult<T> {
        let Self { head, rest, problem } = self;
        let rest = ChannelReader { receiver: rest, chunk: Bytes::new() };
        let encoded = Cursor::new(head).chain(rest);
        let open = || -> io::Result<_> {
            let mut decoded = compression.decoder(encoded)?;
            let start = magic_bytes(&mut decoded)?;
            let inner = Compression::detect(&start);
            if compression != Compression::None && inner != Compression::None {
                return Err(io::Error::other("it is compressed twice"));
            }
            inner.decoder(Cursor::new(start).chain(decoded))
        };
        let result = match open() {
            Ok(decoded) => {
                let problem = problem.clone();
                Some(read(&mut Content { decoded, limit, digest, on_large, is_large: false, problem }))
            }
            Err(error) => {
                let _ = problem.set(Problem::body(format!("the body cannot be decompressed: {error}")));
                None
            }
        };
        let problem = problem.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (problem, result) {
            (None, Some(result)) => Ok(result),
            (Some(problem), _) => Err(problem),
            (None, None) => Err(Problem::body("the body cannot be read")),
        }
    }
}

impl BodyFeed {
    /// Sends the rest of the body to the reader, until it ends or the reader is dropped.
    pub(crate) async fn feed(mut self) {
        while let Some(frame) = self.body.frame().await {
            let chunk = match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => return self.sender.fail(truncated(&error)),
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

    /// Marks the end of the body; without it the reader reports a truncated body.
    pub(crate) async fn end(self) {
        let _ = self.sender.send(Bytes::new()).await;
    }

    /// Ends the body with a problem, which the reader reports.
    pub(crate) fn fail(self, problem: Box<Problem>) {
        let _ = self.problem.set(problem);
    }
}

fn truncated(error: &axum::Error) -> Box<Problem> {
    Problem::body(format!("the body ended early: {error}"))
}

/// The problem of a body larger than `limits.ingest_body`.
pub(crate) fn limit_exceeded(limit_bytes: u64) -> Box<Problem> {
    let detail = format!("the body exceeds the limit of {limit_bytes} bytes");
    Problem::too_large("limits.ingest_body", detail)
}

/// Reads as many bytes as the longest magic number has.
fn magic_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(Compression::ZSTD.len() as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Reads the chunks of a body; an empty chunk marks the end.
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

/// A reader of decompressed content that counts and hashes it.
struct Content<'c> {
    decoded: Box<dyn Read + 'c>,
    limit: &'c mut ContentLimit,
    digest: Option<&'c mut XxHash64>,
    on_large: &'c mut dyn FnMut() -> io::Result<()>,
    is_large: bool,
    problem: SharedProblem,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.decoded.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                return Err(self.problem.set(Problem::body(format!("the body cannot be decompressed: {error}"))));
            }
        };
        let ContentLimit { max_bytes, read_bytes } = &mut *self.limit;
        *read_bytes += count as u64;
        if *read_bytes > *max_bytes {
            return Err(self.problem.set(limit_exceeded(*max_bytes)));
        }
        if *read_bytes > RequestBody::SMALL_BYTES as u64 && !self.is_large {
            self.is_large = true;
            (self.on_large)()?;
        }
        if let Some(digest) = &mut self.digest {
            digest.write(&buffer[..count]);
        }
        Ok(count)
    }
}
