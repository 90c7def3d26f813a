//! Absolute URLs of the tiles, pictures and legends of a layer in a style, for files that other programs open.

use std::borrow::Cow;

use super::tile_extent::TileExtent;
use crate::geo::{Bounds, TileCoord};
use crate::http::parameters::fields::query_string;
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::Layer;
use crate::parameters::{Kind, ParameterSet};

/// The URLs of a layer in a style. They carry on the key or the signature of the request.
#[derive(Debug)]
pub(super) struct LayerLinks<'a> {
    base: &'a BaseUrl,
    layer: &'a Layer,
    /// The URL of the layer.
    root: String,
    /// The style and the filter.
    style: Vec<(&'static str, String)>,
    /// Whether the colors have the same values at every zoom.
    is_fixed: bool,
}

impl<'a> LayerLinks<'a> {
    /// The URLs of `layer` in `style`.
    ///
    /// # Errors
    /// If the layer is on a plane, or the request has no valid `Host`.
    pub(super) fn of(layer: &'a Layer, style: &TileStyle, base: &'a BaseUrl, format: &str) -> HttpResult<Self> {
        if !layer.coordinate_space().wraps() {
            let detail = format!("the layer is on a plane, and {format} is for layers on the globe");
            return Err(Problem::parameter("layer", detail));
        }
        let options = &style.style.options;
        let mut pairs = options.pairs();
        pairs.extend(style.style.filter.pairs());
        Ok(Self {
            base,
            layer,
            root: format!("{}/{}", base.absolute()?, layer.name()),
            style: pairs,
            is_fixed: options.vmin.is_some() && options.vmax.is_some(),
        })
    }

    /// The same URLs without percent-encoded characters that separate parts of a URL, for programs that decode URLs more
    /// than once: colors are written without `#`, and positions without `%`.
    ///
    /// # Errors
    /// If another value has such a character.
    pub(super) fn without_reserved_characters(mut self, program: &str) -> HttpResult<Self> {
        for (name, value) in &mut self.style {
            if ["gradient", "background"].contains(name) {
                *value = plain_colors(value);
            }
            if let Some(reserved) = value.chars().find(|c| "&#%+".contains(*c)) {
                let detail = format!("`{value}` contains `{reserved}`, which {program} does not keep in a URL");
                return Err(Problem::parameter(name, detail));
            }
        }
        Ok(self)
    }

    /// The URL of a route of the layer, with the style and more parameters.
    pub(super) fn url(&self, route: &str, more: &[(&'static str, String)]) -> String {
        let pairs: Vec<_> = self.style.iter().chain(more).cloned().collect();
        let separator = if pairs.is_empty() { "" } else { "?" };
        self.base.link(&format!("{}/{route}{separator}{}", self.root, query_string(&pairs)))
    }

    /// The URL template of the tiles, without their version: clients that keep it see later changes of the points.
    pub(super) fn tiles(&self) -> String {
        self.url("{z}/{x}/{y}.png", &[])
    }

    /// The URL of a tile of the current version, which may be cached indefinitely.
    pub(super) fn tile(&self, tile: TileCoord) -> String {
        self.url(&format!("{tile}.png"), &[("v", self.layer.version().to_owned())])
    }

    /// The URL of a picture of bounds in Web Mercator.
    pub(super) fn picture(&self, bounds: Bounds, width: u32, height: u32) -> String {
        let Bounds { west, south, east, north } = bounds;
        self.url(&format!("bbox/{west},{south},{east},{north}/{width}x{height}.png"), &[])
    }

    /// The parameters of the legend of a layer, in place of one per zoom: that of the zoom at which a map fits all points.
    /// Its title names the zoom, unless the legend is that of all zooms.
    pub(super) fn legend_parameters(&self, extent: &TileExtent) -> [(&'static str, String); 2] {
        let (_, _, zoom) = extent.center;
        let end = if self.is_fixed { String::new() } else { format!(", zoom {zoom}") };
        // Titles of layers may be longer than those of legends.
        let title = shortened(self.layer.title(), Kind::LABEL_BYTES - end.len());
        [("zoom", zoom.to_string()), ("title", format!("{title}{end}"))]
    }

    /// The URL of the legend.
    pub(super) fn legend(&self, extent: &TileExtent) -> String {
        self.url("legend.png", &self.legend_parameters(extent))
    }

    /// The query string of the legend, without the key or the signature.
    pub(super) fn legend_query(&self, extent: &TileExtent) -> String {
        let pairs: Vec<_> = self.style.iter().cloned().chain(self.legend_parameters(extent)).collect();
        query_string(&pairs)
    }
}

/// Colors such as `#ff0000ff 60%,#0000ffff 100%` as `ff0000ff 0.6,0000ffff 1`.
fn plain_colors(text: &str) -> String {
    let plain = |stop: &str| {
        let Some((color, percent)) = stop.split_once(' ') else { return stop.replace('#', "") };
        let share = percent.trim_end_matches('%').parse::<f64>().unwrap_or_default() / 100.0;
        // Positions have 4 decimals of a percent.
        let share = format!("{share:.6}");
        format!("{} {}", color.replace('#', ""), share.trim_end_matches('0').trim_end_matches('.'))
    };
    text.split(',').map(plain).collect::<Vec<_>>().join(",")
}

/// The tile at an address of the globe, as `zoom/column/row`.
pub(super) fn tile_of(text: &str) -> Option<TileCoord> {
    let mut parts = text.split('/');
    let (zoom, x, y) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    TileCoord::new(zoom, x, y).ok().filter(|_| parts.next().is_none())
}

/// A text of at most `max_bytes`, with an ellipsis in place of the rest.
fn shortened(text: &str, max_bytes: usize) -> Cow<'_, str> {
    const ELLIPSIS: char = '…';
    if text.len() <= max_bytes {
        return text.into();
    }
    let ends = (0..=max_bytes - ELLIPSIS.len_utf8()).rev();
    let start = ends.map(|end| text.get(..end)).find_map(|start| start).unwrap_or_default();
    format!("{start}{ELLIPSIS}").into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::color::{Background, Gradient};

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("Städte", 7), "Städte");
        assert_eq!(shortened("Städte", 6), "St…");
        assert_eq!(shortened("éé", 3), "…");
        assert_eq!(shortened(&"ab".repeat(200), 200).len(), 200);
    }

    #[test]
    fn colors_without_reserved_characters_are_the_same() {
        for text in [
            "red,lime,blue",
            "transparent,blue,lime 60%,red",
            "#10203040 12.3456%,rgb(1 2 3 / 40%) 33.3333%",
            "red 0,blue 0",
        ] {
            let gradient: Gradient = text.parse().unwrap();
            let plain = plain_colors(&gradient.to_string());
            assert!(!plain.contains(['#', '%']), "{plain}");
            assert_eq!(plain.parse::<Gradient>().unwrap().to_string(), gradient.to_string());
        }
        let background: Background = "rgb(1, 2, 3)".parse().unwrap();
        assert_eq!(plain_colors(&background.to_string()).parse::<Background>().unwrap(), background);
    }
}
