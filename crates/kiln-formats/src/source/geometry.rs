//! The geometry of a GeoJSON feature: its points, or why it has none.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess};

use super::rows::Rows;
use super::value::{Any, Plain, Take};

/// The member of a GeoJSON object.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
pub(super) enum Member {
    Type,
    Features,
    Properties,
    Geometry,
    Geometries,
    Coordinates,
    Crs,
    #[serde(other)]
    Other,
}

/// What a GeoJSON object says it is.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Type {
    #[default]
    Unsaid,
    FeatureCollection,
    Feature,
    Point,
    MultiPoint,
    GeometryCollection,
    Other(String),
}

impl Type {
    /// Whether coordinates in such an object are worth reading.
    pub(super) fn may_hold_points(&self) -> bool {
        matches!(self, Self::Unsaid | Self::Point | Self::MultiPoint)
    }
}

impl Take<'_> for &mut Type {
    type Taken = ();

    fn plain<E: Error>(self, value: Plain<'_>) -> Result<(), E> {
        *self = match value {
            Plain::Text("FeatureCollection") => Type::FeatureCollection,
            Plain::Text("Feature") => Type::Feature,
            Plain::Text("Point") => Type::Point,
            Plain::Text("MultiPoint") => Type::MultiPoint,
            Plain::Text("GeometryCollection") => Type::GeometryCollection,
            Plain::Text(other) => Type::Other(other.to_owned()),
            _ => Type::Unsaid,
        };
        Ok(())
    }
}

/// The geometry of one feature.
#[derive(Default)]
pub(super) struct Geometry {
    /// Its points; `None` where a position is not two numbers.
    positions: Vec<Option<[f64; 2]>>,
    /// Why it cannot be drawn.
    flaw: Option<Cow<'static, str>>,
}

impl Geometry {
    pub(super) fn clear(&mut self) {
        self.positions.clear();
        self.flaw = None;
    }

    /// Notes that a geometry says it is a `kind`.
    fn check(&mut self, kind: &Type) {
        self.flaw = match kind {
            Type::Point | Type::MultiPoint | Type::GeometryCollection => return,
            Type::Other(kind) => Some(not_a_point(kind).into()),
            Type::Feature | Type::FeatureCollection => Some("the geometry is a feature itself".into()),
            Type::Unsaid => Some("the geometry has no type; expected Point or MultiPoint".into()),
        };
    }

    /// Tells its points.
    pub(super) fn tell<E: Error>(&self, rows: &mut Rows<'_, '_, '_>) -> Result<(), E> {
        if let Some(flaw) = &self.flaw {
            return rows.reject(|| flaw.clone().into_owned());
        }
        if self.positions.is_empty() {
            return rows.reject(|| "the geometry is empty".to_owned());
        }
        self.positions.iter().try_for_each(|&position| rows.position(position))
    }

    /// Reads the value of `coordinates`.
    pub(super) fn read_coordinates<'de, A: MapAccess<'de>>(&mut self, object: &mut A) -> Result<(), A::Error> {
        object.next_value_seed(Any(Positions::new(&mut self.positions)))
    }
}

/// Says that nothing can be done with a geometry of another type.
pub(super) fn not_a_point(kind: &str) -> String {
    format!("{kind} is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices")
}

impl<'de> Take<'de> for &mut Geometry {
    type Taken = ();

    fn plain<E: Error>(self, value: Plain<'_>) -> Result<(), E> {
        self.flaw = Some(match value {
            Plain::Null => "null geometry; expected Point or MultiPoint".into(),
            _ => "the geometry is not an object".into(),
        });
        Ok(())
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut kind = Type::Unsaid;
        while let Some(member) = object.next_key()? {
            match member {
                Member::Type => object.next_value_seed(Any(&mut kind))?,
                Member::Coordinates if kind.may_hold_points() => self.read_coordinates(&mut object)?,
                Member::Geometries => object.next_value_seed(Any(Parts(self)))?,
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        if self.flaw.is_none() {
            self.check(&kind);
        }
        Ok(())
    }
}

/// The geometries of a collection that is the geometry of one feature.
struct Parts<'a>(&'a mut Geometry);

impl<'de> Take<'de> for Parts<'_> {
    type Taken = ();

    fn plain<E: Error>(self, _: Plain<'_>) -> Result<(), E> {
        self.0.flaw = Some("the geometries of the GeometryCollection are not in a list".into());
        Ok(())
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Any(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// What takes positions as they are read; `None`: one that is not two numbers.
pub(super) trait TakePositions {
    fn position<E: Error>(&mut self, position: Option<[f64; 2]>) -> Result<(), E>;
}

impl TakePositions for Vec<Option<[f64; 2]>> {
    #[inline]
    fn position<E: Error>(&mut self, position: Option<[f64; 2]>) -> Result<(), E> {
        self.push(position);
        Ok(())
    }
}

impl TakePositions for Rows<'_, '_, '_> {
    fn position<E: Error>(&mut self, position: Option<[f64; 2]>) -> Result<(), E> {
        match position {
            Some([lon, lat]) => self.point(lon, lat),
            None => self.reject(|| "the coordinates are not [longitude, latitude] as numbers".to_owned()),
        }
    }
}

/// The value of `coordinates`: a position, or a list of them.
pub(super) struct Positions<'a, T> {
    positions: &'a mut T,
    /// Whether this is the whole value, rather than an element of it.
    whole: bool,
}

impl<'a, T> Positions<'a, T> {
    pub(super) fn new(positions: &'a mut T) -> Self {
        Self { positions, whole: true }
    }
}

impl<'de, T: TakePositions> Take<'de> for Positions<'_, T> {
    type Taken = ();

    fn plain<E: Error>(self, value: Plain<'_>) -> Result<(), E> {
        // `null` is what some write for no coordinates.
        if matches!(value, Plain::Null) { Ok(()) } else { self.positions.position(None) }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (mut place, mut ordinates, mut has_lists) = ([None; 2], 0, false);
        while let Some(element) = list.next_element_seed(Any(Element(&mut *self.positions)))? {
            match element {
                Read::List => has_lists = true,
                Read::Ordinate(value) => {
                    // Behind longitude and latitude comes an altitude.
                    if let Some(ordinate) = place.get_mut(ordinates) {
                        *ordinate = value;
                    }
                    ordinates += 1;
                }
            }
        }
        match place {
            [Some(lon), Some(lat)] if !has_lists => self.positions.position(Some([lon, lat])),
            _ if ordinates == 0 && (has_lists || self.whole) => Ok(()),
            _ => self.positions.position(None),
        }
    }
}

/// An element of coordinates: a number of a position, or a list, which is read at once.
struct Element<'a, T>(&'a mut T);

/// What an [`Element`] was.
enum Read {
    Ordinate(Option<f64>),
    List,
}

impl<'de, T: TakePositions> Take<'de> for Element<'_, T> {
    type Taken = Read;

    #[inline]
    fn plain<E: Error>(self, value: Plain<'_>) -> Result<Read, E> {
        Ok(Read::Ordinate(match value {
            Plain::Number(number) => Some(number),
            Plain::Text(text) => text.trim().parse().ok(),
            _ => None,
        }))
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Read, A::Error> {
        Positions { positions: self.0, whole: false }.list(list)?;
        Ok(Read::List)
    }
}
