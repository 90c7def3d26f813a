//! Formats of values.

use std::fmt;
use std::str::FromStr;

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

use crate::label::is_forbidden;

/// A format of values, such as `0.0`, `0%`, `,0` or `$0.0k`.
///
/// ```text
/// FORMAT = [PREFIX] ["+"] [","] "0" ["." "0"…] [SCALE] [SUFFIX]
/// ```
///
/// The zeros after the point are the number of decimals, up to 9. `+` writes a plus sign before positive values; `,`
/// separates thousands. SCALE is `%` (times 100), `k`, `M` or `G` (divided by 10³, 10⁶, 10⁹), `s` (the fitting one of these
/// for each value), or `e` (scientific notation); it follows the number directly. PREFIX and SUFFIX are any texts of up to
/// 16 characters, such as `€` or ` km`; PREFIX has no digit. A space ends the number: `0 km` is in kilometers, `0k` in
/// thousands.
///
/// The default format, written `auto`, has one scale and one number of decimals for all values of a chart: integers of up to
/// five digits as they are; else three significant digits at the maximum, in thousands (k) from 100,000, millions (M) from
/// a million and billions (G) from a billion; more decimals if values differ by less than a tenth of that; and scientific
/// notation below 0.0001 and from 10¹².
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValueFormat(Option<Pattern>);

/// The parts of a format.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pattern {
    prefix: String,
    plus: bool,
    group: bool,
    decimals: usize,
    scale: Scale,
    suffix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scale {
    One,
    Percent,
    Kilo,
    Mega,
    Giga,
    Fitting,
    Scientific,
}

