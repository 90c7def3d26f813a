//! Matrices, grouped by the database.

use std::collections::HashMap;

use super::database::all;
use super::matrix_axis::{AxisSql, Key};
use super::relation::{Column, ColumnType};
use super::snapshot::LiveSnapshot;
use super::sql::Sql;
use kiln_core::error::Result;
use kiln_core::geo::fixed;
use kiln_core::matrix::{Axis, AxisKeys, MatrixCell, MatrixRequest, PointMatrix};
use kiln_core::parameter::Parameter;
use kiln_core::source::{Query, ScanReport, TableColumn};

/// A row of the result: x, y, count, and sum and maximum of the values.
type FoundCell = (Option<Key>, Option<Key>, i64, Option<[f64; 2]>);

/// The axes and the values of a matrix as SQL.
pub(super) struct MatrixSql<'a> {
    pub(super) x: AxisSql<'a>,
    pub(super) y: AxisSql<'a>,
    /// The value of a row, whose sum does not lose digits: a number that is no `float4`. `None` if each row counts as 1.
    pub(super) value: Option<String>,
    /// Whether the values have more than the 24 binary digits of a `float4`.
    has_doubles: bool,
    /// The condition that a row has a value, unless the weight is the value.
    has_value: Option<String>,
}

impl LiveSnapshot {
    /// Groups the points that match `query` by the axes of `request`, by one `GROUP BY`; with a polygon, after fetching
    /// the axes and positions of the points in its bounds. The counts are those of an embedded layer of the same points;
    /// weights and values are those of the columns, not rounded to 32 bits, and added as decimals or in double precision.
    /// Rows without a valid position, weight or value are skipped.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`](kiln_core::Error::Invalid) for `x`, `y` or `value` if it is a
    /// column that requests may not use or of an unsuitable type, for `x` if there are more cells than the request
    /// allows, and for `layer` if the rows have no positions and the request needs them.
    pub fn matrix(&self, query: &Query<'_>, request: &MatrixRequest) -> Result<PointMatrix> {
        let query = request.query(query);
        self.check(&query)?;
        let matrix = self.matrix_sql(&query, request)?;
        let mut cells = CellSet::default();
        let is_empty = self.area.is_none() && self.relation.geometry.is_some();
        if !is_empty {
            let fetches = query.filter.polygon.is_some() || !(matrix.x.is_pushed() && matrix.y.is_pushed());
            if fetches {
                self.fetch_cells(&query, request, &matrix, &mut cells)?;
            } else {
                self.group_cells(&query, request, &matrix, &mut cells)?;
            }
        }
        let unweighted = query.columns.weights && matrix.value.is_none();
        let unweighted = if unweighted { cells.rows } else { 0 };
        let report = ScanReport { read: self.summary().points, unweighted, ..ScanReport::default() };
        Ok(PointMatrix { report, has_doubles: matrix.has_doubles, ..cells.finish(request)? })
    }

    /// The columns that axes and values of matrices may use.
    pub fn table_columns(&self) -> Vec<TableColumn> {
        let columns = self.relation.allowed_columns().into_iter();
        columns.map(|column| TableColumn { name: column.name.clone(), is_numeric: column.kind.is_number() }).collect()
    }

    /// The minimum and maximum of the finite numbers in a column, of the points that match `query`, whose polygon is not
    /// applied; `None` if there are none. As in [`matrix`](Self::matrix), rows without a valid position or weight are
    /// skipped.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`](kiln_core::Error::Invalid) for `x` if it is a column that requests
    /// may not use or not numeric.
    pub fn column_range(&self, query: &Query<'_>, column: &str) -> Result<Option<[f64; 2]>> {
        let query = query.clone().with_positions(false);
        self.check(&query)?;
        let number = self.relation.numeric_column(Parameter::X, column)?.number_sql();
        let mut sql = Sql::default();
        sql.push(&format!("SELECT min({number}), max({number})"));
        let keyword = self.push_points(&mut sql, &query, None);
        // Rejects NaN as well, which is greater than all numbers.
        sql.push(keyword).push(&format!("abs({number}) < 'Infinity'"));
        let found = self.database.run(query.scan.stop, move |mut connection| async move {
            all(&mut connection, &sql.text, &sql.values, |row| {
                let (min, max): (Option<f64>, Option<f64>) = (row.try_get(0)?, row.try_get(1)?);
                Ok(min.zip(max).map(|(min, max)| [min, max]))
            })
            .await
        });
        Ok(found?.into_iter().flatten().next())
    }

