//! The installation of a version: from then on, readers get it.

use std::path::Path;

use super::plan::{Download, Plan};
use crate::Store;
use crate::clock::now_s;
use crate::disk::{self, OpenFolder, sync_folder};
use crate::lock::lock_layer;
use crate::manifest::Manifest;
use crate::segment;
use crate::staging::StagingDir;
use crate::sweep::sweep_layer;
use kiln_core::error::{Error, Result};

/// Installs a version of the layer `name` whose files are staged, and opens it.
pub(super) fn install(store: &Store, name: &str, plan: &Plan) -> Result<()> {
    store.check_claim()?;
    let folder = store.folder().join(name);
    // Also a folder whose manifest was lost.
    if disk::exists(&folder) {
        replace(store, &folder, plan)?;
    } else {
        create(store, &folder, name, plan)?;
    }
    match store.layer(name)? {
        Some(layer) => layer.refresh().map(drop),
        None => Err(Error::input(folder, "the layer was removed concurrently")),
    }
}

fn move_file(download: &Download, folder: &Path) -> Result<()> {
    let to = folder.join(&download.name);
    disk::rename(&download.staged, &to).map_err(|error| Error::io(&to, "write", error))
}

/// Replaces the version of a layer.
fn replace(store: &Store, folder: &Path, plan: &Plan) -> Result<()> {
    let _lock = lock_layer(folder)?;
    // Files that were moved already are not listed in the manifest, and would fill the disk.
    replace_locked(store, folder, plan).inspect_err(|_| sweep_layer(folder))
}

fn replace_locked(store: &Store, folder: &Path, plan: &Plan) -> Result<()> {
    let local = match Manifest::read(folder) {
        Err(Error::DamagedManifest { .. } | Error::Input { .. }) => None,
        local => local?,
    };
    plan.downloads.iter().try_for_each(|download| move_file(download, folder))?;
    for side_file in &plan.obsolete {
        let _ = disk::remove_file(folder.join(side_file.file().name));
    }
    sync_folder(folder).map_err(|error| Error::io(folder, "write to", error))?;
    let mut target = plan.target.clone();
    let is_needed = |id: &u64| target.segments.iter().any(|entry| entry.id == *id);
    let replaced = local.iter().flat_map(|local| &local.segments).map(|entry| entry.id);
    let mut obsolete: Vec<u64> = replaced.filter(|id| !is_needed(id)).collect();
    let is_unknown = local.is_none();
    if let Some(local) = local {
        target.removed = local.removed;
    }
    let passed = target.removed.take_passed(now_s());
    if let Some(until_s) = store.grace_until_s() {
        target.removed.add(&obsolete, until_s);
        obsolete.clear();
    }
    target.write(folder)?;
    for id in obsolete.into_iter().chain(passed) {
        segment::remove(folder, &Manifest::segment_name(id));
    }
    if is_unknown {
        sweep_layer(folder);
    }
    Ok(())
}

/// Creates a layer, which appears with all its files.
fn create(store: &Store, folder: &Path, name: &str, plan: &Plan) -> Result<()> {
    let failed = |error| Error::io(folder, "create", error);
    let staging = StagingDir::new(store.folder())?;
    let staged = staging.path().join(name);
    disk::create_dir(&staged).map_err(failed)?;
    plan.downloads.iter().try_for_each(|download| move_file(download, &staged))?;
    plan.target.write(&staged)?;
    let opened = OpenFolder::open(store.folder()).map_err(failed)?;
    disk::rename(&staged, folder).map_err(failed)?;
    opened.sync().map_err(failed)
}
