//! URLs that the configuration allows.

use std::net::IpAddr;

use axum::http::Uri;
use percent_encoding::percent_decode_str;

/// A list of URLs, each of which allows everything below its path.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedUrls(Vec<OutboundUrl>);

/// A URL in the parts that requests and comparisons need. The parser that compares it is the one whose result is requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutboundUrl {
    pub(super) is_https: bool,
    /// The host in lower case, without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
    /// The path with the query.
    pub(super) target: String,
    /// Whether the configuration names the address itself, so that it may be a private one.
    pub(super) is_address_allowed: bool,
}

impl AllowedUrls {
    /// The list of a configuration.
    ///
    /// # Errors
    /// What is wrong with the first URL that is none.
    pub(crate) fn new(urls: &[String]) -> Result<Self, String> {
        let read = |url: &String| match OutboundUrl::parse(url) {
            Ok(url) if url.target == url.path => Ok(url),
            Ok(_) => Err(format!("`{url}` has a query")),
            Err(why) => Err(format!("`{url}` {why}")),
        };
        urls.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether any of the URLs is requested by TLS.
    pub(crate) fn has_https(&self) -> bool {
        self.0.iter().any(|url| url.is_https)
    }

    /// The URL `text`, if the list allows it.
    ///
    /// # Errors
    /// Why it is not allowed, as the end of a sentence that begins with the URL.
    pub(crate) fn check(&self, text: &str) -> Result<OutboundUrl, String> {
        let url = OutboundUrl::parse(text)?;
        let allowed = self.0.iter().find(|allowed| allowed.covers(&url)).ok_or("is not below an allowed URL")?;
        Ok(OutboundUrl { is_address_allowed: allowed.address().is_some(), ..url })
    }
}

/// The scheme and the host of a URL, for the log: its path and its query may contain secrets.
pub(crate) fn origin(url: &str) -> String {
    match OutboundUrl::parse(url) {
        Ok(url) => format!("{}://{}", if url.is_https { "https" } else { "http" }, url.host_header()),
        Err(_) => "an invalid URL".to_owned(),
    }
}

impl OutboundUrl {
    fn parse(text: &str) -> Result<Self, String> {
        const MAX_BYTES: usize = 2048;
        if text.len() > MAX_BYTES {
            return Err(format!("is longer than {MAX_BYTES} bytes"));
        }
        let uri: Uri = text.parse().map_err(|_| "is not a URL")?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("is neither an http:// nor an https:// URL".into()),
        };
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("has a user, which is not allowed".into());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err("has no host".into());
        }
        let port = match (authority.port(), authority.port_u16()) {
            (None, _) if authority.as_str().ends_with(':') => return Err("has an empty port".into()),
            (None, _) => {
                if is_https {
                    443
                } else {
                    80
                }
            }
            (Some(_), Some(port)) if port > 0 => port,
            _ => return Err("has an invalid port".into()),
        };
        let path = uri.path().to_owned();
        if !is_plain(&path) {
            return Err("has a path with `.`, `..`, a backslash or an encoded slash".into());
        }
        let target = uri.path_and_query().map_or_else(|| path.clone(), ToString::to_string);
        Ok(Self { is_https, host, port, path, target, is_address_allowed: false })
    }

    /// The address, if the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The value of the header `Host`.
    pub(super) fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let is_default = self.port == if self.is_https { 443 } else { 80 };
        if is_default { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether `url` is this one or below its path.
    fn covers(&self, url: &Self) -> bool {
        let is_same_host = match (self.address(), url.address()) {
            (Some(own), Some(other)) => own == other,
            (None, None) => self.host == url.host,
            _ => false,
        };
        let is_below = url.path.strip_prefix(&self.path);
        // `/photos` covers `/photos/a.png`, and not `/photos-of-others/a.png`.
        let is_below =
            is_below.is_some_and(|rest| self.path.ends_with('/') || rest.is_empty() || rest.starts_with('/'));
        is_same_host && is_below && (self.is_https, self.port) == (url.is_https, url.port)
    }
}

