//! What a user of [`Csv`] sees.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::source::testing::{gather, marked, marks, scan_marked};
use crate::source::{Columns, Ground, Progress};
use kiln_core::geo::Points;

type Seen = Vec<(f64, f64, Option<f32>)>;

fn file(text: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_ref()).unwrap();
    file
}

fn open(text: impl AsRef<[u8]>) -> Result<Csv> {
    Csv::open(file(text).path(), "points.csv".to_owned())
}

fn scan(csv: &Csv, query: &Query<'_>, workers: usize) -> Result<(Seen, ScanReport)> {
    let mut seen = vec![Seen::new(); workers];
    let mut closures: Vec<_> = seen
        .iter_mut()
        .map(|seen| {
            move |batch: Points<'_>| {
                let weight = |i: usize| batch.weight().map(|w| w[i]);
                seen.extend((0..batch.len()).map(|i| (batch.lon()[i], batch.lat()[i], weight(i))));
                ControlFlow::Continue(())
            }
        })
        .collect();
    let mut sinks: Vec<&mut Sink<'_>> = closures.iter_mut().map(|c| c as &mut Sink<'_>).collect();
    let report = csv.scan(query, &mut sinks)?;
    drop(sinks);
    Ok((seen.concat(), report))
}

fn weighted() -> Query<'static> {
    Query::default().with_weights(true)
}

fn read(text: impl AsRef<[u8]>) -> (Seen, ScanReport) {
    scan(&open(text).unwrap(), &weighted(), 1).unwrap()
}

fn points(text: impl AsRef<[u8]>) -> Seen {
    let (seen, report) = read(text);
    assert_eq!(report.rejections, []);
    seen
}

fn reasons(text: &str) -> Vec<(u64, String)> {
    let (_, report) = read(text);
    assert_eq!(report.rejected, report.rejections.len() as u64);
    assert!(report.rejections.iter().all(|rejection| rejection.input == "points.csv"));
    report.rejections.into_iter().map(|rejection| (rejection.row, rejection.reason)).collect()
}

fn failure<T: std::fmt::Debug>(result: Result<T>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn columns_are_found_by_their_usual_names_in_any_case_and_order() {
    let expected = [(2.5, 48.25, Some(3.0))];
    assert_eq!(points("lon,lat,weight\n2.5,48.25,3\n"), expected);
    assert_eq!(points("id,Value,Latitude,LONGITUDE\n7,3,48.25,2.5\n"), expected);
    assert_eq!(points("Y,X,count\n48.25,2.5,3\n"), expected);
    assert_eq!(points("name,lat,lng\nhere,48.25,2.5\n"), [(2.5, 48.25, None)]);
}

#[test]
fn every_delimiter_is_detected() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = "lon,lat,w\n2.5,48.25,3\n".replace(',', delimiter);
        assert_eq!(points(&text), [(2.5, 48.25, Some(3.0))], "{text}");
    }
    assert_eq!(points("\"city, country\";lon;lat\nA, B;2.5;48.25\n"), [(2.5, 48.25, None)]);
}

#[test]
fn a_file_of_numbers_alone_needs_no_header() {
    assert_eq!(points("2.5,48.25,3\n4,5,6"), [(2.5, 48.25, Some(3.0)), (4.0, 5.0, Some(6.0))]);
    assert_eq!(points("\u{feff}2.5\t48.25\n"), [(2.5, 48.25, None)]);
    let query = weighted().with_names(Columns { lon: Some("y".into()), lat: Some("x".into()), ..Columns::default() });
    assert_eq!(scan(&open("48,2,1\n").unwrap(), &query, 1).unwrap().0, [(2.0, 48.0, Some(1.0))]);
}

#[test]
fn files_are_read_as_spreadsheets_and_people_write_them() {
    let expected = [(2.5, 48.25, Some(3.0)), (1000.0_f64 - 999.0, -5.0, Some(0.5))];
    for text in [
        "\u{feff}lon,lat,w\r\n2.5,48.25,3\r\n1,-5,.5\r\n",
        "\nlon,lat,w\n\n2.5,48.25,3\n\n\n1,-5,0.5",
        "lon, lat, w\n 2.5 , +48.25 ,3 \n1e0,-0.5e1,5e-1\n  \n",
        "\"lon\",\"lat\",\"w\"\n\"2.5\",\"48.25\",\"3\"\n\"1\",\" -5 \",\"0.5\"",
        "lon,lat,w,more\n2.5,48.25,3\n1,-5,0.5,a\n",
        "lon,lat,w\n2.5,48.25,3,\n1,-5,0.5, \r\n",
    ] {
        assert_eq!(points(text), expected, "{text}");
    }
}

