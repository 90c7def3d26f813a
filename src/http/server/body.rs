//! A body as it comes, for blocking code to read: unpacked, counted, and given up where it is beyond the limit.

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

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// What gzip begins with.
    const GZIP: &[u8] = b"\x1F\x8B";
    /// What Zstandard begins with.
    const ZSTD: &[u8] = b"\x28\xB5\x2F\xFD";
    /// The most that may be looked back at to unpack Zstandard, as a power of two: what RFC 9659 allows.
    const ZSTD_WINDOW: u32 = 23;

    /// What the headers say.
    pub(crate) fn of(headers: &HeaderMap) -> Answer<Self> {
        let told = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
        match told.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Ok(Self::None),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => {
                let why = format!("the Content-Encoding `{other}` is not read; send it as it is, or with gzip or zstd");
                Err(Problem::media_type(why))
            }
        }
    }

    /// What content begins with: files are packed without anybody saying so.
    fn of_content(head: &[u8]) -> Self {
        match head {
            head if head.starts_with(Self::GZIP) => Self::Gzip,
            head if head.starts_with(Self::ZSTD) => Self::Zstd,
            _ => Self::None,
        }
    }

    fn unpack<'r>(self, packed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        const BUFFER_BYTES: usize = 1 << 16;
        let packed = BufReader::with_capacity(BUFFER_BYTES, packed);
        Ok(match self {
            Self::None => Box::new(packed),
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstd => {
                let mut unpacked = zstd::Decoder::with_buffer(packed)?;
                unpacked.window_log_max(Self::ZSTD_WINDOW)?;
                Box::new(unpacked)
            }
        })
    }
}

/// What is wrong with a body itself, whatever whoever reads it makes of that.
#[derive(Clone, Debug, Default)]
struct Fault(Arc<Mutex<Option<Box<Problem>>>>);

impl Fault {
    /// Takes note of the first fault, and answers an error for whoever reads.
    fn set(&self, problem: Box<Problem>) -> io::Error {
        let error = io::Error::other(problem.detail().to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
        error
    }
}

/// A body, as far as it is here.
#[derive(Debug)]
pub(crate) struct RequestBody {
    head: Vec<u8>,
    rest: Option<Receiver<Bytes>>,
    fault: Fault,
}

/// The rest of a body, which comes while the [`RequestBody`] is read.
#[derive(Debug)]
pub(crate) struct Rest {
    body: Body,
    sender: Sender<Bytes>,
    fault: Fault,
}

impl RequestBody {
    /// Bytes that are gathered before anybody is kept waiting for more.
    pub(crate) const SMALL_BYTES: usize = 1 << 20;

    /// Takes a body in. One that is small is here as a whole then; where there is more, somebody has to [feed](Rest::feed)
    /// it to whoever reads.
    pub(crate) async fn of(mut body: Body) -> Answer<(Self, Option<Rest>)> {
        const CHUNKS: usize = 4;
        let mut head = Vec::new();
        let fault = Fault::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| cut(&error))?;
            head.extend_from_slice(&frame.into_data().unwrap_or_default());
            if head.len() > Self::SMALL_BYTES {
                let (sender, receiver) = channel(CHUNKS);
                let rest = Rest { body, sender, fault: fault.clone() };
                return Ok((Self { head, rest: Some(receiver), fault }, Some(rest)));
            }
        }
        Ok((Self { head, rest: None, fault }, None))
    }

    /// Hands a reader of the unpacked content to `read`, and answers what it does with it, unless the content itself is at
    /// fault. `grown` is asked once before more than [`Self::SMALL_BYTES`] are read.
    pub(crate) fn read<T>(
        self,
        packing: Compression,
        limit_bytes: u64,
        digest: Option<&mut XxHash64>,
        grown: &mut dyn FnMut() -> io::Result<()>,
        read: impl FnOnce(&mut dyn Read) -> T,
    ) -> Answer<T> {
        let Self { head, rest, fault } = self;
        let rest = Piped { receiver: rest, chunk: Bytes::new() };
        let plain = Cursor::new(head).chain(rest);
        let broken = |error: io::Error| fault.set(Problem::body(format!("the body cannot be unpacked: {error}")));
        let made = || -> io::Result<_> {
            let mut unpacked = packing.unpack(plain)?;
            let start = start(&mut unpacked)?;
            let inner = Compression::of_content(&start);
            if packing != Compression::None && inner != Compression::None {
                return Err(io::Error::other("it is packed twice"));
            }
            inner.unpack(Cursor::new(start).chain(unpacked))
        };
        let answer = match made() {
            Ok(content) => {
                let fault = fault.clone();
                Some(read(&mut Content {
                    unpacked: content,
                    taken: 0,
                    limit_bytes,
                    digest,
                    grown,
                    has_grown: false,
                    fault,
                }))
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
    /// Passes the rest on as it comes, until it ends or nobody reads any more.
    pub(crate) async fn feed(mut self) {
        while let Some(frame) = self.body.frame().await {
            let chunk = match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => {
                    let _ = self.fault.set(cut(&error));
                    return;
                }
            };
            if !chunk.is_empty() && self.sender.send(chunk).await.is_err() {
                return;
            }
        }
        // Without it, the body ended before its end.
        let _ = self.sender.send(Bytes::new()).await;
    }
}

fn cut(error: &axum::Error) -> Box<Problem> {
    Problem::body(format!("the body ended early: {error}"))
}

/// The first bytes, which tell how the rest is packed.
fn start(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(Compression::ZSTD.len() as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// The chunks of a body, the last of which is empty.
struct Piped {
    receiver: Option<Receiver<Bytes>>,
    chunk: Bytes,
}

impl Read for Piped {
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

/// Unpacked content: it is counted and summed up as it passes.
struct Content<'c> {
    unpacked: Box<dyn Read + 'c>,
    taken: u64,
    limit_bytes: u64,
    digest: Option<&'c mut XxHash64>,
    grown: &'c mut dyn FnMut() -> io::Result<()>,
    has_grown: bool,
    fault: Fault,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.unpacked.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.fault.set(Problem::body(format!("the body cannot be unpacked: {error}")))),
        };
        self.taken += count as u64;
        if self.taken > self.limit_bytes {
            let why = format!("the body holds more than the {} bytes that it allows", self.limit_bytes);
            return Err(self.fault.set(Problem::too_large("limits.ingest_body", why)));
        }
        if self.taken > RequestBody::SMALL_BYTES as u64 && !self.has_grown {
            self.has_grown = true;
            (self.grown)()?;
        }
        if let Some(digest) = &mut self.digest {
            digest.write(&buffer[..count]);
        }
        Ok(count)
    }
}
