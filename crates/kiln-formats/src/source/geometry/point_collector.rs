//! The geozero processor that collects points.

use geozero::GeomProcessor;
use geozero::error::{GeozeroError, Result};

use super::decode::{GeometryError, MAX_DEPTH};

/// Collects the points of a geometry. The first part that is not a point stops the processing, so that a hostile
/// geometry cannot exploit its counts or its nesting.
pub(super) struct PointCollector<'o> {
    out: &'o mut Vec<[f64; 2]>,
    srid: Option<u32>,
    depth: usize,
    error: Option<GeometryError>,
}

impl<'o> PointCollector<'o> {
    pub(super) fn new(out: &'o mut Vec<[f64; 2]>) -> Self {
        Self { out, srid: None, depth: 0, error: None }
    }

    /// Returns the SRID if geozero's `result` is a success; otherwise the reason for which the collector stopped, or
    /// `default`.
    pub(super) fn finish(
        self,
        result: Result<()>,
        default: GeometryError,
    ) -> std::result::Result<Option<u32>, GeometryError> {
        result.map(|()| self.srid).map_err(|_| self.error.unwrap_or(default))
    }

    fn stop(&mut self, error: GeometryError) -> Result<()> {
        self.error = Some(error);
        Err(GeozeroError::GeometryFormat)
    }
}

/// Adds a point unless it is empty, which WKB encodes as NaN ordinates.
pub(super) fn push(x: f64, y: f64, out: &mut Vec<[f64; 2]>) {
    if !(x.is_nan() && y.is_nan()) {
        out.push([x, y]);
    }
}

/// The SRID as an EPSG code; `None` for 0 and -1, which mean an undefined reference system.
pub(super) fn srid(srid: i32) -> Option<u32> {
    u32::try_from(srid).ok().filter(|&srid| srid > 0)
}

/// Implements the start of geometries that are not points, which are rejected by name.
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
