//! Snapshots of layers.

use std::path::Path;
use std::sync::Arc;

use super::aggregate::{CellRequest, aggregate};
use super::damage::Damage;
use super::filter::Filter;
use super::manifest::{Description, Manifest};
use super::requests::Request;
use super::segment::Segment;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Canvas, Extent, Frame, Projection};
use kiln_core::parameter::Parameter;
use kiln_core::raster::{Cells, Reduction};
use kiln_core::source::{CoordinateSpace, Query, ScanReport};

/// An immutable snapshot of the points of a layer.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) manifest: Manifest,
    pub(super) segments: Vec<Arc<Segment>>,
    damaged: Vec<Damage>,
    extent: Extent,
}

/// Statistics of the points of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Number of points.
    pub points: u64,
    /// Sum, minimum and maximum of the weights; `None` if every point weighs 1.
    pub weight: Option<[f64; 3]>,
    /// First and last time in microseconds since 1970-01-01 UTC; `None` if no point has a time.
    pub time_us: Option<[i64; 2]>,
    /// Number of points without a time, if others have one.
    pub untimed: u64,
    /// Number of segments.
    pub segments: usize,
    /// Size on disk, in bytes.
    pub bytes: u64,
    /// The categories in alphabetical order.
    pub categories: Vec<String>,
}

impl Snapshot {
    /// Opens the segments of a manifest, reusing those that the snapshot `before` has open. A missing file counts as
    /// damage if the manifest is known to be the newest one; otherwise it is an error.
    pub(super) fn open(folder: &Path, manifest: Manifest, before: Option<&Self>, is_newest: bool) -> Result<Self> {
        // A layer that was removed and created again has different segments with the same numbers.
        let before = before.filter(|before| before.manifest.id == manifest.id);
        let frame = manifest.space.frame().unwrap_or_default();
        let mut segments = Vec::with_capacity(manifest.segments.len());
        let mut damaged = Vec::new();
        for entry in &manifest.segments {
            let known = before.and_then(|before| before.segments.iter().find(|segment| segment.entry == *entry));
            let damage = before.and_then(|before| before.damaged.iter().find(|damage| damage.segment == entry.id));
            if let Some(segment) = known {
                match segment.damage() {
                    Some(error) => damaged.push(Damage::new(entry, &error)),
                    None => segments.push(Arc::clone(segment)),
                }
            } else if let Some(damage) = damage {
                damaged.push(damage.clone());
            } else {
                match Segment::open(folder, &Manifest::segment_name(entry.id), entry, frame, manifest.level)
                    .and_then(verify_small)
                {
                    Ok(segment) => segments.push(Arc::new(segment)),
                    // Permanent errors: a retry would not help.
                    Err(error) if matches!(error, Error::Input { .. }) || is_newest && is_missing(&error) => {
                        damaged.push(Damage::new(entry, &error));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let mut extent = Extent::default();
        for segment in &segments {
            segment.entry.totals.add_extent_to(&mut extent);
        }
        Ok(Self { manifest, segments, damaged, extent })
    }

    /// The snapshot without a damaged segment.
    pub(super) fn without(&self, damage: Damage) -> Self {
        let mut segments = self.segments.clone();
        segments.retain(|segment| segment.entry.id != damage.segment);
        let mut extent = Extent::default();
        for segment in &segments {
            segment.entry.totals.add_extent_to(&mut extent);
        }
        let mut damaged = self.damaged.clone();
        damaged.push(damage);
        Self { manifest: self.manifest.clone(), segments, damaged, extent }
    }

    /// The remembered request with an idempotency key.
    pub(super) fn request(&self, key: &str) -> Option<&Request> {
        self.segments.iter().find_map(|segment| segment.requests.get(key))
    }

    /// The version, which changes with the points of the snapshot and with the description.
    pub fn version(&self) -> String {
        let version = self.manifest.version_text();
        if !self.damaged.is_empty() {
            // Other segments may be damaged after some were restored.
            // Mirrors number them on their own, but their content is the same.
            let mut ids: Vec<[u64; 2]> =
                self.damaged.iter().map(|damage| [damage.segment, u64::from(damage.crc32)]).collect();
            ids.sort_unstable();
            let ids: Vec<u8> = ids.into_iter().flatten().flat_map(u64::to_le_bytes).collect();
            return format!("{version}-{:08x}", crc32fast::hash(&ids));
        }
        version
    }

    /// Its description.
    pub fn description(&self) -> &Description {
        &self.manifest.description
    }

    /// The coordinate space of the points.
    pub fn coordinate_space(&self) -> CoordinateSpace {
        self.manifest.space.coordinate_space()
    }

    /// The frame of the points. On a plane without points it is not defined yet, and never used.
    pub(super) fn frame(&self) -> Frame {
        self.manifest.space.frame().unwrap_or_default()
    }

    /// The times of the creation of the layer and of the last change of its points, in Unix seconds.
    pub fn created_and_changed_s(&self) -> [u64; 2] {
        [self.manifest.created_s, self.manifest.changed_s]
    }

    /// The damaged segments, which are excluded.
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }

    /// The extent of the points.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// The number of points.
    pub fn points(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.entry.point_count()))
    }

    /// Whether any point has a weight; otherwise every point weighs 1.
    pub fn is_weighted(&self) -> bool {
        self.segments.iter().any(|segment| segment.points.is_weighted())
    }

    /// Statistics of the points.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { segments: self.segments.len(), ..Summary::default() };
        for segment in &self.segments {
            let totals = &segment.entry.totals;
            summary.points = summary.points.saturating_add(segment.entry.point_count());
            summary.bytes += segment.bytes();
            let untimed = if totals.time_us.is_some() { totals.untimed } else { segment.entry.point_count() };
            summary.untimed = summary.untimed.saturating_add(untimed);
            if let Some([first, last]) = totals.time_us {
                let [from, to] = summary.time_us.get_or_insert([first, last]);
                (*from, *to) = ((*from).min(first), (*to).max(last));
            }
            summary.categories.extend(segment.points.names.list.iter().map(std::string::ToString::to_string));
        }
        if self.is_weighted() {
            for segment in &self.segments {
                let ones = segment.entry.point_count() as f64;
                let [sum, min, max] = segment.entry.totals.weight.unwrap_or([ones, 1.0, 1.0]);
                let weight = summary.weight.get_or_insert([0.0, min, max]);
                *weight = [weight[0] + sum, weight[1].min(min), weight[2].max(max)];
            }
        }
        if summary.time_us.is_none() {
            summary.untimed = 0;
        }
        summary.categories.sort_unstable();
        summary.categories.dedup();
        summary
    }

