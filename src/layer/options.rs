//! What a user may say of a style, and the style that it makes.

use super::style::{Blend, Radius, Style};
use crate::color::{Background, Family, Gradient, Opacity, Scheme};
use crate::error::{Error, Result};
use crate::raster::{Aggregation, Curve, Normalization, Shape};

/// A style as a user asks for it: what is `None` takes its default. The command line and the server read their
/// parameters into it, so that they accept and refuse the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StyleOptions {
    /// See [`Style::blend`].
    pub blend: Option<Blend>,
    /// See [`Style::shape`]; the parameter `kernel`.
    pub shape: Option<Shape>,
    /// See [`Style::radius`].
    pub radius: Option<Radius>,
    /// See [`Style::true_scale_lat_deg`]; the parameter `true-scale`.
    pub true_scale_lat_deg: Option<f64>,
    /// See [`Style::aggregation`]; the parameter `agg`.
    pub aggregation: Option<Aggregation>,
    /// The name of a scheme.
    pub scheme: Option<String>,
    /// Colors of the user's own, in place of a scheme.
    pub gradient: Option<Gradient>,
    /// See [`Style::opacity`].
    pub opacity: Option<Opacity>,
    /// See [`Style::transparent_low`].
    pub transparent_low: Option<Opacity>,
    /// See [`Style::background`].
    pub background: Option<Background>,
    /// See [`Style::normalization`]; the parameter `normalize`.
    pub normalization: Option<Normalization>,
    /// The value of the coldest color, in the [`Unit`](super::Unit) that values are told in.
    pub vmin: Option<f64>,
    /// The value of the hottest color, in the [`Unit`](super::Unit) that values are told in.
    pub vmax: Option<f64>,
    /// See [`Style::curve`].
    pub curve: Option<Curve>,
}

