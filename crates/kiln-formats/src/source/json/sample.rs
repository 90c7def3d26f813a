//! The schema of a document, by its first rows.

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Schema};

use super::feature::{crs_name, features, is_geojson};
use super::layout::{Layout, Shape};
use super::raw::{Value, first, text};
use super::record::ordinate_field;
use super::rows::is_defined;
use super::scanner::{Event, Flow, Halt};
use kiln_core::error::Error;

/// What the first rows of a document look like.
#[derive(Debug, Default)]
pub(super) struct Sample {
    layout: Layout,
    /// Whether the user gave the path of the rows.
    is_given: bool,
    rows: u64,
    is_shape_known: bool,
    /// The members of objects, the properties of features, or the values of lists by their places.
    names: Names,
    /// The other members of features.
    outer: Names,
}

impl Sample {
    const MOST_ROWS: u64 = 1000;

    /// No rows yet; `is_given`: the user gave the path of the rows.
    pub(super) fn new(layout: Layout, is_given: bool) -> Self {
        Self { layout, is_given, ..Self::default() }
    }

    /// Takes what is found in the document `name`, until it is enough.
    pub(super) fn take(&mut self, name: &str, event: Event<'_>) -> Flow {
        match event {
            Event::Row(row) => return self.row(row),
            Event::NoRows if self.is_given && self.rows == 0 => {
                return Err(Error::input(name, self.layout.missing()).into());
            }
            Event::Crs(crs) => self.layout.crs = self.layout.crs.take().or_else(|| crs_name(crs)),
            Event::Columns(Value::List(names)) if self.rows == 0 => {
                let name = |name: &&str| (first(name) == b'"').then(|| text(name).into_owned());
                self.layout.names = names.iter().map(name).collect();
            }
            Event::Columns(_) => {}
            Event::Broken(_) | Event::NoRows => self.next()?,
        }
        Ok(())
    }

    fn next(&mut self) -> Flow {
        self.rows += 1;
        if self.rows >= Self::MOST_ROWS { Err(Halt::Enough) } else { Ok(()) }
    }

    fn row(&mut self, row: &Value<'_>) -> Flow {
        if !self.is_shape_known && self.layout.shape == Shape::Objects {
            self.is_shape_known = !matches!(row, Value::Plain(_));
            self.layout.shape = match row {
                _ if is_geojson(row) => Shape::Features,
                Value::List(_) => Shape::Lists,
                _ => Shape::Objects,
            };
        }
        match (self.layout.shape, row) {
            (Shape::Features, _) => {
                return features(row, &mut |feature, crs| {
                    self.names.add_members(&Value::of(feature.get("properties").unwrap_or("null")), "", 1);
                    for (name, value) in feature.members().iter().filter(|(name, _)| !is_defined(name)) {
                        self.outer.add_member(name, value, 1);
                    }
                    self.layout.crs = self.layout.crs.take().or_else(|| crs_name(&Value::of(crs?)));
                    self.next()
                });
            }
            (Shape::Lists, Value::List(values)) => {
                for (place, value) in values.iter().enumerate() {
                    self.names.add(self.layout.name_of(place), Kind::of(value));
                }
            }
            (Shape::Lists, _) => {}
            (Shape::Objects, _) => self.names.add_members(row, "", 1),
        }
        self.next()
    }

    /// The layout and the schema of the document.
    pub(super) fn finish(self) -> (Layout, Schema) {
        let Self { layout, names, outer, .. } = self;
        let mut fields = Vec::new();
        if layout.shape == Shape::Features {
            let mut metadata = HashMap::from([("ARROW:extension:name".to_owned(), "geoarrow.point".to_owned())]);
            let crs = layout.crs.iter().map(|crs| serde_json::json!({ "crs": crs }).to_string());
            metadata.extend(crs.map(|crs| ("ARROW:extension:metadata".to_owned(), crs)));
            let points = DataType::FixedSizeList(ordinate_field(), 2);
            fields.push(Field::new("geometry", points, false).with_metadata(metadata));
        }
        let outer = outer.known.into_iter().filter(|(name, _)| !names.places.contains_key(name));
        // What has only members of its own is no column, and there is one geometry.
        let is_column = |(name, kind): &(String, Kind)| {
            *kind != Kind::Objects && (layout.shape != Shape::Features || name != "geometry")
        };
        let known = names.known.into_iter().chain(outer.collect::<Vec<_>>()).filter(is_column);
        fields.extend(known.map(|(name, kind)| Field::new(name, kind.data_type(), true)));
        (layout, Schema::new(fields))
    }
}

/// What the values of a member are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Numbers,
    Objects,
    Other,
}

impl Kind {
    fn of(value: &str) -> Self {
        match first(value) {
            b'n' => Self::Null,
            b'-' | b'0'..=b'9' => Self::Numbers,
            _ => Self::Other,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, kind) | (kind, Self::Null) => kind,
            (kind, other) if kind == other => kind,
            _ => Self::Other,
        }
    }

    fn data_type(self) -> DataType {
        if self == Self::Numbers { DataType::Float64 } else { DataType::Utf8 }
    }
}

/// Names in the order in which they were met.
#[derive(Debug, Default)]
struct Names {
    known: Vec<(String, Kind)>,
    places: HashMap<String, usize>,
}

impl Names {
    /// Different names that are kept.
    const MOST: usize = 1000;
    /// Objects within each other that are looked into.
    const MOST_LEVELS: usize = 4;

    fn add(&mut self, name: String, kind: Kind) {
        if let Some(&place) = self.places.get(&name) {
            self.known[place].1 = self.known[place].1.and(kind);
        } else if self.known.len() < Self::MOST {
            self.places.insert(name.clone(), self.known.len());
            self.known.push((name, kind));
        }
    }

    /// Adds the members of `object`, whose paths begin with `prefix`.
    fn add_members(&mut self, object: &Value<'_>, prefix: &str, level: usize) {
        for (name, value) in object.members() {
            self.add_member(&format!("{prefix}{name}"), value, level);
        }
    }

    /// Adds the member at `path`, or those of the object that it is. A geometry is a value, and so is what lies too deep.
    fn add_member(&mut self, path: &str, value: &str, level: usize) {
        let mut kind = Kind::of(value);
        if first(value) == b'{' && level < Self::MOST_LEVELS && !is_geojson(&Value::of(value)) {
            self.add_members(&Value::of(value), &format!("{path}."), level + 1);
            kind = Kind::Objects;
        }
        self.add(path.to_owned(), kind);
    }
}
