//! URLs of objects.

use std::fmt;
use std::str::FromStr;

use kiln_core::error::Error;
use kiln_core::parameter::Parameter;
use kiln_core::redact::without_password;
use url::Url;

/// The kind of a server of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// S3 of AWS, or a server with its protocol.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Azure,
    /// A web server.
    Web,
}

/// The URL of an object, a bucket, or a folder of objects: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`,
/// `abfss://container@account.dfs.core.windows.net/key`, or `https://host/path`.
///
/// A key of a bucket is not percent-encoded. [`Display`](fmt::Display) omits the user, password and query of a web address,
/// which may be a signature.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ObjectUrl {
    scheme: Scheme,
    /// The bucket or container, or the host of a web server.
    bucket: String,
    /// The account of Azure, if the URL has one.
    account: Option<String>,
    /// The key of the object, without a slash at its start.
    key: String,
    /// The whole address of a file of a web server.
    web: Option<Url>,
}

/// The schemes of buckets, with their kinds.
const SCHEMES: [(&str, Scheme); 10] = [
    ("s3", Scheme::S3),
    ("s3a", Scheme::S3),
    ("s3n", Scheme::S3),
    ("gs", Scheme::Gs),
    ("gcs", Scheme::Gs),
    ("az", Scheme::Azure),
    ("azure", Scheme::Azure),
    ("adl", Scheme::Azure),
    ("abfs", Scheme::Azure),
    ("abfss", Scheme::Azure),
];

/// The schemes of web servers, and unsupported ones that have an error of their own.
const OTHER_SCHEMES: [&str; 11] =
    ["http", "https", "file", "ftp", "ftps", "sftp", "hdfs", "wasb", "wasbs", "hf", "oss"];

const EXPECTED: &str = "expected s3://bucket/key, gs://bucket/key, az://container/key or https://host/path";

/// The name of an input in messages: a URL without its credentials and query. A misspelled URL counts as a path.
pub fn input_name(input: &str) -> String {
    let url = Some(input).filter(|input| ObjectUrl::is_url(input)).and_then(|input| input.parse::<ObjectUrl>().ok());
    url.map_or_else(|| without_password(input).into_owned(), |url| url.to_string())
}

impl ObjectUrl {
    /// Whether a text is a URL rather than the path of a file: it begins with `s3://`, `gs://`, `az://`, `https://` or another
    /// scheme of files, some of which are not supported.
    pub fn is_url(text: &str) -> bool {
        let Some((scheme, _)) = text.split_once("://") else { return false };
        let mut known = SCHEMES.iter().map(|(known, _)| *known).chain(OTHER_SCHEMES);
        known.any(|known| scheme.eq_ignore_ascii_case(known))
    }

    /// The kind of server.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket or container; the host of a web server.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The account of an Azure container, if the URL has one.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The key of the object or folder in its bucket, without a slash at its start; the path of a web address.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The text after the last slash of the key.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// The URL of another object of the bucket.
    #[must_use]
    pub fn with_key(&self, key: impl Into<String>) -> Self {
        let key = key.into();
        let mut web = self.web.clone();
        if let Some(web) = &mut web {
            web.set_path(&key);
            web.set_query(None);
        }
        Self { key, web, ..self.clone() }
    }

    /// The URL of an object in the folder with this URL; `name` has no slash at its start.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let folder = self.key.trim_end_matches('/');
        if folder.is_empty() { self.with_key(name) } else { self.with_key(format!("{folder}/{name}")) }
    }

    /// Whether the key has wildcards of a pattern: `*`, `?` or `[`. A web address has none.
    pub fn is_pattern(&self) -> bool {
        self.scheme != Scheme::Web && self.key.contains(['*', '?', '['])
    }

    /// The address of a file of a web server, with its query.
    pub(crate) fn web(&self) -> Option<&Url> {
        self.web.as_ref()
    }

    fn parse_web(text: &str) -> Result<Self, Error> {
        let invalid = |reason: &str| Error::invalid(Parameter::INPUT, format!("invalid URL: {reason}"));
        let mut url = Url::parse(text).map_err(|error| match error {
            url::ParseError::IdnaError => {
                invalid("the host has letters beyond ASCII; write it in its ASCII form, xn--…")
            }
            error => invalid(&error.to_string()),
        })?;
        url.set_fragment(None);
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err(invalid("the host is missing"));
        };
        let bucket = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let key = url.path().trim_start_matches('/').to_owned();
        Ok(Self { scheme: Scheme::Web, bucket, account: None, key, web: Some(url) })
    }
}

impl FromStr for ObjectUrl {
    type Err = Error;