/// Whether no server may read the path as one with fewer or other segments.
fn is_plain(path: &str) -> bool {
    let is_plain = |segment: &str| {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        !matches!(&decoded[..], b"." | b"..") && !decoded.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0..0x20))
    };
    path.split('/').all(is_plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn allowed(urls: &[&str]) -> AllowedUrls {
        AllowedUrls::new(&urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_is_below_an_allowed_url_is_allowed() {
        let list = allowed(&["https://a.example/photos/", "http://b.example:8080", "https://c.example/one.png"]);
        for (url, host, target) in [
            ("https://a.example/photos/x.png", "a.example", "/photos/x.png"),
            ("https://A.EXAMPLE:443/photos/x.png?w=1#top", "a.example", "/photos/x.png?w=1"),
            ("http://b.example:8080/any/path", "b.example:8080", "/any/path"),
            ("https://c.example/one.png", "c.example", "/one.png"),
        ] {
            let url = list.check(url).unwrap();
            assert_eq!((url.host_header().as_str(), url.target.as_str()), (host, target));
            assert!(!url.is_address_allowed);
        }
    }

    #[test]
    fn everything_else_is_rejected() {
        let list = allowed(&["https://a.example/photos/", "http://b.example:8080", "https://c.example/one"]);
        for url in [
            "https://a.example.evil/photos/x.png",
            "https://a.example@evil.example/photos/x.png",
            "https://user:a.example@a.example/photos/x.png",
            "https://a.example:8443/photos/x.png",
            "https://a.example:/photos/x.png",
            "https://a.example:0/photos/x.png",
            "https://a.example./photos/x.png",
            "http://a.example/photos/x.png",
            "https://a.example/photos",
            "https://a.example/photos/../secret",
            "https://a.example/photos/%2e%2E/secret",
            "https://a.example/photos/..%2fsecret",
            "https://a.example/photos/..\\secret",
            "https://a.example/photos/%5c..%5csecret",
            "https://evil.example/https://a.example/photos/x.png",
            "https://evil.example\\@a.example/photos/x.png",
            "https://evil.example#@a.example/photos/x.png",
            "https://c.example/one-more",
            "http://b.example/x",
            "ftp://a.example/photos/x.png",
            "file:///etc/passwd",
            "//a.example/photos/x.png",
            "a.example/photos/x.png",
            "https:///photos/x.png",
            "",
            "https://a.example/photos/ x",
        ] {
            assert!(list.check(url).is_err(), "{url}");
        }
        assert!(allowed(&[]).check("https://a.example/photos/x.png").is_err());
    }

    #[test]
    fn an_address_is_allowed_where_it_is_named_itself() {
        let list = allowed(&["http://127.0.0.1:9000/", "http://[::1]:9000/", "http://localhost:9000/"]);
        let is_address_allowed = |url: &str| list.check(url).map(|url| url.is_address_allowed).ok();
        assert_eq!(is_address_allowed("http://127.0.0.1:9000/a"), Some(true));
        assert_eq!(is_address_allowed("http://[0:0::1]:9000/a"), Some(true));
        assert_eq!(is_address_allowed("http://localhost:9000/a"), Some(false));
        for url in
            ["http://127.1:9000/", "http://2130706433:9000/", "http://0x7f000001:9000/", "http://127.0.0.2:9000/"]
        {
            assert_eq!(is_address_allowed(url), None, "{url}");
        }
    }

    #[test]
    fn the_log_has_no_path_and_no_query_of_a_url() {
        for (url, expected) in [
            ("https://a.example/services/s3cret?token=s3cret#s3cret", "https://a.example"),
            ("http://[::1]:9000/s3cret", "http://[::1]:9000"),
            ("https://s3cret@a.example/", "an invalid URL"),
            ("s3cret", "an invalid URL"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }

    #[test]
    fn a_list_has_urls_alone() {
        for url in ["a.example", "ftp://a.example/", "https://a.example/?x=1", "https://u@a.example/"] {
            assert!(AllowedUrls::new(&[url.to_owned()]).unwrap_err().contains(url), "{url}");
        }
    }
}
