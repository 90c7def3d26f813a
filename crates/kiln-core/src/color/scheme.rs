//! Color schemes: named gradients.

use super::builtin::{BUILTINS, Builtin};
use super::gradient::{ParsedStop, StopError, parse_position};
use super::{Colors, Gradient};
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::spelling::{did_you_mean, nearest};

/// The family of a scheme. Schemes are listed by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Fades in from transparent, for map overlays.
    Overlay,
    /// The five color tables of the Python library `heatmap`.
    Classic,
    /// Lightness increases or decreases monotonically.
    Sequential,
    /// Two hues that diverge from a neutral center.
    Diverging,
    /// Many hues.
    Rainbow,
    /// Read from a file of the user.
    Own,
}

impl Family {
    /// The heading of the family in listings.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overlay => "Overlay",
            Self::Classic => "Classic",
            Self::Sequential => "Sequential",
            Self::Diverging => "Diverging",
            Self::Rainbow => "Rainbow",
            Self::Own => "Your own",
        }
    }
}

/// A named gradient, sampled at 256 positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    name: String,
    family: Family,
    colors: Box<Colors>,
}

impl Scheme {
    /// The name of the default scheme, which fades in from transparent.
    pub const DEFAULT: &str = "heat";

    /// A scheme of `colors`, cold first.
    pub fn new(name: impl Into<String>, family: Family, colors: Box<Colors>) -> Self {
        Self { name: name.into(), family, colors }
    }

    /// The built-in scheme `name`; case, hyphens and underscores are ignored. `name_r` is the reversed scheme.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is none; the message suggests similar names.
    pub fn named(name: &str) -> Result<Self> {
        Self::resolve(name, |name| BUILTINS.iter().find(|builtin| key(builtin.name) == key(name)).map(Builtin::scheme))
            .unwrap_or_else(|| Err(Self::unknown(name, Self::builtin_names(), "`kiln schemes` lists all")))
    }

    /// Looks `name` up with `find`. If that finds nothing and the name ends in `_r`, returns the reversed scheme of the
    /// name without `_r`.
    pub fn resolve(name: &str, find: impl Fn(&str) -> Option<Result<Self>>) -> Option<Result<Self>> {
        find(name).or_else(|| {
            let base = name.strip_suffix("_r").or_else(|| name.strip_suffix("_R"))?;
            Some(find(base)?.map(Self::reversed))
        })
    }

    /// All built-in schemes by family.
    ///
    /// # Errors
    /// [`Error::Input`] if a built-in definition is invalid, which the tests rule out.
    pub fn builtins() -> Result<Vec<Self>> {
        BUILTINS.iter().map(Builtin::scheme).collect()
    }

