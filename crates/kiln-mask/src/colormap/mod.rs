//! The colors of levels, by OpenCV's names and numbers and by those of Kiln's schemes.

use kiln_core::color::{Colors, Scheme};
use kiln_core::error::Result;

/// 256 colors, one for each level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colormap {
    name: String,
    colors: Box<Colors>,
}

impl Colormap {
    /// The name of the colormap that is used where none is named.
    pub const DEFAULT: &str = "jet";

    /// The colormap of OpenCV with this name (`jet`, `COLORMAP_JET`) or number (`2`), else Kiln's scheme of this name; in any
    /// case, `_r` at the end reverses it. Where both have a name, OpenCV's is taken.
    ///
    /// # Errors
    /// [`Error::Invalid`](kiln_core::Error::Invalid) if there is none; the message suggests the nearest names.
    pub fn named(name: &str) -> Result<Self> {
        Self::find(name, Scheme::named)
    }

    /// The same, where Kiln's schemes are looked up by `find`, such as in a user's folders.
    ///
    /// # Errors
    /// What `find` returns.
    pub fn find(name: &str, find: impl FnOnce(&str) -> Result<Scheme>) -> Result<Self> {
        Ok(Self::from(find(name)?))
    }

    /// The names of OpenCV's colormaps, by number.
    pub fn opencv_names() -> impl Iterator<Item = &'static str> {
        ["jet"].into_iter()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The colors, RGBA with straight alpha, by level.
    pub fn colors(&self) -> &Colors {
        &self.colors
    }
}

impl From<Scheme> for Colormap {
    fn from(scheme: Scheme) -> Self {
        Self { name: scheme.name().to_owned(), colors: Box::new(*scheme.colors()) }
    }
}
