use proptest::prelude::*;

use super::*;

fn word(big_endian: bool, value: u32) -> [u8; 4] {
    if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// The header of a geometry: byte order, type and SRID, which its ordinates or parts follow.
fn header(big_endian: bool, code: u32, srid: Option<u32>) -> Vec<u8> {
    let mut wkb = vec![u8::from(!big_endian)];
    wkb.extend(word(big_endian, code));
    wkb.extend(srid.into_iter().flat_map(|srid| word(big_endian, srid)));
    wkb
}

fn point(big_endian: bool, code: u32, srid: Option<u32>, ordinates: &[f64]) -> Vec<u8> {
    let number = |value: &f64| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut wkb = header(big_endian, code, srid);
    wkb.extend(ordinates.iter().flat_map(number));
    wkb
}

fn parts(code: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    [header(false, code, None), word(false, parts.len() as u32).to_vec(), parts.concat()].concat()
}

fn hex(wkb: &[u8]) -> String {
    wkb.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// The points that are added after an existing one, and the SRID.
fn read_as(
    encoding: Encoding,
    bytes: &[u8],
    order: Option<AxisOrder>,
) -> Result<(Vec<[f64; 2]>, Option<u32>), GeometryError> {
    let mut out = vec![[9.0, 9.0]];
    let srid = read(encoding, bytes, order, &mut out);
    assert_eq!(out.remove(0), [9.0, 9.0]);
    assert!(srid.is_ok() || out.is_empty(), "a rejected geometry leaves no points");
    srid.map(|srid| (out, srid))
}

fn wkb(bytes: &[u8]) -> Result<Vec<[f64; 2]>, GeometryError> {
    read_as(Encoding::Wkb, bytes, None).map(|(points, _)| points)
}

fn text(text: &str) -> Result<Vec<[f64; 2]>, GeometryError> {
    read_as(Encoding::Text, text.as_bytes(), None).map(|(points, _)| points)
}

#[test]
fn all_dialects_of_wkb_points_are_read() {
    for big_endian in [false, true] {
        for (code, srid, extra) in [
            (1, None, 0),
            (1001, None, 1),
            (2001, None, 1),
            (3001, None, 2),
            (0x8000_0001, None, 1),
            (0x4000_0001, None, 1),
            (0xC000_0001, None, 2),
            (0x2000_0001, Some(4326), 0),
            (0xE000_0001, Some(25832), 2),
        ] {
            let ordinates = [vec![8.5, -47.25], vec![7.0; extra]].concat();
            let bytes = point(big_endian, code, srid, &ordinates);
            let expected = Ok((vec![[8.5, -47.25]], srid));
            assert_eq!(read_as(Encoding::Wkb, &bytes, None), expected, "{code:x}");
            let digits = hex(&bytes);
            for digits in [digits.clone(), digits.to_uppercase(), format!(r"\x{digits}"), format!(" 0x{digits} ")] {
                assert_eq!(sniff(&digits), Some(TextEncoding::HexWkb), "{digits}");
                assert_eq!(read_as(Encoding::Text, digits.as_bytes(), None), expected, "{digits}");
            }
        }
    }
}

#[test]
fn multi_points_and_collections_yield_each_of_their_points() {
    // Each part has its own byte order.
    let multi = parts(1004, &[point(true, 1001, None, &[1.0, 2.0, 0.0]), point(false, 1001, None, &[3.0, 4.0, 0.0])]);
    assert_eq!(wkb(&multi), Ok(vec![[1.0, 2.0], [3.0, 4.0]]));
    let nested = parts(7, &[multi.clone(), parts(7, &[point(false, 1, None, &[5.0, 6.0])])]);
    assert_eq!(wkb(&nested), Ok(vec![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    for cut in 0..nested.len() {
        assert_eq!(wkb(&nested[..cut]), Err(GeometryError::Wkb), "{cut}");
    }
    for cut in 0..21 {
        assert_eq!(wkb(&point(false, 1, None, &[1.0, 2.0])[..cut]), Err(GeometryError::Wkb), "{cut}");
    }
}

#[test]
fn geometries_that_are_not_points_are_rejected_by_name() {
    for (code, name) in [(2, "LineString"), (3, "Polygon"), (6, "MultiPolygon"), (10, "CurvePolygon"), (17, "Triangle")]
    {
        let bytes = [header(false, code, None), vec![0; 4]].concat();
        assert_eq!(wkb(&bytes), Err(GeometryError::NotAPoint(name.into())));
        assert_eq!(
            wkb(&parts(7, &[point(false, 1, None, &[1.0, 2.0]), bytes])),
            Err(GeometryError::NotAPoint(name.into()))
        );
    }
    let ewkb = [header(true, 0xA000_0003, Some(4326)), vec![0; 4]].concat();
    let message =
        "Polygon is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices";
    assert_eq!(wkb(&ewkb).unwrap_err().to_string(), message);
    assert_eq!(text("LINESTRING(1 2, 3 4)"), Err(GeometryError::NotAPoint("LineString".into())));
    assert_eq!(text("curvepolygon z empty"), Err(GeometryError::NotAPoint("CurvePolygon".into())));
    assert_eq!(
        text("GEOMETRYCOLLECTION(POLYGON((1 2, 3 4, 5 6, 1 2)))"),
        Err(GeometryError::NotAPoint("Polygon".into()))
    );
    let line = r#"{"type": "LineString", "coordinates": [[1, 2], [3, 4]]}"#;
    assert_eq!(text(line), Err(GeometryError::NotAPoint("LineString".into())));
}

#[test]
fn empty_geometries_are_rejected_as_empty() {
    let nan = point(false, 1, None, &[f64::NAN; 2]);
    for bytes in [nan.clone(), point(true, 1001, None, &[f64::NAN; 3]), parts(4, &[]), parts(4, &[nan]), parts(7, &[])]
    {
        assert_eq!(wkb(&bytes), Err(GeometryError::Empty));
    }
    for empty in [
        "POINT EMPTY",
        "multipoint z empty",
        "GEOMETRYCOLLECTION EMPTY",
        "SRID=4326;POINT EMPTY",
        r#"{"type": "Point", "coordinates": []}"#,
        r#"{"type": "Point", "coordinates": null}"#,
        r#"{"type": "GeometryCollection", "geometries": []}"#,
        "[]",
    ] {
        assert_eq!(text(empty), Err(GeometryError::Empty), "{empty}");
    }
}

#[test]
fn hostile_counts_and_nesting_are_rejected() {
    let hostile = |code| [header(false, code, None), vec![0xFF; 4]].concat();
    assert_eq!(wkb(&hostile(4)), Err(GeometryError::Wkb));
    assert_eq!(wkb(&hostile(7)), Err(GeometryError::Wkb));
    assert_eq!(wkb(&hostile(2)), Err(GeometryError::NotAPoint("LineString".into())));
    let level = parts(7, &[vec![]]);
    assert_eq!(wkb(&level.repeat(1_000_000)), Err(GeometryError::TooDeep));
    assert_eq!(wkb(&[level.repeat(16), point(false, 1, None, &[1.0, 2.0])].concat()), Ok(vec![[1.0, 2.0]]));
    assert_eq!(text(&"GEOMETRYCOLLECTION(".repeat(100_000)), Err(GeometryError::TooDeep));
    assert_eq!(text(&format!("POINT{}", "(".repeat(100_000))), Err(GeometryError::TooDeep));
    let deep = r#"{"type":"GeometryCollection","geometries":["#.repeat(100_000);
    assert!(matches!(text(&deep), Err(GeometryError::GeoJson(_))));
    assert!(matches!(text(&"[".repeat(100_000)), Err(GeometryError::GeoJson(_))));
    assert_eq!(wkb(b"POINT(1 2)"), Err(GeometryError::Wkb));
    assert_eq!(wkb(&point(false, 99, None, &[])), Err(GeometryError::Wkb));
}

#[test]
fn geopackage_geometries_are_read_after_their_header() {
    for (flags, envelope) in [(0b0001, 0), (0b0011, 32), (0b0101, 48), (0b1001, 64), (0b0000, 0)] {
        let srid = word(flags & 1 == 0, 3857);
        let blob = [b"GP\0", &[flags][..], &srid, &vec![0; envelope], &point(false, 1, None, &[1.0, 2.0])].concat();
        assert_eq!(read_as(Encoding::Wkb, &blob, None), Ok((vec![[1.0, 2.0]], Some(3857))), "{flags:b}");
        for cut in 2..blob.len() {
            let expected = if cut < 8 + envelope { GeometryError::GeoPackage } else { GeometryError::Wkb };
            assert_eq!(read_as(Encoding::Wkb, &blob[..cut], None), Err(expected), "{cut}");
        }
    }
    let undefined = [b"GP\0\x01", &(-1_i32).to_le_bytes()[..], &point(false, 1, None, &[1.0, 2.0])].concat();
    assert_eq!(read_as(Encoding::Wkb, &undefined, None), Ok((vec![[1.0, 2.0]], None)));
    let empty = [b"GP\0\x11", &[0; 4][..], &point(false, 1, None, &[f64::NAN; 2])].concat();
    assert_eq!(read_as(Encoding::Wkb, &empty, None), Err(GeometryError::Empty));
}

#[test]
fn wkt_of_the_standard_and_of_postgis_is_read() {
    for point in [
        "POINT(18.07 59.33)",
        "  point ( 18.07   59.33 ) ",
        "POINT Z (18.07 59.33 12)",
        "POINTZ(18.07 59.33 12)",
        "POINT M (18.07 59.33 12)",
        "Point ZM (18.07 59.33 12 5)",
        "POINT(18.07 59.33 12)",
        "POINT (18.07 59.33 12 5)",
        "MULTIPOINT(18.07 59.33)",
        "GEOMETRYCOLLECTION(POINT(18.07 59.33))",
        "POINT(1.807e1 +59.33)",
    ] {
        assert_eq!(sniff(point), Some(TextEncoding::Wkt), "{point}");
        assert_eq!(text(point), Ok(vec![[18.07, 59.33]]), "{point}");
    }
    for multi in [
        "MULTIPOINT((1 2),(3 4))",
        "MULTIPOINT (1 2, 3 4)",
        "MULTIPOINT((1 2 9), (3 4 9))",
        "MULTIPOINT Z ((1 2 9), (3 4 9))",
        "GEOMETRYCOLLECTION(POINT(1 2), GEOMETRYCOLLECTION(MULTIPOINT(3 4)))",
    ] {
        assert_eq!(text(multi), Ok(vec![[1.0, 2.0], [3.0, 4.0]]), "{multi}");
    }
    for (ewkt, srid) in
        [("SRID=4326;POINT(1 2)", Some(4326)), ("srid = 25832; point(1 2)", Some(25832)), ("SRID=;POINT(1 2)", None)]
    {
        assert_eq!(read_as(Encoding::Text, ewkt.as_bytes(), None), Ok((vec![[1.0, 2.0]], srid)), "{ewkt}");
    }
    for invalid in [
        "POINT",
        "POINT(",
        "POINT(1)",
        "POINT(1,2)",
        "POINT(1 2",
        "POINT(1 2))",
        "POINT(1 2) POINT(3 4)",
        "POINT(a b)",
        "POINT 1 2",
        "POINT()",
        "MULTIPOINT((1 2)(3 4))",
        "POINT(1 2 3 4 5)",
    ] {
        assert_eq!(text(invalid), Err(GeometryError::Wkt), "{invalid}");
    }
    assert_eq!(text("POINTS(1 2)"), Err(GeometryError::Unknown));
}

#[test]
fn geojson_geometries_features_and_positions_are_longitude_first() {
    let geometry = r#"{"type": "Point", "coordinates": [18.07, 59.33, 12]}"#;
    let feature = format!(r#"{{"geometry": {geometry}, "type": "Feature", "properties": {{"type": "x"}}}}"#);
    for point in
        [geometry, &feature, r#" {"coordinates":[18.07,59.33],"type":"Point"} "#, "[18.07, 59.33]", "[18.07,59.33,1]"]
    {
        assert_eq!(text(point), Ok(vec![[18.07, 59.33]]), "{point}");
    }
    let multi = r#"{"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}"#;
    let collection = format!(r#"{{"type": "GeometryCollection", "geometries": [{multi}, {geometry}]}}"#);
    assert_eq!(text(&collection), Ok(vec![[1.0, 2.0], [3.0, 4.0], [18.07, 59.33]]));
    assert_eq!(sniff("[18.07, 59.33]"), Some(TextEncoding::Array));
    assert_eq!(text(r#"{"type": "Feature", "geometry": null}"#), Err(GeometryError::Null));
    for invalid in [
        "{}",
        "{",
        r#"{"type": "Point", "coordinates": "1,2"}"#,
        r#"{"type": "Point", "coordinates": [1]}"#,
        "[1]",
        "[null,1]",
    ] {
        assert!(matches!(text(invalid), Err(GeometryError::GeoJson(_))), "{invalid}: {:?}", text(invalid));
    }
}

#[test]
fn pairs_are_latitude_first_unless_hemispheres_or_the_axis_order_differ() {
    for pair in [
        "59.33, 18.07",
        "(59.33, 18.07)",
        "59.33,18.07",
        "59.33 18.07",
        "59.33;18.07",
        " 59.33\t18.07 ",
        "59.33 18.07 12.5 4",
        "59.33N, 18.07E",
        "18.07E 59.33N",
        "18.07°E, 59.33°",
        "59°19'48\"N, 18°04'12\"E",
        "59 19 48 N, 18 04 12 E",
    ] {
        assert_eq!(sniff(pair), Some(TextEncoding::Pair), "{pair}");
        let points = text(pair).unwrap();
        assert!(
            points.len() == 1 && (points[0][0] - 18.07).abs() < 1e-12 && (points[0][1] - 59.33).abs() < 1e-12,
            "{pair}"
        );
    }
    for invalid in [
        "59.33",
        "59.33, 18.07, x",
        "59.33N, 18.07N",
        "a, b",
        "",
        "59,33 18,07",
        "59,33, 18,07",
        "59.33, 18.07, 12",
        "1 2 3 4 5",
        "59.33 18.07 12 m",
        "2024-05-01 12:30:00",
        "null",
    ] {
        assert_eq!(sniff(invalid), None, "{invalid}");
        assert_eq!(text(invalid), Err(GeometryError::Unknown), "{invalid}");
    }
}

#[test]
fn an_explicit_axis_order_takes_precedence() {
    let order = |order, text: &str| read_as(Encoding::Text, text.as_bytes(), Some(order)).unwrap().0;
    for lat_first in ["POINT(2 1)", "[2, 1]", "2, 1", "2 1"] {
        assert_eq!(order(AxisOrder::LatLon, lat_first), [[1.0, 2.0]], "{lat_first}");
    }
    for lon_first in ["POINT(1 2)", "[1, 2]", "1, 2", "2N 1E"] {
        assert_eq!(order(AxisOrder::LonLat, lon_first), [[1.0, 2.0]], "{lon_first}");
    }
    let bytes = point(false, 1, None, &[2.0, 1.0]);
    assert_eq!(read_as(Encoding::Wkb, &bytes, Some(AxisOrder::LatLon)), Ok((vec![[1.0, 2.0]], None)));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), code in 0..20_u32, flags in 0..8_u32, order in 0..2_u8) {
        let code = if order == 0 { (code | flags << 29).to_be_bytes() } else { (code | flags << 29).to_le_bytes() };
        let likely = [&[order][..], &code, &bytes].concat();
        let blob = [b"GP\0", &bytes[..], &likely].concat();
        for encoding in [Encoding::Wkb, Encoding::Text] {
            for bytes in [&bytes, &likely, &blob] {
                let _ = read_as(encoding, bytes, Some(AxisOrder::LatLon));
            }
        }
        let _ = text(&hex(&likely));
    }

    #[test]
    fn no_text_panics(
        any in "\\PC{0,40}",
        wkt in "(SRID=4326;)?(POINT|MULTIPOINT|GEOMETRYCOLLECTION|[a-z]{3})( Z| EMPTY)?([(), ]|[0-9.eE+-]{1,4}|POINT){0,20}",
        json in "\\{\"type\":\"(Point|MultiPoint|Feature)\",\"(coordinates|geometry)\":[\\[\\]{},0-9.e-]{0,12}\\}",
        pair in "[(]?[-0-9.NSEW°' ]{0,9}[,; ][-0-9.NSEW°' ]{0,9}[)]?",
    ) {
        for value in [any, wkt, json, pair] {
            let _ = text(&value);
        }
    }

    #[test]
    fn wkb_and_text_of_a_point_agree(x in -180.0..180.0, y in -90.0..90.0) {
        let bytes = point(false, 1, None, &[x, y]);
        prop_assert_eq!(wkb(&bytes).unwrap(), [[x, y]]);
        for value in [hex(&bytes), format!("POINT({x} {y})"), format!("[{x},{y}]"), format!("{y}, {x}")] {
            prop_assert_eq!(text(&value).unwrap(), [[x, y]]);
        }
    }
}
