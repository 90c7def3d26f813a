//! Signed URLs: the access of a key to a part of the paths, until a time.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac::{HMAC_SHA256, Key, sign, verify};

use super::credentials::{NAMES, SignedParameters};
use crate::http::server::request_uri::CACHE_BUSTERS;
use crate::layer_name;

/// What a signed URL allows: to read what a key may read, below a path, until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The name of the key.
    pub key: String,
    /// The path, such as `/trips`, with everything below it.
    pub prefix: String,
    /// The time from which the URL is invalid, in Unix seconds.
    pub expires_s: u64,
    /// Parameters that the URL must have with these values, such as those of a style.
    pub pinned: Vec<(String, String)>,
}

/// Why a URL cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningError {
    /// The name of the key is invalid.
    Key,
    /// The path does not start with `/`, or is longer than a path of the server.
    Prefix,
    /// The name of a pinned parameter is invalid, or repeated.
    Pinned,
    /// The server removes a pinned parameter from requests, so that no URL with it would be valid.
    Removed,
}

impl SigningError {
    /// The reason, and what is accepted.
    pub fn message(self) -> &'static str {
        match self {
            Self::Key => "the key is not a name; expected letters A-Z, a-z, digits, _ or -",
            Self::Prefix => "the path is invalid; expected one such as /trips, without a query",
            Self::Pinned => "a pinned parameter is invalid; expected each name once, with letters, digits, _ or - only",
            Self::Removed => {
                "a pinned parameter is one that the server removes from requests: key, expires, prefix, pinned, sig, or a \
                 cache buster such as t, ts, cb or _; expected a parameter such as scheme"
            }
        }
    }
}

/// The characters of a value that are not escaped.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b',');

/// Percent-encodes a value of a query string.
pub(super) fn encode(value: &str) -> String {
    utf8_percent_encode(value, PLAIN).to_string()
}

impl Signed {
    const MAX_PREFIX_BYTES: usize = 512;
    const MAX_PINNED: usize = 64;

    /// The query string of the signed URL.
    ///
    /// # Errors
    /// If the key, the path or the parameters are invalid.
    pub fn query(&self, secret: &str) -> Result<String, SigningError> {
        self.check()?;
        let sig = URL_SAFE_NO_PAD.encode(sign(&key_of(secret, &self.key), self.text().as_bytes()));
        let mut query = String::new();
        for (name, value) in &self.pinned {
            let _ = write!(query, "{}={}&", encode(name), encode(value));
        }
        let _ = write!(query, "key={}&expires={}&prefix={}&", self.key, self.expires_s, encode(&self.prefix));
        if !self.pinned.is_empty() {
            let _ = write!(query, "pinned={}&", encode(&self.names()));
        }
        Ok(query + "sig=" + &sig)
    }

    fn check(&self) -> Result<(), SigningError> {
        if !layer_name::is_valid(&self.key) {
            return Err(SigningError::Key);
        }
        let is_path = self.prefix.starts_with('/') && !self.prefix.contains(['?', '#', '\n', '\r', '%']);
        if !is_path || self.prefix.len() > Self::MAX_PREFIX_BYTES {
            return Err(SigningError::Prefix);
        }
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let is_first = |at: usize| self.pinned[..at].iter().all(|(other, _)| *other != self.pinned[at].0);
        let are_valid = self.pinned.iter().enumerate().all(|(at, (name, _))| is_name(name) && is_first(at));
        if !are_valid || self.pinned.len() > Self::MAX_PINNED {
            return Err(SigningError::Pinned);
        }
        let is_removed = |name: &str| NAMES.contains(&name) || CACHE_BUSTERS.contains(&name);
        if self.pinned.iter().any(|(name, _)| is_removed(name)) {
            return Err(SigningError::Removed);
        }
        Ok(())
    }

    /// The names of the pinned parameters.
    fn names(&self) -> String {
        self.pinned.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
    }

    /// The text that is signed. Its parts are escaped, so that different URLs have different texts.
    fn text(&self) -> String {
        let Self { prefix, expires_s, pinned, .. } = self;
        let mut text = format!("kiln-url-1\n{}\n{expires_s}", encode(prefix));
        for (name, value) in pinned {
            let _ = write!(text, "\n{}={}", encode(name), encode(value));
        }
        text
    }

    /// Verifies the signature of a request whose query string is `query`, without the credentials. `None` if it is invalid.
    pub(super) fn verified(sent: &SignedParameters, query: &str, secret: &str) -> Option<Self> {
        let names = sent.pinned.split(',').filter(|name| !name.is_empty());
        let pinned = names.map(|name| Some((name.to_owned(), only_value(query, name)?))).collect::<Option<Vec<_>>>()?;
        let signed =
            Self { key: sent.key.clone(), prefix: sent.prefix.clone(), expires_s: sent.expires.parse().ok()?, pinned };
        signed.check().ok()?;
        let sig = URL_SAFE_NO_PAD.decode(&sent.sig).ok()?;
        // In constant time.
        verify_with(secret, &signed, &sig).then_some(signed)
    }