#[test]
fn quoted_text_may_hold_anything() {
    let text = "name,lon,lat\n\"a, \"\"b\"\"\n1,2\n\",3,4\n\"\",5,6\n5\" pipe,7,8\n\"\"\"\",9,10\n";
    assert_eq!(points(text), [(3.0, 4.0, None), (5.0, 6.0, None), (7.0, 8.0, None), (9.0, 10.0, None)]);
}

#[test]
fn rows_that_hold_no_point_are_explained() {
    let text = "lon,lat,w\n1,abc,1\n1,2,1\n\n3\n4,5\n,6,1\n1,2,\n";
    let expected = [
        (1, "lat: \"abc\" is not a number"),
        (3, "lat: missing, the row has 1 of 3 fields"),
        (4, "w: missing, the row has 2 of 3 fields"),
        (5, "lon: the field is empty"),
        (6, "w: the field is empty"),
    ];
    assert_eq!(reasons(text), expected.map(|(row, reason)| (row, reason.to_owned())));
    assert_eq!(reasons("lat;lon\n48,5;2\n")[0].1, "lat: \"48,5\" is not a number: write decimals with a point");
    assert_eq!(reasons("48,5;2,5\n1,5;2,5\n").len(), 2);
    assert!(reasons("lon,lat\n1,95\n")[0].1.contains("beyond ±90"));
    assert!(reasons("lon,lat\n1,nan\n")[0].1.contains("not finite"));
    assert!(reasons("lon,lat,name\n1,2,a\n1,2,\"b\n3,4,c\n")[0].1.contains("left open"));
}

#[test]
fn a_row_with_more_fields_than_columns_is_rejected() {
    let text = "lon,lat\n1,2\n1,5,2,5\n3,4,\n5,6,x\n5,6,,\n7,8\n";
    let (seen, report) = read(text);
    assert_eq!(seen, [(1.0, 2.0, None), (3.0, 4.0, None), (7.0, 8.0, None)]);
    assert_eq!((report.read, report.rejected), (6, 3));
    let rows: Vec<u64> = report.rejections.iter().map(|rejection| rejection.row).collect();
    assert_eq!(rows, [2, 4, 5]);
    assert_eq!(report.rejections[0].reason, "the row has 4 fields for 2 columns: is there a bare \",\" in its text?");
    // Neither a time nor a category is looked for in fields that moved.
    let text = "name;lon;lat;kind\na;1;2;x\na;b;1;2;x\n";
    let query = Query::default().with_category_filter(vec!["x".into()]);
    let (seen, report) = scan(&open(text).unwrap(), &query, 1).unwrap();
    assert_eq!((seen.len(), report.filtered, report.rejected), (1, 0, 1));
    assert!(report.rejections[0].reason.starts_with("the row has 5 fields for 4 columns"));
}

#[test]
fn rows_keep_their_order_and_number_however_many_are_bad() {
    let text: String = (0..20_000).map(|i| if i % 3 == 1 { format!("{i},no\n") } else { format!("{i},1\n") }).collect();
    let csv = open(format!("lon,lat\n{text}")).unwrap();
    let query = Query::default().with_ground(Ground::Plane);
    let (seen, report) = scan(&csv, &query, 1).unwrap();
    let expected: Vec<f64> = (0..20_000).filter(|i| i % 3 != 1).map(f64::from).collect();
    assert_eq!(seen.iter().map(|point| point.0).collect::<Vec<_>>(), expected);
    assert_eq!(report.rejections.iter().map(|rejection| rejection.row).collect::<Vec<_>>(), [2, 5, 8, 11, 14]);
}

#[test]
fn weights_are_read_when_wanted_and_there() {
    let csv = open("lon,lat,w\n1,2,x\n").unwrap();
    assert_eq!(scan(&csv, &Query::default(), 1).unwrap().0, [(1.0, 2.0, None)]);
    assert_eq!(scan(&csv, &weighted(), 1).unwrap().1.rejected, 1);
    let named = weighted().with_names(Columns { weight: Some("Depth".into()), ..Columns::default() });
    assert_eq!(scan(&open("lon,lat,w,depth\n1,2,x,9\n").unwrap(), &named, 1).unwrap().0, [(1.0, 2.0, Some(9.0))]);
    assert_eq!(
        failure(scan(&csv, &named, 1)),
        "points.csv: there is no column \"Depth\" for the weight; there are \"lat\", \"lon\", \"w\""
    );
}

