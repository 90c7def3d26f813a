//! Points in well-known binary: the flavors of the OGC and of `PostGIS`, either byte order, with or without Z, M and SRID.

/// Why a geometry yields no point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("the geometry is a {0}, not a point")]
    NotAPoint(&'static str),
    #[error("the geometry is of the unknown type {0}")]
    UnknownType(u32),
    #[error("the geometry is empty")]
    Empty,
    #[error("the geometry is cut short or is not well-known binary")]
    Malformed,
}

/// Puts the points of a Point or a `MultiPoint` into `points` in place of what it held.
pub(super) fn read_points(wkb: &[u8], points: &mut Vec<(f64, f64)>) -> Result<(), Flaw> {
    points.clear();
    let mut bytes = Bytes { rest: wkb, big_endian: false };
    match bytes.head()? {
        Head { kind: POINT, ordinates } => points.push(bytes.position(ordinates)?),
        Head { kind: MULTI_POINT, .. } => {
            for _ in 0..bytes.u32()? {
                let Head { kind: POINT, ordinates } = bytes.head()? else { return Err(Flaw::Malformed) };
                points.push(bytes.position(ordinates)?);
            }
        }
        Head { kind, .. } => return Err(name(kind).map_or(Flaw::UnknownType(kind), Flaw::NotAPoint)),
    }
    // An empty Point is written with NaN for its ordinates.
    points.retain(|(x, y)| !(x.is_nan() && y.is_nan()));
    if points.is_empty() { Err(Flaw::Empty) } else { Ok(()) }
}

const POINT: u32 = 1;
const MULTI_POINT: u32 = 4;

fn name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        2 => "LineString",
        3 => "Polygon",
        5 => "MultiLineString",
        6 => "MultiPolygon",
        7 => "GeometryCollection",
        8 => "CircularString",
        9 => "CompoundCurve",
        10 => "CurvePolygon",
        11 => "MultiCurve",
        12 => "MultiSurface",
        15 => "PolyhedralSurface",
        16 => "TIN",
        17 => "Triangle",
        _ => return None,
    })
}

/// What every geometry begins with.
struct Head {
    kind: u32,
    /// Numbers in a position: 2, 3 or 4.
    ordinates: usize,
}

struct Bytes<'a> {
    rest: &'a [u8],
    big_endian: bool,
}

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Flaw::Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Flaw> {
        let bytes = self.take()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn f64(&mut self) -> Result<f64, Flaw> {
        let bytes = self.take()?;
        Ok(if self.big_endian { f64::from_be_bytes(bytes) } else { f64::from_le_bytes(bytes) })
    }

    fn head(&mut self) -> Result<Head, Flaw> {
        self.big_endian = match self.take()? {
            [0] => true,
            [1] => false,
            _ => return Err(Flaw::Malformed),
        };
        let code = self.u32()?;
        // PostGIS flags Z, M and SRID in the high bits; the OGC adds 1000 for Z, 2000 for M and 3000 for both.
        let (z, m, srid) = (code & 0x8000_0000 != 0, code & 0x4000_0000 != 0, code & 0x2000_0000 != 0);
        let code = code & 0x1FFF_FFFF;
        if srid {
            self.u32()?;
        }
        let added = match code / 1000 {
            0 => 0,
            1 | 2 => 1,
            3 => 2,
            _ => return Err(Flaw::UnknownType(code)),
        };
        Ok(Head { kind: code % 1000, ordinates: 2 + added + usize::from(z) + usize::from(m) })
    }

    fn position(&mut self, ordinates: usize) -> Result<(f64, f64), Flaw> {
        let position = (self.f64()?, self.f64()?);
        for _ in 2..ordinates {
            self.f64()?;
        }
        Ok(position)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn point(big_endian: bool, code: u32, srid: Option<u32>, ordinates: &[f64]) -> Vec<u8> {
        let word = |v: u32| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
        let number = |v: &f64| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
        let mut wkb = vec![u8::from(!big_endian)];
        wkb.extend(word(code));
        wkb.extend(srid.into_iter().flat_map(word));
        wkb.extend(ordinates.iter().flat_map(number));
        wkb
    }

    fn read(wkb: &[u8]) -> Result<Vec<(f64, f64)>, Flaw> {
        let mut points = vec![(9.0, 9.0)];
        read_points(wkb, &mut points).map(|()| points)
    }

    #[test]
    fn every_flavor_of_point_is_read() {
        for big_endian in [false, true] {
            for (code, srid, extra) in [
                (1, None, 0),
                (1001, None, 1),
                (2001, None, 1),
                (3001, None, 2),
                (0x8000_0001, None, 1),
                (0xC000_0001, None, 2),
                (0x2000_0001, Some(4326), 0),
                (0xE000_0001, Some(4326), 2),
            ] {
                let ordinates = [vec![8.5, -47.25], vec![7.0; extra]].concat();
                assert_eq!(read(&point(big_endian, code, srid, &ordinates)), Ok(vec![(8.5, -47.25)]), "{code:x}");
            }
        }
    }

    #[test]
    fn a_multi_point_yields_each_of_its_points() {
        // The parts may have their own byte order.
        let parts = [point(true, 1001, None, &[1.0, 2.0, 0.0]), point(false, 1001, None, &[3.0, 4.0, 0.0])];
        let wkb = [point(false, 1004, None, &[]), vec![2, 0, 0, 0], parts.concat()].concat();
        assert_eq!(read(&wkb), Ok(vec![(1.0, 2.0), (3.0, 4.0)]));
        for cut in 0..wkb.len() {
            assert_eq!(read(&wkb[..cut]), Err(Flaw::Malformed));
        }
    }

    #[test]
    fn what_is_not_a_point_is_named() {
        assert_eq!(read(&point(false, 2, None, &[])), Err(Flaw::NotAPoint("LineString")));
        assert_eq!(read(&point(true, 0xA000_0003, Some(4326), &[])), Err(Flaw::NotAPoint("Polygon")));
        assert_eq!(read(&point(false, 99, None, &[])), Err(Flaw::UnknownType(99)));
        assert_eq!(read(&point(false, 1, None, &[f64::NAN, f64::NAN])), Err(Flaw::Empty));
        assert_eq!(read(&[point(false, 4, None, &[]), vec![0; 4]].concat()), Err(Flaw::Empty));
        assert_eq!(read(b"POINT(1 2)"), Err(Flaw::Malformed));
        assert_eq!(read(&[]), Err(Flaw::Malformed));
    }
}
