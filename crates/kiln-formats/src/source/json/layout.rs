//! The layout of a document: the path and the shape of its rows.

use super::feature::{is_geojson, is_geometry, not_a_point};
use super::raw::plain;
use super::scanner::{Flow, Halt, Scanner};
use crate::source::role::Role;
use kiln_core::error::Error;
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};

/// The shape of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// Objects.
    #[default]
    Objects,
    /// Arrays of values.
    Arrays,
    /// GeoJSON features or bare geometries.
    Features,
}

/// The path and the shape of the rows of a document.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The path of member names from a top-level value to the rows.
    pub(super) path: Vec<String>,
    /// Whether the path was detected, not set by the user.
    pub(super) is_detected: bool,
    pub(super) shape: Shape,
    /// The column names for rows that are arrays, if the document has them.
    pub(super) names: Option<Vec<String>>,
    /// The coordinate reference system that the document declares.
    pub(super) crs: Option<String>,
    /// The paths of all arrays that may contain rows.
    arrays: Vec<String>,
}

impl Layout {
    /// The layout with rows at the path `records`, or at the top level without one.
    pub(super) fn at_path(records: Option<&str>) -> Self {
        let path = records.unwrap_or_default().split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { path, ..Self::default() }
    }

    /// Detects the layout of the document `name` from its first value. `records` is the path that the user set.
    ///
    /// # Errors
    /// If several arrays may contain the rows, or the document is invalid.
    pub(super) fn detect(name: &str, mut scanner: Scanner<'_>, records: Option<&str>) -> Result<Self, Error> {
        let mut finder = LayoutFinder { records, ..LayoutFinder::default() };
        match scanner.peek().and_then(|first| if first == Some(b'{') { finder.object(&mut scanner) } else { Ok(()) }) {
            Ok(()) | Err(Halt::Stopped) => {}
            Err(Halt::Failed(error)) => return Err(error),
        }
        let LayoutFinder { arrays, kind, has_coordinates, roles, .. } = finder;
        if records.is_none() {
            if kind == "Topology" {
                return Err(Error::input(name, not_a_point(&kind).into_owned()));
            }
            if kind == "Feature" || (is_geometry(&kind) && has_coordinates) {
                // A MultiPoint may be the whole document, so its positions are streamed.
                let path = (kind == "MultiPoint").then_some("coordinates");
                return Ok(Self { shape: Shape::Features, ..Self::at_path(path) });
            }
            if roles.contains(&Role::Geometry) || (roles.contains(&Role::Lon) && roles.contains(&Role::Lat)) {
                return Ok(Self::default());
            }
        }
        let has_collections = arrays.iter().any(|array| array.is_geojson);
        let is_chosen = |array: &RecordArray| match records {
            Some(records) => array.name() == records,
            None => array.is_geojson == has_collections,
        };
        let (chosen, others): (Vec<_>, Vec<_>) = arrays.into_iter().partition(is_chosen);
        match &chosen[..] {
            [] => Ok(Self { arrays: others.iter().map(RecordArray::name).collect(), ..Self::at_path(records) }),
            [RecordArray { path, is_geojson }] => {
                let shape = if *is_geojson { Shape::Features } else { Shape::default() };
                Ok(Self { path: path.clone(), is_detected: records.is_none(), shape, ..Self::default() })
            }
            several => {
                let several = quoted(several.iter().map(RecordArray::name));
                let message = format!("there are several arrays of records, at {several}; select one with ");
                Err(Error::input(name, message!(message, Parameter::RECORDS)))
            }
        }
    }

    /// The column name of the value at `index` in rows that are arrays.
    pub(super) fn name_of(&self, index: usize) -> String {
        let usual = ["x", "y", "weight"].get(index).filter(|_| self.names.is_none());
        let declared = self.names.iter().flatten().nth(index).map(String::as_str);
        declared.or(usual.copied()).map_or_else(|| (index + 1).to_string(), str::to_owned)
    }

