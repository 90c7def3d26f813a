//! Points in well-known binary (WKB): OGC WKB, PostGIS EWKB, hexadecimal digits, and `GeoPackage` blobs.

use geozero::GeozeroGeometry;
use geozero::wkb::{Ewkb, Wkb};

use super::decode::GeometryError;
use super::point_collector::{self, PointCollector, push};

/// The byte order and type of a little-endian Point; its two ordinates follow.
const PLAIN_POINT: [u8; 5] = [1, 1, 0, 0, 0];

/// The flags for Z, M and SRID in the type of EWKB; OGC WKB adds thousands to the type instead.
const EWKB_FLAGS: u32 = 0xE000_0000;

/// Adds the points of WKB or EWKB to `out` and returns the SRID, if any.
pub(super) fn read(wkb: &[u8], out: &mut Vec<[f64; 2]>) -> Result<Option<u32>, GeometryError> {
    // A fast path for the usual form: 1,100 million points per second; geozero reads 174 million.
    if let Some(point) = wkb.strip_prefix(&PLAIN_POINT)
        && let (&[x, y], []) = point.as_chunks()
    {
        push(f64::from_le_bytes(x), f64::from_le_bytes(y), out);
        return Ok(None);
    }
    let code = match wkb {
        [0, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        [1, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => return Err(GeometryError::Wkb),
    };
    let mut points = PointCollector::new(out);
    let result = match code & EWKB_FLAGS {
        0 => Wkb(wkb).process_geom(&mut points),
        _ => Ewkb(wkb).process_geom(&mut points),
    };
    points.finish(result, GeometryError::Wkb)
}

/// Reads a `GeoPackage` blob: its header, and the [WKB](read) that follows. geozero 0.15 is not used because it reads
/// the coordinates in the byte order of the header instead of that of the WKB.
pub(super) fn read_geopackage(blob: &[u8], out: &mut Vec<[f64; 2]>) -> Result<Option<u32>, GeometryError> {
    let (&[b'G', b'P', _, flags, ref srid @ ..], rest) =
        blob.split_first_chunk::<8>().ok_or(GeometryError::GeoPackage)?
    else {
        return Err(GeometryError::GeoPackage);
    };
    let envelope = match flags >> 1 & 7 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        _ => return Err(GeometryError::GeoPackage),
    };
    let srid = if flags & 1 == 0 { i32::from_be_bytes(*srid) } else { i32::from_le_bytes(*srid) };
    read(rest.get(envelope..).ok_or(GeometryError::GeoPackage)?, out)?;
    Ok(point_collector::srid(srid))
}

/// Reads [WKB](read) in hexadecimal digits.
pub(super) fn read_hex(text: &str, out: &mut Vec<[f64; 2]>) -> Result<Option<u32>, GeometryError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits(text).as_bytes().as_chunks();
    let wkb: Option<Vec<u8>> = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    read(&wkb.filter(|_| rest.is_empty()).ok_or(GeometryError::Wkb)?, out)
}

/// Whether `text` begins with the hexadecimal digits of WKB: at least nine bytes, the first of them `00` or `01`.
pub(super) fn is_hex(text: &str) -> bool {
    let digits = digits(text).as_bytes();
    matches!(digits, [b'0', b'0' | b'1', ..])
        && digits.get(..18).is_some_and(|start| start.iter().all(u8::is_ascii_hexdigit))
}

/// The digits after the prefix `\x` of `PostgreSQL` or `0x` of other databases, if there is one.
fn digits(text: &str) -> &str {
    [r"\x", "0x", "0X"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text)
}
