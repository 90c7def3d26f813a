//! Snapshots of the statistics of a live table.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use tokio_postgres::Row;

use super::database::{Database, all};
use super::local_time::check_zone;
use super::relation::{Box4, Relation};
use super::share::Share;
use super::sql::Sql;
use super::statistics::{CellStatistics, RowStatistics, TableStatistics};
use super::window::intersection;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Bounds, Extent, Points, fixed};
use kiln_core::parameter::Parameter;
use kiln_core::source::Query;

/// The statistics of a live table, as of their last refresh. The points themselves are always read from the current
/// table.
#[derive(Debug)]
pub struct LiveSnapshot {
    pub(super) database: Share,
    pub(super) relation: Arc<Relation>,
    /// Points per coarse cell, in Z-order.
    pub(super) coarse: Vec<CellStatistics>,
    /// West, south, east and north of all points, at their stored coordinates.
    pub(super) area: Option<Box4>,
    summary: LiveSummary,
    extent: Extent,
    version: String,
    categories: OnceLock<(Vec<String>, u64)>,
}

/// A summary of a live table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveSummary {
    /// Number of points.
    pub points: u64,
    /// Number of rows without a valid geometry or weight.
    pub rejected: u64,
    /// Number of points beyond 85.05° north or south, the edge of Web Mercator, which `points` does not include.
    pub beyond_map: u64,
    /// Sum, minimum and maximum of the weights; `None` without a weight column or without points.
    pub weight: Option<[f64; 3]>,
    /// First and last instant in microseconds since 1970-01-01 UTC; `None` if no point has one.
    pub time_us: Option<[i64; 2]>,
}

impl LiveSummary {
    fn add(&mut self, rows: &RowStatistics) {
        self.points += rows.n;
        if let Some([sum, min, max]) = rows.weight {
            let weight = self.weight.get_or_insert([0.0, min, max]);
            *weight = [weight[0] + sum, weight[1].min(min), weight[2].max(max)];
        }
        if let Some([first, last]) = rows.time_us {
            let time = self.time_us.get_or_insert([first, last]);
            *time = [time[0].min(first), time[1].max(last)];
        }
    }
}

impl LiveSnapshot {
    /// Reads the statistics of a relation.
    ///
    /// # Errors
    /// Those of the database; [`Error::Cancelled`] once `stop` is set.
    pub fn of(database: &Arc<Database>, relation: Relation, stop: Option<&AtomicBool>) -> Result<Self> {
        let (share, relation) = (Share::new(database), Arc::new(relation));
        database.wait(stop, async move { Self::read_async(&share, &relation).await })
    }

    pub(super) async fn read_async(database: &Share, relation: &Arc<Relation>) -> Result<Self> {
        let statistics = TableStatistics::read(database, relation).await?;
        Ok(Self::new(database.clone(), Arc::clone(relation), statistics))
    }

    fn new(database: Share, relation: Arc<Relation>, statistics: TableStatistics) -> Self {
        let TableStatistics { coarse, whole, rejected, beyond_map, version } = statistics;
        let mut summary = LiveSummary { rejected, beyond_map, ..LiveSummary::default() };
        let (mut extent, mut area) = (Extent::default(), None::<Box4>);
        for cell in &coarse {
            summary.add(&cell.rows);
            let [west, south, east, north] = cell.area;
            // Points are drawn at fixed-point coordinates, up to half a unit away from the stored ones.
            let (mut x, mut y) = (Vec::new(), Vec::new());
            fixed::to_fixed(Points::new(&[west, east], &[south, north]).unwrap_or_default(), &mut x, &mut y);
            for (&x, &y) in x.iter().zip(&y) {
                let (lon, lat) = fixed::from_fixed(x, y);
                extent.add(Points::new(&[lon], &[lat]).unwrap_or_default());
            }
            let all = area.get_or_insert(cell.area);
            *all = [all[0].min(west), all[1].min(south), all[2].max(east), all[3].max(north)];
        }
        if let Some(rows) = &whole {
            summary.add(rows);
        }
        Self { database, relation, coarse, area, summary, extent, version, categories: OnceLock::new() }
    }

    /// The summary.
    pub fn summary(&self) -> &LiveSummary {
        &self.summary
    }

