//! Areas that points are inside of or not.

mod bands;
mod geojson;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::bands::Bands;
use super::Bounds;
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::simd::wide;

/// One polygon or several, each with holes or without, in WGS 84 degrees.
///
/// What lies within an odd number of a polygon's rings is inside the polygon, and what is inside of one polygon or more
/// is inside. Edges are straight in degrees. Of points on an edge, those are inside that have the polygon to their north
/// or, on an edge from south to north, to their east: so of two neighbors with a common edge exactly one has the point.
/// The north pole is inside what reaches up to it.
///
/// A ring across the antimeridian goes on beyond ±180: a point is inside if it is at its longitude, or a whole turn
/// further east or west.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    bounds: Bounds,
    /// The edges that are not level, those of each polygon together.
    edges: Vec<Edge>,
    /// The edges of each polygon.
    parts: Vec<Range<usize>>,
    /// Where there are more than a few edges: which of them matter at a latitude.
    bands: Option<Bands>,
}

/// An edge from its southern to its northern end, which neighbors do alike, so that rounding treats them alike too.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Edge {
    south: [f64; 2],
    north: [f64; 2],
    /// Which polygon it belongs to.
    part: u32,
}

impl Edge {
    /// Whether the way from `lon`, `lat` to the east crosses the edge: 1 or 0.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn crossed(&self, lon: f64, lat: f64) -> u64 {
        let Self { south: [west, south], north: [east, north], .. } = *self;
        // No product of truth values is skipped, so that loops vectorize.
        let beside = u64::from(lat >= south) & u64::from(lat < north);
        beside & u64::from((lon - west) * (north - south) < (lat - south) * (east - west))
    }
}

impl Polygon {
    /// Most positions of all rings together.
    pub const MAX_VERTICES: usize = 100_000;
    /// Farthest longitude either side of 0, in degrees: beyond it no point would be inside.
    pub const MAX_LON_DEG: f64 = 540.0;

    /// Edges up to which all of them are looked at for each point.
    const FEW_EDGES: usize = 48;
    /// Points looked at together.
    const BLOCK_POINTS: usize = 512;
    /// Where the world repeats, in degrees.
    const TURNS_DEG: [f64; 3] = [0.0, 360.0, -360.0];

    /// Reads a `Polygon`, a `MultiPolygon`, a `Feature` or a `FeatureCollection` of these from GeoJSON text.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is none of these, or the rings are not as [`new`](Self::new) needs them.
    pub fn from_geojson(text: &str) -> Result<Self> {
        Self::new(&geojson::polygons(text)?)
    }

    /// The area of `polygons`: each is a list of rings, and each ring a list of longitudes and latitudes in degrees.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no ring, one does not end where it began or has fewer than four positions, a
    /// latitude is beyond ±90 or a longitude beyond ±[`MAX_LON_DEG`](Self::MAX_LON_DEG), or there are more than
    /// [`MAX_VERTICES`](Self::MAX_VERTICES) positions.
    pub fn new(polygons: &[Vec<Vec<[f64; 2]>>]) -> Result<Self> {
        Self::with_bands_beyond(Self::FEW_EDGES, polygons)
    }

    fn with_bands_beyond(few_edges: usize, polygons: &[Vec<Vec<[f64; 2]>>]) -> Result<Self> {
        let vertices: usize = polygons.iter().flatten().map(Vec::len).sum();
        if vertices > Self::MAX_VERTICES {
            let most = Self::MAX_VERTICES;
            return Err(invalid(format!("{vertices} vertices are more than {most}; simplify it first")));
        }
        if vertices == 0 {
            return Err(invalid("there is no polygon in it".to_owned()));
        }
        let (mut edges, mut parts) = (Vec::with_capacity(vertices), Vec::with_capacity(polygons.len()));
        for (part, rings) in polygons.iter().enumerate() {
            let start = edges.len();
            for ring in rings {
                check(ring).map_err(invalid)?;
                edges.extend(ring.windows(2).filter_map(|ends| edge(ends[0], ends[1], part as u32)));
            }
            parts.push(start..edges.len());
        }
        let vertices = || polygons.iter().flatten().flatten();
        let least = |axis: usize| vertices().map(|vertex| vertex[axis]).fold(f64::INFINITY, f64::min);
        let most = |axis: usize| vertices().map(|vertex| vertex[axis]).fold(f64::NEG_INFINITY, f64::max);
        let bounds = Bounds { west: least(0), south: least(1), east: most(0), north: most(1) };
        let bands = (edges.len() > few_edges).then(|| Bands::of(&edges));
        Ok(Self { bounds, edges, parts, bands })
    }

    /// The smallest rectangle around it. Across the antimeridian its `west` is below -180 or its `east` beyond 180, as
    /// the rings have it.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The edges that are not level, each from its southern to its northern end in degrees, with the number of its polygon.
    /// They determine which points are inside.
    pub fn edges(&self) -> impl Iterator<Item = (u32, [[f64; 2]; 2])> {
        self.edges.iter().map(|edge| (edge.part, [edge.south, edge.north]))
    }

