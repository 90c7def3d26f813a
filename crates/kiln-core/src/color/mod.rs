//! Colors: opacity, gradients, schemes and palettes. Independent of the other modules; reads no files.
//!
//! A [`Gradient`] is a list of color stops in CSS syntax; a [`Scheme`] is a named gradient sampled at 256 positions; a
//! [`Palette`] maps the indices of a picture to colors: a scheme whose index 0 is transparent ("no data").
//!
//! ```
//! use kiln_core::color::{Gradient, Opacity, Palette, Scheme};
//!
//! let palette = Palette::from(&Scheme::named("viridis")?).with_opacity("80%".parse()?);
//! assert_eq!(palette.rgba(0)[3], 0);
//! assert_eq!(palette.rgba(255)[3], 204);
//!
//! let palette = "transparent, blue, lime 60%, red".parse::<Gradient>()?.to_palette();
//! assert_eq!(palette.rgba(255), [255, 0, 0, 255]);
//! # Ok::<(), kiln_core::Error>(())
//! ```

mod background;
mod builtin;
mod gradient;
mod opacity;
mod palette;
mod scheme;

pub use background::Background;
pub use gradient::Gradient;
pub use opacity::Opacity;
pub use palette::Palette;
pub use scheme::{Family, Scheme};

/// 256 straight-alpha RGBA colors, from cold to hot.
pub type Colors = [[u8; 4]; 256];
