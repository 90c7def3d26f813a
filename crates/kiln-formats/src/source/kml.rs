//! KML: the points of placemarks, including tracks of the Google extensions (`gx:Track`).
//!
//! The crate `kml` keeps the entire file in memory.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::geometry::decode::GeometryError;
use super::table::PartResult;
use super::values::{Value, ValueRows};
use super::xml::{Attributes, Document, Fields, Grammar, Visitor};

/// KML: a row per point of a placemark, with a column for each element of the placemark that contains only text, and for
/// each item of its extended data.
///
/// `time` is the time of the point of a track, else the placemark's time stamp or the start of its time span.
#[derive(Debug)]
pub(super) enum Kml {}

impl Grammar for Kml {
    const ROOT: &str = "kml";
    const COLUMNS: &[&str] = &["lon", "lat", "name", "time"];

    fn read(document: &Document, fields: &mut Fields, rows: &mut ValueRows<'_>) -> PartResult {
        document.read(&mut PlacemarkVisitor {
            rows,
            fields,
            depth: None,
            context: Context::default(),
            geometries: Vec::new(),
            geometry_count: 0,
        })
    }
}

/// The visitor that turns placemarks into rows.
struct PlacemarkVisitor<'p, 'r> {
    rows: &'p mut ValueRows<'r>,
    fields: &'p mut Fields,
    /// The depth of the current element within a placemark, whose child elements have depth 1.
    depth: Option<usize>,
    context: Context,
    /// The geometries of the placemark that wait for its other elements.
    geometries: Vec<Geometry>,
    /// The number of geometries of the placemark so far.
    geometry_count: usize,
}

/// The ancestors of the current element within a placemark.
#[derive(Debug, Default)]
struct Context {
    /// The times of a track whose coordinates have not been read yet.
    track: Option<VecDeque<String>>,
    /// The depth of a geometry that is not a point.
    other_geometry: Option<usize>,
    /// The name of an item of extended data.
    data: Option<String>,
}

/// A geometry of a placemark.
enum Geometry {
    Point { lon: f64, lat: f64, time: String },
    Invalid(String),
}

impl Geometry {
    /// Parses the first two of `coordinates`.
    fn parse<'c>(mut coordinates: impl Iterator<Item = &'c str>, time: String) -> Self {
        let mut next = || fast_float2::parse(coordinates.next().unwrap_or_default().trim()).ok();
        match (next(), next()) {
            (Some(lon), Some(lat)) => Self::Point { lon, lat, time },
            _ => Self::Invalid("the coordinates are invalid; expected longitude, latitude".to_owned()),
        }
    }
}

/// The number of geometries after which those of a placemark become rows, with the values known so far.
///
/// In the schema of KML the geometry is the last element, and a single track may have all points of a file.
const MAX_GEOMETRIES: usize = 8192;

impl PlacemarkVisitor<'_, '_> {
    fn add(&mut self, geometry: Geometry) -> PartResult {
        self.geometries.push(geometry);
        self.geometry_count += 1;
        if self.geometries.len() < MAX_GEOMETRIES { Ok(ControlFlow::Continue(())) } else { self.flush() }
    }

    /// Turns the geometries into rows.
    fn flush(&mut self) -> PartResult {
        for geometry in self.geometries.drain(..) {
            let fields = &self.fields;
            let flow = match geometry {
                Geometry::Invalid(reason) => self.rows.reject(&|| reason.clone()),
                Geometry::Point { lon, lat, time } => self.rows.push(|index| match fields.name(index) {
                    "lon" => Value::Number(lon),
                    "lat" => Value::Number(lat),
                    "time" if !time.is_empty() => Value::Text(&time),
                    _ => fields.get(index),
                }),
            };
            if flow?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Handles the end of an element within a placemark.
    fn end_within(&mut self, depth: usize, name: &str, text: &str, is_leaf: bool) -> PartResult {
        match name {
            _ if self.context.other_geometry.is_some_and(|other| depth > other) => {}
            _ if self.context.other_geometry == Some(depth) => self.context.other_geometry = None,
            "Track" => self.context.track = None,
            "when" if self.context.track.is_some() => {
                self.context.track.iter_mut().for_each(|times| times.push_back(text.to_owned()));
            }
            "coord" => {
                let time = self.context.track.as_mut().and_then(VecDeque::pop_front).unwrap_or_default();
                return self.add(Geometry::parse(text.split_ascii_whitespace(), time));
            }
            "coordinates" => return self.add(Geometry::parse(text.split(','), String::new())),
            // The times of a view are one level deeper and are ignored.
            "when" | "begin" if depth == 2 => self.fields.set("time", text),
            "value" | "SimpleData" => {
                if let Some(data) = self.context.data.take() {
                    self.fields.set(&data, text);
                }
            }
            _ if is_leaf && depth == 1 => self.fields.set(name, text),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Visitor for PlacemarkVisitor<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>) -> PartResult {
        let Some(depth) = &mut self.depth else {
            if name == "Placemark" {
                self.depth = Some(0);
                self.context = Context::default();
                self.fields.clear();
                self.geometry_count = 0;
            }
            return Ok(ControlFlow::Continue(()));
        };
        *depth += 1;
        match name {
            _ if self.context.other_geometry.is_some() => {}
            "LineString" | "LinearRing" | "Polygon" | "Model" => {
                self.context.other_geometry = Some(*depth);
                return self.add(Geometry::Invalid(GeometryError::NotAPoint(name.to_owned().into()).to_string()));
            }
            "Track" => self.context.track = Some(VecDeque::new()),
            "Data" | "SimpleData" => self.context.data = attributes.get("name").map(|name| name.trim().to_owned()),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self, name: &str, text: Option<&str>) -> PartResult {
        let Some(depth) = self.depth else { return Ok(ControlFlow::Continue(())) };
        if depth > 0 {
            self.depth = Some(depth - 1);
            return self.end_within(depth, name, text.unwrap_or_default(), text.is_some());
        }
        self.depth = None;
        if self.geometry_count == 0 {
            self.geometries.push(Geometry::Invalid("the placemark has no point".to_owned()));
        }
        self.flush()
    }

    fn advance(&mut self, bytes: u64) {
        self.rows.advance(bytes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
