//! Tests of the rows and notices of CSV files.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::record::Dialect;
use super::*;
use crate::source::table::{RequestedColumn, ValueType};

fn file(text: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_ref()).unwrap();
    file
}

fn open_with(text: impl AsRef<[u8]>, quote: Option<Quote>) -> Result<Csv> {
    Csv::open(file(text).path(), "points.csv".to_owned(), &ReadOptions { quote, ..ReadOptions::default() })
}

fn open(text: impl AsRef<[u8]>) -> Result<Csv> {
    open_with(text, None)
}

/// The events of a sink: the values of a row in the order of the columns, with `-` for null, or the reason of a
/// rejection.
type Events = Vec<Result<Vec<String>, String>>;

#[derive(Default)]
struct EventSink {
    events: Events,
    bytes: u64,
    batches: usize,
    /// The types of the columns in the last batch.
    types: Vec<DataType>,
    /// The number of the batch after which to stop.
    last_batch: Option<usize>,
}

impl BatchSink for EventSink {
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        self.batches += 1;
        self.types = batch.columns().iter().map(|column| column.data_type().clone()).collect();
        let value = |column: &dyn Array, row| match column.as_primitive_opt::<Float64Type>() {
            _ if column.is_null(row) => "-".to_owned(),
            Some(numbers) => numbers.value(row).to_string(),
            None => column.as_string::<i32>().value(row).to_owned(),
        };
        let row = |row| Ok(batch.columns().iter().map(|column| value(column, row)).collect());
        self.events.extend((0..batch.num_rows()).map(row));
        if self.last_batch == Some(self.batches) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()> {
        self.events.push(Err(reason()));
        ControlFlow::Continue(())
    }

    fn skip(&mut self, _: u64) -> ControlFlow<()> {
        panic!("CSV files have no statistics")
    }

    fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

fn columns(csv: &Csv, value_type: ValueType) -> Vec<RequestedColumn> {
    let names = csv.schema().fields().iter().enumerate();
    names.map(|(index, field)| RequestedColumn { index: Some(index), name: field.name().clone(), value_type }).collect()
}

/// Scans all columns of `csv`, with two threads if `is_parallel` is set.
fn scan(csv: &Csv, value_type: ValueType, is_parallel: bool) -> Result<Events> {
    let request = Request { columns: columns(csv, value_type), workers: 1, time_range: None };
    let scan = csv.scan(&request)?;
    let mut parts: Vec<EventSink> = (0..scan.parts()).map(|_| EventSink::default()).collect();
    if is_parallel {
        let left = Mutex::new(parts.iter_mut().enumerate());
        let next = || left.lock().unwrap().next();
        let work = || {
            while let Some((part, sink)) = next() {
                assert!(scan.read_part(part, sink)?.is_continue());
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(work);
            work().and(other.join().unwrap())
        })?;
    } else {
        for (part, sink) in parts.iter_mut().enumerate() {
            assert!(scan.read_part(part, sink)?.is_continue());
        }
    }
    assert_eq!(parts.iter().map(|sink| sink.bytes).sum::<u64>(), if scan.parts() > 0 { scan.bytes() } else { 0 });
    Ok(parts.into_iter().flat_map(|sink| sink.events).collect())
}

fn events(text: impl AsRef<[u8]>) -> Events {
    scan(&open(text).unwrap(), ValueType::Text, false).unwrap()
}

/// The rows of a file, with values separated by `|`. Panics if a row was rejected.
fn rows_of(csv: &Csv) -> Vec<String> {
    let events = scan(csv, ValueType::Text, false).unwrap();
    events.into_iter().map(|event| event.unwrap().join("|")).collect()
}

fn rows(text: impl AsRef<[u8]>) -> Vec<String> {
    rows_of(&open(text).unwrap())
}

fn names(csv: &Csv) -> Vec<&str> {
    csv.schema().fields().iter().map(|field| field.name().as_str()).collect()
}

fn notices(csv: &Csv) -> Vec<String> {
    csv.notices().iter().map(ToString::to_string).collect()
}

/// Asserts that a file has these columns and rows and produces no notices.
fn assert_reads(text: impl AsRef<[u8]>, expected_names: &[&str], expected_rows: &[&str]) {
    let text = text.as_ref();
    let csv = open(text).unwrap();
    let display = String::from_utf8_lossy(text);
    assert_eq!(names(&csv), expected_names, "{display}");
    assert_eq!(rows_of(&csv), expected_rows, "{display}");
    assert_eq!(notices(&csv), [""; 0], "{display}");
}

fn failure<T: std::fmt::Debug>(result: Result<T>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn every_delimiter_is_detected() {
    for delimiter in [",", ";", "\t", "|", " ", "   "] {
        let text = "lon,lat,w\n2.5,48.25,3\n4,5,6\n".replace(',', delimiter);
        assert_reads(text, &["lon", "lat", "w"], &["2.5|48.25|3", "4|5|6"]);
    }
    assert_reads("\"city, country\";lon\nA, B;2.5\n", &["city, country", "lon"], &["A, B|2.5"]);
    assert_reads("name,w\na,\nb,\nc,1\n", &["name", "w"], &["a|-", "b|-", "c|1"]);
    assert_reads("id,lon,tags\n1,2,a;b\n2,3,c;d\n", &["id", "lon", "tags"], &["1|2|a;b", "2|3|c;d"]);
    assert_reads("id,lon,list\n1,2,a|b|c|d\n2,3,e|f|g|h\n", &["id", "lon", "list"], &["1|2|a|b|c|d", "2|3|e|f|g|h"]);
    assert_reads("lon;lat\n18,07;59,33\n-0,12;51,5\n", &["lon", "lat"], &["18,07|59,33", "-0,12|51,5"]);
    assert_reads("lon;w\n18.07;2,5\n", &["lon", "w"], &["18.07|2,5"]);
    assert_reads("18,07;59,33;2,5\n-0,12;51,5;3,5\n", &["x", "y", "weight"], &["18,07|59,33|2,5", "-0,12|51,5|3,5"]);
}

#[test]
fn a_first_line_may_declare_the_delimiter() {
    for line in ["sep=;", "SEP=;\r", "\"sep=;\"", "\u{feff}sep=;"] {
        assert_reads(format!("{line}\na,b;c\n1;2\n"), &["a,b", "c"], &["1|2"]);
    }
}

#[test]
fn spaces_are_the_delimiter_if_all_lines_have_the_same_number_of_words() {
    let table = "#STN   YY  MM   LAT   LON\nA    2024 05  59.3  18.1\nB    2024 05  51.5  -0.1\n";
    assert_reads(table, &["STN", "YY", "MM", "LAT", "LON"], &["A|2024|05|59.3|18.1", "B|2024|05|51.5|-0.1"]);
    let units = table.replacen('\n', "\n#text yr  mo  deg  deg\n", 1);
    assert_reads(units, &["STN", "YY", "MM", "LAT", "LON"], &["A|2024|05|59.3|18.1", "B|2024|05|51.5|-0.1"]);
    assert_reads("name  lon lat \r\n \"New York\"  -74 40.7\r\n", &["name", "lon", "lat"], &["New York|-74|40.7"]);
    assert!(open("18 59 2\n18 59 2\n").unwrap().is_positional());
    let prose = failure(open("a file of text\nwith lines of\nany length\n"));
    assert_eq!(
        prose,
        "points.csv: the first line has only one column, \"a file of text\"; expected columns separated by , ; | tabs or spaces"
    );
}

#[test]
fn a_single_column_of_geometries_is_read() {
    assert_reads("wkt\nPOINT(1 2)\nPOINT(3 4)\n", &["wkt"], &["POINT(1 2)", "POINT(3 4)"]);
    assert_reads("place\n\"59.3, 18.1\"\n51.5,-0.1\n", &["place"], &["59.3, 18.1", "51.5,-0.1"]);
    let csv = open("POINT(1 2)\nPOINT(3 4)\n").unwrap();
    assert_eq!((names(&csv), rows_of(&csv).len()), (vec!["1"], 2));
}

#[test]
fn lines_before_the_header_are_skipped() {
    let expected = ["1|2", "3|4"];
    assert_reads("# by a logger, v1\n# units: degrees\nlon,lat\n1,2\n# a pause\n3,4\n", &["lon", "lat"], &expected);
    assert_reads("#lon,lat\n1,2\n3,4\n", &["lon", "lat"], &expected);
    assert_reads("# a logger\n# lon,lat\n1,2\n#\n3,4\n", &["lon", "lat"], &expected);
    assert_reads("#lon,lat\n", &["lon", "lat"], &[]);
    assert_reads("#,lon,lat\n1,2,3\n", &["#", "lon", "lat"], &["1|2|3"]);
    assert_reads("\n \r\nlon,lat\n\n1,2\n\n \n3,4", &["lon", "lat"], &expected);
    for title in ["Stations\n\n", "Stations, all\nof 2024\n"] {
        let csv = open(format!("{title}lon,lat,w\n1,2,3\n3,4,5\n")).unwrap();
        assert_eq!(
            (names(&csv), rows_of(&csv)),
            (vec!["lon", "lat", "w"], vec!["1|2|3".to_owned(), "3|4|5".to_owned()])
        );
        assert_eq!(notices(&csv), ["the lines before line 3, starting with \"Stations\", are skipped as a title"]);
    }
    // Without comments before the header, a `#` is text.
    assert_reads("name,lon\n#1,2\n#2,3\n", &["name", "lon"], &["#1|2", "#2|3"]);
}

#[test]
fn a_short_header_is_not_a_title() {
    let csv = open("lon\tlat\n1\t2.5\t3.5\n2\t3.5\t4.5\n").unwrap();
    assert_eq!((names(&csv), notices(&csv).len()), (vec!["lon", "lat"], 0));
    assert!(
        scan(&csv, ValueType::Text, false).unwrap()[0].as_ref().unwrap_err().starts_with("the row has 3 fields for 2")
    );
}

#[test]
fn a_file_with_only_numbers_needs_no_header() {
    for text in ["2.5,48.25,3,7\n4,5,6,8", "\u{feff}2.5\t48.25\t3\t7\n4\t5\t6\t8\n"] {
        assert_reads(text, &["x", "y", "weight", "4"], &["2.5|48.25|3|7", "4|5|6|8"]);
        assert!(open(text).unwrap().is_positional());
    }
    assert!(!open("lon,lat\n1,2\n").unwrap().is_positional());
}

#[test]
fn a_first_line_that_looks_like_the_rows_is_a_row() {
    let expected = ["line 1 is a row, not a header; columns are named by their numbers, from 1"];
    for (text, columns) in [
        ("GSM,240,1,0,1000,18.07,59.33\nLTE,240,1,1,1001,-0.12,51.5\n", 7),
        ("0\tX\t\t59.33\t18.07\tPPL\tSE\t\n1\tY\t\t51.5\t-0.12\tPPL\tGB\t\n", 8),
        ("Rome;41.9;12.5\nOslo;59.9;10.7\n", 3),
        ("a,5,5\na,7,8\n", 3),
        ("Oslo,1A,59.9,10.7\nRome,12,41.9,12.5\n", 4),
    ] {
        let csv = open(text).unwrap();
        assert_eq!(names(&csv).len(), columns, "{text}");
        assert_eq!((names(&csv)[1], rows_of(&csv).len(), csv.is_positional()), ("2", 2, false), "{text}");
        assert_eq!(notices(&csv), expected, "{text}");
    }
}

#[test]
fn numbers_may_be_column_names() {
    for text in [
        "id,2019,2020\nA,5,6\nB,7,8\n",
        "lon,lat,0,1,2\n18.1,59.3,7,7,8\n18.2,59.4,9,9,9\n",
        "lon,lat,0.05,0.5,0.95\n18.1,59.3,7,7,8\n18.2,59.4,9,9,9\n",
        "name,lon\nlon,5\n",
    ] {
        let csv = open(text).unwrap();
        assert_eq!(names(&csv), text.lines().next().unwrap().split(',').collect::<Vec<_>>());
        assert_eq!((rows_of(&csv).len(), notices(&csv).len()), (text.lines().count() - 1, 0), "{text}");
    }
    let csv = open("id,101,102\nA,5,6\nB,7,8\n").unwrap();
    assert_eq!(names(&csv), ["id", "101", "102"]);
    assert_eq!(notices(&csv), ["line 1 is read as the header, although it contains numbers"]);
}

#[test]
fn column_names_are_kept_unchanged() {
    assert_reads("lon, Lat ,lon,\n1,2,3,4\n", &["lon", "Lat", "lon", ""], &["1|2|3|4"]);
    let csv = open(b"L\xe4nge;H\xf6he\n1;2\n").unwrap();
    assert_eq!(names(&csv), ["Länge", "Höhe"]);
    let expected =
        "column names such as \"Länge\" are not UTF-8 and are read as windows-1252; set another encoding with encoding";
    assert_eq!(notices(&csv), [expected]);
}

#[test]
fn all_common_line_ends_are_read() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "lon,lat\n1,2\n\"3\",\"4\"\n".replace('\n', end);
        assert_reads(&text, &["lon", "lat"], &["1|2", "3|4"]);
        assert_reads(text.trim_end(), &["lon", "lat"], &["1|2", "3|4"]);
    }
    assert_reads("18.07,59.33\r-0.12,51.5\r", &["x", "y"], &["18.07|59.33", "-0.12|51.5"]);
    assert_reads("a,b\n1\r2,3\n", &["a", "b"], &["1\r2|3"]);
}

