#![no_main]

use kiln_core::geo::Polygon;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(polygon) = Polygon::from_geojson(text) else { return };
    let bounds = polygon.bounds();
    let middle = |from: f64, to: f64| from / 2.0 + to / 2.0;
    let lon = [bounds.west, middle(bounds.west, bounds.east), bounds.east, -180.0, 0.0, 180.0, 359.9];
    let lat = [bounds.south, middle(bounds.south, bounds.north), bounds.north, -90.0, 0.0, 90.0, 12.3];
    // The tests of single points and of all points must agree.
    let mut inside = Vec::new();
    polygon.contains_all(&lon, &lat, &mut inside);
    for ((&lon, &lat), &inside) in lon.iter().zip(&lat).zip(&inside) {
        assert_eq!(polygon.contains(lon, lat), inside, "{lon}, {lat}");
    }
});
