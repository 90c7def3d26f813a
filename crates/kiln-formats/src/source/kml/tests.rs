use super::super::table_testing::{CollectedRows, columns, damage, points, scan, values};
use super::super::testing::file;
use super::super::xml::XmlTable;
use super::*;
use kiln_core::error::Result;
use kiln_core::source::ReadOptions;

fn open(content: impl AsRef<[u8]>) -> Result<(XmlTable<Kml>, tempfile::NamedTempFile)> {
    let file = file(content);
    Ok((XmlTable::open(file.path(), "x.kml".to_owned(), &ReadOptions::default())?, file))
}

fn read(content: impl AsRef<[u8]>, names: &[&str]) -> CollectedRows {
    let (kml, _file) = open(content).unwrap();
    scan(&kml, names, 1).unwrap()
}

const FILE: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>
 <name>not a row</name>
 <Placemark><name>first</name>
  <LookAt><gx:TimeStamp><when>1999</when></gx:TimeStamp><longitude>0</longitude></LookAt>
  <TimeStamp><when>2024-05-01</when></TimeStamp><styleUrl>#a</styleUrl>
  <ExtendedData><Data name="mag"><displayName>M</displayName><value>4.5</value></Data>
   <SchemaData schemaUrl="#s"><SimpleData name="depth">10</SimpleData></SchemaData></ExtendedData>
  <Point><altitudeMode>absolute</altitudeMode><coordinates> 9.25,48.5,100 </coordinates></Point></Placemark>
 <Folder><Placemark id="2"><TimeSpan><begin>2024-06</begin><end>2024-07</end></TimeSpan>
  <MultiGeometry><Point><coordinates>1,2</coordinates></Point>
   <LineString><coordinates>1,2 3,4</coordinates></LineString>
   <Point><coordinates>3, 4</coordinates></Point></MultiGeometry><name>last</name></Placemark></Folder>
 <Placemark><name>track</name><gx:Track>
  <when>2024-01-01T00:00:00Z</when><when>2024-01-01T00:00:01Z</when>
  <gx:coord>5 6 7</gx:coord><gx:coord>-7.5 8 0</gx:coord><gx:coord/></gx:Track></Placemark>
 <Placemark><name>area</name><Polygon><outerBoundaryIs><LinearRing><coordinates>0,0 1,0 1,1 0,0</coordinates></LinearRing>
  </outerBoundaryIs></Polygon></Placemark>
 <Placemark><name>nowhere</name><address>Rome</address></Placemark>
 <Placemark><Point><coordinates>a,b</coordinates></Point></Placemark>
</Document></kml>
"##;

#[test]
fn points_of_placemarks_and_tracks_are_rows() {
    let (kml, _file) = open(FILE).unwrap();
    assert_eq!(
        columns(&kml),
        [
            "lon: Float64",
            "lat: Float64",
            "name: Utf8",
            "time: Utf8",
            "styleUrl: Utf8",
            "mag: Utf8",
            "depth: Utf8",
            "address: Utf8"
        ]
    );
    let rows = scan(&kml, &["#lon", "#lat", "name", "time", "#mag", "#depth", "styleUrl"], 1).unwrap();
    let row = |text: &str| Ok(text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let advice = "is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices";
    let invalid = "the coordinates are invalid; expected longitude, latitude";
    assert_eq!(
        rows.rows,
        [
            row("9.25 48.5 first 2024-05-01 4.5 10 #a"),
            row("1 2 last 2024-06 - - -"),
            Err(format!("LineString {advice}")),
            row("3 4 last 2024-06 - - -"),
            row("5 6 track 2024-01-01T00:00:00Z - - -"),
            row("-7.5 8 track 2024-01-01T00:00:01Z - - -"),
            Err(invalid.to_owned()),
            Err(format!("Polygon {advice}")),
            Err("the placemark has no point".to_owned()),
            Err(invalid.to_owned()),
        ]
    );
    assert_eq!(rows.bytes, FILE.len() as u64);
}

#[test]
fn points_of_a_long_track_become_rows_before_its_end() {
    use std::fmt::Write;
    let mut track = String::from("<kml><Placemark><name>t</name><Track>");
    for second in 0..20_000 {
        write!(track, "<when>{second}</when><coord>{} 1 0</coord>", second % 100).unwrap();
    }
    track.push_str("</Track><TimeStamp><when>late</when></TimeStamp></Placemark></kml>");
    let rows = values(&read(track, &["name", "#lon", "time"]));
    assert_eq!(rows.len(), 20_000);
    assert_eq!(rows.first().unwrap(), "t 0 0");
    assert_eq!(rows.last().unwrap(), "t 99 19999");
}

#[test]
fn other_and_truncated_files_are_errors() {
    let message = |content: &str| open(content).unwrap_err().to_string();
    assert_eq!(message("<gpx/>"), "x.kml: the root element is `gpx`; expected the root element `kml`");
    assert!(message("<kml><Placemark>").contains("was the file truncated?"));
}

#[test]
fn damaged_files_cause_only_errors() {
    damage(FILE.as_bytes(), 1000, |copy| {
        let Ok((kml, _file)) = open(copy) else { return false };
        scan(&kml, &["#lon", "#lat", "time", "name", "mag"], 1).is_ok()
    });
}

#[test]
fn points_have_their_times() {
    let (points, rejected) = points(FILE.as_bytes(), "a.kml");
    let (first, second) = (1_704_067_200_000_000, 1_704_067_201_000_000);
    let (may, june) = (1_714_521_600_000_000, 1_717_200_000_000_000);
    let expected = [(9.25, may), (1.0, june), (3.0, june), (5.0, first), (-7.5, second)];
    assert_eq!(points, expected.map(|(lon, time)| (lon, Some(time), None)));
    assert_eq!(rejected.len(), 5);
}
