//! The selection of columns, and their types.

use arrow_array::builder::{ListBuilder, PrimitiveRunBuilder, StringBuilder};
use arrow_array::types::{Float64Type, Int16Type};
use arrow_array::{FixedSizeListArray, StructArray, UnionArray};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_schema::{Field, UnionFields};

use super::*;
use crate::source::CoordinateSpace;
use crate::source::role::Role;

#[test]
fn all_number_types_are_read() {
    let halves = ScalarBuffer::from(Buffer::from_vec(vec![0x3C00u16, 0xC000]));
    let kinds: Vec<ArrayRef> = vec![
        Arc::new(Int8Array::from(vec![1, -2])),
        Arc::new(Int16Array::from(vec![1, -2])),
        Arc::new(Int32Array::from(vec![1, -2])),
        Arc::new(Int64Array::from(vec![1, -2])),
        Arc::new(Float32Array::from(vec![1.0, -2.0])),
        floats([1.0, -2.0]),
        Arc::new(Float16Array::new(halves, None)),
    ];
    for column in kinds {
        let rows = batch(vec![("Lon", column.clone()), ("LATITUDE", column.clone()), ("value", column)]);
        for file in both(&[rows]) {
            assert_eq!(scan(&file, &weighted(None)).unwrap().0, [(1.0, 1.0, 1.0), (-2.0, -2.0, -2.0)]);
        }
    }
    let unsigned: ArrayRef = Arc::new(UInt8Array::from(vec![7, 200]));
    let large: ArrayRef = Arc::new(UInt64Array::from(vec![7, u64::MAX]));
    let file = file_with(&[batch(vec![("x", unsigned.clone()), ("y", unsigned), ("w", large)])], compressed(None));
    let plane = weighted(Some("w")).with_coordinate_space(CoordinateSpace::Plane);
    let (points, report) = scan(&file, &plane).unwrap();
    assert_eq!(points, [(7.0, 7.0, 7.0)]);
    assert!(rejections(&report)[0].1.contains("18446744"), "{report:?}");
}

#[test]
fn nulls_are_rejected_with_their_row_numbers() {
    let lon: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0), Some(4.0)]));
    let lat: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2), None, Some(4)]));
    let weight: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(3), None]));
    let rows = batch(vec![("lon", lon), ("lat", lat), ("weight", weight)]);
    for file in both(&[rows.clone(), rows]) {
        let (points, report) = scan(&file, &weighted(Some("weight"))).unwrap();
        assert_eq!(points, [(1.0, 1.0, 1.0), (1.0, 1.0, 1.0)]);
        let expected = [
            (2, "lon is empty"),
            (3, "lat is empty"),
            (4, "weight is empty"),
            (6, "lon is empty"),
            (7, "lat is empty"),
        ];
        assert_eq!(rejections(&report), expected);
        assert_eq!(report.rejections[0].input, "points.arrow");
        assert_eq!(scan(&file, &Query::default()).unwrap().1.rejected, 4);
    }
}

#[test]
fn times_of_all_types_are_read() {
    let day_us = 86_400_000_000i64;
    let days = [Some(739), Some(740), None, Some(749), Some(750)];
    let ticks = |scale: i64| days.map(|day| day.map(|day: i64| day * scale));
    let texts = ["1972-01-10T23:59:59Z", "1972-01-11T00:00:00Z", "", "1972-01-20", "1972-01-21T00:00:00Z"];
    let texts = texts.map(|text| (!text.is_empty()).then_some(text));
    let kinds: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from_iter(ticks(86_400))),
        Arc::new(TimestampMillisecondArray::from_iter(ticks(86_400_000)).with_timezone("Europe/Berlin")),
        Arc::new(TimestampMicrosecondArray::from_iter(ticks(day_us)).with_timezone_utc()),
        Arc::new(TimestampNanosecondArray::from_iter(ticks(day_us * 1000))),
        Arc::new(Date32Array::from_iter(days.map(|day| day.map(|day| day as i32)))),
        Arc::new(Date64Array::from_iter(ticks(86_400_000))),
        Arc::new(Int64Array::from_iter(ticks(86_400))),
        Arc::new(Int32Array::from_iter(days.map(|day| day.map(|day| day as i32 * 86_400)))),
        Arc::new(Float64Array::from_iter(ticks(86_400).map(|s| s.map(|s| s as f64)))),
        Arc::new(StringArray::from_iter(texts)),
        Arc::new(LargeStringArray::from_iter(texts)),
        Arc::new(StringViewArray::from_iter(texts)),
    ];
    for time in kinds {
        let data_type = time.data_type().clone();
        let coordinates = || floats((0..5).map(f64::from));
        let file =
            file_with(&[batch(vec![("x", coordinates()), ("y", coordinates()), ("time", time)])], compressed(None));
        let query = marked().with_start(Some(740 * day_us)).with_end(Some(750 * day_us));
        let (seen, report) = scan_marked(&file, &query);
        assert_eq!(seen, marks(&[(1.0, Some(740 * day_us), None), (3.0, Some(749 * day_us), None)]), "{data_type}");
        assert_eq!((report.read, report.filtered, report.rejected), (5, 3, 0), "{data_type}");
        assert_eq!(scan_marked(&file, &marked()).0[2], (2.0, None, None), "{data_type}");
    }
}

