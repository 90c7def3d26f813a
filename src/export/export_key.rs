//! The key of an export: a text that is stored in the journal and decides whether an export can be resumed.

use serde::Serialize;
use twox_hash::XxHash3_128;

use super::Format;
use crate::error::Result;
use crate::geo::{Bounds, Polygon, Zooms};
use crate::layer::{Layer, Style};
use crate::source::{Comparison, Operand, Query};

/// Everything that the tiles of an export and their order in the file depend on.
///
/// The text is a JSON object with these members in this order. Names and sizes are written like parameters (`gaussian`,
/// `20px`), numbers in their shortest round-trip form, and long lists as the hexadecimal XXH3-128 of their bytes, so
/// that equal exports have equal texts in every process.
#[derive(Serialize)]
pub(super) struct ExportKey<'a> {
    kiln: &'static str,
    format: &'static str,
    layer: &'a str,
    /// The version of the layer's points.
    points: &'a str,
    weight: Option<&'a str>,
    zooms: [u8; 2],
    bounds_deg: Option<[f64; 4]>,
    start_us: Option<i64>,
    end_us: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    time_parts: Vec<String>,
    categories: &'a [Box<str>],
    polygon: Option<String>,
    comparisons: Vec<(&'a str, String, ComparedWith<'a>)>,
    blend: String,
    kernel: String,
    radius: String,
    aggregation: String,
    normalization: String,
    units: Option<String>,
    vmin: Option<f64>,
    vmax: Option<f64>,
    curve: String,
    /// The digest of the colors, which covers the scheme, the opacity and the background.
    palette: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ComparedWith<'a> {
    Number(f64),
    Text(&'a str),
}

impl<'a> ExportKey<'a> {
    pub(super) fn new(
        format: Format,
        layer: &'a Layer,
        query: &'a Query<'_>,
        style: &Style,
        zooms: Zooms,
        bounds: Option<Bounds>,
    ) -> Self {
        // Without `..`, so that the compiler requires each new field in the key. The palette covers the ignored fields.
        let Style {
            blend,
            shape,
            radius,
            aggregation,
            normalization,
            units,
            vmin,
            vmax,
            curve,
            scheme: _,
            opacity: _,
            // Tiles of archives have a single density.
            pixel_ratio: _,
            transparent_low: _,
            background: _,
        } = style;
        Self {
            kiln: env!("CARGO_PKG_VERSION"),
            format: format.name(),
            layer: layer.name(),
            points: layer.version(),
            weight: layer.weight(),
            zooms: [zooms.first, zooms.last],
            bounds_deg: bounds.map(|Bounds { west, south, east, north }| [west, south, east, north]),
            start_us: query.filter.start_us,
            end_us: query.filter.end_us,
            time_parts: query.filter.time_parts.iter().map(ToString::to_string).collect(),
            categories: query.filter.categories.names(),
            polygon: query.filter.polygon.as_deref().map(polygon_digest),
            comparisons: query.filter.comparisons.iter().map(comparison).collect(),
            blend: blend.to_string(),
            kernel: shape.to_string(),
            radius: radius.to_string(),
            aggregation: aggregation.to_string(),
            normalization: normalization.to_string(),
            units: units.map(|units| units.to_string()),
            vmin: *vmin,
            vmax: *vmax,
            curve: curve.to_string(),
            palette: digest(style.palette().colors().as_flattened()),
        }
    }

    /// The text of the key.
    pub(super) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| crate::Error::io("the key of the export", "write", error.into()))
    }
}

fn comparison(comparison: &Comparison) -> (&str, String, ComparedWith<'_>) {
    let operand = match &comparison.operand {
        Operand::Number(number) => ComparedWith::Number(*number),
        Operand::Text(text) => ComparedWith::Text(text),
    };
    (&comparison.column, comparison.operator.to_string(), operand)
}

fn polygon_digest(polygon: &Polygon) -> String {
    let mut bytes = Vec::new();
    for (part, ends) in polygon.edges() {
        bytes.extend_from_slice(&part.to_le_bytes());
        bytes.extend(ends.as_flattened().iter().flat_map(|degrees| degrees.to_le_bytes()));
    }
    digest(&bytes)
}

