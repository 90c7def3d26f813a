//! Polygons and the point-in-polygon test.

mod bands;
mod geojson;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::bands::Bands;
use super::Bounds;
use crate::error::{Error, Result};
use crate::keyed_digest::keyed_digest;
use crate::parameter::Parameter;
use crate::simd::wide;

/// A polygon or multipolygon, with or without holes, in WGS 84 degrees or in the units of a plane.
///
/// A point is inside a polygon if it is inside an odd number of its rings (even-odd rule), and inside a multipolygon if
/// it is inside at least one of its polygons. Edges are straight in degrees. A point on an edge is inside if the
/// polygon is to its north or, on an edge in north-south direction, to its east: so a point on the common edge of two
/// adjacent polygons is inside exactly one of them. The north pole is inside a polygon that extends to it.
///
/// The longitudes of a ring across the antimeridian continue beyond ±180: a point is inside if its longitude or its
/// longitude ±360° is. On a plane, x is the longitude and y the latitude, and nothing repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    /// Whether the coordinates are degrees on the globe, where longitudes repeat.
    wraps: bool,
    bounds: Bounds,
    /// The edges that are not horizontal, grouped by polygon.
    edges: Vec<Edge>,
    /// The range of edges of each polygon.
    parts: Vec<Range<usize>>,
    /// The index of the edges by latitude, if there are more than a few.
    bands: Option<Bands>,
    /// The digest of the edges, for caches of this process.
    digest: u128,
}

/// An edge from its southern to its northern end. Adjacent polygons thus have the same edge, and rounding is the same.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Edge {
    south: [f64; 2],
    north: [f64; 2],
    /// The index of the polygon.
    part: u32,
}

impl Edge {
    /// Whether the ray from `lon`, `lat` to the east crosses the edge: 1 or 0.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn crossed(&self, lon: f64, lat: f64) -> u64 {
        let Self { south: [west, south], north: [east, north], .. } = *self;
        // No short-circuit evaluation, so that loops vectorize.
        let in_latitudes = u64::from(lat >= south) & u64::from(lat < north);
        in_latitudes & u64::from((lon - west) * (north - south) < (lat - south) * (east - west))
    }
}

impl Polygon {
    /// The maximum number of positions of all rings together.
    pub const MAX_VERTICES: usize = 100_000;
    /// The maximum absolute longitude in degrees: beyond it no point would be inside.
    pub const MAX_LON_DEG: f64 = 540.0;
    /// The maximum absolute coordinate on a plane, in plane units.
    pub const MAX_PLANE: f64 = 1e9;

    /// The maximum number of edges that are all tested for each point, without an index.
    const FEW_EDGES: usize = 48;
    /// Points tested at a time.
    const BLOCK_POINTS: usize = 512;
    /// The offsets of the copies of the world, in degrees.
    const TURNS_DEG: [f64; 3] = [0.0, 360.0, -360.0];

    /// Reads a `Polygon`, a `MultiPolygon`, a `Feature` or a `FeatureCollection` of these from GeoJSON text.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is none of these, or the rings are invalid: see [`new`](Self::new).
    pub fn from_geojson(text: &str) -> Result<Self> {
        Self::new(&geojson::polygons(text)?)
    }

    /// Creates a multipolygon of `polygons`. Each polygon is a list of rings, and each ring a list of longitudes and
    /// latitudes in degrees.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there are no rings, a ring is not closed or has fewer than four positions, a latitude
    /// exceeds ±90, a longitude exceeds ±[`MAX_LON_DEG`](Self::MAX_LON_DEG), or there are more than
    /// [`MAX_VERTICES`](Self::MAX_VERTICES) positions.
    pub fn new(polygons: &[Vec<Vec<[f64; 2]>>]) -> Result<Self> {
        Self::with_bands_beyond(Self::FEW_EDGES, polygons, true)
    }

    /// Reads a polygon on a plane from GeoJSON text whose positions are x and y in plane units: see
    /// [`from_geojson`](Self::from_geojson).
    ///
    /// # Errors
    /// As for [`from_geojson`](Self::from_geojson) and [`on_plane`](Self::on_plane).
    pub fn from_plane_geojson(text: &str) -> Result<Self> {
        Self::on_plane(&geojson::polygons(text)?)
    }

    /// Creates a multipolygon on a plane. Each polygon is a list of rings, and each ring a list of x and y in plane
    /// units.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a coordinate exceeds ±[`MAX_PLANE`](Self::MAX_PLANE); otherwise as for [`new`](Self::new).
    pub fn on_plane(polygons: &[Vec<Vec<[f64; 2]>>]) -> Result<Self> {
        Self::with_bands_beyond(Self::FEW_EDGES, polygons, false)
    }