#[test]
fn an_invalid_time_is_ignored_or_rejected_if_the_query_names_the_column() {
    let coordinates = || floats([1.0, 2.0, 3.0]);
    let time: ArrayRef = Arc::new(StringArray::from(vec!["yesterday", "1972-01-02", "now"]));
    let kind: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let file = file_with(
        &[batch(vec![("x", coordinates()), ("y", coordinates()), ("date", time), ("kind", kind)])],
        compressed(None),
    );
    let time_us = Some(63_158_400_000_000);
    let (seen, report) = scan_marked(&file, &marked());
    assert_eq!(seen, marks(&[(1.0, None, Some("a")), (2.0, time_us, Some("b")), (3.0, None, Some("c"))]));
    let ignored = &report.ignored[0];
    assert_eq!((&*ignored.column, ignored.role, ignored.values, ignored.row), ("date", Role::Time, 2, 1));
    let mut named = marked();
    named.columns.names.time = Some("date".to_owned());
    let (seen, report) = scan_marked(&file, &named);
    assert_eq!(seen, marks(&[(2.0, time_us, Some("b"))]));
    let reasons: Vec<_> = rejections(&report);
    assert!(reasons[0].1.starts_with("date: \"yesterday\" is not a time such as 2024-01-31"), "{reasons:?}");
    assert_eq!((reasons[0].0, reasons[1].0), (1, 3));
    let rows = batch(vec![("x", coordinates()), ("y", coordinates()), ("time", floats([f64::NAN, 1.7e9, 1e300]))]);
    let (seen, report) = scan_marked(&file_with(&[rows], compressed(None)), &marked());
    assert_eq!(seen, marks(&[(1.0, None, None), (2.0, Some(1_700_000_000_000_000), None), (3.0, None, None)]));
    assert!(report.ignored[0].reason.starts_with("time: 1e300 is neither a date"), "{report:?}");
}

#[test]
fn categories_are_texts_dictionaries_integers_or_booleans() {
    let texts = [Some("a"), None, Some("b"), Some("a")];
    let numbers = [Some(-1i64), None, Some(2), Some(-1)];
    let kinds: Vec<(ArrayRef, [&str; 2])> = vec![
        (Arc::new(StringArray::from_iter(texts)), ["a", "b"]),
        (Arc::new(LargeStringArray::from_iter(texts)), ["a", "b"]),
        (Arc::new(StringViewArray::from_iter(texts)), ["a", "b"]),
        (Arc::new(DictionaryArray::<Int8Type>::from_iter(texts)), ["a", "b"]),
        (Arc::new(DictionaryArray::<UInt32Type>::from_iter(texts)), ["a", "b"]),
        (Arc::new(Int64Array::from_iter(numbers)), ["-1", "2"]),
        (Arc::new(Int8Array::from_iter(numbers.map(|n| n.map(|n| n as i8)))), ["-1", "2"]),
        (Arc::new(UInt64Array::from_iter(numbers.map(|n| n.map(|n| n as u64)))), ["18446744073709551615", "2"]),
        (Arc::new(BooleanArray::from_iter(numbers.map(|n| n.map(|n| n > 0)))), ["false", "true"]),
    ];
    for (category, [a, b]) in kinds {
        let data_type = category.data_type().clone();
        let coordinates = || floats((0..4).map(f64::from));
        let rows = batch(vec![("x", coordinates()), ("y", coordinates()), ("category", category)]);
        for file in both(&[rows.clone(), rows]) {
            let expected = [(0.0, None, Some(a)), (1.0, None, None), (2.0, None, Some(b)), (3.0, None, Some(a))];
            assert_eq!(scan_marked(&file, &marked()).0, marks(&[expected, expected].concat()), "{data_type}");
            let query = Query::default().with_category_filter(vec!["other".to_owned(), a.to_owned()]);
            let (points, report) = scan(&file, &query).unwrap();
            assert_eq!((points.len(), report.filtered), (4, 4), "{data_type}");
        }
    }
}

