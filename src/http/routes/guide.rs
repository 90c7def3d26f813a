//! The user guide as Markdown, and `GET /llms.txt`, its table of contents for language models.

use std::fmt::Write;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::server::etag::{etag, is_cached};
use crate::http::server::problem::{HttpResult, Problem};

/// The pages of the guide by path in `docs`.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/guide.rs"));

/// The page that lists the others.
const SUMMARY: &str = "SUMMARY.md";

/// The maximum length of a description, in characters.
const MAX_DESCRIPTION: usize = 300;

const INTRODUCTION: &str = "# Kiln\n\n\
    > A server, command line and library that turn weighted points into heat maps: PNG overlays, map tiles, GeoTIFFs, grids and \
    matrices. The cost of a picture depends on its pixels, not on the number of points.\n\n\
    - [OpenAPI document](openapi.json): all routes with their parameters and responses\n\
    - [Catalog](catalog): the layers of this server, with bounds, weights, times and categories, and the color schemes\n\
    - `GET /{layer}` is TileJSON, `/{layer}/{z}/{x}/{y}.png` a tile, `/{layer}/bbox/{west},{south},{east},{north}/{width}x{height}.png` a \
    picture, `/{layer}/point/{lon},{lat}` a value, `/{layer}/statistics` counts and percentiles\n";

/// The table of contents in the format of llmstxt.org: the pages with their first sentences.
pub(crate) async fn contents(request: HeaderMap) -> Response {
    text(&request, "text/plain; charset=utf-8", &table())
}

/// A page of the guide.
pub(crate) async fn page(Path(path): Path<String>, request: HeaderMap) -> HttpResult<Response> {
    let page = find(&path).ok_or_else(|| Problem::not_found("there is no such page; /llms.txt lists them"))?;
    Ok(text(&request, "text/markdown; charset=utf-8", page))
}

fn find(path: &str) -> Option<&'static str> {
    PAGES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

fn text(request: &HeaderMap, content_type: &'static str, text: &str) -> Response {
    let tag = etag(text.as_bytes());
    let cached = [(header::CACHE_CONTROL, "no-cache"), (header::ETAG, tag.as_str())];
    if is_cached(request, &tag) {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    let headers = [(header::CONTENT_TYPE, content_type), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (cached, headers, text.to_owned()).into_response()
}

/// The introduction, and the sections and pages of the summary.
fn table() -> String {
    let mut table = INTRODUCTION.to_owned();
    let mut section = Some("Start");
    for line in find(SUMMARY).unwrap_or_default().lines() {
        if let Some(title) = line.strip_prefix("# ") {
            section = Some(title).filter(|title| *title != "Summary").or(section);
        } else if let Some((title, path)) = link(line) {
            if let Some(title) = section.take() {
                let _ = write!(table, "\n## {title}\n\n");
            }
            let _ = writeln!(table, "- [{title}](docs/{path}): {}", find(path).map(description).unwrap_or_default());
        }
    }
    table
}

/// The title and the path of a list item with a link.
fn link(line: &str) -> Option<(&str, &str)> {
    let (title, path) = line.trim_start().strip_prefix("- [")?.split_once("](")?;
    Some((title, path.strip_suffix(')')?))
}

/// The first sentence of a page.
fn description(page: &str) -> String {
    let is_text = |paragraph: &&str| {
        let is_other = paragraph.starts_with(['#', '!', '|', '<', '-']) || paragraph.starts_with("```");
        !paragraph.trim().is_empty() && !is_other
    };
    let paragraph = page.split("\n\n").find(is_text).unwrap_or_default().replace('\n', " ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    without_links(&paragraph[..end]).chars().take(MAX_DESCRIPTION).collect()
}

/// The text of a sentence, with the texts of its links: their addresses are relative to the page.
fn without_links(sentence: &str) -> String {
    let mut text = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once("](") {
        // The bracket of the text of a link is the last one before its address.
        let (outside, link) = before.rsplit_once('[').unwrap_or((before, ""));
        text.extend([outside, link]);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    text + rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_page_of_the_guide_with_a_description() {
        let table = table();
        let pages = PAGES.iter().filter(|(name, _)| *name != SUMMARY);
        for (name, _) in pages {
            let line = table.lines().find(|line| line.contains(&format!("](docs/{name}): ")));
            let (_, description) =
                line.unwrap_or_else(|| panic!("{name} is not in SUMMARY.md")).split_once("): ").unwrap();
            assert!(description.len() > 20 && description.ends_with(['.', ':']), "{name}: {description}");
        }
        assert!(table.contains("\n## Guide\n\n- [") && table.contains("\n## Reference\n"), "{table}");
    }

    #[test]
    fn links_of_list_items_are_found() {
        assert_eq!(link("  - [Bins](bins.md)"), Some(("Bins", "bins.md")));
        assert_eq!(link("# Guide"), None);
        assert_eq!(without_links("a [b](c.md), [d `e`](f) g"), "a b, d `e` g");
        assert_eq!(description("# A\n\n![x](y)\n\nOne line\nof text. More.\n"), "One line of text.");
    }
}