    /// Checks the columns of a request.
    fn matrix_sql(&self, query: &Query<'_>, request: &MatrixRequest) -> Result<MatrixSql<'_>> {
        let axis = |parameter: Parameter, axis: &Axis| AxisSql::new(self, parameter, axis, &request.zone);
        let (x, y) = (axis(Parameter::X, &request.x)?, axis(Parameter::Y, &request.y)?);
        let relation = &self.relation;
        let named = match &request.value {
            Some(name) => Some(relation.numeric_column(Parameter::VALUE, name)?),
            None => None,
        };
        let other = named.filter(|column| relation.weight() != Some(column.name.as_str()));
        let weight = relation.weight_column().filter(|_| named.is_some() || query.columns.weights);
        let column = other.or(weight);
        let value = column.map(|column| match column.kind {
            ColumnType::Float4 => column.number_sql(),
            // The sum of decimals is exact, and that of integers too.
            _ => column.sql(),
        });
        let has_doubles = column.is_some_and(|column| column.kind != ColumnType::Float4);
        Ok(MatrixSql { x, y, value, has_doubles, has_value: other.map(Column::has_number) })
    }

    /// Appends the FROM and WHERE clauses of the points with a value.
    pub(super) fn push_matrix_rows(
        &self,
        sql: &mut Sql,
        query: &Query<'_>,
        matrix: &MatrixSql<'_>,
        boxes: Option<&[[f64; 4]]>,
    ) {
        let keyword = self.push_points(sql, query, boxes);
        if let Some(condition) = &matrix.has_value {
            sql.push(keyword).push(condition);
        }
    }

    /// Appends the FROM and WHERE clauses of the points. Returns the keyword of a further condition.
    fn push_points(&self, sql: &mut Sql, query: &Query<'_>, boxes: Option<&[[f64; 4]]>) -> &'static str {
        let relation = &self.relation;
        let needs_positions = !query.columns.without_positions || query.filter.polygon.is_some();
        // The transformation of the points is most of the time of a query without an index.
        let is_untransformed = relation.transforms() && !needs_positions;
        let items = if is_untransformed { relation.stored_items() } else { relation.items() };
        sql.push(" FROM ").push(&items);
        let mut keyword = relation.push_conditions(sql, query, boxes);
        let mut next = |sql: &mut Sql| {
            sql.push(keyword);
            keyword = " AND ";
        };
        if let (true, Some(has_point)) = (is_untransformed, relation.has_stored_point()) {
            next(sql);
            sql.push(&has_point);
        } else if relation.geometry.is_some() {
            // Rejects NaN as well, which is greater than all numbers.
            next(sql);
            sql.push(&format!("{} BETWEEN -360 AND 360 AND {lat} >= ", relation.lon(), lat = relation.lat()));
            sql.value(fixed::first_lat(1 << 32), "float8").push(&format!(" AND {} < ", relation.lat()));
            sql.value(fixed::first_lat(0), "float8");
        }
        if let Some(condition) = relation.has_weight() {
            next(sql);
            sql.push(&condition);
        }
        keyword
    }

    /// The cells, grouped by the database.
    fn group_cells(
        &self,
        query: &Query<'_>,
        request: &MatrixRequest,
        matrix: &MatrixSql<'_>,
        cells: &mut CellSet,
    ) -> Result<()> {
        let mut sql = Sql::default();
        sql.push("SELECT ");
        matrix.x.push(&mut sql, &self.relation);
        sql.push(" AS x, ");
        matrix.y.push(&mut sql, &self.relation);
        sql.push(" AS y, count(*)");
        if let Some(value) = &matrix.value {
            sql.push(&format!(", sum({value})::float8, max({value})::float8"));
        }
        let boxes = query.scan.near.map(|near| self.boxes_of(near, None));
        self.push_matrix_rows(&mut sql, query, matrix, boxes.as_deref().filter(|boxes| !boxes.is_empty()));
        // With n cells of points that have both values, there are at most n + 1 more groups of points that lack one.
        let limit = (request.max_cells as u64).saturating_mul(2).saturating_add(3).min(i64::MAX as u64);
        sql.push(" GROUP BY 1, 2 LIMIT ").push(&limit.to_string());
        let (names, has_value) = ([request.x.has_names(), request.y.has_names()], matrix.value.is_some());
        let found: Vec<FoundCell> = self.database.run(query.scan.stop, move |mut connection| async move {
            all(&mut connection, &sql.text, &sql.values, |row| {
                let keys = (Key::read(row, 0, names[0])?, Key::read(row, 1, names[1])?);
                let sums = if has_value { Some([row.try_get(3)?, row.try_get(4)?]) } else { None };
                Ok((keys.0, keys.1, row.try_get(2)?, sums))
            })
            .await
        })?;
        if found.len() as u64 >= limit {
            return Err(request.too_many_cells());
        }
        for (x, y, count, sums) in found {
            let count = u64::try_from(count).unwrap_or_default();
            let [sum, max] = sums.unwrap_or([count as f64, 1.0]);
            cells.add(x, y, CellSums { count, sum, lost: 0.0, max });
        }
        Ok(())
    }
}

/// The count of rows, and the sum and maximum of their values.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellSums {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// The sum of the digits that the additions have rounded away.
    pub(super) lost: f64,
    pub(super) max: f64,
}

impl CellSums {
    /// The sums of both, by the compensated summation of Neumaier (1974, doi:10.1002/zamm.19740540106).
    fn and(self, other: Self) -> Self {
        let sum = self.sum + other.sum;
        let (larger, smaller) =
            if self.sum.abs() >= other.sum.abs() { (self.sum, other.sum) } else { (other.sum, self.sum) };
        let lost = self.lost + other.lost + ((larger - sum) + smaller);
        Self { count: self.count + other.count, sum, lost, max: self.max.max(other.max) }
    }
}

/// The cells of a matrix, by row and column.
#[derive(Debug, Default)]
pub(super) struct CellSet {
    cells: HashMap<(Key, Key), CellSums>,
    unplaced: u64,
    /// The number of all rows.
    rows: u64,
}

impl CellSet {
    /// Adds rows with the same values on the axes.
    pub(super) fn add(&mut self, x: Option<Key>, y: Option<Key>, sums: CellSums) {
        self.rows += sums.count;
        let Some(key) = y.zip(x) else {
            self.unplaced += sums.count;
            return;
        };
        self.cells.entry(key).and_modify(|own| *own = own.and(sums)).or_insert(sums);
    }