#[test]
fn a_missing_column_is_told_with_those_there_are() {
    let missing = |text: &str| failure(scan(&open(text).unwrap(), &Query::default(), 1));
    assert_eq!(
        missing("a,lat\n1,2\n"),
        "points.csv: no column is called as a longitude usually is (lon, lng, long, longitude, x); name one with lon: \
         \"a\", \"lat\""
    );
    assert!(failure(open("hello\nworld\n")).contains("parted by , ; | or a tab"));
    assert!(missing(&format!("{}\n", "column,".repeat(500))).ends_with("… (501 in all)"));
    assert!(missing("a\u{7}b,\"c\nd\"\n").contains(r#""a\u{7}b", "c\nd""#));
    let timed = Query::default().with_start(Some(0));
    assert!(
        failure(scan(&open("lon,lat\n").unwrap(), &timed, 1))
            .contains("called as a time usually is (time, timestamp, date, datetime); name one with time: ")
    );
    let in_category = Query::default().with_category_filter(vec!["a".into()]);
    assert!(
        failure(scan(&open("lon,lat\n").unwrap(), &in_category, 1))
            .contains("name one with category_column: \"lon\", \"lat\"")
    );
}

#[test]
fn a_name_that_two_columns_have_is_an_error() {
    let csv = open("lon,lat,w,lat,w\n1,2,3,4,5\n").unwrap();
    let doubled = failure(scan(&csv, &Query::default(), 1));
    assert!(doubled.starts_with("points.csv: more than one column is called \"lat\"; "), "{doubled}");
    // A name that nobody asks for may be there as often as it likes.
    let columns = Columns { lat: Some("lon".into()), ..Columns::default() };
    let query = Query::default().with_names(columns);
    assert_eq!(scan(&csv, &query, 1).unwrap().0, [(1.0, 1.0, None)]);
    let doubled = failure(scan(&csv, &query.with_weights(true), 1));
    assert!(doubled.contains("called \"w\""), "{doubled}");
}

#[test]
fn times_and_categories_filter() {
    let text = "lon,lat,time,kind\n1,0,2024-01-01T00:00:00Z,a\n2,0,2024-01-02,\"a\"\n3,0,2024-01-03 00:00:00,b\n\
                4,0,,a\n5,0,1704153600,a\n6,0,soon,a\n";
    let day_us = |day: i64| Some(1_704_067_200_000_000 + (day - 1) * 86_400_000_000);
    let lons = |query: Query<'_>| {
        let (seen, report) = scan(&open(text).unwrap(), &query, 1).unwrap();
        (seen.iter().map(|point| point.0).collect::<Vec<_>>(), report.filtered, report.rejections)
    };
    let (seen, filtered, rejections) = lons(Query::default().with_start(day_us(2)).with_end(day_us(3)));
    assert_eq!((seen, filtered), (vec![2.0, 5.0], 3));
    assert_eq!(rejections[0].reason, "time: \"soon\" is not a time such as 2024-01-31T12:00:00Z or Unix seconds");
    let (seen, filtered, _) = lons(Query::default().with_category_filter(vec!["a".into()]));
    assert_eq!((seen, filtered), (vec![1.0, 2.0, 4.0, 5.0, 6.0], 1));
}

#[test]
fn times_and_categories_come_along() {
    let text = "kind,lon,lat,time\na,1,0,2024-01-01T00:00:00Z\n\"a\",2,0,\n\"b, \"\"c\"\"\",3,0,1704067200.5\n\
                ,4,0,soon\n  ,5,0,2024\nb,6,0\na,7,x,2024-01-02\na,8,0, \"2024-01-02\" \n";
    let csv = open(text).unwrap();
    let (seen, report) = scan_marked(&csv, &marked()).unwrap();
    let start_us = 1_704_067_200_000_000;
    let expected = marks(&[
        (1.0, Some(start_us), Some("a")),
        (2.0, None, Some("a")),
        (3.0, Some(start_us + 500_000), Some("b, \"c\"")),
        (5.0, Some(start_us), None),
        (8.0, Some(start_us + 86_400_000_000), Some("a")),
    ]);
    assert_eq!(seen, expected);
    let reasons: Vec<&str> = report.rejections.iter().map(|rejection| &*rejection.reason).collect();
    assert_eq!(
        reasons,
        [
            "time: \"soon\" is not a time such as 2024-01-31T12:00:00Z or Unix seconds",
            "time: missing, the row has 3 of 4 fields",
            "lat: \"x\" is not a number"
        ]
    );
    // Filters work together with it, and what is not wanted does not come along.
    let query = marked().with_category_filter(vec!["a".into()]).with_start(Some(start_us));
    assert_eq!(scan_marked(&csv, &query).unwrap().0, [expected[0].clone(), expected[4].clone()]);
    let (gathered, report) = gather(&csv, &query.with_times(false).with_categories(false)).unwrap();
    assert_eq!((gathered.len(), report.filtered, report.rejected), (2, 3, 3));
    assert!(gathered.points().time_us().is_none() && gathered.points().category().is_none());
}

#[test]
fn times_and_categories_need_not_be_there_unless_they_are_named() {
    let csv = open("lon,lat\n1,2\n").unwrap();
    let (gathered, _) = gather(&csv, &marked()).unwrap();
    assert!(gathered.len() == 1 && gathered.points().time_us().is_none() && gathered.points().category().is_none());
    let columns = Columns { category: Some("kind".into()), ..Columns::default() };
    let named = failure(scan(&csv, &marked().with_names(columns), 1));
    assert_eq!(named, "points.csv: there is no column \"kind\" for the category; there are \"lon\", \"lat\"");
}

#[test]
fn a_category_in_each_row_takes_no_more_memory_than_a_batch() {
    let rows = 100_000;
    let text: Vec<String> = (0..rows).map(|i| format!("{i},0,name {i}")).collect();
    let csv = open(format!("x,y,class\n{}", text.join("\n"))).unwrap();
    let (mut next, mut most_names) = (0, 0);
    let mut sink = |batch: Points<'_>| {
        let category = batch.category().unwrap();
        most_names = most_names.max(category.names.len());
        for (i, lon) in batch.lon().iter().enumerate() {
            assert_eq!((*lon, category.name(i)), (f64::from(next), Some(&*format!("name {next}"))));
            next += 1;
        }
        ControlFlow::Continue(())
    };
    csv.scan(&marked().with_ground(Ground::Plane), &mut [&mut sink]).unwrap();
    assert_eq!(next, rows);
    assert!(most_names < 40_000, "{most_names}");
}

