//! Tests of rows in nested arrays.

use super::*;

fn with_records(records: &str) -> ReadOptions {
    ReadOptions { records: Some(records.to_owned()), ..ReadOptions::default() }
}

#[test]
fn the_only_array_of_objects_or_arrays_has_the_rows() {
    let objects = r#"[{"lon":1,"lat":2},{"lon":3,"lat":4}]"#;
    let documents = [
        format!(r#"{{"now":1.5,"messages":5,"aircraft":{objects}}}"#),
        format!("{{\"aircraft\":{objects},\n\"now\":1.5,\"ids\":[1,2]}}\n"),
        format!(r#"{{"result":{{"count":2,"records":{objects}}},"ok":true}}"#),
        format!(r#"{{"a":{{"b":{{"c":{objects}}}}}}}"#),
        r#"{"page":1,"data":[{"lon":1,"lat":2}]}{"page":2,"data":[{"lon":3,"lat":4}]}"#.to_owned(),
    ];
    for document in documents {
        assert_eq!(rows(&document, &["lon", "lat"]), ["1 2", "3 4"], "{document}");
    }
    let hits = r#"{"took":1,"hits":{"total":{"value":1},"hits":[{"_id":"a","_source":{"place":{"lat":1,"lon":2}}}]}}"#;
    assert_eq!(schema(hits), ["_id: Utf8", "_source.place.lat: Float64", "_source.place.lon: Float64"]);
    assert_eq!(rows(hits, &["_source.place.lat"]), ["1"]);
    let lists = r#"{"max":8,"points":[[1,2,3],[4,5,6]]}"#;
    assert_eq!(rows(lists, &["x", "weight"]), ["1 3", "4 6"]);
    let (_file, json) = open_as(lists, "x.json", JsonKind::Any, &ReadOptions::default());
    let notices: Vec<_> = json.unwrap().notices().iter().map(ToString::to_string).collect();
    assert_eq!(notices, ["the rows are read from `points`"]);
}

#[test]
fn an_object_with_coordinates_is_a_row_even_if_it_has_arrays() {
    for row in [
        r#"{"Lon":1,"LAT":2,"visits":[{"t":1},{"t":2}]}"#,
        r#"{"wkt":"POINT (1 2)","visits":[{"t":1}]}"#,
        r#"{"name":"x","visits":["a"]}"#,
        "{}",
    ] {
        assert_eq!(rows(row, &["\"visits"]).len(), 1, "{row}");
    }
    let lines = "{\"ost\":1,\"visits\":[{\"t\":1},{\"t\":2}]}\n{\"ost\":3,\"visits\":[]}";
    assert_eq!(rows(lines, &["ost"]), ["1", "3"], "lines are rows");
}

#[test]
fn several_arrays_are_an_error_that_lists_them() {
    let text = r#"{"people":[{"a":1}],"data":{"places":[{"lon":1}]}}"#;
    let expected =
        "rows.json: there are several arrays of records, at `people`, `data.places`; select one with records";
    assert_eq!(message(read(text, &["lon"])), expected);
    assert_eq!(read_as(text, "x", &with_records("data.places"), &["lon"]).unwrap().rows, [Ok("1".to_owned())]);
    let mistaken = message(read_as(text, "x.json", &with_records("data.place"), &["lon"]));
    assert_eq!(
        mistaken,
        "x.json: records: no value at `data.place`; arrays of records in the document: `people`, `data.places`"
    );
    let none = message(read_as("{\"a\":1}\n{\"a\":1}", "x.json", &with_records("b"), &["a"]));
    assert_eq!(none, "x.json: records: no value at `b`; arrays of records in the document: none");
    let long = format!(r#"{{"a":[{}],"b":[{{"x":1}}]}}"#, vec![r#"{"x":1}"#; 2000].join(","));
    assert_eq!(read_as(&long, "x", &with_records("a"), &["x"]).unwrap().rows.len(), 2000);
    assert_eq!(read_as(&long, "x", &with_records("b"), &["x"]).unwrap().rows.len(), 1);
}

#[test]
fn a_configured_path_takes_precedence() {
    let read = |text: &str, records: &str| {
        let rows = read_as(text, "x.json", &with_records(records), &["x"]).unwrap().rows;
        rows.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(read(r#"{"x":1,"y":2,"list":[{"x":3},{"x":4}]}"#, "list"), ["3", "4"]);
    assert_eq!(read(r#"{"x":1,"list":[{"x":3},{"x":4}]}"#, "."), ["1"], "the document itself");
    assert_eq!(read(r#"{"a.b":[{"x":3}],"c":[{"x":4}]}"#, "a.b"), ["3"], "a name may have a dot");
    assert_eq!(read(r#"{"one":{"x":5}}"#, "one"), ["5"]);
    assert_eq!(read(r#"{"none":[]}"#, "none"), [""; 0]);
    assert_eq!(read(r#"[{"in":[{"x":1}]},{"in":[{"x":2}]}]"#, "in"), ["1", "2"]);
    assert_eq!(read("{\"in\":[{\"x\":1}]}\n{\"in\":[{\"x\":2},{\"x\":3}]}\n", "in"), ["1", "2", "3"]);
    let (_file, json) = open_as("{\"in\":[{\"x\":1}]}\n{\"out\":0}\n", "x", JsonKind::Lines, &with_records("in"));
    let rows = scan(&json.unwrap(), &["x"]).unwrap().rows;
    assert_eq!(rows, [Ok("1".to_owned()), Err("no value at `in`".to_owned())]);
}

#[test]
fn a_member_columns_has_the_column_names_of_rows_that_are_arrays() {
    let text = r#"{"columns":["lat","lng","weight"],"index":[0,1],"data":[[1,2,3],[4,5,6]]}"#;
    let (_file, json) = open_as(text, "x.json", JsonKind::Any, &ReadOptions::default());
    let json = json.unwrap();
    assert!(!json.is_positional());
    assert_eq!(scan(&json, &["lng", "lat"]).unwrap().rows, [Ok("2 1".to_owned()), Ok("5 4".to_owned())]);
    assert_eq!(schema(text), ["lat: Float64", "lng: Float64", "weight: Float64"]);
    assert_eq!(schema(r#"{"columns":["a"],"data":[[1,2]]}"#), ["a: Float64", "2: Float64"]);
}
