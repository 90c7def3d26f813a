//! Settings of connections: the environment, timeouts, and the addresses that may be read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::url::Scheme;

/// Environment variables. [`Debug`] prints their names only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of the process; those that are not UTF-8 are ignored.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a variable is `true`, `1`, `yes` or `on`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        let is_true = |value: &str| ["true", "1", "yes", "on"].iter().any(|yes| value.eq_ignore_ascii_case(yes));
        self.get(name).is_some_and(is_true)
    }

    /// The variables whose name starts with `prefix`, with their values.
    pub(crate) fn with_prefix<'e>(&'e self, prefix: &'e str) -> impl Iterator<Item = (&'e str, &'e str)> {
        let variables = self.0.iter().filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty());
        variables.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether web addresses of the process may be private ones.
static PRIVATE_ADDRESSES: AtomicBool = AtomicBool::new(true);

/// Sets whether web addresses may be of private networks and of this machine, for the later clients of the process. A server
/// does not allow it unless it is configured to. Endpoints of buckets, which the environment sets, may always be.
pub fn allow_private_addresses(is_allowed: bool) {
    PRIVATE_ADDRESSES.store(is_allowed, Ordering::Relaxed);
}

/// Settings of connections to servers of objects.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The environment, with credentials and endpoints.
    pub environment: Environment,
    /// Whether web addresses may be of private networks and of this machine. Default: true.
    pub private_addresses: bool,
    /// The maximum time to connect. Default: 5 s.
    pub connect_timeout: Duration,
    /// The maximum time to the first byte of a response, and between two parts of a response. Default: 30 s, or the seconds of
    /// `AWS_TIMEOUT`, `GOOGLE_TIMEOUT`, `AZURE_TIMEOUT` or `HTTP_TIMEOUT`.
    pub response_timeout: Option<Duration>,
    /// The flag that cancels operations once it is set.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Settings {
    const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

    /// The settings for an environment.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            private_addresses: true,
            connect_timeout: Duration::from_secs(5),
            response_timeout: None,
            stop: None,
        }
    }

    /// The settings of the process: its environment, and the addresses of [`allow_private_addresses`].
    pub fn of_process() -> Self {
        let private_addresses = PRIVATE_ADDRESSES.load(Ordering::Relaxed);
        Self { private_addresses, ..Self::new(Environment::of_process()) }
    }

    /// Sets the flag that cancels operations.
    #[must_use]
    pub fn with_stop(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// The maximum time to a response of a kind of server.
    pub(crate) fn response_timeout(&self, scheme: Scheme) -> Duration {
        let name = match scheme {
            Scheme::S3 => "AWS_TIMEOUT",
            Scheme::Gs => "GOOGLE_TIMEOUT",
            Scheme::Azure => "AZURE_TIMEOUT",
            Scheme::Web => "HTTP_TIMEOUT",
        };
        let set = || self.environment.get(name).and_then(seconds);
        self.response_timeout.or_else(set).unwrap_or(Self::RESPONSE_TIMEOUT)
    }

    /// The maximum number of times that a request is sent.
    pub(crate) fn attempts(&self) -> usize {
        const ATTEMPTS: usize = 4;
        let set = self.environment.get("AWS_MAX_ATTEMPTS").and_then(|text| text.parse().ok());
        set.unwrap_or(ATTEMPTS).clamp(1, 10)
    }
}

/// A time such as `30`, `30s` or `500ms`.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds: f64 = number.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds * unit).ok().filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds_of_the_environment() {
        let settings = Settings::new(
            [("AWS_TIMEOUT", "2"), ("HTTP_TIMEOUT", "250ms"), ("AZURE_TIMEOUT", "soon")].into_iter().collect(),
        );
        let timeouts =
            [Scheme::S3, Scheme::Web, Scheme::Azure, Scheme::Gs].map(|scheme| settings.response_timeout(scheme));
        assert_eq!(timeouts.map(|timeout| timeout.as_millis()), [2000, 250, 30_000, 30_000]);
        assert_eq!([seconds("0"), seconds("-1"), seconds("1e99")], [None; 3]);
    }

    #[test]
    fn values_of_variables_are_not_printed() {
        let settings = Settings::new([("AWS_SECRET_ACCESS_KEY", "s3cret")].into_iter().collect());
        let printed = format!("{settings:?}");
        assert!(printed.contains("AWS_SECRET_ACCESS_KEY") && !printed.contains("s3cret"), "{printed}");
    }
}
