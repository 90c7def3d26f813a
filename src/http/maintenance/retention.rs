//! Retention: remarks and errors about the points of requests that are too old to be kept.

use crate::config::TimeSpan;
use crate::http::server::clock::now_s;
use crate::parameters::time_text;
use crate::store::{Expiry, Snapshot};

/// The time in microseconds before which points are older than a retention.
pub(crate) fn expire_before_us(keep_s: u64) -> i64 {
    expire_before_us_at(now_s(), keep_s)
}

/// The time in microseconds before which points are older than a retention at a time in Unix seconds.
pub(super) fn expire_before_us_at(now_s: u64, keep_s: u64) -> i64 {
    let [now_us, keep_us] =
        [now_s, keep_s].map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000));
    now_us.saturating_sub(keep_us)
}

/// The remark on points that the retention of a layer removes. `expiry` counts those before a time in microseconds.
pub(crate) fn retention_remark(snapshot: &Snapshot, expiry: impl FnOnce(i64) -> Expiry) -> Option<String> {
    let keep_s = snapshot.description().keep_s?;
    let Expiry { points, expired, .. } = expiry(expire_before_us(keep_s));
    let keep = TimeSpan::from_secs(keep_s);
    (expired > 0).then(|| {
        format!(
            "{expired} of {points} points are older than {keep}, the keep of the layer, and are removed within the hour"
        )
    })
}

/// The error of a new retention `keep_s` that removes at least half of the points of a layer; `None` if it removes fewer,
/// or is not shorter than that of the layer.
pub(crate) fn large_loss(snapshot: &Snapshot, keep_s: u64) -> Option<String> {
    if snapshot.description().keep_s.is_some_and(|before| before <= keep_s) {
        return None;
    }
    let before_us = expire_before_us(keep_s);
    let expiry = snapshot.expiry(before_us);
    if !expiry.is_large() {
        return None;
    }
    let Expiry { points, expired, time_us } = expiry;
    // Times are to the second.
    let second = |us: i64| time_text(us.div_euclid(1_000_000).saturating_mul(1_000_000));
    let (keep, before) = (TimeSpan::from_secs(keep_s), second(before_us));
    let times = time_us
        .map_or_else(String::new, |[first, last]| format!("; all times are {} to {}", second(first), second(last)));
    let are = if expired == 1 { "is" } else { "are" };
    Some(format!(
        "keep: {expired} of {points} points {are} before {before}{times}; with the keep {keep}, the server would remove them; \
         the layer is unchanged; use a longer time, or add ?expire=true to the URL"
    ))
}
