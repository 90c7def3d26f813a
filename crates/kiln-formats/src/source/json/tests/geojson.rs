//! Tests of GeoJSON.

use super::*;

fn feature(geometry: &str, properties: &str) -> String {
    format!(r#"{{"type":"Feature","properties":{properties},"geometry":{geometry}}}"#)
}

fn point(lon: f64, lat: f64, properties: &str) -> String {
    feature(&format!(r#"{{"type":"Point","coordinates":[{lon},{lat},12.5]}}"#), properties)
}

fn collection(features: &[String]) -> String {
    format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(",\n"))
}

fn rejections(text: &str) -> Vec<(usize, String)> {
    let rows = read(text, &["geometry"]).unwrap().rows.into_iter().enumerate();
    rows.filter_map(|(index, row)| Some((index + 1, row.err()?))).collect()
}

#[test]
fn members_may_come_in_any_order() {
    let texts = [
        r#"{"type":"FeatureCollection","bbox":[0,0,3,4],"features":[{"type":"Feature","properties":{"weight":2},
            "geometry":{"type":"Point","coordinates":[3,4]}}],"metadata":{"features":[{"a":1}]}}"#,
        r#"{"features":[{"geometry":{"coordinates":[3,4],"type":"Point"},"id":7,"properties":{"n":[{}],"weight":2},
            "type":"Feature"}],"crs":null,"type":"FeatureCollection"}"#,
    ];
    for text in texts {
        assert_eq!(rows(text, &["weight", "geometry"]), ["2 [3.0, 4.0]"], "{text}");
    }
}

