//! Kiln fires points into heat: weighted points in, heat-map pictures out.
//!
//! ```text
//! Source ── batches of points ──> Bins ── kernel ──> density ── Span, Curve ──> a byte per pixel ── Palette ──> PNG
//! source                          raster             raster     raster          raster              color       encode
//!                                 └───────────────── on a Canvas (geo), put together in layer ─┘
//! ```
//!
//! Five lines from points to a picture:
//!
//! ```
//! use kiln::{encode, geo, layer, source};
//!
//! let (lon, lat) = ([18.07, 18.09, 17.64], [59.33, 59.32, 59.86]);
//! let points = source::MemorySource(geo::Points::new(&lon, &lat)?);
//! let bounds = geo::Bounds::new(17.0, 59.0, 19.0, 60.0)?;
//! let canvas = layer::canvas_of(geo::Projection::Mercator, bounds, layer::Size::Longest(512))?;
//! let heat = layer::render(&points, &source::Query::default(), &canvas, &layer::Style::new()?, 2)?;
//! let mut png = Vec::new();
//! encode::png::write_indexed(&mut png, &heat.indices, heat.palette.colors(), Default::default())?;
//! assert_eq!((heat.drawn, heat.outside), (3, 0));
//! # Ok::<(), kiln::Error>(())
//! ```
//!
//! The crate's features, all enabled by default: `formats` reads and writes files, `store` keeps layers on disk,
//! `postgis` renders live tables, `masks` renders arrays, `export` writes tiles without a server, `server` is the HTTP server, and `cli` the
//! command line. Without any feature, the crate renders points in memory, or of a custom [`source::Source`], as the
//! example does.
//!
//! The bytes of a picture depend on the points, the canvas and the style alone, not on the threads, the machine, or the
//! order of the points; windows of one canvas, such as neighboring tiles, meet without a seam. (Only the classic blend
//! depends on the order of the points, like the library that it reproduces.)

#[cfg(feature = "server")]
pub mod bucket;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "export")]
pub mod export;
#[cfg(feature = "server")]
pub mod http;
#[cfg(any(feature = "export", feature = "server"))]
pub mod images;
#[cfg(feature = "server")]
pub mod inputs;
#[cfg(feature = "server")]
pub mod jobs;
pub mod layer;
#[cfg(feature = "server")]
pub mod live;
#[cfg(feature = "masks")]
pub mod masks;
pub mod matrix;
pub mod occupancy;
pub mod parameters;
mod step;

pub use kiln_core::{
    Error, Message, Parameter, Result, available_threads, calendar, color, error, geo, message, parameter, protection,
    raster,
};
#[cfg(feature = "masks")]
pub use kiln_mask as mask;
#[cfg(feature = "matrix")]
pub use kiln_matrix;
#[cfg(feature = "objects")]
pub use kiln_objects as objects;
#[cfg(feature = "postgis")]
pub use kiln_postgis as postgis;
#[cfg(feature = "store")]
pub use kiln_store as store;

pub mod encode {
    //! Image encoders: the indexed PNG, and with the feature `formats` the other file formats.
    pub use kiln_core::encode::*;
    #[cfg(feature = "formats")]
    pub use kiln_formats::encode::*;
}

pub mod source {
    //! Sources of points: memory, and with the feature `formats` files.
    pub use kiln_core::source::*;
    #[cfg(feature = "formats")]
    pub use kiln_formats::source::*;
}

use kiln_core::parallel;
#[cfg(any(feature = "cli", test))]
use kiln_core::simd;
#[cfg(feature = "cli")]
use kiln_core::unwind;
use kiln_core::workers;
#[cfg(feature = "export")]
use kiln_core::{cell_bins, in_order};
#[cfg(feature = "server")]
use kiln_core::{layer_name, redact, spelling, xml};

// The programs of the user guide are compiled and run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
mod library {}
