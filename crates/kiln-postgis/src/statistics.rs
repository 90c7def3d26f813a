//! Statistics of a table: the number, the extent and the weights of its points per coarse cell.

use std::hash::Hasher;

use tokio_postgres::Row;
use twox_hash::XxHash64;

use super::database::{Database, all};
use super::pixel_edges::PixelEdges;
use super::relation::{Box4, Column, Relation};
use super::sql::{Instant, Sql};
use super::window::Window;
use kiln_core::error::Result;
use kiln_core::geo::morton;
use kiln_core::source::Query;

/// The statistics of a table.
#[derive(Debug)]
pub(super) struct TableStatistics {
    /// The coarse cells with points, in Z-order; empty if the rows have no positions.
    pub(super) coarse: Vec<CellStatistics>,
    /// The statistics of all rows, if they have no positions.
    pub(super) whole: Option<RowStatistics>,
    /// Number of rows without a valid point.
    pub(super) rejected: u64,
    /// Number of points beyond the edge of Web Mercator.
    pub(super) beyond_map: u64,
    /// A digest of all points.
    pub(super) version: String,
}

/// The statistics of the points in a coarse cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CellStatistics {
    /// The Morton key of the cell, with [`LEVEL`] bits of each coordinate.
    pub(super) key: u64,
    pub(super) rows: RowStatistics,
    /// West, south, east and north of the stored points.
    pub(super) area: Box4,
}

/// The statistics of some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RowStatistics {
    pub(super) n: u64,
    /// Sum, minimum and maximum of the weights.
    pub(super) weight: Option<[f64; 3]>,
    pub(super) time_us: Option<[i64; 2]>,
}

/// The level of coarse cells: 256 × 256 of them cover the world. In few of them, the points are so many that sampling
/// takes more than one statement.
pub(super) const LEVEL: u32 = 8;

/// The world with its neighboring copies.
const EVERYWHERE: Box4 = [-360.0, -90.0, 360.0, 90.0];

/// A row of the result: a coarse cell.
struct CellRow {
    bucket: Option<i64>,
    n: i64,
    hash: Option<String>,
    area: Option<Box4>,
    weight: Option<[f64; 3]>,
    time_us: Option<[i64; 2]>,
}

impl TableStatistics {
    /// Reads all rows.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn read(database: &Database, relation: &Relation) -> Result<Self> {
        let edges = PixelEdges::of_node(0, [0, 0], LEVEL);
        let window = Window::new(&edges, EVERYWHERE);
        let rows = window.lat.len() as u64 + 1;
        let sql = statement(relation, &window, rows);
        let (has_weight, has_time) = (relation.weight.is_some(), relation.time.is_some());
        let mut connection = database.statistics_pool().get().await?;
        let cells = all(&mut connection, &sql.text, &sql.values, move |row| CellRow::read(row, has_weight, has_time));
        let mut cells = cells.await?;
        drop(connection);
        cells.sort_by_key(|cell| cell.bucket);
        let mut digest = XxHash64::with_seed(0);
        // The same values can be at other positions, or have other roles.
        digest.write(relation.roles_text().as_bytes());
        let has_positions = relation.geometry.is_some();
        let mut whole = (!has_positions).then(RowStatistics::default);
        let (mut rejected, mut beyond_map, mut coarse) = (0, 0, Vec::new());
        for CellRow { bucket, n, hash, area, weight, time_us } in cells {
            digest.write(&bucket.unwrap_or(-1).to_le_bytes());
            digest.write(&n.to_le_bytes());
            digest.write(hash.unwrap_or_default().as_bytes());
            let n = u64::try_from(n).unwrap_or_default();
            let Some(bucket) = bucket.and_then(|bucket| u64::try_from(bucket).ok()) else {
                rejected += n;
                continue;
            };
            let statistics = RowStatistics { n, weight, time_us };
            if !has_positions {
                whole = Some(statistics);
                continue;
            }
            let cell = window.cell((bucket / rows) as usize, (bucket % rows) as usize);
            let (Some([column, row]), Some(area)) = (cell, area) else {
                beyond_map += n;
                continue;
            };
            let key = morton::key(edges.columns[column] as u32, edges.rows[row] as u32);
            coarse.push(CellStatistics { key, rows: statistics, area });
        }
        coarse.sort_by_key(|cell| cell.key);
        Ok(Self { coarse, whole, rejected, beyond_map, version: format!("{:016x}", digest.finish()) })
    }
}

