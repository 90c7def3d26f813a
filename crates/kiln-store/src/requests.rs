//! Idempotency: the requests that sent points are remembered, so that a repeated one adds nothing.

use serde::{Deserialize, Serialize};

/// A request whose points were accepted, with the idempotency key of its sender. It is stored in the segment of the points,
/// so both are committed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The sender's key, which is the same when the request is repeated.
    pub key: String,
    /// A digest of the body.
    pub digest: u64,
    /// Points accepted.
    pub accepted: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// The time of its arrival, in Unix seconds.
    pub at_s: u64,
}

impl Request {
    /// The longest key, in bytes.
    pub const MAX_KEY_BYTES: usize = 255;
    /// How long a request is remembered, in seconds: a day.
    pub const KEPT_S: u64 = 24 * 60 * 60;
    /// The most requests of a layer that are remembered; the oldest go first.
    pub const MAX_KEPT: usize = 100_000;

    /// The requests that a segment merged at `now_s` still remembers.
    pub(super) fn still_kept(requests: impl IntoIterator<Item = Self>, now_s: u64) -> Vec<Self> {
        let mut kept: Vec<Self> =
            requests.into_iter().filter(|request| request.at_s.saturating_add(Self::KEPT_S) > now_s).collect();
        kept.sort_by_key(|request| std::cmp::Reverse(request.at_s));
        kept.truncate(Self::MAX_KEPT);
        kept
    }
}

/// The key of the requests in a file's metadata.
pub(super) const METADATA: &str = "kiln.requests";

/// Requests as JSON.
pub(super) fn to_text(requests: &[Request]) -> String {
    serde_json::to_string(requests).unwrap_or_default()
}

/// Requests from JSON; none where it is invalid.
pub(super) fn from_text(text: &str) -> Vec<Request> {
    serde_json::from_str(text).unwrap_or_default()
}
