//! The memory and the rate of request bodies.
//!
//! All bodies that are in memory share one budget, `limits.bodies`: a few bytes on the wire can be megabytes after
//! decompression, and a body that does not end keeps them until its request times out. A body is charged as it grows,
//! after decompression, and its lease ends with its request.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::Response;
use axum::middleware::Next;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::client::ClientId;
use super::problem::{HttpResult, Problem};
use super::rate_window::{RateWindow, SlowRate};
use crate::config::LimitsConfig;

/// The memory that all request bodies share.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    max_bytes: u64,
    /// The minimum number of bytes per second of a body.
    min_rate: u64,
    used: AtomicU64,
    /// The bytes of each client that has a share: half of the budget. A proxy on this machine has none.
    per_client: Mutex<HashMap<ClientId, u64>>,
    /// The bytes that ended leases had, for [`take_released`](Self::take_released).
    released: AtomicU64,
}

impl BodyBudget {
    /// The budget of `limits.bodies`, and the rate of `limits.body_rate`.
    pub(crate) fn new(limits: &LimitsConfig) -> Self {
        // A single body of the maximum size is always admitted.
        Self::of_bytes(limits.bodies.bytes().max(limits.body.bytes()), limits.body_rate.bytes())
    }

    fn of_bytes(max_bytes: u64, min_rate: u64) -> Self {
        let (used, released, per_client) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::default());
        Self { max_bytes, min_rate, used, per_client, released }
    }

    /// The size of all bodies in memory.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes that were released since the last call.
    pub(crate) fn take_released(&self) -> u64 {
        self.released.swap(0, Ordering::Relaxed)
    }

    /// Charges bytes, or returns what exceeds its limit.
    fn charge(&self, client: Option<&ClientId>, bytes: u64) -> Result<(), &'static str> {
        if let Some(client) = client {
            let mut clients = self.clients();
            let own = clients.entry(client.clone()).or_default();
            // A single body is always admitted.
            if *own > self.max_bytes / 2 {
                return Err("the bodies of all requests of this client exceed half of");
            }
            *own += bytes;
        }
        let add = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.max_bytes);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok() {
            return Ok(());
        }
        self.release_client(client, bytes);
        Err("the bodies of all requests exceed")
    }

    fn release(&self, client: Option<&ClientId>, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.released.fetch_add(bytes, Ordering::Relaxed);
        self.release_client(client, bytes);
    }

    fn release_client(&self, client: Option<&ClientId>, bytes: u64) {
        let Some(client) = client else { return };
        let mut clients = self.clients();
        if let Some(own) = clients.get_mut(client) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                clients.remove(client);
            }
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientId, u64>> {
        self.per_client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The share of a request in the [`BodyBudget`], an extension of the request. It ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct BodyLease(Arc<LeaseState>);

#[derive(Debug)]
struct LeaseState {
    budget: Arc<BodyBudget>,
    client: Option<ClientId>,
    bytes: AtomicU64,
    /// The problem of the body, which takes precedence over that of the handler.
    problem: Mutex<Option<Box<Problem>>>,
}

impl Drop for LeaseState {
    fn drop(&mut self) {
        self.budget.release(self.client.as_ref(), self.bytes.load(Ordering::Relaxed));
    }
}

impl BodyLease {
    /// An empty lease of a client.
    pub(crate) fn new(budget: &Arc<BodyBudget>, client: Option<&ClientId>) -> Self {
        Self(Arc::new(LeaseState {
            budget: Arc::clone(budget),
            client: client.filter(|client| !client.is_loopback()).cloned(),
            bytes: AtomicU64::new(0),
            problem: Mutex::default(),
        }))
    }

    /// Charges further bytes.
    ///
    /// # Errors
    /// 503 if the budget is used up.
    pub(crate) fn add(&self, bytes: usize) -> HttpResult<()> {
        let bytes = bytes as u64;
        match self.0.budget.charge(self.0.client.as_ref(), bytes) {
            Ok(()) => {
                self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(reason) => {
                let max_bytes = self.0.budget.max_bytes;
                let detail = format!("{reason} the limit of {max_bytes} bytes, limits.bodies; retry later");
                Err(self.fail(Problem::busy(detail)))
            }
        }
    }

    /// Releases bytes that are no longer in memory.
    pub(crate) fn subtract(&self, bytes: usize) {
        let subtract = |own: u64| Some(own.saturating_sub(bytes as u64));
        let update = self.0.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract);
        let before = update.unwrap_or_default();
        self.0.budget.release(self.0.client.as_ref(), before.min(bytes as u64));
    }

    /// Keeps the first problem of the body.
    fn fail(&self, problem: Box<Problem>) -> Box<Problem> {
        let mut first = self.0.problem.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(problem).clone()
    }

    /// The problem of the body, if it has one.
    pub(crate) fn problem(&self) -> Option<Box<Problem>> {
        self.0.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The request with this lease, and a body that fails if it arrives slower than the minimum rate.
    pub(crate) fn attach(&self, mut request: Request) -> Request {
        request.extensions_mut().insert(self.clone());
        let min_rate = self.0.budget.min_rate;
        if request.body().is_end_stream() || min_rate == 0 {
            return request;
        }
        let lease = self.clone();
        request.map(|body| {
            Body::new(MinRateBody { body, lease, window: RateWindow::new(min_rate, RATE_WINDOW), wait: None })
        })
    }
}

/// Middleware that charges the body of a request to its lease. It stands behind the decompression of bodies.
pub(crate) async fn charge_body(request: Request, next: Next) -> Response<Body> {
    let lease = request.extensions().get::<BodyLease>().cloned();
    let Some(lease) = lease.filter(|_| !request.body().is_end_stream()) else { return next.run(request).await };
    next.run(request.map(|body| Body::new(ChargedBody::new(body, lease)))).await
}

/// A body whose bytes are charged to a lease, for handlers that collect it.
struct ChargedBody {
    body: Body,
    lease: BodyLease,
    /// The bytes since the task yielded.
    since_yield: usize,
}

impl ChargedBody {
    /// The bytes after which the task yields. 22 kB can be 15 MB after decompression, which would keep a thread of the
    /// async runtime from other requests.
    const YIELD_BYTES: usize = 32 << 10;

    fn new(body: Body, lease: BodyLease) -> Self {
        Self { body, lease, since_yield: 0 }
    }
}

impl HttpBody for ChargedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.since_yield >= Self::YIELD_BYTES {
            self.since_yield = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        self.since_yield += bytes;
        Poll::Ready(match self.lease.add(bytes) {
            Ok(()) => frame,
            Err(problem) => Some(Err(body_error(&problem))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The waited time in which the rate of a body is measured.
const RATE_WINDOW: Duration = Duration::from_secs(10);

/// A body that fails if it arrives slower than a minimum rate. Only the time in which the server waits for the client
/// counts.
struct MinRateBody {
    body: Body,
    lease: BodyLease,
    window: RateWindow,
    /// The current wait: its start, and the timer of the next check.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl HttpBody for MinRateBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let frame = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(frame) = frame {
            let waited = this.wait.take().map_or(Duration::ZERO, |(start, _)| start.elapsed());
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.window.transfer(waited, data.map_or(0, Bytes::len) as u64);
            return Poll::Ready(frame);
        }
        let left = this.window.left();
        let (start, timer) = this.wait.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + left)))
        });
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if let Err(SlowRate { bytes, waited, min_rate }) = this.window.check(start.elapsed()) {
            let seconds = waited.as_secs();
            let unit = if bytes == 1 { "byte" } else { "bytes" };
            let detail = format!(
                "the body had {bytes} {unit} in {seconds} s, which is below the minimum of {min_rate} bytes per second, \
                 limits.body_rate"
            );
            return Poll::Ready(Some(Err(body_error(&this.lease.fail(Problem::slow_body(detail))))));
        }
        this.wait = None;
        // Starts the next window.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn body_error(problem: &Problem) -> axum::Error {
    axum::Error::new(io::Error::other(problem.detail().to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;

    use super::*;

    fn budget(max_bytes: u64, min_rate: u64) -> Arc<BodyBudget> {
        Arc::new(BodyBudget::of_bytes(max_bytes, min_rate))
    }

    /// A body of the chunks that are sent.
    fn sent() -> (mpsc::UnboundedSender<Bytes>, Body) {
        struct Received(mpsc::UnboundedReceiver<Bytes>);
        impl futures_core::Stream for Received {
            type Item = Result<Bytes, io::Error>;
            fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                self.0.poll_recv(context).map(|chunk| chunk.map(Ok))
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Body::from_stream(Received(receiver)))
    }

    #[tokio::test]
    async fn bodies_share_the_budget_and_return_their_bytes() {
        let budget = budget(1000, 0);
        let lease = BodyLease::new(&budget, None);
        let body = ChargedBody::new(Body::from(vec![0; 700]), lease.clone());
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 700);
        assert_eq!((budget.used(), lease.problem().is_some()), (700, false));
        let other = BodyLease::new(&budget, None);
        let body = ChargedBody::new(Body::from(vec![0; 301]), other.clone());
        assert!(body.collect().await.is_err());
        let problem = other.problem().unwrap();
        assert_eq!(problem.status().as_u16(), 503);
        assert!(problem.detail().contains("limits.bodies"));
        assert!(problem.to_response().headers().contains_key("retry-after"));
        assert_eq!(budget.used(), 700);
        lease.subtract(500);
        assert_eq!(budget.used(), 200);
        assert!(other.add(800).is_ok() && other.add(1).is_err());
        drop((lease, other));
        assert_eq!((budget.used(), budget.take_released(), budget.take_released()), (0, 1500, 0));
    }

    #[test]
    fn a_client_has_half_of_the_budget_and_a_proxy_on_this_machine_all_of_it() {
        let client = |address: &str| ClientId::of_address(address.parse().unwrap());
        let budget = budget(1000, 0);
        let own = client("192.0.2.1");
        let leases = [0; 3].map(|_| BodyLease::new(&budget, Some(&own)));
        assert!(leases[0].add(400).is_ok() && leases[1].add(101).is_ok());
        assert!(leases[2].add(1).unwrap_err().detail().contains("half of"));
        let other = BodyLease::new(&budget, Some(&client("192.0.2.2")));
        assert!(other.add(400).is_ok() && other.add(400).is_err() && budget.used() == 901);
        leases[0].subtract(400);
        assert!(leases[2].add(300).is_ok());
        drop((leases, other));
        assert!(budget.used() == 0 && budget.clients().is_empty());
        let proxy = client("127.0.0.1");
        let leases = [0; 2].map(|_| BodyLease::new(&budget, Some(&proxy)));
        assert!(leases.iter().all(|lease| lease.add(500).is_ok()));
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_ends_with_its_problem() {
        let budget = budget(u64::MAX, 100);
        let lease = BodyLease::new(&budget, None);
        let (sender, body) = sent();
        sender.send(Bytes::from_static(b"few")).unwrap();
        let window = RateWindow::new(100, Duration::from_millis(1));
        let body = MinRateBody { body, lease: lease.clone(), window, wait: None };
        assert!(body.collect().await.is_err());
        assert_eq!(lease.problem().unwrap().status().as_u16(), 408);
        // A body that is complete, or whose rate is not limited, is not wrapped.
        for (body, min_rate) in [(Body::empty(), 100), (sent().1, 0)] {
            let lease = BodyLease::new(&self::budget(1, min_rate), None);
            let request = lease.attach(Request::new(body));
            assert!(request.extensions().get::<BodyLease>().is_some());
        }
        drop(sender);
    }
}