#[test]
fn quoted_fields_may_contain_any_text() {
    let text = "name,lon,lat\n\"a, \"\"b\"\"\n1,2\n\",3,4\n\"\",5,6\n5\" pipe,7,8\n\"\"\"\",9,10\nx, \"1\",\"2\" \n";
    let expected = ["a, \"b\"\n1,2|3|4", "-|5|6", "5\" pipe|7|8", "\"|9|10", "x|1|2"];
    assert_reads(text, &["name", "lon", "lat"], &expected);
    let none = open_with("name,lon\n\"a\nb\",1\n", Some(Quote::None)).unwrap();
    assert_eq!(rows_of(&none), ["\"a|-", "b\"|1"]);
}

#[test]
fn a_tab_separated_text_with_unbalanced_quotes_has_no_quoted_fields() {
    let names = |row: usize| ["\"open", "plain", "close\"", "\"both\""][if row < 10 { 1 } else { row % 4 }];
    let rows_of_text: Vec<String> = (0..100).map(|row| format!("{row}\t{}\t{row}", names(row))).collect();
    let text = format!("id\tname\tlon\n{}\n", rows_of_text.join("\n"));
    let csv = open(&text).unwrap();
    let read = rows_of(&csv);
    assert_eq!((read.len(), &*read[12], &*read[10]), (100, "12|\"open|12", "10|close\"|10"));
    let expected = "quotes are read as text, because a quote in line 14 is unbalanced; set quote to `double` if they enclose \
                    fields";
    assert_eq!(notices(&csv), [expected]);
    // The option takes precedence.
    let quoted = open_with(&text, Some(Quote::Double)).unwrap();
    assert_eq!(notices(&quoted), [""; 0]);
    assert!(scan(&quoted, ValueType::Text, false).unwrap().len() < 100);
    // A quote that is not closed.
    assert_eq!(rows("a\tb\n1\t\"x\n2\ty\n"), ["1|\"x", "2|y"]);
    // Quoted fields.
    assert_reads("a\tb\n\"1\"\t\"x\ny\"\n\"2\"\t\"\tz\"\n", &["a", "b"], &["1|x\ny", "2|z"]);
}

