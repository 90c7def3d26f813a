//! The selection of columns, and their types.

use super::*;
use crate::source::testing;

#[test]
fn times_of_all_types_are_filtered() {
    let day_us = 86_400_000_000i64;
    let query = Query::default().with_start(Some(740 * day_us)).with_end(Some(750 * day_us));
    let days: Vec<i64> = vec![739, 740, 749, 750];
    let ticks = |scale: i64| non_null::<Int64Type>(days.iter().map(move |day| day * scale));
    let julian = |day: i64| {
        let mut value = Int96::new();
        value.set_data(0, 0, (day + 2_440_588) as u32);
        value
    };
    let kinds: Vec<(&str, Column)> = vec![
        ("optional int64 time (TIMESTAMP(MILLIS, true))", ticks(86_400_000)),
        ("optional int64 time (TIMESTAMP(MICROS, false))", ticks(day_us)),
        ("optional int64 time (TIMESTAMP(NANOS, true))", ticks(day_us * 1000)),
        ("optional int64 timestamp (TIMESTAMP_MILLIS)", ticks(86_400_000)),
        ("optional int32 date (DATE)", non_null::<Int32Type>(days.iter().map(|&day| day as i32))),
        ("optional int96 time", non_null::<Int96Type>(days.iter().map(|&day| julian(day)))),
        ("optional int64 time", ticks(86_400)),
        ("optional double datetime", non_null::<DoubleType>(days.iter().map(|&day| (day * 86_400) as f64))),
        (
            "optional binary time (STRING)",
            texts(&["1972-01-10T23:59:59Z", "1972-01-11T00:00:00Z", "1972-01-20T23:59:59Z", "1972-01-21T00:00:00Z"]),
        ),
    ];
    for (field, time) in kinds {
        let fields = format!("optional double lon; optional double lat; {field};");
        let coordinates = || doubles(&[0.0, 1.0, 2.0, 3.0]);
        let (seen, report) = scan(&plain(&fields, vec![coordinates(), coordinates(), time]), &query).unwrap();
        assert_eq!(seen, [(1.0, 1.0, 1.0), (2.0, 2.0, 1.0)], "{field}");
        assert_eq!((report.read, report.filtered, report.rejected), (4, 2, 0), "{field}");
    }
}

/// The points of a file with their times and categories.
fn scan_marked(file: &[u8], query: &Query<'_>) -> (Vec<testing::Marked>, ScanReport) {
    let file = testing::file(file);
    let source = source(file.path()).unwrap();
    testing::scan_marked(&source, query).unwrap()
}

#[test]
fn points_have_their_times_and_categories() {
    let rows = 20_000i32;
    let names = ["a", "b", ""];
    let category = || column::<ByteArrayType>((0..rows).map(|i| (i % 4 != 3).then(|| names[i as usize % 4].into())));
    let times = || (0..rows).map(|i| (i % 5 != 0).then(|| i64::from(i)));
    let kinds: Vec<(&str, Column)> = vec![
        ("optional int64 time (TIMESTAMP(MICROS, true))", column::<Int64Type>(times())),
        (
            "optional int64 time (TIMESTAMP(NANOS, true))",
            column::<Int64Type>(times().map(|us| us.map(|us| us * 1000 + 1))),
        ),
        (
            "optional binary time (STRING)",
            column::<ByteArrayType>(
                times().map(|us| us.map(|us| format!("1970-01-01T00:00:00.{us:06}Z").as_str().into())),
            ),
        ),
    ];
    let expected = |passes: &dyn Fn(i32) -> bool| {
        let mark = |i: i32| {
            let name = if i % 4 > 1 { None } else { Some(names[i as usize % 4]) };
            (f64::from(i) / 100.0, (i % 5 != 0).then_some(i64::from(i)), name)
        };
        testing::marks(&(0..rows).filter(|&i| passes(i)).map(mark).collect::<Vec<_>>())
    };
    for (field, time) in kinds {
        let fields = format!("optional double lon; optional double lat; {field}; optional binary kind (STRING);");
        let coordinates = || non_null::<DoubleType>((0..rows).map(|i| f64::from(i) / 100.0));
        let latitudes = non_null::<DoubleType>((0..rows).map(|_| 0.0));
        let file = plain(&fields, vec![coordinates(), latitudes, time, category()]);
        assert!(scan_marked(&file, &testing::marked()).0 == expected(&|_| true), "{field}");
        let query = testing::marked().with_start(Some(77)).with_end(Some(15_000));
        let in_time = |i: i32| i % 5 != 0 && (77..15_000).contains(&i);
        assert!(scan_marked(&file, &query).0 == expected(&in_time), "{field}");
        let query = query.with_category_filter(vec!["b".to_owned()]);
        let (seen, report) = scan_marked(&file, &query);
        assert!(seen == expected(&|i| in_time(i) && i % 4 == 1), "{field}");
        assert_eq!((report.read, report.rejected, report.valid()), (20_000, 0, seen.len() as u64));
    }
}

