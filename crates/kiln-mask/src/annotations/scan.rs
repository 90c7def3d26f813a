//! Polygons and lines, row by row: the edges that reach a row give the spans of its pixels.

use super::density::{Density, Fault};
use super::lines::{MAX_COORDINATE, Pixel, columns_at};
use super::report::Extent;
use super::size::Placement;
use super::spans::{Span, subtract, unite};

/// A vertex, across and down.
pub(super) type Vertex = [f64; 2];

/// Which pixels a shape covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Those whose center, half a pixel from its corner, is within one of the rings.
    Centers,
    /// Those of the first ring and of its outline, less those of the other rings and of their outlines.
    Outlines,
    /// Those of the outline.
    Lines,
}

/// Draws polygons whose vertices are corners of pixels and points between: COCO's and YOLO's. A pixel within two is within one.
pub(super) fn draw_polygons(
    rings: &[Vec<Vertex>],
    placement: &Placement,
    density: &mut Density,
) -> Result<Extent, Fault> {
    let scaled = rings.iter().map(|ring| {
        let scaled = ring.iter().map(|[x, y]| [x * placement.scale[0], y * placement.scale[1]]);
        scaled.collect::<Vec<_>>()
    });
    draw(&scaled.collect::<Vec<_>>(), Rule::Centers, density)
}

/// Draws a polygon whose vertices are pixels, with holes.
pub(super) fn draw_outlined(
    exterior: &[Vertex],
    holes: &[Vec<Vertex>],
    placement: &Placement,
    density: &mut Density,
) -> Result<Extent, Fault> {
    let rings = std::iter::once(exterior).chain(holes.iter().map(Vec::as_slice));
    let rings: Vec<_> = rings.map(|ring| pixels(ring, placement)).collect();
    draw(&rings, Rule::Outlines, density)
}

/// Draws the segments between pixels.
pub(super) fn draw_line(vertices: &[Vertex], placement: &Placement, density: &mut Density) -> Result<Extent, Fault> {
    draw(&[pixels(vertices, placement)], Rule::Lines, density)
}

/// Draws the pixels of a rectangle from corner to corner, both included.
pub(super) fn draw_rectangle(
    corners: [Vertex; 2],
    placement: &Placement,
    density: &mut Density,
) -> Result<Extent, Fault> {
    let corners = pixels(&corners, placement);
    let extent = check(std::slice::from_ref(&corners), Rule::Outlines, density.size())?;
    let (width, height) = density.size();
    let [[x0, y0], [x1, y1]] = [corners[0], corners[1]];
    let within =
        |a: f64, b: f64, side: usize| (a.min(b).max(0.0) as usize, (a.max(b) + 1.0).clamp(0.0, side as f64) as usize);
    let ((left, right), (top, bottom)) = (within(x0, x1, width), within(y0, y1, height));
    if left < right && top < bottom {
        density.step(bottom - top)?;
        (top..bottom).for_each(|row| density.add_row(row, &[(left as u32, right as u32)]));
    }
    Ok(extent)
}

/// The pixels of the mask that are nearest to pixels of an image. Half is rounded to even, as in Python, once to pixels of the
/// image and once to those of the mask.
pub(super) fn pixels(vertices: &[Vertex], placement: &Placement) -> Vec<Vertex> {
    let round = |value: f64, scale: f64| (value.round_ties_even() * scale).round_ties_even();
    vertices.iter().map(|[x, y]| [round(*x, placement.scale[0]), round(*y, placement.scale[1])]).collect()
}

/// Whether all vertices are within the mask, if they are within the range of coordinates.
fn check(rings: &[Vec<Vertex>], rule: Rule, (width, height): (usize, usize)) -> Result<Extent, Fault> {
    // The last pixel is an index, the edge of the last pixel a coordinate.
    let last = |side: usize| if rule == Rule::Centers { side as f64 } else { side as f64 - 1.0 };
    let mut extent = Extent::Within;
    for [x, y] in rings.iter().flatten() {
        if let Some(beyond) = [x, y].into_iter().find(|value| value.is_nan() || value.abs() > MAX_COORDINATE) {
            return Err(Fault::Label(format!(
                "the coordinate {beyond} is not from -{MAX_COORDINATE} to {MAX_COORDINATE}"
            )));
        }
        if *x < 0.0 || *y < 0.0 || *x > last(width) || *y > last(height) {
            extent = Extent::Clipped;
        }
    }
    Ok(extent)
}

/// An edge with the rows that it reaches, of those in the mask.
struct Edge {
    from: Vertex,
    to: Vertex,
    /// Rows from this to before `end`.
    first: usize,
    end: usize,
    ring: u32,
}

