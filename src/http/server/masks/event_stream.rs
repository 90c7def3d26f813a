//! Server-sent events as a response body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use futures_core::Stream;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep};

use super::clicks::Subscription;

/// The event stream of a mask (HTML Living Standard, 9.2). A comment every 15 seconds prevents proxies from closing the
/// connection. The stream ends when the mask expires or is removed, or the server stops.
#[derive(Debug)]
pub(crate) struct EventStream {
    subscription: Subscription,
    keep_alive: Interval,
    expiry: Pin<Box<Sleep>>,
    has_begun: bool,
}

impl EventStream {
    const KEEP_ALIVE: Duration = Duration::from_secs(15);

    /// The events of a subscription to a mask that expires in `expires_in`.
    pub(crate) fn new(subscription: Subscription, expires_in: Duration) -> Self {
        let mut keep_alive = interval_at(Instant::now() + Self::KEEP_ALIVE, Self::KEEP_ALIVE);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { subscription, keep_alive, expiry: Box::pin(sleep(expires_in)), has_begun: false }
    }

    /// Encodes an event with JSON data.
    pub(crate) fn event(name: &str, json: &str) -> Bytes {
        format!("event: {name}\ndata: {json}\n\n").into()
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.has_begun {
            self.has_begun = true;
            // The response headers are sent with the first bytes.
            return Poll::Ready(Some(Ok(Bytes::from_static(b": kiln\n\n"))));
        }
        match self.subscription.receiver.poll_recv(context) {
            Poll::Ready(event) => return Poll::Ready(event.map(Ok)),
            Poll::Pending => {}
        }
        if self.expiry.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        ready!(self.keep_alive.poll_tick(context));
        Poll::Ready(Some(Ok(Bytes::from_static(b": keep-alive\n\n"))))
    }
}
