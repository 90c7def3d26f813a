//! GeoJSON: features, or bare geometries, with a point or many.

use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess};
use serde_json::Value;

use super::document::{Document, Halt};
use super::geometry::{Geometry, Member, Positions, Type, not_a_point};
use super::record::Kind;
use super::rows::{self, Grammar, Rows};
use super::value::{Any, Plain, Take};
use super::{Ground, Query, ScanReport, Sink, Source};
use kiln_core::error::Result;

/// A GeoJSON file as a [`Source`]: a `FeatureCollection`, a bare `Feature`, a bare `Point`, `MultiPoint` or
/// `GeometryCollection`, or many of these after each other (newline-delimited, or with RFC 8142 record separators).
///
/// Weight, time and category are properties, by the names in [`Columns`](kiln_core::source::Columns) or by their usual names as
/// the first 1000 features have them; a weight that was not named must be a number in at least one of these. Numbers
/// may be written as texts, and a time may be Unix seconds, milliseconds or microseconds. A feature with a time that cannot
/// be read is rejected if times are wanted, and an empty category is none. Altitudes are passed over.
/// Each point of a `MultiPoint` counts as a row. One feature or, where a feature takes a line for itself, one line at a
/// time is held in memory; a line that is not JSON is then a rejected row.
#[derive(Debug)]
pub struct GeoJson(Document);

impl GeoJson {
    /// Opens the file at `path`, which messages call `name`.
    ///
    /// # Errors
    /// [`Error::Io`](kiln_core::Error::Io) if it cannot be read, [`Error::Input`](kiln_core::Error::Input) if it is empty.
    pub fn open(path: &Path, name: String) -> Result<Self> {
        Document::open(path, name).map(Self)
    }
}

impl Source for GeoJson {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        rows::scan::<Features>(&self.0, query, sinks)
    }
}

/// The grammar of GeoJSON.
#[derive(Default)]
pub(super) struct Features {
    geometry: Geometry,
}

impl Grammar for Features {
    const KIND: Kind = Kind { row: "feature", member: "property", places: false };

    fn value<'de, D: Deserializer<'de>>(&mut self, rows: &mut Rows<'_, '_, '_>, value: D) -> Result<(), D::Error> {
        Any(Node { features: self, rows }).deserialize(value)
    }
}

/// A GeoJSON object of any type, or a list of them.
struct Node<'a, 'r, 'i, 's> {
    features: &'a mut Features,
    rows: &'a mut Rows<'r, 'i, 's>,
}

impl<'de> Take<'de> for Node<'_, '_, '_, '_> {
    type Taken = ();

