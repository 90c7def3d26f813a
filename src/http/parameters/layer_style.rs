//! How a layer is drawn, as a request's parameters describe it.

use super::canvas_parameters::{check_coordinate_space, usual_projection};
use super::fields::{Fields, query_string};
use super::filter::Filter;
use super::pixel_ratio::PixelRatio;
use super::shared::ProjectionOptions;
use crate::color::Scheme;
use crate::geo::Projection;
use crate::http::server::digest::digest;
use crate::http::server::problem::Answer;
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
}

impl LayerStyle {
    /// Reads the projection, the style and the filter; the layer's own are the defaults.
    pub(crate) fn read(schemes: &Schemes, layer: &Layer, fields: &mut Fields) -> Answer<Self> {
        let projection = fields.read::<ProjectionOptions>()?.projection.unwrap_or_else(|| usual_projection(layer));
        let options = fields.read::<StyleOptions>()?.or(layer.style().clone());
        let filter = Filter::read(fields)?;
        check_coordinate_space(layer.coordinate_space(), projection)?;
        let scheme = schemes.find(options.scheme.as_deref())?;
        Ok(Self { projection, options, scheme, filter })
    }

    /// The same style in pixels of an image with that ratio: a dot is as large on the map.
    pub(crate) fn with_ratio(mut self, ratio: PixelRatio) -> Self {
        self.options.radius = Some(ratio.radius(self.options.radius.unwrap_or_default()));
        self
    }
}

/// The canonical text of a style: equal for equal styles, in every process, and different for different ones.
pub(crate) fn style_key(options: &StyleOptions, filter: &Filter, scheme: &Scheme) -> String {
    // A scheme of a file may have other colors under the same name when the server starts again.
    let colors = digest(scheme.colors().as_flattened());
    format!("{}&{filter}&colors={colors:016x}", query_string(&options.pairs()))
}
