//! The points of one geometry, whatever its encoding.

use std::borrow::Cow;

use super::{AxisOrder, coordinate_pair, geojson, wkb, wkt};

/// The encoding of a column of geometries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Encoding {
    /// Well-known binary of the OGC or of PostGIS (EWKB), in either byte order, or behind the header of a `GeoPackage`.
    Wkb,
    /// Any [`TextEncoding`], detected for each value.
    Text,
}

/// The encoding of one geometry as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum TextEncoding {
    /// WKB or EWKB in hexadecimal digits, with or without `\x` before them.
    HexWkb,
    /// WKT, or EWKT with `SRID=…;` before it.
    Wkt,
    /// A GeoJSON geometry or feature.
    GeoJson,
    /// A position as GeoJSON writes it, `[longitude, latitude]`.
    Array,
    /// Two coordinates, latitude first, such as `59.33, 18.07` or `(59°20'N 18°04'E)`.
    Pair,
}

/// The reason why a geometry yields no points, as a sentence without the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::source) enum GeometryError {
    #[error("{0} is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices")]
    NotAPoint(Cow<'static, str>),
    #[error("the geometry is empty")]
    Empty,
    #[error("the geometry is null; expected Point or MultiPoint")]
    Null,
    #[error("the geometry is nested deeper than {MAX_DEPTH} collections")]
    TooDeep,
    #[error("the geometry is truncated or is not well-known binary (WKB)")]
    Wkb,
    #[error("the geometry is truncated or has no valid GeoPackage header")]
    GeoPackage,
    #[error("invalid WKT; expected a text like POINT (18.07 59.33)")]
    Wkt,
    #[error("invalid GeoJSON geometry: {0}")]
    GeoJson(String),
    #[error("invalid coordinates; expected latitude and longitude like 59.33, 18.07")]
    Pair,
    #[error("unknown geometry encoding; expected WKT, hexadecimal WKB, GeoJSON or coordinates like 59.33, 18.07")]
    Unknown,
}

/// The greatest depth of collections in collections.
pub(super) const MAX_DEPTH: usize = 16;

/// Adds the points of a geometry to `out`, x (longitude) first, and returns the SRID that the geometry gives.
///
/// `order` is the order of the coordinates; `None` takes the one that is usual for the encoding. The letters of a
/// [`TextEncoding::Pair`] (N, S, E, W) outrank it.
///
/// # Errors
///
/// A [`GeometryError`] if there is no point, or not only points; `out` is then as it was.
pub(in crate::source) fn read(
    encoding: Encoding,
    bytes: &[u8],
    order: Option<AxisOrder>,
    out: &mut Vec<[f64; 2]>,
) -> Result<Option<u32>, GeometryError> {
    let start = out.len();
    let read = match encoding {
        Encoding::Wkb if bytes.starts_with(b"GP") => wkb::read_geopackage(bytes, out),
        Encoding::Wkb => wkb::read(bytes, out),
        Encoding::Text => match str::from_utf8(bytes).ok().and_then(|text| Some((sniff(text)?, text.trim()))) {
            Some((TextEncoding::Pair, text)) => {
                return coordinate_pair::read(text, order.unwrap_or(AxisOrder::LatLon)).map(|point| {
                    out.push(point);
                    None
                });
            }
            Some((TextEncoding::HexWkb, text)) => wkb::read_hex(text, out),
            Some((TextEncoding::Wkt, text)) => wkt::read(text, out),
            Some((TextEncoding::GeoJson, text)) => geojson::read(text, out),
            Some((TextEncoding::Array, text)) => geojson::read_position(text, out),
            None => Err(GeometryError::Unknown),
        },
    };
    if read.is_err() {
        out.truncate(start);
    } else if out.len() == start {
        return Err(GeometryError::Empty);
    } else if order == Some(AxisOrder::LatLon) {
        out.iter_mut().skip(start).for_each(|point| point.reverse());
    }
    read
}

/// Returns the encoding that `text` begins like, or `None` if it is no geometry.
pub(in crate::source) fn sniff(text: &str) -> Option<TextEncoding> {
    let text = text.trim();
    match text.bytes().next()? {
        b'{' => Some(TextEncoding::GeoJson),
        b'[' => Some(TextEncoding::Array),
        _ if wkt::name(text).is_some() => Some(TextEncoding::Wkt),
        _ if wkb::is_hex(text) => Some(TextEncoding::HexWkb),
        _ => coordinate_pair::read(text, AxisOrder::LatLon).is_ok().then_some(TextEncoding::Pair),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
#[path = "tests/decode.rs"]
mod tests;
