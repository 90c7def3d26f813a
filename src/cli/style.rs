//! The flags about how points are drawn.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::color::{Background, Gradient, Opacity};
use crate::error::Result;
use crate::layer::{Blend, Radius, SchemeFolders, Style, StyleOptions};
use crate::raster::{Aggregation, Curve, Normalization, Shape};

/// How points are drawn.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Style")]
pub(super) struct StyleArgs {
    /// Radius of a dot: 25, 25px, 500m, 10km; on a plane m are its units [default: 20px]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, conflicts_with = "dot_size")]
    radius: Option<Radius>,
    /// Radius as the Python heatmap library's dot size, of which a lone dot shows 0.36 to each side
    #[arg(long, value_name = "PX", allow_hyphen_values = true, value_parser = Radius::from_dot_size)]
    dot_size: Option<Radius>,
    /// Shape of a dot, from soft to hard: gaussian, quartic, epanechnikov, triangular (in x and y), cone, uniform
    /// [default: gaussian]
    #[arg(long, value_name = "SHAPE")]
    kernel: Option<Shape>,
    /// add: dots add up; classic: the Python heatmap library's multiplicative dots, to the byte with --projection plane
    /// [default: add]
    #[arg(long, value_name = "add|classic")]
    blend: Option<Blend>,
    /// What a pixel shows of the points around it: the sum of their weights, their count, or the mean or max weight
    /// [default: sum]
    #[arg(long, value_name = "sum|count|mean|max")]
    agg: Option<Aggregation>,
    /// Latitude at which km in --radius, --vmin and --vmax hold; give it to pictures that are to meet without a seam
    /// [default: the picture's middle]
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true)]
    true_scale: Option<f64>,
    /// Colors by name; `kiln schemes` lists them [default: heat]
    #[arg(long, value_name = "NAME", conflicts_with = "gradient")]
    scheme: Option<String>,
    /// Colors from cold to hot: 'transparent,blue,lime 60%,red'
    #[arg(long, value_name = "COLORS")]
    gradient: Option<Gradient>,
    /// A folder of scheme files, beside ./schemes
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
    /// Opacity of the whole picture: 0.5, 50%, 128/255 [default: 1]
    #[arg(long, value_name = "SHARE")]
    opacity: Option<Opacity>,
    /// Share of the colors over which the picture fades in, for schemes without transparency: 20%
    #[arg(long, value_name = "SHARE")]
    transparent_low: Option<Opacity>,
    /// An opaque color to print the picture on; without it, it can be laid over a map
    #[arg(long, value_name = "COLOR")]
    background: Option<Background>,
    /// Where the hottest color is reached: max, or a percentile of the picture such as p99 [default: p99]
    #[arg(long, value_name = "POLICY")]
    normalize: Option<Normalization>,
    /// Value of the coldest color, in the unit of the summary
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    vmin: Option<f64>,
    /// Value of the hottest color, in the unit of the summary
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    vmax: Option<f64>,
    /// How values are laid on the colors: linear, sqrt, log, or eqhist (equal areas) [default: linear]
    #[arg(long, value_name = "CURVE")]
    curve: Option<Curve>,
}

impl StyleArgs {
    /// What is said.
    pub(super) fn options(&self) -> StyleOptions {
        StyleOptions {
            blend: self.blend,
            shape: self.kernel,
            radius: self.dot_size.or(self.radius),
            true_scale_lat_deg: self.true_scale,
            aggregation: self.agg,
            scheme: self.scheme.clone(),
            gradient: self.gradient.clone(),
            opacity: self.opacity,
            transparent_low: self.transparent_low,
            background: self.background,
            normalization: self.normalize,
            vmin: self.vmin,
            vmax: self.vmax,
            curve: self.curve,
        }
    }

    /// The style of some options, its colors from the folders of schemes that are named.
    pub(super) fn resolve(&self, options: &StyleOptions) -> Result<Style> {
        options.resolve(|name| SchemeFolders::usual(&self.schemes)?.find(name))
    }

    /// Whether colors are said.
    pub(super) fn has_colors(&self) -> bool {
        self.scheme.is_some() || self.gradient.is_some() || self.background.is_some()
    }
}
