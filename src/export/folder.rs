//! Writes the tiles as a folder with a `TileJSON` file.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::export_journal::ExportJournal;
use super::staging_dir::StagingDir;
use super::tileset_metadata::TilesetMetadata;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

const TILEJSON: &str = "tiles.json";
const GENERATOR: &str = "generator";
const NEW: &str = "out";

/// Checks that `target` can be replaced: it does not exist, is empty, or has only an earlier export.
pub(super) fn check(target: &Path) -> Result<()> {
    let names = match fs::read_dir(target) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let names = names.map_err(|error| Error::io(target, "write", error))?;
    let is_zoom = |name: &str| name.parse::<u8>().is_ok() && target.join(name).is_dir();
    let are_known = names.iter().all(|name| name.to_str().is_some_and(|name| name == TILEJSON || is_zoom(name)));
    let is_replaceable = names.is_empty() || are_known && is_export(target);
    if !is_replaceable {
        let message = format!("{} has files that are not from an earlier export; use a new folder", target.display());
        return Err(Error::invalid(Parameter::OUTPUT, message));
    }
    Ok(())
}

fn is_export(target: &Path) -> bool {
    let tilejson = fs::read(target.join(TILEJSON)).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    tilejson.is_some_and(|json| json[GENERATOR].as_str().is_some_and(|generator| generator.starts_with("kiln ")))
}

/// Writes the folder, and returns its name in the staging directory.
pub(super) fn finish(
    journal: &mut ExportJournal,
    staging: &StagingDir,
    metadata: &TilesetMetadata<'_>,
) -> Result<&'static str> {
    staging.remove(NEW)?;
    let root = staging.path(NEW);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| Error::io(path, "write", error)
    };
    fs::create_dir(&root).map_err(failed(&root))?;
    let mut paths_by_offset = HashMap::new();
    let (mut bytes, mut created) = (Vec::new(), None);
    for stored in journal.tiles()? {
        let tile = stored.tile;
        let folder = root.join(tile.zoom().to_string()).join(tile.x().to_string());
        if created.as_ref() != Some(&folder) {
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
            created = Some(folder.clone());
        }
        let path = folder.join(format!("{}.png", tile.y()));
        // Identical tiles are hard links if the file system supports them.
        if let Some(existing) = paths_by_offset.get(&stored.offset)
            && fs::hard_link(existing, &path).is_ok()
        {
            continue;
        }
        journal.read(stored, &mut bytes)?;
        fs::write(&path, &bytes).map_err(failed(&path))?;
        paths_by_offset.insert(stored.offset, path);
    }
    let (lon, lat, zoom) = metadata.center;
    let mut tilejson = json!({
        "tilejson": "3.0.0",
        "name": metadata.title,
        "description": metadata.description,
        "scheme": "xyz",
        "tiles": ["{z}/{x}/{y}.png"],
        "minzoom": metadata.zooms.first,
        "maxzoom": metadata.zooms.last,
        "bounds": metadata.bounds_deg,
        "center": [lon, lat, f64::from(zoom)],
        GENERATOR: concat!("kiln ", env!("CARGO_PKG_VERSION")),
    });
    if let (Some(attribution), Some(members)) = (metadata.attribution, tilejson.as_object_mut()) {
        members.insert("attribution".into(), attribution.into());
    }
    let path = root.join(TILEJSON);
    fs::write(&path, format!("{tilejson:#}\n")).map_err(failed(&path))?;
    check(staging.target())?;
    Ok(NEW)
}
