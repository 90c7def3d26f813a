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

/// Checks that the folder of `layer`, without a manifest, is no layer.
///
/// # Errors
/// [`Error::DamagedManifest`] if it [lacks](lacks_manifest) one.
pub(super) fn check_manifest(folder: &Path, layer: &str) -> Result<()> {
    if lacks_manifest(folder) {
        let reason = "it is missing, although its folder has files of points".to_owned();
        return Err(Error::DamagedManifest { file: folder.join(manifest::FILE), layer: layer.to_owned(), reason });
    }
    Ok(())
}
