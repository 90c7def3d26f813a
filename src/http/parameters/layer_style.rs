//! The projection, style and filter of a request for a layer.

use super::canvas_parameters::{check_coordinate_space, default_projection};
use super::fields::{Fields, query_string};
use super::filter::Filter;
use super::pixel_ratio::PixelRatio;
use super::shared::ProjectionOptions;
use crate::color::Scheme;
use crate::config::LimitsConfig;
use crate::geo::Projection;
use crate::http::server::digest::digest;
use crate::http::server::problem::HttpResult;
use crate::http::server::schemes::Schemes;
use crate::layer::{Layer, StyleOptions};
use crate::parameters::ParameterSet;

/// The projection, style and filter of a layer's picture.
#[derive(Clone, Debug)]
pub(crate) struct LayerStyle {
    pub(crate) projection: Projection,
    pub(crate) options: StyleOptions,
    pub(crate) scheme: Scheme,
    pub(crate) filter: Filter,
    pub(crate) ratio: PixelRatio,
}

impl LayerStyle {
    /// Reads the projection, style and filter, with the defaults of the layer.
    pub(crate) fn read(
        schemes: &Schemes,
        limits: &LimitsConfig,
        layer: &Layer,
        fields: &mut Fields,
    ) -> HttpResult<Self> {
        let projection = fields.read::<ProjectionOptions>()?.projection.unwrap_or_else(|| default_projection(layer));
        let options = fields.read::<StyleOptions>()?.or(layer.style().clone());
        let filter = Filter::read(fields, limits)?;
        check_coordinate_space(layer.coordinate_space(), projection)?;
        let scheme = schemes.find(options.scheme.as_deref())?;
        Ok(Self { projection, options, scheme, filter, ratio: PixelRatio::ONE })
    }

    /// Scales the style to a pixel ratio, so that dots have the same size on the map.
    pub(crate) fn with_ratio(mut self, ratio: PixelRatio) -> Self {
        self.options.radius = Some(ratio.radius(self.options.radius.unwrap_or_default()));
        self.ratio = ratio;
        self
    }
}

/// Returns the canonical text of a style. It is the same in every process, and differs for different styles.
pub(crate) fn style_key(options: &StyleOptions, filter: &Filter, scheme: &Scheme) -> String {
    // A scheme file may have other colors under the same name after a restart.
    let colors = digest(scheme.colors().as_flattened());
    format!("{}&{filter}&colors={colors:032x}", query_string(&options.pairs()))
}
