//! KML: the points of placemarks, and tracks in the terms of Google Earth.
//!
//! The crate `kml` keeps whole files in memory.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::geometry::decode::GeometryError;
use super::table::PartResult;
use super::values::{Value, ValueRows};
use super::xml::{Attributes, Document, Fields, Grammar, Visitor};

/// KML: a row per point of a placemark, with a column for each element of the placemark that has no other elements in it, and
/// for each of its extended data.
///
/// `time` is the time of a point of a track, else the placemark's time stamp or the begin of its time span.
#[derive(Debug)]
pub(super) enum Kml {}

impl Grammar for Kml {
    const ROOT: &str = "kml";
    const COLUMNS: &[&str] = &["lon", "lat", "name", "time"];

    fn read(document: &Document, fields: &mut Fields, rows: &mut ValueRows<'_>) -> PartResult {
        document.read(&mut Placemarks {
            rows,
            fields,
            depth: None,
            inside: Inside::default(),
            places: Vec::new(),
            seen: 0,
        })
    }
}

/// The placemarks of a file as they are read.
struct Placemarks<'p, 'r> {
    rows: &'p mut ValueRows<'r>,
    fields: &'p mut Fields,
    /// How deep the element at hand is within a placemark, whose own elements are 1 deep.
    depth: Option<usize>,
    inside: Inside,
    /// The places of the placemark, which wait for its other elements.
    places: Vec<Place>,
    /// The number of places of the placemark.
    seen: usize,
}

/// The elements of a placemark that the element at hand is in.
#[derive(Debug, Default)]
struct Inside {
    /// The times of a track that still lack their coordinates.
    track: Option<VecDeque<String>>,
    /// A geometry that is no point, and its depth.
    other: Option<usize>,
    /// The name of extended data.
    data: Option<String>,
}

/// A geometry of a placemark.
enum Place {
    Point { lon: f64, lat: f64, time: String },
    Flaw(String),
}

impl Place {
    /// The place that begins with two of `coordinates`.
    fn parse<'c>(mut coordinates: impl Iterator<Item = &'c str>, time: String) -> Self {
        let mut next = || fast_float2::parse(coordinates.next().unwrap_or_default().trim()).ok();
        match (next(), next()) {
            (Some(lon), Some(lat)) => Self::Point { lon, lat, time },
            _ => Self::Flaw("its coordinates are invalid; expected longitude, latitude".to_owned()),
        }
    }
}

/// Places after which those of a placemark are handed on, with the values known by then.
///
/// The schema of KML puts the geometry last, and a track may have all the points of a file.
const MAX_PLACES: usize = 8192;

impl Placemarks<'_, '_> {
    fn add(&mut self, place: Place) -> PartResult {
        self.places.push(place);
        self.seen += 1;
        if self.places.len() < MAX_PLACES { Ok(ControlFlow::Continue(())) } else { self.hand_on() }
    }

    fn hand_on(&mut self) -> PartResult {
        for place in self.places.drain(..) {
            let fields = &self.fields;
            let flow = match place {
                Place::Flaw(reason) => self.rows.reject(&|| reason.clone()),
                Place::Point { lon, lat, time } => self.rows.push(|place| match fields.name(place) {
                    "lon" => Value::Number(lon),
                    "lat" => Value::Number(lat),
                    "time" if !time.is_empty() => Value::Text(&time),
                    _ => fields.get(place),
                }),
            };
            if flow?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes the end of an element within a placemark.
    fn end_within(&mut self, depth: usize, name: &str, text: &str, is_leaf: bool) -> PartResult {
        match name {
            _ if self.inside.other.is_some_and(|other| depth > other) => {}
            _ if self.inside.other == Some(depth) => self.inside.other = None,
            "Track" => self.inside.track = None,
            "when" if self.inside.track.is_some() => {
                self.inside.track.iter_mut().for_each(|times| times.push_back(text.to_owned()));
            }
            "coord" => {
                let time = self.inside.track.as_mut().and_then(VecDeque::pop_front).unwrap_or_default();
                return self.add(Place::parse(text.split_ascii_whitespace(), time));
            }
            "coordinates" => return self.add(Place::parse(text.split(','), String::new())),
            // A view has times of its own, one deeper.
            "when" | "begin" if depth == 2 => self.fields.set("time", text),
            "value" | "SimpleData" => {
                if let Some(data) = self.inside.data.take() {
                    self.fields.set(&data, text);
                }
            }
            _ if is_leaf && depth == 1 => self.fields.set(name, text),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Visitor for Placemarks<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>) -> PartResult {
        let Some(depth) = &mut self.depth else {
            if name == "Placemark" {
                self.depth = Some(0);
                self.inside = Inside::default();
                self.fields.clear();
                self.seen = 0;
            }
            return Ok(ControlFlow::Continue(()));
        };
        *depth += 1;
        match name {
            _ if self.inside.other.is_some() => {}
            "LineString" | "LinearRing" | "Polygon" | "Model" => {
                self.inside.other = Some(*depth);
                return self.add(Place::Flaw(GeometryError::NotAPoint(name.to_owned().into()).to_string()));
            }
            "Track" => self.inside.track = Some(VecDeque::new()),
            "Data" | "SimpleData" => self.inside.data = attributes.get("name").map(|name| name.trim().to_owned()),
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
        if self.seen == 0 {
            self.places.push(Place::Flaw("the placemark has no point".to_owned()));
        }
        self.hand_on()
    }

    fn advance(&mut self, bytes: u64) {
        self.rows.advance(bytes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