    /// Parses a URL.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is invalid or of an unsupported scheme. The message does not repeat the text, which may contain
    /// a password.
    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |reason: String| Error::invalid(Parameter::INPUT, reason);
        let Some((name, rest)) = text.split_once("://").filter(|_| Self::is_url(text)) else {
            return Err(invalid(format!("not a URL; {EXPECTED}")));
        };
        let name = name.to_ascii_lowercase();
        if name == "http" || name == "https" {
            return Self::parse_web(text);
        }
        if name == "file" {
            return Err(invalid("write the path of a local file without file://".to_owned()));
        }
        let Some((_, scheme)) = SCHEMES.iter().find(|(known, _)| *known == name) else {
            return Err(invalid(format!("the scheme {name}:// is not supported; {EXPECTED}")));
        };
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let (bucket, account) = match authority.split_once('@') {
            None => (authority, None),
            Some((container, host)) if *scheme == Scheme::Azure && !container.contains(':') => {
                let account = host.split('.').next().unwrap_or_default();
                (container, Some(account.to_owned()).filter(|account| !account.is_empty()))
            }
            Some(_) => {
                let detail =
                    "credentials in the URL are not supported; set them in the environment, such as AWS_ACCESS_KEY_ID";
                return Err(invalid(detail.to_owned()));
            }
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-$".contains(c);
        if bucket.is_empty() || !bucket.chars().all(is_name) {
            return Err(invalid(format!("the bucket of the {name}:// URL is missing or invalid; {EXPECTED}")));
        }
        let key = key.trim_start_matches('/').to_owned();
        Ok(Self { scheme: *scheme, bucket: bucket.to_owned(), account, key, web: None })
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, bucket, account, key, web } = self;
        match (scheme, account) {
            (Scheme::S3, _) => write!(f, "s3://{bucket}/{key}"),
            (Scheme::Gs, _) => write!(f, "gs://{bucket}/{key}"),
            (Scheme::Azure, None) => write!(f, "az://{bucket}/{key}"),
            (Scheme::Azure, Some(account)) => write!(f, "abfss://{bucket}@{account}.dfs.core.windows.net/{key}"),
            (Scheme::Web, _) => write!(f, "{}://{bucket}/{key}", web.as_ref().map_or("https", |url| url.scheme())),
        }
    }
}

impl fmt::Debug for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ObjectUrl {
        text.parse().unwrap()
    }

    #[test]
    fn urls_of_buckets_have_a_bucket_and_a_raw_key() {
        for (text, scheme, bucket, key, printed) in [
            ("s3://maps/day=2026-11-28/a b%20c.csv", Scheme::S3, "maps", "day=2026-11-28/a b%20c.csv", None),
            ("S3A://maps/x", Scheme::S3, "maps", "x", Some("s3://maps/x")),
            ("s3://maps", Scheme::S3, "maps", "", Some("s3://maps/")),
            ("gs://maps/a*/b?.csv", Scheme::Gs, "maps", "a*/b?.csv", None),
            ("gcs://maps//a", Scheme::Gs, "maps", "a", Some("gs://maps/a")),
            ("azure://maps/a", Scheme::Azure, "maps", "a", Some("az://maps/a")),
            ("https://h:8443/a/b.csv", Scheme::Web, "h:8443", "a/b.csv", None),
            ("http://h/a%20b.csv#part", Scheme::Web, "h", "a%20b.csv", Some("http://h/a%20b.csv")),
        ] {
            let url = parse(text);
            assert_eq!((url.scheme(), url.bucket(), url.key()), (scheme, bucket, key), "{text}");
            assert_eq!(url.to_string(), printed.unwrap_or(text));
            assert_eq!(parse(&url.to_string()), url);
        }
        let url = parse("abfss://maps@ann.dfs.core.windows.net/a/b");
        assert_eq!((url.bucket(), url.account(), url.key()), ("maps", Some("ann"), "a/b"));
        assert!(parse("s3://a/b*").is_pattern() && !parse("https://a/b*").is_pattern());
        assert_eq!(parse("s3://a/b/").join("c.csv").to_string(), "s3://a/b/c.csv");
        assert_eq!(parse("s3://a").join("c.csv").to_string(), "s3://a/c.csv");
    }

    #[test]
    fn credentials_and_signatures_are_not_printed() {
        for text in [
            "https://ann:s3cret@h/a.csv",
            "https://h/a.csv?X-Amz-Signature=s3cret",
            "https://h/a.csv?sig=s3cret#s3cret",
            "https://s3cret@h/a.csv",
        ] {
            let url = parse(text);
            assert_eq!(format!("{url} {url:?}"), "https://h/a.csv https://h/a.csv");
        }
        for text in [
            "s3://key:s3cret@maps/a",
            "az://a:s3cret@maps/a",
            "ftp://ann:s3cret@h/a",
            "https://ann:s3cret@/a",
            "https://ann:s3cret@h:port/a",
            "s3://s3cret!/a",
            "s3:///s3cret",
            "file:///s3cret",
            "https://bücher.example/s3cret",
        ] {
            let error = text.parse::<ObjectUrl>().unwrap_err();
            assert!(error.is_usage() && !error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn paths_of_files_are_no_urls() {
        for text in ["a.csv", "./s3:/a", "C://a", "s3:/a", "a b://c", "data/s3://a", "pg://a", "-"] {
            assert!(!ObjectUrl::is_url(text), "{text}");
        }
        for text in ["s3://a", "HTTPS://a", "ftp://a", "abfss://a@b/c"] {
            assert!(ObjectUrl::is_url(text), "{text}");
        }
    }
}
