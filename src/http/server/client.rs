//! The client of a request, and the quota of each client.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;

use super::base_url::Peer;
use super::price::Price;
use super::problem::{HttpResult, Problem};
use crate::config::ServerConfig;

tokio::task_local! {
    /// The client of the request that the task serves.
    static CLIENT: ClientId;
}

/// The client of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ClientId {
    /// An IPv4 address, or the first 64 bits of an IPv6 address: a subscriber has at least that network.
    Address(IpAddr),
    /// All clients with a key.
    Key(Arc<str>),
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Key(name) => write!(f, "key {name}"),
        }
    }
}

impl ClientId {
    /// The client of a request by its address: that of the peer, or the one that a trusted proxy forwards.
    pub(crate) fn of(config: &ServerConfig, headers: &HeaderMap, peer: IpAddr) -> Self {
        Self::of_address(forwarded_address(config, headers, peer))
    }

    /// The client at an address.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            address @ IpAddr::V4(_) => address,
        })
    }

    /// Whether the client is on this machine: it may be a proxy for others.
    pub(crate) fn is_loopback(&self) -> bool {
        // Of IPv6, the first 64 bits are left.
        matches!(self, Self::Address(address) if address.is_loopback() || *address == IpAddr::from([0_u16; 8]))
    }

    /// Runs `future` as work for this client.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        CLIENT.scope(self, future).await
    }

    /// The client that the current task serves; `None` in background tasks.
    pub(crate) fn current() -> Option<Self> {
        CLIENT.try_with(Self::clone).ok()
    }

    /// The client of a request, of which `peer` is an extension; `None` without one, in tests of the router.
    pub(crate) fn of_request(config: &ServerConfig, headers: &HeaderMap, peer: Option<&Peer>) -> Option<Self> {
        peer.map(|peer| Self::of(config, headers, peer.0))
    }
}

/// The last address in `X-Forwarded-For` that is not a trusted proxy; that of the peer if the peer is not one.
fn forwarded_address(config: &ServerConfig, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let is_trusted = |address: IpAddr| config.trusted_proxies.iter().any(|range| range.contains(address));
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut client = peer;
    for text in chain.into_iter().rev() {
        if !is_trusted(client) {
            return client;
        }
        // An address may have a port, and an IPv6 address with one has brackets.
        let bare = text.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
        let parsed = text.parse().ok().or_else(|| bare?.parse().ok());
        let Some(address) = parsed else { return client };
        client = address;
    }
    client
}

/// The prices that each client may use: a bucket that refills at a constant rate.
#[derive(Debug, Default)]
pub(crate) struct ClientQuota {
    /// The maximum price per minute; `None`: no limit.
    per_minute: Option<u64>,
    buckets: Mutex<HashMap<ClientId, Bucket>>,
}

/// What a client has left, in milliseconds, at a time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left_ms: f64,
    at: Instant,
}

impl ClientQuota {
    /// The number of buckets beyond which those that are full are removed.
    const MANY_BUCKETS: usize = 10_000;

    /// A quota of this price per minute.
    pub(crate) fn new(per_minute: Option<u64>) -> Self {
        Self { per_minute, buckets: Mutex::default() }
    }

