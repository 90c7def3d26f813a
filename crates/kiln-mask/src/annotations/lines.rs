//! Lines of one pixel's width between pixels, as Bresenham draws them.

/// The greatest distance of a coordinate from 0, with which the products below fit 64 bits.
pub(super) const MAX_COORDINATE: f64 = (1_u64 << 29) as f64;

/// A point with an index of a column and one of a row.
pub(super) type Pixel = (i64, i64);

/// The first and the last column of the pixels of a line in row `y`, which the line reaches.
///
/// The line runs from its left end to its right, and a point half between two pixels goes to the one nearer to the left end: the
/// rule of `cv::LineIterator` for 8-connected lines. Bresenham, J. E.: Algorithm for computer control of a digital
/// plotter, IBM Systems Journal 4 (1965).
pub(super) fn columns_at(a: Pixel, b: Pixel, y: i64) -> (i64, i64) {
    let (left, right) = if b.0 < a.0 { (b, a) } else { (a, b) };
    let (dx, dy) = (right.0 - left.0, (right.1 - left.1).abs());
    let down = (y - left.1).abs();
    if dy == 0 {
        return (left.0, right.0);
    }
    if dy > dx {
        // One pixel per row.
        let x = left.0 + (2 * dx * down + dy - 1) / (2 * dy);
        return (x, x);
    }
    // The first step across after which the line is `rows` down.
    let first = |rows: i64| if rows == 0 { 0 } else { (2 * dx * rows - dx + 2 * dy).div_euclid(2 * dy) };
    (left.0 + first(down), left.0 + dx.min(first(down + 1) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_drawn_step_by_step() {
        // Each line by the error term of Bresenham, pixel by pixel.
        for (a, b) in (0..14_641).map(|n| ((n % 11, n / 11 % 11), (n / 121 % 11, n / 1331))) {
            let (left, right) = if b.0 < a.0 { (b, a) } else { (a, b) };
            let (dx, dy): (i64, i64) = (right.0 - left.0, (right.1 - left.1).abs());
            let (major, minor) = (dx.max(dy), dx.min(dy));
            let (mut error, mut across) = (major - 2 * minor, 0);
            let mut pixels = Vec::new();
            for along in 0..=major {
                let (x, y) = if dy > dx { (across, along) } else { (along, across) };
                pixels.push((left.0 + x, left.1 + y * (right.1 - left.1).signum()));
                if error < 0 {
                    error += 2 * major;
                    across += 1;
                }
                error -= 2 * minor;
            }
            for y in a.1.min(b.1)..=a.1.max(b.1) {
                let xs: Vec<i64> = pixels.iter().filter(|pixel| pixel.1 == y).map(|pixel| pixel.0).collect();
                let (first, last) = columns_at(a, b, y);
                assert_eq!((first..=last).collect::<Vec<_>>(), xs, "{a:?} {b:?} {y}");
            }
        }
    }

    #[test]
    fn the_longest_lines_do_not_overflow() {
        let far = MAX_COORDINATE as i64;
        assert_eq!(columns_at((-far, -far), (far, far), 5), (5, 5));
        assert_eq!(columns_at((-far, far), (far, far - 1), far).0, -far);
        assert_eq!(columns_at((far, -far), (far - 1, far), far), (far - 1, far - 1));
    }
}
