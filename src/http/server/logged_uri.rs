//! URIs in the log.

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use super::masked_uri::masked;
use crate::config::Token;

/// The names of parameters whose values are not logged. The API has none of them, except those of keys, which are removed
/// before: clients send their secrets in them by mistake.
const SECRETS: [&str; 9] =
    ["access_token", "api_key", "apikey", "authorization", "key", "password", "secret", "sig", "token"];

/// The URI as it is logged: without the values of parameters that may be secrets, and without what looks like a secret elsewhere.
pub(super) fn logged(uri: &Uri, token: Option<&Token>) -> String {
    masked(&without_secrets(uri), token).into_owned()
}

/// The URI without the values of parameters that may be secrets or have some: a URL, such as that of a webhook.
fn without_secrets(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.to_string() };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if is_secret(name) || is_url(value) => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    let masked = query.split('&').map(mask).collect::<Vec<_>>().join("&");
    if masked == query {
        return uri.to_string();
    }
    let text = uri.to_string();
    let path = text.split_once('?').map_or(text.as_str(), |(path, _)| path);
    format!("{path}?{masked}")
}

fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
    SECRETS.contains(&name.replace('-', "_").as_str())
}

fn is_url(value: &str) -> bool {
    percent_decode_str(value).decode_utf8_lossy().contains("://")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_secrets_are_masked() {
        let logged = |uri: &str| logged(&uri.parse().unwrap(), None);
        for name in SECRETS {
            assert_eq!(logged(&format!("/a/b?{name}=s3cret&radius=5")), format!("/a/b?{name}=***&radius=5"));
            let upper = name.to_uppercase();
            assert_eq!(logged(&format!("/?radius=5&{upper}=a=b")), format!("/?radius=5&{upper}=***"));
        }
        for name in ["%74oken", "to%6Ben", "api%5Fkey", "api-key", "Access%2DToken"] {
            assert_eq!(logged(&format!("/a?{name}=s3cret")), format!("/a?{name}=***"));
        }
        for url in ["https://a.example/s3cret", "https%3A%2F%2Fa.example%2F?x=1", "HTTPS:%2f/a.example"] {
            assert_eq!(logged(&format!("/masks?webhook={url}&radius=5")), "/masks?webhook=***&radius=5");
        }
        for uri in ["/a", "/a?background=white", "/a?token", "/a?tokens=3&radius=5", "/token=5?x=1"] {
            assert_eq!(logged(uri), uri);
        }
    }
}
