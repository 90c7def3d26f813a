//! Credentials that the URLs in a response carry on, so that a client can follow them.

use std::fmt::Write as _;

use super::credentials::SignedParameters;
use super::signature::{Signed, encode};

/// The part of a query string that the URLs in a response need.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    query: String,
    /// The names of the parameters in `query` that replace those of a URL.
    pinned: Vec<String>,
}

/// Secrets must not get into logs.
impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Carried {
    /// The secret of a key.
    pub(super) fn secret(secret: &str) -> Self {
        Self { query: format!("key={}", encode(secret)), pinned: Vec::new() }
    }

    /// A verified signature.
    pub(super) fn signature(signed: &Signed, sent: &SignedParameters) -> Self {
        let SignedParameters { key, expires, prefix, pinned: names, sig } = sent;
        let mut query = String::new();
        for (name, value) in &signed.pinned {
            let _ = write!(query, "{}={}&", encode(name), encode(value));
        }
        let _ = write!(query, "key={}&expires={}&prefix={}&", encode(key), encode(expires), encode(prefix));
        if !names.is_empty() {
            let _ = write!(query, "pinned={}&", encode(names));
        }
        let _ = write!(query, "sig={}", encode(sig));
        Self { query, pinned: signed.pinned.iter().map(|(name, _)| name.clone()).collect() }
    }

    /// Adds the credentials to a URL.
    pub(crate) fn add_to(&self, url: &str) -> String {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let is_kept = |pair: &&str| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            !pair.is_empty() && self.pinned.iter().all(|pinned| pinned != name)
        };
        let pairs: Vec<&str> = query.split('&').filter(is_kept).chain([self.query.as_str()]).collect();
        format!("{path}?{}", pairs.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_follow_the_other_parameters() {
        let carried = Carried::secret("a+b");
        assert_eq!(carried.add_to("/a/{z}/{x}/{y}.png?v=1"), "/a/{z}/{x}/{y}.png?v=1&key=a%2Bb");
        assert_eq!(carried.add_to("/a"), "/a?key=a%2Bb");
        assert_eq!(format!("{carried:?}"), "…");
    }

    #[test]
    fn pinned_parameters_keep_the_text_that_was_signed() {
        let pinned = vec![("radius".to_owned(), "12.0".to_owned())];
        let signed = Signed { key: "a".into(), prefix: "/a".into(), expires_s: 7, pinned };
        let sent = SignedParameters {
            key: "a".into(),
            expires: "7".into(),
            prefix: "/a".into(),
            pinned: "radius".into(),
            sig: "x".into(),
        };
        let url = Carried::signature(&signed, &sent).add_to("/a?radius=12&v=1");
        assert_eq!(url, "/a?v=1&radius=12.0&key=a&expires=7&prefix=/a&pinned=radius&sig=x");
    }
}