    /// Aggregates the points that pass `query` per cell of `canvas`, at the resolution that a kernel of `radius_px`
    /// pixels needs. The canvas is geographic, or on the plane for a layer on a plane. The result depends only on the
    /// points, the canvas and the radius.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the query filters by times or categories and no point has one, or if the canvas is not in
    /// the layer's coordinate space; [`Error::Cancelled`].
    pub fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        reduction: Reduction,
        radius_px: f64,
        threads: usize,
    ) -> Result<(Cells, ScanReport)> {
        self.check(query)?;
        if reduction == Reduction::Max && query.columns.weights {
            self.check_max()?;
        }
        let reason = match (self.coordinate_space(), canvas.projection()) {
            (CoordinateSpace::Globe, Projection::Plane) => {
                "the layer is on the globe; use a geographic projection: mercator or platecarree"
            }
            (CoordinateSpace::Plane, Projection::Mercator | Projection::PlateCarree) => {
                "the layer is on a plane in meters; use the projection plane"
            }
            _ => "",
        };
        if !reason.is_empty() {
            return Err(Error::invalid(Parameter::PROJECTION, reason));
        }
        let frame = self.frame();
        let (weights, bins) = (query.columns.weights, self.level().is_some());
        let request = CellRequest { canvas, frame, reduction, weights, radius_px, bins, stop: query.scan.stop };
        let segments = self.passing(query);
        let points = self.points();
        let cells = aggregate(&segments, request, points, threads)?;
        self.check_damage()?;
        let passing = points_of(&segments);
        let report = ScanReport { read: points, filtered: points.saturating_sub(passing), ..ScanReport::default() };
        Ok((cells, report))
    }

    /// Checks that the points have the columns that the query filters by, and are in the space of its polygon.
    pub(super) fn check(&self, query: &Query<'_>) -> Result<()> {
        if query.filter.polygon.is_some() {
            query.clone().with_coordinate_space(self.coordinate_space()).check_polygon()?;
        }
        if query.filter.filters_time() {
            let timed = self.segments.iter().any(|segment| segment.points.is_timed());
            if !timed && !self.segments.is_empty() {
                let parameter = query.filter.time_parameter();
                return Err(Error::invalid(parameter, "the layer's points have no times to filter by"));
            }
        }
        if self.level().is_some() && query.filter.filters_time() {
            self.check_buckets(&query.filter)?;
        }
        let categories = || self.segments.iter().any(|segment| segment.points.has_categories());
        if !query.filter.categories.is_empty() && !self.segments.is_empty() && !categories() {
            return Err(Error::invalid(Parameter::CATEGORY, "the layer's points have no categories to filter by"));
        }
        Ok(())
    }

    /// The segments that may contain points that pass, each with its filter.
    pub(super) fn passing<'q>(&'q self, query: &'q Query<'_>) -> Vec<(&'q Segment, Option<Filter<'q>>)> {
        let passing = |segment: &'q Arc<Segment>| {
            segment.before_read();
            Some((&**segment, Filter::of(query, segment)?))
        };
        self.segments.iter().filter_map(passing).collect()
    }
}

/// The number of points of segments.
pub(super) fn points_of(segments: &[(&Segment, Option<Filter<'_>>)]) -> u64 {
    segments.iter().fold(0, |sum, (segment, _)| sum.saturating_add(segment.entry.point_count()))
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

/// Verifies a small segment, so that damage is reported when the layer is opened. Large ones are verified when they are
/// first read, and by [`StoredLayer::verify`](super::StoredLayer::verify).
fn verify_small(segment: Segment) -> Result<Segment> {
    /// Smaller in tests, which need segments that are verified when they are read.
    const MAX_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 32 << 20 };
    if segment.bytes() <= MAX_BYTES {
        segment.verify()?;
    }
    Ok(segment)
}
