//! Writes the tiles as a `PMTiles` file, by adding the header and the directories to the tiles file.

use serde_json::json;

use super::block_record::StoredTile;
use super::export_journal::ExportJournal;
use super::tileset_metadata::TilesetMetadata;
use crate::encode::pmtiles::{Entry, Header, finish as write, tile_id};
use crate::error::Result;

/// Writes the header and the directories, and returns the name of the file in the staging directory.
pub(super) fn finish(journal: &mut ExportJournal, metadata: &TilesetMetadata<'_>) -> Result<&'static str> {
    let entry = |StoredTile { tile, offset, length }| Entry { id: tile_id(tile), offset, length };
    let entries: Vec<Entry> = journal.tiles()?.into_iter().map(entry).collect();
    let header = Header {
        min_zoom: metadata.zooms.first,
        max_zoom: metadata.zooms.last,
        bounds_deg: metadata.bounds_deg,
        center: metadata.center,
    };
    let mut members = json!({
        "name": metadata.title,
        "description": metadata.description,
        "type": "overlay",
        "format": "png",
        "generator": concat!("kiln ", env!("CARGO_PKG_VERSION")),
    });
    if let (Some(attribution), Some(members)) = (metadata.attribution, members.as_object_mut()) {
        members.insert("attribution".into(), attribution.into());
    }
    let tiles_bytes = journal.tiles_bytes();
    let (file, path) = journal.tiles_file();
    write(file, &entries, tiles_bytes, &header, &members.to_string()).map_err(|error| error.for_path(path))?;
    Ok(ExportJournal::TILES)
}
