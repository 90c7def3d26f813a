//! Limits after which a silent connection counts as lost.
//!
//! A router, a firewall or a proxy may drop the packets of a connection without closing it. TCP retransmits for a
//! quarter of an hour before it reports that, and never reports it while nothing is sent.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_postgres::Config;

/// The server enforces the statement timeout. If there is no answer after this margin, the connection is lost.
pub(super) const ANSWER_MARGIN: Duration = Duration::from_secs(2);

/// The longest time until a connection is open, with TLS and login.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A connection that was idle for longer is verified before it is used.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// The longest time until the answer to an empty statement.
pub(super) const VERIFY_LIMIT: Duration = Duration::from_secs(3);

/// The longest wait for a connection of a pool without a statement timeout.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(3600);

/// Limits the time that TCP waits for a peer, unless the URL of the database sets other limits.
pub(super) fn with_keepalive(mut config: Config) -> Config {
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// Routers forget idle connections after some minutes.
    const IDLE: Duration = Duration::from_secs(30);
    const INTERVAL: Duration = Duration::from_secs(10);
    const RETRIES: u32 = 3;
    /// The longest time that sent data is unacknowledged.
    const USER_TIMEOUT: Duration = Duration::from_secs(30);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    // The default of the client is two hours.
    if config.get_keepalives_idle() > 2 * IDLE {
        config.keepalives_idle(IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(RETRIES);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(USER_TIMEOUT);
    }
    config
}

/// Whether the connections of a pool can be used, after one of them was silent.
#[derive(Debug, Default)]
pub(super) struct Trust {
    lost_at: Mutex<Option<Instant>>,
    lost: Notify,
}

impl Trust {
    /// Discards the connections that are idle now.
    pub(super) fn distrust(&self) {
        *self.lost_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Discards all connections, also those that wait for an answer without a limit.
    pub(super) fn lose_all(&self) {
        self.distrust();
        self.lost.notify_waiters();
    }

    /// Whether a connection that was last used at `used` can be used again.
    pub(super) fn is_trusted(&self, used: Instant) -> bool {
        self.lost_at.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|lost_at| used > lost_at)
    }

    /// Ends once all connections are lost.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tcp_detects_a_silent_peer_within_a_minute_unless_the_url_sets_other_limits() {
        let config = with_keepalive("postgres://h/d".parse().unwrap());
        assert!(config.get_keepalives() && config.get_keepalives_idle() <= Duration::from_secs(60));
        let retries = config.get_keepalives_retries().unwrap();
        assert!(config.get_keepalives_interval().unwrap() * retries <= Duration::from_secs(30));
        assert!(config.get_tcp_user_timeout().is_some_and(|limit| *limit <= Duration::from_secs(60)));
        let url = "postgres://h/d?keepalives_idle=7&keepalives_retries=9&tcp_user_timeout=11&connect_timeout=2";
        let config = with_keepalive(url.parse().unwrap());
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(7));
        assert_eq!(config.get_keepalives_retries(), Some(9));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(11)));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(2)));
    }

    #[test]
    fn connections_are_discarded_that_were_used_before_another_was_silent() {
        let trust = Trust::default();
        let before = Instant::now();
        assert!(trust.is_trusted(before));
        trust.distrust();
        assert!(!trust.is_trusted(before));
        std::thread::sleep(Duration::from_millis(1));
        assert!(trust.is_trusted(Instant::now()));
    }
}