    /// The error for a `records` path that does not exist.
    pub(super) fn missing_error(&self) -> Message {
        let arrays = if self.arrays.is_empty() { "none".to_owned() } else { quoted(self.arrays.iter().cloned()) };
        let text = format!(": no value at `{}`; arrays of records in the document: {arrays}", self.path.join("."));
        Message::from(Parameter::RECORDS).with(text)
    }
}

fn quoted(paths: impl IntoIterator<Item = String>) -> String {
    paths.into_iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

/// An array of objects or arrays.
#[derive(Debug)]
struct RecordArray {
    path: Vec<String>,
    /// Whether it is the array of a GeoJSON collection.
    is_geojson: bool,
}

impl RecordArray {
    fn name(&self) -> String {
        self.path.join(".")
    }
}

/// Searches the first object of a document for rows.
#[derive(Debug, Default)]
struct LayoutFinder<'f> {
    records: Option<&'f str>,
    /// The path of the current object.
    path: Vec<String>,
    arrays: Vec<RecordArray>,
    /// The member `type` of the top-level object.
    kind: String,
    has_coordinates: bool,
    /// The roles that its member names suggest.
    roles: Vec<Role>,
}

impl LayoutFinder<'_> {
    /// The maximum nesting depth of objects to search.
    const MAX_DEPTH: usize = 3;
    /// The number of elements of an array after which the rest of the document is not searched.
    const MAX_ELEMENTS: usize = 1000;

    fn object(&mut self, scanner: &mut Scanner<'_>) -> Flow {
        scanner.for_each(b'}', |scanner| {
            let (key, is_top) = (scanner.key()?, self.path.is_empty());
            match scanner.peek()? {
                Some(b'"') if key == "type" => {
                    let kind = scanner.value(plain)?;
                    if kind == "FeatureCollection" {
                        self.add_array("features", true);
                    }
                    if is_top {
                        self.kind = kind;
                    }
                    Ok(())
                }
                Some(b'[') if key == "coordinates" => {
                    self.has_coordinates |= is_top;
                    scanner.skip()
                }
                Some(b'[') if scanner.is_array_of_rows()? => self.array(&key, scanner),
                Some(b'{') if self.path.len() + 1 < Self::MAX_DEPTH => {
                    self.path.push(key);
                    self.object(scanner)?;
                    self.path.pop();
                    Ok(())
                }
                first => {
                    let is_usual = |role: &Role| role.usual_names().iter().any(|name| key.eq_ignore_ascii_case(name));
                    let roles: &[_] = match first {
                        Some(b'{' | b'[') => &[],
                        Some(b'"') => &[Role::Lon, Role::Lat, Role::Geometry],
                        _ => &[Role::Lon, Role::Lat],
                    };
                    self.roles.extend(roles.iter().filter(|role| is_top && is_usual(role)));
                    scanner.skip()
                }
            }
        })
    }

    fn array(&mut self, name: &str, scanner: &mut Scanner<'_>) -> Flow {
        let path = self.add_array(name, false);
        let is_selected = self.records.is_none_or(|records| self.arrays[path].name() == records);
        let mut elements = 0;
        scanner.for_each(b']', |scanner| {
            elements += 1;
            if elements == 1 && matches!(name, "features" | "geometries") {
                self.arrays[path].is_geojson |= scanner.value(is_geojson)?;
                return Ok(());
            }
            if is_selected && elements > Self::MAX_ELEMENTS { Err(Halt::Stopped) } else { scanner.skip() }
        })
    }

    /// Adds the array that is the member `name` of the current object, and returns its index.
    fn add_array(&mut self, name: &str, is_geojson: bool) -> usize {
        let path: Vec<_> = self.path.iter().cloned().chain([name.to_owned()]).collect();
        self.arrays.iter().position(|array| array.path == path).unwrap_or_else(|| {
            self.arrays.push(RecordArray { path, is_geojson });
            self.arrays.len() - 1
        })
    }
}