fn edges(rings: &[Vec<Vertex>], rule: Rule, height: usize) -> Vec<Edge> {
    let mut edges = Vec::with_capacity(rings.iter().map(Vec::len).sum());
    for (ring, vertices) in rings.iter().enumerate() {
        // A line is not closed, but one of a single vertex is a pixel.
        let closing = (rule != Rule::Lines || vertices.len() == 1).then(|| (vertices.last(), vertices.first()));
        let closing = closing.and_then(|(last, first)| last.zip(first)).map(|(last, first)| (*last, *first));
        let pairs = vertices.windows(2).map(|pair| (pair[0], pair[1]));
        for (from, to) in pairs.chain(closing) {
            let (above, below) = (from[1].min(to[1]), from[1].max(to[1]));
            // Rows whose center is between the ends, or rows from end to end.
            let (first, end) = match rule {
                Rule::Centers => ((above - 0.5).ceil(), (below - 0.5).ceil()),
                Rule::Outlines | Rule::Lines => (above, below + 1.0),
            };
            let within = |row: f64| row.clamp(0.0, height as f64) as usize;
            let (first, end) = (within(first), within(end));
            if first < end {
                // All holes are one set of edges.
                let ring = if rule == Rule::Centers { ring as u32 } else { u32::from(ring > 0) };
                edges.push(Edge { from, to, first, end, ring });
            }
        }
    }
    edges.sort_unstable_by_key(|edge| edge.first);
    edges
}

fn draw(rings: &[Vec<Vertex>], rule: Rule, density: &mut Density) -> Result<Extent, Fault> {
    let (width, height) = density.size();
    let extent = check(rings, rule, (width, height))?;
    density.add_vertices(rings.iter().map(Vec::len).sum())?;
    let edges = edges(rings, rule, height);
    density.step(edges.len())?;
    let Some(mut row) = edges.first().map(|edge| edge.first) else {
        return Ok(extent);
    };
    let mut scan = Row { width, rule, crossings: Vec::new(), shapes: [Vec::new(), Vec::new()], out: Vec::new() };
    let mut active: Vec<&Edge> = Vec::new();
    let mut waiting = edges.iter().peekable();
    loop {
        active.retain(|edge| edge.end > row);
        while let Some(edge) = waiting.next_if(|edge| edge.first <= row) {
            active.push(edge);
        }
        if active.is_empty() {
            match waiting.peek() {
                Some(edge) => row = edge.first,
                None => return Ok(extent),
            }
            continue;
        }
        density.step(active.len())?;
        density.add_row(row, scan.spans(row, &active));
        row += 1;
    }
}

/// The spans of a row, and the room to compute them.
struct Row {
    width: usize,
    rule: Rule,
    /// Where edges of a ring cross the row.
    crossings: Vec<(u32, f64)>,
    /// Of the first ring or of all, and of the holes.
    shapes: [Vec<Span>; 2],
    out: Vec<Span>,
}

impl Row {
    fn spans(&mut self, row: usize, edges: &[&Edge]) -> &[Span] {
        self.crossings.clear();
        self.shapes.iter_mut().for_each(Vec::clear);
        for edge in edges {
            self.add(row, edge);
        }
        self.crossings.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        // A ring crosses a row an even number of times.
        for pair in self.crossings.chunks_exact(2) {
            let (start, end) = if self.rule == Rule::Centers {
                ((pair[0].1 - 0.5).ceil(), (pair[1].1 - 0.5).ceil())
            } else {
                (pair[0].1.ceil(), pair[1].1.floor() + 1.0)
            };
            let hole = usize::from(self.rule == Rule::Outlines && pair[0].0 > 0);
            let width = self.width as f64;
            self.shapes[hole].push((start.clamp(0.0, width) as u32, end.clamp(0.0, width) as u32));
        }
        let [shape, holes] = &mut self.shapes;
        unite(shape);
        if holes.is_empty() {
            return shape;
        }
        unite(holes);
        subtract(shape, holes, &mut self.out);
        &self.out
    }

    /// Adds where an edge crosses the row, and the pixels of its line.
    fn add(&mut self, row: usize, edge: &Edge) {
        let ([x0, y0], [x1, y1]) = (edge.from, edge.to);
        let is_center = self.rule == Rule::Centers;
        let y = row as f64 + if is_center { 0.5 } else { 0.0 };
        // The lower end belongs to the edge below.
        let is_crossed = (y0 <= y) != (y1 <= y);
        if is_crossed && self.rule != Rule::Lines {
            self.crossings.push((edge.ring, x0 + (y - y0) * (x1 - x0) / (y1 - y0)));
        }
        if !is_center {
            let pixel = |[x, y]: Vertex| -> Pixel { (x as i64, y as i64) };
            let (first, last) = columns_at(pixel(edge.from), pixel(edge.to), row as i64);
            let within = |x: i64| x.clamp(0, self.width as i64) as u32;
            self.shapes[edge.ring as usize].push((within(first), within(last + 1)));
        }
    }
}
