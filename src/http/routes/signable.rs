//! The paths and the parameters that a signed URL can have.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::openapi::document;
use crate::config::check_layer_name;
use crate::error::Result;
use crate::http::server::Signed;
use crate::layer::{FilterOptions, StyleOptions};
use crate::parameters::ParameterSet;

/// The paths of GET requests, and the names of their parameters in the query string.
struct Readable {
    paths: Vec<Vec<String>>,
    parameters: BTreeSet<String>,
}

/// Checks that there are requests which the URL allows; `check_scheme` checks the name of a color scheme.
///
/// # Errors
/// If no path of GET requests is below the prefix, or a pinned parameter is unknown or invalid: the URL would allow nothing.
pub fn check_signable(
    signed: &Signed,
    check_scheme: impl Fn(&str) -> std::result::Result<(), String>,
) -> std::result::Result<(), String> {
    let readable = readable();
    if !is_route(&signed.prefix, readable) {
        return Err(format!(
            "no GET request has a path at or below {}; expected / or a path such as /trips, /trips/statistics or /catalog",
            signed.prefix
        ));
    }
    let invalid = |name: &str, why: String| format!("the pinned parameter `{name}` is invalid: {why}");
    let (mut style, mut filter) = (StyleOptions::default(), FilterOptions::default());
    for (name, value) in &signed.pinned {
        let set: Result<bool> = match style.set(name, value) {
            Ok(false) => filter.set(name, value),
            other => other,
        };
        let is_set = set.map_err(|error| invalid(name, error.to_string()))?;
        if !is_set && !readable.parameters.contains(name) {
            return Err(format!("the pinned parameter `{name}` is unknown; GET requests have no such parameter"));
        }
        if name == "scheme" {
            check_scheme(value).map_err(|why| invalid(name, why))?;
        }
    }
    Ok(())
}

fn readable() -> &'static Readable {
    static READABLE: OnceLock<Readable> = OnceLock::new();
    READABLE.get_or_init(|| {
        let document = document();
        let operations = || {
            let paths = document["paths"].as_object().into_iter().flatten();
            paths.filter_map(|(path, operations)| Some((path, operations.get("get")?)))
        };
        let resolved = |parameter: &Value| match parameter["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
            Some(pointer) => document.pointer(pointer).cloned().unwrap_or_default(),
            None => parameter.clone(),
        };
        let parameters =
            operations().flat_map(|(_, operation)| operation["parameters"].as_array().into_iter().flatten());
        let in_query = parameters.map(resolved).filter(|parameter| parameter["in"] == "query");
        let parameters = in_query.filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned())).collect();
        let segments = |path: &str| path.split('/').skip(1).map(str::to_owned).collect();
        Readable { paths: operations().map(|(path, _)| segments(path)).collect(), parameters }
    })
}

/// Whether the prefix is a path of GET requests, or above one.
fn is_route(prefix: &str, readable: &Readable) -> bool {
    let path = prefix.trim_end_matches('/');
    let sent: Vec<&str> = path.split('/').skip(1).collect();
    readable.paths.iter().any(|segments| {
        sent.len() <= segments.len() && sent.iter().zip(segments).all(|(sent, segment)| is_segment(sent, segment))
    })
}

/// Whether a segment of a path is one of a route.
fn is_segment(sent: &str, segment: &str) -> bool {
    match segment {
        "{layer}" => check_layer_name(sent).is_ok(),
        "{z}" | "{x}" => !sent.is_empty() && sent.bytes().all(|byte| byte.is_ascii_digit()),
        _ => match segment.split_once('{') {
            Some(_) => !sent.is_empty(),
            None => sent == segment,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prefix: &str, pinned: &[(&str, &str)]) -> std::result::Result<(), String> {
        let pinned = pinned.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let signed = Signed { key: "a".into(), prefix: prefix.into(), expires_s: 1, pinned };
        check_signable(&signed, |name| if name == "fire" { Ok(()) } else { Err("unknown".into()) })
    }

    #[test]
    fn prefixes_are_paths_of_get_requests() {
        for prefix in ["/", "/trips", "/trips/", "/trips/statistics", "/trips/3", "/trips/3/1/2.png", "/catalog"] {
            assert_eq!(check(prefix, &[]), Ok(()), "{prefix}");
        }
        for prefix in ["/trips/tiles", "/trips/3/a", "/trips/statistics/1", "/queries", "/a b", "/tr%69ps/x"] {
            assert!(check(prefix, &[]).is_err_and(|why| why.contains("no GET request")), "{prefix}");
        }
    }

    #[test]
    fn pinned_parameters_are_known_and_valid() {
        let pins = [("scheme", "fire"), ("radius", "12.0"), ("category", "a"), ("hours", "7-9"), ("zoom", "3")];
        assert_eq!(check("/trips", &pins), Ok(()));
        for pin in [("scheme", "fires"), ("radius", "far"), ("hours", "noon"), ("shceme", "fire"), ("key", "a")] {
            assert!(check("/trips", &[pin]).is_err_and(|why| why.contains(pin.0)), "{pin:?}");
        }
    }
}
