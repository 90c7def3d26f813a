//! The expiry of the TLS certificate: a warning in the log at the start and daily, and a metric.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// The interval between two warnings.
pub(super) const WARN_INTERVAL: Duration = Duration::from_secs(86_400);

/// The time before the expiry from which on the log warns: certificates of 90 days are usually renewed 30 days before.
const WARN_BEFORE_S: i64 = 14 * 86_400;

/// The time at which the first certificate of a chain expires, in seconds since 1970; `None` if none can be parsed.
pub(super) fn expires_s(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let expires = |der: &CertificateDer<'_>| {
        let certificate = Certificate::from_der(der).ok()?;
        i64::try_from(certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs()).ok()
    };
    chain.iter().filter_map(expires).min()
}

/// Warns of a certificate that has expired, or expires soon.
pub(super) fn warn(file: &Path, expires_s: i64) {
    let Some(text) = warning(expires_s, Timestamp::now().as_second()) else { return };
    let expires = Timestamp::from_second(expires_s).map(|at| at.to_string()).unwrap_or_default();
    tracing::warn!(file = %file.display(), expires, "{text}");
}

fn warning(expires_s: i64, now_s: i64) -> Option<&'static str> {
    match expires_s - now_s {
        ..=0 => Some("the TLS certificate has expired, and clients reject it; renew it"),
        1..=WARN_BEFORE_S => Some("the TLS certificate expires within 14 days; renew it"),
        _ => None,
    }
}

/// The gauge of the time until the certificate expires. A server without TLS has none.
#[derive(Debug)]
pub(crate) struct ExpiryMetric {
    /// In seconds since 1970; `i64::MAX` without a certificate.
    expires_s: AtomicI64,
    gauge: Family<[(&'static str, String); 0], Gauge>,
}

impl ExpiryMetric {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let new = Self { expires_s: AtomicI64::new(i64::MAX), gauge: Family::default() };
        let help = "Time until the TLS certificate expires; negative after that";
        registry.register_with_unit("tls_certificate_expiry", help, Unit::Seconds, new.gauge.clone());
        new
    }

    /// Sets the time of the expiry.
    pub(super) fn set(&self, expires_s: i64) {
        self.expires_s.store(expires_s, Ordering::Relaxed);
    }

    /// Sets the gauge to the remaining time.
    pub(crate) fn update(&self) {
        let expires_s = self.expires_s.load(Ordering::Relaxed);
        if expires_s < i64::MAX {
            self.gauge.get_or_create(&[]).set(expires_s - Timestamp::now().as_second());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_warned_of_in_their_last_two_weeks() {
        let now_s = 1_800_000_000;
        for days in [15, 90] {
            assert_eq!(warning(now_s + days * 86_400, now_s), None);
        }
        for s in [1, 3600, 14 * 86_400] {
            assert!(warning(now_s + s, now_s).is_some_and(|text| text.contains("within 14 days")), "{s}");
        }
        for s in [0, 1, 86_400 * 9999] {
            assert!(warning(now_s - s, now_s).is_some_and(|text| text.contains("has expired")), "{s}");
        }
    }
}
