//! The formats of an export.

use std::path::Path;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A `PMTiles` archive, which web maps read from any static file server: `.pmtiles`.
    PmTiles,
    /// An `MBTiles` archive, an `SQLite` database: `.mbtiles`.
    MbTiles,
    /// A folder of `{z}/{x}/{y}.png`.
    Folder,
    /// A cloud-optimized `GeoTIFF` in RGBA: `.tif`.
    Cog,
}

impl Format {
    /// The name of the format.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PmTiles => "pmtiles",
            Self::MbTiles => "mbtiles",
            Self::Folder => "folder",
            Self::Cog => "cog",
        }
    }

    /// The format of a target, by its file extension; a folder if it has no extension or ends with a slash.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the extension is unknown.
    pub fn of(target: &str) -> Result<Self> {
        if target.ends_with(['/', std::path::MAIN_SEPARATOR]) {
            return Ok(Self::Folder);
        }
        let extension = Path::new(target).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("pmtiles") => Ok(Self::PmTiles),
            Some("mbtiles") => Ok(Self::MbTiles),
            Some("tif" | "tiff") => Ok(Self::Cog),
            None => Ok(Self::Folder),
            Some(other) => {
                let message = format!(
                    "unsupported format .{other}; use .pmtiles, .mbtiles or .tif, or a folder that ends with /"
                );
                Err(Error::invalid(Parameter::OUTPUT, message))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_determines_the_format() {
        for (name, format) in [
            ("a/b.pmtiles", Format::PmTiles),
            ("b.MBTILES", Format::MbTiles),
            ("b.tif", Format::Cog),
            ("tiles", Format::Folder),
            ("v1.5/", Format::Folder),
        ] {
            assert_eq!(Format::of(name).unwrap(), format, "{name}");
        }
        assert!(Format::of("a.gpkg").unwrap_err().to_string().contains(".gpkg"));
    }
}
