//! Points aggregated per cell of a canvas: by the database if there are many, after fetching them if there are few.

use std::ops::ControlFlow;

use super::database::all;
use super::pixel_edges::PixelEdges;
use super::rows::{ColumnSelection, fetch};
use super::snapshot::LiveSnapshot;
use super::sql::Sql;
use super::window::Window;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Canvas, Projection, fixed, morton};
use kiln_core::parameter::Parameter;
use kiln_core::raster::cell_grid::{BandAccumulator, CellSums, CellToPixelMap, MAX_EXACT_POINTS, OUTSIDE, Resampling};
use kiln_core::raster::{Cells, Grid, Reduction};
use kiln_core::source::{Query, ScanReport};

/// The aggregated points of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) column: usize,
    pub(super) row: usize,
    pub(super) n: u64,
    sum: f64,
    max: f32,
}

impl LiveSnapshot {
    /// Aggregates the points that match `query` per cell of a geographic `canvas`, at the resolution that a kernel of
    /// `radius_px` pixels needs. The result is the same, to the byte, as that of an embedded layer of the same points.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the query filters by a time or category that the table lacks, [`Error::Database`],
    /// [`Error::Cancelled`].
    pub fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        reduction: Reduction,
        radius_px: f64,
    ) -> Result<(Cells, ScanReport)> {
        self.check(query)?;
        self.relation.require_positions()?;
        if canvas.projection() == Projection::Plane {
            return Err(Error::invalid(
                Parameter::PROJECTION,
                "a live table needs a geographic projection: mercator or platecarree",
            ));
        }
        let (width, height) = (canvas.width() as usize, canvas.height() as usize);
        let grid = |is_used: bool, empty: f32| is_used.then(|| Grid::filled(width, height, empty));
        let mut counts = grid(matches!(reduction, Reduction::Count | Reduction::CountAndSum), 0.0);
        let mut sums = grid(matches!(reduction, Reduction::Sum | Reduction::CountAndSum), 0.0);
        let mut max = grid(reduction == Reduction::Max, f32::NEG_INFINITY);
        let points = self.summary().points;
        let pixel_map = CellToPixelMap::new(canvas);
        let resampling =
            (!pixel_map.is_aligned() && points > MAX_EXACT_POINTS).then(|| Resampling::new(canvas, radius_px));
        let rows_per_part = resampling.as_ref().map_or(height, Resampling::rows_at_a_time);
        let mut inside = 0;
        for first in (0..height).step_by(rows_per_part.max(1)) {
            let rows = first as u32..(first + rows_per_part).min(height) as u32;
            let cells = first * width..rows.end as usize * width;
            let counts = counts.as_mut().map(|grid| &mut grid.cells_mut()[cells.clone()]);
            let sums = sums.as_mut().map(|grid| &mut grid.cells_mut()[cells.clone()]);
            let max = max.as_mut().map(|grid| &mut grid.cells_mut()[cells.clone()]);
            if let Some(resampling) = &resampling {
                let (cells, fresh) = resampling.cells(rows.clone());
                let mut accumulator = BandAccumulator::new(reduction, cells.width(), cells.height());
                accumulator.count_only(fresh);
                self.sum(query, &cells, &CellToPixelMap::new(&cells), reduction, &mut accumulator)?;
                resampling.spread(&rows, &accumulator, counts, sums, max);
                inside += accumulator.inside;
            } else {
                let mut accumulator = BandAccumulator::new(reduction, canvas.width(), canvas.height());
                self.sum(query, canvas, &pixel_map, reduction, &mut accumulator)?;
                accumulator.write_to(counts, sums, max);
                inside += accumulator.inside;
            }
        }
        let weighted = query.columns.weights && self.relation.weight.is_some();
        let cells = Cells { width, height, counts, sums, max, points, inside, weighted };
        Ok((cells, ScanReport { read: points, ..ScanReport::default() }))
    }

    fn sum(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        pixel_map: &CellToPixelMap,
        reduction: Reduction,
        accumulator: &mut BandAccumulator,
    ) -> Result<()> {
        let edges = PixelEdges::of_canvas(canvas, pixel_map);
        let Some(extent) = self.area.filter(|_| !edges.is_empty()) else { return Ok(()) };
        let window = Window::new(&edges, extent);
        if window.boxes.is_empty() {
            return Ok(());
        }
        let pixels = u64::from(canvas.width()) * u64::from(canvas.height());
        // Polygons are applied here because PostGIS lacks the fixed-point arithmetic of the other layers.
        if query.filter.polygon.is_some() || self.estimate(&window.boxes) <= pixels {
            return self.add_points(query, canvas, pixel_map, &window, accumulator);
        }
        let groups = self.groups(query, &edges, &window, reduction)?;
        let rows = pixel_map.rows(0..canvas.height());
        let (mut at, mut n) = (Vec::with_capacity(groups.len()), Vec::with_capacity(groups.len()));
        let sum: Vec<f64> = groups.iter().map(|group| group.sum).collect();
        let max: Vec<f32> = groups.iter().map(|group| group.max).collect();
        n.extend(groups.iter().map(|group| u32::try_from(group.n).unwrap_or(u32::MAX)));
        for &turn in &pixel_map.turns {
            let columns = pixel_map.columns(turn);
            at.clear();
            at.extend(groups.iter().map(|group| {
                let row = rows.at(edges.rows[group.row] as u32);
                let column = columns.at(edges.columns[group.column] as u32);
                if row >= OUTSIDE || column >= OUTSIDE { accumulator.outside() } else { row + column }
            }));
            let weights = (query.columns.weights && self.relation.weight.is_some()).then_some((&sum[..], &max[..]));
            accumulator.add_cells(&at, CellSums { n: &n, weights });
        }
        Ok(())
    }

    /// The points per pixel, aggregated by the database, ordered by row and column. Empty pixels are omitted.
    pub(super) fn groups(
        &self,
        query: &Query<'_>,
        edges: &PixelEdges,
        window: &Window,
        reduction: Reduction,
    ) -> Result<Vec<Group>> {
        let relation = &self.relation;
        let rows = window.lat.len() as u64 + 1;
        let weight = relation.rounded_weight().filter(|_| query.columns.weights);
        let select_sum = weight.is_some() && matches!(reduction, Reduction::Sum | Reduction::CountAndSum);
        let select_max = weight.is_some() && reduction == Reduction::Max;
        let mut sql = Sql::default();
        // int4 is faster if it is wide enough.
        let integer = if (window.lon.len() as u64 + 1) * rows < 1 << 31 { "int4" } else { "int8" };
        sql.push(&format!("SELECT (width_bucket({}, ", relation.lon())).value(window.lon.clone(), "float8[]");
        sql.push(&format!(")::{integer} * ")).push(&rows.to_string());
        sql.push(&format!(" + width_bucket({}, ", relation.lat())).value(window.lat.clone(), "float8[]");
        sql.push("))::int8, count(*)");
        if let Some(weight) = weight {
            if select_sum {
                sql.push(&format!(", sum({weight})"));
            } else if select_max {
                sql.push(&format!(", max({weight})"));
            }
        }
        sql.push(" FROM ").push(&relation.items());
        let keyword = relation.push_conditions(&mut sql, query, window.boxes(self.area.unwrap_or_default()));
        if let Some(has_weight) = relation.has_weight() {
            sql.push(keyword).push(&has_weight);
        }
        sql.push(" GROUP BY 1");
        let found: Vec<(Option<i64>, i64, Option<f64>)> =
            self.database.run(query.scan.stop, move |mut connection| async move {
                all(&mut connection, &sql.text, &sql.values, |row| {
                    let weight = if select_sum || select_max { row.try_get(2)? } else { None };
                    Ok((row.try_get(0)?, row.try_get(1)?, weight))
                })
                .await
            })?;
        let mut groups: Vec<Group> = found
            .into_iter()
            .filter_map(|(key, n, weight)| {
                let key = u64::try_from(key?).ok()?;
                let [column, row] = window.cell((key / rows) as usize, (key % rows) as usize)?;
                let n = u64::try_from(n).unwrap_or_default();
                let weight = weight.unwrap_or(n as f64);
                Some(Group { column, row, n, sum: weight, max: weight as f32 })
            })
            .collect();
        // The copies of the world are interleaved in this order.
        groups.sort_by_key(|group| (group.row, group.column));
        debug_assert!(groups.iter().all(|group| group.column < edges.columns.len() && group.row < edges.rows.len()));
        Ok(groups)
    }

    /// Fetches the points of a window and adds them.
    fn add_points(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        pixel_map: &CellToPixelMap,
        window: &Window,
        accumulator: &mut BandAccumulator,
    ) -> Result<()> {
        let mut found: Vec<(u64, f32)> = Vec::new();
        self.for_each_point(query, window.boxes(self.area.unwrap_or_default()), |key, weight| {
            found.push((key, weight));
        })?;
        // A fixed order makes sums reproducible.
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let rows = pixel_map.rows(0..canvas.height());
        let shift = pixel_map.shift();
        let weight: Vec<f32> = found.iter().map(|(_, weight)| *weight).collect();
        let weight = (query.columns.weights && self.relation.weight.is_some()).then_some(&weight[..]);
        let mut at = Vec::with_capacity(found.len());
        for &turn in &pixel_map.turns {
            let columns = pixel_map.columns(turn);
            at.clear();
            at.extend(found.iter().map(|(key, _)| {
                let (x, y) = morton::decode(*key);
                let (column, row) = (columns.at(x >> shift), rows.at(y >> shift));
                if row >= OUTSIDE || column >= OUTSIDE { accumulator.outside() } else { row + column }
            }));
            accumulator.add_points(&at, weight);
        }
        Ok(())
    }

    /// Passes the Morton key and the weight of each point that matches `query`, its polygon included, to `each`.
    pub(super) fn for_each_point(
        &self,
        query: &Query<'_>,
        boxes: Option<&[[f64; 4]]>,
        mut each: impl FnMut(u64, f32),
    ) -> Result<()> {
        let columns = ColumnSelection { weight: self.relation.weight.is_some(), ..ColumnSelection::default() };
        let within;
        let boxes = match &query.filter.polygon {
            Some(polygon) => {
                within = self.boxes_of(polygon.bounds(), boxes);
                Some(&within[..])
            }
            None => boxes,
        };
        if boxes.is_some_and(<[_]>::is_empty) {
            return Ok(());
        }
        let (mut x, mut y) = (Vec::new(), Vec::new());
        fetch(&self.database, &self.relation, query, columns, boxes, |batch| {
            let points = batch.points();
            x.clear();
            y.clear();
            fixed::to_fixed(points, &mut x, &mut y);
            for i in 0..points.len() {
                if !fixed::is_on_map(points.lat()[i]) {
                    continue;
                }
                if let Some(polygon) = &query.filter.polygon {
                    let (lon, lat) = fixed::from_fixed(x[i], y[i]);
                    if !polygon.contains(lon, lat) {
                        continue;
                    }
                }
                each(morton::key(x[i], y[i]), points.weight().map_or(1.0, |weight| weight[i]));
            }
            ControlFlow::Continue(())
        })
    }
}
