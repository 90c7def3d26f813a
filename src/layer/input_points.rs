//! A point set from files or another source.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::protected_layers::log_released;
use super::{ExtentScan, Layer, LayerSpec};
use crate::error::{Error, Result};
use crate::geo::Extent;
use crate::protection::ProtectedPoints;
use crate::source::{Columns, PointSet, Query, ReadOptions, ResidentPoints, ScanReport, Sink, Source};

/// The points of a source, kept in memory, where a picture reads only the points near its bounds. A query that filters
/// by time or category scans the source again, and a source of more than [`Self::MAX_RESIDENT`] points is scanned for
/// each picture.
pub struct InputPoints {
    all: Box<dyn Source>,
    resident: Option<ResidentPoints>,
    report: ScanReport,
    extent: Extent,
    version: String,
    /// Whether the query selects a weight column. Used if the points are not in memory.
    selects_weight: bool,
}

impl InputPoints {
    /// The maximum number of points kept in memory: 1 GB with weights.
    pub const MAX_RESIDENT: usize = 50_000_000;

    /// Loads the points of `all` that pass `query`, from its columns; `names` are the names of the inputs in messages.
    ///
    /// # Errors
    /// If an input cannot be read, or has no valid point.
    pub fn load(all: Box<dyn Source>, names: &[String], query: &Query<'_>) -> Result<Self> {
        let query = query.clone().with_weights(true);
        let resident = match ResidentPoints::load(&*all, &query, Self::MAX_RESIDENT) {
            Ok(resident) => Some(resident),
            Err(Error::Cancelled) => None,
            Err(error) => return Err(error),
        };
        let (extent, report, version) = if let Some(resident) = &resident {
            (resident.extent().clone(), resident.report(), resident.version())
        } else {
            let ExtentScan { extent, report, .. } = ExtentScan::of(&*all, &query, crate::available_threads())?;
            let version = format!("{:016x}", report.read);
            (extent, report, version)
        };
        report.require_points(names)?;
        let selects_weight = query.columns.names.weight.as_deref().is_some_and(|name| name != Columns::NO_COLUMN);
        Ok(Self { all, resident, report, extent, version, selects_weight })
    }

    /// The points in memory if they can serve `query`, else the source.
    fn source(&self, query: &Query<'_>) -> &dyn Source {
        match &self.resident {
            Some(resident) if resident.serves(query) => resident,
            _ => &*self.all,
        }
    }
}

impl Source for InputPoints {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        self.source(query).scan(query, sinks)
    }
}

impl PointSet for InputPoints {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn extent(&self) -> &Extent {
        &self.extent
    }

    fn points(&self) -> u64 {
        self.report.valid()
    }

    fn is_weighted(&self) -> bool {
        self.resident.as_ref().map_or(self.selects_weight, PointSet::is_weighted)
    }

    fn report(&self) -> ScanReport {
        self.report.clone()
    }

    fn is_reread(&self) -> bool {
        self.resident.is_none()
    }
}

impl std::fmt::Debug for InputPoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputPoints").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Layer {
    /// Opens the layer of the files in `spec`.
    ///
    /// # Errors
    /// If an input cannot be read, or has no valid point.
    #[cfg(feature = "formats")]
    pub fn open(spec: LayerSpec) -> Result<Self> {
        let open = |input: &String| crate::source::open(input, &spec.read);
        let inputs = crate::source::Inputs(spec.inputs.iter().map(open).collect::<Result<_>>()?);
        Self::of_source(spec, Box::new(inputs))
    }

    /// The layer of the points of a source; `spec` has the names of the inputs for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of_source(spec: LayerSpec, source: Box<dyn Source>) -> Result<Self> {
        Self::filtered(spec, source, &Query::default())
    }

    /// The layer of the points of a source that pass the filter of `query`. With a [protection](LayerSpec::protection),
    /// it has the released points, and the source is read once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn filtered(spec: LayerSpec, source: Box<dyn Source>, query: &Query<'_>) -> Result<Self> {
        let query = query.clone().with_names(spec.columns.clone()).with_coordinate_space(spec.space);
        if let Some(protection) = &spec.protection {
            let threads = crate::available_threads();
            let (points, report) = ProtectedPoints::of_source(&*source, &query, protection, threads)?;
            report.require_points(&spec.inputs)?;
            log_released(&spec.name, &points);
            return Ok(Self::new(spec, Arc::new(points)));
        }
        let mut points = InputPoints::load(source, &spec.inputs, &query)?;
        // The version is a hash of positions and weights, which do not depend on how times, categories and tracks
        // are read.
        let describe = |columns: &Columns, read: &ReadOptions| {
            let Columns { time, category, track, .. } = columns;
            format!("{time:?} {category:?} {track:?} {read:?}")
        };
        let options = describe(&spec.columns, &spec.read);
        if options != describe(&Columns::default(), &ReadOptions::default()) {
            let mut hasher = DefaultHasher::new();
            options.hash(&mut hasher);
            points.version = format!("{}{:08x}", points.version, hasher.finish() as u32);
        }
        Ok(Self::new(spec, Arc::new(points)))
    }
}
