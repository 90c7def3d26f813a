//! Formats of values.

use std::fmt;
use std::str::FromStr;

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

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
/// The default format, written `auto`, has up to three significant digits, with as many decimals as the maximum of the
/// values allows, k, M, G or T from 100,000, and all digits of integers below that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValueFormat {
    pattern: Option<String>,
}

impl ValueFormat {
    /// Formats a value; a minus is U+2212.
    pub fn format(&self, value: f64) -> String {
        value.to_string()
    }
}

impl FromStr for ValueFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid(Parameter::VALUE_FORMAT, "empty"));
        }
        Ok(Self { pattern: Some(text.to_owned()) })
    }
}

/// Writes the format as it is parsed.
impl fmt::Display for ValueFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pattern.as_deref().unwrap_or("auto"))
    }
}
