//! Removal of the files of killed processes.

use std::path::Path;

use super::disk::{self, sync_folder};
use super::lock::lock_layer;
use super::manifest::{self, Manifest};
use super::retention::RetentionClock;
use super::staging::StagingDir;
use super::{floor_plan, rooms};

/// Removes abandoned staging folders from a store, and files that are not listed in a manifest.
pub(super) fn sweep(store: &Path) {
    // The removal of a layer moves its folder to a staging folder: its files must not go before the move is durable.
    if sync_folder(store).is_err() {
        return;
    }
    StagingDir::sweep(store);
    // A server that is writing its readings at this moment writes them again.
    let _ = disk::remove_file(store.join(RetentionClock::UNFINISHED));
    for entry in disk::read_dir(store).into_iter().flatten().flatten() {
        let folder = entry.path();
        if disk::exists(&folder.join(manifest::FILE))
            && let Ok(_lock) = lock_layer(&folder)
        {
            sweep_layer(&folder);
        }
    }
}

/// Removes the files of a layer that its manifest does not list. The layer must be locked.
pub(super) fn sweep_layer(folder: &Path) {
    // A process that was killed may have replaced the manifest without syncing the folder. A power cut would bring back
    // the previous one, which lists other files.
    if sync_folder(folder).is_err() {
        return;
    }
    // Without a readable manifest, it is unknown which files are unused.
    let Ok(Some(manifest)) = Manifest::read(folder) else { return };
    let listed = manifest.files();
    for file in disk::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = file.file_name().into_string() else { continue };
        let is_unfinished =
            [manifest::UNFINISHED, floor_plan::FILE.unfinished, rooms::FILE.unfinished].contains(&name.as_str());
        let is_layer_file = is_unfinished || name.ends_with(".points.arrow") || name.ends_with(".bins.arrow");
        if is_layer_file && !listed.contains(&name) {
            let _ = disk::remove_file(file.path());
        }
    }
}
