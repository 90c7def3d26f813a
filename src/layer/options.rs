//! The parameters of a style.

use super::style::{Blend, Radius, Style};
use super::units::Units;
use crate::color::{Background, Family, Gradient, Opacity, Scheme};
use crate::error::{Error, Result};
use crate::message;
use crate::parameter::{Message, Parameter};
use crate::parameters::{Declaration, Kind, ParameterSet, Value, from_str_values, parameter_set};
use crate::raster::{Aggregation, Curve, Normalization, Shape, classic};

const LATITUDE: Kind = Kind::Number { min: -85.0, max: 85.0 };
const DOT_SIZE: Kind = Kind::Number { min: 0.0, max: classic::MAX_DOT_SIZE as f64 };

parameter_set! {
    /// The requested parameters of a style; a field that is `None` takes its default. All front ends read their
    /// parameters into this type, so that they accept and reject the same values. [`Style`] documents the fields.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct StyleOptions {
        /// How dots combine: `add`, or `classic`, the multiplicative dots of the Python heatmap library, byte for
        /// byte on a plane.
        pub blend: Blend = Declaration::new(Parameter::BLEND, Kind::Choice(&["add", "classic"])).default("add"),
        /// Shape of a dot, from soft to hard: gaussian, quartic, epanechnikov, triangular (in x and y), cone or
        /// uniform.
        pub shape: Shape = Declaration::new(Parameter::KERNEL, Kind::Choice(&SHAPES))
            .value_name("SHAPE")
            .default("gaussian"),
        /// Radius of a dot: `25` or `25px` (pixels), `500m`, `10km` (on the ground at every latitude; plane units on a
        /// plane).
        pub radius: Radius = Declaration::new(Parameter::RADIUS, Kind::Length)
            .default("20px")
            .example("20")
            .conflicts_with(Parameter::DOT_SIZE),
        /// Value of a pixel: the sum of the weights of the points around it, their count, or their mean or max weight.
        pub aggregation: Aggregation = Declaration::new(Parameter::AGG, Kind::Choice(&AGGREGATIONS)).default("sum"),
        /// Colors by name; `kiln schemes` and `GET /catalog` list them.
        pub scheme: String = Declaration::new(Parameter::SCHEME, Kind::Name)
            .aliases(&["colormap_name"])
            .default(Scheme::DEFAULT)
            .example("fire")
            .conflicts_with(Parameter::GRADIENT),
        /// Colors from cold to hot in place of a scheme, such as `transparent,blue,lime 60%,red`.
        pub gradient: Gradient = Declaration::new(Parameter::GRADIENT, Kind::Colors),
        /// Opacity of the whole picture, 0 to 1: `0.5`, `50%`, `128/255`.
        pub opacity: Opacity = Declaration::new(Parameter::OPACITY, Kind::Share).default("1").example("0.8"),
        /// Share of the colors, from the cold end, over which the picture fades in: `20%`. For schemes without
        /// transparency.
        pub transparent_low: Opacity = Declaration::new(Parameter::TRANSPARENT_LOW, Kind::Share).default("0"),
        /// Background of the picture: an opaque CSS color.
        pub background: Background = Declaration::new(Parameter::BACKGROUND, Kind::Color)
            .default("none (transparent, to overlay on a map)"),
        /// Value of the hottest color if `vmax` is not given: `max`, or a percentile of the picture such as `p99`.
        pub normalization: Normalization = Declaration::new(Parameter::NORMALIZE, Kind::Percentile).default("p99"),
        /// Unit of sums and counts: per km² or m² of the ground under a pixel, or per pixel.
        pub units: Units = Declaration::new(Parameter::UNITS, Kind::Choice(&UNITS))
            .value_name("UNIT")
            .default("per_km2; per_m2 on a plane, per_px for the band of a GeoTIFF"),
        /// Value of the coldest color, in the unit of the legend.
        pub vmin: f64 = Declaration::new(Parameter::VMIN, Kind::NUMBER),
        /// Value of the hottest color, in the unit of the legend.
        pub vmax: f64 = Declaration::new(Parameter::VMAX, Kind::NUMBER),
        /// Curve from values to colors: linear, sqrt, log, or eqhist (histogram equalization).
        pub curve: Curve = Declaration::new(Parameter::CURVE, Kind::Choice(&CURVES))
            .value_name("CURVE")
            .default("linear"),
    }
    also {
        /// Radius as the dot size of the Python heatmap library, in pixels: a single dot is visible to 0.36 times the
        /// dot size on each side. Replaces `radius`.
        dot_size = Declaration::new(Parameter::DOT_SIZE, DOT_SIZE).aliases(&["dotSize"]).value_name("PX") => {
            set: |options, text, _| {
                options.radius = Some(Radius::from_dot_size(text).map_err(Error::into_message)?);
                Ok(())
            },
            get: |options| options.radius.and_then(Radius::dot_size).map(|size| size.to_string()),
            clear: |options| options.radius = None,
        },
        /// It has no effect, since a radius in kilometers and values per km² hold at every latitude.
        true_scale = Declaration::new(Parameter::TRUE_SCALE, LATITUDE).value_name("DEGREES").deprecated() => {
            set: |_, text, kind| f64::read(text, kind).map(drop),
            get: |_| None,
            clear: |_| (),
        },
        /// `vmin` and `vmax` in one parameter, such as `0,50`.
        rescale = Declaration::new(Parameter::RESCALE, Kind::Text).example("0,50").without_flag() => {
            set: |options, text, _| {
                let ends = text.split_once(',');
                let ends = ends.ok_or_else(|| format!("`{text}` is not two numbers such as 0,50"))?;
                options.vmin = Some(Value::read(ends.0, Kind::NUMBER)?);
                options.vmax = Some(Value::read(ends.1, Kind::NUMBER)?);
                Ok(())
            },
            get: |_| None,
            clear: |options| (options.vmin, options.vmax) = (None, None),
        },
    }
}

