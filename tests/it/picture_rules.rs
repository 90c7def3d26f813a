//! Properties of every rendered picture.

use kiln::geo::{Bounds, Canvas, Points, Projection, TileCoord};
use kiln::layer::{Blend, Heatmap, Radius, Style, Units, render};
use kiln::raster::{Aggregation, Curve, Grid, Shape};
use kiln::source::{CoordinateSpace, MemorySource, Query};
use proptest::prelude::*;

type Point = (f64, f64, f32);

fn draw(points: &[Point], canvas: &Canvas, style: &Style, threads: usize) -> Heatmap {
    let lon: Vec<f64> = points.iter().map(|p| p.0).collect();
    let lat: Vec<f64> = points.iter().map(|p| p.1).collect();
    let weight: Vec<f32> = points.iter().map(|p| p.2).collect();
    let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap();
    let space = if canvas.projection() == Projection::Plane { CoordinateSpace::Plane } else { CoordinateSpace::Globe };
    let query = Query::default().with_coordinate_space(space).with_weights(true);
    render(&MemorySource(points), &query, canvas, style, threads).unwrap()
}

/// A style with a fixed span.
fn fixed() -> Style {
    Style {
        vmin: Some(0.0),
        vmax: Some(0.05),
        units: Some(Units::PerPx),
        radius: Radius::Pixels(7.0),
        ..Style::new().unwrap()
    }
}

/// Points all over the globe, with more of them at difficult positions: the antimeridian, the poles, one position, one
/// city.
fn points() -> impl Strategy<Value = Vec<Point>> {
    let anywhere = (-180.0..=180.0, -90.0..=90.0);
    let antimeridian = (prop_oneof![-180.0..-177.0, 177.0..=180.0], -80.0..80.0);
    let poles = (-180.0..=180.0, prop_oneof![-90.0..=-84.0, 84.0..=90.0]);
    let spot = (Just(-180.0), Just(0.0));
    let city = (18.0..18.2, 59.2..59.4);
    let position = prop_oneof![anywhere, antimeridian, poles, spot, city];
    prop::collection::vec((position, -2.0f32..5.0).prop_map(|((lon, lat), weight)| (lon, lat, weight)), 0..120)
}

fn canvas() -> impl Strategy<Value = Canvas> {
    let bounds = prop_oneof![
        Just(Bounds::WORLD),
        Just(Bounds::new(160.0, -60.0, 210.5, 70.0).unwrap()),
        Just(Bounds::new(-181.3, 40.0, -170.1, 89.0).unwrap()),
        Just(Bounds::new(17.9, 59.1, 18.3, 59.5).unwrap()),
        Just(Bounds::new(-400.0, -85.0, 420.0, 85.0).unwrap()),
    ];
    let projection = prop::sample::select(vec![Projection::Mercator, Projection::PlateCarree, Projection::Plane]);
    (bounds, projection, 20u32..200, 20u32..150)
        .prop_map(|(bounds, projection, width, height)| Canvas::new(projection, bounds, width, height).unwrap())
}

fn style() -> impl Strategy<Value = Style> {
    let shape = prop::sample::select(Shape::ALL.map(|(_, shape)| shape).to_vec());
    let aggregation = prop::sample::select(Aggregation::ALL.map(|(_, aggregation)| aggregation).to_vec());
    let curve = prop::sample::select(vec![Curve::Linear, Curve::Sqrt, Curve::Log]);
    let blend = prop_oneof![4 => Just(Blend::Add), 1 => Just(Blend::Classic)];
    (shape, aggregation, curve, blend, 0.5f64..12.0).prop_map(|(shape, aggregation, curve, blend, radius_px)| Style {
        shape,
        aggregation,
        curve,
        blend,
        radius: Radius::Pixels(radius_px),
        ..fixed()
    })
}