#[test]
fn a_stream_may_replace_or_extend_a_dictionary() {
    let part = |names: [&str; 3]| {
        let kind: ArrayRef = Arc::new(DictionaryArray::<UInt32Type>::from_iter(names));
        let other: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::from_iter(["x", "y", names[0]]));
        batch(vec![("other", other), ("x", floats([1.0, 2.0, 3.0])), ("y", floats([0.0; 3])), ("kind", kind)])
    };
    let names = [["a", "b", "a"], ["c", "c", "d"], ["a", "b", "a"]];
    let expected: Vec<_> =
        names.iter().flatten().zip([1.0, 2.0, 3.0].repeat(3)).map(|(name, lon)| (lon, None, Some(*name))).collect();
    let replaced = stream_with(&names.map(part), compressed(Some(CompressionType::ZSTD)));
    let grown: Vec<RecordBatch> = (1..=3).map(|parts| batch_with_all_names(&names[..parts])).collect();
    let deltas = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    for stream in [replaced, stream_with(&grown, deltas)] {
        let file = testing::file(&stream);
        let source = source(file.path()).unwrap();
        assert_eq!(testing::scan_marked(&source, &marked()).unwrap().0, marks(&expected));
        // Without categories, no dictionary is read.
        assert_eq!(testing::scan(&source, &Query::default(), 2).unwrap().0.len(), 9);
        let query = Query::default().with_category_filter(vec!["d".to_owned()]);
        assert_eq!(testing::scan(&source, &query, 2).unwrap().0, [(3.0, 0.0, 1.0)]);
    }
}

/// The last three rows, with a dictionary of all names.
fn batch_with_all_names(names: &[[&str; 3]]) -> RecordBatch {
    let all = DictionaryArray::<UInt32Type>::from_iter(names.iter().flatten().copied());
    let kind: ArrayRef = Arc::new(all.slice(names.len() * 3 - 3, 3));
    batch(vec![("x", floats([1.0, 2.0, 3.0])), ("y", floats([0.0; 3])), ("kind", kind)])
}

