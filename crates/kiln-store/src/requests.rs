//! The requests that brought points, so that one that comes again adds none twice.

use serde::{Deserialize, Serialize};

/// A request with points that were accepted under a key of its sender. It is kept in the segment of the points, so it is
/// there exactly when they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The sender's key: the same request has the same one.
    pub key: String,
    /// A number that changes with the body.
    pub digest: u64,
    /// Points accepted.
    pub accepted: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// When it came, in Unix seconds.
    pub at_s: u64,
}

impl Request {
    /// The longest key, in bytes.
    pub const MAX_KEY_BYTES: usize = 255;
    /// How long a request is remembered, in seconds: a day.
    pub const KEPT_S: u64 = 24 * 60 * 60;
    /// The most requests of a layer that are remembered; the oldest go first.
    pub const MAX_KEPT: usize = 100_000;

    /// What goes into a segment that is made of others at `now_s`.
    pub(super) fn still_kept(requests: impl IntoIterator<Item = Self>, now_s: u64) -> Vec<Self> {
        let mut kept: Vec<Self> =
            requests.into_iter().filter(|request| request.at_s.saturating_add(Self::KEPT_S) > now_s).collect();
        kept.sort_by_key(|request| std::cmp::Reverse(request.at_s));
        kept.truncate(Self::MAX_KEPT);
        kept
    }
}

/// The member of a file's metadata that holds them.
pub(super) const METADATA: &str = "kiln.requests";

/// Requests as a text.
pub(super) fn to_text(requests: &[Request]) -> String {
    serde_json::to_string(requests).unwrap_or_default()
}

/// Requests from their text; none where it cannot be read.
pub(super) fn from_text(text: &str) -> Vec<Request> {
    serde_json::from_str(text).unwrap_or_default()
}
