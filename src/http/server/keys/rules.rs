//! The right that each route needs.

use axum::http::Method;

use crate::config::Right;

/// What a request needs on a server with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing: the route has no data of layers, or its path is a secret of its own.
    Open,
    /// A right.
    Needs(Right),
    /// A right, and that to read: the response has data of layers.
    NeedsAndReads(Right),
}

/// The rule of a route, by its method and pattern. A route that is not listed here needs the right to read, and, if its
/// method can change something, the right to write.
pub(crate) fn rule(method: &Method, route: &str) -> Rule {
    let is_read = [Method::GET, Method::HEAD].contains(method);
    match route {
        // Pages without data, and files of theirs.
        "/" | "/assets/{name}" | "/docs" | "/docs/" | "/docs/{*page}" | "/favicon.ico" | "/health" | "/llms.txt"
        | "/openapi.json"
            if is_read =>
        {
            Rule::Open
        }
        // Pages of layers, which request the data with the key of the visitor: a link to a page has none.
        "/matrix/{layer}" | "/{layer}/surface" if is_read => Rule::Open,
        // Names of pictures and masks are random: only the client that created one knows its path.
        "/imgs/{filename}" | "/masks/{id}/click" => Rule::Open,
        "/masks" => Rule::Needs(Right::Queries),
        _ if route.starts_with("/masks/") => {
            if is_read {
                Rule::Open
            } else {
                Rule::Needs(Right::Queries)
            }
        }
        // The response has the number of points.
        "/queries" => Rule::NeedsAndReads(Right::Queries),
        // The router has `POST /sign` as a method of the second pattern.
        "/sign" => Rule::Needs(Right::Sign),
        "/{layer}" if *method == Method::POST => Rule::Needs(Right::Sign),
        "/_/metrics" => Rule::Needs(Right::Metrics),
        "/jobs" | "/jobs/{name}/run" => Rule::Needs(Right::Jobs),
        // These have their parameters in a body.
        "/matrix"
        | "/overlays"
        | "/v3/detections"
        | "/lib/heatmap.service.php"
        | "/twine.heatmap.php"
        | "/{layer}/bbox/{bounds}/{size}"
        | "/{layer}/grid"
        | "/{layer}/statistics"
        | "/{layer}/{z}/{x}/{y}"
            if *method == Method::POST =>
        {
            Rule::Needs(Right::Read)
        }
        _ if is_read => Rule::Needs(Right::Read),
        _ => Rule::Needs(Right::Write),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::http::routes::openapi::document;

    /// The patterns of the router differ from the paths of the document where a segment has more than a parameter.
    fn pattern(path: &str) -> String {
        let path = path.replace("{z}/{x}/{y}.png", "{z}/{x}/{y}").replace("point/{lon},{lat}", "point/{place}");
        path.replace("/masks/{id}.png", "/masks/{id}")
    }

    #[test]
    fn the_guide_lists_the_right_of_every_route() {
        let guide = include_str!("../../../../docs/keys.md");
        let document = document();
        let mut listed = 0;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                let method = method.to_uppercase();
                let right = match rule(&method.parse().unwrap(), &pattern(path)) {
                    Rule::Open => "–".to_owned(),
                    Rule::Needs(right) => format!("`{}`", right.name()),
                    Rule::NeedsAndReads(right) => format!("`{}`, `read`", right.name()),
                };
                let line = format!("| `{method} {path}` | {right} |");
                assert!(guide.contains(&line), "docs/keys.md lacks the line\n{line}");
                listed += 1;
            }
        }
        assert_eq!(
            guide.lines().filter(|line| line.starts_with("| `")).filter(|line| line.contains(" /")).count(),
            listed
        );
    }

    #[test]
    fn unknown_routes_need_a_right() {
        assert_eq!(rule(&Method::GET, "/new"), Rule::Needs(Right::Read));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(rule(&method, "/new"), Rule::Needs(Right::Write));
            assert_eq!(rule(&method, "/{layer}/points"), Rule::Needs(Right::Write));
        }
        assert_eq!(rule(&Method::PUT, "/{layer}/statistics"), Rule::Needs(Right::Write));
        assert_eq!(rule(&Method::POST, "/"), Rule::Needs(Right::Write));
    }
}