fn crop(full: &Grid<u8>, left: u32, top: u32, width: u32, height: u32) -> Vec<u8> {
    (top..top + height)
        .flat_map(|row| full.row(row as usize)[left as usize..(left + width) as usize].to_vec())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn four_windows_equal_the_picture_at_any_number_of_threads(
        points in points(), canvas in canvas(), style in style(), split in (0.1f64..0.9, 0.1f64..0.9),
    ) {
        // On a plane, the classic blend computes in f32 from the picture's corner, as the old library does, so windows
        // differ.
        prop_assume!(style.blend == Blend::Add || canvas.projection() != Projection::Plane);
        let (width, height) = (canvas.width(), canvas.height());
        let (left_width, top_height) = ((f64::from(width) * split.0) as u32, (f64::from(height) * split.1) as u32);
        let full = draw(&points, &canvas, &style, 1).indices;
        for threads in 1..=3 {
            prop_assert_eq!(&draw(&points, &canvas, &style, threads).indices, &full);
            for (left, wide) in [(0, left_width), (left_width, width - left_width)] {
                for (top, high) in [(0, top_height), (top_height, height - top_height)] {
                    let window = canvas.window(left.into(), top.into(), wide, high).unwrap();
                    let quarter = draw(&points, &window, &style, threads).indices;
                    prop_assert_eq!(quarter.cells(), crop(&full, left, top, wide, high));
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_points_does_not_matter(
        points in points(), canvas in canvas(), style in style(), seed in any::<u64>(),
    ) {
        prop_assume!(style.blend == Blend::Add);
        let mut shuffled = points.clone();
        let mut state = seed;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(draw(&points, &canvas, &style, 2).indices, draw(&shuffled, &canvas, &style, 2).indices);
    }

    #[test]
    fn every_point_is_counted_as_drawn_outside_or_rejected(points in points(), canvas in canvas(), broken in 0usize..5) {
        let mut points = points;
        points.extend([(f64::NAN, 0.0, 1.0), (0.0, f64::INFINITY, 1.0), (0.0, 0.0, f32::NAN)].iter().take(broken));
        let heat = draw(&points, &canvas, &fixed(), 2);
        prop_assert_eq!(heat.report.rejected as usize, broken.min(3));
        prop_assert_eq!(heat.report.read as usize, points.len());
        // A canvas that shows the world more than once draws a point more than once.
        if canvas.bounds().east - canvas.bounds().west <= 180.0 {
            prop_assert_eq!(heat.drawn + heat.outside + heat.report.rejected, points.len() as u64);
        }
    }
}

#[test]
fn tiles_equal_the_picture_of_the_world() {
    let points: Vec<Point> = (0..3000)
        .map(|i| (f64::from(i) * 0.618_034 % 360.0 - 180.0, f64::from(i) * 0.414_214 % 170.0 - 85.0, 1.0))
        .collect();
    let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 1024, 1024).unwrap();
    let full = draw(&points, &world, &fixed(), 2).indices;
    for y in 0..4 {
        for x in 0..4 {
            let tile = Canvas::tile(TileCoord::new(2, x, y).unwrap(), 256).unwrap();
            let drawn = draw(&points, &tile, &fixed(), 1).indices;
            assert_eq!(drawn.cells(), crop(&full, x * 256, y * 256, 256, 256), "tile 2/{x}/{y}");
        }
    }
}

#[test]
fn dots_overlap_the_canvas_edge_and_the_antimeridian() {
    let canvas = Canvas::new(Projection::Mercator, Bounds::new(0.0, 0.0, 10.0, 10.0).unwrap(), 100, 100).unwrap();
    let heat = draw(&[(-0.2, 5.0, 1.0)], &canvas, &fixed(), 1);
    assert_eq!((heat.drawn, heat.outside), (1, 0));
    assert!(heat.indices.row(50)[0] > 0 && heat.indices.row(50)[30] == 0);
    let far = draw(&[(-50.0, 5.0, 1.0)], &canvas, &fixed(), 1);
    assert_eq!((far.drawn, far.outside), (0, 1));
    let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 256, 256).unwrap();
    let row = draw(&[(179.9, 0.0, 1.0)], &world, &fixed(), 1).indices.row(127).to_vec();
    assert!(row[255] > 0 && row[0] > 0 && row[128] == 0);
}

#[test]
fn negative_weights_are_subtracted() {
    let canvas = Canvas::new(Projection::Plane, Bounds::new(0.0, 0.0, 40.0, 40.0).unwrap(), 40, 40).unwrap();
    let style = Style { radius: Radius::Pixels(7.0), ..Style::new().unwrap() };
    let heat = draw(&[(10.5, 20.5, 4.0), (30.5, 20.5, -4.0)], &canvas, &style, 1);
    let values = heat.values.unwrap();
    assert!((values.span.vmin + values.span.vmax).abs() < 1e-3 * values.span.vmax);
    let row = heat.indices.row(19);
    assert!(row[10] == 255 && row[30] == 1, "{row:?}");
    let nothing = draw(&[(10.5, 20.5, 4.0), (10.5, 20.5, -4.0)], &canvas, &fixed(), 1);
    assert!(nothing.indices.cells().iter().all(|&index| index == 0));
}
