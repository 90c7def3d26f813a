//! A look at all rows of a table: how many points there are, where, and what they weigh.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::database::{Database, all};
use super::pixel_edges::Cuts;
use super::relation::{Box4, Relation};
use super::snapshot::LiveSnapshot;
use super::sql::{Instant, Sql};
use super::window::Window;
use crate::error::Result;
use crate::geo::morton;
use crate::source::Query;

/// The points of a coarse cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Surveyed {
    /// The cell's place, as a key of the Z-order with [`LEVEL`] bits of each coordinate.
    pub(super) key: u64,
    pub(super) n: u64,
    /// Sum, least and greatest of the weights, where there are any.
    pub(super) weight: Option<[f64; 3]>,
    pub(super) time_us: Option<[i64; 2]>,
    /// West, south, east and north, as the points are stored.
    pub(super) area: Box4,
}

/// The level of coarse cells: 256 of them around the world. Few of them hold so many points that a place among these takes more
/// than one statement to find.
pub(super) const LEVEL: u32 = 8;

/// All of the globe, and what longitudes may be written as.
const EVERYWHERE: Box4 = [-360.0, -90.0, 360.0, 90.0];

/// What the database answers of a coarse cell.
struct Answered {
    bucket: Option<i64>,
    n: i64,
    hash: Option<String>,
    area: Option<Box4>,
    weight: Option<[f64; 3]>,
    time_us: Option<[i64; 2]>,
}

/// Looks at all rows.
///
/// # Errors
/// Those of the database.
pub(super) async fn survey(database: &Arc<Database>, relation: &Arc<Relation>) -> Result<LiveSnapshot> {
    let cuts = Cuts::of_node(0, [0, 0], LEVEL);
    let window = Window::new(&cuts, EVERYWHERE);
    let rows = window.lat.len() as u64 + 1;
    let sql = statement(relation, &window, rows);
    let (has_weight, has_time) = (relation.weight.is_some(), relation.time.is_some());
    let mut lease = database.patient().lease().await?;
    let answered = all(&mut lease, &sql.text, &sql.values, move |row| {
        let edge = |column: usize| row.try_get::<_, Option<f64>>(column);
        let area = [edge(3)?, edge(4)?, edge(5)?, edge(6)?];
        let area = if let [Some(a), Some(b), Some(c), Some(d)] = area { Some([a, b, c, d]) } else { None };
        let mut column = 7;
        let mut weight = None;
        if has_weight {
            let all = [edge(7)?, edge(8)?, edge(9)?];
            weight = if let [Some(sum), Some(least), Some(most)] = all { Some([sum, least, most]) } else { None };
            column = 10;
        }
        let mut time_us = None;
        if has_time {
            let ends: [Option<Instant>; 2] = [row.try_get(column)?, row.try_get(column + 1)?];
            time_us = if let [Some(first), Some(last)] = ends { Some([first.0, last.0]) } else { None };
        }
        Ok(Answered { bucket: row.try_get(0)?, n: row.try_get(1)?, hash: row.try_get(2)?, area, weight, time_us })
    });
    let mut answered = answered.await?;
    drop(lease);
    answered.sort_by_key(|cell| cell.bucket);
    let mut digest = DefaultHasher::new();
    let (mut rejected, mut beyond_map) = (0, 0);
    let mut coarse: Vec<Surveyed> = Vec::new();
    for Answered { bucket, n, hash, area, weight, time_us } in answered {
        (bucket, n, hash).hash(&mut digest);
        let n = u64::try_from(n).unwrap_or_default();
        let Some(bucket) = bucket.and_then(|bucket| u64::try_from(bucket).ok()) else {
            rejected += n;
            continue;
        };
        let place = window.cell((bucket / rows) as usize, (bucket % rows) as usize);
        let (Some([column, row]), Some(area)) = (place, area) else {
            beyond_map += n;
            continue;
        };
        let key = morton::key(cuts.columns[column] as u32, cuts.rows[row] as u32);
        coarse.push(Surveyed { key, n, weight, time_us, area });
    }
    coarse.sort_by_key(|cell| cell.key);
    let version = format!("{:016x}", digest.finish());
    let (database, relation) = (Arc::clone(database), Arc::clone(relation));
    Ok(LiveSnapshot::new(database, relation, coarse, rejected, beyond_map, version))
}

fn statement(relation: &Relation, window: &Window, rows: u64) -> Sql {
    let mut sql = Sql::default();
    let valid = if relation.weight.is_some() { "valid" } else { "true" };
    sql.push(&format!("SELECT CASE WHEN {valid}"));
    sql.push(" THEN (width_bucket(lon, ").value(window.lon.clone(), "float8[]").push(") * ");
    sql.push(&rows.to_string()).push(" + width_bucket(lat, ").value(window.lat.clone(), "float8[]");
    sql.push("))::int8 END, count(*), sum(hash)::text, min(lon), min(lat), max(lon), max(lat)");
    if relation.weight.is_some() {
        sql.push(", sum(weight), min(weight), max(weight)");
    }
    if relation.time.is_some() {
        sql.push(", min(time) FILTER (WHERE isfinite(time)), max(time) FILTER (WHERE isfinite(time))");
    }
    // What it is that changes when a point does, wherever the row is.
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
    sql.push(&format!(" FROM (SELECT *, {hash} AS hash FROM (SELECT {columns} FROM {}", relation.items()));
    relation.push_conditions(&mut sql, &Query::default(), None);
    sql.push(") AS points) AS hashed GROUP BY 1");
    sql
}
