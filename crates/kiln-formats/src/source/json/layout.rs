//! Where the rows of a document are, and of which shape.

use super::feature::{is_geojson, is_geometry, not_a_point};
use super::raw::plain;
use super::scanner::{Flow, Halt, Scanner};
use crate::source::role::Role;
use kiln_core::error::Error;
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};

/// What rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// Objects with members by name.
    #[default]
    Objects,
    /// Lists of values.
    Lists,
    /// Features or bare geometries of GeoJSON.
    Features,
}

/// Where the rows of a document are, and of which shape.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The members that lead to them, from a value at the top.
    pub(super) path: Vec<String>,
    /// Whether the path was found rather than given.
    pub(super) is_found: bool,
    pub(super) shape: Shape,
    /// The names of the values in rows that are lists, where the document gives them.
    pub(super) names: Option<Vec<String>>,
    /// The coordinate reference system that the document declares.
    pub(super) crs: Option<String>,
    /// The paths of all lists that rows might be in.
    lists: Vec<String>,
}

impl Layout {
    /// The layout of rows at the path `records`; of the values at the top without one.
    pub(super) fn given(records: Option<&str>) -> Self {
        let path = records.unwrap_or_default().split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { path, ..Self::default() }
    }

    /// Finds the rows in the document `name` by its first value; `records` is the path that the user gives.
    pub(super) fn find(name: &str, mut scanner: Scanner<'_>, records: Option<&str>) -> Result<Self, Error> {
        let mut finder = Finder { records, ..Finder::default() };
        match scanner.peek().and_then(|first| if first == Some(b'{') { finder.object(&mut scanner) } else { Ok(()) }) {
            Ok(()) | Err(Halt::Enough) => {}
            Err(Halt::Failed(error)) => return Err(error),
        }
        let Finder { lists, kind, has_coordinates, roles, .. } = finder;
        if records.is_none() {
            if kind == "Topology" {
                return Err(Error::input(name, not_a_point(&kind).into_owned()));
            }
            if kind == "Feature" || (is_geometry(&kind) && has_coordinates) {
                // A MultiPoint may be as long as the document.
                let path = (kind == "MultiPoint").then_some("coordinates");
                return Ok(Self { shape: Shape::Features, ..Self::given(path) });
            }
            if roles.contains(&Role::Geometry) || (roles.contains(&Role::Lon) && roles.contains(&Role::Lat)) {
                return Ok(Self::default());
            }
        }
        let has_collections = lists.iter().any(|list| list.is_geojson);
        let is_chosen = |list: &List| match records {
            Some(records) => list.name() == records,
            None => list.is_geojson == has_collections,
        };
        let (chosen, others): (Vec<_>, Vec<_>) = lists.into_iter().partition(is_chosen);
        match &chosen[..] {
            [] => Ok(Self { lists: others.iter().map(List::name).collect(), ..Self::given(records) }),
            [List { path, is_geojson }] => {
                let shape = if *is_geojson { Shape::Features } else { Shape::default() };
                Ok(Self { path: path.clone(), is_found: records.is_none(), shape, ..Self::default() })
            }
            several => {
                let several = quoted(several.iter().map(List::name));
                let message = format!("there are several lists of records, at {several}; name one with ");
                Err(Error::input(name, message!(message, Parameter::RECORDS)))
            }
        }
    }

    /// The name of a value in rows that are lists, by its place.
    pub(super) fn name_of(&self, place: usize) -> String {
        let usual = ["x", "y", "weight"].get(place).filter(|_| self.names.is_none());
        let given = self.names.iter().flatten().nth(place).map(String::as_str);
        given.or(usual.copied()).map_or_else(|| (place + 1).to_string(), str::to_owned)
    }

    /// Says that there is nothing at the path of the rows, which the user gave.
    pub(super) fn missing(&self) -> Message {
        let lists = if self.lists.is_empty() { "none".to_owned() } else { quoted(self.lists.iter().cloned()) };
        let what = format!(": there is nothing at `{}`; lists of records in it: {lists}", self.path.join("."));
        Message::from(Parameter::RECORDS).with(what)
    }
}

fn quoted(paths: impl IntoIterator<Item = String>) -> String {
    paths.into_iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

/// A list of objects or lists.
#[derive(Debug)]
struct List {
    path: Vec<String>,
    /// Whether it is that of a collection of GeoJSON.
    is_geojson: bool,
}

impl List {
    fn name(&self) -> String {
        self.path.join(".")
    }
}

/// Looks through the first object of a document.
#[derive(Debug, Default)]
struct Finder<'f> {
    records: Option<&'f str>,
    /// The members that lead to the object at hand.
    path: Vec<String>,
    lists: Vec<List>,
    /// What the object at the top says of itself.
    kind: String,
    has_coordinates: bool,
    /// What its members are called as.
    roles: Vec<Role>,
}

impl Finder<'_> {
    /// Objects within each other that are looked into.
    const MOST_LEVELS: usize = 3;
    /// Elements of a list that are looked at before what follows the list is given up.
    const MOST_ELEMENTS: usize = 1000;

    fn object(&mut self, scanner: &mut Scanner<'_>) -> Flow {
        scanner.each(b'}', |scanner| {
            let (key, is_top) = (scanner.key()?, self.path.is_empty());
            match scanner.peek()? {
                Some(b'"') if key == "type" => {
                    let kind = scanner.value(plain)?;
                    if kind == "FeatureCollection" {
                        self.add_list("features", true);
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
                Some(b'[') if scanner.is_list_of_rows()? => self.list(&key, scanner),
                Some(b'{') if self.path.len() + 1 < Self::MOST_LEVELS => {
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

    fn list(&mut self, name: &str, scanner: &mut Scanner<'_>) -> Flow {
        let path = self.add_list(name, false);
        let is_wanted = self.records.is_none_or(|records| self.lists[path].name() == records);
        let mut elements = 0;
        scanner.each(b']', |scanner| {
            elements += 1;
            if elements == 1 && matches!(name, "features" | "geometries") {
                self.lists[path].is_geojson |= scanner.value(is_geojson)?;
                return Ok(());
            }
            if is_wanted && elements > Self::MOST_ELEMENTS { Err(Halt::Enough) } else { scanner.skip() }
        })
    }

    /// Adds the list that is the member called `name` of the object at hand, and returns its place.
    fn add_list(&mut self, name: &str, is_geojson: bool) -> usize {
        let path: Vec<_> = self.path.iter().cloned().chain([name.to_owned()]).collect();
        self.lists.iter().position(|list| list.path == path).unwrap_or_else(|| {
            self.lists.push(List { path, is_geojson });
            self.lists.len() - 1
        })
    }
}