#[test]
fn a_quote_that_encloses_rows_is_rejected_with_its_line() {
    let rejected = |text: &str| events(text).into_iter().filter_map(Result::err).collect::<Vec<_>>();
    let lines = "5,name,5\n".repeat(50);
    let text = format!("id,name,lon\n\n1,\"a\nb\",2\n5,\"open,5\n{lines}51,close\",51\n52,name,52\n");
    let expected = "a quoted field that begins in line 5 contains 51 lines that look like rows; set `quote` to `none` if \
                quotes are text, or to `double` if they enclose fields";
    assert_eq!(rejected(&text), [expected]);
    assert_eq!(events(&text).len(), 3);
    assert_eq!(rejected("id,name,lon\n1,\"open,2\n2,close\",3\n").len(), 1);
    let trailing = "id,name,lon\n1,a,2,\n2,b,3,\n3,\"open,4,\n4,c,5,\n5,close\",6,\n";
    assert_eq!((rejected(trailing).len(), events(trailing).len()), (1, 3));
    let unclosed = rejected("id,name,lon\n1,name,2\n2,\"open,3\n3,name,4\n4,name,5\n");
    let expected = "a quote (\") in line 3 is not closed until the end of the file, 3 lines later; set `quote` to `none` if \
                quotes are text, or to `double` if they enclose fields";
    assert_eq!(unclosed, [expected]);
    assert_eq!(rows("id,note,lon\n1,\"one, two\nthree\nfour, five, six\nseven\",2\n").len(), 1);
}

