//! The flags about how points are drawn.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::flags::Flags;
use crate::error::Result;
use crate::layer::{SchemeFolders, Style, StyleOptions};

/// How points are drawn.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Style")]
pub(super) struct StyleArgs {
    #[command(flatten)]
    options: Flags<StyleOptions>,
    /// A folder of scheme files, beside ./schemes
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
}

impl StyleArgs {
    /// The options that are given.
    pub(super) fn options(&self) -> StyleOptions {
        self.options.0.clone()
    }

    /// The style of some options, its colors from the folders of schemes that are named.
    pub(super) fn resolve(&self, options: &StyleOptions) -> Result<Style> {
        options.resolve(|name| SchemeFolders::open(&self.schemes)?.find(name))
    }

    /// Whether colors are given.
    pub(super) fn has_colors(&self) -> bool {
        let StyleOptions { scheme, gradient, background, .. } = &self.options.0;
        scheme.is_some() || gradient.is_some() || background.is_some()
    }
}