    fn with_bands_beyond(few_edges: usize, polygons: &[Vec<Vec<[f64; 2]>>], wraps: bool) -> Result<Self> {
        let vertices: usize = polygons.iter().flatten().map(Vec::len).sum();
        if vertices > Self::MAX_VERTICES {
            let max = Self::MAX_VERTICES;
            return Err(invalid(format!("{vertices} vertices exceed the limit of {max}; simplify the polygon first")));
        }
        if vertices == 0 {
            return Err(invalid("there are no polygons; expected at least one".to_owned()));
        }
        let (mut edges, mut parts) = (Vec::with_capacity(vertices), Vec::with_capacity(polygons.len()));
        for (part, rings) in polygons.iter().enumerate() {
            let start = edges.len();
            for ring in rings {
                check_ring(ring, wraps).map_err(invalid)?;
                edges.extend(ring.windows(2).filter_map(|ends| edge(ends[0], ends[1], part as u32, wraps)));
            }
            parts.push(start..edges.len());
        }
        let vertices = || polygons.iter().flatten().flatten();
        let min = |axis: usize| vertices().map(|vertex| vertex[axis]).fold(f64::INFINITY, f64::min);
        let max = |axis: usize| vertices().map(|vertex| vertex[axis]).fold(f64::NEG_INFINITY, f64::max);
        let bounds = Bounds { west: min(0), south: min(1), east: max(0), north: max(1) };
        let bands = (edges.len() > few_edges).then(|| Bands::of(&edges));
        let bits = |[lon, lat]: [f64; 2]| [lon.to_bits(), lat.to_bits()];
        let all: Vec<_> = edges.iter().map(|edge| (edge.part, bits(edge.south), bits(edge.north))).collect();
        let digest = keyed_digest((wraps, all));
        Ok(Self { wraps, bounds, edges, parts, bands, digest })
    }

    /// A digest of the edges, for caches of this process.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// The memory of the polygon in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.edges.capacity() * size_of::<Edge>()
            + self.parts.capacity() * size_of::<Range<usize>>()
            + self.bands.as_ref().map_or(0, Bands::bytes)
    }

    /// Whether the coordinates are degrees on the globe, where longitudes repeat, and not the units of a plane.
    pub fn wraps(&self) -> bool {
        self.wraps
    }

    /// The offsets of the copies of the world.
    fn turns(&self) -> &'static [f64] {
        if self.wraps { &Self::TURNS_DEG } else { &[0.0] }
    }

    /// The bounding box. If rings cross the antimeridian, its `west` is below -180 or its `east` above 180, as in the
    /// rings.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The edges that are not horizontal, each from its southern to its northern end in degrees, with the index of its
    /// polygon. They alone determine which points are inside.
    pub fn edges(&self) -> impl Iterator<Item = (u32, [[f64; 2]; 2])> {
        self.edges.iter().map(|edge| (edge.part, [edge.south, edge.north]))
    }

    /// Whether the point at `lon`, `lat`, in degrees, is inside.
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        let Bounds { west, south, east, north } = self.bounds;
        (south..=north).contains(&lat)
            && self
                .turns()
                .iter()
                .map(|turn| lon + turn)
                .any(|lon| (west..=east).contains(&lon) && self.contains_unwrapped(lon, lat))
    }

    /// Sets `inside` to whether each point, in degrees, is inside. If the lists differ in length, the shorter one
    /// counts.
    pub fn contains_all(&self, lon: &[f64], lat: &[f64], inside: &mut Vec<bool>) {
        self.contains_until(lon, lat, inside, || false);
    }

    /// Sets `inside` as [`contains_all`](Self::contains_all) does, until `is_stopped`: the remaining points are not inside.
    pub fn contains_until(&self, lon: &[f64], lat: &[f64], inside: &mut Vec<bool>, is_stopped: impl Fn() -> bool) {
        inside.clear();
        let mut scratch = Scratch::default();
        for (lon, lat) in lon.chunks(Self::BLOCK_POINTS).zip(lat.chunks(Self::BLOCK_POINTS)) {
            if is_stopped() {
                break;
            }
            let points = lon.len().min(lat.len());
            self.contains_block(&lon[..points], &lat[..points], &mut scratch, inside);
        }
        inside.resize(lon.len().min(lat.len()), false);
    }

    /// [`contains_all`](Self::contains_all) for a block of points. Appends to `inside`.
    fn contains_block(&self, lon: &[f64], lat: &[f64], scratch: &mut Scratch, inside: &mut Vec<bool>) {
        let Bounds { west, south, east, north } = self.bounds;
        let ([min_lon, max_lon], [min_lat, max_lat]) = (range(lon), range(lat));
        let is_near = |turn: &f64| min_lon + turn <= east && max_lon + turn >= west;
        let mut turns = self.turns().iter().copied().filter(is_near).peekable();
        if turns.peek().is_none() || min_lat > north || max_lat < south {
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
                        if edge.south[1] <= max_lat && edge.north[1] > min_lat {
                            flip(odd, lon, lat, turn, *edge);
                        }
                    }
                    within.iter_mut().zip(&*odd).for_each(|(within, odd)| *within |= odd);
                }
            }
            inside.extend(within.iter().map(|&within| within == 1));
        }
    }

    /// Whether a point is inside, without regard to other copies of the world.
    fn contains_unwrapped(&self, lon: f64, lat: f64) -> bool {
        match &self.bands {
            None => is_within_odd(&self.edges, lon, lat),
            Some(bands) => is_within_odd(bands.at(lat).map(|index| &self.edges[index]), lon, lat),
        }
    }
}