    /// The names of all built-in schemes by family.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTINS.iter().map(|builtin| builtin.name)
    }

    /// Whether two names denote the same scheme; case, hyphens, underscores and spaces are ignored.
    pub fn same_name(one: &str, other: &str) -> bool {
        key(one) == key(other)
    }

    /// The error for an unknown scheme `name`. Suggests similar `known` names; `listing_hint` names the list of all
    /// schemes.
    pub fn unknown<'n>(name: &str, known: impl IntoIterator<Item = &'n str>, listing_hint: &str) -> Error {
        let lower = name.to_lowercase();
        let hint = did_you_mean(&nearest(lower.strip_suffix("_r").unwrap_or(&lower), known, key));
        Error::invalid(Parameter::SCHEME, format!("no scheme is named `{name}`; {hint}{listing_hint}"))
    }

    /// Parses a scheme file: one color per line, as `COLOR [POSITION]` or `r g b [POSITION]`.
    ///
    /// `//` starts a comment. A line `order: hot-first` reverses the colors; the default is `order: cold-first`. The
    /// lines are the stops of a [`Gradient`]; 256 lines without positions are a table of colors. The family is that of
    /// the built-in scheme of the same name, or [`Family::Own`].
    ///
    /// # Errors
    /// [`Error::Input`] for `name`, with the number of the invalid line.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let fail = |line: usize, message: &str| Error::input(name, format!("line {line}: {message}"));
        let mut hot_first = false;
        let (mut stops, mut lines) = (Vec::new(), Vec::new());
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let (number, line) = (index + 1, line.split("//").next().unwrap_or_default().trim());
            if line.is_empty() {
                continue;
            }
            if let Some((header, value)) = line.split_once(':') {
                hot_first = match (header.trim(), value.trim()) {
                    ("order", "hot-first") => true,
                    ("order", "cold-first") => false,
                    _ => {
                        let message = format!("`{line}` is unknown; expected order: hot-first or order: cold-first");
                        return Err(fail(number, &message));
                    }
                };
                continue;
            }
            let stop = parse_line(line).map_err(|message| {
                let hint = if line.starts_with('#') { "; comments start with //" } else { "" };
                fail(number, &format!("`{line}`: {message}{hint}"))
            })?;
            stops.push(stop);
            lines.push(number);
        }
        let gradient = Gradient::new(&stops).map_err(|StopError { index, message }| match lines.get(index) {
            Some(number) => fail(*number, &message),
            None => Error::input(name, "the file has no colors; expected one per line, such as #ff8800"),
        })?;
        let mut colors = gradient.colors();
        if hot_first {
            colors.reverse();
        }
        let known = BUILTINS.iter().find(|builtin| Self::same_name(builtin.name, name));
        Ok(Self::new(name, known.map_or(Family::Own, |builtin| builtin.family), colors))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The colors, cold first. The first one is that of the scheme, not the transparent "no data" of a [`Palette`].
    ///
    /// [`Palette`]: super::Palette
    pub fn colors(&self) -> &Colors {
        &self.colors
    }

    /// The scheme with its colors reversed and `_r` appended to its name.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.colors.reverse();
        self.name.push_str("_r");
        self
    }
}

/// Reads a line of a scheme file: `r g b [POSITION]`, or a CSS color with or without a position.
fn parse_line(line: &str) -> Result<ParsedStop, String> {
    let mut parts = line.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
    let mut channel = || parts.next()?.parse::<u8>().ok();
    let Some((r, (g, b))) = channel().zip(channel().zip(channel())) else {
        return ParsedStop::parse(line);
    };
    let position = parts.next().map(parse_position).transpose()?;
    match parts.next() {
        Some(extra) => Err(format!("unexpected `{extra}`; expected r g b, optionally with a position")),
        None => Ok(ParsedStop { color: colorgrad::Color::from_rgba8(r, g, b, 255), position }),
    }
}