#[test]
fn empty_files_and_junk_are_told_apart() {
    for text in ["", "\n\n", "\u{feff}", " \r\n"] {
        assert_eq!(failure(open(text)), "points.csv: the file is empty", "{text:?}");
    }
    for text in ["lon,lat", "lon,lat\n", "lon,lat\r\n\r\n"] {
        assert_eq!(read(text), (Seen::new(), ScanReport::default()), "{text:?}");
    }
    assert!(failure(open(b"\xff\xfel\0o\0n\0")).contains("UTF-16"));
    assert!(failure(open(vec![b'x'; 2 << 20])).contains("longer than 1 MiB"));
    assert!(failure(Csv::open(std::env::temp_dir().as_path(), "here".into())).contains("no regular file"));
    assert!(matches!(Csv::open(Path::new("/no/such/file"), "gone".into()), Err(Error::Io { .. })));
    let (seen, report) = read(b"lon,lat,name\n1,2,\xff\xfe\n\xc3,\x00,\n3,4,\x80\n");
    assert_eq!((seen.len(), report.rejected), (2, 1));
}

#[test]
fn an_endless_row_is_an_error_not_a_memory_hog() {
    let mut csv = open(format!("lon,lat\n1,2\n\"{}", "1,2\n".repeat(Csv::LONGEST_ROW_BYTES))).unwrap();
    csv.part_bytes = 1 << 16;
    for workers in 1..=2 {
        assert!(failure(scan(&csv, &Query::default(), workers)).contains("the row at byte 12 is longer than 4 MiB"));
    }
}

#[test]
fn what_is_added_to_an_open_file_is_not_read_and_what_is_gone_is_an_error() {
    for text in ["lon,lat\n1,2\n3,4\n", "lon,lat\n1,2\n3,4"] {
        for part_bytes in [1, 5, 1 << 20] {
            let mut file = file(text);
            let mut csv = Csv::open(file.path(), "points.csv".to_owned()).unwrap();
            csv.part_bytes = part_bytes;
            file.write_all(b"56,7\n8,9\n").unwrap();
            for workers in 1..=2 {
                let (seen, report) = scan(&csv, &Query::default(), workers).unwrap();
                assert_eq!((seen.len(), report.read, report.rejected), (2, 2, 0), "{text:?} in parts of {part_bytes}");
                assert!(seen.contains(&(3.0, 4.0, None)));
            }
            for left in [text.len() as u64 - 1, 3, 0] {
                file.as_file().set_len(left).unwrap();
                let message = failure(scan(&csv, &Query::default(), 2));
                assert_eq!(message, "points.csv: the file changed while it was read");
            }
        }
    }
}