#[test]
fn integers_without_a_unit_are_unix_times() {
    let fields = "optional double lon; optional double lat; optional int64 time;";
    let coordinates = || doubles(&[1.0; 4]);
    let time = column::<Int64Type>([Some(1_706_702_400), Some(1_706_702_400_000), None, Some(-1)]);
    let (seen, report) = scan_marked(&plain(fields, vec![coordinates(), coordinates(), time]), &testing::marked());
    assert_eq!((report.ignored[0].values, report.ignored[0].row), (1, 4), "a time before 1971 is not guessed");
    let noon_us = Some(1_706_702_400_000_000);
    assert_eq!(seen.iter().map(|mark| mark.1).collect::<Vec<_>>(), [noon_us, noon_us, None, None]);
}

#[test]
fn rows_of_a_batch_with_rejected_rows_keep_their_times_and_categories() {
    let fields = "optional double lon; optional double lat; optional binary date (STRING); optional int32 class;";
    let lon = column::<DoubleType>([Some(1.0), None, Some(3.0), Some(4.0), Some(5.0)]);
    let time = column::<ByteArrayType>(
        [Some("1972-01-02"), Some("1972-01-03"), Some("soon"), None, Some("1972-01-04")].map(|t| t.map(Into::into)),
    );
    let class = column::<Int32Type>([Some(7), Some(8), Some(7), Some(9), None]);
    let file = plain(fields, vec![lon, doubles(&[0.0; 5]), time, class]);
    let (seen, report) = scan_marked(&file, &testing::marked());
    let day_us = |day: i64| Some((730 + day) * 86_400_000_000);
    assert_eq!(
        seen,
        testing::marks(&[
            (1.0, day_us(1), Some("7")),
            (3.0, None, Some("7")),
            (4.0, None, Some("9")),
            (5.0, day_us(3), None)
        ])
    );
    assert_eq!(reasons(&report), [(2, "lon is empty")]);
    assert_eq!((report.ignored[0].values, report.ignored[0].row), (1, 3));
}

#[test]
fn row_groups_outside_of_the_time_range_are_not_read() {
    let fields = "optional double lon; optional double lat; optional int64 time (TIMESTAMP(MICROS, true));";
    let group = |hour: i64| {
        vec![doubles(&[hour as f64; 3]), doubles(&[0.0; 3]), non_null::<Int64Type>((0..3).map(|i| hour * 1000 + i))]
    };
    let mut file = write(WriterProperties::builder(), fields, &[group(1), group(2), group(3)]);
    // The first row group is damaged, so that reading it fails.
    file[4..60].fill(0xFF);
    let query = |start_us| Query::default().with_start(Some(start_us)).with_end(Some(3001));
    let (seen, report) = scan(&file, &query(2001)).unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!((report.read, report.filtered), (9, 6));
    assert!(error(&file, &query(1000)).contains("row group 0 cannot be read"));
}

#[test]
fn categories_are_texts_integers_or_booleans() {
    let kinds: Vec<(&str, Column, &str)> = vec![
        ("optional binary category (STRING)", texts(&["a", "b", "a"]), "a"),
        ("optional binary Kind", texts(&["a", "b", "a"]), "a"),
        ("optional int32 class", non_null::<Int32Type>([-1, 2, -1]), "-1"),
        ("optional int64 type", non_null::<Int64Type>([7, 8, 7]), "7"),
        ("optional boolean category", non_null::<BoolType>([true, false, true]), "true"),
        ("optional binary category (STRING)", column::<ByteArrayType>([Some("a".into()), None, Some("a".into())]), "a"),
    ];
    for (field, category, name) in kinds {
        let fields = format!("optional double lon; optional double lat; {field};");
        let coordinates = || doubles(&[1.0, 2.0, 3.0]);
        let query = Query::default().with_category_filter(vec!["other".to_owned(), name.to_owned()]);
        let (seen, report) = scan(&plain(&fields, vec![coordinates(), coordinates(), category]), &query).unwrap();
        assert_eq!(seen, [(1.0, 1.0, 1.0), (3.0, 3.0, 1.0)], "{field}");
        assert_eq!(report.filtered, 1);
    }
}

