//! The tiles as a `PMTiles` file: the file of the tiles lacks only its head and its directories.

use serde_json::json;

use super::block_record::StoredTile;
use super::export_journal::ExportJournal;
use super::tileset_metadata::TilesetMetadata;
use crate::encode::pmtiles::{Entry, Header, finish as write, tile_id};
use crate::error::Result;

/// Writes the head and the directories, and returns the name of the file in the staging directory.
pub(super) fn finish(journal: &mut ExportJournal, about: &TilesetMetadata<'_>) -> Result<&'static str> {
    let entry = |StoredTile { tile, offset, length }| Entry { id: tile_id(tile), offset, length };
    let entries: Vec<Entry> = journal.tiles()?.into_iter().map(entry).collect();
    let header = Header {
        min_zoom: about.zooms.first,
        max_zoom: about.zooms.last,
        bounds_deg: about.bounds_deg,
        center: about.center,
    };
    let mut metadata = json!({
        "name": about.title,
        "description": about.description,
        "type": "overlay",
        "format": "png",
        "generator": concat!("kiln ", env!("CARGO_PKG_VERSION")),
    });
    if let (Some(attribution), Some(metadata)) = (about.attribution, metadata.as_object_mut()) {
        metadata.insert("attribution".into(), attribution.into());
    }
    let tiles_bytes = journal.tiles_bytes();
    let (file, path) = journal.tiles_file();
    write(file, &entries, tiles_bytes, &header, &metadata.to_string()).map_err(|error| error.for_path(path))?;
    Ok(ExportJournal::TILES)
}
