//! The metadata of a stored mask.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MaskOptions;
use super::value_file::Layout;
use crate::error::Result;
use crate::mask::{MaskStyle, size_of};
use crate::parameters::ParameterSet;

/// The metadata of a stored mask, without its values and background pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskRecord {
    /// When the mask was created, in seconds since 1970.
    pub created_s: u64,
    pub(super) layout: Layout,
    /// The file of the values. File names are unique, so the name is also a cache key.
    pub(super) values: String,
    /// The least and the greatest finite value; `None` if no value is finite.
    pub range: Option<(f64, f64)>,
    /// The number of cells without data.
    pub missing: usize,
    /// The picture below the mask.
    pub background: Option<BackgroundRecord>,
    /// The style by parameter, as text.
    style: BTreeMap<String, String>,
    /// The URL that clicks are sent to.
    pub webhook: Option<String>,
    /// Remarks on what was left out of the values.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// The background of a stored mask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackgroundRecord {
    pub(super) file: String,
    /// The width in pixels.
    pub width: usize,
    /// The height in pixels.
    pub height: usize,
}

impl MaskRecord {
    pub(super) fn new(created_s: u64, layout: Layout, values: String) -> Self {
        let style = BTreeMap::new();
        Self {
            created_s,
            layout,
            values,
            range: None,
            missing: 0,
            background: None,
            style,
            webhook: None,
            remarks: Vec::new(),
        }
    }

    /// The size of the values in bytes.
    pub fn values_bytes(&self) -> u64 {
        self.layout.bytes().unwrap_or(usize::MAX) as u64
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.layout.columns
    }

    /// Width and height of the background in pixels.
    pub fn background_size(&self) -> Option<(usize, usize)> {
        self.background.as_ref().map(|background| (background.width, background.height))
    }

    /// Width and height of the picture in pixels in `style`, with or without its background.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if it is out of range.
    pub fn picture_size(&self, style: &MaskStyle, over_background: bool) -> Result<(usize, usize)> {
        size_of((self.columns(), self.rows()), style, self.background_size().filter(|_| over_background))
    }

    /// The values of the lowest and the highest level in `style`; `None` if one is not set and no value is finite.
    pub fn bounds(&self, style: &MaskStyle) -> Option<(f64, f64)> {
        let inferred = self.range;
        style.vmin.or(inferred.map(|(least, _)| least)).zip(style.vmax.or(inferred.map(|(_, most)| most)))
    }

    /// A cache key that is unique to these values.
    pub fn values_key(&self) -> &str {
        &self.values
    }

    /// A cache key that is unique to this background; `None` if there is none.
    pub fn background_key(&self) -> Option<&str> {
        self.background.as_ref().map(|background| background.file.as_str())
    }

    /// The style.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if the record was changed by another program.
    pub fn style(&self) -> Result<MaskOptions> {
        let mut options = MaskOptions::default();
        for (name, text) in &self.style {
            options.set(name, text)?;
        }
        Ok(options)
    }

    /// Replaces the style.
    pub fn set_style(&mut self, options: &MaskOptions) {
        self.style = options.pairs().into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    }
}
