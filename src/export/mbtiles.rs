//! The journal as an `MBTiles` file: version 1.3, identical tiles once.

use std::path::Path;

use rusqlite::{Connection, params};

use super::export_journal::ExportJournal;
use super::tileset_metadata::TilesetMetadata;
use crate::error::{Error, Result};

/// Rows are counted from the south, and `tiles` is a view: the usual way to keep identical tiles once.
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

pub(super) fn finish(mut journal: ExportJournal, target: &Path, about: &TilesetMetadata<'_>) -> Result<()> {
    journal.clear("out")?;
    let path = journal.path("out");
    fill(&mut journal, about).map_err(|error| match error {
        Failure::Kiln(error) => error,
        Failure::Sqlite(error) => Error::io(&path, "write", std::io::Error::other(error)),
    })?;
    journal.commit("out", target)
}

enum Failure {
    Kiln(Error),
    Sqlite(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Kiln(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn fill(journal: &mut ExportJournal, about: &TilesetMetadata<'_>) -> Result<(), Failure> {
    let database = Connection::open(journal.path("out"))?;
    database.execute_batch(SCHEMA)?;
    let [west, south, east, north] = about.bounds_deg;
    let (lon, lat, zoom) = about.center;
    for (name, value) in [
        ("name", about.title.to_owned()),
        ("format", "png".to_owned()),
        ("type", "overlay".to_owned()),
        ("version", "1".to_owned()),
        ("description", about.description.clone()),
        ("attribution", about.attribution.unwrap_or_default().to_owned()),
        ("minzoom", about.zooms.first.to_string()),
        ("maxzoom", about.zooms.last.to_string()),
        ("bounds", format!("{west},{south},{east},{north}")),
        ("center", format!("{lon},{lat},{zoom}")),
    ] {
        if !value.is_empty() {
            database.execute("INSERT INTO metadata VALUES (?1, ?2)", [name, &value])?;
        }
    }
    {
        let mut image = database.prepare("INSERT OR IGNORE INTO images VALUES (?1, ?2)")?;
        let mut place = database.prepare("INSERT INTO map VALUES (?1, ?2, ?3, ?4)")?;
        let mut bytes = Vec::new();
        let mut end = 0;
        for stored in journal.stored().to_vec() {
            // What lies further in front is there already.
            if stored.offset >= end {
                journal.read(stored, &mut bytes)?;
                image.execute(params![stored.offset as i64, bytes])?;
                end = stored.offset + u64::from(stored.length);
            }
            let (zoom, across) = (stored.tile.zoom(), 1u32 << stored.tile.zoom());
            place.execute(params![zoom, stored.tile.x(), across - 1 - stored.tile.y(), stored.offset as i64])?;
        }
    }
    database.execute_batch(INDEX)?;
    database.close().map_err(|(_, error)| Failure::Sqlite(error))
}
