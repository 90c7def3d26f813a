//! GPX: the points of tracks and routes, and waypoints.
//!
//! The crate `gpx` keeps whole files in memory and knows no extensions, where heart rates and speeds are.

use std::ops::ControlFlow;

use super::table::PartResult;
use super::values::ValueRows;
use super::xml::{Attributes, Document, Fields, Grammar, Visitor};

/// GPX: a row per point, with a column for each element in it that has no other elements in it.
///
/// `type` is `trkpt`, `rtept` or `wpt`; what GPX itself calls the type of a waypoint, a track or a route is `category`.
/// Points without a `name` have that of their track or route. Elements within `extensions`, such as `hr` and `speed`, are
/// columns like the others.
#[derive(Debug)]
pub(super) enum Gpx {}

impl Grammar for Gpx {
    const ROOT: &str = "gpx";
    const COLUMNS: &[&str] = &["lon", "lat", "ele", "time", "name", "type"];

    fn read(document: &Document, fields: &mut Fields, rows: &mut ValueRows<'_>) -> PartResult {
        document.read(&mut Points { rows, fields, path: Vec::new(), name: String::new(), category: String::new() })
    }
}

/// The points of a file as they are read.
struct Points<'p, 'r> {
    rows: &'p mut ValueRows<'r>,
    fields: &'p mut Fields,
    /// The elements from the track, the route or the point on.
    path: Vec<Step>,
    /// The name and the type of the track or route.
    name: String,
    category: String,
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A track or route.
    Line,
    Point,
    Extensions,
    Other,
}

impl Visitor for Points<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>) -> PartResult {
        let step = match name {
            "trk" | "rte" => Step::Line,
            "trkpt" | "rtept" | "wpt" => Step::Point,
            "extensions" => Step::Extensions,
            _ => Step::Other,
        };
        match step {
            Step::Line => {
                self.name.clear();
                self.category.clear();
            }
            Step::Point => {
                self.fields.clear();
                self.fields.set("type", name);
                for coordinate in ["lon", "lat"] {
                    self.fields.set(coordinate, attributes.get(coordinate).as_deref().unwrap_or_default().trim());
                }
            }
            Step::Extensions | Step::Other => {}
        }
        if !self.path.is_empty() || matches!(step, Step::Line | Step::Point) {
            self.path.push(step);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self, name: &str, text: Option<&str>) -> PartResult {
        let step = self.path.pop();
        match (self.path.as_slice(), text) {
            _ if step == Some(Step::Point) => {
                self.fields.set("name", &self.name);
                self.fields.set("category", &self.category);
                return self.rows.push(|place| self.fields.get(place));
            }
            ([.., Step::Point], Some(text)) => self.fields.set(if name == "type" { "category" } else { name }, text),
            ([Step::Line], Some(text)) if name == "name" => text.clone_into(&mut self.name),
            ([Step::Line], Some(text)) if name == "type" => text.clone_into(&mut self.category),
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
fn is_extension(path: &[Step]) -> bool {
    let point = path.iter().rposition(|&step| step == Step::Point);
    point.is_some_and(|point| path.get(point + 1) == Some(&Step::Extensions))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
