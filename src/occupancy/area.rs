//! The areas of rooms.

use super::room::Polygons;
use crate::geo::EARTH_RADIUS_M;
use crate::source::CoordinateSpace;

/// An edge from its lower to its upper end.
#[derive(Clone, Copy)]
struct Edge {
    low: [f64; 2],
    high: [f64; 2],
    polygon: usize,
}

impl Edge {
    fn x_at(&self, y: f64) -> f64 {
        let ([x0, y0], [x1, y1]) = (self.low, self.high);
        let part = (y - y0) / (y1 - y0);
        if part >= 1.0 { x1 } else { x0 + part * (x1 - x0) }
    }
}

/// The area in square meters of what is inside polygons: inside an odd number of the rings of a polygon, and of at least
/// one of them. It is exact on a plane; on the globe it is that on the sphere, with the sine of the latitude linear along
/// the edges. `None` if there are too many edges side by side.
pub(super) fn area_m2(polygons: &Polygons, space: CoordinateSpace) -> Option<f64> {
    // Relative to the first vertex, so that a distant origin costs no precision.
    let origin = polygons.iter().flatten().flatten().next().copied().unwrap_or_default();
    let position = |[x, y]: [f64; 2]| {
        if space.wraps() {
            // Lambert's cylindrical equal-area projection.
            let sine = |lat: f64| lat.to_radians().sin();
            [(x - origin[0]).to_radians() * EARTH_RADIUS_M, (sine(y) - sine(origin[1])) * EARTH_RADIUS_M]
        } else {
            [x - origin[0], y - origin[1]]
        }
    };
    let mut edges = Vec::new();
    for (polygon, rings) in polygons.iter().enumerate() {
        for ends in rings.iter().flat_map(|ring| ring.windows(2)) {
            let [a, b] = [ends[0], ends[1]].map(position);
            if a[1] < b[1] {
                edges.push(Edge { low: a, high: b, polygon });
            } else if b[1] < a[1] {
                edges.push(Edge { low: b, high: a, polygon });
            }
        }
    }
    edges.sort_unstable_by(|a, b| a.low[1].total_cmp(&b.low[1]));
    let mut heights: Vec<f64> = edges.iter().flat_map(|edge| [edge.low[1], edge.high[1]]).collect();
    heights.sort_unstable_by(f64::total_cmp);
    heights.dedup();
    let mut steps = 0;
    let mut active: Vec<Edge> = Vec::new();
    let (mut next, mut area) = (edges.iter().copied().peekable(), 0.0);
    for ends in heights.windows(2) {
        active.retain(|edge| edge.high[1] > ends[0]);
        while let Some(edge) = next.next_if(|edge| edge.low[1] <= ends[0]) {
            active.push(edge);
        }
        area += slab_area(&active, polygons.len(), [ends[0], ends[1]], &mut steps)?;
    }
    Some(area)
}