#[test]
fn rows_with_too_many_fields_are_rejected_and_short_rows_are_filled_with_nulls() {
    let text = "lon,lat\n1,2\n1,5,2,5\n3,4,\n5,6,x\n5,6,,\n7\n,8\n, \n";
    let rows = events(text);
    let reason =
        |fields| format!("the row has {fields} fields for 2 columns; maybe a field contains an unquoted \",\"");
    let row = |text: &str| Ok(text.split('|').map(str::to_owned).collect());
    let expected: Events = vec![
        row("1|2"),
        Err(reason(4)),
        row("3|4"),
        Err(reason(3)),
        Err(reason(4)),
        row("7|-"),
        row("-|8"),
        row("-|-"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_column_is_numeric_if_all_of_its_values_are_numbers() {
    let csv = open("a,b\n 1.50,1\n+2e1,\n\"\",x\n\"3\",4.0\n").unwrap();
    let numbers = scan(&csv, ValueType::Number, false).unwrap();
    let expected = [["1.5", "1"], ["20", "-"], ["-", "x"], ["3", "4.0"]];
    assert_eq!(numbers, expected.map(|row| Ok(row.map(str::to_owned).to_vec())));
    let request = Request { columns: columns(&csv, ValueType::Number), workers: 1, time_range: None };
    let mut sink = EventSink::default();
    assert!(csv.scan(&request).unwrap().read_part(0, &mut sink).unwrap().is_continue());
    assert_eq!(sink.types, [DataType::Float64, DataType::Utf8]);
    assert_eq!(rows(b"a,b\n\xff\xfe,\x00\n"), ["\u{fffd}\u{fffd}|\0"]);
}

#[test]
fn requested_columns_come_in_the_order_of_the_request() {
    let csv = open("a,b,c\n1,2,3\n").unwrap();
    let column = |index: usize, value_type| columns(&csv, value_type)[index].clone();
    let request = Request {
        columns: vec![column(2, ValueType::Text), column(0, ValueType::Number)],
        workers: 1,
        time_range: None,
    };
    let mut sink = EventSink::default();
    assert!(csv.scan(&request).unwrap().read_part(0, &mut sink).unwrap().is_continue());
    assert_eq!(sink.events, [Ok(vec!["3".to_owned(), "1".to_owned()])]);
    let none = Request { columns: Vec::new(), workers: 1, time_range: None };
    let mut sink = EventSink::default();
    assert!(csv.scan(&none).unwrap().read_part(0, &mut sink).unwrap().is_continue());
    assert_eq!(sink.events, [Ok(Vec::new())]);
}

#[test]
fn empty_files_and_files_without_columns_have_different_errors() {
    for text in ["", "\n\n", "\u{feff}", " \r\n", "\r"] {
        assert_eq!(failure(open(text)), "points.csv: the input is empty", "{text:?}");
    }
    for text in ["lon,lat", "lon,lat\n", "lon,lat\r\n\r\n"] {
        assert_reads(text, &["lon", "lat"], &[]);
    }
    assert!(failure(open("hello\nworld\n")).contains("the first line has only one column, \"hello\"; "));
    assert!(failure(open(vec![b'x'; 2 << 20])).contains("longer than 1 MiB"));
    let folder = Csv::open(std::env::temp_dir().as_path(), "here".into(), &ReadOptions::default());
    assert!(failure(folder).contains("not a regular file"));
    let missing = Csv::open(Path::new("/no/such/file"), "missing".into(), &ReadOptions::default());
    assert!(matches!(missing, Err(Error::Io { .. })));
}

#[test]
fn a_row_that_exceeds_the_maximum_length_is_an_error() {
    let mut csv = open(format!("lon,lat\n1,2\n\"{}", "1,2\n".repeat(Csv::MAX_ROW_BYTES))).unwrap();
    csv.part_bytes = 1 << 16;
    for is_parallel in [false, true] {
        let message = failure(scan(&csv, ValueType::Number, is_parallel));
        assert_eq!(
            message,
            "points.csv: the row in line 3 is longer than 4 MiB, maybe because of an unclosed quote (\"); set quote to \
             `none` if quotes are text"
        );
    }
}

#[test]
fn appended_bytes_are_not_read_and_a_truncated_file_is_an_error() {
    for text in ["lon,lat\n1,2\n3,4\n", "lon,lat\n1,2\n3,4"] {
        for part_bytes in [1, 5, 1 << 20] {
            let mut file = file(text);
            let mut csv = Csv::open(file.path(), "points.csv".to_owned(), &ReadOptions::default()).unwrap();
            csv.part_bytes = part_bytes;
            file.write_all(b"56,7\n8,9\n").unwrap();
            assert_eq!(rows_of(&csv), ["1|2", "3|4"], "{text:?} in parts of {part_bytes}");
            for len in [text.len() as u64 - 1, 3, 0] {
                file.as_file().set_len(len).unwrap();
                let message = failure(scan(&csv, ValueType::Number, true));
                assert_eq!(message, "points.csv: the file changed while it was read");
            }
        }
    }
}

#[test]
fn a_file_that_shrinks_in_the_middle_of_a_scan_is_an_error() {
    let file = file(format!("lon,lat\n{}", "1,2\n".repeat(100_000)));
    let mut csv = Csv::open(file.path(), "points.csv".to_owned(), &ReadOptions::default()).unwrap();
    csv.part_bytes = 1000;
    let request = Request { columns: columns(&csv, ValueType::Number), workers: 1, time_range: None };
    let scan = csv.scan(&request).unwrap();
    assert!(scan.read_part(0, &mut EventSink::default()).unwrap().is_continue());
    file.as_file().set_len(50_000).unwrap();
    let rest = (1..scan.parts()).find_map(|part| scan.read_part(part, &mut EventSink::default()).err()).unwrap();
    assert_eq!(rest.to_string(), "points.csv: the file changed while it was read");
    // A reader does not wait forever for a part that could not be read.
    assert!(matches!(scan.read_part(scan.parts() - 1, &mut EventSink::default()), Err(Error::Input { .. })));
}

#[test]
fn a_sink_that_breaks_stops_the_part() {
    let csv = open(format!("lon,lat\n{}1,2,3\n1,2\n", "1,2\n".repeat(20_000))).unwrap();
    let request = Request { columns: columns(&csv, ValueType::Number), workers: 1, time_range: None };
    for last_batch in 1..=4 {
        let mut sink = EventSink { last_batch: Some(last_batch), ..EventSink::default() };
        assert!(csv.scan(&request).unwrap().read_part(0, &mut sink).unwrap().is_break(), "{last_batch}");
        assert_eq!(sink.batches, last_batch);
    }
}

/// Asserts that the rows of a file depend neither on the part size nor on the number of threads.
fn assert_parts_agree(text: &str, part_sizes: impl Iterator<Item = usize>) {
    let Ok(mut csv) = open(text) else { return };
    let expected = scan(&csv, ValueType::Text, false).unwrap();
    for part_bytes in part_sizes {
        csv.part_bytes = part_bytes;
        for is_parallel in [false, true] {
            assert_eq!(scan(&csv, ValueType::Text, is_parallel).unwrap(), expected, "parts of {part_bytes}: {text:?}");
        }
    }
}

#[test]
fn each_row_is_in_exactly_one_part() {
    for end in ["\n", "\r\n"] {
        let mut text = format!("lon,lat,w,note{end}");
        for i in 0..60 {
            let row = match i % 6 {
                0 => format!("{i},{i}.5,{i},\"line{end}of \"\"{i}\"\",1,2\"{end}"),
                1 => format!("\"{i}\",{i}.5,{i},\"\"{end}{end}"),
                2 => format!("{i},text,{i},6\" pipe{end}"),
                3 => format!("{i},{i}.5,{i},\"x{end}1,2,3,4{end}5,6,7,8{end}y\"{end}"),
                _ => format!("{i},-{i}.5,{i},plain{end}"),
            };
            text.push_str(&row);
        }
        assert_parts_agree(&text, 1..90);
        assert_parts_agree(text.trim_end(), (1..60).chain([text.len() - 30]));
        assert_eq!(events(&text).len(), 60);
        assert_eq!(events(&text).iter().filter(|event| event.is_err()).count(), 10);
    }
    assert_parts_agree("1,2,3\n4,5,6\n\n7,8,9", 1..24);
    assert_parts_agree("1,2\r3,4\r\r5,6\r", 1..14);
    assert_parts_agree("a  b \n1 2\n\n 3   4\n", 1..14);
}

const COMMAS: Dialect = Dialect { delimiter: b',', quotes: true, comments: false };
const TABS: Dialect = Dialect { delimiter: b'\t', ..COMMAS };

/// The start offsets of the records of a text, as split by `csv-core`.
fn record_starts(text: &[u8], dialect: Dialect) -> Vec<usize> {
    let mut record = Record::new(dialect);
    let (mut starts, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if text[at] == b'\n' {
            at += 1;
            continue;
        }
        starts.push(at);
        at += record.read(&text[at..], true).unwrap();
    }
    starts
}

proptest! {
    #[test]
    fn rows_do_not_depend_on_the_part_size(rows in "([1-9.,\"a#]|\n|\r\n|,\"|\",){0,80}", part_bytes in 1_usize..20) {
        assert_parts_agree(&format!("lon,lat\n1,2\n{rows}"), std::iter::once(part_bytes));
        assert_parts_agree(&format!("lon\tlat\n1\t2\n{}", rows.replace(',', "\t")), std::iter::once(part_bytes));
    }

    #[test]
    fn rows_start_where_csv_core_starts_records(text in "[a,\"\n\r]{0,60}", quotes in any::<bool>()) {
        let (text, dialect) = (text.as_bytes(), Dialect { quotes, ..COMMAS });
        let starts = record_starts(text, dialect);
        for cut in 1..text.len() {
            let (before, after) = text.split_at(cut);
            let state = Transition::of(before, b'\n', dialect).apply(QuoteState::Outside);
            let found = first_row(after, before[cut - 1], state, dialect).map(|row| cut + row);
            let line_ends = |at: usize| text[at..].iter().take_while(|&&byte| byte == b'\n').count();
            let found = found.map(|at| at + line_ends(at)).filter(|&at| at < text.len());
            prop_assert_eq!(found, starts.iter().copied().find(|&start| start >= cut), "cut at {}", cut);
        }
    }

    #[test]
    fn an_unbalanced_quote_is_found_in_blocks_of_any_size(text in "[a\t\"\n]{0,60}", block_bytes in 1_usize..9) {
        let (file, bytes) = (file(&text), text.len() as u64);
        let file = TextFile { file: file.reopen().unwrap(), bytes, has_carriage_returns: false };
        let find = |block_bytes| unbalanced_quote(&file, 0, 0, b'\t', block_bytes).unwrap();
        // Its record has a field with a tab and a line end, or is not closed.
        let text = text.as_bytes();
        let mut record = Record::new(TABS);
        let is_unbalanced = |start: &usize| {
            let length = record.read(&text[*start..], true).unwrap();
            let is_unlikely = |field: &[u8]| field.contains(&b'\t') && field.contains(&b'\n');
            let end = Transition::of(&text[*start..start + length], b'\n', TABS).apply(QuoteState::Outside);
            end == QuoteState::Inside || (0..record.len()).any(|index| is_unlikely(record.field(index)))
        };
        let start = record_starts(text, TABS).into_iter().find(is_unbalanced);
        let lines = |end| memchr_iter(b'\n', &text[..end]).count() as u64;
        let found = find(block_bytes);
        prop_assert_eq!(found.is_some(), start.is_some());
        prop_assert!(found.is_none_or(|line| line > lines(start.unwrap_or(0))));
        prop_assert_eq!(found, find(60));
    }
}
