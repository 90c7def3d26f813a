//! Geometry columns.

use super::*;

fn wkb_point(x: f64, y: f64) -> Vec<u8> {
    [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &y.to_le_bytes()].concat()
}

#[test]
fn points_of_geometries_are_read_and_others_are_rejected_by_name() {
    let fields = "optional binary place; optional double weight;";
    let multi = [&[1, 4, 0, 0, 0, 2, 0, 0, 0][..], &wkb_point(3.0, 4.0), &wkb_point(5.0, 6.0)].concat();
    let line = vec![1, 2, 0, 0, 0, 0, 0, 0, 0];
    let columns = || {
        vec![
            column::<ByteArrayType>(
                [Some(wkb_point(1.0, 2.0)), Some(line.clone()), None, Some(multi.clone())]
                    .map(|cell| cell.map(ByteArray::from)),
            ),
            doubles(&[1.0, 2.0, 3.0, 4.0]),
        ]
    };
    let geo = r#"{"version": "1.1.0", "primary_column": "place", "columns": {"place": {"encoding": "WKB"}}}"#;
    let (seen, report) = scan(&write(geo_metadata(geo), fields, &[columns()]), &weighted()).unwrap();
    assert_eq!(seen, [(1.0, 2.0, 1.0), (3.0, 4.0, 4.0), (5.0, 6.0, 4.0)]);
    assert_eq!(
        reasons(&report),
        [
            (
                2,
                "place: LineString is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices"
            ),
            (3, "place: the geometry is empty")
        ]
    );

    // Without metadata, the geometry column is found by its type or its name.
    for fields in ["optional binary place (GEOMETRY); optional double w;", "optional binary GEOM; optional double w;"] {
        let (seen, _) = scan(&plain(fields, columns()), &Query::default()).unwrap();
        assert_eq!(seen.len(), 3, "{fields}");
    }
    assert!(error(&plain(fields, columns()), &Query::default()).contains("name one with lon: \"place\", \"weight\""));
}

#[test]
fn geometries_in_other_reference_systems_are_transformed_unless_the_space_is_a_plane() {
    let geo = r#"{"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB",
        "crs": {"name": "WGS 84 / Pseudo-Mercator", "id": {"authority": "EPSG", "code": 3857}}}}}"#;
    let fields = "optional binary geometry;";
    let file = write(geo_metadata(geo), fields, &[vec![bytes([wkb_point(1e6, 6e6)])]]);
    let (seen, _) = scan(&file, &Query::default()).unwrap();
    assert!((seen[0].0 - 8.983_152_84).abs() < 1e-6 && (seen[0].1 - 47.353_705).abs() < 1e-6, "{seen:?}");
    let plane = Query::default().with_coordinate_space(CoordinateSpace::Plane);
    assert_eq!(scan(&file, &plane).unwrap().0, [(1e6, 6e6, 1.0)]);
    let polygons = geo.replace("WKB", "polygon");
    let file = write(geo_metadata(&polygons), fields, &[vec![bytes([vec![]])]]);
    assert!(
        error(&file, &plane)
            .contains("unsupported encoding polygon of the geometry `geometry`; expected WKB, point or multipoint")
    );
}

#[test]
fn geoarrow_points_are_read_and_coordinate_columns_take_precedence() {
    let fields = "optional group geometry { required double x; required double y; } optional binary geom; ";
    let inner = |value: f64| -> Column {
        Box::new(move |writer| {
            writer.typed::<DoubleType>().write_batch(&[value], Some(&[1, 0]), None).unwrap();
        })
    };
    let geo = r#"{"primary_column": "geometry", "columns": {"geometry": {"encoding": "point"}}}"#;
    let geom = || bytes([wkb_point(7.0, 8.0), wkb_point(7.0, 8.0)]);
    let file = write(geo_metadata(geo), fields, &[vec![inner(1.0), inner(2.0), geom()]]);
    let (seen, report) = scan(&file, &Query::default()).unwrap();
    assert_eq!(seen, [(1.0, 2.0, 1.0)]);
    assert_eq!(reasons(&report), [(2, "geometry: the geometry is empty")]);

    let file = plain(
        "optional binary geom; optional double lon; optional double lat;",
        vec![geom(), doubles(&[1.0, 1.0]), doubles(&[2.0, 2.0])],
    );
    assert_eq!(scan(&file, &Query::default()).unwrap().0, [(1.0, 2.0, 1.0); 2]);
    let file = plain("optional binary geom; optional double lon;", vec![geom(), doubles(&[1.0, 1.0])]);
    assert_eq!(scan(&file, &Query::default()).unwrap().0, [(7.0, 8.0, 1.0); 2]);
}
