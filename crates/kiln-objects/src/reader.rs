//! Streams of objects.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc::{Receiver, channel};

use crate::error::{ObjectError, ObjectErrorKind, Result};
use crate::object_info::ObjectInfo;
use crate::runtime::{Ended, runtime, wait};
use crate::url::ObjectUrl;

/// The parts of a body.
pub(crate) type BodyStream = BoxStream<'static, Result<Bytes>>;

/// A stream of an object, read ahead of the caller by a few parts. Dropping it ends the transfer.
#[derive(Debug)]
pub struct ObjectReader {
    url: ObjectUrl,
    info: ObjectInfo,
    parts: Receiver<Result<Bytes>>,
    part: Bytes,
    read: u64,
    stop: Option<Arc<AtomicBool>>,
}

/// The sizes of the objects that the process has opened for reading, and the bytes of them that were read.
static STREAMED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// The number of bytes that the process reads by [`ObjectReader`], and the number of bytes that were read, for a display of
/// progress.
pub fn streamed_bytes() -> (u64, u64) {
    let [total, read] = &STREAMED;
    (total.load(Ordering::Relaxed), read.load(Ordering::Relaxed))
}

impl ObjectReader {
    /// The number of parts that are read ahead; a part has up to some 100 KiB.
    const AHEAD: usize = 64;

    pub(crate) fn new(url: ObjectUrl, info: ObjectInfo, mut body: BodyStream, stop: Option<Arc<AtomicBool>>) -> Self {
        STREAMED[0].fetch_add(info.size.unwrap_or(0), Ordering::Relaxed);
        let (sender, parts) = channel(Self::AHEAD);
        // The runtime is running: it has read the headers of the response.
        if let Ok(runtime) = runtime() {
            runtime.spawn(async move {
                loop {
                    let part = tokio::select! {
                        part = body.next() => part,
                        () = sender.closed() => None,
                    };
                    let Some(part) = part else { return };
                    let is_end = part.is_err();
                    if sender.send(part).await.is_err() || is_end {
                        return;
                    }
                }
            });
        }
        Self { url, info, parts, part: Bytes::new(), read: 0, stop }
    }

    /// The size and revision of the object.
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }

    /// The URL of the object.
    pub fn url(&self) -> &ObjectUrl {
        &self.url
    }

    /// The first `count` bytes that are not read yet, or all of them if there are fewer. They are read again by later reads.
    ///
    /// # Errors
    /// Those of [`next_part`](Self::next_part).
    pub fn peek(&mut self, count: usize) -> Result<Bytes> {
        while self.part.len() < count {
            let known = std::mem::take(&mut self.part);
            let next = self.next_part()?;
            let Some(next) = next else {
                self.part = known;
                break;
            };
            self.part = if known.is_empty() { next } else { [&known[..], &next[..]].concat().into() };
        }
        Ok(self.part.slice(..count.min(self.part.len())))
    }

    /// The next part of the object; `None` at its end.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Changed`], [`ObjectErrorKind::Cancelled`] and those of connections.
    pub fn next_part(&mut self) -> Result<Option<Bytes>> {
        if self.part.has_remaining() {
            return Ok(Some(std::mem::take(&mut self.part)));
        }
        let part = match wait(self.stop.as_deref(), self.parts.recv()) {
            Ended::Complete(part) => part.transpose()?,
            Ended::Cancelled => return Err(ObjectError::new(&self.url, ObjectErrorKind::Cancelled, "cancelled")),
            Ended::NoRuntime(reason) => return Err(ObjectError::new(&self.url, ObjectErrorKind::Other, reason)),
        };
        match (&part, self.info.size) {
            (Some(part), _) => {
                self.read += part.len() as u64;
                STREAMED[1].fetch_add(part.len() as u64, Ordering::Relaxed);
            }
            (None, Some(size)) if self.read < size => {
                let message = format!("the connection ended after {} of {size} bytes", self.read);
                return Err(ObjectError::new(&self.url, ObjectErrorKind::Unreachable, message));
            }
            (None, _) => {}
        }
        Ok(part)
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.part.has_remaining() && !buffer.is_empty() {
            match self.next_part().map_err(ObjectError::into_io)? {
                Some(part) => self.part = part,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.part.len());
        self.part.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
