use super::super::table_testing::{CollectedRows, columns, damage, points, scan, scan_some, values};
use super::super::testing::file;
use super::super::xml::XmlTable;
use super::*;
use kiln_core::error::Result;
use kiln_core::source::ReadOptions;

fn open(content: impl AsRef<[u8]>) -> Result<(XmlTable<Gpx>, tempfile::NamedTempFile)> {
    let file = file(content);
    Ok((XmlTable::open(file.path(), "x.gpx".to_owned(), &ReadOptions::default())?, file))
}

fn read(content: impl AsRef<[u8]>, names: &[&str]) -> CollectedRows {
    let (gpx, _file) = open(content).unwrap();
    scan(&gpx, names, 1).unwrap()
}

fn message(content: impl AsRef<[u8]>) -> String {
    open(content).unwrap_err().to_string()
}

const FILE: &str = r#"<?xml version="1.0"?>
<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1" xmlns:gpxtpx="http://www.garmin.com/TrackPointExtension/v1">
 <metadata><time>2020-01-01T00:00:00Z</time><bounds minlat="1" minlon="2" maxlat="3" maxlon="4"/></metadata>
 <wpt lat="48.5" lon="9.25"><ele>12.5</ele><name>caf&#233; &amp; bar</name><type>food</type>
  <link href="http://x"><text>not a column</text></link></wpt>
 <rte><name>way</name><rtept lon="1" lat="2"/><rtept lat='4' lon='3'><name>own</name></rtept></rte>
 <trk><name>run</name><type>running</type><trkseg>
  <trkpt lat="-0.5" lon="-179.5"><time>2024-05-01T12:00:00Z</time>
   <extensions><speed>3.5</speed>
    <gpxtpx:TrackPointExtension><gpxtpx:hr>140</gpxtpx:hr></gpxtpx:TrackPointExtension></extensions></trkpt>
  <trkpt lat="a" lon="5"></trkpt>
  <trkpt/>
 </trkseg></trk>
 <trk><trkseg><trkpt lat="6" lon="7"/></trkseg></trk>
</gpx>
"#;

#[test]
fn points_of_tracks_and_routes_and_waypoints_are_rows() {
    let (gpx, _file) = open(FILE).unwrap();
    let strings = |names: &[&str]| names.iter().map(|name| format!("{name}: Utf8")).collect::<Vec<_>>();
    let numbers = ["lon: Float64", "lat: Float64", "ele: Float64"].map(str::to_owned);
    assert_eq!(
        columns(&gpx),
        [numbers.to_vec(), strings(&["time", "name", "type", "category", "speed", "hr"])].concat()
    );
    let rows = scan(&gpx, &["#lon", "lat", "type", "name", "category", "#ele", "time", "#speed", "#hr"], 1).unwrap();
    assert_eq!(
        values(&rows),
        [
            "9.25 48.5 wpt café & bar food 12.5 - - -",
            "1 2 rtept way - - - - -",
            "3 4 rtept own - - - - -",
            "-179.5 -0.5 trkpt run running - 2024-05-01T12:00:00Z 3.5 140",
            "5 a trkpt run running - - - -",
            "- - trkpt run running - - - -",
            "7 6 trkpt - - - - - -",
        ]
    );
    assert_eq!(rows.bytes, FILE.len() as u64);
}