impl Scale {
    /// The letter after the number, the scale, and the divisor of values.
    const ALL: [(&'static str, Self, f64); 6] = [
        ("%", Self::Percent, 0.01),
        ("k", Self::Kilo, 1e3),
        ("M", Self::Mega, 1e6),
        ("G", Self::Giga, 1e9),
        ("s", Self::Fitting, 1.0),
        ("e", Self::Scientific, 1.0),
    ];

    /// The divisor of values.
    fn divisor(self) -> f64 {
        Self::ALL.iter().find(|(_, scale, _)| *scale == self).map_or(1.0, |(.., divisor)| *divisor)
    }
}

/// The prefixes of the International System of Units for large numbers.
const SI: [(f64, &str); 5] = [(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
/// The maximum number of characters of a prefix and of a suffix.
const MAX_AFFIX: usize = 16;
/// The maximum number of decimals.
const MAX_DECIMALS: usize = 9;
/// The value from which the default format uses k, M and G, and that from which it is scientific.
const LARGE: f64 = 1e5;
const HUGE: f64 = 1e12;
/// The value below which the default format is scientific.
const SMALL: f64 = 1e-4;
/// A maximum counts as that much more, because 999.96 rounds to 1000.
const ROUNDING: f64 = 1.0005;

impl ValueFormat {
    /// Formats a value; a minus is U+2212. The default format is that of this value alone.
    pub fn format(&self, value: f64) -> String {
        match &self.0 {
            Some(pattern) => pattern.format(value),
            None if value.is_finite() => Pattern::automatic(&[value].into_iter(), [value; 2], &[]).format(value),
            None => value.to_string(),
        }
    }

    /// Whether it is the default format.
    pub fn is_auto(&self) -> bool {
        self.0.is_none()
    }

    /// The format of a chart: this one, or instead of the default one the format of its finite `values`. The colors range
    /// over `span`; `bounds` are written without rounding if two more decimals suffice.
    pub(crate) fn resolve(&self, values: &(impl Iterator<Item = f64> + Clone), span: [f64; 2], bounds: &[f64]) -> Self {
        if self.is_auto() { Self(Some(Pattern::automatic(values, span, bounds))) } else { self.clone() }
    }

    /// Formats each of `values`.
    pub(crate) fn format_all(&self, values: &[Option<f64>]) -> Vec<Option<String>> {
        values.iter().map(|value| value.map(|value| self.format(value))).collect()
    }

    /// The difference of two values whose texts differ by one in the last digit; 0 if it depends on the value.
    pub(crate) fn quantum(&self) -> f64 {
        match &self.0 {
            Some(Pattern { scale: Scale::Scientific | Scale::Fitting, .. }) | None => 0.0,
            Some(pattern) => pattern.scale.divisor() / 10_f64.powi(pattern.decimals as i32),
        }
    }
}

impl Pattern {
    fn plain(decimals: usize, scale: Scale) -> Self {
        Self { prefix: String::new(), plus: false, group: false, decimals, scale, suffix: String::new() }
    }

    /// The default format of `values`.
    fn automatic(values: &(impl Iterator<Item = f64> + Clone), [vmin, vmax]: [f64; 2], bounds: &[f64]) -> Self {
        let max = values.clone().fold(0.0_f64, |max, value| max.max(value.abs()));
        if max > 0.0 && !(SMALL..HUGE).contains(&max) {
            let rounded = |value: f64, digits: usize| format!("{value:.digits$e}").parse::<f64>();
            let is_same = |value: f64, digits: usize| rounded(value, digits) == rounded(value, 2);
            let digits = (0..2).find(|digits| values.clone().all(|value| is_same(value, *digits))).unwrap_or(2);
            return Self::plain(digits, Scale::Scientific);
        }
        let scale = match max * ROUNDING {
            _ if max < LARGE && values.clone().all(|value| value.fract() == 0.0) => Scale::One,
            ..LARGE => Scale::One,
            ..1e6 => Scale::Kilo,
            ..1e9 => Scale::Mega,
            _ => Scale::Giga,
        };
        let divisor = scale.divisor();
        // The number of decimals at which `value` has `digits` significant digits.
        let decimals_of = |value: f64, digits: f64| digits - 1.0 - (value / divisor).log10().floor();
        let is_exact = |value: f64, decimals: usize| {
            let scaled = value / divisor * 10_f64.powi(decimals as i32);
            (scaled - scaled.round()).abs() < 1e-6
        };
        let mut decimals = 0;
        if max > 0.0 {
            let span = vmax - vmin;
            let for_span = if span > 0.0 && span.is_finite() { decimals_of(span, 2.0) } else { 0.0 };
            let needed = decimals_of(max * ROUNDING, 3.0).max(for_span).clamp(0.0, MAX_DECIMALS as f64) as usize;
            let fewer = (0..needed).find(|fewer| values.clone().all(|value| is_exact(value, *fewer)));
            decimals = fewer.unwrap_or(needed);
        }
        for bound in bounds {
            let exact = (decimals..=(decimals + 2).min(MAX_DECIMALS)).find(|more| is_exact(*bound, *more));
            decimals = exact.unwrap_or(decimals);
        }
        Self::plain(decimals, scale)
    }

    fn format(&self, value: f64) -> String {
        let (number, letter) = match self.scale {
            Scale::Scientific => (scientific(value, self.decimals), ""),
            Scale::Fitting => {
                let (scaled, letter) = si(value, |scaled| fixed(scaled, self.decimals, false));
                (fixed(scaled, self.decimals, self.group), letter)
            }
            scale => {
                let found = Scale::ALL.iter().find(|(_, other, _)| *other == scale);
                let (letter, divisor) = found.map_or(("", 1.0), |(letter, _, divisor)| (*letter, *divisor));
                // A division by 0.01 has an error that shows in the digits; 100 is exact.
                let scaled = if scale == Scale::Percent { value * 100.0 } else { value / divisor };
                (fixed(scaled, self.decimals, self.group), letter)
            }
        };
        let sign = if self.plus && value > 0.0 { "+" } else { "" };
        // The sign precedes a prefix: −$5.
        match number.strip_prefix('−') {
            Some(digits) => format!("−{}{digits}{letter}{}", self.prefix, self.suffix),
            None => format!("{sign}{}{number}{letter}{}", self.prefix, self.suffix),
        }
    }
}

/// The value divided by the fitting power of 1000, and its letter. `format` decides whether 999.96 is written as 1000.
fn si(value: f64, format: impl Fn(f64) -> String) -> (f64, &'static str) {
    let mut fitting = SI.iter().rev().find(|(power, _)| value.abs() >= *power).unwrap_or(&SI[0]);
    if let Some(next) = SI.iter().find(|(power, _)| *power > fitting.0)
        && format(value.abs() / fitting.0).starts_with("1000")
    {
        fitting = next;
    }
    (value / fitting.0, fitting.1)
}

/// Scientific notation: `1.5e−7`.
fn scientific(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$e}").replace('-', "−")
}

/// A number of decimals, with thousands separated by commas if `group`. No negative zero.
fn fixed(value: f64, decimals: usize, group: bool) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let sign = if value < 0.0 && digits.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) { "−" } else { "" };
    if !group {
        return format!("{sign}{digits}");
    }
    let whole = digits.split('.').next().unwrap_or_default().len();
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index < whole && (whole - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl FromStr for ValueFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self(None));
        }
        let fail = |problem: &str| {
            let message =
                format!("`{}` {problem}; expected auto or a format such as 0.0, 0%, ,0, 0.0k or $0.00", excerpt(text));
            Err(Error::invalid(Parameter::VALUE_FORMAT, message))
        };
        let Some(zero) = text.find(|character: char| character.is_ascii_digit()) else { return fail("has no 0") };
        let (mut prefix, rest) = text.split_at(zero);
        let Some(mut rest) = rest.strip_prefix('0') else { return fail("has another digit than 0") };
        let group = prefix.ends_with(',');
        prefix = prefix.strip_suffix(',').unwrap_or(prefix);
        let plus = prefix.ends_with('+');
        prefix = prefix.strip_suffix('+').unwrap_or(prefix);
        let mut decimals = 0;
        if let Some(point) = rest.strip_prefix('.') {
            decimals = point.len() - point.trim_start_matches('0').len();
            rest = &point[decimals..];
            if !(1..=MAX_DECIMALS).contains(&decimals) {
                return fail("must have 1 to 9 zeros after the point");
            }
        }
        if rest.starts_with(|character: char| character.is_ascii_digit()) {
            return fail("must have a single 0 before the point and zeros after it");
        }
        let scale = Scale::ALL.iter().find(|(letter, ..)| rest.starts_with(letter));
        let (scale, suffix) = scale.map_or((Scale::One, rest), |(letter, scale, _)| (*scale, &rest[letter.len()..]));
        if [prefix, suffix].iter().any(|affix| affix.chars().count() > MAX_AFFIX || affix.contains(is_forbidden)) {
            return fail(
                "has more than 16 characters, or control characters or marks of direction, before or after the number",
            );
        }
        Ok(Self(Some(Pattern { prefix: prefix.to_owned(), plus, group, decimals, scale, suffix: suffix.to_owned() })))
    }
}

