//! Which columns are read, and what they may hold.

use super::*;

#[test]
fn times_are_filtered_however_they_are_stored() {
    let day_us = 86_400_000_000i64;
    let query = Query { start_us: Some(10 * day_us), end_us: Some(20 * day_us), ..Query::default() };
    let days: Vec<i64> = vec![9, 10, 19, 20];
    let ticks = |scale: i64| full::<Int64Type>(days.iter().map(move |day| day * scale));
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
        ("optional int32 date (DATE)", full::<Int32Type>(days.iter().map(|&day| day as i32))),
        ("optional int96 time", full::<Int96Type>(days.iter().map(|&day| julian(day)))),
        ("optional int64 time", ticks(86_400)),
        ("optional double datetime", full::<DoubleType>(days.iter().map(|&day| (day * 86_400) as f64))),
        (
            "optional binary time (STRING)",
            texts(&["1970-01-10T23:59:59Z", "1970-01-11T00:00:00Z", "1970-01-20T23:59:59Z", "1970-01-21T00:00:00Z"]),
        ),
    ];
    for (field, time) in kinds {
        let fields = format!("optional double lon; optional double lat; {field};");
        let place = || doubles(&[0.0, 1.0, 2.0, 3.0]);
        let (seen, report) = scan(&plain(&fields, vec![place(), place(), time]), &query).unwrap();
        assert_eq!(seen, [(1.0, 1.0, 1.0), (2.0, 2.0, 1.0)], "{field}");
        assert_eq!((report.read, report.filtered, report.rejected), (4, 2, 0), "{field}");
    }
}

#[test]
fn row_groups_out_of_the_time_range_are_not_read() {
    let fields = "optional double lon; optional double lat; optional int64 time (TIMESTAMP(MICROS, true));";
    let group = |hour: i64| {
        vec![doubles(&[hour as f64; 3]), doubles(&[0.0; 3]), full::<Int64Type>((0..3).map(|i| hour * 1000 + i))]
    };
    let mut file = write(WriterProperties::builder(), fields, &[group(1), group(2), group(3)]);
    // The first group is spoiled: it can only be passed over.
    file[4..60].fill(0xFF);
    let query = |start_us| Query { start_us: Some(start_us), end_us: Some(3001), ..Query::default() };
    let (seen, report) = scan(&file, &query(2001)).unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!((report.read, report.filtered), (9, 6));
    assert!(error(&file, &query(1000)).contains("row group 0 cannot be read: column `lon`"));
}

#[test]
fn categories_are_text_integers_or_truth_values() {
    let kinds: Vec<(&str, Column, &str)> = vec![
        ("optional binary category (STRING)", texts(&["a", "b", "a"]), "a"),
        ("optional binary Kind", texts(&["a", "b", "a"]), "a"),
        ("optional int32 class", full::<Int32Type>([-1, 2, -1]), "-1"),
        ("optional int64 type", full::<Int64Type>([7, 8, 7]), "7"),
        ("optional boolean category", full::<BoolType>([true, false, true]), "true"),
        ("optional binary category (STRING)", column::<ByteArrayType>([Some("a".into()), None, Some("a".into())]), "a"),
    ];
    for (field, category, name) in kinds {
        let fields = format!("optional double lon; optional double lat; {field};");
        let place = || doubles(&[1.0, 2.0, 3.0]);
        let query = Query { categories: vec!["other".to_owned(), name.to_owned()], ..Query::default() };
        let (seen, report) = scan(&plain(&fields, vec![place(), place(), category]), &query).unwrap();
        assert_eq!(seen, [(1.0, 1.0, 1.0), (3.0, 3.0, 1.0)], "{field}");
        assert_eq!(report.filtered, 1);
    }
}

#[test]
fn a_time_that_is_none_is_rejected_with_its_text() {
    let fields = "optional double lon; optional double lat; optional binary time (STRING);";
    let file = plain(fields, vec![doubles(&[1.0]), doubles(&[1.0]), texts(&["yesterday"])]);
    let (_, report) = scan(&file, &Query { start_us: Some(0), ..Query::default() }).unwrap();
    assert_eq!(reasons(&report), [(1, "the time `yesterday` is not one in ISO 8601")]);
}

