//! The journal as a `PMTiles` file: only its head and its directories are missing.

use std::path::Path;

use serde_json::json;

use super::export_journal::{ExportJournal, Stored};
use super::tileset_metadata::TilesetMetadata;
use crate::encode::pmtiles::{Entry, Header, finish as write, tile_id};
use crate::error::Result;

pub(super) fn finish(mut journal: ExportJournal, target: &Path, about: &TilesetMetadata<'_>) -> Result<()> {
    let entry = |&Stored { tile, offset, length }: &Stored| Entry { id: tile_id(tile), offset, length };
    let entries: Vec<Entry> = journal.stored().iter().map(entry).collect();
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
    let (tiles_bytes, path) = (journal.tiles_bytes(), journal.path("tiles"));
    write(journal.tiles_file(), &entries, tiles_bytes, &header, &metadata.to_string())
        .map_err(|error| error.for_path(&path))?;
    journal.commit("tiles", target)
}
