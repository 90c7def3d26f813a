//! Bodies of responses that must not stop.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind};
use tokio::time::{Instant, Sleep, sleep};

use crate::connect::Failure;
use crate::error::innermost;

/// A body that fails if less than 1 KiB per second arrives while it is waited for, over a time of `limit`. The time between reads
/// does not count: the reader may be slower than the server.
pub(crate) struct TimedBody<B> {
    body: B,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    /// When the reader began to wait for the next part.
    waits_since: Option<Instant>,
    /// The time for which the reader has waited for the `received` bytes.
    waited: Duration,
    received: usize,
}

impl<B> TimedBody<B> {
    /// In bytes per second.
    const MIN_RATE: f64 = 1024.0;

    pub(crate) fn new(body: B, limit: Duration) -> Self {
        let deadline = Box::pin(sleep(limit));
        Self { body, limit, deadline, waits_since: None, waited: Duration::ZERO, received: 0 }
    }

    /// Counts the bytes of a part, at the end of a wait for it.
    fn count(&mut self, bytes: usize) {
        self.waited += self.waits_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        self.received += bytes;
        if self.received as f64 >= Self::MIN_RATE * self.limit.as_secs_f64() {
            (self.waited, self.received) = (Duration::ZERO, 0);
        }
    }

    /// Waits for the next part until the deadline.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<HttpError> {
        if self.waits_since.is_none() {
            let now = Instant::now();
            self.waits_since = Some(now);
            self.deadline.as_mut().reset(now + self.limit.saturating_sub(self.waited));
        }
        ready!(self.deadline.as_mut().poll(context));
        let failure = match self.received {
            0 => Failure::Stalled(self.limit),
            received => Failure::Slow { received, limit: self.limit },
        };
        Poll::Ready(HttpError::new(HttpErrorKind::Timeout, failure))
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.count(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Interrupted, Failure::Broken(innermost(&error))))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => this.poll_deadline(context).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use super::*;
    use crate::runtime::runtime;

    /// A body of parts, in turn with waits.
    struct Parts(VecDeque<Poll<usize>>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let part = self.0.pop_front().unwrap_or(Poll::Pending);
            part.map(|bytes| Some(Ok(Frame::data(Bytes::from(vec![0; bytes])))))
        }
    }

    /// Polls a body of parts `pauses.len()` times, after pauses. Returns the size of the part of each poll, `None` without one,
    /// or the error that ends it.
    fn polls(parts: &[Poll<usize>], limit: Duration, pauses: &[Duration]) -> Vec<Result<Option<usize>, String>> {
        let _context = runtime().unwrap().enter();
        let mut body = TimedBody::new(Parts(parts.iter().copied().collect()), limit);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut poll = |pause: &Duration| {
            std::thread::sleep(*pause);
            match Pin::new(&mut body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => Ok(frame.data_ref().map(Bytes::len)),
                Poll::Ready(Some(Err(error))) => Err(std::error::Error::source(&error).unwrap().to_string()),
                _ => Ok(None),
            }
        };
        pauses.iter().map(&mut poll).collect()
    }

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn the_time_between_reads_does_not_count() {
        let (limit, pause) = (Duration::from_millis(800), Duration::from_millis(900));
        let parts = [Poll::Ready(1), Poll::Pending, Poll::Ready(1), Poll::Pending];
        assert_eq!(polls(&parts, limit, &[NOW, pause, NOW, pause]), [Ok(Some(1)), Ok(None), Ok(Some(1)), Ok(None)]);
    }

    #[test]
    fn waits_without_enough_bytes_end() {
        let (limit, wait) = (Duration::from_millis(200), Duration::from_millis(210));
        let stalled = Err("the server sent nothing for 0.2 s within a response".to_owned());
        assert_eq!(polls(&[Poll::Pending], limit, &[NOW, wait]), [Ok(None), stalled]);
        // The second wait has the rest of the time of the first one.
        let parts = [Poll::Pending, Poll::Ready(3), Poll::Pending, Poll::Pending];
        let slow = Err("the server sent 3 bytes within 0.2 s of a response".to_owned());
        let found = polls(&parts, limit, &[NOW, wait, NOW, wait]);
        assert_eq!(found[..2], [Ok(None), Ok(Some(3))]);
        assert!(found[2..].contains(&slow), "{found:?}");
        // 1 KiB per second are enough.
        let parts = [Poll::Pending, Poll::Ready(205), Poll::Pending, Poll::Pending];
        assert_eq!(polls(&parts, limit, &[NOW, wait, NOW, NOW]), [Ok(None), Ok(Some(205)), Ok(None), Ok(None)]);
    }
}