#[test]
fn columns_of_any_type_are_skipped() {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("a long text that no view holds"), None]);
    list.append_value([Some("b")]);
    let mut runs = PrimitiveRunBuilder::<Int16Type, Float64Type>::new();
    runs.extend([Some(1.0), Some(1.0)]);
    let fields = UnionFields::from_fields(vec![Field::new("a", DataType::Utf8, true)]);
    let union = |offsets| {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        UnionArray::try_new(fields.clone(), ScalarBuffer::from(vec![0i8, 0]), offsets, vec![texts]).unwrap()
    };
    let pair = Arc::new(Field::new("item", DataType::Float64, true));
    let strings: ArrayRef = Arc::new(StringViewArray::from(vec!["short", "a text that is too long for a view"]));
    let odd: Vec<(&str, ArrayRef)> = vec![
        ("null", Arc::new(NullArray::new(2))),
        ("list", Arc::new(list.finish())),
        ("views", strings.clone()),
        ("struct", Arc::new(StructArray::from(vec![(Arc::new(Field::new("v", DataType::Utf8View, true)), strings)]))),
        ("runs", Arc::new(runs.finish())),
        ("sparse", Arc::new(union(None))),
        ("dense", Arc::new(union(Some(ScalarBuffer::from(vec![0i32, 1]))))),
        ("pairs", Arc::new(FixedSizeListArray::new(pair, 2, floats([1.0, 2.0, 3.0, 4.0]), None))),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![b"\0", b"\xFF"]))),
        ("decimal", Arc::new(Decimal128Array::from(vec![1, 2]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
        ("names", Arc::new(DictionaryArray::<Int8Type>::from_iter(["a", "b"]))),
    ];
    for (name, column) in &odd {
        let requested = |name: &'static str, value: f64| (name, floats([value, value + 1.0]));
        let columns = vec![
            requested("x", 1.0),
            (name, column.clone()),
            requested("y", 3.0),
            (name, column.clone()),
            requested("w", 5.0),
        ];
        for file in both(&[batch(columns)]) {
            assert_eq!(scan(&file, &weighted(None)).unwrap().0, [(1.0, 3.0, 5.0), (2.0, 4.0, 6.0)], "{name}");
        }
    }
    let all: Vec<(&str, ArrayRef)> =
        odd.into_iter().chain([("y", floats([3.0, 4.0])), ("x", floats([1.0, 2.0]))]).collect();
    let file = stream_with(&[batch(all)], compressed(Some(CompressionType::LZ4_FRAME)));
    assert_eq!(scan(&file, &Query::default()).unwrap().0, [(1.0, 3.0, 1.0), (2.0, 4.0, 1.0)]);
}

#[test]
fn columns_can_be_named_and_errors_list_the_available_ones() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["8"]));
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]));
    let decimal: ArrayRef = Arc::new(Decimal128Array::from(vec![0]));
    let rows =
        vec![("Easting", floats([8.0])), ("northing", floats([9.0])), ("lon", text), ("w", time), ("d", decimal)];
    let file = file_with(&[batch(rows)], compressed(None));
    let named = |lon: Option<&str>, lat: Option<&str>, weight: Option<&str>| {
        let own = |name: Option<&str>| name.map(str::to_owned);
        let columns = Columns { lon: own(lon), lat: own(lat), weight: own(weight), ..Columns::default() };
        Query::default().with_names(columns).with_weights(true)
    };
    // A timestamp column is not used as the weight even if it is called `w`.
    assert_eq!(scan(&file, &named(Some("easting"), Some("northing"), None)).unwrap().0, [(8.0, 9.0, 1.0)]);
    let fails = |query: &Query<'_>, expected: &str| {
        let message = error(&file, query);
        assert!(message.starts_with("points.arrow: ") && message.contains(expected), "{message}");
    };
    // Texts and decimals are read as numbers.
    assert_eq!(scan(&file, &named(Some("lon"), Some("northing"), None)).unwrap().0, [(8.0, 9.0, 1.0)]);
    assert_eq!(scan(&file, &named(Some("d"), Some("northing"), None)).unwrap().0, [(0.0, 9.0, 1.0)]);
    fails(
        &named(Some("w"), Some("northing"), None),
        "its column `w` holds Timestamp, not numbers; name another with lon",
    );
    fails(
        &named(Some("Easting"), None, None),
        "no column has a usual name for the latitude (lat, latitude, y); name one with lat: \"Easting\", \"northing\"",
    );
    fails(
        &named(Some("Easting"), Some("North"), None),
        "there is no column \"North\" for the latitude; there are \"Easting\", \"northing\", ",
    );
    fails(
        &named(Some("Easting"), Some("northing"), Some("w")),
        "`w` holds Timestamp, not numbers; name another with weight",
    );
    let query = named(Some("Easting"), Some("northing"), None).with_start(Some(0));
    fails(&query, "no column has a usual name for the time (time, timestamp, datetime, date); name one with time: ");
    let query = named(Some("Easting"), Some("northing"), None).with_category_filter(vec!["a".to_owned()]);
    fails(
        &query,
        "(category, type, class, kind, space_id, space); name one with category_column: \"Easting\", \"northing\"",
    );
    // Requested times and categories are optional unless a filter needs them.
    let optional = named(Some("Easting"), Some("northing"), None).with_times(true).with_categories(true);
    assert_eq!(scan_marked(&file, &optional).0, marks(&[(8.0, None, None)]));
}
