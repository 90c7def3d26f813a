//! Isolines of a grid of values, by marching squares.

use std::collections::HashMap;

use super::Grid;
use crate::error::Result;
use crate::workers::Workers;

/// The point of a line on the segment between two neighboring values: its row, column, and whether the segment runs to
/// the east (else to the south).
type Crossing = (usize, usize, bool);

/// The isolines of `values` at `level`: lines of positions in cells, column and row, where the center of the
/// north-western cell is (0.5, 0.5). Closed lines end where they start; others end at the border.
///
/// Marching squares (Lorensen and Cline 1987, in two dimensions): between the centers of four cells, a line crosses each
/// side on which one value is at least `level` and the other is not, at the linearly interpolated position. If all four
/// sides are crossed, the mean of the values decides which pairs are joined. NaN, no data, counts as 0.
///
/// # Errors
/// [`Error::Cancelled`](crate::error::Error::Cancelled) once the flag of the workers is set.
pub fn contour_lines(values: &Grid<f32>, level: f32, workers: Workers<'_>) -> Result<Vec<Vec<[f64; 2]>>> {
    let (width, height) = (values.width(), values.height());
    let is_inside = |column: usize, row: usize| known(values.row(row)[column]) >= level;
    // The two neighbors of each crossing. A crossing on the border has one.
    let mut neighbors: HashMap<Crossing, [Option<Crossing>; 2]> = HashMap::new();
    let mut starts: Vec<Crossing> = Vec::new();
    for row in 0..height.saturating_sub(1) {
        workers.check()?;
        for column in 0..width.saturating_sub(1) {
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(right, down)| (column + right, row + down));
            let inside = corners.map(|(column, row)| is_inside(column, row));
            if inside == [inside[0]; 4] {
                continue;
            }
            // In the order of the corners: the sides to the north, east, south and west.
            let sides = [(row, column, true), (row, column + 1, false), (row + 1, column, true), (row, column, false)];
            let crossed: Vec<Crossing> =
                (0..4).filter(|&side| inside[side] != inside[(side + 1) % 4]).map(|side| sides[side]).collect();
            let pairs = match crossed[..] {
                [a, b] => vec![[a, b]],
                [north, east, south, west] => {
                    let mean = corners.iter().map(|&(column, row)| known(values.row(row)[column])).sum::<f32>() / 4.0;
                    // The center is on the same side as the north-western corner: the lines cut off the other two.
                    if (mean >= level) == inside[0] {
                        vec![[north, east], [south, west]]
                    } else {
                        vec![[north, west], [south, east]]
                    }
                }
                _ => Vec::new(),
            };
            for [a, b] in pairs {
                for (from, to) in [(a, b), (b, a)] {
                    let entry = neighbors.entry(from).or_insert_with(|| {
                        starts.push(from);
                        [None; 2]
                    });
                    if entry[0].is_none() {
                        entry[0] = Some(to);
                    } else {
                        entry[1] = Some(to);
                    }
                }
            }
        }
    }
    let position = |(row, column, is_east): Crossing| {
        let (next_column, next_row) = if is_east { (column + 1, row) } else { (column, row + 1) };
        let [a, b] = [values.row(row)[column], values.row(next_row)[next_column]].map(known);
        let share = f64::from((level - a) / (b - a)).clamp(0.0, 1.0);
        let share = if share.is_nan() { 0.5 } else { share };
        let (x, y) = (column as f64 + 0.5, row as f64 + 0.5);
        if is_east { [x + share, y] } else { [x, y + share] }
    };
    let mut lines = Vec::new();
    // Open lines start at the border, so they come first; the order of the crossings is that of the cells.
    let (open, closed): (Vec<Crossing>, Vec<Crossing>) =
        starts.into_iter().partition(|crossing| neighbors.get(crossing).is_some_and(|ends| ends[1].is_none()));
    for start in open.into_iter().chain(closed) {
        let Some(ends) = neighbors.remove(&start) else { continue };
        workers.check()?;
        let is_closed = ends[1].is_some();
        let mut line = vec![position(start)];
        let (mut last, mut next) = (start, ends[0]);
        while let Some(crossing) = next {
            let Some(ends) = neighbors.remove(&crossing) else { break };
            line.push(position(crossing));
            next = ends.into_iter().flatten().find(|end| *end != last);
            last = crossing;
        }
        if is_closed {
            line.push(position(start));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// The value, or 0 in place of NaN: the density, or the difference of two, where there is no point.
fn known(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn lines_at(values: &Grid<f32>, level: f32) -> Vec<Vec<[f64; 2]>> {
        contour_lines(values, level, Workers::from(1)).unwrap()
    }

    #[test]
    fn a_negative_level_does_not_outline_cells_without_data() {
        let mut cells = vec![f32::NAN; 25];
        for index in [6, 7, 8, 11, 13, 16, 17, 18] {
            cells[index] = -1.0;
        }
        cells[12] = -9.0;
        let values = Grid::from_cells(5, 5, cells).unwrap();
        let lines = lines_at(&values, -5.0);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].iter().all(|[x, y]| (1.5..=3.5).contains(x) && (1.5..=3.5).contains(y)), "{lines:?}");
        assert!(lines_at(&values, -10.0).is_empty());
    }

    #[test]
    fn a_set_flag_cancels() {
        let stop = AtomicBool::new(true);
        let lines = contour_lines(&Grid::filled(5, 5, 1.0), 0.5, Workers::new(1, Some(&stop)));
        assert!(matches!(lines, Err(crate::error::Error::Cancelled)));
    }

    #[test]
    fn the_isoline_of_a_cone_is_a_circle() {
        let (side, center) = (41, 20.5);
        let cells = (0..side * side)
            .map(|i| {
                let (x, y) = ((i % side) as f64 + 0.5, (i / side) as f64 + 0.5);
                (20.0 - (x - center).hypot(y - center)) as f32
            })
            .collect();
        let cone = Grid::from_cells(side, side, cells).unwrap();
        let lines = lines_at(&cone, 10.0);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line.first(), line.last());
        assert!(line.len() > 50 && line.iter().all(|[x, y]| ((x - center).hypot(y - center) - 10.0).abs() < 0.05));
        // Adjacent positions are in neighboring cells.
        assert!(line.windows(2).all(|ends| (ends[0][0] - ends[1][0]).hypot(ends[0][1] - ends[1][1]) < 1.5));
        assert_eq!(lines_at(&cone, 30.0).len(), 0);
    }

    #[test]
    fn lines_end_at_the_border_and_saddles_are_split_by_the_mean() {
        let ramp = Grid::from_cells(3, 3, vec![0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0]).unwrap();
        assert_eq!(lines_at(&ramp, 0.5), [vec![[1.0, 0.5], [1.0, 1.5], [1.0, 2.5]]]);
        // High corners in the north-west and south-east.
        let saddle = |high: f32| Grid::from_cells(2, 2, vec![high, 0.0, 0.0, high]).unwrap();
        let connects_high = |lines: &[Vec<[f64; 2]>]| {
            // A line around the north-eastern corner joins the north and the east side.
            lines.iter().any(|line| line.iter().all(|[x, y]| *x >= 1.0 && *y <= 1.0))
        };
        let (high, low) = (lines_at(&saddle(4.0), 1.0), lines_at(&saddle(1.5), 1.0));
        assert_eq!((high.len(), low.len()), (2, 2));
        assert!(connects_high(&high) && !connects_high(&low));
    }

    #[test]
    fn missing_values_are_below_every_level() {
        let mut cells = vec![f32::NAN; 9];
        cells[4] = 2.0;
        let lines = lines_at(&Grid::from_cells(3, 3, cells).unwrap(), 1.0);
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].len(), lines[0].first()), (5, lines[0].last()));
    }
}
