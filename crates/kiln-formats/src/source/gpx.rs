//! GPX: the points of tracks and routes, and waypoints.
//!
//! The crate `gpx` keeps the entire file in memory and ignores extensions, which contain heart rates and speeds.

use std::ops::ControlFlow;

use super::table::PartResult;
use super::values::ValueRows;
use super::xml::{Attributes, Document, Fields, Grammar, Visitor};

/// GPX: a row per point, with a column for each of its elements that contains only text.
///
/// The column `type` is `trkpt`, `rtept` or `wpt`; the `type` element of a waypoint, a track or a route is the column
/// `category`. Points without a `name` or `type` have that of their track or route. Elements within `extensions`,
/// such as `hr` and `speed`, are columns like the others.
#[derive(Debug)]
pub(super) enum Gpx {}

impl Grammar for Gpx {
    const ROOT: &str = "gpx";
    const COLUMNS: &[&str] = &["lon", "lat", "ele", "time", "name", "type"];

    fn read(document: &Document, fields: &mut Fields, rows: &mut ValueRows<'_>) -> PartResult {
        document.read(&mut PointVisitor {
            rows,
            fields,
            path: Vec::new(),
            name: String::new(),
            category: String::new(),
        })
    }
}

/// The visitor that turns points into rows.
struct PointVisitor<'p, 'r> {
    rows: &'p mut ValueRows<'r>,
    fields: &'p mut Fields,
    /// The path of the current element from the track, the route or the waypoint.
    path: Vec<PathElement>,
    /// The name and the type of the current track or route.
    name: String,
    category: String,
}

/// The kind of an element in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PathElement {
    /// A track or route.
    TrackOrRoute,
    Point,
    Extensions,
    Other,
}

impl Visitor for PointVisitor<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>) -> PartResult {
        let element = match name {
            "trk" | "rte" => PathElement::TrackOrRoute,
            "trkpt" | "rtept" | "wpt" => PathElement::Point,
            "extensions" => PathElement::Extensions,
            _ => PathElement::Other,
        };
        match element {
            PathElement::TrackOrRoute => {
                self.name.clear();
                self.category.clear();
            }
            PathElement::Point => {
                self.fields.clear();
                self.fields.set("type", name);
                for coordinate in ["lon", "lat"] {
                    self.fields.set(coordinate, attributes.get(coordinate).as_deref().unwrap_or_default().trim());
                }
            }
            PathElement::Extensions | PathElement::Other => {}
        }
        if !self.path.is_empty() || matches!(element, PathElement::TrackOrRoute | PathElement::Point) {
            self.path.push(element);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self, name: &str, text: Option<&str>) -> PartResult {
        let element = self.path.pop();
        match (self.path.as_slice(), text) {
            _ if element == Some(PathElement::Point) => {
                self.fields.set("name", &self.name);
                self.fields.set("category", &self.category);
                return self.rows.push(|index| self.fields.get(index));
            }
            ([.., PathElement::Point], Some(text)) => {
                self.fields.set(if name == "type" { "category" } else { name }, text);
            }
            ([PathElement::TrackOrRoute], Some(text)) if name == "name" => text.clone_into(&mut self.name),
            ([PathElement::TrackOrRoute], Some(text)) if name == "type" => text.clone_into(&mut self.category),
            (path, Some(text)) if is_extension(path) => self.fields.set(name, text),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn advance(&mut self, bytes: u64) {
        self.rows.advance(bytes);
    }
}

/// Whether an element at this path is within the extensions of a point.
fn is_extension(path: &[PathElement]) -> bool {
    let point = path.iter().rposition(|&element| element == PathElement::Point);
    point.is_some_and(|point| path.get(point + 1) == Some(&PathElement::Extensions))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
