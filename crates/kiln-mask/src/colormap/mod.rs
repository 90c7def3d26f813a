//! Colormaps: those of OpenCV by name or number, and Kiln's schemes by name.

mod opencv;

use kiln_core::color::{Colors, Scheme};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::spelling::{did_you_mean, nearest};

/// 256 colors, one for each level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colormap {
    name: String,
    colors: Box<Colors>,
}

impl Colormap {
    /// The name of the default colormap.
    pub const DEFAULT: &str = "jet";
    /// The prefix that selects a Kiln scheme if OpenCV has a colormap of the same name.
    pub const KILN_PREFIX: &str = "kiln:";

    /// Returns the OpenCV colormap with this name (`jet`, `COLORMAP_JET`) or number (`2`), or else the Kiln scheme with this name.
    /// The suffix `_r` reverses it. If both exist, the name selects OpenCV's; the prefix `kiln:` selects Kiln's.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is unknown; the message suggests similar names.
    pub fn named(name: &str) -> Result<Self> {
        Self::find(name, Scheme::named)
    }

    /// Like [`named`](Self::named), but looks up Kiln schemes with `find`, for example in folders of the user.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is unknown, and errors of `find`.
    pub fn find(name: &str, find: impl FnOnce(&str) -> Result<Scheme>) -> Result<Self> {
        let name = name.trim();
        let of_kiln = |error: Error| match error {
            Error::Invalid { .. } => Self::unknown(name),
            other => other,
        };
        if let Some(kiln) = name.strip_prefix(Self::KILN_PREFIX) {
            return find(kiln).map(Self::from).map_err(of_kiln);
        }
        match Scheme::resolve(strip_opencv(name), opencv_scheme) {
            Some(scheme) => scheme.map(Self::from),
            None => find(name).map(Self::from).map_err(of_kiln),
        }
    }

    fn unknown(name: &str) -> Error {
        let lower = name.to_lowercase();
        let base = strip_opencv(lower.strip_prefix(Self::KILN_PREFIX).unwrap_or(&lower));
        let known = Self::opencv_names().chain(Scheme::builtin_names());
        let hint = did_you_mean(&nearest(base.strip_suffix("_r").unwrap_or(base), known, str::to_lowercase));
        let last = opencv::TABLES.len() - 1;
        let message = format!(
            "unknown colormap `{name}`; {hint}expected an OpenCV name, an OpenCV number from 0 to {last}, or a Kiln scheme"
        );
        Error::invalid(Parameter::COLORMAP, message)
    }

    /// The names of OpenCV's colormaps, by number.
    pub fn opencv_names() -> impl Iterator<Item = &'static str> {
        opencv::TABLES.iter().map(|(name, _)| *name)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The colors, RGBA with straight alpha, by level.
    pub fn colors(&self) -> &Colors {
        &self.colors
    }
}

/// Removes the prefix of OpenCV's constants from a name.
fn strip_opencv(name: &str) -> &str {
    const PREFIX: &str = "COLORMAP_";
    match name.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &name[PREFIX.len()..],
        _ => name,
    }
}

/// The colormap of OpenCV with a name or number, if there is one.
fn opencv_scheme(name: &str) -> Option<Result<Scheme>> {
    let by_number = name.parse::<usize>().ok().and_then(|number| opencv::TABLES.get(number));
    let table = by_number.or_else(|| opencv::TABLES.iter().find(|(known, _)| Scheme::same_name(known, name)));
    table.map(|(name, text)| Scheme::parse(name, text))
}

impl From<Scheme> for Colormap {
    fn from(scheme: Scheme) -> Self {
        Self { name: scheme.name().to_owned(), colors: Box::new(*scheme.colors()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_colormap_of_opencv_has_a_name_and_a_number() {
        for (number, name) in Colormap::opencv_names().enumerate() {
            let colormap = Colormap::named(name).unwrap();
            assert_eq!(colormap.name(), name);
            assert!(colormap.colors().iter().all(|color| color[3] == 255), "{name}");
            let shouted = format!("COLORMAP_{}", name.to_uppercase());
            for other in [number.to_string(), shouted, name.replace('_', "-")] {
                assert_eq!(Colormap::named(&other).unwrap(), colormap, "{other}");
            }
        }
    }

    #[test]
    fn a_table_is_taken_as_it_is() {
        let jet = Colormap::named("jet").unwrap();
        assert_eq!((jet.colors()[0], jet.colors()[255]), ([0, 0, 128, 255], [128, 0, 0, 255]));
        let lines = include_str!("../../../../schemes/opencv/turbo.txt").lines().skip(2);
        for (line, color) in lines.zip(Colormap::named("turbo").unwrap().colors()) {
            assert_eq!(line, format!("{} {} {}", color[0], color[1], color[2]));
        }
        let reversed = Colormap::named("jet_r").unwrap();
        assert!(reversed.name() == "jet_r" && reversed.colors().iter().rev().eq(jet.colors()));
    }

    #[test]
    fn schemes_of_kiln_are_colormaps_too() {
        assert_eq!(Colormap::named("heat").unwrap().name(), "heat");
        assert_ne!(Colormap::named("cool").unwrap().colors(), Colormap::named("kiln:cool").unwrap().colors());
    }

    #[test]
    fn an_unknown_name_is_rejected_with_those_near_it() {
        for (name, near) in
            [("jett", "jet"), ("22", "0 to 21"), ("kiln:fyre", "fire"), ("COLORMAP_TWILIGH", "twilight")]
        {
            let message = Colormap::named(name).unwrap_err().to_string();
            assert!(message.starts_with("colormap: ") && message.contains(near), "{message}");
        }
    }
}
