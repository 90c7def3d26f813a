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
