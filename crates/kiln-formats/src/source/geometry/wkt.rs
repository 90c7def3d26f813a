//! Points in well-known text (WKT), with or without the `SRID=…;` of PostGIS.

use std::borrow::Cow;

use geozero::GeozeroGeometry;
use geozero::wkt::Wkt;

use super::decode::{GeometryError, MAX_DEPTH};
use super::point_collector::PointCollector;

/// The names of geometries in WKT; the first three consist of points.
const NAMES: [&str; 16] = [
    "Point",
    "MultiPoint",
    "GeometryCollection",
    "LineString",
    "LinearRing",
    "Polygon",
    "MultiLineString",
    "MultiPolygon",
    "CircularString",
    "CompoundCurve",
    "CurvePolygon",
    "MultiCurve",
    "MultiSurface",
    "PolyhedralSurface",
    "TIN",
    "Triangle",
];

/// Adds the points of WKT or EWKT to `out` and returns the SRID, if any.
///
/// The `wkt` crate 0.14 recurses into collections without a bound, ignores trailing text, and reads neither curves nor
/// positions of three numbers without a `Z`. This function handles these cases before it calls the crate.
pub(super) fn read(text: &str, out: &mut Vec<[f64; 2]>) -> Result<Option<u32>, GeometryError> {
    let (srid, text) = split_srid(text);
    let name = name(text).ok_or(GeometryError::Wkt)?;
    if !NAMES[..3].contains(&name) {
        return Err(GeometryError::NotAPoint(name.into()));
    }
    check_parentheses(text)?;
    let mut points = PointCollector::new(out);
    let result = Wkt(with_dimension(text).as_bytes()).process_geom(&mut points);
    points.finish(result, GeometryError::Wkt)?;
    Ok(srid)
}

/// The name of the geometry at the start of `text`.
pub(super) fn name(text: &str) -> Option<&'static str> {
    let text = split_srid(text).1;
    let end = text.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let is_name = |name: &str| {
        let (start, dimension) = text[..end].split_at_checked(name.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(name) && ["", "Z", "M", "ZM"].iter().any(|tag| tag.eq_ignore_ascii_case(dimension))
    };
    NAMES.into_iter().find(|name| is_name(name))
}

/// Splits off a leading `SRID=4326;`.
fn split_srid(text: &str) -> (Option<u32>, &str) {
    let srid = |(head, rest)| {
        let (key, value) = str::split_once(head, '=')?;
        key.trim().eq_ignore_ascii_case("SRID").then_some((value.trim().parse().ok(), str::trim_start(rest)))
    };
    text.split_once(';').and_then(srid).unwrap_or((None, text))
}

/// Checks that parentheses match, do not exceed the maximum depth, and enclose the end of the text.
fn check_parentheses(text: &str) -> Result<(), GeometryError> {
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' if depth > MAX_DEPTH => return Err(GeometryError::TooDeep),
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).ok_or(GeometryError::Wkt)?,
            _ => continue,
        }
        if depth == 0 && !text[index + 1..].trim().is_empty() {
            return Err(GeometryError::Wkt);
        }
    }
    if depth == 0 { Ok(()) } else { Err(GeometryError::Wkt) }
}

/// Adds the `Z` or `ZM` that the standard requires for positions of three or four numbers, and that PostGIS omits.
fn with_dimension(text: &str) -> Cow<'_, str> {
    let Some((name, positions)) = text.split_once('(') else { return text.into() };
    let first = positions.trim_start_matches(['(', ' ']).split([',', ')']).next().unwrap_or_default();
    let tag = match first.split_ascii_whitespace().count() {
        3 => "Z",
        4 => "ZM",
        _ => return text.into(),
    };
    let is_plain = NAMES[..2].iter().any(|plain| plain.eq_ignore_ascii_case(name.trim()));
    if is_plain { format!("{name} {tag}({positions}").into() } else { text.into() }
}