    /// Whether the point at `lon`, `lat`, in degrees, is inside.
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        let Bounds { west, south, east, north } = self.bounds;
        (south..=north).contains(&lat)
            && Self::TURNS_DEG
                .iter()
                .map(|turn| lon + turn)
                .any(|lon| (west..=east).contains(&lon) && self.contains_unturned(lon, lat))
    }

    /// Tells for each point, in degrees, whether it is inside: in `inside`, in place of what that held. Points beyond the
    /// end of the shorter list are left out.
    pub fn contains_all(&self, lon: &[f64], lat: &[f64], inside: &mut Vec<bool>) {
        inside.clear();
        let mut scratch = Scratch::default();
        for (lon, lat) in lon.chunks(Self::BLOCK_POINTS).zip(lat.chunks(Self::BLOCK_POINTS)) {
            let points = lon.len().min(lat.len());
            self.contains_block(&lon[..points], &lat[..points], &mut scratch, inside);
        }
    }

    /// The same for a few points, behind what `inside` holds.
    fn contains_block(&self, lon: &[f64], lat: &[f64], scratch: &mut Scratch, inside: &mut Vec<bool>) {
        let Bounds { west, south, east, north } = self.bounds;
        let ([west_most, east_most], [south_most, north_most]) = (range(lon), range(lat));
        let is_near = |turn: &f64| west_most + turn <= east && east_most + turn >= west;
        let mut turns = Self::TURNS_DEG.iter().copied().filter(is_near).peekable();
        if turns.peek().is_none() || south_most > north || north_most < south {
            inside.resize(inside.len() + lon.len(), false);
        } else if self.bands.is_some() {
            inside.extend(lon.iter().zip(lat).map(|(&lon, &lat)| self.contains(lon, lat)));
        } else {
            let Scratch { within, odd } = scratch;
            within.clear();
            within.resize(lon.len(), 0);
            for turn in turns {
                for part in &self.parts {
                    odd.clear();
                    odd.resize(lon.len(), 0);
                    for edge in &self.edges[part.clone()] {
                        if edge.south[1] <= north_most && edge.north[1] > south_most {
                            flip(odd, lon, lat, turn, *edge);
                        }
                    }
                    within.iter_mut().zip(&*odd).for_each(|(within, odd)| *within |= odd);
                }
            }
            inside.extend(within.iter().map(|&within| within == 1));
        }
    }

    /// Whether a point in this copy of the world is inside.
    fn contains_unturned(&self, lon: f64, lat: f64) -> bool {
        match &self.bands {
            None => is_within_odd(&self.edges, lon, lat),
            Some(bands) => is_within_odd(bands.at(lat).map(|index| &self.edges[index]), lon, lat),
        }
    }
}

/// What is told of the points of a block: 1 for each that lies within a polygon, and 1 for each that has crossed an odd
/// number of the edges of one.
#[derive(Default)]
struct Scratch {
    within: Vec<u64>,
    odd: Vec<u64>,
}

wide! {
    /// Flips the parity of each point that crosses `edge` on its way to the east.
    fn flip(odd: &mut [u64], lon: &[f64], lat: &[f64], turn: f64, edge: Edge) {
        for ((odd, lon), lat) in odd.iter_mut().zip(lon).zip(lat) {
            *odd ^= edge.crossed(lon + turn, *lat);
        }
    }
}

wide! {
    /// The least and the greatest of `values`; those that are no number do not count.
    fn range(values: &[f64]) -> [f64; 2] {
        values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], &value| {
            [if value < least { value } else { least }, if value > most { value } else { most }]
        })
    }
}

/// Whether the way to the east crosses an odd number of the edges of any polygon; edges of one polygon come together.
fn is_within_odd<'e>(edges: impl IntoIterator<Item = &'e Edge>, lon: f64, lat: f64) -> bool {
    let (mut part, mut odd) = (0, 0);
    for edge in edges {
        if edge.part != part {
            if odd == 1 {
                return true;
            }
            part = edge.part;
        }
        odd ^= edge.crossed(lon, lat);
    }
    odd == 1
}

/// The edge between two vertices, unless it is level.
fn edge(a: [f64; 2], b: [f64; 2], part: u32) -> Option<Edge> {
    // Nothing is north of the pole, so what reaches up to it holds it.
    let [a, b] = [a, b].map(|[lon, lat]| [lon, if lat >= 90.0 { lat.next_up() } else { lat }]);
    let (south, north) = if a[1] <= b[1] { (a, b) } else { (b, a) };
    (south[1] < north[1]).then_some(Edge { south, north, part })
}

/// Says what is wrong with a ring.
#[allow(clippy::float_cmp)] // The ends of a ring are the same number or they are not.
fn check(ring: &[[f64; 2]]) -> Result<(), String> {
    for &[lon, lat] in ring {
        if !(lon.is_finite() && lat.is_finite()) {
            return Err(format!("the position {lon},{lat} is not finite"));
        }
        if lat.abs() > 90.0 {
            let swapped = if lon.abs() <= 90.0 { "; longitude comes first" } else { "" };
            return Err(format!("the latitude of {lon},{lat} is beyond ±90{swapped}"));
        }
        if lon.abs() > Polygon::MAX_LON_DEG {
            return Err(format!("the longitude of {lon},{lat} is beyond ±{}", Polygon::MAX_LON_DEG));
        }
    }
    match ring {
        [first, .., last] if first != last => {
            let ([lon, lat], [last_lon, last_lat]) = (first, last);
            Err(format!("a ring begins at {lon},{lat} but ends at {last_lon},{last_lat}; it has to be closed"))
        }
        [_, _, _, _, ..] => Ok(()),
        _ => Err(format!("a ring of {} positions; it takes four, of which the last is the first again", ring.len())),
    }
}

fn invalid(message: String) -> Error {
    Error::invalid(Parameter::POLYGON, message)
}
