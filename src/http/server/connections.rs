//! The open connections: who may open one, and which one is closed for it.
//!
//! A connection without a request costs little, and a client can open many. Beyond three quarters of
//! `server.max_connections`, the connection that has been idle longest is closed for a new one, so that silent connections
//! keep nobody out. If all have a request in progress, a few more are accepted that serve `/health` and `/_/metrics` only.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::client::ClientId;
use crate::config::ServerConfig;

/// The open connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    /// The maximum number of connections that serve all requests.
    max: usize,
    /// The number of connections beyond which idle ones are closed for new ones.
    share: usize,
    /// The maximum number of connections beyond `max`.
    reserve: usize,
    /// The maximum number of connections of a client.
    max_per_client: usize,
    start: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// All connections, by id.
    entries: BTreeMap<u64, Arc<Entry>>,
    /// The number of those that serve `/health` and `/_/metrics` only.
    reserved: usize,
    /// The number of connections of each client that has a share.
    per_client: HashMap<ClientId, usize>,
    last_id: u64,
}

/// A connection.
#[derive(Debug)]
struct Entry {
    client: Option<ClientId>,
    is_reserved: bool,
    /// The time of the last byte that was read or written, in milliseconds since the start.
    active_ms: AtomicU64,
    /// The number of requests in progress: 1 or 0.
    requests: AtomicUsize,
    is_closing: AtomicBool,
    close: Notify,
}

impl Entry {
    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }
}

/// An open connection; dropping it frees its place.
#[derive(Debug)]
pub(crate) struct Connection {
    id: u64,
    entry: Arc<Entry>,
    all: Arc<Connections>,
}

/// A request in progress. A connection with one is not closed for another.
#[derive(Debug)]
pub(crate) struct RequestInProgress(Arc<Entry>, Arc<Connections>);

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.1.touch(&self.0);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        if self.0.is_closing.load(Ordering::Relaxed) {
            self.0.close.notify_one();
        }
    }
}

impl Connections {
    /// The limits of `config`, with at most `max_files` open files, if that is known.
    pub(crate) fn new(config: &ServerConfig, max_files: Option<usize>) -> Self {
        /// Files of layers, databases and logs.
        const OTHER_FILES: usize = 256;
        let configured = config.max_connections;
        let reserve = configured.div_ceil(8).min(64);
        let max = match max_files {
            Some(files) if files < configured + reserve + OTHER_FILES => {
                configured.min(files.saturating_sub(reserve + OTHER_FILES).max(files / 2)).max(1)
            }
            _ => configured,
        };
        if max < configured {
            tracing::warn!(max, configured, "server.max_connections exceeds the limit of open files (ulimit -n)");
        }
        Self {
            max,
            share: (max - max / 4).max(1),
            reserve,
            max_per_client: config.max_client_connections.unwrap_or_else(|| max.div_ceil(2)),
            start: Instant::now(),
            open: Mutex::default(),
        }
    }

    /// Admits a connection, and closes an idle one for it if there are many. `None` if it must be closed at once.
    ///
    /// Loopback addresses and trusted proxies connect for many clients, so they have no share per client.
    pub(crate) fn admit(self: &Arc<Self>, config: &ServerConfig, peer: IpAddr) -> Option<Connection> {
        let peer = peer.to_canonical();
        let is_proxy = peer.is_loopback() || config.trusted_proxies.iter().any(|range| range.contains(peer));
        let client = (!is_proxy).then(|| ClientId::of_address(peer));
        let mut open = self.lock();
        let own = client.as_ref().and_then(|client| open.per_client.get(client)).copied().unwrap_or(0);
        let mut is_full = false;
        if own >= self.max_per_client {
            is_full = !open.close_idle(|entry| entry.client == client && !entry.is_reserved);
        }
        let regular = open.entries.len() - open.reserved;
        if !is_full && regular >= self.share {
            let is_closed = open.close_idle(|entry| !entry.is_reserved);
            is_full = !is_closed && regular >= self.max;
        }
        if is_full && open.reserved >= self.reserve && !open.close_idle(|entry| entry.is_reserved) {
            return None;
        }
        Some(self.open(&mut open, client, is_full))
    }

