//! Points summed per cell of a canvas: in the database where there are many, one by one where there are few.

use std::ops::ControlFlow;

use super::cuts::Cuts;
use super::database::all;
use super::rows::{Wants, fetch};
use super::snapshot::LiveSnapshot;
use super::sql::Sql;
use super::window::Window;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Canvas, Projection, fixed, morton};
use kiln_core::parameter::Parameter;
use kiln_core::raster::lattice::{CellSums, FEW_POINTS, OUTSIDE, Placement, Resampling, Tallies};
use kiln_core::raster::{Cells, Grid, Tally};
use kiln_core::source::{Query, ScanReport};

/// Points of a column and a row of cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) column: usize,
    pub(super) row: usize,
    pub(super) n: u64,
    sum: f64,
    max: f32,
}

impl LiveSnapshot {
    /// The points that pass `query` per cell of `canvas`, which lies on the globe, as fine as a kernel of `radius_px` pixels
    /// can tell that smooths them. Those of an embedded layer with the same points are the same to the byte.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the query asks for times or categories and there is no such column, [`Error::Database`],
    /// [`Error::Cancelled`].
    pub fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        tally: Tally,
        radius_px: f64,
    ) -> Result<(Cells, ScanReport)> {
        self.check(query)?;
        if canvas.projection() == Projection::Plane {
            return Err(Error::invalid(
                Parameter::PROJECTION,
                "a table's points lie on the globe: give mercator or platecarree",
            ));
        }
        let (width, height) = (canvas.width() as usize, canvas.height() as usize);
        let grid = |is_wanted: bool, nothing: f32| is_wanted.then(|| Grid::filled(width, height, nothing));
        let mut counts = grid(matches!(tally, Tally::Count | Tally::CountAndSum), 0.0);
        let mut sums = grid(matches!(tally, Tally::Sum | Tally::CountAndSum), 0.0);
        let mut max = grid(tally == Tally::Max, f32::NEG_INFINITY);
        let points = self.summary().points;
        let placement = Placement::new(canvas);
        let resampling = (!placement.is_exact() && points > FEW_POINTS).then(|| Resampling::new(canvas, radius_px));
        let part = resampling.as_ref().map_or(height, Resampling::rows_at_a_time);
        let mut inside = 0;
        for first in (0..height).step_by(part.max(1)) {
            let rows = first as u32..(first + part).min(height) as u32;
            let cells = first * width..rows.end as usize * width;
            let counts = counts.as_mut().map(|grid| &mut grid.cells_mut()[cells.clone()]);
            let sums = sums.as_mut().map(|grid| &mut grid.cells_mut()[cells.clone()]);
            let max = max.as_mut().map(|grid| &mut grid.cells_mut()[cells.clone()]);
            if let Some(resampling) = &resampling {
                let (cells, fresh) = resampling.cells(rows.clone());
                let mut tallies = Tallies::new(tally, cells.width(), cells.height());
                tallies.count_only(fresh);
                self.sum(query, &cells, &Placement::new(&cells), tally, &mut tallies)?;
                resampling.spread(&rows, &tallies, counts, sums, max);
                inside += tallies.inside;
            } else {
                let mut tallies = Tallies::new(tally, canvas.width(), canvas.height());
                self.sum(query, canvas, &placement, tally, &mut tallies)?;
                tallies.write_to(counts, sums, max);
                inside += tallies.inside;
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
        placement: &Placement,
        tally: Tally,
        tallies: &mut Tallies,
    ) -> Result<()> {
        let cuts = Cuts::of_canvas(canvas, placement);
        let Some(extent) = self.area.filter(|_| !cuts.is_empty()) else { return Ok(()) };
        let window = Window::new(&cuts, extent);
        if window.boxes.is_empty() {
            return Ok(());
        }
        let pixels = u64::from(canvas.width()) * u64::from(canvas.height());
        // The database does not know the arithmetic of a polygon's edges that all pictures share.
        if query.filter.polygon.is_some() || self.estimate(&window.boxes) <= pixels {
            return self.add_points(query, canvas, placement, &window, tallies);
        }
        let groups = self.groups(query, &cuts, &window, tally)?;
        let rows = placement.rows(0..canvas.height());
        let (mut at, mut n) = (Vec::with_capacity(groups.len()), Vec::with_capacity(groups.len()));
        let sum: Vec<f64> = groups.iter().map(|group| group.sum).collect();
        let max: Vec<f32> = groups.iter().map(|group| group.max).collect();
        n.extend(groups.iter().map(|group| u32::try_from(group.n).unwrap_or(u32::MAX)));
        for &turn in &placement.turns {
            let columns = placement.columns(turn);
            at.clear();
            at.extend(groups.iter().map(|group| {
                let row = rows.at(cuts.rows[group.row] as u32);
                let column = columns.at(cuts.columns[group.column] as u32);
                if row >= OUTSIDE || column >= OUTSIDE { tallies.outside() } else { row + column }
            }));
            let weights = (query.columns.weights && self.relation.weight.is_some()).then_some((&sum[..], &max[..]));
            tallies.add_cells(&at, CellSums { n: &n, weights });
        }
        Ok(())
    }

    /// The points of each column and row that has any, summed up by the database, in the order of the columns and rows.
    pub(super) fn groups(&self, query: &Query<'_>, cuts: &Cuts, window: &Window, tally: Tally) -> Result<Vec<Group>> {
        let relation = &self.relation;
        let rows = window.lat.len() as u64 + 1;
        let weight = relation.rounded_weight().filter(|_| query.columns.weights);
        let wants_sum = weight.is_some() && matches!(tally, Tally::Sum | Tally::CountAndSum);
        let wants_max = weight.is_some() && tally == Tally::Max;
        let mut sql = Sql::default();
        // 32 bits are faster, where they are enough.
        let kind = if (window.lon.len() as u64 + 1) * rows < 1 << 31 { "int4" } else { "int8" };
        sql.push(&format!("SELECT (width_bucket({}, ", relation.lon())).value(window.lon.clone(), "float8[]");
        sql.push(&format!(")::{kind} * ")).push(&rows.to_string());
        sql.push(&format!(" + width_bucket({}, ", relation.lat())).value(window.lat.clone(), "float8[]");
        sql.push("))::int8, count(*)");
        if let Some(weight) = weight {
            if wants_sum {
                sql.push(&format!(", sum({weight})"));
            } else if wants_max {
                sql.push(&format!(", max({weight})"));
            }
        }
        sql.push(" FROM ").push(&relation.items());
        relation.push_conditions(&mut sql, query, window.boxes(self.area.unwrap_or_default()));
        let has_condition = sql.text.contains(" WHERE ");
        if let Some(has_weight) = relation.has_weight() {
            sql.push(if has_condition { " AND " } else { " WHERE " }).push(&has_weight);
        }
        sql.push(" GROUP BY 1");
        let found: Vec<(Option<i64>, i64, Option<f64>)> =
            self.database.run(query.scan.stop, move |mut lease| async move {
                all(&mut lease, &sql.text, &sql.values, |row| {
                    let weight = if wants_sum || wants_max { row.try_get(2)? } else { None };
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
        // Those of several turns around the world come in one order.
        groups.sort_by_key(|group| (group.row, group.column));
        debug_assert!(groups.iter().all(|group| group.column < cuts.columns.len() && group.row < cuts.rows.len()));
        Ok(groups)
    }

    /// Adds the points of a window one by one.
    fn add_points(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        placement: &Placement,
        window: &Window,
        tallies: &mut Tallies,
    ) -> Result<()> {
        let mut found: Vec<(u64, f32)> = Vec::new();
        self.each_passing(query, window.boxes(self.area.unwrap_or_default()), |key, weight| found.push((key, weight)))?;
        // In one order, so that sums are the same each time.
        found.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let rows = placement.rows(0..canvas.height());
        let shift = placement.shift();
        let weight: Vec<f32> = found.iter().map(|(_, weight)| *weight).collect();
        let weight = (query.columns.weights && self.relation.weight.is_some()).then_some(&weight[..]);
        let mut at = Vec::with_capacity(found.len());
        for &turn in &placement.turns {
            let columns = placement.columns(turn);
            at.clear();
            at.extend(found.iter().map(|(key, _)| {
                let (x, y) = morton::place(*key);
                let (column, row) = (columns.at(x >> shift), rows.at(y >> shift));
                if row >= OUTSIDE || column >= OUTSIDE { tallies.outside() } else { row + column }
            }));
            tallies.add_points(&at, weight);
        }
        Ok(())
    }

    /// Gives the place, as a key of the Z-order, and the weight of each point that passes `query`, its polygon too.
    pub(super) fn each_passing(
        &self,
        query: &Query<'_>,
        boxes: Option<&[[f64; 4]]>,
        mut each: impl FnMut(u64, f32),
    ) -> Result<()> {
        let wants = Wants { weight: self.relation.weight.is_some(), ..Wants::default() };
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
        fetch(&self.database, &self.relation, query, wants, boxes, |batch| {
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