#[test]
fn an_element_after_the_sample_is_a_column_if_the_request_names_it() {
    let early = r#"<wpt lat="1" lon="2"/>"#.repeat(20_000);
    let rows = read(format!(r#"<gpx>{early}<wpt lat="3" lon="4"><sat>7</sat></wpt></gpx>"#), &["#sat"]);
    assert_eq!(rows.rows.len(), 20_001);
    assert_eq!(rows.rows.last(), Some(&Ok(vec!["7".to_owned()])));
}

#[test]
fn a_row_has_no_values_of_the_previous_row() {
    let rows = read(r#"<gpx><wpt lat="1" lon="2"><name>a</name></wpt><wpt lat="3"/></gpx>"#, &["lon", "lat", "name"]);
    assert_eq!(values(&rows), ["2 1 a", "- 3 -"]);
}

#[test]
fn a_sink_that_breaks_stops_the_reading() {
    let points = r#"<wpt lat="1" lon="2"/>"#.repeat(30_000);
    let (gpx, _file) = open(format!("<gpx>{points}</gpx>")).unwrap();
    assert_eq!(scan_some(&gpx, &["lon"], 1, Some(1)).unwrap().rows.len(), 8192);
}

#[test]
fn namespace_prefixes_and_encodings_are_supported() {
    let prefixed = r#"<g:gpx xmlns:g="x"><g:wpt lat="1" lon="2"><g:name>a</g:name></g:wpt></g:gpx>"#;
    assert_eq!(values(&read(prefixed, &["lon", "name"])), ["2 a"]);
    let latin = b"\n<gpx><wpt lat='1' lon='2'><name>caf\xE9</name></wpt></gpx>".as_slice();
    let declared = [br#"<?xml version="1.0" encoding='ISO-8859-1' ?>"#, latin].concat();
    assert_eq!(values(&read(declared, &["name"])), ["café"]);
    let undeclared = [b"\xEF\xBB\xBF<?xml version='1.0'?>", latin].concat();
    assert_eq!(values(&read(undeclared, &["name"])), ["caf\u{FFFD}"]);
    // The declared encoding is not ASCII-compatible, and the text is UTF-8.
    let converted = "<?xml version='1.0' encoding='UTF-16'?><gpx><wpt lat='1' lon='2'><name>é</name></wpt></gpx>";
    assert_eq!(values(&read(converted, &["name"])), ["é"]);
}

#[test]
fn entities_are_not_expanded() {
    let laughs = r#"<!DOCTYPE gpx [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>
        <gpx><wpt lat="&b;" lon="2"><name>&b;&x; &lt;&#x41;&#66; Q&A <![CDATA[<i>]]></name></wpt></gpx>"#;
    assert_eq!(values(&read(laughs, &["lat", "name"])), ["&b; &b;&x; <AB Q&A <i>"]);
}

#[test]
fn other_and_truncated_files_are_errors() {
    assert_eq!(message("<html><body/></html>"), "x.gpx: the root element is `html`; expected the root element `gpx`");
    assert_eq!(
        message("<gpx>\n<trk>\n<trkseg><trkpt lat='1' lon='2'/>"),
        "x.gpx: invalid XML at line 3: it ends within an element; was the file truncated?"
    );
    assert!(message("<gpx>\n<trk>\n</rte></gpx>").starts_with("x.gpx: invalid XML at line 3: "));
    assert!(message("").contains("has no element"), "{}", message(""));
    assert!(message("lon,lat\n1,2\n").contains("has no element"));
    assert!(message("<a>".repeat(100)).contains("the root element is `a`"));
    assert!(message(["<gpx>", &"<a>".repeat(5000)].concat()).contains("nested more than 1000 levels deep"));
    for long in [format!("<gpx><!--{}", "x".repeat(70_000)), ["<gpx><wpt>", &"x&lt;".repeat(40_000)].concat()] {
        assert_eq!(message(long), "x.gpx: invalid XML at line 1: a tag or text exceeds 64 MiB");
    }
}

#[test]
fn damaged_files_cause_only_errors() {
    damage(FILE.as_bytes(), 1000, |copy| {
        let Ok((gpx, _file)) = open(copy) else { return false };
        scan(&gpx, &["#lon", "#lat", "time", "name", "hr"], 1).is_ok()
    });
}

#[test]
fn points_have_their_times_and_categories() {
    let (points, rejected) = points(FILE.as_bytes(), "a.gpx");
    let category = |name: &str| Some(name.to_owned());
    assert_eq!(
        points,
        [
            (9.25, None, category("food")),
            (1.0, None, None),
            (3.0, None, None),
            (-179.5, Some(1_714_564_800_000_000), category("running")),
            (7.0, None, None),
        ]
    );
    assert_eq!(rejected.len(), 2);
}
