//! Segments: immutable parts of a layer, with points in Z-order and their bins.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::arrow_file::FileDigest;
use super::bins::TIME_STEPS_US;
use super::blocks::BlocksFile;
use super::build::build;
use super::disk;
use super::partition::Partition;
use super::points::{PointsFile, PointsWriter};
use super::progress::Progress;
use super::requests::Request;
use super::rows::{Columns, Rows};
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Extent, Frame, Points};

/// The entry of a segment in the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SegmentEntry {
    /// The number of the segment, which determines the names of its files.
    pub(super) id: u64,
    /// The number of its points.
    pub(super) rows: u64,
    /// The file of points.
    pub(super) points: FileDigest,
    /// The file of bins, if there are any.
    pub(super) bins: Option<FileDigest>,
    /// The totals of its points.
    pub(super) totals: SegmentTotals,
    /// The partition of its points; `None` if they are in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) partition: Option<Partition>,
}

/// The totals of a segment's points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SegmentTotals {
    /// The minimum and the maximum of x and y in fixed-point units, as `[[x, y], [x, y]]`; `None` without points.
    pub(super) extent: Option<[[u32; 2]; 2]>,
    /// The maximum x in the western half of the world, and the minimum x in the eastern half.
    pub(super) halves: [Option<u32>; 2],
    /// The minimum and the maximum of x and y on a plane in meters, as `[[x, y], [x, y]]`; `None` on the globe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) extent_m: Option<[[f64; 2]; 2]>,
    /// Sum, minimum and maximum of the weights; `None` if every point weighs 1.
    pub(super) weight: Option<[f64; 3]>,
    /// First and last time in microseconds; `None` if no point has a time.
    pub(super) time_us: Option<[i64; 2]>,
    /// Number of points without a time, if the segment has times.
    pub(super) untimed: u64,
    /// Whether points have categories.
    pub(super) categories: bool,
    /// The number of points that rows stand for; `None` if each row is one point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) n: Option<u64>,
    /// The greatest number of points of a row of bins; `None` if it is unknown, or each row is one point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_n: Option<u64>,
    /// Whether the greatest weight of some bin is unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) without_max: bool,
    /// Of bins, the greatest of a day, an hour, a minute, a second and a microsecond that divides all their times, in
    /// microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time_step_us: Option<u64>,
}

impl SegmentTotals {
    /// Adds points.
    pub(super) fn add(&mut self, rows: &Rows) {
        const CENTER: u32 = 1 << 31;
        for &key in &rows.keys {
            let (x, y) = kiln_core::geo::morton::decode(key);
            let [min, max] = self.extent.get_or_insert([[x, y], [x, y]]);
            *min = [min[0].min(x), min[1].min(y)];
            *max = [max[0].max(x), max[1].max(y)];
            if x < CENTER {
                self.halves[0] = Some(self.halves[0].map_or(x, |west| west.max(x)));
            } else {
                self.halves[1] = Some(self.halves[1].map_or(x, |east| east.min(x)));
            }
        }
        if rows.frame.plane().is_some() {
            let [x, y] = rows.positions_of(0..rows.len());
            for (x, y) in x.into_iter().zip(y) {
                let [min, max] = self.extent_m.get_or_insert([[x, y], [x, y]]);
                *min = [min[0].min(x), min[1].min(y)];
                *max = [max[0].max(x), max[1].max(y)];
            }
        }
        if rows.level.is_some() {
            self.add_bins(rows);
        } else {
            self.add_weights(&rows.weight);
        }
        for (row, &time) in rows.time_us.iter().enumerate() {
            if time == Points::NO_TIME {
                self.untimed = self.untimed.saturating_add(rows.n.get(row).copied().unwrap_or(1));
            } else {
                let [first, last] = self.time_us.get_or_insert([time, time]);
                (*first, *last) = ((*first).min(time), (*last).max(time));
            }
        }
        self.categories |= !rows.category.is_empty();
    }

    fn add_weights(&mut self, weights: &[f32]) {
        for &weight in weights {
            let weight = f64::from(weight);
            let [sum, min, max] = self.weight.get_or_insert([0.0, weight, weight]);
            (*sum, *min, *max) = (*sum + weight, min.min(weight), max.max(weight));
        }
    }