    fn plain<E: Error>(self, _: Plain<'_>) -> Result<(), E> {
        self.rows.reject(|| "this is not a GeoJSON object".to_owned())
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { features, rows } = self;
        while list.next_element_seed(Any(Node { features: &mut *features, rows: &mut *rows }))?.is_some() {}
        Ok(())
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { features, rows } = self;
        features.geometry.clear();
        rows.record.clear();
        let (mut kind, mut has_geometry, mut has_children) = (Type::Unsaid, false, false);
        while let Some(member) = object.next_key()? {
            match member {
                Member::Type => object.next_value_seed(Any(&mut kind))?,
                // The elements of a collection are told one by one, whatever else the collection says.
                Member::Features | Member::Geometries => {
                    has_children = true;
                    object.next_value_seed(Any(Children { features, rows }))?;
                }
                Member::Properties => drop(object.next_value_seed(Any(&mut rows.record))?),
                Member::Geometry => {
                    has_geometry = true;
                    object.next_value_seed(Any(&mut features.geometry))?;
                }
                // A bare MultiPoint may be as long as the document, so it is told as it is read.
                Member::Coordinates if kind == Type::MultiPoint => {
                    has_children = true;
                    object.next_value_seed(Any(Positions::new(rows)))?;
                }
                Member::Coordinates if kind.may_hold_points() => features.geometry.read_coordinates(&mut object)?,
                Member::Crs => {
                    let crs = foreign_crs(&object.next_value()?);
                    // On a plane any coordinates are welcome.
                    if let (Some(crs), Ground::Globe) = (crs, rows.ground) {
                        return Err(rows.halt(Halt::Unusable(reproject(&crs))));
                    }
                }
                Member::Coordinates | Member::Other => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        match kind {
            _ if has_children => Ok(()),
            Type::Feature if !has_geometry => rows.reject(|| "the feature has no geometry".to_owned()),
            Type::Feature | Type::Point | Type::MultiPoint => features.geometry.tell(rows),
            Type::Other(kind) => rows.reject(|| not_a_point(&kind)),
            Type::FeatureCollection => rows.reject(|| "the FeatureCollection has no features".to_owned()),
            Type::GeometryCollection => rows.reject(|| "the GeometryCollection has no geometries".to_owned()),
            Type::Unsaid => rows.reject(|| "the object has no GeoJSON type; expected a Feature or a Point".to_owned()),
        }
    }
}

/// The list of a collection's elements.
struct Children<'a, 'r, 'i, 's> {
    features: &'a mut Features,
    rows: &'a mut Rows<'r, 'i, 's>,
}

impl<'de> Take<'de> for Children<'_, '_, '_, '_> {
    type Taken = ();

    fn plain<E: Error>(self, _: Plain<'_>) -> Result<(), E> {
        self.rows.reject(|| "the members of the collection are not in a list".to_owned())
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        Node { features: self.features, rows: self.rows }.list(list)
    }
}

/// The name of the coordinate system that the old `crs` member gives, unless it is WGS 84.
fn foreign_crs(crs: &Value) -> Option<String> {
    let properties = &crs["properties"];
    let name = match (&properties["name"], &properties["code"], &properties["href"]) {
        (Value::String(name), _, _) => name.clone(),
        (_, Value::Number(code), _) => format!("EPSG:{code}"),
        (_, _, Value::String(href)) => href.clone(),
        // `null`, or nothing that says anything.
        _ => return None,
    };
    let last = name.rsplit([':', '/', '#', ' ']).next().unwrap_or(&name).to_ascii_uppercase();
    // EPSG:4979 and CRS84h are WGS 84 with a height.
    let wgs84 = ["4326", "4979", "CRS84", "CRS84H", "WGS84", "84"].contains(&last.as_str());
    let epsg = || last.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("EPSG:{last}"));
    (!wgs84).then(|| epsg().unwrap_or(name))
}

fn reproject(crs: &str) -> String {
    format!(
        "its coordinates are in {crs}, not in WGS 84 degrees; reproject it to EPSG:4326 first, for example with \
         `ogr2ogr -t_srs EPSG:4326 reprojected.geojson …`"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{self, Scanned, rejections, weighted};
    use super::*;

    fn scan(text: &str, query: &Query<'_>) -> Scanned {
        let file = testing::file(text);
        testing::scan(&GeoJson::open(file.path(), "quakes.geojson".to_owned())?, query, 1)
    }

    fn message(scanned: Scanned) -> String {
        scanned.unwrap_err().to_string()
    }

    fn feature(geometry: &str, properties: &str) -> String {
        format!(r#"{{"type":"Feature","properties":{properties},"geometry":{geometry}}}"#)
    }

    fn point(lon: f64, lat: f64, properties: &str) -> String {
        feature(&format!(r#"{{"type":"Point","coordinates":[{lon},{lat},12.5]}}"#), properties)
    }

    fn collection(features: &[String]) -> String {
        format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(",\n"))
    }

    #[test]
    fn members_may_come_in_any_order() {
        let texts = [
            r#"{"type":"FeatureCollection","bbox":[0,0,3,4],"features":[{"type":"Feature","properties":{"weight":2},
                "geometry":{"type":"Point","coordinates":[3,4]}}],"metadata":{"features":1}}"#,
            r#"{"features":[{"geometry":{"coordinates":[3,4],"type":"Point"},"id":7,"properties":{"n":[{}],"weight":2},
                "type":"Feature"}],"crs":null,"type":"FeatureCollection"}"#,
        ];
        for text in texts {
            let (points, report) = scan(text, &weighted(None)).unwrap();
            assert_eq!((points, report.read), (vec![(3.0, 4.0, 2.0)], 1), "{text}");
        }
    }

    #[test]
    fn every_layout_of_a_document_is_read() {
        let (a, b) = (point(1.0, 2.0, "null"), point(3.0, 4.0, "{}"));
        let multi = r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4,5]]}"#;
        let late = r#"{"coordinates":[[1,2],[3,4]],"type":"MultiPoint"}"#;
        let geometries = r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]},
            {"type":"MultiPoint","coordinates":[[3,4]]}]}"#;
        let documents = [
            collection(&[a.clone(), b.clone()]),
            format!("[{a},{b}]"),
            format!("{a}\n{b}\n"),
            format!("\u{FEFF}{a}\r\n\r\n{b}"),
            format!("\u{1E}{a}\n\u{1E}{b}\n"),
            format!("{}\n{}", collection(std::slice::from_ref(&a)), b),
            format!("{}\n{}", a.replace(',', ",\n"), b.replace(',', ",\n")),
            multi.to_owned(),
            late.to_owned(),
            feature(multi, "{}"),
            geometries.to_owned(),
            feature(geometries, "{}"),
        ];
        for document in documents {
            let (points, report) = scan(&document, &weighted(None)).unwrap();
            assert_eq!(points, [(1.0, 2.0, 1.0), (3.0, 4.0, 1.0)], "{document}");
            assert_eq!((report.read, report.rejected), (2, 0), "{document}");
        }
        let (points, _) = scan(&point(1.0, 2.0, "{}"), &Query::default()).unwrap();
        assert_eq!(points, [(1.0, 2.0, 1.0)]);
        assert_eq!(scan(r#"{"type":"Point","coordinates":[5,6]}"#, &weighted(None)).unwrap().0, [(5.0, 6.0, 1.0)]);
    }

    #[test]
    fn rows_without_a_point_say_why() {
        let geometries = [
            "null",
            r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#,
            r#"{"coordinates":[[[1,2],[3,4]]],"type":"Polygon"}"#,
            r#"{"type":"Point","coordinates":[]}"#,
            r#"{"type":"Point","coordinates":["a",null]}"#,
        ];
        let features: Vec<String> = geometries.iter().map(|geometry| feature(geometry, "{}")).collect();
        let (points, report) = scan(&collection(&features), &Query::default()).unwrap();
        assert!(points.is_empty());
        let advice = "is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices";
        assert_eq!(
            rejections(&report),
            [
                (1, "null geometry; expected Point or MultiPoint"),
                (2, format!("LineString {advice}").as_str()),
                (3, format!("Polygon {advice}").as_str()),
                (4, "the geometry is empty"),
                (5, "the coordinates are not [longitude, latitude] as numbers"),
            ]
        );
        assert_eq!(report.rejections[0].input, "quakes.geojson");

        let strange = ["3", "{}", r#"{"type":"Feature"}"#, r#"{"type":"Topology"}"#, r#"{"type":"FeatureCollection"}"#];
        let (points, report) = scan(&format!("[{}]", strange.join(",")), &Query::default()).unwrap();
        assert_eq!((points.len(), report.rejected), (0, 5));
    }

    #[test]
    fn one_bad_position_of_many_is_one_rejected_row() {
        let text = r#"{"type":"MultiPoint","coordinates":[[1,2],[],[3],[95,4],[4,95],["5","6"]]}"#;
        for text in [text.to_owned(), feature(text, "{}")] {
            let (points, report) = scan(&text, &Query::default()).unwrap();
            assert_eq!(points, [(1.0, 2.0, 1.0), (95.0, 4.0, 1.0), (5.0, 6.0, 1.0)]);
            assert_eq!(report.rejections.iter().map(|r| r.row).collect::<Vec<_>>(), [2, 3, 5]);
        }
    }

    #[test]
    fn weights_are_numbers_or_texts_and_a_row_without_one_is_rejected() {
        let properties = [r#"{"Mag":4.5}"#, r#"{"Mag":"2.5"}"#, r#"{"Mag":null}"#, r#"{"Mag":"high"}"#, "{}", "null"];
        let text = collection(&properties.map(|properties| point(1.0, 2.0, properties)));
        let (points, report) = scan(&text, &weighted(Some("mag"))).unwrap();
        assert_eq!(points.iter().map(|point| point.2).collect::<Vec<_>>(), [4.5, 2.5]);
        assert_eq!(
            rejections(&report),
            [
                (3, "Mag: null is not a number"),
                (4, "Mag: \"high\" is not a number"),
                (5, "Mag is missing"),
                (6, "Mag is missing")
            ]
        );
        let (points, report) = scan(&text, &Query::default()).unwrap();
        assert_eq!((points.len(), report.rejected), (6, 0), "weights that nobody wants reject nothing");
    }

    #[test]
    fn without_a_usual_weight_every_point_weighs_one() {
        // `value` is usual too, but here it is no number; `count` is one.
        let text = collection(&[point(1.0, 2.0, r#"{"value":"high","COUNT":3}"#)]);
        assert_eq!(scan(&text, &weighted(None)).unwrap().0, [(1.0, 2.0, 3.0)]);
        let text = collection(&[point(1.0, 2.0, r#"{"value":"high","mag":3}"#)]);
        assert_eq!(scan(&text, &weighted(None)).unwrap().0, [(1.0, 2.0, 1.0)]);
    }

    #[test]
    fn a_named_property_that_no_feature_has_is_an_error() {
        let text = collection(&[point(1.0, 2.0, r#"{"mag":1,"place":"x"}"#), point(1.0, 2.0, "{}")]);
        let expected =
            "quakes.geojson: no feature has a property \"magnitude\"; the first one has \"mag\", \"place\"".to_owned();
        assert_eq!(message(scan(&text, &weighted(Some("magnitude")))), expected);
        // However late it comes, one is enough.
        let mut features = vec![point(1.0, 2.0, r#"{"mag":1}"#); 3000];
        features.push(point(5.0, 6.0, r#"{"rare":9}"#));
        let (points, report) = scan(&collection(&features), &weighted(Some("rare"))).unwrap();
        assert_eq!((points, report.rejected), (vec![(5.0, 6.0, 9.0)], 3000));
        let nothing = scan(r#"{"type":"FeatureCollection","features":[]}"#, &weighted(Some("mag"))).unwrap();
        assert_eq!(nothing.1, ScanReport::default());
    }

    #[test]
    fn times_and_categories_filter() {
        let text = collection(&[
            point(1.0, 0.0, r#"{"time":1517966773840,"type":"earthquake"}"#),
            point(2.0, 0.0, r#"{"time":"2018-02-07T01:26:13Z","type":"quarry blast"}"#),
            point(3.0, 0.0, r#"{"time":1417966773840,"type":"earthquake"}"#),
            point(4.0, 0.0, r#"{"time":"soon","type":"earthquake"}"#),
            point(5.0, 0.0, r#"{"type":4}"#),
        ]);
        let lons = |query: &Query<'_>| {
            let (points, report) = scan(&text, query).unwrap();
            (points.iter().map(|point| point.0).collect::<Vec<_>>(), report.filtered, report.rejected)
        };
        let start_us = Some(1_517_000_000_000_000);
        let categories = vec!["earthquake".to_owned(), "4".to_owned()];
        assert_eq!(lons(&Query::default().with_start(start_us)), (vec![1.0, 2.0], 2, 1));
        assert_eq!(lons(&Query::default().with_category_filter(categories.clone())), (vec![1.0, 3.0, 4.0, 5.0], 1, 0));
        assert_eq!(lons(&Query::default().with_start(start_us).with_category_filter(categories)), (vec![1.0], 3, 1));
        let untimed = collection(&[point(1.0, 2.0, r#"{"mag":1,"when":5}"#)]);
        let message = message(scan(&untimed, &Query::default().with_start(start_us)));
        assert_eq!(
            message,
            "quakes.geojson: no property is called as a time usually is (time, timestamp, date, datetime); name one \
             with time: \"mag\", \"when\""
        );
        let mut both = weighted(Some("when"));
        both.columns.names.time = Some("when".to_owned());
        both.filter.start_us = Some(0);
        assert_eq!(scan(&untimed, &both).unwrap().0, [(1.0, 2.0, 5.0)]);
    }

    #[test]
    fn times_and_categories_come_along() {
        let text = collection(&[
            point(1.0, 0.0, r#"{"time":1517966773840,"type":"earthquake"}"#),
            point(2.0, 0.0, r#"{"time":null,"type":4}"#),
            feature(r#"{"type":"MultiPoint","coordinates":[[3,0],[4,0]]}"#, r#"{"time":"2018-02-07","type":""}"#),
            point(5.0, 0.0, r#"{"time":"soon","type":"earthquake"}"#),
            point(6.0, 0.0, "null"),
        ]);
        let file = testing::file(&text);
        let source = GeoJson::open(file.path(), "quakes.geojson".to_owned()).unwrap();
        let (seen, report) = testing::scan_marked(&source, &testing::marked()).unwrap();
        let midnight_us = Some(1_517_961_600_000_000);
        let expected = testing::marks(&[
            (1.0, Some(1_517_966_773_840_000), Some("earthquake")),
            (2.0, None, Some("4")),
            (3.0, midnight_us, None),
            (4.0, midnight_us, None),
            (6.0, None, None),
        ]);
        assert_eq!(seen, expected);
        assert_eq!(rejections(&report), [(5, "time: \"soon\" is not a time")]);
        let query = testing::marked().with_end(midnight_us.map(|us| us + 1));
        assert_eq!(testing::scan_marked(&source, &query).unwrap().0, expected[2..4]);
        let area = r#"{"type":"Polygon","coordinates":[[[1.5,-1],[3.5,-1],[3.5,1],[1.5,1],[1.5,-1]]]}"#;
        let polygon = Some(std::sync::Arc::new(kiln_core::geo::Polygon::from_geojson(area).unwrap()));
        let (seen, report) = testing::scan_marked(&source, &query.with_polygon(polygon)).unwrap();
        assert_eq!((seen, report.filtered, report.rejected), (expected[2..3].to_vec(), 4, 1));
        // Where there are none, none come.
        let file = testing::file(point(1.0, 2.0, r#"{"mag":1}"#));
        let source = GeoJson::open(file.path(), "quakes.geojson".to_owned()).unwrap();
        let (gathered, _) = testing::gather(&source, &testing::marked()).unwrap();
        assert!(gathered.len() == 1 && gathered.points().time_us().is_none() && gathered.points().category().is_none());
        let mut named = testing::marked();
        named.columns.names.time = Some("when".to_owned());
        let message = testing::gather(&source, &named).unwrap_err().to_string();
        assert_eq!(message, "quakes.geojson: no feature has a property \"when\"; the first one has \"mag\"");
    }

    #[test]
    fn broken_json_says_where() {
        let whole = collection(&vec![point(1.0, 2.0, "{}"); 3]);
        let cut = message(scan(&whole[..whole.len() - 30], &Query::default()));
        assert!(cut.starts_with("quakes.geojson: broken JSON at line 3, column ") && cut.contains("cut off?"), "{cut}");
        let broken = message(scan(&whole.replacen("},\n", "}\n", 1), &Query::default()));
        assert_eq!(broken, "quakes.geojson: broken JSON at line 2, column 1: expected `,` or `]`");
        let csv = message(scan("lon,lat\n1,2\n", &Query::default()));
        assert!(csv.contains("line 1, column 1: expected value"), "{csv}");
        let empty = message(scan(" \n", &Query::default()));
        assert_eq!(empty, "quakes.geojson: there is nothing in it; JSON was expected");
    }

    #[test]
    fn only_wgs84_is_taken_for_degrees() {
        let with = |crs: &str| {
            let crs = format!(r#"{{"crs":{crs},"type":"#);
            collection(&[point(1.0, 2.0, "{}")]).replacen(r#"{"type":"#, &crs, 1)
        };
        let named = |name: &str| with(&format!(r#"{{"type":"name","properties":{{"name":"{name}"}}}}"#));
        for name in ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326", "WGS 84"] {
            assert_eq!(scan(&named(name), &Query::default()).unwrap().0.len(), 1, "{name}");
        }
        assert_eq!(scan(&with("null"), &Query::default()).unwrap().0.len(), 1);
        for text in [
            named("urn:ogc:def:crs:EPSG::3857"),
            named("EPSG:3857"),
            with(r#"{"type":"EPSG","properties":{"code":3857}}"#),
        ] {
            let message = message(scan(&text, &Query::default()));
            assert!(message.contains("in EPSG:3857, not in WGS 84") && message.contains("reproject it"), "{message}");
            let plane = Query::default().with_ground(Ground::Plane);
            assert_eq!(scan(&text, &plane).unwrap().0.len(), 1, "a plane takes any coordinates");
        }
    }

    #[test]
    fn lines_are_read_by_several_workers_with_the_same_result() {
        let mut lines: Vec<String> = (0..5000).map(|i| point(i as f64 / 100.0, 1.0, r#"{"w":1}"#)).collect();
        lines[4000] = feature("null", "{}");
        let (alone, report) = scan(&lines.join("\n"), &weighted(None)).unwrap();
        assert_eq!((alone.len(), rejections(&report)[0].0), (4999, 4001));
        let file = testing::file(lines.join("\n"));
        let source = GeoJson::open(file.path(), "lines".to_owned()).unwrap();
        for workers in 2..=3 {
            let (mut together, same) = testing::scan(&source, &weighted(None), workers).unwrap();
            together.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert_eq!(together, alone);
            assert_eq!(
                ScanReport { rejections: Vec::new(), ..same },
                ScanReport { rejections: Vec::new(), ..report.clone() }
            );
        }
        lines[4321].push('}');
        let file = testing::file(lines.join("\n"));
        let source = GeoJson::open(file.path(), "lines".to_owned()).unwrap();
        let (points, report) = testing::scan(&source, &weighted(None), 2).unwrap();
        assert_eq!((points.len(), report.read), (4998, 5000));
        assert_eq!(rejections(&report)[1].0, 4322);
        assert!(rejections(&report)[1].1.starts_with("broken JSON at column "), "{:?}", report.rejections);
    }

    #[test]
    fn a_sink_that_breaks_stops_the_scan() {
        let features = vec![point(1.0, 2.0, "{}"); 40_000];
        let file = testing::file(collection(&features));
        let source = GeoJson::open(file.path(), "x".to_owned()).unwrap();
        let mut batches = 0;
        let mut sink = |_: kiln_core::geo::Points<'_>| {
            batches += 1;
            std::ops::ControlFlow::Break(())
        };
        let stopped = source.scan(&Query::default(), &mut [&mut sink]);
        assert!(matches!(stopped, Err(kiln_core::Error::Cancelled)));
        assert_eq!(batches, 1);
    }

    #[test]
    fn progress_adds_up() {
        let text = collection(&vec![point(1.0, 2.0, "{}"); 5000]);
        let progress = super::super::Progress::default();
        scan(&text, &Query::default().with_progress(Some(&progress))).unwrap();
        assert_eq!(progress.snapshot(), (text.len() as u64, text.len() as u64, 5000));
    }
}