fn digest(bytes: &[u8]) -> String {
    format!("{:032x}", XxHash3_128::oneshot(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::color::Opacity;
    use crate::layer::{LayerSpec, Radius, Units};
    use crate::source::Operator;

    const ZOOMS: Zooms = Zooms { first: 0, last: 3 };

    fn layer(folder: &tempfile::TempDir, rows: &str) -> Layer {
        let path = folder.path().join("spots.csv");
        std::fs::write(&path, format!("lon,lat\n{rows}")).unwrap();
        let inputs = vec![path.to_str().unwrap().to_owned()];
        Layer::open(LayerSpec { name: "spots".into(), inputs, ..LayerSpec::default() }).unwrap()
    }

    fn query() -> Query<'static> {
        let polygon = Polygon::new(&[vec![vec![[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 0.0]]]]).unwrap();
        let column = "speed".to_owned();
        let fast = Comparison { column, operator: Operator::AtLeast, operand: Operand::Number(0.1) };
        Query::default()
            .with_end(Some(-7))
            .with_category_filter(vec!["a \"b\"".into()])
            .with_polygon(Some(Arc::new(polygon)))
            .with_comparisons(vec![fast])
    }

    fn with_time_parts(hours: &str, zone: &str) -> Query<'static> {
        let zone = crate::calendar::find_zone(zone).unwrap();
        let parts = crate::calendar::TimePartFilter::new(Some(hours.parse().unwrap()), None, None, zone);
        let filter = query()
            .filter
            .and(&crate::source::Filter { time_parts: parts.into_iter().collect(), ..Default::default() });
        query().with_filter(filter)
    }

    /// The text is stored on disk, so another process and the next build must write the same text.
    #[test]
    fn the_text_of_a_key_is_the_documented_one() {
        let folder = tempfile::tempdir().unwrap();
        let layer = layer(&folder, "5,5\n");
        let style = Style { vmax: Some(0.1), radius: Radius::Meters(2500.0), ..Style::new().unwrap() };
        let bounds = Some(Bounds::new(-0.1, 0.0, 1e-7, 3.0).unwrap());
        let text = ExportKey::new(Format::PmTiles, &layer, &query(), &style, ZOOMS, bounds).to_text().unwrap();
        let expected = concat!(
            r#"{"kiln":"VERSION","format":"pmtiles","layer":"spots","points":"POINTS","weight":null,"zooms":[0,3],"#,
            r#""bounds_deg":[-0.1,0.0,1e-7,3.0],"start_us":null,"end_us":-7,"categories":["a \"b\""],"#,
            r#""polygon":"928bfbc0bb48ac248045686438375be5","comparisons":[["speed",">=",0.1]],"blend":"add","kernel":"gaussian","#,
            r#""radius":"2500m","aggregation":"sum","normalization":"p99","units":null,"vmin":null,"#,
            r#""vmax":0.1,"curve":"linear","palette":"d16306e7b564d69be77e8a76eac30987"}"#,
        );
        let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION")).replace("POINTS", layer.version());
        assert_eq!(text, expected);
    }

    #[test]
    fn every_change_of_a_tile_changes_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let (layer, more) = (layer(&folder, "5,5\n"), layer(&folder, "5,5\n6,5\n"));
        let style = Style::new().unwrap();
        let text = |format, layer: &Layer, query: &Query<'_>, style: &Style, zooms, bounds| {
            ExportKey::new(format, layer, query, style, zooms, bounds).to_text().unwrap()
        };
        let of_style = |style: Style| text(Format::PmTiles, &layer, &query(), &style, ZOOMS, None);
        let of_query = |query: Query<'_>| text(Format::PmTiles, &layer, &query, &style, ZOOMS, None);
        let other_polygon = Polygon::new(&[vec![vec![[0.0, 0.0], [9.0, 0.0], [9.0, 8.0], [0.0, 0.0]]]]).unwrap();
        let other_operand = |operand| Comparison { operand, ..query().filter.comparisons[0].clone() };
        let keys = [
            of_style(style.clone()),
            of_style(Style { radius: Radius::Pixels(7.0), ..style.clone() }),
            of_style(Style { opacity: Opacity::new(0.5).unwrap(), ..style.clone() }),
            of_style(Style { vmin: Some(1.0), ..style.clone() }),
            of_style(Style { vmax: Some(1.0), ..style.clone() }),
            of_style(Style { units: Some(Units::PerPx), ..style.clone() }),
            of_query(query().with_start(Some(0))),
            of_query(query().with_end(None)),
            of_query(with_time_parts("7-9", "UTC")),
            of_query(with_time_parts("7-8", "UTC")),
            of_query(with_time_parts("7-9", "Europe/Paris")),
            of_query(query().with_category_filter(vec!["a \"b\"".into(), "c".into()])),
            of_query(query().with_polygon(Some(Arc::new(other_polygon)))),
            of_query(query().with_comparisons(vec![other_operand(Operand::Number(0.2))])),
            of_query(query().with_comparisons(vec![other_operand(Operand::Text("0.1".into()))])),
            text(Format::Cog, &layer, &query(), &style, ZOOMS, None),
            text(Format::PmTiles, &more, &query(), &style, ZOOMS, None),
            text(Format::PmTiles, &layer, &query(), &style, Zooms { first: 1, last: 3 }, None),
            text(Format::PmTiles, &layer, &query(), &style, ZOOMS, Some(Bounds::WORLD)),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "{keys:#?}");
    }
}