/// Scratch buffers for the points of a block.
#[derive(Default)]
struct Scratch {
    /// 1 for each point that is inside a polygon.
    within: Vec<u64>,
    /// 1 for each point whose ray crosses an odd number of edges of the current polygon.
    odd: Vec<u64>,
}

wide! {
    /// Flips the parity of each point whose ray to the east crosses `edge`.
    fn flip(odd: &mut [u64], lon: &[f64], lat: &[f64], turn: f64, edge: Edge) {
        for ((odd, lon), lat) in odd.iter_mut().zip(lon).zip(lat) {
            *odd ^= edge.crossed(lon + turn, *lat);
        }
    }
}

wide! {
    /// The minimum and maximum of `values`, ignoring NaN.
    fn range(values: &[f64]) -> [f64; 2] {
        values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[min, max], &value| {
            [if value < min { value } else { min }, if value > max { value } else { max }]
        })
    }
}

/// Whether the ray to the east crosses an odd number of edges of any polygon. The edges must be grouped by polygon.
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

/// The edge between two vertices; `None` if it is horizontal.
fn edge(a: [f64; 2], b: [f64; 2], part: u32, wraps: bool) -> Option<Edge> {
    // Northern ends are exclusive, so a latitude of 90 is raised to make the pole itself inside.
    let [a, b] = [a, b].map(|[lon, lat]| [lon, if wraps && lat >= 90.0 { lat.next_up() } else { lat }]);
    let (south, north) = if a[1] <= b[1] { (a, b) } else { (b, a) };
    (south[1] < north[1]).then_some(Edge { south, north, part })
}

/// Checks a ring, and returns a message if it is invalid.
#[allow(clippy::float_cmp)] // The ends of a ring must be exactly equal.
fn check_ring(ring: &[[f64; 2]], wraps: bool) -> Result<(), String> {
    for &[lon, lat] in ring {
        if !(lon.is_finite() && lat.is_finite()) {
            return Err(format!("the position {lon},{lat} is not finite"));
        }
        if !wraps {
            if lon.abs().max(lat.abs()) > Polygon::MAX_PLANE {
                return Err(format!("a coordinate of {lon},{lat} exceeds ±{:e}", Polygon::MAX_PLANE));
            }
            continue;
        }
        if lat.abs() > 90.0 {
            let hint = if lon.abs() <= 90.0 { "; longitude comes first" } else { "" };
            return Err(format!("the latitude of {lon},{lat} exceeds ±90{hint}"));
        }
        if lon.abs() > Polygon::MAX_LON_DEG {
            return Err(format!("the longitude of {lon},{lat} exceeds ±{}", Polygon::MAX_LON_DEG));
        }
    }
    match ring {
        [first, .., last] if first != last => {
            let ([lon, lat], [last_lon, last_lat]) = (first, last);
            Err(format!("a ring starts at {lon},{lat} but ends at {last_lon},{last_lat}; rings must be closed"))
        }
        [_, _, _, _, ..] => Ok(()),
        _ => Err(format!(
            "a ring has {} positions; expected at least four, of which the last equals the first",
            ring.len()
        )),
    }
}

fn invalid(message: String) -> Error {
    Error::invalid(Parameter::POLYGON, message)
}
