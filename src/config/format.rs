//! The `format` keywords of the schema: validation of strings, such as URLs and addresses.

use super::key::read_hash;
use super::layer::check_name;
use super::sections::read_listen;
use super::token::Token;
use super::{Length, Period, ProxyRange};
use crate::geo::Bounds;
use crate::layer::Size;
use crate::layer_name;
use crate::source::parse_time_us;

/// A `format` of the schema: its name, the accepted values as the end of a sentence, and whether a text is valid. The
/// items of a list are passed as lines.
pub(super) type Format = (&'static str, &'static str, fn(&str) -> bool);

/// The formats, except those of numbers.
pub(super) const FORMATS: [Format; 29] = [
    ("address", "an address and port such as 127.0.0.1:3000 or [::1]:3000, or a port such as 3000", |text| {
        read_listen(text).is_some()
    }),
    ("url", "a URL such as https://maps.example.org/heat, without a user", |text| after_scheme(text).is_some()),
    ("tile-url", "a URL of tiles such as https://tiles.example.org/{z}/{x}/{y}.png, without a user", is_tile_url),
    ("origins", r#"a list of origins such as ["https://example.org"], or ["*"] for all"#, |text| {
        text == "*" || text.lines().all(is_origin)
    }),
    ("hosts", r#"a list of host names such as ["maps.example.org", "*.example.org"], or ["*"] for all"#, |text| {
        text.lines().all(is_host_pattern)
    }),
    ("proxies", r#"a list of IP addresses, ranges such as "10.0.0.0/8", "loopback" and "private""#, |text| {
        text.lines().all(|line| line.parse::<ProxyRange>().is_ok())
    }),
    ("cache-control", "a Cache-Control header such as public, max-age=60", is_header_value),
    (
        "url-prefixes",
        r#"a list of URLs such as ["https://img.example.org/photos/"], without user, query and fragment"#,
        |text| text.lines().all(|line| after_scheme(line).is_some_and(|rest| !rest.contains(['@', '*', ',']))),
    ),
    ("token", "a token of 1 to 512 letters, digits and punctuation marks, without spaces", |text| {
        Token::new(text).is_some()
    }),
    ("signing-secret", "a secret of 16 to 512 letters, digits and punctuation marks, without spaces", |text| {
        Token::new(text).is_some_and(|secret| secret.reveal().len() >= MIN_SECRET_BYTES)
    }),
    ("key-hash", "a hash that `kiln key new` prints, sha256: and 64 hexadecimal digits", |text| {
        read_hash(text).is_some()
    }),
    ("database-url", "the URL of a database such as postgres://user@host/name", |_| true),
    ("folder", "the path of a folder", |_| true),
    ("store", "the path of a folder, or the URL of a bucket such as s3://bucket/maps, without a user", is_store),
    ("bucket-url", "the URL of a bucket such as s3://bucket/maps, without a user", is_bucket_url),
    ("folders", "a list of folders", |_| true),
    ("input", r#"a file with points such as "a.csv", or a list of them"#, |_| true),
    ("layer", "the name of a layer", |text| check_name(text).is_ok()),
    ("name", "a name of 1 to 64 letters A-Z, a-z, digits, _ or -", layer_name::is_valid),
    ("bounds", "west, south, east, north in degrees, such as [5.9, 45.8, 10.5, 47.8]", |text| {
        text.replace('\n', ",").parse::<Bounds>().is_ok()
    }),
    ("geojson-file", "the path of a GeoJSON file", |_| true),
    ("pem-file", "the path of a PEM file", |_| true),
    ("image", "the path of a PNG, JPEG or WebP image", |_| true),
    ("plane-bounds", "west, south, east, north in meters, such as [0, 0, 40, 24]", |text| text.lines().count() == 4),
    ("places", r#"a list of tables such as { name = "bern", bounds = [7.3, 46.9, 7.6, 47.0] }"#, |_| true),
    ("pixels", "a size such as \"800x600\" or 1024, the longer side", |text| text.parse::<Size>().is_ok()),
    ("length", "a length such as 100m, 2.5km or 50cm", |text| text.parse::<Length>().is_ok()),
    ("period", "a time such as 1h or 7d, or all", |text| text.parse::<Period>().is_ok()),
    ("time", "a time such as \"2024-05-01\" or \"2024-05-01T12:00:00Z\"", |text| parse_time_us(text).is_some()),
];

/// The minimum length of the secret of signed URLs: a client can test guesses against a signed URL without requests.
const MIN_SECRET_BYTES: usize = 16;

/// Returns the part of a URL after `http://` or `https://`. A user or a password, which every client of the server
/// would read, is not valid.
fn after_scheme(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_plain = rest.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '?' | '#'));
    let has_user = rest.split('/').next().is_some_and(|authority| authority.contains('@'));
    (is_plain && !has_user && !rest.is_empty() && !rest.starts_with(['/', ':'])).then_some(rest)
}

/// Whether `text` is the URL of a bucket.
fn is_bucket_url(text: &str) -> bool {
    text.contains("://") && is_store(text)
}

/// Whether `text` is the path of a folder, or a URL without a user and a query, whose scheme is checked when it is opened.
fn is_store(text: &str) -> bool {
    text.split_once("://").is_none_or(|(scheme, rest)| {
        !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !rest.is_empty()
            && !rest.contains(['@', '?', '#'])
    })
}

/// Whether `text` is a URL, or a path on this server, with the placeholders of a tile.
fn is_tile_url(text: &str) -> bool {
    let path = after_scheme(text.split(['?', '#']).next().unwrap_or_default());
    let is_path = text.starts_with('/') && !text.starts_with("//");
    let is_plain = text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | ';' | ','));
    (path.is_some() || is_path) && is_plain && ["{z}", "{x}", "{y}"].iter().all(|part| text.contains(part))
}

/// Whether `text` is an origin as browsers send it: a scheme, a host and optionally a port.
fn is_origin(text: &str) -> bool {
    after_scheme(text).is_some_and(|rest| !rest.contains(['/', '@', '*', ',', ';']))
}

/// Whether `text` is a host name without a port, optionally after `*.`, or `*` alone.
fn is_host_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    text == "*" || name.len() <= 253 && name.split('.').all(is_label)
}

fn is_header_value(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic() || c == ' ') && text.trim() == text
}