    /// Adds the numbers, weights and times of rows that stand for many points each. The minimum of their weights is that
    /// of the means of the rows, and so is the maximum if the greatest weights are unknown.
    fn add_bins(&mut self, rows: &Rows) {
        self.n = Some(self.n.unwrap_or_default().saturating_add(rows.points()));
        self.max_n = self.max_n.max(rows.n.iter().copied().max());
        for ((&sum, &max), &n) in rows.sum.iter().zip(&rows.weight).zip(&rows.n) {
            let mean = sum / n as f64;
            self.without_max |= max.is_nan();
            let greatest = if max.is_nan() { mean } else { f64::from(max) };
            let [total, least, most] = self.weight.get_or_insert([0.0, mean, greatest]);
            (*total, *least, *most) = (*total + sum, least.min(mean), most.max(greatest));
        }
        for &time in rows.time_us.iter().filter(|time| **time != Points::NO_TIME) {
            let divides = |step: &u64| time.rem_euclid(*step as i64) == 0;
            let steps = TIME_STEPS_US.into_iter().filter(|step| self.time_step_us.is_none_or(|own| *step <= own));
            self.time_step_us = Some(steps.into_iter().find(divides).unwrap_or(1));
        }
    }

    /// Adds the extent of the points to `extent`.
    pub(super) fn add_extent_to(&self, extent: &mut Extent) {
        if let Some([[west, south], [east, north]]) = self.extent_m {
            extent.add(Points::new(&[west, east], &[south, north]).unwrap_or_default());
            return;
        }
        let Some([min, max]) = self.extent else { return };
        let halves = self.halves.into_iter().flatten();
        for x in [min[0], max[0]].into_iter().chain(halves) {
            for y in [min[1], max[1]] {
                let (lon, lat) = Frame::Mercator.position(x, y);
                extent.add(Points::new(&[lon], &[lat]).unwrap_or_default());
            }
        }
    }
}

impl SegmentEntry {
    /// The number of points that its rows stand for.
    pub(super) fn point_count(&self) -> u64 {
        self.totals.n.unwrap_or(self.rows)
    }
}

/// Writes the files of a segment.
pub(super) struct SegmentWriter {
    folder: PathBuf,
    name: String,
    frame: Frame,
    points: PointsWriter,
    totals: SegmentTotals,
    rows: u64,
}

/// What the name of the file of a segment's points ends in.
pub(super) const POINTS_SUFFIX: &str = ".points.arrow";

/// The name of the file of a segment's points.
pub(super) fn points_name(name: &str) -> String {
    format!("{name}{POINTS_SUFFIX}")
}

/// The name of the file of a segment's bins.
pub(super) fn bins_name(name: &str) -> String {
    format!("{name}.bins.arrow")
}

/// The path of a segment's points in a folder.
pub(super) fn points_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(points_name(name))
}

/// The path of a segment's bins in a folder.
pub(super) fn bins_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(bins_name(name))
}

impl SegmentWriter {
    /// Creates the files of a segment in a folder.
    pub(super) fn create(folder: &Path, name: &str, columns: Columns, requests: &[Request]) -> Result<Self> {
        let frame = columns.frame;
        let points = PointsWriter::create(&points_path(folder, name), columns, requests)?;
        let (folder, name) = (folder.to_owned(), name.to_owned());
        Ok(Self { folder, name, frame, points, totals: SegmentTotals::default(), rows: 0 })
    }

    /// Writes the next points, in Z-order.
    pub(super) fn push(&mut self, mut rows: Rows) -> Result<()> {
        // The points of a part of a merge may have no weights or times, while others have some.
        rows.complete(self.points.columns());
        self.totals.add(&rows);
        self.rows += rows.len() as u64;
        self.points.push(rows)
    }