from_str_values!(Blend, Units);

impl Value for Radius {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        text.parse().map_err(Error::into_message)
    }

    fn write(&self) -> Option<String> {
        self.dot_size().is_none().then(|| self.to_string())
    }
}

const AGGREGATIONS: [&str; Aggregation::ALL.len()] = names(&Aggregation::ALL);
const CURVES: [&str; Curve::ALL.len()] = names(&Curve::ALL);
const UNITS: [&str; Units::ALL.len()] = names(&Units::ALL);
const SHAPES: [&str; Shape::ALL.len()] = names(&Shape::ALL);

const fn names<T, const N: usize>(all: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut i = 0;
    while i < N {
        names[i] = all[i].0;
        i += 1;
    }
    names
}

/// The parameters that set the colors; one replaces the other.
const COLORS: [Parameter; 2] = [Parameter::SCHEME, Parameter::GRADIENT];

/// The parameters that the classic blend does not support.
const NOT_CLASSIC: [Parameter; 8] = [
    Parameter::KERNEL,
    Parameter::AGG,
    Parameter::NORMALIZE,
    Parameter::UNITS,
    Parameter::VMIN,
    Parameter::VMAX,
    Parameter::CURVE,
    Parameter::TRANSPARENT_LOW,
];

impl StyleOptions {
    /// Builds the style; `find` returns the scheme of a name. `vmin` and `vmax` are in the unit of the legend.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a number is out of range or two options contradict each other; errors of `find`.
    pub fn resolve(&self, find: impl FnOnce(&str) -> Result<Scheme>) -> Result<Style> {
        self.check()?;
        let scheme = match (&self.gradient, &self.scheme) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(Parameter::GRADIENT, "give either a scheme or a gradient, not both"));
            }
            (Some(gradient), None) => Scheme::new("gradient", Family::Own, gradient.colors()),
            (None, name) => find(name.as_deref().unwrap_or(Scheme::DEFAULT))?,
        };
        Ok(Style {
            blend: self.blend.unwrap_or_default(),
            shape: self.shape.unwrap_or_default(),
            radius: self.radius.unwrap_or_default(),
            aggregation: self.aggregation.unwrap_or_default(),
            scheme,
            opacity: self.opacity.unwrap_or_default(),
            transparent_low: self.transparent_low.map_or(0.0, Opacity::value),
            background: self.background,
            normalization: self.normalization.unwrap_or_default(),
            units: self.units,
            pixel_ratio: 1.0,
            vmin: self.vmin,
            vmax: self.vmax,
            curve: self.curve.unwrap_or_default(),
        })
    }

    /// Returns these options, with those of `base` where they are `None`. A color scheme and a gradient replace each
    /// other.
    #[must_use]
    pub fn or(self, base: Self) -> Self {
        let is_classic = self.blend == Some(Blend::Classic);
        let base = if is_classic { base.without(&NOT_CLASSIC) } else { base };
        let base = if self.first_of(&COLORS).is_some() { base.without(&COLORS) } else { base };
        self.over(base)
    }

    fn check(&self) -> Result<()> {
        self.check_ranges()?;
        if let (Some(vmin), Some(vmax)) = (self.vmin, self.vmax)
            && vmin >= vmax
        {
            let detail = message!(format!("{vmin} is not below "), Parameter::VMAX, format!(", {vmax}"));
            return Err(Error::invalid(Parameter::VMIN, detail));
        }
        // A parameter without effect is an error rather than ignored.
        let unused = if self.blend == Some(Blend::Classic) { self.first_of(&NOT_CLASSIC) } else { None };
        unused.map_or(Ok(()), |unused| {
            let detail = "the classic blend does not support it: its dots have one shape, and its colors are absolute";
            Err(Error::invalid(unused, detail))
        })
    }
}