#[test]
fn every_layout_of_a_document_is_read() {
    let (a, b) = (point(1.0, 2.0, "null"), point(3.0, 4.0, "{}"));
    let multi = r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4,5]]}"#;
    let late = r#"{"coordinates":[[1,2],[3,4]],"type":"MultiPoint"}"#;
    let geometries = r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]},
        {"type":"MultiPoint","coordinates":[[3,4]]}]}"#;
    let both = collection(&[a.clone(), b.clone()]);
    let documents = [
        both.clone(),
        format!("[{a},{b}]"),
        format!("{a}\n{b}\n"),
        format!("\u{FEFF}{a}\r\n\r\n{b}"),
        format!("\u{1E}{a}\n\u{1E}{b}\n"),
        format!("{}\n{}", collection(std::slice::from_ref(&a)), b),
        format!("[{},{}]", collection(std::slice::from_ref(&a)), b),
        format!("{}\n{}", a.replace(',', ",\n"), b.replace(',', ",\n")),
        format!("{a}{}", collection(std::slice::from_ref(&b))),
        format!(r#"{{"name":"x","features":[{a},{b}]}}"#),
        format!(r#"{{"ok":true,"result":{both}}}"#),
        multi.to_owned(),
        late.to_owned(),
        feature(multi, "{}"),
        geometries.to_owned(),
        geometries.replace('\n', "") + "\n\n",
        feature(geometries, "{}"),
    ];
    for document in documents {
        assert_eq!(rows(&document, &["geometry"]), ["[1.0, 2.0]", "[3.0, 4.0]"], "{document}");
        let (_file, json) = open_as(&document, "x", JsonKind::GeoJson, &ReadOptions::default());
        assert_eq!(scan(&json.unwrap(), &["geometry"]).unwrap().rows.len(), 2, "{document}");
    }
    assert_eq!(rows(r#"{"type":"Point","coordinates":[5,6]}"#, &["geometry"]), ["[5.0, 6.0]"]);
    assert_eq!(rows(r#"{"lon":1,"lat":2,"type":"Point"}"#, &["lon"]), ["1"], "a row may have a type, too");
}

#[test]
fn the_geometry_is_a_column_of_points_before_the_properties() {
    let text = collection(&[feature(
        r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#,
        r#"{"mag":4.5,"at":{"place":"x"},"id":"inner"}"#,
    )])
    .replacen(r#"{"type":"Feature","#, r#"{"type":"Feature","id":7,"time":8,"bbox":[1],"#, 1);
    let (_file, json) = open_as(&text, "quakes.geojson", JsonKind::GeoJson, &ReadOptions::default());
    let json = json.unwrap();
    let names: Vec<_> = json.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["geometry", "mag", "at.place", "id", "time"]);
    let geometry = json.schema().field(0);
    assert_eq!(geometry.data_type().to_string(), "FixedSizeList(2 x non-null Float64, field: 'xy')");
    assert_eq!(geometry.metadata()["ARROW:extension:name"], "geoarrow.point");
    assert!(!geometry.metadata().contains_key("ARROW:extension:metadata"));
    assert_eq!((json.nouns().row, json.nouns().column), ("feature", "property"));
    let rows = scan(&json, &["at.place", "geometry", "\"id", "time", "mag"]).unwrap().rows;
    assert_eq!(
        rows,
        [Ok(r#""x" [1.0, 2.0] "inner" 8 4.5"#.to_owned()), Ok(r#""x" [3.0, 4.0] "inner" 8 4.5"#.to_owned())]
    );
    let rows = scan(&json, &["mag"]).unwrap().rows;
    assert_eq!(rows, [Ok("4.5".to_owned())], "if no geometry is requested, a feature is one row");
}

#[test]
fn features_without_points_are_rejected_with_a_reason() {
    let geometries = [
        "null",
        r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#,
        r#"{"coordinates":[[[1,2],[3,4]]],"type":"Polygon"}"#,
        r#"{"type":"Point","coordinates":[]}"#,
        r#"{"type":"Point","coordinates":null}"#,
        r#"{"type":"Point","coordinates":["a",null]}"#,
        r#"{"type":"Point","coordinates":3}"#,
        r#"{"coordinates":[1,2]}"#,
        "7",
        r#"{"type":"Feature"}"#,
        r#"{"type":"GeometryCollection","geometries":{}}"#,
        r#"{"type":"GeometryCollection","geometries":[]}"#,
    ];
    let features: Vec<String> = geometries.iter().map(|geometry| feature(geometry, "{}")).collect();
    let advice = "is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices";
    let coordinates = "the coordinates are not [longitude, latitude] as numbers";
    let reasons = [
        "null geometry; expected Point or MultiPoint",
        &format!("LineString {advice}"),
        &format!("Polygon {advice}"),
        "the geometry is empty",
        "the geometry is empty",
        coordinates,
        coordinates,
        "the object has no GeoJSON type; expected Feature, Point or MultiPoint",
        "7 is not a GeoJSON object",
        "the geometry is a Feature; expected Point or MultiPoint",
        "the GeometryCollection has no array `geometries`",
        "the geometry is empty",
    ];
    let expected: Vec<_> =
        reasons.iter().enumerate().map(|(index, reason)| (index + 1, (*reason).to_owned())).collect();
    assert_eq!(rejections(&collection(&features)), expected);

    let nested = format!("{}{}", r#"{"type":"GeometryCollection","geometries":["#.repeat(5000), "]}".repeat(5000));
    let documents = [
        (point(1.0, 2.0, "{}"), None),
        ("3".to_owned(), Some("3 is not a GeoJSON object")),
        ("{}".to_owned(), Some("the object has no GeoJSON type; expected Feature, Point or MultiPoint")),
        (r#"{"type":"Feature"}"#.to_owned(), Some("the feature has no geometry")),
        (r#"{"type":"FeatureCollection"}"#.to_owned(), Some("the FeatureCollection has no array `features`")),
        (
            r#"{"type":"FeatureCollection","features":1}"#.to_owned(),
            Some("the FeatureCollection has no array `features`"),
        ),
        (nested.clone(), Some("the geometry is nested too deeply")),
        (feature(&nested, "{}"), Some("the geometry is nested too deeply")),
    ];
    let text = format!("[{}]", documents.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(","));
    let reasons =
        documents.iter().enumerate().filter_map(|(index, (_, reason))| Some((index + 1, (*reason)?.to_owned())));
    assert_eq!(rejections(&text), reasons.collect::<Vec<_>>());
}

#[test]
fn an_invalid_position_of_a_multipoint_is_one_rejected_row() {
    let text = r#"{"type":"MultiPoint","coordinates":[[1,2],[],[3],[95,4],["5"," 6"],7,[[8,9]],null]}"#;
    for text in [text.to_owned(), feature(text, "{}"), format!("{text}\n{}", point(0.0, 0.0, "{}"))] {
        let rejected = rejections(&text).into_iter().map(|(row, _)| row).collect::<Vec<_>>();
        assert_eq!(rejected, [2, 3, 6, 8], "{text}");
    }
}

#[test]
fn the_error_for_topojson_recommends_a_converter() {
    let text = r#"{"type":"Topology","objects":{"a":{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]}},"arcs":[]}"#;
    for dialect in [JsonKind::Any, JsonKind::GeoJson] {
        let (_file, json) = open_as(text, "x.json", dialect, &ReadOptions::default());
        let message = message(json);
        assert!(message.contains("TopoJSON is not supported") && message.contains("mapshaper"), "{message}");
    }
    let rejected =
        rejections(&format!("{text}\n{text}\n{}", point(1.0, 2.0, "{}")).replacen(text, &point(0.0, 0.0, "{}"), 1));
    assert!(rejected.len() == 1 && rejected[0].1.contains("TopoJSON"), "{rejected:?}");
}

#[test]
fn the_declared_reference_system_is_in_the_schema() {
    let features = collection(&[point(1.0, 2.0, "{}")]);
    let head = |crs: &str| features.replacen('{', &format!(r#"{{"crs":{crs},"#), 1);
    let tail = |crs: &str| format!(r#"{},"crs":{crs}}}"#, &features[..features.len() - 1]);
    let inner = |crs: &str| point(1.0, 2.0, "{}").replacen('{', &format!(r#"{{"crs":{crs},"#), 1);
    let named = r#"{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::3857"}}"#;
    let declared = |text: &str| {
        let (_file, json) = open_as(text, "x", JsonKind::Any, &ReadOptions::default());
        let json = json.unwrap();
        assert_eq!(scan(&json, &["geometry"]).unwrap().rows[0].as_deref(), Ok("[1.0, 2.0]"), "{text}");
        json.schema().field(0).metadata().get("ARROW:extension:metadata").cloned()
    };
    for text in
        [head(named), tail(named), inner(named), format!("{0}\n{0}", inner(named)), format!("{0}\n{0}", head(named))]
    {
        assert_eq!(declared(&text).as_deref(), Some(r#"{"crs":"urn:ogc:def:crs:EPSG::3857"}"#), "{text}");
    }
    let epsg = Some(r#"{"crs":"EPSG:3857"}"#);
    assert_eq!(declared(&head(r#"{"type":"EPSG","properties":{"code":3857}}"#)).as_deref(), epsg);
    assert_eq!(declared(&head(r#"{"type":"EPSG","properties":{"code":"3857"}}"#)).as_deref(), epsg);
    assert_eq!(declared(&head("null")), None);
    assert_eq!(declared(&head(r#"{"type":"name"}"#)), None);
}

#[test]
fn a_reference_system_after_the_features_is_an_error_or_rejects_its_feature() {
    let crs = r#"{"type":"name","properties":{"name":"EPSG:3857"}}"#;
    let features = collection(&vec![point(1.0, 2.0, "{}"); 2000]);
    let late = format!(r#"{},"crs":{crs}}}"#, &features[..features.len() - 1]);
    let text = message(read(&late, &["geometry"]));
    assert_eq!(
        text,
        "rows.json: the member `crs` (EPSG:3857) is after the features; move it before them, or set it with crs"
    );
    let named = ReadOptions { crs: Some("EPSG:3857".to_owned()), ..ReadOptions::default() };
    assert_eq!(read_as(&late, "x", &named, &["geometry"]).unwrap().rows.len(), 2000);
    let mut lines = vec![point(1.0, 2.0, "{}"); 3];
    lines[1] = lines[1].replacen('{', &format!(r#"{{"crs":{crs},"#), 1);
    lines[0] = lines[0].replacen('{', &format!(r#"{{"crs":{},"#, crs.replace("3857", "4258")), 1);
    let expected = "the coordinates are in EPSG:3857, those of the first feature in EPSG:4258";
    assert_eq!(rejections(&lines.join("\n")), [(2, expected.to_owned())]);
}

#[test]
fn an_empty_collection_has_no_rows() {
    for text in [r#"{"type":"FeatureCollection","features":[]}"#, r#"{"features":[],"type":"FeatureCollection"}"#] {
        assert_eq!(rows(text, &["geometry"]), [""; 0]);
        assert_eq!(schema(text).len(), 1);
    }
}