#[test]
fn an_invalid_time_is_rejected_with_its_text() {
    let fields = "optional double lon; optional double lat; optional binary time (STRING);";
    let file = plain(fields, vec![doubles(&[1.0]), doubles(&[1.0]), texts(&["yesterday"])]);
    let message = error(&file, &Query::default().with_start(Some(0)));
    assert!(message.contains("`time` holds no times: \"yesterday\" is not a time such as"), "{message}");
    let mut named = Query::default().with_start(Some(0));
    named.columns.names.time = Some("time".to_owned());
    let (_, report) = scan(&file, &named).unwrap();
    assert!(reasons(&report)[0].1.starts_with("time: \"yesterday\" is not a time such as"), "{report:?}");
}

#[test]
fn columns_can_be_named_and_errors_list_the_available_ones() {
    let fields = "optional double Easting; optional double northing; optional binary lon (STRING); \
                  optional group pos { optional double a; } repeated double many; optional int64 w (TIMESTAMP(MICROS, true));";
    let many: Column = Box::new(|writer| {
        writer.typed::<DoubleType>().write_batch(&[1.0, 2.0], Some(&[1, 1]), Some(&[0, 1])).unwrap();
    });
    let pos: Column = Box::new(|writer| {
        writer.typed::<DoubleType>().write_batch(&[5.0], Some(&[2]), None).unwrap();
    });
    let file =
        plain(fields, vec![doubles(&[8.0]), doubles(&[9.0]), texts(&["8"]), pos, many, non_null::<Int64Type>([0])]);
    let named = |lon: Option<&str>, lat: Option<&str>, weight: Option<&str>| {
        let own = |name: Option<&str>| name.map(str::to_owned);
        let columns = Columns { lon: own(lon), lat: own(lat), weight: own(weight), ..Columns::default() };
        Query::default()
            .with_names(columns)
            .with_weights(weight.is_some())
            .with_coordinate_space(CoordinateSpace::Plane)
    };
    let (seen, _) = scan(&file, &named(Some("easting"), Some("pos.a"), None)).unwrap();
    assert_eq!(seen, [(8.0, 5.0, 1.0)]);
    // A timestamp column is not used as the weight even if it is called `w`.
    let query = named(Some("easting"), Some("northing"), None).with_weights(true);
    assert_eq!(scan(&file, &query).unwrap().0, [(8.0, 9.0, 1.0)]);

    let fails = |query: &Query<'_>, message: &str| {
        let error = error(&file, query);
        assert!(error.starts_with("points.parquet: ") && error.contains(message), "{error}");
    };
    // Texts are parsed as numbers.
    assert_eq!(scan(&file, &named(Some("lon"), Some("northing"), None)).unwrap().0, [(8.0, 9.0, 1.0)]);
    let expected = "no column has a usual name for the latitude (lat, latitude, y); name one with lat: \
                \"Easting\", \"northing\", \"lon\", \"pos\", \"pos.a\", \"many\", \"w\"";
    fails(&named(Some("Easting"), None, None), expected);
    fails(
        &named(Some("Easting"), Some("North"), None),
        "there is no column \"North\" for the latitude; there are \"Easting\", \"northing\", ",
    );
    fails(
        &named(Some("Easting"), Some("pos"), None),
        "its column `pos` holds Struct, not numbers; name another, such as `pos.a`, with lat",
    );
    fails(
        &named(Some("Easting"), Some("many"), None),
        "its column `many` holds List, not numbers; name another with lat",
    );
    let expected = "its column `w` holds Timestamp, not numbers; name another with weight";
    fails(&named(Some("Easting"), Some("northing"), Some("w")), expected);
    let query = named(Some("Easting"), Some("northing"), None).with_start(Some(0));
    fails(
        &query,
        "no column has a usual name for the time (time, timestamp, datetime, date); name one with time: \"Easting\"",
    );
    let query = named(Some("Easting"), Some("northing"), None).with_category_filter(vec!["a".to_owned()]);
    fails(
        &query,
        "(category, type, class, kind, space_id, space); name one with category_column: \"Easting\", \"northing\"",
    );
}

#[test]
fn a_duplicate_column_name_is_an_error() {
    let fields = "optional double lon; optional double lat; optional double lat; optional double w; optional double w;";
    let file = plain(fields, (0..5).map(|i| doubles(&[f64::from(i)])).collect());
    let message = error(&file, &Query::default());
    assert!(message.contains("more than one column is called \"lat\""), "{message}");
    // A duplicate name is not an error if the column is not requested.
    let columns = Columns { lat: Some("lon".to_owned()), ..Columns::default() };
    let query = Query::default().with_names(columns);
    assert_eq!(scan(&file, &query).unwrap().0, [(0.0, 0.0, 1.0)]);
    let message = error(&file, &query.with_weights(true));
    assert!(message.contains("more than one column is called \"w\""), "{message}");
}
