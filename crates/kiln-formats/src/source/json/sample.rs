//! Inference of the schema of a document from its first rows.

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Schema};

use super::batch_builder::ordinate_field;
use super::feature::{crs_name, features, is_geojson};
use super::layout::{Layout, Shape};
use super::raw::{JsonValue, first, text};
use super::rows::is_defined;
use super::scanner::{Event, Flow, Halt};
use kiln_core::error::Error;

/// Collects the names and types of members in the first rows.
#[derive(Debug, Default)]
pub(super) struct SchemaSample {
    layout: Layout,
    /// Whether the user set the path of the rows.
    is_path_set: bool,
    rows: u64,
    is_shape_known: bool,
    /// The members of objects, the properties of features, or the columns of arrays.
    names: MemberNames,
    /// The foreign members of features (RFC 7946, section 6.1).
    foreign: MemberNames,
}

impl SchemaSample {
    const MAX_ROWS: u64 = 1000;

    /// An empty sample. `is_path_set`: the user set the path of the rows.
    pub(super) fn new(layout: Layout, is_path_set: bool) -> Self {
        Self { layout, is_path_set, ..Self::default() }
    }

    /// Handles an event of the scan of the document `name`. Stops the scan after [`MAX_ROWS`](Self::MAX_ROWS) rows.
    pub(super) fn handle(&mut self, name: &str, event: Event<'_>) -> Flow {
        match event {
            Event::Row(row) => return self.row(row),
            Event::NoRows if self.is_path_set && self.rows == 0 => {
                return Err(Error::input(name, self.layout.missing_error()).into());
            }
            Event::Crs(crs) => self.layout.crs = self.layout.crs.take().or_else(|| crs_name(crs)),
            Event::Columns(JsonValue::Array(names)) if self.rows == 0 => {
                let name = |name: &&str| (first(name) == b'"').then(|| text(name).into_owned());
                self.layout.names = names.iter().map(name).collect();
            }
            Event::Columns(_) => {}
            Event::Invalid(_) | Event::NoRows => self.count_row()?,
        }
        Ok(())
    }

    fn count_row(&mut self) -> Flow {
        self.rows += 1;
        if self.rows >= Self::MAX_ROWS { Err(Halt::Stopped) } else { Ok(()) }
    }

    fn row(&mut self, row: &JsonValue<'_>) -> Flow {
        if !self.is_shape_known && self.layout.shape == Shape::Objects {
            self.is_shape_known = !matches!(row, JsonValue::Plain(_));
            self.layout.shape = match row {
                _ if is_geojson(row) => Shape::Features,
                JsonValue::Array(_) => Shape::Arrays,
                _ => Shape::Objects,
            };
        }
        match (self.layout.shape, row) {
            (Shape::Features, _) => {
                return features(row, &mut |feature, crs| {
                    self.names.add_members(&JsonValue::of(feature.get("properties").unwrap_or("null")), "", 1);
                    for (name, value) in feature.members().iter().filter(|(name, _)| !is_defined(name)) {
                        self.foreign.add_member(name, value, 1);
                    }
                    self.layout.crs = self.layout.crs.take().or_else(|| crs_name(&JsonValue::of(crs?)));
                    self.count_row()
                });
            }
            (Shape::Arrays, JsonValue::Array(values)) => {
                for (index, value) in values.iter().enumerate() {
                    self.names.add(self.layout.name_of(index), MemberType::of(value));
                }
            }
            (Shape::Arrays, _) => {}
            (Shape::Objects, _) => self.names.add_members(row, "", 1),
        }
        self.count_row()
    }

    /// The layout and the schema of the document.
    pub(super) fn finish(self) -> (Layout, Schema) {
        let Self { layout, names, foreign, .. } = self;
        let mut fields = Vec::new();
        if layout.shape == Shape::Features {
            let mut metadata = HashMap::from([("ARROW:extension:name".to_owned(), "geoarrow.point".to_owned())]);
            let crs = layout.crs.iter().map(|crs| serde_json::json!({ "crs": crs }).to_string());
            metadata.extend(crs.map(|crs| ("ARROW:extension:metadata".to_owned(), crs)));
            let points = DataType::FixedSizeList(ordinate_field(), 2);
            fields.push(Field::new("geometry", points, false).with_metadata(metadata));
        }
        let foreign = foreign.known.into_iter().filter(|(name, _)| !names.indexes.contains_key(name));
        // Objects are represented by their members, and the name `geometry` is taken.
        let is_column = |(name, kind): &(String, MemberType)| {
            *kind != MemberType::Objects && (layout.shape != Shape::Features || name != "geometry")
        };
        let known = names.known.into_iter().chain(foreign.collect::<Vec<_>>()).filter(is_column);
        fields.extend(known.map(|(name, kind)| Field::new(name, kind.data_type(), true)));
        (layout, Schema::new(fields))
    }
}

/// The common type of the values of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberType {
    Null,
    Numbers,
    Objects,
    Other,
}

impl MemberType {
    fn of(value: &str) -> Self {
        match first(value) {
            b'n' => Self::Null,
            b'-' | b'0'..=b'9' => Self::Numbers,
            _ => Self::Other,
        }
    }

    fn merge(self, other: Self) -> Self {
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

/// Member names and types in the order of their first occurrence.
#[derive(Debug, Default)]
struct MemberNames {
    known: Vec<(String, MemberType)>,
    indexes: HashMap<String, usize>,
}

impl MemberNames {
    /// The maximum number of names.
    const MAX_NAMES: usize = 1000;
    /// The maximum nesting depth of objects.
    const MAX_DEPTH: usize = 4;

    fn add(&mut self, name: String, kind: MemberType) {
        if let Some(&index) = self.indexes.get(&name) {
            self.known[index].1 = self.known[index].1.merge(kind);
        } else if self.known.len() < Self::MAX_NAMES {
            self.indexes.insert(name.clone(), self.known.len());
            self.known.push((name, kind));
        }
    }

    /// Adds the members of `object`, with `prefix` before their paths.
    fn add_members(&mut self, object: &JsonValue<'_>, prefix: &str, level: usize) {
        for (name, value) in object.members() {
            self.add_member(&format!("{prefix}{name}"), value, level);
        }
    }

    /// Adds the member at `path` or, if it is an object, the members of that. Geometries and objects beyond the maximum
    /// depth count as values.
    fn add_member(&mut self, path: &str, value: &str, level: usize) {
        let mut kind = MemberType::of(value);
        if first(value) == b'{' && level < Self::MAX_DEPTH && !is_geojson(&JsonValue::of(value)) {
            self.add_members(&JsonValue::of(value), &format!("{path}."), level + 1);
            kind = MemberType::Objects;
        }
        self.add(path.to_owned(), kind);
    }
}