impl CellRow {
    fn read(row: &Row, has_weight: bool, has_time: bool) -> Result<Self, tokio_postgres::Error> {
        let number = |column: usize| row.try_get::<_, Option<f64>>(column);
        let area = [number(3)?, number(4)?, number(5)?, number(6)?];
        let area = if let [Some(a), Some(b), Some(c), Some(d)] = area { Some([a, b, c, d]) } else { None };
        let mut column = 7;
        let mut weight = None;
        if has_weight {
            let all = [number(7)?, number(8)?, number(9)?];
            weight = if let [Some(sum), Some(min), Some(max)] = all { Some([sum, min, max]) } else { None };
            column = 10;
        }
        let mut time_us = None;
        if has_time {
            let ends: [Option<Instant>; 2] = [row.try_get(column)?, row.try_get(column + 1)?];
            time_us = if let [Some(first), Some(last)] = ends { Some([first.0, last.0]) } else { None };
        }
        Ok(Self { bucket: row.try_get(0)?, n: row.try_get(1)?, hash: row.try_get(2)?, area, weight, time_us })
    }
}

fn statement(relation: &Relation, window: &Window, rows: u64) -> Sql {
    let mut sql = Sql::default();
    let valid = if relation.weight.is_some() { "valid" } else { "true" };
    sql.push(&format!("SELECT CASE WHEN {valid}"));
    if relation.geometry.is_some() {
        sql.push(" THEN (width_bucket(lon, ").value(window.lon.clone(), "float8[]").push(") * ");
        sql.push(&rows.to_string()).push(" + width_bucket(lat, ").value(window.lat.clone(), "float8[]").push("))");
    } else {
        sql.push(" THEN 0");
    }
    sql.push("::int8 END, count(*), sum(hash)::text, min(lon), min(lat), max(lon), max(lat)");
    if relation.weight.is_some() {
        sql.push(", sum(weight), min(weight), max(weight)");
    }
    if relation.time.is_some() {
        sql.push(", min(time) FILTER (WHERE isfinite(time)), max(time) FILTER (WHERE isfinite(time))");
    }
    // The digest depends on the values of the points, not on the order of the rows.
    let mut hash = String::from("hashfloat8extended(lon, 1) # hashfloat8extended(lat, 2)");
    let mut columns = format!("{} AS lon, {} AS lat", relation.lon(), relation.lat());
    if let (Some(weight), Some(has_weight)) = (relation.weight_sql(), relation.has_weight()) {
        columns.extend([", ", &has_weight, " AS valid, ", &weight, " AS weight"]);
        hash.push_str(" # coalesce(hashfloat8extended(weight, 3), 0)");
    }
    if let Some(time) = relation.time_sql() {
        columns.extend([", ", &time, " AS time"]);
        hash.push_str(" # coalesce(hashfloat8extended(date_part('epoch', time), 4), 0)");
    }
    if let Some(category) = relation.category_sql() {
        columns.extend([", ", &category, " AS category"]);
        hash.push_str(" # coalesce(hashtextextended(category, 5), 0)");
    }
    // Matrices and comparisons of these columns change with them.
    let is_role = |column: &Column| relation.roles().any(|role| role == column.name);
    for (index, column) in relation.allowed_columns().into_iter().filter(|column| !is_role(column)).enumerate() {
        columns.extend([", ", &column.sql(), &format!("::text AS allowed{index}")]);
        hash.extend([format!(" # coalesce(hashtextextended(allowed{index}, {}), 0)", 6 + index)]);
    }
    sql.push(&format!(" FROM (SELECT *, {hash} AS hash FROM (SELECT {columns} FROM {}", relation.items()));
    relation.push_conditions(&mut sql, &Query::default(), None);
    sql.push(") AS points) AS hashed GROUP BY 1");
    sql
}
