//! The check of a version before it replaces the one that is served.

use std::path::Path;

use super::plan::{Download, Plan};
use crate::Store;
use crate::disk;
use crate::manifest::Manifest;
use crate::published::ContentDigest;
use crate::segment::{self, Segment, SegmentEntry};
use kiln_core::error::{Error, Result};
use kiln_core::geo::Frame;

/// Checks the numbers of the manifest against the segments that are new or of which the manifest has other numbers than the
/// one of the version that is served. Returns the contradiction, if there is one: another copy would not help.
///
/// # Errors
/// [`Error::Input`] if a copy is damaged, which is removed then; [`Error::Io`] if a file cannot be read.
pub(super) fn check(store: &Store, name: &str, plan: &Plan) -> Result<Option<Error>> {
    let folder = store.folder().join(name);
    let frame = plan.target.space.frame().unwrap_or_default();
    for entry in plan.target.segments.iter().filter(|entry| !plan.unchanged.contains(&entry.id)) {
        let base = Manifest::segment_name(entry.id);
        let staged = |name: &str| plan.downloads.iter().find(|download| download.name == name);
        let path = |name: String| staged(&name).map_or_else(|| folder.join(&name), |download| download.staged.clone());
        let (points, bins) = (path(segment::points_name(&base)), path(segment::bins_name(&base)));
        match check_segment(&points, &bins, entry, frame, plan.target.level) {
            Err(error @ (Error::Input { .. } | Error::Damaged { .. })) => {
                remove_damaged(&plan.downloads)?;
                return Ok(Some(error));
            }
            result => result?,
        }
    }
    Ok(None)
}

fn check_segment(points: &Path, bins: &Path, entry: &SegmentEntry, frame: Frame, level: Option<u32>) -> Result<()> {
    let segment = Segment::open_files(points, bins, entry, frame, level)?;
    segment.before_read();
    segment.check_points()
}

/// Removes the copies that are damaged on this disk, so that they are copied again.
///
/// # Errors
/// [`Error::Input`] if there is one.
fn remove_damaged(downloads: &[Download]) -> Result<()> {
    for Download { staged, object, .. } in downloads {
        if ContentDigest::of_file(staged)? != object.digest {
            let _ = disk::remove_file(staged);
            return Err(Error::input(staged, "it is damaged: the copy on the disk is not what was copied"));
        }
    }
    Ok(())
}

/// Removes the copies of a version that is not installed.
pub(super) fn remove_copies(plan: &Plan) {
    for download in &plan.downloads {
        let _ = disk::remove_file(&download.staged);
    }
}
