//! Inputs in buckets and on web servers.

use kiln_core::error::{Error, Result};
use kiln_objects::{ObjectError, ObjectInfo, ObjectUrl, Objects};

use super::columns::TablePoints;
use super::input::read;
use super::parquet::Parquet;
use super::ranged_file::RangedFile;
use super::{ReadOptions, Source};

/// Opens the object with the URL `text`.
///
/// # Errors
/// [`Error::Invalid`] if the URL is invalid; [`Error::Input`] if the object cannot be read, or its format is unsupported; those of
/// [`open`](super::open).
pub(super) fn open(text: &str, options: &ReadOptions) -> Result<Box<dyn Source>> {
    let url: ObjectUrl = text.parse()?;
    let name = url.to_string();
    let is_folder = url.key().is_empty() || url.key().ends_with('/');
    if is_folder && url.scheme() != kiln_objects::Scheme::Web {
        return Err(Error::input(name, "it is a folder; expected an object"));
    }
    if url.file_name().to_ascii_lowercase().ends_with(".shp") {
        let detail = "a shapefile is several files, which are not read from a bucket or web server; download them, or convert \
                      it to GeoPackage or FlatGeobuf";
        return Err(Error::input(name, detail));
    }
    let objects = Objects::shared(&url).map_err(ObjectError::into_error)?;
    let is_parquet = |url: &ObjectUrl| {
        let name = url.file_name().to_ascii_lowercase();
        [".parquet", ".pq", ".geoparquet"].iter().any(|extension| name.ends_with(extension))
    };
    if is_parquet(&url) {
        let info = objects.head(url.key()).map_err(ObjectError::into_error)?;
        if can_be_ranged(&info) {
            return parquet(objects, &url, info, name, options);
        }
    }
    let mut reader = objects.reader(url.key()).map_err(ObjectError::into_error)?;
    let info = reader.info().clone();
    // A name without an extension: the content decides.
    let head = reader.peek(4).map_err(ObjectError::into_error)?;
    if *head == *b"PAR1" && can_be_ranged(&info) {
        drop(reader);
        return parquet(objects, &url, info, name, options);
    }
    read(reader, &name, options)
}

/// Whether ranges of one state of an object can be read.
fn can_be_ranged(info: &ObjectInfo) -> bool {
    info.has_ranges && info.has_revision() && info.size.is_some_and(|size| size > 0)
}

fn parquet(
    objects: Objects,
    url: &ObjectUrl,
    info: ObjectInfo,
    name: String,
    options: &ReadOptions,
) -> Result<Box<dyn Source>> {
    let file = RangedFile::new(objects, url.key(), info)?;
    Ok(Box::new(TablePoints::new(Box::new(Parquet::open_object(file, name)?), options)))
}
