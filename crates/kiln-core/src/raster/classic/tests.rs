//! Dots compared with a naive implementation of the Python library's loop.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::band::{paint, paint_body};
use super::*;

/// Applies the formula to every pixel of every dot's square.
fn naive(px: &[f32], py: &[f32], dot_size: f32, width: usize, height: usize) -> Vec<u8> {
    let mut pixels = vec![255_u32; width * height];
    let half = dot_size / 2.0;
    let radius = f64::from(half * half + half * half).sqrt() / 2.0;
    for (&px, &py) in px.iter().zip(py).filter(|(x, y)| x.is_finite() && y.is_finite()) {
        let mut column = (px.trunc() - half) as i64;
        while (column as f32) < px.trunc() + half {
            for row in (py - half) as i64..(py + half) as i64 {
                if (0..width as i64).contains(&column) && (0..height as i64).contains(&row) {
                    let (dx, dy) = (column as f32 - px, row as f32 - py);
                    let distance = f64::from(dx * dx + dy * dy).sqrt();
                    let value = (200.0 * (distance / radius) + 50.0).min(255.0) as u32;
                    let pixel = &mut pixels[row as usize * width + column as usize];
                    *pixel = *pixel * value / 255;
                }
            }
            column += 1;
        }
    }
    pixels.into_iter().map(|pixel| pixel as u8).collect()
}

fn blend(px: &[f32], py: &[f32], dot_size: f32, window: Window, threads: usize) -> Grid<u8> {
    Dots::new(px, py, dot_size).unwrap().blend(window, threads).unwrap()
}

fn full(px: &[f32], py: &[f32], dot_size: f32, width: usize, height: usize) -> Vec<u8> {
    blend(px, py, dot_size, Window::full(width, height), 1).cells().to_vec()
}

/// Dots in and around a canvas of `width` × `height`: scattered, on integer positions, clustered, or not finite.
fn dots(width: usize, height: usize) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let axis = |side: usize| {
        let side = side as f32;
        prop_oneof![
            8 => -0.5 * side..1.5 * side,
            4 => (0.0..1.0_f32).prop_map(move |fraction| (fraction * side).round()),
            8 => (0.0..4.0_f32).prop_map(move |offset| side / 2.0 + offset),
            1 => prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(-1e30), Just(3e9)],
        ]
    };
    prop::collection::vec((axis(width), axis(height)), 0..120).prop_map(|dots| dots.into_iter().unzip())
}

/// The size of a picture, dots in and around it, and the dot size.
fn pictures() -> impl Strategy<Value = (usize, usize, Vec<f32>, Vec<f32>, f32)> {
    let dot_size = prop_oneof![(1..10_u8).prop_map(f32::from), (1..90_u8).prop_map(f32::from), 0.1..40.0_f32];
    (1..90_usize, 1..90_usize).prop_flat_map(move |(width, height)| {
        (dots(width, height), dot_size.clone()).prop_map(move |((px, py), dot_size)| (width, height, px, py, dot_size))
    })
}