    /// Whether `path` is the prefix, or below it.
    pub(super) fn covers(&self, path: &str) -> bool {
        let prefix = self.prefix.trim_end_matches('/');
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn verify_with(secret: &str, signed: &Signed, sig: &[u8]) -> bool {
    verify(&key_of(secret, &signed.key), signed.text().as_bytes(), sig).is_ok()
}

/// The key of signatures, which differs for each name: the signatures of one are of no use for another.
fn key_of(secret: &str, name: &str) -> Key {
    let derived = sign(&Key::new(HMAC_SHA256, secret.as_bytes()), format!("kiln-key-1\n{name}").as_bytes());
    Key::new(HMAC_SHA256, derived.as_ref())
}

/// The value of the parameter `name`, if it is given once.
fn only_value(query: &str, name: &str) -> Option<String> {
    let mut values = query.split('&').filter_map(|pair| {
        let (sent, value) = pair.split_once('=').unwrap_or((pair, ""));
        (super::credentials::decode(sent) == name).then(|| super::credentials::decode(value))
    });
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::Request;

    use super::super::credentials::{Credentials, take_credentials};
    use super::*;

    const SECRET: &str = "a-long-secret";

    fn signed() -> Signed {
        let pinned = vec![("scheme".to_owned(), "fire".to_owned()), ("title".to_owned(), "a & b=c/ü".to_owned())];
        Signed { key: "tenant-a".into(), prefix: "/trips".into(), expires_s: 1_900_000_000, pinned }
    }

    /// The verified content of a query string.
    fn verified(query: &str) -> Option<Signed> {
        let mut request = Request::builder().uri(format!("/trips/1/0/0.png?{query}")).body(()).unwrap();
        take_credentials(&mut request);
        let Some(Credentials::Signature(sent)) = request.extensions().get() else { return None };
        Signed::verified(sent, request.uri().query().unwrap_or_default(), SECRET)
    }

    #[test]
    fn a_signed_query_is_verified_with_other_parameters() {
        let query = signed().query(SECRET).unwrap();
        assert_eq!(verified(&query), Some(signed()));
        assert_eq!(verified(&format!("radius=5&{query}&opacity=0.5")), Some(signed()));
        let plain = Signed { pinned: Vec::new(), ..signed() };
        assert_eq!(verified(&plain.query(SECRET).unwrap()), Some(plain));
    }

    #[test]
    fn every_change_of_a_signed_query_is_rejected() {
        let query = signed().query(SECRET).unwrap();
        for (from, to) in [
            ("key=tenant-a", "key=tenant-b"),
            ("expires=1900000000", "expires=1900000001"),
            ("prefix=/trips", "prefix=/"),
            ("prefix=/trips", "prefix=/trip"),
            ("scheme=fire", "scheme=ice"),
            ("scheme=fire", "scheme=fire&scheme=ice"),
            ("scheme=fire&", ""),
            ("pinned=scheme,title&", ""),
            ("pinned=scheme,title", "pinned=title"),
            ("pinned=scheme,title", "pinned=title,scheme"),
            ("sig=", "sig=A"),
        ] {
            assert!(query.contains(from), "{from} in {query}");
            assert_eq!(verified(&query.replacen(from, to, 1)), None, "{from} to {to}");
        }
        assert_eq!(verified(&signed().query("another-secret").unwrap()), None);
    }

    #[test]
    fn a_prefix_covers_whole_segments() {
        let covers = |prefix: &str, path: &str| Signed { prefix: prefix.into(), ..signed() }.covers(path);
        for path in ["/trips", "/trips/", "/trips/1/0/0.png"] {
            assert!(covers("/trips", path) && covers("/trips/", path) && covers("/", path), "{path}");
        }
        for path in ["/trips2", "/", "/trip", "/queries"] {
            assert!(!covers("/trips", path) && !covers("/trips/", path), "{path}");
        }
    }

    #[test]
    fn invalid_urls_are_not_signed() {
        let error = |signed: Signed| signed.query(SECRET).unwrap_err();
        assert_eq!(error(Signed { key: "a b".into(), ..signed() }), SigningError::Key);
        for prefix in ["", "trips", "/a?b", "/a#b", "/a\nb", "/%61"] {
            assert_eq!(error(Signed { prefix: prefix.into(), ..signed() }), SigningError::Prefix, "{prefix}");
        }
        for names in [&["a,b"][..], &[""], &["a", "a"], &["a b"]] {
            let pinned = names.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
            assert_eq!(error(Signed { pinned, ..signed() }), SigningError::Pinned, "{names:?}");
        }
        for name in NAMES.iter().chain(&CACHE_BUSTERS) {
            let pinned = vec![("scheme".to_owned(), "fire".to_owned()), ((*name).to_owned(), "1".to_owned())];
            assert_eq!(error(Signed { pinned, ..signed() }), SigningError::Removed, "{name}");
        }
    }
}
