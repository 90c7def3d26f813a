//! Heat maps of 2-D arrays: a mask of values, drawn alone or over a background.
//!
//! ```text
//! bytes ── array ──> Mask ── vmin, vmax ──> Levels ── blur ──> Levels ── Colormap, opacity ──> Picture ── PNG
//!                                                                        └── Background ──┘
//! ```
//!
//! The levels depend on the values, `vmin`, `vmax`, `transparent_low` and the blur. They can be reused for another colormap,
//! opacity, background or size.
//!
//! ```
//! use kiln_mask::{Levels, Mask, MaskStyle, Values, render_levels};
//! use kiln_core::raster::Grid;
//!
//! let values = Grid::from_cells(2, 2, vec![0.0_f32, 0.5, f32::NAN, 1.0]).ok_or("four cells")?;
//! let mask = Mask::new(Values::Single(values))?;
//! let style = MaskStyle { blur: None, ..MaskStyle::new()? };
//! let levels = Levels::of(&mask, &style, 1)?;
//! let picture = render_levels(&levels, &style, None, 1)?;
//! assert_eq!(picture.to_rgba()[2][3], 0);
//! assert!(picture.png()?.starts_with(b"\x89PNG"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The program of the user guide is run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/masks.md")]
mod guide {}

pub mod annotations;
pub mod array;
mod background;
mod bands;
pub mod blur;
mod colormap;
mod levels;
mod limit;
mod mask;
mod picture;
mod render;
mod resample;
mod style;

pub use background::{Background, ImageLimits};
pub use blur::{Blur, BlurKind};
pub use colormap::Colormap;
pub use levels::Levels;
pub use limit::{Limit, ReadError};
pub use mask::{Mask, Values, cell_at};
pub use picture::{Picture, Pixels};
pub use render::{aspect_remark, render, render_levels, size_of};
pub use resample::Resample;
pub use style::MaskStyle;
