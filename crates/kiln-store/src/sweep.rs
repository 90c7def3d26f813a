//! Removal of the files of killed processes.

use std::path::Path;

use super::clock::now_s;
use super::disk::{self, sync_folder};
use super::lock::lock_layer;
use super::manifest::{self, Manifest};
use super::retention::RetentionClock;
use super::staging::StagingDir;
use super::{floor_plan, rooms, segment};
use kiln_core::error::{Error, Result};

/// Removes abandoned staging folders from a store, and files that are not listed in a manifest.
pub(super) fn sweep(store: &Path) {
    // The removal of a layer moves its folder to a staging folder: its files must not go before the move is durable.
    if sync_folder(store).is_err() {
        return;
    }
    StagingDir::sweep(store, now_s());
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

/// Removes the files of removed segments and layers whose grace time has passed at `now_s`. In contrast to a [`sweep`], it
/// changes nothing, not even locks, where there are none. Returns whether there were any.
pub(super) fn sweep_removed(store: &Path, now_s: u64) -> bool {
    let mut any = false;
    if StagingDir::any_removed(store, now_s) && sync_folder(store).is_ok() {
        StagingDir::sweep(store, now_s);
        any = true;
    }
    for entry in disk::read_dir(store).into_iter().flatten().flatten() {
        let folder = entry.path();
        let passed = || Some(Manifest::read(&folder).ok()??.removed.passed(now_s));
        let exists = |id: &u64| disk::exists(&segment::points_path(&folder, &Manifest::segment_name(*id)));
        // Those of a layer that does not change anymore stay in its manifest after their files were removed.
        if passed().is_some_and(|passed| passed.iter().any(exists))
            && let Ok(_lock) = lock_layer(&folder)
            && sync_folder(&folder).is_ok()
        {
            for id in passed().unwrap_or_default() {
                segment::remove(&folder, &Manifest::segment_name(id));
            }
            any = true;
        }
    }
    any
}

/// Frees disk space if `result` is the error of a full disk: removes the files of removed segments and layers before their
/// grace time has passed, so that the next attempt can succeed. No layer may be locked by this thread.
pub(super) fn free_if_full<T>(store: &Path, result: Result<T>) -> Result<T> {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    result.inspect_err(|error| {
        let is_full = matches!(error, Error::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded));
        if is_full && sweep_removed(store, u64::MAX) {
            let store = store.display();
            tracing::warn!(%store, "the disk is full, so removed segments and layers were deleted before their grace time");
        }
    })
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
    let listed = manifest.files(now_s());
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
