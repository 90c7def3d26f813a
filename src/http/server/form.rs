//! Forms with files (`multipart/form-data`, RFC 7578) as sequences of bodies for blocking readers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, header};
use futures_core::Stream;
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::body::{RequestBody, limit_exceeded};
use super::problem::{HttpResult, Problem};
use crate::http::parameters::body::media_type;

/// A field of a form.
#[derive(Debug)]
pub(crate) enum FormField {
    /// A text field.
    Text {
        /// The name of the field.
        name: String,
        /// The value of the field.
        text: String,
    },
    /// A file.
    File(FormFile),
}

/// A file of a form.
#[derive(Debug)]
pub(crate) struct FormFile {
    /// The filename without folders.
    pub(crate) name: String,
    /// The media type in lower case, without parameters; empty if it is missing.
    pub(crate) media_type: String,
    /// The content, which must be read before the next field.
    pub(crate) body: RequestBody,
}

/// The fields of a form in order.
#[derive(Debug)]
pub(crate) struct Form(Receiver<HttpResult<Option<FormField>>>);

/// Feeds the fields of a request body to its [`Form`].
#[derive(Debug)]
pub(crate) struct FormFeed {
    fields: Multipart<'static>,
    limit_bytes: u64,
    /// The number of bytes since the last field or chunk.
    pending: Arc<AtomicUsize>,
    sender: Sender<HttpResult<Option<FormField>>>,
}

impl Form {
    /// Parses a body with the boundary of its `Content-Type`. The fields must be [fed](FormFeed::feed) to the reader.
    pub(crate) fn of(headers: &HeaderMap, body: Body, limit_bytes: u64) -> HttpResult<(Self, FormFeed)> {
        /// The maximum size of part headers and boundaries.
        const OVERHEAD_BYTES: u64 = 1 << 20;
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type);
        let boundary = boundary.map_err(|_| Problem::body("the Content-Type of a form has no boundary"))?;
        let limit = SizeLimit::new().whole_stream(limit_bytes.saturating_add(OVERHEAD_BYTES));
        let pending = Arc::<AtomicUsize>::default();
        let stream = PendingLimitStream { stream: body.into_data_stream(), pending: Arc::clone(&pending) };
        let fields = Multipart::with_constraints(stream, boundary, Constraints::new().size_limit(limit));
        let (sender, receiver) = channel(1);
        Ok((Self(receiver), FormFeed { fields, limit_bytes, pending, sender }))
    }

    /// Returns the next field; `None` after the last one.
    pub(crate) fn next(&mut self) -> HttpResult<Option<FormField>> {
        self.0.blocking_recv().unwrap_or_else(|| Err(Problem::body("the form ended early")))
    }
}

impl FormFeed {
    /// Sends the fields to the reader, until they end or the reader is dropped.
    pub(crate) async fn feed(mut self) {
        let end = loop {
            match self.fields.next_field().await {
                Ok(Some(field)) => {
                    if let Err(problem) = self.send(field).await {
                        break Err(problem);
                    }
                }
                Ok(None) => break Ok(None),
                Err(error) => break Err(self.problem(&error)),
            }
        };
        // Fails only if the reader was dropped.
        let _ = self.sender.send(end).await;
    }

    async fn send(&self, mut field: Field<'static>) -> HttpResult<()> {
        self.pending.store(0, Ordering::Relaxed);
        let media_type = media_type(field.headers());
        let Some(name) = field.file_name().map(base_name).or_else(|| unnamed_file(&field, &media_type)) else {
            let name = field.name().unwrap_or_default().to_owned();
            let text = self.text(&name, field).await?;
            let _ = self.sender.send(Ok(Some(FormField::Text { name, text }))).await;
            return Ok(());
        };
        let (body, chunks) = RequestBody::channel();
        let _ = self.sender.send(Ok(Some(FormField::File(FormFile { name, media_type, body })))).await;
        loop {
            match field.chunk().await {
                // The reader may drop the body before the end of the file.
                Ok(Some(chunk)) => {
                    self.pending.store(0, Ordering::Relaxed);
                    if !chunks.send(chunk).await {
                        return Ok(());
                    }
                }
                Ok(None) => {
                    chunks.end().await;
                    return Ok(());
                }
                Err(error) => {
                    let problem = self.problem(&error);
                    chunks.fail(problem.clone());
                    return Err(problem);
                }
            }
        }
    }

    /// The value of a text field.
    async fn text(&self, name: &str, mut field: Field<'static>) -> HttpResult<String> {
        const MAX_BYTES: usize = 8192;
        if name.is_empty() {
            return Err(Problem::body("a field of the form has neither a name nor a filename"));
        }
        let mut text = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(|error| self.problem(&error))? {
            text.extend_from_slice(&chunk);
            if text.len() > MAX_BYTES {
                let detail = format!("it is longer than {MAX_BYTES} bytes; a file needs a filename or a Content-Type");
                return Err(Problem::parameter(name, detail));
            }
        }
        String::from_utf8(text).map_err(|_| Problem::parameter(name, "it is not UTF-8"))
    }

    fn problem(&self, error: &multer::Error) -> Box<Problem> {
        match error {
            multer::Error::StreamSizeExceeded { .. } => limit_exceeded(self.limit_bytes),
            error => Problem::body(format!("the form cannot be read: {error}")),
        }
    }
}

/// The name of a field that is a file by its `Content-Type`, although it has no filename.
fn unnamed_file(field: &Field<'_>, media_type: &str) -> Option<String> {
    let is_text = ["", "text/plain"].contains(&media_type);
    (!is_text).then(|| base_name(field.name().unwrap_or_default()))
}

/// The filename without the folders that some clients send, shortened and without control characters, for messages.
fn base_name(path: &str) -> String {
    const MAX_CHARS: usize = 100;
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect()
}

/// A form's stream that fails if no field starts within a megabyte: `multer` would buffer all of it, and search it
/// again with each chunk.
#[derive(Debug)]
struct PendingLimitStream {
    stream: BodyDataStream,
    pending: Arc<AtomicUsize>,
}

impl Stream for PendingLimitStream {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        const MAX_PENDING_BYTES: usize = 1 << 20;
        let chunk = ready!(Pin::new(&mut self.stream).poll_next(context));
        let len = chunk.as_ref().and_then(|chunk| chunk.as_ref().ok()).map_or(0, Bytes::len);
        let pending = self.pending.fetch_add(len, Ordering::Relaxed) + len;
        let is_exceeded = pending > MAX_PENDING_BYTES;
        Poll::Ready(if is_exceeded { Some(Err(axum::Error::new("no field starts within a megabyte"))) } else { chunk })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filenames_have_no_folders_and_no_control_characters() {
        for (path, name) in [
            ("a.csv", "a.csv"),
            ("C:\\data\\a b.csv", "a b.csv"),
            ("../../etc/a.csv", "a.csv"),
            ("a\n\u{7}.csv", "a.csv"),
            ("dir/", ""),
        ] {
            assert_eq!(base_name(path), name, "{path}");
        }
        assert_eq!(base_name(&"x".repeat(500)).len(), 100);
    }
}