/// The normalized form of a name, in which names are compared.
fn key(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::color::Palette;

    #[test]
    fn every_builtin_gives_a_palette_with_index_0_transparent() {
        let schemes = Scheme::builtins().unwrap();
        assert!(schemes.len() > 40);
        for scheme in schemes {
            let palette = Palette::from(&scheme);
            assert_eq!(palette.rgba(0)[3], 0, "{}", scheme.name());
            assert!(palette.rgba(255)[3] >= 204, "{}", scheme.name());
            let opaque = palette.alpha_bytes()[1..].iter().all(|alpha| *alpha == 255);
            assert_eq!(opaque, scheme.family() != Family::Overlay, "{}", scheme.name());
            assert!(Scheme::named(scheme.name()).is_ok());
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Scheme::builtin_names().map(key).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_classic_tables_are_those_of_the_python_library() {
        // Name, checksum (FNV-1a of the 768 bytes, hot first), and colors 0, 50, 128, 200, 252, 255.
        type Row = (&'static str, u64, [[u8; 3]; 6]);
        const TABLES: [Row; 5] = [
            (
                "classic",
                0x0748_65dd_7718_3e0b,
                [[255, 237, 237], [255, 62, 0], [45, 194, 34], [0, 156, 228], [48, 48, 63], [53, 52, 61]],
            ),
            (
                "fire",
                0xc25f_b0ff_6245_6346,
                [[255, 255, 255], [255, 255, 39], [235, 61, 61], [131, 126, 126], [176, 176, 176], [177, 177, 177]],
            ),
            (
                "omg",
                0xffcc_cca2_f85f_2af2,
                [[255, 255, 255], [255, 153, 153], [255, 91, 83], [249, 99, 103], [215, 168, 223], [215, 170, 225]],
            ),
            (
                "pbj",
                0xcd83_fc34_45f9_dbc6,
                [[41, 10, 89], [68, 4, 82], [146, 45, 42], [222, 110, 21], [253, 136, 25], [255, 137, 25]],
            ),
            (
                "pgaitch",
                0x18c4_5326_6423_ff41,
                [[255, 254, 165], [255, 233, 79], [202, 161, 25], [87, 87, 42], [51, 53, 51], [51, 52, 51]],
            ),
        ];
        for (name, checksum, spots) in TABLES {
            let scheme = Scheme::named(name).unwrap();
            let mut table: Vec<[u8; 3]> = scheme.colors().iter().map(|[r, g, b, _]| [*r, *g, *b]).collect();
            table.reverse();
            for (index, color) in [0, 50, 128, 200, 252, 255].into_iter().zip(spots) {
                assert_eq!(table[index], color, "{name} {index}");
            }
            let fnv = table
                .as_flattened()
                .iter()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
            assert_eq!(fnv, checksum, "{name}: {fnv:#x}");
        }
    }

    #[test]
    fn names_ignore_case_and_separators_and_the_suffix_r_reverses() {
        let viridis = Scheme::named("viridis").unwrap();
        assert_eq!(Scheme::named("VIRIDIS").unwrap(), viridis);
        assert_eq!(Scheme::named("rd_yl_bu").unwrap(), Scheme::named("RdYlBu").unwrap());
        for name in ["viridis_r", "Viridis_R"] {
            let reversed = Scheme::named(name).unwrap();
            assert_eq!(reversed.name(), "viridis_r");
            assert_eq!(reversed.colors()[0], viridis.colors()[255]);
            assert_eq!(reversed.colors()[255], viridis.colors()[0]);
        }
    }

    #[test]
    fn unknown_names_get_suggestions() {
        let message = |name| Scheme::named(name).unwrap_err().to_string();
        assert_eq!(
            message("virdis"),
            "scheme: no scheme is named `virdis`; did you mean viridis or cividis? `kiln schemes` lists all"
        );
        assert!(message("imferno_r").contains("did you mean inferno"));
        assert!(message("leaf").contains("leaflet"));
        assert_eq!(message("qqqqqq"), "scheme: no scheme is named `qqqqqq`; `kiln schemes` lists all");
    }

    #[test]
    fn reads_tables_and_stops_in_either_order() {
        let stops = Scheme::parse("own", "// mine\r\norder: hot-first\r\nred\r\n0 0 255 // cold\r\n").unwrap();
        assert_eq!((stops.colors()[255], stops.colors()[0]), ([255, 0, 0, 255], [0, 0, 255, 255]));
        assert_eq!(stops.family(), Family::Own);

        let lines: Vec<String> = (0..256).map(|index| format!("{index}, 0, {}", 255 - index)).collect();
        let table = Scheme::parse("table", &lines.join("\n")).unwrap();
        assert!((0..=255_u8).all(|index| table.colors()[usize::from(index)] == [index, 0, 255 - index, 255]));

        let placed = Scheme::parse("placed", "\u{feff}#0000 0%\n#00f 20%\n255 255 0 60%\nrgb(255, 0, 0) 1").unwrap();
        assert_eq!(placed.colors()[51], [0, 0, 255, 255]);
        assert_eq!(placed.colors()[153], [255, 255, 0, 255]);
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let message = |text| Scheme::parse("own", text).unwrap_err().to_string();
        assert!(message("red\n\nblurple").starts_with("own: line 3: `blurple`: not a color"));
        assert!(message("# mine\nred\nblue").contains("line 1") && message("# mine").contains("start with //"));
        assert!(message("order: upwards\nred\nblue").contains("order: hot-first or order: cold-first"));
        assert!(message("red 50%\nlime 20%").contains("line 2: position 20%"));
        assert!(message("1 2 3 0.5 9\nred").contains("line 1: `1 2 3 0.5 9`: unexpected `9`"));
        assert!(message("red").contains("at least 2 colors"));
        assert!(message("// nothing").contains("has no colors"));
        assert!(message("1 2 256\nred").contains("line 1"));
    }
}
