//! A live table as it was when it was last looked at.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use tokio_postgres::Row;

use super::database::{Database, all};
use super::relation::{Box4, Relation};
use super::sql::Sql;
use super::survey::{Surveyed, survey};
use super::window::meeting;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Bounds, Extent, Points, fixed};
use kiln_core::parameter::Parameter;
use kiln_core::source::Query;

/// What was known of a live table's points when they were last looked at. The points themselves are those of now.
#[derive(Debug)]
pub struct LiveSnapshot {
    pub(super) database: Arc<Database>,
    pub(super) relation: Arc<Relation>,
    /// Points per coarse cell, in Z-order.
    pub(super) coarse: Vec<Surveyed>,
    /// West, south, east and north of all points, as they are stored.
    pub(super) area: Option<Box4>,
    summary: LiveSummary,
    extent: Extent,
    version: String,
    categories: OnceLock<(Vec<String>, u64)>,
}

/// What the points of a live table come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveSummary {
    /// Points.
    pub points: u64,
    /// Rows that are no points: without a place, or without a weight where there are weights.
    pub rejected: u64,
    /// Points beyond the edge of the Web Mercator world, 85.05° north or south, which are left out.
    pub beyond_map: u64,
    /// Sum, least and greatest of the weights; `None` where every point weighs 1, or there is none.
    pub weight: Option<[f64; 3]>,
    /// First and last instant in microseconds since 1970-01-01 UTC; `None` where no point has one.
    pub time_us: Option<[i64; 2]>,
}

impl LiveSnapshot {
    /// Looks at the rows of a table, or of a query.
    ///
    /// # Errors
    /// Those of the database; [`Error::Cancelled`] once `stop` says so.
    pub fn of(database: &Arc<Database>, relation: Relation, stop: Option<&AtomicBool>) -> Result<Self> {
        Self::look(database, &Arc::new(relation), stop)
    }

    pub(super) fn look(database: &Arc<Database>, relation: &Arc<Relation>, stop: Option<&AtomicBool>) -> Result<Self> {
        let (own_database, own_relation) = (Arc::clone(database), Arc::clone(relation));
        database.wait(stop, async move { survey(&own_database, &own_relation).await })
    }

    pub(super) fn new(
        database: Arc<Database>,
        relation: Arc<Relation>,
        coarse: Vec<Surveyed>,
        rejected: u64,
        beyond_map: u64,
        version: String,
    ) -> Self {
        let mut summary = LiveSummary { rejected, beyond_map, ..LiveSummary::default() };
        let (mut extent, mut area) = (Extent::default(), None::<Box4>);
        for cell in &coarse {
            summary.points += cell.n;
            let [west, south, east, north] = cell.area;
            // Where points are drawn, which may be half a unit away from where they are stored.
            let (mut x, mut y) = (Vec::new(), Vec::new());
            fixed::to_fixed(Points::new(&[west, east], &[south, north]).unwrap_or_default(), &mut x, &mut y);
            for (&x, &y) in x.iter().zip(&y) {
                let (lon, lat) = fixed::from_fixed(x, y);
                extent.add(Points::new(&[lon], &[lat]).unwrap_or_default());
            }
            let all = area.get_or_insert(cell.area);
            *all = [all[0].min(west), all[1].min(south), all[2].max(east), all[3].max(north)];
            if let Some([sum, least, most]) = cell.weight {
                let weight = summary.weight.get_or_insert([0.0, least, most]);
                *weight = [weight[0] + sum, weight[1].min(least), weight[2].max(most)];
            }
            if let Some([first, last]) = cell.time_us {
                let time = summary.time_us.get_or_insert([first, last]);
                *time = [time[0].min(first), time[1].max(last)];
            }
        }
        Self { database, relation, coarse, area, summary, extent, version, categories: OnceLock::new() }
    }

    /// What the points come to.
    pub fn summary(&self) -> &LiveSummary {
        &self.summary
    }