    /// The number of cells.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The matrix.
    fn finish(self, request: &MatrixRequest) -> Result<PointMatrix> {
        let Self { cells, unplaced, .. } = self;
        let unique = |mut keys: Vec<Key>| {
            keys.sort_unstable();
            keys.dedup();
            keys
        };
        let x = unique(cells.keys().map(|(_, x)| x.clone()).collect());
        let y = unique(cells.keys().map(|(y, _)| y.clone()).collect());
        if x.len().saturating_mul(y.len()) > request.max_cells {
            return Err(request.too_many_cells());
        }
        let index = |keys: &[Key], key: &Key| keys.partition_point(|known| known < key) as u32;
        let mut cells: Vec<MatrixCell> = cells
            .iter()
            .map(|((row, column), CellSums { count, sum, lost, max })| MatrixCell {
                x: index(&x, column),
                y: index(&y, row),
                count: *count,
                sum: sum + lost,
                max: *max,
            })
            .collect();
        cells.sort_unstable_by_key(|cell| (cell.y, cell.x));
        let (x, y) = (axis_keys(&request.x, x), axis_keys(&request.y, y));
        Ok(PointMatrix { x, y, cells, unplaced, ..PointMatrix::default() })
    }
}

fn axis_keys(axis: &Axis, keys: Vec<Key>) -> AxisKeys {
    let keys = keys.into_iter();
    if axis.has_names() {
        AxisKeys::Names(keys.filter_map(Key::name).collect())
    } else {
        AxisKeys::Numbers(keys.filter_map(|key| key.number()).collect())
    }
}