    /// Takes a price from the bucket of the current client. A bucket that is not empty admits any price, so that a request
    /// above the quota is served, and the following ones wait for it.
    ///
    /// # Errors
    /// 429 if the bucket is empty.
    pub(crate) fn take(&self, price: Price) -> HttpResult<()> {
        let (Some(per_minute), Some(client)) = (self.per_minute, ClientId::current()) else { return Ok(()) };
        match self.take_at(client, price, Instant::now(), per_minute) {
            Ok(()) => Ok(()),
            Err(wait) => {
                let detail = format!(
                    "the requests of this client exceed {per_minute} ms of processor time per minute, \
                     limits.client_price; retry later"
                );
                Err(Problem::too_many(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1), detail))
            }
        }
    }

    fn take_at(&self, client: ClientId, price: Price, now: Instant, per_minute: u64) -> Result<(), Duration> {
        const MINUTE_S: f64 = 60.0;
        let full_ms = per_minute as f64;
        let per_second = full_ms / MINUTE_S;
        let refilled = |bucket: &Bucket| {
            (bucket.left_ms + per_second * now.saturating_duration_since(bucket.at).as_secs_f64()).min(full_ms)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= Self::MANY_BUCKETS {
            buckets.retain(|_, bucket| refilled(bucket) < full_ms);
        }
        let bucket = buckets.entry(client).or_insert(Bucket { left_ms: full_ms, at: now });
        let left_ms = refilled(bucket);
        if left_ms <= 0.0 {
            return Err(Duration::from_secs_f64((1.0 - left_ms) / per_second));
        }
        *bucket = Bucket { left_ms: left_ms - price.ms() as f64, at: now };
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn address(text: &str) -> ClientId {
        ClientId::of_address(text.parse().unwrap())
    }

    #[test]
    fn only_trusted_proxies_forward_the_address_of_a_client() {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "loopback".parse().unwrap()];
        let config = ServerConfig { trusted_proxies, ..ServerConfig::default() };
        for (peer, forwarded, client) in [
            ("10.0.0.7", &["192.0.2.1"][..], "192.0.2.1"),
            ("10.0.0.7", &["203.0.113.9, 192.0.2.1, 10.0.0.8"], "192.0.2.1"),
            ("10.0.0.7", &["203.0.113.9", "192.0.2.1:4711"], "192.0.2.1"),
            ("10.0.0.7", &["[2001:db8::1]:99"], "2001:db8::"),
            ("10.0.0.7", &["unknown"], "10.0.0.7"),
            ("10.0.0.7", &[], "10.0.0.7"),
            // Anybody can send the header.
            ("192.0.2.5", &["203.0.113.9"], "192.0.2.5"),
            ("2001:db8::5", &["203.0.113.9"], "2001:db8::"),
            ("::ffff:192.0.2.5", &[], "192.0.2.5"),
        ] {
            let headers = forwarded
                .iter()
                .map(|value| ("x-forwarded-for".parse().unwrap(), HeaderValue::from_str(value).unwrap()));
            let found = ClientId::of(&config, &headers.collect(), peer.parse().unwrap());
            assert_eq!(found, address(client), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_client_that_used_its_quota_waits_and_others_do_not() {
        let quota = ClientQuota::new(Some(6000));
        let start = Instant::now();
        let take = |client: &str, ms: f64, after_s: u64| {
            quota.take_at(address(client), Price::of_ms(ms), start + Duration::from_secs(after_s), 6000)
        };
        assert_eq!(take("192.0.2.1", 5000.0, 0), Ok(()));
        // More than is left is admitted once, and then has to be refilled.
        assert_eq!(take("192.0.2.1", 9000.0, 0), Ok(()));
        let wait = take("192.0.2.1", 1.0, 0).unwrap_err();
        assert_eq!(wait.as_secs(), 80);
        assert_eq!(take("192.0.2.2", 1.0, 0), Ok(()));
        assert!(take("192.0.2.1", 1.0, 79).is_err());
        assert_eq!(take("192.0.2.1", 1.0, 81), Ok(()));
        // The bucket is never more than full.
        assert_eq!(take("192.0.2.2", 6000.0, 100_000), Ok(()));
        assert_eq!(take("192.0.2.2", 1.0, 100_001), Ok(()));
    }

    #[tokio::test]
    async fn the_client_is_that_of_the_task() {
        assert_eq!(ClientId::current(), None);
        let inside = address("192.0.2.1").scope(async { ClientId::current() }).await;
        assert_eq!(inside, Some(address("192.0.2.1")));
        let unlimited = ClientQuota::new(None);
        let taken = address("192.0.2.1").scope(async { unlimited.take(Price::of_ms(1e12)) }).await;
        assert!(taken.is_ok());
        let limited = ClientQuota::new(Some(1));
        let taken = address("192.0.2.1").scope(async {
            limited.take(Price::of_ms(60_000.0)).unwrap();
            limited.take(Price::LIGHT).unwrap_err()
        });
        let problem = taken.await;
        assert_eq!(problem.status().as_u16(), 429);
        assert!(problem.detail().contains("limits.client_price"), "{}", problem.detail());
        assert!(problem.to_response().headers().contains_key("retry-after"));
    }
}