/// The first characters of a text, for an error.
fn excerpt(text: &str) -> String {
    text.chars().take(40).filter(|character| !is_forbidden(*character)).collect()
}

/// Writes the format as it is parsed.
impl fmt::Display for ValueFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Pattern { prefix, plus, group, decimals, scale, suffix }) = &self.0 else {
            return f.write_str("auto");
        };
        let (plus, group) = (if *plus { "+" } else { "" }, if *group { "," } else { "" });
        let point = if *decimals > 0 { "." } else { "" };
        let letter = Scale::ALL.iter().find(|(_, other, _)| other == scale).map_or("", |(letter, ..)| letter);
        write!(f, "{prefix}{plus}{group}0{point}{}{letter}{suffix}", "0".repeat(*decimals))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn format(pattern: &str, value: f64) -> String {
        pattern.parse::<ValueFormat>().unwrap().format(value)
    }

    #[test]
    fn a_format_sets_decimals_scale_and_affixes() {
        assert_eq!(format("0", 12.5001), "13");
        assert_eq!(format("0.00", -1.239), "−1.24");
        assert_eq!(format("0%", 0.256), "26%");
        assert_eq!(format("0.0%", 0.07), "7.0%");
        assert_eq!(format("0.0k", 15_320.0), "15.3k");
        assert_eq!(format(",0", -1_234_567.4), "−1,234,567");
        assert_eq!(format(",0.0", 999.96), "1,000.0");
        assert_eq!(format("$,0", -1234.0), "−$1,234");
        assert_eq!(format("+0.0 °C", 3.25), "+3.2 °C");
        assert_eq!(format("+0", -3.0), "−3");
        assert_eq!(format("0.0s", 999_960.0), "1.0M");
        assert_eq!(format("0.0e", 0.000_123), "1.2e−4");
        assert_eq!(format("0 km", 7.0), "7 km");
        assert_eq!(format("0.0", -0.01), "0.0");
    }

    #[test]
    fn the_default_has_three_significant_digits_and_whole_integers() {
        let expected = [
            (0.0, "0"),
            (-7.0, "−7"),
            (99_999.0, "99999"),
            (100_000.0, "100k"),
            (1_234_567.0, "1.23M"),
            (999_999.0, "1.00M"),
            (-2.5e9, "−2.5G"),
            (12.3456, "12.3"),
            (123.456, "123"),
            (0.012_345, "0.0123"),
            (1.5e-7, "1.5e−7"),
            (1e300, "1e300"),
            (12_345.6, "12346"),
            (2e12, "2e12"),
        ];
        for (value, text) in expected {
            assert_eq!(ValueFormat::default().format(value), text);
        }
    }

    #[test]
    fn the_default_has_one_scale_and_one_number_of_decimals_for_all_values() {
        let with_bounds = |values: &[f64], bounds: &[f64]| {
            let span = values.iter().fold([f64::MAX, f64::MIN], |[min, max], value| [min.min(*value), max.max(*value)]);
            let format = ValueFormat::default().resolve(&values.iter().copied(), span, bounds);
            let values: Vec<Option<f64>> = values.iter().copied().map(Some).chain([None]).collect();
            let mut texts = format.format_all(&values);
            assert_eq!(texts.pop(), Some(None));
            texts.into_iter().flatten().chain(bounds.iter().map(|bound| format.format(*bound))).collect::<Vec<_>>()
        };
        let all = |values: &[f64]| with_bounds(values, &[]);
        assert_eq!(all(&[135_120.0, 123_000.0, 89_213.0, 82_468.0]), ["135k", "123k", "89k", "82k"]);
        assert_eq!(all(&[-10.1, 3.0, 0.004_76]), ["−10.1", "3.0", "0.0"]);
        assert_eq!(all(&[99_999.0, 7.0]), ["99999", "7"]);
        assert_eq!(all(&[3.0, 12.512, -85.3]), ["3.0", "12.5", "−85.3"]);
        assert_eq!(all(&[0.5, 1.0]), ["0.5", "1.0"]);
        assert_eq!(all(&[1e6, 250_000.0]), ["1.00M", "0.25M"]);
        assert_eq!(all(&[0.0, 0.0]), ["0", "0"]);
        assert_eq!(all(&[1e-5, 2.5e-7]), ["1.0e−5", "2.5e−7"]);
        assert_eq!(all(&[1000.016, 1000.032]), ["1000.016", "1000.032"], "values that differ little");
        assert_eq!(with_bounds(&[1.0, 9.0], &[2.5]), ["1.0", "9.0", "2.5"]);
    }

    #[test]
    fn a_quantum_is_one_in_the_last_digit() {
        for (pattern, quantum) in [("0", 1.0), ("0.0k", 100.0), ("0%", 0.01), ("0.0s", 0.0), ("0e", 0.0)] {
            let found = pattern.parse::<ValueFormat>().unwrap().quantum();
            assert!((found - quantum).abs() < 1e-12, "{pattern}: {found}");
        }
    }

    #[test]
    fn a_format_reads_back_the_same_and_an_invalid_one_is_an_error() {
        for pattern in ["auto", "0", "0.0", "$+,0.000k€", "0%", "0 km", "0s", "0.00e"] {
            assert_eq!(pattern.parse::<ValueFormat>().unwrap().to_string(), pattern);
        }
        for pattern in [
            "",
            "x",
            "1.0",
            "00",
            "0.",
            "0.01",
            "0.0000000000",
            "0\n",
            "a long prefix of it 0",
            "0\u{202e}",
            "\u{fffe}0",
        ] {
            assert!(pattern.parse::<ValueFormat>().is_err(), "{pattern}");
        }
        let error = "0.1".parse::<ValueFormat>().unwrap_err().to_string();
        assert_eq!(
            error,
            "value_format: `0.1` must have 1 to 9 zeros after the point; expected auto or a format such as 0.0, 0%, ,0, \
             0.0k or $0.00"
        );
        assert!(format!("0{}", "x".repeat(17)).parse::<ValueFormat>().is_err());
    }
}
