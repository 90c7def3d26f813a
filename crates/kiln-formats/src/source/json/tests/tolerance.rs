//! Tests of repaired and of invalid JSON.

use super::*;

#[test]
fn nan_and_infinity_are_nulls() {
    let row = r#"{"x":1,"y":NaN,"z":{"a":[-Infinity,Infinity]},"s":"NaN \"Infinity\""}"#;
    for text in
        [format!("[{row}, {row}]"), format!("{row}\n{row}"), format!("{{\"rows\":[{row},\n{row}],\"max\":NaN}}")]
    {
        let expected = r#"1 - "NaN \"Infinity\"" "{\"a\":[null,null]}""#;
        assert_eq!(rows(&text, &["x", "y", "\"s", "\"z"]), [expected; 2], "{text}");
    }
    assert_eq!(rows("[[1,2,NaN],[NaN,3,4]]", &["x", "weight"]), ["1 -", "- 4"]);
    let feature =
        r#"{"type":"Feature","properties":{"depth":NaN,"w":2},"geometry":{"type":"Point","coordinates":[1,2,NaN]}}"#;
    assert_eq!(rows(feature, &["geometry", "w", "depth"]), ["[1.0, 2.0] 2 -"]);
}

#[test]
fn values_across_the_borders_of_the_window_are_read() {
    // Padding of all lengths, so that a read ends at each byte of the rows.
    for padding in 0..70 {
        let text = format!(
            r#"[{{"p":"{}"}},{{"x":-12.5,"s":"\u00e9é","y":NaN}},{{"x":  7 ,"y":-Infinity}}]"#,
            "p".repeat(padding)
        );
        let expected = ["- - -", "-12.5 \"éé\" -", "7 - -"];
        assert_eq!(rows(&text, &["x", "\"s", "y"]), expected, "{padding}");
        let within = format!(r#"{{"skipped":[1.5,NaN, {{"a":-Infinity}},"é"],"more":-2.5e3,"rows":{text}}}"#);
        assert_eq!(rows(&within, &["x", "\"s", "y"]), expected, "{padding}");
    }
}

#[test]
fn unpaired_surrogates_and_invalid_utf_8_are_replaced() {
    let row = r#"{"x":1,"skipped":"\ud83d","s":"a\ud83db\ud83d\ude00"}"#;
    assert_eq!(rows(format!("[{row}]"), &["x", "\"s"]), ["1 \"a\u{FFFD}b\u{1F600}\""]);
    let bytes = b"[{\"x\":1,\"s\":\"a\xFFb\",\"\xE9\":2}]";
    assert_eq!(rows(bytes, &["x", "\"s"]), ["1 \"a\u{FFFD}b\""]);
    let bytes = b"{\"x\":1,\"s\":\"a\xFFb\",\"\xE9\":2}\n{\"x\":2}";
    assert_eq!(rows(bytes, &["x", "\"s"]), ["1 \"a\u{FFFD}b\"", "2 -"]);
}

#[test]
fn errors_for_invalid_json_have_the_position() {
    let message = |text: &str| message(read(text, &["x"]));
    let invalid = [
        ("[[1,2],\n[3,]]", "line 2, column 4: trailing comma"),
        ("[[1,2],\n\n [3 4]]", "line 3, column 5: expected `,` or `]`"),
        ("[[1,2]\n[3,4]]", "line 2, column 1: expected `,` or `]`"),
        ("[[1,2],\n]", "line 2, column 1: trailing comma"),
        ("[[1,2]]x", "line 1, column 8: expected value"),
        ("[[1,2],\n[3,4", "line 2, column 4: EOF while parsing a list; was the file truncated?"),
        ("[[1,2],\n", "line 2, column 0: EOF while parsing a value; was the file truncated?"),
        ("[[1,2]", "line 1, column 6: EOF while parsing a value; was the file truncated?"),
        ("{\"a\":[\n{\"x\":1}", "line 2, column 7: EOF while parsing a value; was the file truncated?"),
        ("{\"a\":[\n{\"x\":\"1", "line 2, column 7: EOF while parsing a string; was the file truncated?"),
        ("{\"a\":[{\"x\":1}],\nb:1}", "line 2, column 1: key must be a string"),
        ("{\"a\" [1]}", "line 1, column 6: expected `:`"),
        ("[{\"x\":1}, // one\n{\"x\":2}]", "line 1, column 11: expected value"),
        ("lon,lat\n1,2\n", "line 1, column 1: expected value"),
        ("\u{FEFF}[[NaN,2],\n[3,x]]", "line 2, column 4: expected value"),
    ];
    for (text, expected) in invalid {
        assert!(message(text).starts_with("rows.json: invalid JSON at line "), "{}", message(text));
        assert_eq!(message(text), format!("rows.json: invalid JSON at {expected}"), "{text}");
    }
    // At an offset far beyond one read.
    let long = format!("[{}\n  {{\"x\":}}]", "{\"x\":1},\n".repeat(50_000));
    assert_eq!(message(&long), "rows.json: invalid JSON at line 50002, column 8: expected value");
    assert_eq!(message(" \n"), "rows.json: the input is empty; expected JSON");
}

#[test]
fn an_invalid_line_is_a_rejected_row() {
    let text = "{\"x\":1}\n{\"x\":3,\"y\":\n\n{\"x\":5}}\r\n[7,8\n{\"x\":NaN}\n{\"x\":9}{\"x\":10}";
    let rejected = |reason: &str| Err(format!("invalid JSON at column {reason}"));
    assert_eq!(
        read(text, &["x"]).unwrap().rows,
        [
            Ok("1".to_owned()),
            rejected("11: EOF while parsing a value; was the line truncated?"),
            rejected("8: expected value"),
            rejected("4: EOF while parsing a list; was the line truncated?"),
            Ok("-".to_owned()),
            Ok("9".to_owned()),
            Ok("10".to_owned()),
        ]
    );
}

#[test]
fn the_extension_makes_a_document_line_delimited_if_the_first_line_is_invalid() {
    let text = format!("{{\"x\":\n{}", "{\"x\":1}\n".repeat(200));
    for name in ["rows.ndjson", "ROWS.JSONL", "rows.geojsonl.gz"] {
        let collected = read_as(&text, name, &ReadOptions::default(), &["x"]).unwrap();
        assert_eq!((collected.rows.len(), collected.rows[0].is_err()), (201, true), "{name}");
    }
    let (_file, json) = open_as(&text, "-", JsonKind::Lines, &ReadOptions::default());
    assert_eq!(scan(&json.unwrap(), &["x"]).unwrap().rows.len(), 201);
    let message = message(read(&text, &["x"]));
    assert!(message.starts_with("rows.json: invalid JSON at line 3, column 1: "), "{message}");
    // Even if all lines are invalid.
    let collected = read_as("{oops}\n".repeat(3000), "rows.ndjson", &ReadOptions::default(), &[]).unwrap();
    assert_eq!(collected.rows.len(), 3000);
    assert_eq!(collected.rows[0], Err("invalid JSON at column 2: key must be a string".to_owned()));
}
