//! Readers of point data: files and standard input, read as columnar batches of points.
//!
//! Each format is a `Table` of Arrow record batches; `columns` converts their columns to points. [`open`] detects the
//! format of an input.

mod arrow;
mod batches;
mod builder;
mod columns;
mod compression;
mod csv;
mod encoding;
#[cfg(feature = "flatgeobuf")]
mod flatgeobuf;
mod format;
mod geometry;
#[cfg(feature = "geopackage")]
mod geopackage;
#[cfg(feature = "xml")]
mod gpx;
mod input;
mod inspect;
mod json;
#[cfg(feature = "xml")]
mod kml;
mod nested;
#[cfg(feature = "objects")]
mod object;
#[cfg(feature = "objects")]
mod object_pattern;
mod parquet;
#[cfg(feature = "objects")]
mod range_set;
#[cfg(feature = "objects")]
mod ranged_file;
mod read_at;
mod shapefile;
mod table;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod table_testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "../../../kiln-core/src/source/testing.rs"]
mod testing;
mod values;
#[cfg(feature = "xml")]
mod xml;

pub use batches::of_batches;
pub use columns::DescribedColumn;
pub use format::MEDIA_TYPES;
pub use input::{Inputs, open, read, read_as};
pub use inspect::{FilePart, Inspection, inspect};
#[cfg(feature = "objects")]
pub use object_pattern::{expand_objects, object_states};

#[cfg(test)]
use kiln_core::error::Result;
#[cfg(test)]
use kiln_core::geo::Points;
#[cfg(test)]
use kiln_core::source::PointColumns;
use kiln_core::source::{
    AxisOrder, Columns, CoordinateSpace, Query, ReadOptions, ScanReport, Sink, Source, batch, category_dictionary,
    parts, read_error, role, row_sink,
};
