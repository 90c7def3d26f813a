//! Occupancy grids of the ground, grouped by the database.

use std::collections::BTreeMap;

use super::database::all;
use super::local_time::push_local;
use super::relation::{ColumnType, Relation};
use super::snapshot::LiveSnapshot;
use super::sql::Sql;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Categories, Points, fixed};
use kiln_core::occupancy::{
    Cell, CellSystem, Group, GroupKey, OccupancyGrid, OccupancyRequest, TimeGrouping, scan_occupancy,
};
use kiln_core::parameter::Parameter;
use kiln_core::source::{Query, ScanReport};

/// A row of the result: the bucket of the latitude, column, period, category, count, and sum and maximum of the weights.
type FoundGroup = (i32, i64, Option<i64>, Option<String>, i64, Option<[f64; 2]>);

impl LiveSnapshot {
    /// Groups the points that match `query`: by one `GROUP BY` where the database can compute the cells and the periods
    /// as exactly as a stored layer, otherwise after fetching the points. The counts are those of an embedded layer of
    /// the same points; sums of weights are added in double precision.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`] for `resolution` if there are more groups than the request
    /// allows.
    pub fn occupancy(&self, query: &Query<'_>, request: &OccupancyRequest) -> Result<OccupancyGrid> {
        self.check(query)?;
        self.relation.require_positions()?;
        let rows = GroundRows::of(self, query, request);
        // Tables have no tracks, so a scan rejects a request for dwell.
        let Some(rows) = rows.filter(|_| request.dwell.is_none()) else {
            return scan_occupancy(self, query, request, None, 1);
        };
        let found = self.ground_groups(query, request, &rows)?;
        if found.len() > request.max_groups {
            let message =
                format!("the points are in more than {} cells, the limit; use larger cells", request.max_groups);
            return Err(Error::invalid(Parameter::RESOLUTION, message));
        }
        let weighted = query.columns.weights && self.relation.weight.is_some();
        let report = ScanReport { read: self.summary().points, ..ScanReport::default() };
        Ok(OccupancyGrid { weighted, report, ..grid(&found, &rows) })
    }

    fn ground_groups(
        &self,
        query: &Query<'_>,
        request: &OccupancyRequest,
        rows: &GroundRows,
    ) -> Result<Vec<FoundGroup>> {
        let relation = &self.relation;
        let weight = relation.rounded_weight().filter(|_| query.columns.weights);
        let (lon, lat) = (relation.lon(), relation.lat());
        // The inner query computes the row, whose number of columns the outer one looks up. Longitudes are rounded to
        // the center of their fixed-point unit, as in a stored layer; all operations are exact in IEEE arithmetic.
        let mut sql = Sql::default();
        sql.push("SELECT row, least(floor((v - floor(v)) * n), n - 1)::int8, period, category, count(*)");
        if weight.is_some() {
            sql.push(", sum(weight), max(weight)");
        }
        sql.push(" FROM (SELECT *, (((u + 0.5) / 4294967296 - 0.5) * 360) / 360 + 0.5 AS v, (")
            .value(rows.columns.clone(), "float8[]")
            .push(
                ")[row] AS n FROM (SELECT *, least(trunc((w - floor(w)) * 4294967296), 4294967295) AS u FROM (SELECT ",
            );
        sql.push(&format!("{lon} / 360 + 0.5 AS w, width_bucket({lat}, ")).value(rows.edges.clone(), "float8[]");
        sql.push(") AS row, ");
        push_period(&mut sql, relation, &request.time);
        let category = relation.category_sql().filter(|_| request.by_category);
        sql.push(&format!(" AS period, {} AS category", category.as_deref().unwrap_or("NULL::text")));
        if let Some(weight) = &weight {
            sql.push(&format!(", {weight} AS weight"));
        }
        sql.push(" FROM ").push(&relation.items());
        let boxes = query.scan.near.map(|near| self.boxes_of(near, None));
        let boxes = boxes.as_deref().filter(|boxes| !boxes.is_empty());
        let keyword = relation.push_conditions(&mut sql, query, boxes);
        sql.push(keyword);
        // Rejects NaN as well, which PostgreSQL orders after all numbers.
        sql.push(&format!("{lon} BETWEEN -360 AND 360"));
        if let Some(has_weight) = relation.has_weight() {
            sql.push(" AND ").push(&has_weight);
        }
        sql.push(") AS placed) AS fixed WHERE row BETWEEN 1 AND ").push(&rows.columns.len().to_string());
        sql.push(") AS celled GROUP BY 1, 2, 3, 4 LIMIT ");
        sql.push(&(request.max_groups as u64).saturating_add(1).min(i64::MAX as u64).to_string());
        let has_weight = weight.is_some();
        self.database.run(query.scan.stop, move |mut connection| async move {
            all(&mut connection, &sql.text, &sql.values, |row| {
                let weights = if has_weight { Some([row.try_get(5)?, row.try_get(6)?]) } else { None };
                let (bucket, column) = (row.try_get(0)?, row.try_get(1)?);
                Ok((bucket, column, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, weights))
            })
            .await
        })
    }
}

