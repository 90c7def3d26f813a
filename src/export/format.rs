//! The formats of an export.

use std::path::Path;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A file that web maps read from any web server: `.pmtiles`.
    PmTiles,
    /// An `SQLite` file for programs: `.mbtiles`.
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

    /// The format of a target by its file extension; a folder without one or with a slash at the end.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the extension is unknown.
    pub fn of(target: &str) -> Result<Self> {
        if target.ends_with(['/', std::path::MAIN_SEPARATOR]) {
            return Ok(Self::Folder);
        }
        let ending = Path::new(target).extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("pmtiles") => Ok(Self::PmTiles),
            Some("mbtiles") => Ok(Self::MbTiles),
            Some("tif" | "tiff") => Ok(Self::Cog),
            None => Ok(Self::Folder),
            Some(other) => {
                let why = format!(
                    "no .{other} can be written: name a .pmtiles, .mbtiles or .tif, or a folder with a / behind it"
                );
                Err(Error::invalid(Parameter::OUTPUT, why))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_formats() {
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
