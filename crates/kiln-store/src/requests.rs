//! Idempotency: ingest requests are remembered, so that a repeated request adds nothing.

use serde::{Deserialize, Serialize};

/// An ingest request with an idempotency key, whose points were accepted. It is stored in the segment of the points,
/// so both are committed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The idempotency key, which is the same when the client repeats the request.
    pub key: String,
    /// A digest of the body.
    pub digest: u64,
    /// Number of accepted points.
    pub accepted: u64,
    /// Number of rejected rows.
    pub rejected: u64,
    /// The time of arrival, in Unix seconds.
    pub at_s: u64,
}

impl Request {
    /// The maximum length of a key, in bytes.
    pub const MAX_KEY_BYTES: usize = 255;
    /// The time for which a request is remembered, in seconds: one day.
    pub const RETENTION_S: u64 = 24 * 60 * 60;
    /// The maximum number of requests that a layer remembers; the oldest are dropped first.
    pub const MAX_REMEMBERED: usize = 100_000;

    /// The requests that a segment merged at `now_s` still remembers. Their age is that at the newest of them, if that is
    /// less, so that a clock that jumps forward forgets none.
    pub(super) fn unexpired(requests: impl IntoIterator<Item = Self>, now_s: u64) -> Vec<Self> {
        let mut kept: Vec<Self> = requests.into_iter().collect();
        let now_s = kept.iter().map(|request| request.at_s).max().map_or(now_s, |newest| newest.min(now_s));
        kept.retain(|request| request.at_s.saturating_add(Self::RETENTION_S) > now_s);
        kept.sort_by_key(|request| std::cmp::Reverse(request.at_s));
        kept.truncate(Self::MAX_REMEMBERED);
        kept
    }
}

/// The key of the requests in the metadata of a file.
pub(super) const METADATA: &str = "kiln.requests";

/// Serializes requests as JSON.
pub(super) fn to_text(requests: &[Request]) -> String {
    serde_json::to_string(requests).unwrap_or_default()
}

/// Parses requests from JSON; empty if it is invalid.
pub(super) fn from_text(text: &str) -> Vec<Request> {
    serde_json::from_str(text).unwrap_or_default()
}