/// The area between two heights, between which no edge starts or ends. `None` after too many steps in total.
fn slab_area(active: &[Edge], polygons: usize, [bottom, top]: [f64; 2], steps: &mut usize) -> Option<f64> {
    const MAX_STEPS: usize = 10_000_000;
    let mut count = |more: usize| {
        *steps += more;
        (*steps <= MAX_STEPS).then_some(())
    };
    count(active.len() + polygons)?;
    let mut sides: Vec<[f64; 2]> = active.iter().map(|edge| [edge.x_at(bottom), edge.x_at(top)]).collect();
    sides.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut heights = vec![bottom, top];
    if !sides.is_sorted_by(|a, b| a[1] <= b[1]) {
        count(sides.len() * sides.len())?;
        for (i, [bottom_1, top_1]) in sides.iter().enumerate() {
            for [bottom_2, top_2] in &sides[i + 1..] {
                let (below, above) = (bottom_2 - bottom_1, top_1 - top_2);
                if above > 0.0 && below > 0.0 {
                    heights.push(bottom + (top - bottom) * (below / (below + above)));
                }
            }
        }
        heights.sort_unstable_by(f64::total_cmp);
        heights.dedup();
    }
    let mut area = 0.0;
    let mut crossings = Vec::with_capacity(active.len());
    let mut is_inside = vec![false; polygons];
    for ends in heights.windows(2) {
        count(active.len())?;
        // The width is linear between crossings.
        let middle = ends[0].midpoint(ends[1]);
        crossings.clear();
        crossings.extend(active.iter().map(|edge| (edge.x_at(middle), edge.polygon)));
        crossings.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut width, mut start, mut inside) = (0.0, 0.0, 0_usize);
        for &(x, polygon) in &crossings {
            is_inside[polygon] = !is_inside[polygon];
            match (is_inside[polygon], inside) {
                (true, 0) => (start, inside) = (x, 1),
                (true, _) => inside += 1,
                (false, 1) => (width, inside) = (width + (x - start), 0),
                (false, _) => inside = inside.saturating_sub(1),
            }
        }
        area += width * (ends[1] - ends[0]);
    }
    Some(area)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Polygon;

    fn square(west: f64, south: f64, side: f64) -> Vec<[f64; 2]> {
        let (east, north) = (west + side, south + side);
        vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
    }

    fn plane(polygons: &Polygons) -> f64 {
        area_m2(polygons, CoordinateSpace::Plane).unwrap()
    }

    #[test]
    fn the_area_is_that_of_the_points_inside() {
        let bow_tie = vec![[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]];
        let twice = [square(0.0, 0.0, 2.0), square(0.0, 0.0, 2.0)].concat();
        for (polygons, area) in [
            (vec![vec![square(1e8, 1e8, 0.5)]], 0.25),
            (vec![vec![square(0.0, 0.0, 4.0), square(1.0, 1.0, 2.0)]], 12.0),
            (vec![vec![bow_tie]], 2.0),
            (vec![vec![twice]], 0.0),
            // A hole outside of its polygon is inside one ring.
            (vec![vec![square(0.0, 0.0, 2.0), square(1.0, 1.0, 2.0)]], 6.0),
            (vec![vec![square(0.0, 0.0, 2.0)], vec![square(1.0, 1.0, 2.0)]], 7.0),
        ] {
            assert!((plane(&polygons) - area).abs() < 1e-12, "{area}: {}", plane(&polygons));
        }
    }

    #[test]
    fn the_area_of_a_star_is_that_of_the_counted_points() {
        const SIDE: f64 = 0.02;
        let corner = |i: u32| {
            let (sin, cos) = (f64::from(i) * 2.4).sin_cos();
            [10.0 * cos, 10.0 * sin]
        };
        let ring: Vec<_> = (0..11).map(corner).chain([corner(0)]).collect();
        let polygons = vec![vec![ring], vec![square(3.0, 3.0, 5.0)]];
        let polygon = Polygon::on_plane(&polygons).unwrap();
        let center = |i: i32| (f64::from(i) + 0.5) * SIDE;
        let inside = (-500..500).flat_map(|x| (-500..500).map(move |y| [center(x), center(y)]));
        let counted = inside.filter(|[x, y]| polygon.contains(*x, *y)).count() as f64 * SIDE * SIDE;
        assert!((plane(&polygons) - counted).abs() < 0.2, "{} {counted}", plane(&polygons));
    }

    #[test]
    fn too_many_edges_side_by_side_have_no_area() {
        let spikes = (0..40_000).map(|i| [f64::from(i), f64::from(i % 2) * (1e5 + f64::from(i))]);
        let ring: Vec<_> = spikes.chain([[0.0, -1.0], [0.0, 0.0]]).collect();
        assert_eq!(area_m2(&vec![vec![ring]], CoordinateSpace::Plane), None);
    }

    #[test]
    fn the_area_on_the_globe_is_that_on_the_sphere() {
        // An octant: a quarter of a hemisphere.
        let ring = vec![[0.0, 0.0], [90.0, 0.0], [90.0, 90.0], [0.0, 90.0], [0.0, 0.0]];
        let octant = std::f64::consts::FRAC_PI_2 * EARTH_RADIUS_M * EARTH_RADIUS_M;
        assert!((area_m2(&vec![vec![ring]], CoordinateSpace::Globe).unwrap() / octant - 1.0).abs() < 1e-12);
    }
}
