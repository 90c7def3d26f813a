//! What processes left behind that came to a sudden end.

use std::fs;
use std::path::Path;

use super::layer::lock;
use super::manifest::{self, Manifest};
use super::staging::StagingDir;

/// Removes from a store what belongs to nobody: unfinished work, and files that no manifest names.
pub(super) fn sweep(store: &Path) {
    StagingDir::sweep(store);
    for entry in fs::read_dir(store).into_iter().flatten().flatten() {
        let folder = entry.path();
        if folder.join(manifest::FILE).exists()
            && let Ok(_lock) = lock(&folder)
        {
            sweep_layer(&folder);
        }
    }
}

/// Removes the files of a layer that its manifest does not name. Its lock is held by the caller.
pub(super) fn sweep_layer(folder: &Path) {
    // Where the manifest is damaged, nobody knows what belongs to the layer.
    let Ok(Some(manifest)) = Manifest::read(folder) else { return };
    let named = manifest.files();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = file.file_name().into_string() else { continue };
        let is_own = name == manifest::UNFINISHED || name.ends_with(".points.arrow") || name.ends_with(".bins.arrow");
        if is_own && !named.contains(&name) {
            let _ = fs::remove_file(file.path());
        }
    }
}