#[test]
fn a_file_that_shrinks_in_the_middle_of_a_scan_is_an_error() {
    let file = file(format!("lon,lat\n{}", "1,2\n".repeat(100_000)));
    let mut csv = Csv::open(file.path(), "points.csv".to_owned()).unwrap();
    csv.part_bytes = 1000;
    let mut cut = |_: Points<'_>| {
        file.as_file().set_len(50_000).unwrap();
        ControlFlow::Continue(())
    };
    assert_eq!(failure(csv.scan(&Query::default(), &mut [&mut cut])), "points.csv: the file changed while it was read");
}

#[test]
fn progress_ends_with_the_whole_file() {
    let text = format!("lon,lat\n{}", "1,2\n".repeat(10_000));
    let mut csv = open(&text).unwrap();
    csv.part_bytes = 1000;
    let progress = Progress::default();
    scan(&csv, &Query::default().with_progress(Some(&progress)), 2).unwrap();
    assert_eq!(progress.snapshot(), (text.len() as u64, text.len() as u64, 10_000));
}

#[test]
fn a_sink_that_breaks_stops_the_scan() {
    let mut csv = open(format!("lon,lat\n{}", "1,2\n".repeat(100_000))).unwrap();
    csv.part_bytes = 10_000;
    let mut stop = |_: Points<'_>| ControlFlow::Break(());
    assert!(matches!(csv.scan(&Query::default(), &mut [&mut stop]), Err(Error::Cancelled)));
}

/// Asserts that a file reads the same in parts of any size and by any number of workers.
fn assert_parts_agree(text: &str, part_sizes: impl Iterator<Item = usize>) {
    let Ok(mut csv) = open(text) else { return };
    let query = weighted().with_ground(Ground::Plane);
    let Ok((whole, report)) = scan(&csv, &query, 1) else { return };
    let with_notes = marked().with_names(Columns { category: Some("note".into()), ..Columns::default() });
    let with_notes = with_notes.with_ground(Ground::Plane);
    let noted = scan_marked(&csv, &with_notes).ok();
    let in_order = |mut seen: Seen| {
        seen.sort_by(|a, b| a.partial_cmp(b).unwrap());
        seen
    };
    for part_bytes in part_sizes {
        csv.part_bytes = part_bytes;
        assert_eq!(scan(&csv, &query, 1).unwrap(), (whole.clone(), report.clone()), "parts of {part_bytes}: {text:?}");
        assert_eq!(scan_marked(&csv, &with_notes).ok(), noted, "parts of {part_bytes}: {text:?}");
        for workers in 2..=3 {
            let (seen, parallel_report) = scan(&csv, &query, workers).unwrap();
            assert_eq!(in_order(seen), in_order(whole.clone()), "parts of {part_bytes}, {workers} workers: {text:?}");
            assert_eq!(parallel_report, report);
        }
    }
}

#[test]
fn parts_of_any_size_hold_each_row_once() {
    for end in ["\n", "\r\n"] {
        let mut text = format!("lon,lat,w,note{end}");
        for i in 0..60 {
            let row = match i % 6 {
                0 => format!("{i},{i}.5,{i},\"line{end}of \"\"{i}\"\",1,2\"{end}"),
                1 => format!("\"{i}\",{i}.5,{i},\"\"{end}{end}"),
                2 => format!("{i},text,{i},6\" pipe{end}"),
                3 => format!("{i},{i}.123456789012345678,{i}{end}"),
                _ => format!("{i},-{i}.5,{i},plain{end}"),
            };
            text.push_str(&row);
        }
        assert_parts_agree(&text, 1..90);
        assert_parts_agree(text.trim_end(), (1..60).chain([text.len() - 30]));
        assert_eq!(scan(&open(&text).unwrap(), &weighted(), 1).unwrap().1.read, 60);
    }
    assert_parts_agree("1,2,3\n4,5,6\n\n7,8,9", 1..24);
}

proptest! {
    #[test]
    fn parts_agree_on_any_text(rows in "([1-9.,\"a]|\n|\r\n|,\"|\",){0,80}", part_bytes in 1_usize..20) {
        assert_parts_agree(&format!("lon,lat\n1,2\n{rows}"), std::iter::once(part_bytes));
    }
}