/// The declaration of a style parameter, for other sets with parameters of a style.
#[cfg(feature = "server")]
pub(crate) const fn of_style(parameter: Parameter) -> Declaration {
    let entries = <StyleOptions as ParameterSet>::ENTRIES;
    let mut index = 0;
    while index < entries.len() {
        let declaration = entries[index].declaration;
        if is_same(declaration.parameter.name().as_bytes(), parameter.name().as_bytes()) {
            return declaration;
        }
        index += 1;
    }
    Declaration::new(parameter, Kind::Text)
}

#[cfg(feature = "server")]
const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rejected(options: &StyleOptions) -> String {
        options.resolve(Scheme::named).unwrap_err().to_string()
    }

    #[test]
    fn empty_options_are_the_default_style() {
        let style = StyleOptions::default().resolve(Scheme::named).unwrap();
        assert_eq!(format!("{style:?}"), format!("{:?}", Style::new().unwrap()));
    }

    #[test]
    fn every_parameter_is_set_from_text_and_invalid_text_is_an_error_with_its_name() {
        let good = [
            ("agg", "mean"),
            ("background", "white"),
            ("blend", "add"),
            ("colormap_name", "fire"),
            ("curve", "log"),
            ("dotSize", "31"),
            ("dot_size", "30"),
            ("gradient", "red,blue"),
            ("kernel", "cone"),
            ("normalize", "p99"),
            ("opacity", "50%"),
            ("radius", "10km"),
            ("rescale", "0,9"),
            ("scheme", "fire"),
            ("transparent_low", "0.2"),
            ("units", "per_px"),
            ("vmax", "2"),
            ("vmin", "1"),
        ];
        let current = StyleOptions::declarations().filter(|declaration| !declaration.is_deprecated);
        let mut known: Vec<_> = current.flat_map(Declaration::names).collect();
        known.sort_unstable();
        assert_eq!(known, good.map(|(name, _)| name));
        for (name, text) in good {
            let mut options = StyleOptions::default();
            assert!(options.set(name, text).unwrap(), "{name}");
            assert_ne!(options, StyleOptions::default(), "{name}");
            let mut again = StyleOptions::default();
            options.pairs().iter().for_each(|(name, value)| assert!(again.set(name, value).unwrap()));
            assert_eq!(again, options, "{name}");
            if !["scheme", "colormap_name"].contains(&name) {
                let error = options.set(name, "a fine mess").unwrap_err().to_string();
                assert!(error.starts_with(name) || name == "dotSize", "{name}: {error}");
            }
        }
        assert!(!StyleOptions::default().set("size", "5").unwrap());
    }

    #[test]
    fn given_options_take_precedence_over_the_base() {
        let (mut own, mut base) = (StyleOptions::default(), StyleOptions::default());
        for (name, text) in [("scheme", "fire"), ("radius", "9"), ("vmax", "5")] {
            base.set(name, text).unwrap();
        }
        own.set("gradient", "red,blue").unwrap();
        own.set("radius", "3").unwrap();
        let both = own.or(base);
        assert_eq!((both.radius, both.vmax), (Some(Radius::Pixels(3.0)), Some(5.0)));
        assert!(both.scheme.is_none());
        // The classic blend has no span, so that of the base is dropped.
        let classic = StyleOptions { blend: Some(Blend::Classic), ..StyleOptions::default() };
        assert!(classic.or(both).resolve(Scheme::named).is_ok());
    }

    #[test]
    fn contradictions_are_rejected() {
        let options = StyleOptions::default();
        let of = |text: &str| text.parse().unwrap();
        let both = StyleOptions { scheme: Some("fire".into()), gradient: Some(of("red,blue")), ..options.clone() };
        assert!(rejected(&both).contains("not both"));
        for (vmin, vmax) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(
                rejected(&StyleOptions { vmin: Some(vmin), vmax: Some(vmax), ..options.clone() }).starts_with("vm")
            );
        }
        let classic = StyleOptions { blend: Some(Blend::Classic), ..options.clone() };
        assert!(classic.resolve(Scheme::named).is_ok());
        assert!(rejected(&StyleOptions { curve: Some(Curve::Log), ..classic }).starts_with("curve: the classic blend"));
        let mut options = options;
        assert!(options.set("true_scale", "50").unwrap());
        let beyond = options.set("true_scale", "90").unwrap_err().to_string();
        assert_eq!(beyond, "true_scale: `90` is not a number from -85 to 85");
        assert_eq!(options, StyleOptions::default());
    }

    #[test]
    fn every_declared_choice_is_read() {
        for entry in StyleOptions::ENTRIES {
            let Kind::Choice(names) = entry.declaration.kind else { continue };
            for name in names {
                let mut options = StyleOptions::default();
                entry.set(&mut options, name).unwrap();
                assert_eq!(entry.get(&options).as_deref(), Some(*name));
            }
        }
    }
}