/// Appends the expression of the period of a point, or NULL.
fn push_period(sql: &mut Sql, relation: &Relation, grouping: &TimeGrouping) {
    let time = relation.time_sql().filter(|_| grouping.needs_times());
    let Some(time) = time else {
        sql.push("NULL::int8");
        return;
    };
    sql.push(&format!("(CASE WHEN isfinite({time}) THEN "));
    match grouping {
        TimeGrouping::Period { length_us } => {
            let (us, length) = (format!("(extract(epoch FROM {time}) * 1000000)::int8"), (*length_us).max(1));
            // Integer division rounds towards zero; the modulo makes it the floor.
            sql.push(&format!("({us} - ((({us} % {length}) + {length}) % {length})) / {length}"));
        }
        TimeGrouping::HourOfWeek { zone } => {
            let kind = relation.time.as_ref().map_or(ColumnType::TimestampTz, |column| column.kind);
            for (part, factor) in [("isodow", " - 1) * 24 + "), ("hour", ")")] {
                sql.push(&format!("(extract({part} FROM "));
                push_local(sql, &time, kind, zone);
                sql.push(&format!(")::int8{factor}"));
            }
        }
        TimeGrouping::None => {
            sql.push("NULL::int8");
        }
    }
    sql.push(" END)");
}

/// The rows of ground cells that the points of a table are in.
struct GroundRows {
    /// The index of the first row.
    first: i64,
    /// The lowest latitude in degrees of each row, and the first latitude beyond the last row.
    edges: Vec<f64>,
    /// The number of columns of each row.
    columns: Vec<f64>,
}

impl GroundRows {
    /// The number of rows up to which their edges are passed to the database.
    const MAX_ROWS: i64 = 20_000;

    /// The rows of a request; `None` if the points are to be fetched instead.
    fn of(snapshot: &LiveSnapshot, query: &Query<'_>, request: &OccupancyRequest) -> Option<Self> {
        // The database knows a time zone by its name. Polygons are applied to the fetched points, as for pictures.
        let is_pushed = match &request.time {
            TimeGrouping::HourOfWeek { zone } => zone.iana_name().is_some(),
            TimeGrouping::None | TimeGrouping::Period { .. } => true,
        };
        let [_, south, _, north] = snapshot.area.filter(|_| is_pushed && query.filter.polygon.is_none())?;
        let map_edges = [fixed::first_lat(1 << 32), fixed::first_lat(0)];
        let side_m = match request.cells {
            CellSystem::Whole => return Some(Self { first: 0, edges: map_edges.to_vec(), columns: vec![1.0] }),
            CellSystem::Ground { side_m } => side_m,
            CellSystem::Square { .. } | CellSystem::Hexagon { .. } => return None,
        };
        let row_at = |lat: f64| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            fixed::to_fixed(Points::new(&[0.0], &[lat]).unwrap_or_default(), &mut x, &mut y);
            y.first().and_then(|&unit| row_of_unit(request.cells, unit))
        };
        let (first, last) = (row_at(south)?, row_at(north)?);
        if last - first >= Self::MAX_ROWS {
            return None;
        }
        let inner = (first + 1..=last).map(|row| first_lat_of_row(request.cells, row));
        let edges = map_edges[..1].iter().copied().chain(inner).chain(map_edges[1..].iter().copied()).collect();
        let columns = (first..=last).map(|row| CellSystem::ground_columns(row, side_m)).collect();
        Some(Self { first, edges, columns })
    }
}

/// The row of the fixed-point unit `y`.
fn row_of_unit(cells: CellSystem, y: u32) -> Option<i64> {
    let (_, lat) = fixed::from_fixed(0, y);
    cells.cell_at(0.0, lat).map(|cell| cell.row)
}

/// The lowest latitude in degrees whose fixed-point unit is in `row` or north of it.
fn first_lat_of_row(cells: CellSystem, row: i64) -> f64 {
    // Units increase to the south: the first unit that is south of the row.
    let (mut low, mut high) = (0u64, 1u64 << 32);
    while low < high {
        let unit = low.midpoint(high);
        if row_of_unit(cells, unit as u32).is_some_and(|found| found >= row) {
            low = unit + 1;
        } else {
            high = unit;
        }
    }
    fixed::first_lat(low)
}

/// Converts the rows of the result to a grid, with the categories in alphabetical order.
fn grid(found: &[FoundGroup], rows: &GroundRows) -> OccupancyGrid {
    let mut codes: BTreeMap<&str, u32> = found.iter().filter_map(|group| Some((group.3.as_deref()?, 0))).collect();
    for (code, index) in codes.values_mut().zip(0..) {
        *code = index;
    }
    let categories: Vec<Box<str>> = codes.keys().map(|name| (*name).into()).collect();
    let mut groups: Vec<Group> = found
        .iter()
        .map(|(bucket, column, period, category, count, weights)| {
            let cell = Cell { row: rows.first + i64::from(*bucket) - 1, column: *column };
            let category = category.as_deref().and_then(|name| codes.get(name).copied()).unwrap_or(Categories::NONE);
            let key = GroupKey { cell, period: period.unwrap_or(GroupKey::NO_PERIOD), category };
            let count = u64::try_from(*count).unwrap_or_default();
            let [weight_sum, max] = weights.unwrap_or([count as f64, 1.0]);
            Group { key, count, weight_sum, weight_max: max as f32, dwell_us: 0 }
        })
        .collect();
    groups.sort_unstable_by_key(|group| group.key);
    OccupancyGrid { groups, categories, ..OccupancyGrid::default() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_rows_are_the_first_latitudes_of_their_units() {
        let cells = CellSystem::ground(50_000.0).unwrap();
        let row_at = |lat: f64| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            fixed::to_fixed(Points::new(&[0.0], &[lat]).unwrap(), &mut x, &mut y);
            row_of_unit(cells, y[0]).unwrap()
        };
        for row in [-180, -3, 0, 1, 100, 188] {
            let edge = first_lat_of_row(cells, row);
            assert_eq!((row_at(edge), row_at(edge.next_down())), (row, row - 1), "{row}");
        }
    }
}