    fn open(self: &Arc<Self>, open: &mut Open, client: Option<ClientId>, is_reserved: bool) -> Connection {
        open.last_id += 1;
        let entry = Arc::new(Entry {
            client: client.filter(|_| !is_reserved),
            is_reserved,
            active_ms: AtomicU64::new(self.now_ms()),
            requests: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
            close: Notify::new(),
        });
        open.entries.insert(open.last_id, Arc::clone(&entry));
        open.reserved += usize::from(is_reserved);
        if let Some(client) = &entry.client {
            *open.per_client.entry(client.clone()).or_default() += 1;
        }
        Connection { id: open.last_id, entry, all: Arc::clone(self) }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn touch(&self, entry: &Entry) {
        entry.active_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the connection that has been idle longest among those that match. Returns whether there was one.
    fn close_idle(&mut self, matches: impl Fn(&Entry) -> bool) -> bool {
        let idle = self.entries.iter().filter(|(_, entry)| entry.is_idle() && matches(entry));
        let Some(id) =
            idle.min_by_key(|(id, entry)| (entry.active_ms.load(Ordering::Relaxed), **id)).map(|(id, _)| *id)
        else {
            return false;
        };
        if let Some(entry) = self.remove(id) {
            entry.is_closing.store(true, Ordering::Relaxed);
            entry.close.notify_one();
        }
        true
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(&id)?;
        self.reserved -= usize::from(entry.is_reserved);
        if let Some(client) = &entry.client
            && let Some(count) = self.per_client.get_mut(client)
        {
            *count -= 1;
            if *count == 0 {
                self.per_client.remove(client);
            }
        }
        Some(entry)
    }
}

impl Connection {
    /// Whether the connection serves `/health` and `/_/metrics` only.
    pub(crate) fn is_reserved(&self) -> bool {
        self.entry.is_reserved
    }

    /// Marks the start of a request.
    pub(crate) fn begin(&self) -> RequestInProgress {
        self.entry.requests.fetch_add(1, Ordering::Relaxed);
        RequestInProgress(Arc::clone(&self.entry), Arc::clone(&self.all))
    }

    /// Records that bytes were read or written.
    pub(crate) fn touch(&self) {
        self.all.touch(&self.entry);
    }

    /// Completes when the connection must be closed for another. A request that arrived at this moment is completed first.
    pub(crate) async fn closed(&self) {
        /// The time to send the rest of a response.
        const GRACE: Duration = Duration::from_secs(1);
        self.entry.close.notified().await;
        if !self.entry.is_idle() {
            while !self.entry.is_idle() {
                self.entry.close.notified().await;
            }
            tokio::time::sleep(GRACE).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.lock().remove(self.id);
    }
}

/// The limit of open files of the process, from `/proc`; `None` if it is unknown or unlimited.
pub(crate) fn max_open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1";

    fn connections(max: usize) -> (Arc<Connections>, ServerConfig) {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let config = ServerConfig { max_connections: max, trusted_proxies, ..ServerConfig::default() };
        (Arc::new(Connections::new(&config, None)), config)
    }

    /// Whether a connection was told to close.
    async fn is_closed(connection: &Connection) -> bool {
        tokio::time::timeout(Duration::ZERO, connection.closed()).await.is_ok()
    }

    #[tokio::test]
    async fn beyond_the_share_the_connection_that_was_idle_longest_is_closed() {
        let (all, config) = connections(8);
        let admit = || all.admit(&config, LOOPBACK.parse().unwrap()).unwrap();
        let connections: Vec<_> = (0..6).map(|_| admit()).collect();
        // Later activity, and a request in progress.
        all.open.lock().unwrap().entries.values().for_each(|entry| entry.active_ms.store(5, Ordering::Relaxed));
        connections[0].entry.active_ms.store(9, Ordering::Relaxed);
        let request = connections[1].begin();
        connections[1].entry.active_ms.store(1, Ordering::Relaxed);
        let seventh = admit();
        assert!(!seventh.is_reserved());
        let mut closed = Vec::new();
        for connection in &connections {
            closed.push(is_closed(connection).await);
        }
        assert_eq!(closed, [false, false, true, false, false, false]);
        drop(request);
        assert_eq!(all.lock().entries.len(), 6);
        drop((connections, seventh));
        assert!(all.lock().entries.is_empty());
    }

    #[test]
    fn requests_in_progress_leave_places_for_the_health_check() {
        let (all, config) = connections(8);
        let admit = || all.admit(&config, LOOPBACK.parse().unwrap());
        let busy: Vec<_> = (0..8).map(|_| admit().map(|connection| (connection.begin(), connection))).collect();
        assert!(busy.iter().flatten().count() == 8 && busy.iter().flatten().all(|(_, entry)| !entry.is_reserved()));
        let first = admit().unwrap();
        assert!(first.is_reserved());
        // There is a single such place: a silent connection in it is closed for the next one, and one in use is not.
        let second = admit().unwrap();
        let request = second.begin();
        assert!(second.is_reserved() && admit().is_none());
        drop(request);
        assert!(admit().is_some_and(|connection| connection.is_reserved()));
        drop(busy);
        assert!(admit().is_some_and(|connection| !connection.is_reserved()));
        drop((first, second));
        let open = all.lock();
        assert!(open.entries.is_empty() && open.reserved == 0);
    }

    #[test]
    fn one_address_does_not_take_all_places_and_a_proxy_does() {
        let (all, config) = connections(16);
        let admit = |address: &str| {
            let connection = all.admit(&config, address.parse().unwrap())?;
            Some((connection.begin(), connection))
        };
        for (address, other, expected) in [
            ("192.0.2.1", "192.0.2.2", 8),
            ("2001:db8::1", "2001:db8:0:1::1", 8),
            ("::ffff:192.0.2.1", "192.0.2.2", 8),
            ("10.0.0.7", "192.0.2.2", 16),
            (LOOPBACK, "192.0.2.2", 16),
        ] {
            let taken: Vec<_> = (0..17).filter_map(|_| admit(address)).collect();
            let regular = taken.iter().filter(|(_, connection)| !connection.is_reserved()).count();
            assert_eq!(regular, expected, "{address}");
            assert_eq!(admit(other).unwrap().1.is_reserved(), expected == 16, "{address}");
            drop(taken);
        }
        assert!(all.lock().per_client.is_empty());
        // All addresses of a network of 64 bits are one client.
        let _both = [admit("2001:db8::1"), admit("2001:db8::2")];
        assert_eq!(all.lock().per_client.len(), 1);
    }

    #[test]
    fn the_limit_of_open_files_lowers_the_number_of_connections() {
        let config = ServerConfig { max_connections: 1024, ..ServerConfig::default() };
        for (files, max) in [(None, 1024), (Some(4096), 1024), (Some(1024), 704), (Some(256), 128), (Some(1), 1)] {
            assert_eq!(Connections::new(&config, files).max, max, "{files:?}");
        }
        #[cfg(target_os = "linux")]
        assert!(
            std::fs::read_to_string("/proc/self/limits").unwrap().contains("unlimited") || max_open_files().is_some()
        );
    }
}
