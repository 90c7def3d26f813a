use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};

use super::*;
use crate::source::table::{RequestedColumn, ValueType};
use crate::source::testing;
use kiln_core::error::Error;

mod geojson;
mod row_paths;
mod tolerance;

/// The output of a scan: the values of a row, `-` for null, or the reason why it was rejected.
#[derive(Debug, Default)]
struct Collected {
    rows: Vec<Result<String, String>>,
    batches: usize,
    bytes: u64,
}

impl BatchSink for Collected {
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        self.batches += 1;
        let row = |row| batch.columns().iter().map(|column| value(column, row)).collect::<Vec<_>>().join(" ");
        self.rows.extend((0..batch.num_rows()).map(row).map(Ok));
        ControlFlow::Continue(())
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()> {
        self.rows.push(Err(reason()));
        ControlFlow::Continue(())
    }

    fn skip(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

/// A value as a string: strings in quotes, `-` for null.
fn value(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "-".to_owned();
    }
    if let Some(positions) = column.as_fixed_size_list_opt() {
        let position = positions.value(row);
        return format!("{:?}", &position.as_primitive::<Float64Type>().values()[..]);
    }
    match column.as_primitive_opt::<Float64Type>() {
        Some(numbers) => numbers.value(row).to_string(),
        None => format!("{:?}", column.as_string::<i32>().value(row)),
    }
}

fn open_as(
    text: impl AsRef<[u8]>,
    name: &str,
    dialect: JsonKind,
    options: &ReadOptions,
) -> (tempfile::NamedTempFile, kiln_core::error::Result<Json>) {
    let file = testing::file(text);
    let json = Json::open(file.path(), name.to_owned(), dialect, options);
    (file, json)
}

/// Scans `columns`. A name that begins with `"` is requested as a string.
fn scan(json: &Json, columns: &[&str]) -> kiln_core::error::Result<Collected> {
    let requested = |name: &&str| RequestedColumn {
        name: name.trim_start_matches('"').to_owned(),
        index: json.schema().index_of(name.trim_start_matches('"')).ok(),
        value_type: if name.starts_with('"') { ValueType::Text } else { ValueType::Number },
    };
    let request = Request { columns: columns.iter().map(requested).collect(), workers: 1, time_range: None };
    let scan = json.scan(&request)?;
    let mut collected = Collected::default();
    for part in 0..scan.parts() {
        assert!(scan.read_part(part, &mut collected)?.is_continue());
    }
    assert_eq!(collected.bytes, scan.bytes(), "the progress adds up");
    Ok(collected)
}

fn read_as(
    text: impl AsRef<[u8]>,
    name: &str,
    options: &ReadOptions,
    columns: &[&str],
) -> kiln_core::error::Result<Collected> {
    let (_file, json) = open_as(text, name, JsonKind::Any, options);
    scan(&json?, columns)
}

fn read(text: impl AsRef<[u8]>, columns: &[&str]) -> kiln_core::error::Result<Collected> {
    read_as(text, "rows.json", &ReadOptions::default(), columns)
}

/// The rows. Panics if a row was rejected.
fn rows(text: impl AsRef<[u8]>, columns: &[&str]) -> Vec<String> {
    read(text, columns).unwrap().rows.into_iter().map(Result::unwrap).collect()
}

fn message<T>(read: Result<T, Error>) -> String {
    read.map(|_| ()).unwrap_err().to_string()
}

/// The columns of the schema, as `name: type`.
fn schema(text: &str) -> Vec<String> {
    let (_file, json) = open_as(text, "rows.json", JsonKind::Any, &ReadOptions::default());
    json.unwrap().schema().fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect()
}

#[test]
fn rows_are_objects_in_an_array_or_concatenated() {
    let documents = [
        r#"[{"lon":1,"lat":2,"weight":3},{"lat":"5","lon":4,"weight":6,"x":7}]"#,
        "{\"lon\":1,\"lat\":2,\"weight\":3}\n{\"lon\":4,\"lat\":\"5\",\"weight\":6}",
        "\u{1E}{\"lon\":1,\"lat\":2,\"weight\":3}\n\u{1E}{\"lon\":4,\"lat\":\"5\",\"weight\":6}\n",
        "\u{FEFF}{\n\"lon\":1,\"lat\":2,\"weight\":3}{\"lon\":4,\"lat\":\"5\",\n\"weight\":6}",
        "[{\"lon\":1,\"lat\":2,\"weight\":3}]\n[{\"lon\":4,\"lat\":\"5\",\"weight\":6}]",
    ];
    for document in documents {
        assert_eq!(rows(document, &["lon", "weight", "lat"]), ["1 3 2", "4 6 5"], "{document}");
    }
    assert_eq!(rows("{\"lon\":1,\"lat\":2}", &["lon", "lat"]), ["1 2"]);
    assert_eq!(rows("[]", &[]), [""; 0]);
    assert_eq!(rows("[{}, {}]", &[]), ["", ""], "rows count even if no column is read");
}

#[test]
fn rows_are_arrays_in_an_array_or_concatenated() {
    let documents = [
        "[[1,2,3],[4,\"5\",6]]",
        "[[1,2,3],\n[4,\"5\",6]]\n",
        "[1,2,3]\n[4,\"5\",6]\n",
        "[[1,2,3]]\n[[4,\"5\",6]]",
        "[1, 2, 3] [4, \"5\", 6]",
    ];
    for document in documents {
        assert_eq!(rows(document, &["x", "y", "weight"]), ["1 2 3", "4 5 6"], "{document}");
        let (_file, json) = open_as(document, "rows.json", JsonKind::Any, &ReadOptions::default());
        let json = json.unwrap();
        assert!(json.is_positional() && !json.is_open(), "{document}");
    }
    assert_eq!(
        schema("[[1,2,3,\"a\",5],[1,2]]"),
        ["x: Float64", "y: Float64", "weight: Float64", "4: Utf8", "5: Float64"]
    );
    assert_eq!(rows("[[1,2,3,\"a\"],[1,null]]", &["y", "\"4", "weight"]), ["2 \"a\" 3", "- - -"]);
    let (_file, json) = open_as("[{\"x\":1}]", "rows.json", JsonKind::Any, &ReadOptions::default());
    let json = json.unwrap();
    assert!(!json.is_positional() && json.is_open());
}

#[test]
fn values_that_are_not_rows_are_rejected_with_a_reason() {
    let collected = read("[[1,2,3],[4],7,[],[\"a\",2,[3]],{\"x\":1},\"text\"]", &["x", "weight"]).unwrap();
    let rejected = |reason: &str| Err(reason.to_owned());
    assert_eq!(
        collected.rows,
        [
            Ok("1 3".to_owned()),
            rejected("an array of length 1; expected [x, y] or [x, y, weight]"),
            rejected("7 is not a row; expected [x, y], [x, y, weight] or an object"),
            rejected("an array of length 0; expected [x, y] or [x, y, weight]"),
            Ok("\"a\" \"[3]\"".to_owned()),
            rejected("an object, but other rows are arrays"),
            rejected("\"text\" is not a row; expected [x, y], [x, y, weight] or an object"),
        ]
    );
    let collected = read("{\"x\":1}\nnull\n[1,2]\n{\"x\":[]}", &["x"]).unwrap();
    assert_eq!(
        collected.rows,
        [
            Ok("1".to_owned()),
            rejected("null is not a row; expected [x, y], [x, y, weight] or an object"),
            rejected("an array, but other rows are objects"),
            Ok("\"[]\"".to_owned()),
        ]
    );
}

#[test]
fn values_are_numbers_or_unchanged_text() {
    let text = r#"[{"a":1.50,"b":9007199254740993},{"a":"2e1","b":true},{"a":null,"b":"x\ny"},{"b":{"c": [1]}},{"a":-0.1,"b":1e400}]"#;
    assert_eq!(
        rows(text, &["a", "\"b"]),
        [r#"1.5 "9007199254740993""#, r#"20 "true""#, r#"- "x\ny""#, r#"- "{\"c\": [1]}""#, r#"-0.1 "1e400""#]
    );
    assert_eq!(rows(r#"[{"a":1},{"a":"low"},{"a":false}]"#, &["a"]), ["\"1\"", "\"low\"", "\"false\""]);
}

#[test]
fn nested_members_are_columns_with_dotted_paths() {
    let text = r#"[
        {"id":"7","place":{"lat":1,"at":{"x":{"y":{"z":5}}}},"location":{"type":"Point","coordinates":[3,4]},"tags":[1]},
        {"place":null,"place.lat":2,"location":null,"note":null,"id":8}]"#;
    assert_eq!(
        schema(text),
        ["id: Utf8", "place.lat: Float64", "place.at.x.y: Utf8", "location: Utf8", "tags: Utf8", "note: Utf8"]
    );
    assert_eq!(
        rows(text, &["place.lat", "\"location", "\"tags", "\"place.at.x.y", "\"place.at"]),
        [
            r#"1 "{\"type\":\"Point\",\"coordinates\":[3,4]}" "[1]" "{\"z\":5}" "{\"x\":{\"y\":{\"z\":5}}}""#,
            "2 - - - -"
        ]
    );
}

#[test]
fn the_schema_is_inferred_from_the_first_rows_and_later_members_can_be_read() {
    let mut lines = vec![r#"{"x":1,"y":"2"}"#; 1500];
    lines.push(r#"{"x":"late","rare":9}"#);
    let text = lines.join("\n");
    assert_eq!(schema(&text), ["x: Float64", "y: Utf8"]);
    let collected = rows(&text, &["rare", "\"x", "x"]);
    assert_eq!((collected.len(), collected[1500].as_str()), (1501, "9 \"late\" \"late\""));
    let many = format!("[{}]", (0..1200).map(|i| format!("{{\"m{i}\":1}}")).collect::<Vec<_>>().join(","));
    assert_eq!(schema(&many).len(), 1000);
}

#[test]
fn a_member_can_be_requested_twice() {
    assert_eq!(
        rows(r#"[{"a":1},{"b":{"c":2}}]"#, &["a", "b.c", "\"a", "\"b"]),
        ["1 - \"1\" -", "- 2 - \"{\\\"c\\\":2}\""]
    );
}

#[test]
fn batches_have_limited_size_and_keep_the_order_of_valid_and_rejected_rows() {
    let mut values: Vec<String> = (0..20_000).map(|i| format!("[{i},0]")).collect();
    values[9_000] = "[]".to_owned();
    let collected = read(format!("[{}]", values.join(",")), &["x"]).unwrap();
    assert_eq!((collected.rows.len(), collected.batches), (20_000, 4));
    assert!(collected.rows[9_000].is_err());
    for (index, row) in collected.rows.iter().enumerate().filter(|(index, _)| *index != 9_000) {
        assert_eq!(row.as_deref(), Ok(index.to_string().as_str()));
    }
}

#[test]
fn a_sink_that_breaks_stops_the_scan() {
    struct Once(usize);
    impl BatchSink for Once {
        fn batch(&mut self, _: &RecordBatch) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Break(())
        }
        fn reject(&mut self, _: &dyn Fn() -> String) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
        fn skip(&mut self, _: u64) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
        fn advance(&mut self, _: u64) {}
    }
    for text in [format!("[{}]", vec!["[1,2]"; 40_000].join(",")), "[1,2]\n[3,4]\n".to_owned()] {
        let (_file, json) = open_as(text, "rows.json", JsonKind::Any, &ReadOptions::default());
        let json = json.unwrap();
        let request = Request { columns: Vec::new(), workers: 1, time_range: None };
        let mut sink = Once(0);
        let flow = json.scan(&request).unwrap().read_part(0, &mut sink).unwrap();
        assert!(flow.is_break() && sink.0 == 1);
    }
}

#[test]
fn rows_do_not_depend_on_the_parts_of_a_line_delimited_document() {
    let lines: Vec<String> = (0..3000).map(|i| format!("{{\"x\":{i}}}")).collect();
    for end in ["\n", "\r\n", "\n\n"] {
        let text = lines.join(end);
        let (_file, json) = open_as(&text, "rows.json", JsonKind::Any, &ReadOptions::default());
        let json = json.unwrap();
        let request = Request { columns: Vec::new(), workers: 2, time_range: None };
        assert!(json.scan(&request).unwrap().parts() > 20);
        let expected: Vec<_> = (0..3000).map(|i| Ok(i.to_string())).collect();
        assert_eq!(scan(&json, &["x"]).unwrap().rows, expected);
    }
}

#[test]
fn appended_bytes_are_not_read_and_a_truncated_file_is_an_error() {
    use std::io::Write;
    for text in ["[1,2]\n[3,4]\n", "[[1,2],\n[3,4]]"] {
        let (mut file, json) = open_as(text, "rows.json", JsonKind::Any, &ReadOptions::default());
        let json = json.unwrap();
        file.write_all(b"\n[5,6]").unwrap();
        assert_eq!(scan(&json, &["x"]).unwrap().rows.len(), 2);
        for len in [text.len() as u64 - 1, 0] {
            file.as_file().set_len(len).unwrap();
            assert_eq!(message(scan(&json, &["x"])), "rows.json: the file changed while it was read");
        }
    }
}
