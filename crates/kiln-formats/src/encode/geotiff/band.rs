//! The metadata of a band: its name, its unit and its statistics.

use std::fmt::Write;

use super::statistics::Statistics;
use kiln_core::raster::Grid;

/// The metadata of a band of values, which GIS programs display.
///
/// The texts can have any characters. Those that XML cannot represent, such as U+0000, are replaced by U+FFFD.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Band<'a> {
    /// The name of the band, such as `density`: GDAL's description of the band. None is written if it is empty.
    pub name: &'a str,
    /// The unit of the values, such as `points per km²`: GDAL's unit type. None is written if it is empty, as for values
    /// without a dimension.
    pub unit: &'a str,
    /// The value of cells without data, any `f32`. NaN marks all NaN; with `None`, the default, every cell has data.
    pub nodata: Option<f32>,
}

impl Band<'_> {
    /// The value of the tag `GDAL_METADATA`: an XML document of items with the name, the unit and the statistics of
    /// `values`; `None` if there are no items.
    ///
    /// The format is that of Warmerdam, "GDAL Unofficial Private TIFF Tags" (2004); the roles and the names of the
    /// statistics are those of GDAL's `GTiff` driver.
    pub(super) fn metadata(&self, values: &Grid<f32>) -> Option<String> {
        let mut items = String::new();
        for (name, role, text) in [("DESCRIPTION", "description", self.name), ("UNITTYPE", "unittype", self.unit)] {
            if !text.is_empty() {
                let text = escape(text);
                // Writing to a string cannot fail.
                let _ = writeln!(items, "  <Item name=\"{name}\" sample=\"0\" role=\"{role}\">{text}</Item>");
            }
        }
        if let Some(statistics) = Statistics::of(values, self.nodata) {
            for (name, value) in [
                ("MINIMUM", statistics.minimum),
                ("MAXIMUM", statistics.maximum),
                ("MEAN", statistics.mean),
                ("STDDEV", statistics.standard_deviation),
                ("VALID_PERCENT", statistics.valid_percent),
            ] {
                let value = number(value);
                let _ = writeln!(items, "  <Item name=\"STATISTICS_{name}\" sample=\"0\">{value}</Item>");
            }
        }
        (!items.is_empty()).then(|| format!("<GDALMetadata>\n{items}</GDALMetadata>\n"))
    }
}

/// The shortest decimal that reads back as `value`, with an exponent if it would have many zeros.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-4..1e15).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

/// The text as content of an item.
///
/// Markup is escaped twice, as GDAL writes it: GDAL unescapes twice on reading (seen with 3.6.2 and 3.10.3). The result
/// is 7-bit ASCII, as TIFF 6.0 (section 2) requires of a text: other characters are written as character references.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;amp;"),
            '<' => escaped.push_str("&amp;lt;"),
            '>' => escaped.push_str("&amp;gt;"),
            ' '..='~' => escaped.push(character),
            // Writing to a string cannot fail.
            _ => drop(write!(escaped, "&#{};", u32::from(if is_xml(character) { character } else { '\u{FFFD}' }))),
        }
    }
    escaped
}

/// Whether XML can represent the character (XML 1.0, production 2).
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_has_the_name_the_unit_and_the_statistics() {
        let band = Band { name: "density", unit: "points per km²", nodata: Some(f32::NAN) };
        let values = Grid::from_cells(2, 2, vec![1.5, f32::NAN, 2.5, f32::NAN]).unwrap();
        let expected = "<GDALMetadata>\n  \
             <Item name=\"DESCRIPTION\" sample=\"0\" role=\"description\">density</Item>\n  \
             <Item name=\"UNITTYPE\" sample=\"0\" role=\"unittype\">points per km&#178;</Item>\n  \
             <Item name=\"STATISTICS_MINIMUM\" sample=\"0\">1.5</Item>\n  \
             <Item name=\"STATISTICS_MAXIMUM\" sample=\"0\">2.5</Item>\n  \
             <Item name=\"STATISTICS_MEAN\" sample=\"0\">2</Item>\n  \
             <Item name=\"STATISTICS_STDDEV\" sample=\"0\">0.5</Item>\n  \
             <Item name=\"STATISTICS_VALID_PERCENT\" sample=\"0\">50</Item>\n\
             </GDALMetadata>\n";
        assert_eq!(band.metadata(&values).as_deref(), Some(expected));
    }

    #[test]
    fn a_band_without_values_has_no_statistics() {
        let values = Grid::filled(3, 3, f32::NAN);
        let named = Band { name: "density", ..Band::default() }.metadata(&values).unwrap();
        assert!(named.contains("density") && !named.contains("STATISTICS") && !named.contains("UNITTYPE"), "{named}");
        assert_eq!(Band::default().metadata(&values), None);
    }

    #[test]
    fn numbers_are_exact_and_short() {
        let found = [0.0, -0.1, 12_345.678, 1e-4, 9e-5, -3e38, 0.1 + 0.2].map(number);
        assert_eq!(found, ["0", "-0.1", "12345.678", "0.0001", "9e-5", "-3e38", "0.30000000000000004"]);
    }

    #[test]
    fn texts_are_escaped_to_ascii() {
        for (text, expected) in [
            ("a < b & c > \"d'", "a &amp;lt; b &amp;amp; c &amp;gt; \"d'"),
            ("]]></Item>", "]]&amp;gt;&amp;lt;/Item&amp;gt;"),
            ("&#178;", "&amp;amp;#178;"),
            ("µg/m³ 雪 😀", "&#181;g/m&#179; &#38634; &#128512;"),
            ("a\tb\r\n\u{7F}", "a&#9;b&#13;&#10;&#127;"),
            ("\0\u{1B}\u{FFFE}\u{FFFF}", "&#65533;&#65533;&#65533;&#65533;"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }
}
