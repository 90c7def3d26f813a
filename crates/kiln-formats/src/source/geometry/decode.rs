//! Decoding of a geometry into its points.

use std::borrow::Cow;

use super::{AxisOrder, coordinate_pair, geojson, wkb, wkt};

/// The encoding of a column of geometries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Encoding {
    /// OGC well-known binary (WKB) or PostGIS EWKB in either byte order, or a `GeoPackage` geometry blob.
    Wkb,
    /// Any [`TextEncoding`], detected for each value.
    Text,
}

/// The encoding of one geometry as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum TextEncoding {
    /// WKB or EWKB in hexadecimal digits, with or without a leading `\x`.
    HexWkb,
    /// WKT, or EWKT with a leading `SRID=…;`.
    Wkt,
    /// A GeoJSON geometry or feature.
    GeoJson,
    /// A GeoJSON position, `[longitude, latitude]`.
    Array,
    /// Two coordinates, latitude first, such as `59.33, 18.07` or `(59°20'N 18°04'E)`.
    Pair,
}

/// The reason why a geometry has no points, as a message without the value.
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

/// The maximum nesting of geometry collections.
pub(super) const MAX_DEPTH: usize = 16;

/// Adds the points of a geometry to `out`, x (longitude) first, and returns the SRID of the geometry, if any.
///
/// `order` is the axis order; `None` means the usual one of the encoding. The hemispheres (N, S, E, W) of a
/// [`TextEncoding::Pair`] take precedence.
///
/// # Errors
///
/// A [`GeometryError`] if the geometry is invalid, empty, or not only made of points; `out` is then unchanged.
pub(in crate::source) fn read(
    encoding: Encoding,
    bytes: &[u8],
    order: Option<AxisOrder>,
    out: &mut Vec<[f64; 2]>,
) -> Result<Option<u32>, GeometryError> {
    let start = out.len();
    let srid = match encoding {
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
    if srid.is_err() {
        out.truncate(start);
    } else if out.len() == start {
        return Err(GeometryError::Empty);
    } else if order == Some(AxisOrder::LatLon) {
        out.iter_mut().skip(start).for_each(|point| point.reverse());
    }
    srid
}

/// Detects the encoding of `text` by how it begins; `None` if it is not a geometry.
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