#[test]
fn columns_are_named_by_the_user_or_explained() {
    let fields = "optional double Easting; optional double northing; optional binary lon (STRING); \
                  optional group pos { optional double a; } repeated double many; optional int64 w (TIMESTAMP(MICROS, true));";
    let many: Column = Box::new(|writer| {
        writer.typed::<DoubleType>().write_batch(&[1.0, 2.0], Some(&[1, 1]), Some(&[0, 1])).unwrap();
    });
    let pos: Column = Box::new(|writer| {
        writer.typed::<DoubleType>().write_batch(&[5.0], Some(&[2]), None).unwrap();
    });
    let file = plain(fields, vec![doubles(&[8.0]), doubles(&[9.0]), texts(&["8"]), pos, many, full::<Int64Type>([0])]);
    let named = |lon: Option<&str>, lat: Option<&str>, weight: Option<&str>| {
        let own = |name: Option<&str>| name.map(str::to_owned);
        let columns = Columns { lon: own(lon), lat: own(lat), weight: own(weight), ..Columns::default() };
        Query { columns, weights: weight.is_some(), ground: Ground::Plane, ..Query::default() }
    };
    let (seen, _) = scan(&file, &named(Some("easting"), Some("pos.a"), None)).unwrap();
    assert_eq!(seen, [(8.0, 5.0, 1.0)]);
    // A timestamp is no weight, even if it is called like one.
    let query = Query { weights: true, ..named(Some("easting"), Some("northing"), None) };
    assert_eq!(scan(&file, &query).unwrap().0, [(8.0, 9.0, 1.0)]);

    let fails = |query: &Query<'_>, message: &str| {
        let error = error(&file, query);
        assert!(error.starts_with("points.parquet: ") && error.contains(message), "{error}");
    };
    let flaw = "its column `lon` holds String (BYTE_ARRAY), not numbers; name another with --lon";
    fails(&Query::default(), flaw);
    fails(&named(Some("lon"), Some("northing"), None), flaw);
    let flaw = "no column is called as a latitude usually is (lat, latitude, y); name one with --lat: \
                \"Easting\", \"northing\", \"lon\", \"pos.a\", \"many\", \"w\"";
    fails(&named(Some("Easting"), None, None), flaw);
    fails(
        &named(Some("Easting"), Some("North"), None),
        "there is no column \"North\" for the latitude; there are \"northing\", ",
    );
    fails(&named(Some("Easting"), Some("pos"), None), "its column `pos` has fields; name one of them, such as `pos.a`");
    fails(
        &named(Some("Easting"), Some("many"), None),
        "its column `many` is a list; there has to be one latitude per row",
    );
    let flaw = "its column `w` holds Timestamp (INT64), not numbers; name another with --weight";
    fails(&named(Some("Easting"), Some("northing"), Some("w")), flaw);
    let query = Query { start_us: Some(0), ..named(Some("Easting"), Some("northing"), None) };
    fails(
        &query,
        "no column is called as a time usually is (time, timestamp, date, datetime); name one with --time: \"Easting\"",
    );
    let query = Query { categories: vec!["a".to_owned()], ..named(Some("Easting"), Some("northing"), None) };
    fails(&query, "(category, type, class, kind); name one with --category-column: \"Easting\", \"northing\"");
}

#[test]
fn a_name_that_two_columns_have_is_an_error() {
    let fields = "optional double lon; optional double lat; optional double lat; optional double w; optional double w;";
    let file = plain(fields, (0..5).map(|i| doubles(&[f64::from(i)])).collect());
    let message = error(&file, &Query::default());
    assert!(message.contains("more than one column is called \"lat\""), "{message}");
    // A name that nobody asks for may be there as often as it likes.
    let columns = Columns { lat: Some("lon".to_owned()), ..Columns::default() };
    let query = Query { columns, ..Query::default() };
    assert_eq!(scan(&file, &query).unwrap().0, [(0.0, 0.0, 1.0)]);
    let message = error(&file, &Query { weights: true, ..query });
    assert!(message.contains("more than one column is called \"w\""), "{message}");
}