    /// The first 1000 categories in alphabetical order, and the total number. The result is cached.
    ///
    /// # Errors
    /// As for [`cells`](Self::cells).
    pub fn categories(&self, stop: Option<&AtomicBool>) -> Result<(Vec<String>, u64)> {
        const MAX_NAMES: usize = 1000;
        if let Some(known) = self.categories.get() {
            return Ok(known.clone());
        }
        let Some(category) = self.relation.category_sql() else { return Ok((Vec::new(), 0)) };
        let mut sql = Sql::default();
        sql.push(&format!("SELECT category, count(*) OVER () FROM (SELECT DISTINCT {category} AS category FROM "));
        sql.push(&self.relation.items());
        self.relation.push_conditions(&mut sql, &Query::default(), None);
        sql.push(") AS names WHERE category IS NOT NULL ORDER BY category COLLATE \"C\" LIMIT ")
            .push(&MAX_NAMES.to_string());
        let read = |row: &Row| Ok((row.try_get::<_, String>(0)?, row.try_get::<_, i64>(1)?));
        let found: Vec<(String, i64)> = self
            .database
            .run(stop, move |mut connection| async move { all(&mut connection, &sql.text, &sql.values, read).await })?;
        let total = found.first().map_or(0, |(_, total)| u64::try_from(*total).unwrap_or_default());
        let names = found.into_iter().map(|(name, _)| name).collect();
        Ok(self.categories.get_or_init(|| (names, total)).clone())
    }

    /// The extent of the points.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// A digest of the points.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The name of the weight column; `None` if every point weighs 1.
    pub fn weight(&self) -> Option<&str> {
        self.relation.weight()
    }

    /// The maximum number of concurrent statements.
    pub fn connections(&self) -> usize {
        self.database.connections()
    }

    /// The relation.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// Checks that the relation has the columns that a query filters by, and positions if the query reads them.
    pub(super) fn check(&self, query: &Query<'_>) -> Result<()> {
        if !query.columns.without_positions || query.filter.polygon.is_some() || query.scan.near.is_some() {
            self.relation.require_positions()?;
        }
        query.filter.time_parts.iter().try_for_each(|filter| check_zone(&filter.zone))?;
        if self.relation.time.is_none() && query.filter.filters_time() {
            return Err(Error::invalid(Parameter::START, "the layer's points have no times to filter by"));
        }
        // Texts of PostgreSQL contain no NUL.
        if query.filter.categories.names().iter().any(|category| category.contains('\0')) {
            return Err(Error::invalid(Parameter::CATEGORY, "a category cannot contain a NUL character"));
        }
        if self.relation.category.is_none() && !query.filter.categories.is_empty() {
            return Err(Error::invalid(Parameter::CATEGORY, "the layer's points have no categories to filter by"));
        }
        Ok(())
    }

    /// The estimated number of points in boxes, without any filter.
    pub(super) fn estimate(&self, boxes: &[Box4]) -> u64 {
        let share = |cell: &CellStatistics, found: &Box4| {
            let Some(both) = intersection(cell.area, *found) else { return 0.0 };
            let part = |axis: usize| {
                let size = cell.area[axis + 2] - cell.area[axis];
                if size > 0.0 { (both[axis + 2] - both[axis]) / size } else { 1.0 }
            };
            part(0) * part(1)
        };
        let pairs = self.coarse.iter().flat_map(|cell| boxes.iter().map(move |found| (cell, found)));
        pairs.map(|(cell, found)| cell.rows.n as f64 * share(cell, found)).sum::<f64>() as u64
    }

    /// The boxes of a window's points in all copies of the world, intersected with `boxes`.
    pub(super) fn boxes_of(&self, window: Bounds, boxes: Option<&[Box4]>) -> Vec<Box4> {
        let Some(area) = self.area else { return Vec::new() };
        let Bounds { west, south, east, north } = window;
        let east = if east < west { east + 360.0 } else { east };
        let copies = (-3..=3).map(|turn| f64::from(turn) * 360.0);
        let copies = copies.filter_map(|turn| intersection([west + turn, south, east + turn, north], area));
        match boxes {
            Some(boxes) => {
                copies.flat_map(|copy| boxes.iter().filter_map(move |own| intersection(copy, *own))).collect()
            }
            None => copies.collect(),
        }
    }
}
