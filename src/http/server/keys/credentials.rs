//! The credentials of a request in its query string.

use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri};
use percent_encoding::percent_decode_str;

/// The parameters of credentials. They are removed from the query string before it is logged, parsed and used as a key of
/// caches. No other parameter of the API has one of these names.
pub(crate) const NAMES: [&str; 5] = ["key", "expires", "prefix", "pinned", "sig"];

/// The credentials of a request in its query string, a request extension.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// `key=SECRET`.
    Secret(String),
    /// `key=NAME&expires=TIME&prefix=PATH&sig=SIGNATURE`.
    Signature(Box<SignedParameters>),
    /// A parameter is missing or repeated, for this reason.
    Invalid(&'static str),
}

/// The parameters of a signed URL, as they were sent.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedParameters {
    pub(super) key: String,
    pub(super) expires: String,
    pub(super) prefix: String,
    /// The names of the parameters that the signature covers, separated by commas.
    pub(super) pinned: String,
    pub(super) sig: String,
}

/// Secrets must not get into logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Moves the credentials of a request from its query string into an extension.
pub(crate) fn take_credentials<B>(request: &mut Request<B>) {
    let Some(query) = request.uri().query() else { return };
    // Nearly all requests of a server without keys.
    if !query.contains("key") && !query.contains("sig") {
        return;
    }
    let name_of = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).to_owned();
    let is_sent = |name: &str| query.split('&').any(|pair| name_of(pair) == name);
    if !is_sent("key") && !is_sent("sig") {
        return;
    }
    let is_signed = is_sent("sig");
    let is_credential =
        |pair: &&str| if is_signed { NAMES.contains(&name_of(pair).as_str()) } else { name_of(pair) == "key" };
    let (taken, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(is_credential);
    let credentials = read(&taken, is_signed);
    let rest = rest.join("&");
    set_query(request, &rest);
    request.extensions_mut().insert(credentials);
}

fn read(pairs: &[&str], is_signed: bool) -> Credentials {
    let value = |name: &str| {
        let mut values = pairs.iter().filter_map(|pair| pair.split_once('=').filter(|(sent, _)| *sent == name));
        let value = values.next().map(|(_, value)| decode(value)).unwrap_or_default();
        if values.next().is_some() { None } else { Some(value) }
    };
    let [Some(key), Some(expires), Some(prefix), Some(pinned), Some(sig)] = NAMES.map(value) else {
        return Credentials::Invalid("a parameter of the key is repeated");
    };
    if key.is_empty() {
        return Credentials::Invalid("the parameter key is missing or empty");
    }
    if is_signed {
        Credentials::Signature(Box::new(SignedParameters { key, expires, prefix, pinned, sig }))
    } else {
        Credentials::Secret(key)
    }
}

/// Decodes a value of a query string.
pub(super) fn decode(value: &str) -> String {
    percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Replaces the query string.
fn set_query<B>(request: &mut Request<B>, query: &str) {
    let path = request.uri().path();
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut parts = request.uri().clone().into_parts();
    // A part of a valid URI is valid.
    if let Ok(path_and_query) = PathAndQuery::try_from(text) {
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn taken(uri: &str) -> (String, Option<Credentials>) {
        let mut request = Request::builder().uri(uri).body(()).unwrap();
        take_credentials(&mut request);
        (request.uri().to_string(), request.extensions().get().cloned())
    }

    #[test]
    fn credentials_are_removed_from_the_query_string() {
        for (uri, rest, is_found) in [
            ("/a", "/a", false),
            ("/a?radius=5", "/a?radius=5", false),
            ("/a?monkey=1&sigma=2", "/a?monkey=1&sigma=2", false),
            ("/a?key=s%2Bx", "/a", true),
            ("/a?radius=5&key=s%2Bx&scheme=fire", "/a?radius=5&scheme=fire", true),
            ("/a?key=s%2Bx&prefix=b", "/a?prefix=b", true),
            ("http://host/a?b=1&key=s%2Bx", "http://host/a?b=1", true),
        ] {
            let secret = is_found.then(|| Credentials::Secret("s+x".into()));
            assert_eq!(taken(uri), (rest.to_owned(), secret), "{uri}");
        }
        let (rest, signed) = taken("/a?key=n&radius=5&sig=x&expires=7&prefix=%2Fa");
        assert_eq!(rest, "/a?radius=5");
        let Some(Credentials::Signature(signed)) = signed else { unreachable!("{signed:?}") };
        assert_eq!((&*signed.key, &*signed.expires, &*signed.prefix, &*signed.sig), ("n", "7", "/a", "x"));
        for invalid in ["/a?key=1&key=2", "/a?key=", "/a?key", "/a?sig=x", "/a?key=n&sig=x&sig=y"] {
            let (rest, found) = taken(invalid);
            assert!(rest == "/a" && matches!(found, Some(Credentials::Invalid(_))), "{invalid}");
        }
    }
}
