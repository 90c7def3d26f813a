//! The receiver of the points that geozero reads.

use geozero::GeomProcessor;
use geozero::error::{GeozeroError, Result};

use super::decode::{GeometryError, MAX_DEPTH};

/// The points of one geometry as they are read. The first part that is not a point ends the reading, so neither the counts
/// nor the nesting of a hostile geometry are followed.
pub(super) struct PointCollector<'o> {
    out: &'o mut Vec<[f64; 2]>,
    srid: Option<u32>,
    depth: usize,
    flaw: Option<GeometryError>,
}

impl<'o> PointCollector<'o> {
    pub(super) fn new(out: &'o mut Vec<[f64; 2]>) -> Self {
        Self { out, srid: None, depth: 0, flaw: None }
    }

    /// Returns the SRID of a geometry that `read` went through, or why it has none: the own reason, or else `flaw`.
    pub(super) fn finish(
        self,
        read: Result<()>,
        flaw: GeometryError,
    ) -> std::result::Result<Option<u32>, GeometryError> {
        read.map(|()| self.srid).map_err(|_| self.flaw.unwrap_or(flaw))
    }

    fn stop(&mut self, flaw: GeometryError) -> Result<()> {
        self.flaw = Some(flaw);
        Err(GeozeroError::GeometryFormat)
    }
}

/// Adds a point, unless it is empty, which is written with NaN for its ordinates.
pub(super) fn push(x: f64, y: f64, out: &mut Vec<[f64; 2]>) {
    if !(x.is_nan() && y.is_nan()) {
        out.push([x, y]);
    }
}

/// The SRID as a code; 0 and -1 stand for an undefined reference system.
pub(super) fn srid(srid: i32) -> Option<u32> {
    u32::try_from(srid).ok().filter(|&srid| srid > 0)
}

/// Rejects the geometries that are not points, by their names.
macro_rules! reject {
    ($($begin:ident($($argument:ty),*) $name:literal)*) => {
        $(fn $begin(&mut self, $(_: $argument),*) -> Result<()> {
            self.stop(GeometryError::NotAPoint($name.into()))
        })*
    };
}

impl GeomProcessor for PointCollector<'_> {
    fn srid(&mut self, srid: Option<i32>) -> Result<()> {
        self.srid = srid.and_then(self::srid);
        Ok(())
    }

    fn xy(&mut self, x: f64, y: f64, _: usize) -> Result<()> {
        push(x, y, self.out);
        Ok(())
    }

    fn empty_point(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    fn geometrycollection_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.stop(GeometryError::TooDeep) } else { Ok(()) }
    }

    fn geometrycollection_end(&mut self, _: usize) -> Result<()> {
        self.depth -= 1;
        Ok(())
    }

    reject! {
        linestring_begin(bool, usize, usize) "LineString"
        polygon_begin(bool, usize, usize) "Polygon"
        multilinestring_begin(usize, usize) "MultiLineString"
        multipolygon_begin(usize, usize) "MultiPolygon"
        circularstring_begin(usize, usize) "CircularString"
        compoundcurve_begin(usize, usize) "CompoundCurve"
        curvepolygon_begin(usize, usize) "CurvePolygon"
        multicurve_begin(usize, usize) "MultiCurve"
        multisurface_begin(usize, usize) "MultiSurface"
        polyhedralsurface_begin(usize, usize) "PolyhedralSurface"
        tin_begin(usize, usize) "TIN"
        triangle_begin(bool, usize, usize) "Triangle"
    }
}
