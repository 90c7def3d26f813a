//! The built-in color schemes.

use colorgrad::{Gradient as _, preset};

use super::{Family, Gradient, Scheme};
use crate::error::Result;

/// The definition of a built-in scheme.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    pub(super) family: Family,
    source: Source,
}

/// The definition of a scheme's colors.
enum Source {
    /// The text of a scheme file.
    File(&'static str),
    /// Color stops, as [`Gradient`] reads them.
    Stops(&'static str),
    /// Color stops whose alpha is their position.
    Faded(&'static str),
    /// A preset gradient of `colorgrad`.
    Preset(fn() -> Box<dyn colorgrad::Gradient>),
}

impl Builtin {
    const fn file(name: &'static str, family: Family, text: &'static str) -> Self {
        Self { name, family, source: Source::File(text) }
    }

    const fn stops(name: &'static str, family: Family, stops: &'static str) -> Self {
        Self { name, family, source: Source::Stops(stops) }
    }

    const fn faded(name: &'static str, stops: &'static str) -> Self {
        Self { name, family: Overlay, source: Source::Faded(stops) }
    }

    const fn preset(name: &'static str, family: Family, gradient: fn() -> Box<dyn colorgrad::Gradient>) -> Self {
        Self { name, family, source: Source::Preset(gradient) }
    }

    /// Builds the scheme.
    pub(super) fn scheme(&self) -> Result<Scheme> {
        let colors = match self.source {
            Source::File(text) => Box::new(*Scheme::parse(self.name, text)?.colors()),
            Source::Stops(stops) => stops.parse::<Gradient>()?.colors(),
            Source::Faded(stops) => {
                let mut colors = stops.parse::<Gradient>()?.colors();
                for (color, alpha) in colors.iter_mut().zip(0..=255) {
                    color[3] = alpha;
                }
                colors
            }
            Source::Preset(gradient) => {
                let gradient = gradient();
                Box::new(std::array::from_fn(|index| gradient.at(index as f32 / 255.0).to_rgba8()))
            }
        };
        Ok(Scheme::new(self.name, self.family, colors))
    }
}

use Family::{Classic, Diverging, Overlay, Rainbow, Sequential};

/// All built-in schemes by family, in listing order.
///
/// Well-known names keep their usual direction: `rdylbu`, `spectral` and similar schemes start with red and `blues`
/// ends dark, as in matplotlib and `ColorBrewer`; `…_r` is the reversed scheme.
pub(super) static BUILTINS: &[Builtin] = &[
    Builtin::file("heat", Overlay, include_str!("../../../../schemes/heat.txt")),
    // The defaults of map libraries; the first three derive the alpha from the density.
    Builtin::faded("leaflet", "blue 40%, cyan 60%, lime 70%, yellow 80%, red 100%"),
    Builtin::faded("heatmapjs", "blue 25%, lime 55%, yellow 85%, red 100%"),
    Builtin::faded("openlayers", "blue, cyan, lime, yellow, red"),
    Builtin::stops("maplibre", Overlay, "#00f0, royalblue 10%, cyan 30%, lime 50%, yellow 70%, red 100%"),
    Builtin::stops(
        "deckgl",
        Overlay,
        "#ffffb200, #ffffb2 5%, #fed976 20%, #feb24c 40%, #fd8d3c 60%, #f03b20 80%, #bd0026",
    ),
    Builtin::file("classic", Classic, include_str!("../../../../schemes/classic.txt")),
    Builtin::file("fire", Classic, include_str!("../../../../schemes/fire.txt")),
    Builtin::file("omg", Classic, include_str!("../../../../schemes/omg.txt")),
    Builtin::file("pbj", Classic, include_str!("../../../../schemes/pbj.txt")),
    Builtin::file("pgaitch", Classic, include_str!("../../../../schemes/pgaitch.txt")),
    Builtin::preset("viridis", Sequential, || preset::viridis().boxed()),
    Builtin::preset("magma", Sequential, || preset::magma().boxed()),
    Builtin::preset("inferno", Sequential, || preset::inferno().boxed()),
    Builtin::preset("plasma", Sequential, || preset::plasma().boxed()),
    Builtin::preset("cividis", Sequential, || preset::cividis().boxed()),
    Builtin::preset("cubehelix", Sequential, || preset::cubehelix_default().boxed()),
    Builtin::preset("warm", Sequential, || preset::warm().boxed()),
    Builtin::preset("cool", Sequential, || preset::cool().boxed()),
    Builtin::stops("hot", Sequential, "#0b0000, red 36.5%, yellow 74.6%, white"),
    Builtin::stops("afmhot", Sequential, "black, #800000 25%, #ff8000 50%, #ffff80 75%, white"),
    Builtin::stops("gray", Sequential, "black, white"),
    Builtin::preset("greys", Sequential, || preset::greys().boxed()),
    Builtin::preset("blues", Sequential, || preset::blues().boxed()),
    Builtin::preset("greens", Sequential, || preset::greens().boxed()),
    Builtin::preset("oranges", Sequential, || preset::oranges().boxed()),
    Builtin::preset("purples", Sequential, || preset::purples().boxed()),
    Builtin::preset("reds", Sequential, || preset::reds().boxed()),
    Builtin::preset("bugn", Sequential, || preset::bu_gn().boxed()),
    Builtin::preset("bupu", Sequential, || preset::bu_pu().boxed()),
    Builtin::preset("gnbu", Sequential, || preset::gn_bu().boxed()),
    Builtin::preset("orrd", Sequential, || preset::or_rd().boxed()),
    Builtin::preset("pubu", Sequential, || preset::pu_bu().boxed()),
    Builtin::preset("pubugn", Sequential, || preset::pu_bu_gn().boxed()),
    Builtin::preset("purd", Sequential, || preset::pu_rd().boxed()),
    Builtin::preset("rdpu", Sequential, || preset::rd_pu().boxed()),
    Builtin::preset("ylgn", Sequential, || preset::yl_gn().boxed()),
    Builtin::preset("ylgnbu", Sequential, || preset::yl_gn_bu().boxed()),
    Builtin::preset("ylorbr", Sequential, || preset::yl_or_br().boxed()),
    Builtin::preset("ylorrd", Sequential, || preset::yl_or_rd().boxed()),
    // Moreland, "Diverging Color Maps for Scientific Visualization": every second of the 33 colors.
    Builtin::stops(
        "coolwarm",
        Diverging,
        "#3b4cc0, #4d68d7, #6282ea, #779af7, #8db0fe, #a3c2ff, #b8d0f9, #ccd9ee, #dddddd, \
         #ecd3c5, #f5c4ad, #f7b194, #f49a7b, #ec7f63, #de604d, #cb3e38, #b40426",
    ),
    Builtin::stops("bwr", Diverging, "blue, white, red"),
    Builtin::preset("rdbu", Diverging, || preset::rd_bu().boxed()),
    Builtin::preset("rdylbu", Diverging, || preset::rd_yl_bu().boxed()),
    Builtin::preset("rdylgn", Diverging, || preset::rd_yl_gn().boxed()),
    Builtin::preset("rdgy", Diverging, || preset::rd_gy().boxed()),
    Builtin::preset("spectral", Diverging, || preset::spectral().boxed()),
    Builtin::preset("brbg", Diverging, || preset::br_bg().boxed()),
    Builtin::preset("piyg", Diverging, || preset::pi_yg().boxed()),
    Builtin::preset("prgn", Diverging, || preset::pr_gn().boxed()),
    Builtin::preset("puor", Diverging, || preset::pu_or().boxed()),
    Builtin::preset("turbo", Rainbow, || preset::turbo().boxed()),
    Builtin::stops("jet", Rainbow, "#000080, blue 12.5%, cyan 37.5%, yellow 62.5%, red 87.5%, #800000"),
    Builtin::preset("rainbow", Rainbow, || preset::rainbow().boxed()),
    Builtin::preset("sinebow", Rainbow, || preset::sinebow().boxed()),
];