    /// Finishes the points, and builds the bins if `with_bins`. The commit assigns the segment's number.
    pub(super) fn finish(
        self,
        with_bins: bool,
        durable: bool,
        threads: usize,
        progress: Option<&Progress>,
    ) -> Result<SegmentEntry> {
        let Self { folder, name, frame, points, totals, rows } = self;
        let points = points.finish(durable)?;
        let bins = if with_bins {
            let file = PointsFile::open(&points_path(&folder, &name), points, frame)?;
            let bins = build(&file, totals.n, &bins_path(&folder, &name), threads, durable, progress)?;
            if let Some(damage) = file.damage() {
                return Err(damage);
            }
            bins
        } else {
            None
        };
        Ok(SegmentEntry { id: 0, rows, points, bins, totals, partition: None })
    }
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) entry: SegmentEntry,
    pub(super) points: PointsFile,
    pub(super) blocks: Option<BlocksFile>,
    /// The ingest requests of the points, by idempotency key.
    pub(super) requests: HashMap<String, Request>,
    /// The level of rows that stand for many points each.
    pub(super) level: Option<u32>,
    /// The number of points before each batch of bins, and of all, computed by the first sample.
    pub(super) points_before: OnceLock<Vec<u64>>,
}

impl Segment {
    /// Opens the segment of an entry, with points in `frame`, or bins of `level`. Its files in `folder` have the base name
    /// `name`.
    pub(super) fn open(
        folder: &Path,
        name: &str,
        entry: &SegmentEntry,
        frame: Frame,
        level: Option<u32>,
    ) -> Result<Self> {
        Self::open_files(&points_path(folder, name), &bins_path(folder, name), entry, frame, level)
    }

    /// Opens the segment whose files are at these paths.
    pub(super) fn open_files(
        points: &Path,
        bins: &Path,
        entry: &SegmentEntry,
        frame: Frame,
        level: Option<u32>,
    ) -> Result<Self> {
        let points = PointsFile::open(points, entry.points, frame)?;
        if points.rows > 0 && points.has_bins() != level.is_some() {
            return Err(Error::input(points.path(), "it is damaged: its rows are not those of the layer"));
        }
        if points.rows != entry.rows {
            let reason = format!("it is damaged: {} points instead of {}", points.rows, entry.rows);
            return Err(Error::input(points.path(), reason));
        }
        entry.check_totals(frame, level).map_err(|what| {
            Error::input(points.path(), format!("it is damaged: the manifest contradicts it: {what}"))
        })?;
        let blocks = match entry.bins {
            Some(digest) => Some(BlocksFile::open(bins, digest, entry.rows)?),
            None => None,
        };
        let requests = points.requests().into_iter().map(|request| (request.key.clone(), request)).collect();
        Ok(Self { entry: entry.clone(), points, blocks, requests, level, points_before: OnceLock::new() })
    }

    /// Verifies the checksums of the files, which reads them entirely.
    pub(super) fn verify(&self) -> Result<()> {
        self.points.verify(self.entry.points)?;
        match (&self.blocks, self.entry.bins) {
            (Some(blocks), Some(bins)) => blocks.verify(bins),
            _ => Ok(()),
        }
    }

    /// Prepares a read: verifies files without checksums of their chunks, once.
    pub(super) fn before_read(&self) {
        self.points.before_read();
        if let Some(blocks) = &self.blocks {
            blocks.before_read();
        }
    }

    /// The error of a file that a read has found to be damaged. The result of such a read is incomplete.
    pub(super) fn damage(&self) -> Option<Error> {
        self.points.damage().or_else(|| self.blocks.as_ref()?.damage())
    }

    /// The size of its files.
    pub(super) fn bytes(&self) -> u64 {
        self.entry.points.bytes + self.entry.bins.map_or(0, |bins| bins.bytes)
    }

    /// All its rows.
    pub(super) fn all(&self) -> Range<u64> {
        0..self.entry.rows
    }

    /// Its columns.
    pub(super) fn columns(&self) -> Columns {
        Columns {
            frame: self.points.frame,
            exact: self.points.has_exact_positions(),
            level: self.level,
            max_n: self.entry.totals.max_n.unwrap_or(u64::MAX),
            weighted: self.points.is_weighted(),
            timed: self.points.is_timed(),
            names: self.points.has_categories().then(|| self.points.names.clone()),
            tracked: self.points.is_tracked(),
        }
    }
}

/// Removes the files of a segment that the manifest no longer lists. Files that cannot be removed now are left to a
/// sweep.
pub(super) fn remove(folder: &Path, name: &str) {
    let _ = disk::remove_file(points_path(folder, name));
    let _ = disk::remove_file(bins_path(folder, name));
}
