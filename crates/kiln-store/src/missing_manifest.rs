//! Layers whose manifest was lost.

use std::path::Path;

use kiln_core::error::{Error, Result};

use super::disk;
use super::manifest;
use super::segment::POINTS_SUFFIX;

/// Whether a folder has files of points, but no manifest. Folders of layers appear and disappear as a whole, by a rename, so
/// the manifest was lost.
pub(super) fn lacks_manifest(folder: &Path) -> bool {
    let Ok(mut entries) = disk::read_dir(folder) else { return false };
    let is_points = |name: &str| name.ends_with(POINTS_SUFFIX);
    entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_points)))
        // The layer may have been created in the meantime.
        && !disk::exists(&folder.join(manifest::FILE))
}

/// Checks that a folder without a manifest is no layer.
///
/// # Errors
/// If it [lacks](lacks_manifest) one.
pub(super) fn check_manifest(folder: &Path) -> Result<()> {
    if lacks_manifest(folder) {
        let message =
            "it is damaged: it is missing, although its folder has files of points; restore it, or remove the folder";
        return Err(Error::input(folder.join(manifest::FILE), message));
    }
    Ok(())
}
