//! The stream of a connection: it records activity, and fails if the client reads too slowly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connections::Connection;
use super::rate_window::RateWindow;

/// The stream of a connection.
#[derive(Debug)]
pub(crate) struct ConnectionStream<S> {
    stream: S,
    connection: Arc<Connection>,
    window: RateWindow,
    /// The current wait for the client to read: its start, and the timer of the next check.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S: AsyncWrite + Unpin> ConnectionStream<S> {
    /// A stream whose writes fail if the client reads less than `min_rate` bytes per second over `timeout`.
    pub(crate) fn new(stream: S, connection: Arc<Connection>, min_rate: u64, timeout: Duration) -> Self {
        // A client that reads nothing is always too slow.
        Self { stream, connection, window: RateWindow::new(min_rate.max(1), timeout), wait: None }
    }

    /// Passes the result of a write on, or fails.
    fn after_write(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            let waited = self.wait.take().map_or(Duration::ZERO, |(start, _)| start.elapsed());
            let bytes = written.as_ref().map_or(0, |bytes| *bytes);
            self.window.transfer(waited, bytes as u64);
            self.connection.touch();
            return Poll::Ready(written);
        }
        let left = self.window.left();
        let (start, timer) = self.wait.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + left)))
        });
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if self.window.check(start.elapsed()).is_err() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly")));
        }
        self.wait = None;
        // Starts the next window.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ConnectionStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.connection.touch();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ConnectionStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::connections::Connections;
    use super::*;
    use crate::config::ServerConfig;

    fn connection() -> Arc<Connection> {
        let config = ServerConfig::default();
        let all = Arc::new(Connections::new(&config, None));
        Arc::new(all.admit(&config, [127, 0, 0, 1].into()).unwrap())
    }

    #[tokio::test]
    async fn a_write_fails_if_the_client_reads_too_slowly() {
        let (server, mut client) = duplex(64);
        let mut stream = ConnectionStream::new(server, connection(), 1000, Duration::from_millis(1));
        let error = stream.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // The client was sent what had room.
        let mut sent = [1; 64];
        client.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, [0; 64]);
    }

    #[tokio::test]
    async fn a_client_that_reads_gets_all_bytes() {
        let (server, mut client) = duplex(64);
        let mut stream = ConnectionStream::new(server, connection(), 0, Duration::from_secs(600));
        let write = tokio::spawn(async move { stream.write_all(&vec![7; 100_000]).await });
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        write.await.unwrap().unwrap();
        assert_eq!(bytes, vec![7; 100_000]);
    }
}
