//! The style flags.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::flags::Flags;
use crate::error::Result;
use crate::layer::{SchemeFolders, Style, StyleOptions};

/// The style parameters and the folders of color schemes.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Style")]
pub(super) struct StyleArgs {
    #[command(flatten)]
    options: Flags<StyleOptions>,
    /// Folder of scheme files, in addition to ./schemes; repeatable
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
}

impl StyleArgs {
    /// The given style options.
    pub(super) fn options(&self) -> StyleOptions {
        self.options.0.clone()
    }

    /// Resolves options to a style, with color schemes from the given folders.
    pub(super) fn resolve(&self, options: &StyleOptions) -> Result<Style> {
        options.resolve(|name| SchemeFolders::open(&self.schemes)?.find(name))
    }

    /// Whether any color option is given.
    pub(super) fn has_colors(&self) -> bool {
        let StyleOptions { scheme, gradient, background, .. } = &self.options.0;
        scheme.is_some() || gradient.is_some() || background.is_some()
    }
}