    /// The first categories in the order of the alphabet, as many as are worth a list, and how many there are in all. The
    /// database is asked once.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    pub fn categories(&self, stop: Option<&AtomicBool>) -> Result<(Vec<String>, u64)> {
        /// The most that are named.
        const MOST: usize = 1000;
        if let Some(known) = self.categories.get() {
            return Ok(known.clone());
        }
        let Some(category) = self.relation.category_sql() else { return Ok((Vec::new(), 0)) };
        let mut sql = Sql::default();
        sql.push(&format!("SELECT category, count(*) OVER () FROM (SELECT DISTINCT {category} AS category FROM "));
        sql.push(&self.relation.items());
        self.relation.push_conditions(&mut sql, &Query::default(), None);
        sql.push(") AS names WHERE category IS NOT NULL ORDER BY category COLLATE \"C\" LIMIT ")
            .push(&MOST.to_string());
        let read = |row: &Row| Ok((row.try_get::<_, String>(0)?, row.try_get::<_, i64>(1)?));
        let found: Vec<(String, i64)> = self
            .database
            .run(stop, move |mut lease| async move { all(&mut lease, &sql.text, &sql.values, read).await })?;
        let total = found.first().map_or(0, |(_, total)| u64::try_from(*total).unwrap_or_default());
        let names = found.into_iter().map(|(name, _)| name).collect();
        Ok(self.categories.get_or_init(|| (names, total)).clone())
    }

    /// Where the points are.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// A text that changes with the points.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The name of the weight's column; `None` where every point weighs 1.
    pub fn weight(&self) -> Option<&str> {
        self.relation.weight()
    }

    /// The most statements that its database is asked at the same time.
    pub fn connections(&self) -> usize {
        self.database.connections()
    }

    /// The rows.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// How many points pass `query`.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    pub fn count(&self, query: &Query<'_>) -> Result<u64> {
        self.check(query)?;
        if query.filter.polygon.is_none() {
            return Ok(self.nodes(query, 0, 0)?.iter().map(|node| node.n).sum());
        }
        let mut count = 0;
        self.each_passing(query, None, |_, _| count += 1)?;
        Ok(count)
    }

    /// Makes sure that the rows have what the query filters by.
    pub(super) fn check(&self, query: &Query<'_>) -> Result<()> {
        if self.relation.time.is_none() && (query.filter.start_us.is_some() || query.filter.end_us.is_some()) {
            return Err(Error::invalid(Parameter::START, "the layer's points have no times to filter by"));
        }
        if self.relation.category.is_none() && !query.filter.categories.is_empty() {
            return Err(Error::invalid(Parameter::CATEGORY, "the layer's points have no categories to filter by"));
        }
        Ok(())
    }

    /// How many points there are in boxes, more or less, before any filter.
    pub(super) fn estimate(&self, boxes: &[Box4]) -> u64 {
        let share = |cell: &Surveyed, found: &Box4| {
            let Some(both) = meeting(cell.area, *found) else { return 0.0 };
            let part = |axis: usize| {
                let whole = cell.area[axis + 2] - cell.area[axis];
                if whole > 0.0 { (both[axis + 2] - both[axis]) / whole } else { 1.0 }
            };
            part(0) * part(1)
        };
        let pairs = self.coarse.iter().flat_map(|cell| boxes.iter().map(move |found| (cell, found)));
        pairs.map(|(cell, found)| cell.n as f64 * share(cell, found)).sum::<f64>() as u64
    }

    /// The boxes that hold the points of a window, in whatever copy of the world, and of `boxes`, if there are any.
    pub(super) fn boxes_of(&self, window: Bounds, boxes: Option<&[Box4]>) -> Vec<Box4> {
        let Some(area) = self.area else { return Vec::new() };
        let Bounds { west, south, east, north } = window;
        let east = if east < west { east + 360.0 } else { east };
        let copies = (-3..=3).map(|turn| f64::from(turn) * 360.0);
        let copies = copies.filter_map(|turn| meeting([west + turn, south, east + turn, north], area));
        match boxes {
            Some(boxes) => copies.flat_map(|copy| boxes.iter().filter_map(move |own| meeting(copy, *own))).collect(),
            None => copies.collect(),
        }
    }
}