proptest! {
    #[test]
    fn dots_are_those_of_the_naive_loop((width, height, px, py, dot_size) in pictures()) {
        prop_assert_eq!(full(&px, &py, dot_size, width, height), naive(&px, &py, dot_size, width, height));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes((width, height, px, py, dot_size) in pictures(), threads in 0..9_usize) {
        let grid = blend(&px, &py, dot_size, Window::full(width, height), threads);
        prop_assert_eq!(grid.cells(), full(&px, &py, dot_size, width, height));
    }

    #[test]
    fn a_window_is_a_part_of_the_full_picture(
        (width, height, px, py, dot_size) in pictures(),
        fractions in [0.0..1.0_f32, 0.0..1.0, 0.0..1.0, 0.0..1.0],
        threads in 1..4_usize,
    ) {
        let scale = |i: usize, side: usize| (fractions[i] * side as f32) as usize;
        let (column, row) = (scale(0, width), scale(1, height));
        let window = Window { column, row, width: scale(2, width - column), height: scale(3, height - row) };
        let full = blend(&px, &py, dot_size, Window::full(width, height), 1);
        let grid = blend(&px, &py, dot_size, window, threads);
        prop_assert_eq!((grid.width(), grid.height()), (window.width, window.height));
        for line in 0..window.height {
            prop_assert_eq!(grid.row(line), &full.row(row + line)[column..column + window.width]);
        }
    }

    #[test]
    fn the_vector_width_does_not_change_the_result((width, height, px, py, dot_size) in pictures()) {
        let dots = Dots::new(&px, &py, dot_size).unwrap();
        let draw = |paint: fn(&mut Band, &Dots<'_>)| {
            let mut band = Band::new(Window::full(width, height));
            paint(&mut band, &dots);
            let mut pixels = vec![0; width * height];
            band.write_to(&mut pixels);
            pixels
        };
        prop_assert_eq!(draw(paint), draw(paint_body));
    }

    #[test]
    fn every_point_is_counted_once((width, height, px, py, dot_size) in pictures()) {
        let dots = Dots::new(&px, &py, dot_size).unwrap();
        let counts = dots.count(Window::full(width, height));
        prop_assert_eq!(counts.drawn + counts.outside + counts.not_finite, px.len());
        let touching = px.iter().zip(&py).filter(|&(&x, &y)| naive(&[x], &[y], dot_size, width, height).iter().any(|&p| p < 255));
        prop_assert!(counts.drawn >= touching.count());
    }
}

#[test]
fn saturated_tiles_stay_exact() {
    // A cluster that saturates most tiles, and then a few more dots across its border.
    let (mut px, mut py) = (Vec::new(), Vec::new());
    for i in 0..4_000_u16 {
        let (angle, radius) = (f32::from(i) * 2.4, f32::from(i % 97) * 0.7);
        px.push(100.0 + radius * angle.cos());
        py.push(70.0 + radius * angle.sin());
    }
    px.extend([20.5, 101.25, 198.0]);
    py.extend([70.0, 3.75, 140.0]);
    let expected = naive(&px, &py, 40.0, 200, 140);
    let black = expected.iter().filter(|&&pixel| pixel < 1).count();
    assert!(black > 10_000, "only {black} pixels are 0");
    assert_eq!(full(&px, &py, 40.0, 200, 140), expected);
    assert_eq!(blend(&px, &py, 40.0, Window::full(200, 140), 3).cells(), expected);
}

#[test]
fn a_dot_larger_than_the_canvas_covers_it() {
    let pixels = full(&[-300.0, 900.5], &[10.0, -700.25], 3000.0, 33, 21);
    assert_eq!(pixels, naive(&[-300.0, 900.5], &[10.0, -700.25], 3000.0, 33, 21));
    assert!(pixels.iter().all(|&pixel| pixel < 252));
}

#[test]
fn a_dot_centered_outside_can_overlap_the_window() {
    let counts = Dots::new(&[-10.0, -40.0], &[20.0, 20.0], 60.0).unwrap().count(Window::full(40, 40));
    assert_eq!(counts, DotCounts { drawn: 1, outside: 1, not_finite: 0 });
    assert!(full(&[-10.0], &[20.0], 60.0, 40, 40).iter().any(|&pixel| pixel < 253));
}

#[test]
fn points_multiply_in_their_order() {
    assert_eq!(full(&[3.0; 4], &[3.0; 4], 20.0, 7, 7)[3 * 7 + 3], 0);
    let center = |n: usize| full(&vec![3.0; n], &vec![3.0; n], 20.0, 7, 7)[3 * 7 + 3];
    assert_eq!([center(0), center(1), center(2), center(3)], [255, 50, 9, 1]);
}

#[test]
fn size_1_draws_nothing_and_size_2_draws_at_an_integer_position() {
    assert!(full(&[5.0, 7.3], &[5.0, 2.9], 1.0, 12, 12).iter().all(|&pixel| pixel == 255));
    assert_eq!(full(&[5.0], &[5.0], 2.0, 12, 12).iter().filter(|&&pixel| pixel < 253).count(), 1);
}

#[test]
fn windows_at_large_offsets_are_the_same() {
    let far = MAX_SIDE_PX - 64;
    let window = Window { column: far, row: far, width: 64, height: 64 };
    let offset = far as f32;
    let near = full(&[20.25, 60.5], &[30.5, 1.75], 50.0, 64, 64);
    let grid = blend(&[offset + 20.25, offset + 60.5], &[offset + 30.5, offset + 1.75], 50.0, window, 2);
    assert_eq!(grid.cells(), near);
}

#[test]
fn errors_name_the_parameter() {
    let message = |result: Result<Dots<'_>>| result.unwrap_err().to_string();
    for dot_size in [0.0, -3.0, f32::NAN, f32::INFINITY, MAX_DOT_SIZE * 1.01] {
        assert!(message(Dots::new(&[], &[], dot_size)).starts_with("dot_size: "));
    }
    assert!(message(Dots::new(&[1.0], &[], 20.0)).starts_with("points: "));
    let dots = Dots::new(&[], &[], 20.0).unwrap();
    let beyond = Window { column: usize::MAX, row: 0, width: 2, height: 2 };
    assert!(dots.blend(beyond, 1).unwrap_err().to_string().starts_with("size: "));
    assert_eq!(dots.blend(Window::full(5, 1), usize::MAX).unwrap().cells(), [255; 5]);
    assert_eq!(dots.blend(Window::full(0, 5), 1).unwrap().cells(), &[] as &[u8]);
}