impl StyleOptions {
    /// The style, its colors from `find`. Its `vmin` and `vmax` are still in the unit that they were told in: see
    /// [`Style::per_pixel`].
    ///
    /// # Errors
    /// [`Error::Invalid`] if a number is out of range or two options contradict each other; what `find` answers.
    pub fn resolve(&self, find: impl FnOnce(&str) -> Result<Scheme>) -> Result<Style> {
        self.check()?;
        let scheme = match (&self.gradient, &self.scheme) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("gradient", "give either a scheme or a gradient, not both"));
            }
            (Some(gradient), None) => Scheme::new("gradient", Family::Own, gradient.colors()),
            (None, name) => find(name.as_deref().unwrap_or(Scheme::DEFAULT))?,
        };
        Ok(Style {
            blend: self.blend.unwrap_or_default(),
            shape: self.shape.unwrap_or_default(),
            radius: self.radius.unwrap_or_default(),
            true_scale_lat_deg: self.true_scale_lat_deg,
            aggregation: self.aggregation.unwrap_or_default(),
            scheme,
            opacity: self.opacity.unwrap_or_default(),
            transparent_low: self.transparent_low.map_or(0.0, Opacity::share),
            background: self.background,
            normalization: self.normalization.unwrap_or_default(),
            vmin: self.vmin,
            vmax: self.vmax,
            curve: self.curve.unwrap_or_default(),
        })
    }

    /// The names of all parameters of a style, as [`set`](Self::set) takes them.
    pub const NAMES: [&str; 16] = [
        "blend",
        "kernel",
        "radius",
        "dot_size",
        "true_scale",
        "agg",
        "scheme",
        "gradient",
        "opacity",
        "transparent_low",
        "background",
        "normalize",
        "vmin",
        "vmax",
        "rescale",
        "curve",
    ];

    /// Sets the parameter `name` from text. Beside [`NAMES`](Self::NAMES) their other usual spellings are understood:
    /// `dotSize`, `colormap_name`. Answers whether there is such a parameter.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is no value of the parameter.
    pub fn set(&mut self, name: &str, text: &str) -> Result<bool> {
        match name {
            "blend" => self.blend = Some(text.parse()?),
            "kernel" => self.shape = Some(text.parse()?),
            "radius" => self.radius = Some(text.parse()?),
            "dot_size" | "dotSize" => self.radius = Some(Radius::from_dot_size(text)?),
            "true_scale" => self.true_scale_lat_deg = Some(number("true_scale", text)?),
            "agg" => self.aggregation = Some(text.parse()?),
            "scheme" | "colormap_name" => self.scheme = Some(text.to_owned()),
            "gradient" => self.gradient = Some(text.parse()?),
            "opacity" => self.opacity = Some(text.parse()?),
            "transparent_low" => {
                let share = text.parse().map_err(|error| renamed(error, "transparent_low"))?;
                self.transparent_low = Some(share);
            }
            "background" => self.background = Some(text.parse()?),
            "normalize" => self.normalization = Some(text.parse()?),
            "vmin" => self.vmin = Some(number("vmin", text)?),
            "vmax" => self.vmax = Some(number("vmax", text)?),
            "rescale" => {
                let why = || Error::invalid("rescale", format!("`{text}` is not two numbers such as 0,50"));
                let (vmin, vmax) = text.split_once(',').ok_or_else(why)?;
                (self.vmin, self.vmax) = (Some(number("rescale", vmin)?), Some(number("rescale", vmax)?));
            }
            "curve" => self.curve = Some(text.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What is said, as names and values that [`set`](Self::set) takes.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        fn text<T: ToString>(value: Option<T>) -> Option<String> {
            value.map(|value| value.to_string())
        }
        let (radius, dot_size) = match self.radius {
            Some(Radius::DotSize(size)) => (None, Some(size)),
            radius => (radius, None),
        };
        let pairs = [
            ("blend", text(self.blend)),
            ("kernel", text(self.shape)),
            ("radius", text(radius)),
            ("dot_size", text(dot_size)),
            ("true_scale", text(self.true_scale_lat_deg)),
            ("agg", text(self.aggregation)),
            ("scheme", self.scheme.clone()),
            ("gradient", text(self.gradient.as_ref())),
            ("opacity", text(self.opacity)),
            ("transparent_low", text(self.transparent_low)),
            ("background", text(self.background)),
            ("normalize", text(self.normalization)),
            ("vmin", text(self.vmin)),
            ("vmax", text(self.vmax)),
            ("curve", text(self.curve)),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// These options, and where they say nothing, those of `base`. A color scheme and a gradient replace each other.
    #[must_use]
    pub fn or(self, base: Self) -> Self {
        let base = if self.blend == Some(Blend::Classic) { base.for_classic() } else { base };
        let own_colors = self.scheme.is_some() || self.gradient.is_some();
        let (scheme, gradient) = if own_colors { (None, None) } else { (base.scheme, base.gradient) };
        Self {
            blend: self.blend.or(base.blend),
            shape: self.shape.or(base.shape),
            radius: self.radius.or(base.radius),
            true_scale_lat_deg: self.true_scale_lat_deg.or(base.true_scale_lat_deg),
            aggregation: self.aggregation.or(base.aggregation),
            scheme: self.scheme.or(scheme),
            gradient: self.gradient.or(gradient),
            opacity: self.opacity.or(base.opacity),
            transparent_low: self.transparent_low.or(base.transparent_low),
            background: self.background.or(base.background),
            normalization: self.normalization.or(base.normalization),
            vmin: self.vmin.or(base.vmin),
            vmax: self.vmax.or(base.vmax),
            curve: self.curve.or(base.curve),
        }
    }

    /// These options without those that the classic blend has not.
    fn for_classic(self) -> Self {
        Self {
            shape: None,
            aggregation: None,
            normalization: None,
            vmin: None,
            vmax: None,
            curve: None,
            transparent_low: None,
            ..self
        }
    }

    fn check(&self) -> Result<()> {
        for (name, value) in [("vmin", self.vmin), ("vmax", self.vmax)] {
            if value.is_some_and(|value| !value.is_finite()) {
                return Err(Error::invalid(name, "not a finite number"));
            }
        }
        if let (Some(vmin), Some(vmax)) = (self.vmin, self.vmax)
            && vmin >= vmax
        {
            return Err(Error::invalid("vmin", format!("{vmin} is not below vmax, {vmax}")));
        }
        if self.true_scale_lat_deg.is_some_and(|lat| !(-85.0..=85.0).contains(&lat)) {
            return Err(Error::invalid("true-scale", "not a latitude between -85 and 85 degrees"));
        }
        if self.blend == Some(Blend::Classic) {
            // Silence would let the user believe that they did something.
            let idle = [
                ("kernel", self.shape.is_some()),
                ("agg", self.aggregation.is_some()),
                ("normalize", self.normalization.is_some()),
                ("vmin", self.vmin.is_some()),
                ("vmax", self.vmax.is_some()),
                ("curve", self.curve.is_some()),
                ("transparent-low", self.transparent_low.is_some()),
            ];
            if let Some((name, _)) = idle.into_iter().find(|(_, given)| *given) {
                let why = "the classic blend has none: its dots have one shape, and its colors are absolute";
                return Err(Error::invalid(name, why));
            }
        }
        Ok(())
    }
}

/// A finite number.
fn number(parameter: &'static str, text: &str) -> Result<f64> {
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| Error::invalid(parameter, format!("`{text}` is not a finite number")))
}

/// The same error, of another parameter.
fn renamed(error: Error, parameter: &'static str) -> Error {
    match error {
        Error::Invalid { message, .. } => Error::Invalid { parameter, message },
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(options: &StyleOptions) -> String {
        options.resolve(Scheme::named).unwrap_err().to_string()
    }

    #[test]
    fn nothing_said_is_the_default_style() {
        let style = StyleOptions::default().resolve(Scheme::named).unwrap();
        assert_eq!(format!("{style:?}"), format!("{:?}", Style::new().unwrap()));
    }

    #[test]
    fn every_name_can_be_set_from_text_and_bad_text_is_told_by_its_name() {
        let good = [
            "add", "cone", "10km", "30", "50", "mean", "fire", "red,blue", "50%", "0.2", "white", "p99", "1", "2",
            "0,9", "log",
        ];
        for (name, text) in StyleOptions::NAMES.into_iter().zip(good) {
            let mut options = StyleOptions::default();
            assert!(options.set(name, text).unwrap(), "{name}");
            assert_ne!(options, StyleOptions::default(), "{name}");
            let mut again = StyleOptions::default();
            options.pairs().iter().for_each(|(name, value)| assert!(again.set(name, value).unwrap()));
            assert_eq!(again, options, "{name}");
            if name != "scheme" {
                let error = options.set(name, "a fine mess").unwrap_err().to_string();
                assert!(error.starts_with(name), "{name}: {error}");
            }
        }
        assert!(!StyleOptions::default().set("size", "5").unwrap());
    }

    #[test]
    fn what_is_said_goes_before_the_base() {
        let (mut own, mut base) = (StyleOptions::default(), StyleOptions::default());
        for (name, text) in [("scheme", "fire"), ("radius", "9"), ("vmax", "5")] {
            base.set(name, text).unwrap();
        }
        own.set("gradient", "red,blue").unwrap();
        own.set("radius", "3").unwrap();
        let both = own.or(base);
        assert_eq!((both.radius, both.vmax), (Some(Radius::Pixels(3.0)), Some(5.0)));
        assert!(both.scheme.is_none());
        // The classic blend has no span, whatever the base says of it.
        let classic = StyleOptions { blend: Some(Blend::Classic), ..StyleOptions::default() };
        assert!(classic.or(both).resolve(Scheme::named).is_ok());
    }

    #[test]
    fn contradictions_are_refused() {
        let options = StyleOptions::default();
        let of = |text: &str| text.parse().unwrap();
        let both = StyleOptions { scheme: Some("fire".into()), gradient: Some(of("red,blue")), ..options.clone() };
        assert!(refused(&both).contains("not both"));
        for (vmin, vmax) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(refused(&StyleOptions { vmin: Some(vmin), vmax: Some(vmax), ..options.clone() }).starts_with("vm"));
        }
        let classic = StyleOptions { blend: Some(Blend::Classic), ..options.clone() };
        assert!(classic.resolve(Scheme::named).is_ok());
        assert!(refused(&StyleOptions { curve: Some(Curve::Log), ..classic }).starts_with("curve: the classic blend"));
        assert!(refused(&StyleOptions { true_scale_lat_deg: Some(90.0), ..options }).starts_with("true-scale"));
    }
}
