//! Antialiased filled polygons and lines as a mask of coverages, for shapes with many vertices.

/// The covered share of each pixel, 0 to 255.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    width: usize,
    height: usize,
    cells: Vec<u8>,
}

impl Coverage {
    /// Horizontal lines per row of pixels on which polygons are sampled.
    const LINES: usize = 4;

    /// A mask without coverage.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, cells: vec![0; width * height] }
    }

    /// The coverage of a pixel.
    pub(super) fn at(&self, column: usize, row: usize) -> u8 {
        self.cells.get(row * self.width + column).copied().unwrap_or_default()
    }

    /// Fills the area inside an odd number of `rings`, whose last position is connected to the first.
    pub(super) fn fill(&mut self, rings: &[Vec<[f32; 2]>]) {
        let mut crossings: Vec<Vec<f32>> = vec![Vec::new(); self.height * Self::LINES];
        for ring in rings {
            let next = ring.iter().cycle().skip(1);
            for (&start, &end) in ring.iter().zip(next) {
                self.cross(&mut crossings, start, end);
            }
        }
        let mut sums = vec![0f32; self.width];
        for (row, lines) in crossings.chunks_mut(Self::LINES).enumerate() {
            sums.fill(0.0);
            for line in lines {
                line.sort_unstable_by(f32::total_cmp);
                for pair in line.chunks_exact(2) {
                    add_interval(&mut sums, pair[0], pair[1]);
                }
            }
            let cells = &mut self.cells[row * self.width..][..self.width];
            for (cell, sum) in cells.iter_mut().zip(&sums) {
                *cell = (*cell).max((sum * 255.0 / Self::LINES as f32).round().min(255.0) as u8);
            }
        }
    }

    /// Adds the horizontal positions at which an edge crosses the sample lines.
    fn cross(&self, crossings: &mut [Vec<f32>], start: [f32; 2], end: [f32; 2]) {
        let ([x0, y0], [x1, y1]) = if start[1] <= end[1] { (start, end) } else { (end, start) };
        let lines = Self::LINES as f32;
        // The sample line with index i is at (i + ½) / LINES. A line through a vertex belongs to the edge below.
        let first = (y0 * lines - 0.5).ceil().max(0.0);
        let last = (y1 * lines - 0.5).ceil().min((self.height * Self::LINES) as f32);
        let (first, last) = (first as usize, last.max(first) as usize);
        for (line, crossings) in crossings.iter_mut().enumerate().take(last).skip(first) {
            let y = (line as f32 + 0.5) / lines;
            crossings.push(x0 + (x1 - x0) * (y - y0) / (y1 - y0));
        }
    }

    /// Draws connected line segments of `width` pixels.
    pub(super) fn stroke(&mut self, line: &[[f32; 2]], width: f32) {
        let reach = width / 2.0 + 0.5;
        for pair in line.windows(2) {
            let [[x0, y0], [x1, y1]] = [pair[0], pair[1]];
            let span = |low: f32, high: f32, end: usize| {
                (low - reach).floor().clamp(0.0, end as f32) as usize
                    ..(high + reach).ceil().clamp(0.0, end as f32) as usize
            };
            let (dx, dy) = (x1 - x0, y1 - y0);
            let square = dx * dx + dy * dy;
            for row in span(y0.min(y1), y0.max(y1), self.height) {
                let y = row as f32 + 0.5;
                // Of a long segment, only the columns near its part in this row.
                let [low, high] = if dy.abs() > f32::EPSILON {
                    let near = [y - reach, y + reach].map(|y| x0 + dx * ((y - y0) / dy).clamp(0.0, 1.0));
                    [near[0].min(near[1]), near[0].max(near[1])]
                } else {
                    [x0.min(x1), x0.max(x1)]
                };
                for column in span(low, high, self.width) {
                    let x = column as f32 + 0.5;
                    let along =
                        if square > 0.0 { (((x - x0) * dx + (y - y0) * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                    let distance = (x - x0 - along * dx).hypot(y - y0 - along * dy);
                    let coverage = (reach - distance).clamp(0.0, 1.0).min(width);
                    let cell = &mut self.cells[row * self.width + column];
                    *cell = (*cell).max((coverage * 255.0).round() as u8);
                }
            }
        }
    }
}

/// Adds the share of each pixel that an interval covers.
fn add_interval(sums: &mut [f32], start: f32, end: f32) {
    let limit = sums.len() as f32;
    let (start, end) = (start.clamp(0.0, limit), end.clamp(0.0, limit));
    for column in start as usize..(end.ceil() as usize).min(sums.len()) {
        let left = column as f32;
        sums[column] += (end.min(left + 1.0) - start.max(left)).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_polygon_covers_its_area_without_its_hole() {
        let mut coverage = Coverage::new(20, 20);
        let square = |low: f32, high: f32| vec![[low, low], [high, low], [high, high], [low, high]];
        coverage.fill(&[square(2.5, 12.5), square(5.0, 8.0)]);
        let area: f32 = coverage.cells.iter().map(|cell| f32::from(*cell) / 255.0).sum();
        assert!((area - 91.0).abs() < 0.5, "{area}");
        assert_eq!((coverage.at(3, 3), coverage.at(6, 6), coverage.at(15, 15)), (255, 0, 0));
        assert!((120..136).contains(&coverage.at(2, 8)), "half a pixel at the edge");
    }

    #[test]
    fn shapes_beyond_the_edges_are_clipped() {
        let mut coverage = Coverage::new(4, 4);
        coverage.fill(&[vec![[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]]]);
        assert!(coverage.cells.iter().all(|cell| *cell == 255));
        let mut coverage = Coverage::new(4, 4);
        coverage.stroke(&[[-1e6, 2.0], [1e6, 2.0]], 1.0);
        assert!(coverage.at(0, 1) > 100 && coverage.at(3, 2) > 100 && coverage.at(2, 0) == 0);
    }

    #[test]
    fn a_line_covers_its_length_times_its_width() {
        for (end, width) in [([90.0, 10.0], 1.0), ([90.0, 70.0], 1.0), ([12.0, 90.0], 0.6)] {
            let mut coverage = Coverage::new(100, 100);
            coverage.stroke(&[[10.0, 10.0], end], width);
            let area: f32 = coverage.cells.iter().map(|cell| f32::from(*cell) / 255.0).sum();
            let length = (end[0] - 10.0_f32).hypot(end[1] - 10.0);
            assert!((area / (length * width) - 1.0).abs() < 0.2, "{end:?}: {area} of {}", length * width);
        }
    }
}
