//! Writes the tiles as an `MBTiles` 1.3 file, in which identical tiles are stored once.

use std::path::Path;

use rusqlite::params;

use super::block_record::StoredTile;
use super::export_journal::ExportJournal;
use super::sqlite::{self, Failure};
use super::staging_dir::StagingDir;
use super::tileset_metadata::TilesetMetadata;
use crate::error::Result;

/// Rows are counted from the south. `tiles` is a view, the usual way to store identical tiles once.
const SCHEMA: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA application_id = 0x4d504258;
    CREATE TABLE metadata (name TEXT, value TEXT);
    CREATE TABLE images (tile_id INTEGER PRIMARY KEY, tile_data BLOB);
    CREATE TABLE map (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_id INTEGER);
    CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data FROM map JOIN images USING (tile_id);
    BEGIN;
";
const INDEX: &str = "
    CREATE UNIQUE INDEX map_index ON map (zoom_level, tile_column, tile_row);
    CREATE UNIQUE INDEX name ON metadata (name);
    COMMIT;
";

const FILE: &str = "out";

/// Writes the file, and returns its name in the staging directory.
pub(super) fn finish(
    journal: &mut ExportJournal,
    staging: &StagingDir,
    metadata: &TilesetMetadata<'_>,
) -> Result<&'static str> {
    staging.remove(FILE)?;
    let path = staging.path(FILE);
    write(journal, &path, metadata).map_err(|failure| failure.into_error(&path))?;
    Ok(FILE)
}

fn write(journal: &mut ExportJournal, path: &Path, metadata: &TilesetMetadata<'_>) -> Result<(), Failure> {
    let database = sqlite::open(path)?;
    database.execute_batch(SCHEMA)?;
    let [west, south, east, north] = metadata.bounds_deg;
    let (lon, lat, zoom) = metadata.center;
    for (name, value) in [
        ("name", metadata.title.to_owned()),
        ("format", "png".to_owned()),
        ("type", "overlay".to_owned()),
        ("version", "1".to_owned()),
        ("description", metadata.description.clone()),
        ("attribution", metadata.attribution.unwrap_or_default().to_owned()),
        ("minzoom", metadata.zooms.first.to_string()),
        ("maxzoom", metadata.zooms.last.to_string()),
        ("bounds", format!("{west},{south},{east},{north}")),
        ("center", format!("{lon},{lat},{zoom}")),
    ] {
        if !value.is_empty() {
            database.execute("INSERT INTO metadata VALUES (?1, ?2)", [name, &value])?;
        }
    }
    {
        let mut image = database.prepare("INSERT OR IGNORE INTO images VALUES (?1, ?2)")?;
        let mut location = database.prepare("INSERT INTO map VALUES (?1, ?2, ?3, ?4)")?;
        let mut bytes = Vec::new();
        let mut end = 0;
        for stored in journal.tiles()? {
            let StoredTile { tile, offset, length } = stored;
            // A smaller offset is that of a duplicate, which is already inserted.
            if offset >= end {
                journal.read(stored, &mut bytes)?;
                image.execute(params![offset as i64, bytes])?;
                end = offset + u64::from(length);
            }
            let (zoom, world_tiles) = (tile.zoom(), 1u32 << tile.zoom());
            location.execute(params![zoom, tile.x(), world_tiles - 1 - tile.y(), offset as i64])?;
        }
    }
    database.execute_batch(INDEX)?;
    database.close().map_err(|(_, error)| Failure::Sqlite(error))
}
