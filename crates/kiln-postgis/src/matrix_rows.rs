//! Cells of a matrix from fetched rows, for positions that the database cannot compute.

use std::ops::ControlFlow;

use tokio_postgres::Row;

use super::fault;
use super::matrix::{CellSet, CellSums, MatrixSql};
use super::matrix_axis::Key;
use super::rows::{Batch, stream};
use super::snapshot::LiveSnapshot;
use super::sql::Sql;
use kiln_core::error::Result;
use kiln_core::geo::{Points, fixed};
use kiln_core::matrix::MatrixRequest;
use kiln_core::source::Query;

/// The position, the values on the axes and the value of a row.
struct MatrixRow {
    lon: f64,
    lat: f64,
    x: Option<Key>,
    y: Option<Key>,
    value: f64,
}

impl MatrixRow {
    fn read(row: &Row, names: [bool; 2], has_value: bool) -> Result<Self, tokio_postgres::Error> {
        let value = if has_value { row.try_get(4)? } else { 1.0 };
        let (x, y) = (Key::read(row, 2, names[0])?, Key::read(row, 3, names[1])?);
        Ok(Self { lon: row.try_get(0)?, lat: row.try_get(1)?, x, y, value })
    }
}

impl LiveSnapshot {
    /// Adds the cells of the points that match `query`, its polygon included.
    pub(super) fn fetch_cells(
        &self,
        query: &Query<'_>,
        request: &MatrixRequest,
        matrix: &MatrixSql<'_>,
        cells: &mut CellSet,
    ) -> Result<()> {
        let near = query.scan.near.map(|near| self.boxes_of(near, None));
        let polygon = query.filter.polygon.as_deref();
        let boxes = match polygon {
            Some(polygon) => Some(self.boxes_of(polygon.bounds(), near.as_deref())),
            None => near.filter(|near| !near.is_empty()),
        };
        if boxes.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        let mut sql = Sql::default();
        sql.push(&format!("SELECT {}, {}, ", self.relation.lon(), self.relation.lat()));
        matrix.x.push(&mut sql, &self.relation);
        sql.push(", ");
        matrix.y.push(&mut sql, &self.relation);
        if let Some(value) = &matrix.value {
            sql.push(&format!(", ({value})::float8"));
        }
        self.push_matrix_rows(&mut sql, query, matrix, boxes.as_deref());
        let (names, has_value) = ([request.x.has_names(), request.y.has_names()], matrix.value.is_some());
        let add = |cells: &mut CellSet, row: MatrixRow| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            fixed::to_fixed(Points::new(&[row.lon], &[row.lat]).unwrap_or_default(), &mut x, &mut y);
            let (Some(&x), Some(&y)) = (x.first(), y.first()) else { return };
            let (lon, lat) = fixed::from_fixed(x, y);
            if polygon.is_some_and(|polygon| !polygon.contains(lon, lat)) {
                return;
            }
            let (x, y) = (matrix.x.key_at(lon, lat, row.x), matrix.y.key_at(lon, lat, row.y));
            cells.add(x, y, CellSums { count: 1, sum: row.value, lost: 0.0, max: row.value });
        };
        stream(
            &self.database,
            (self.database.pool(), Some(self.database.places())),
            query,
            |pool, send| async move {
                let mut connection = pool.get().await?;
                let mut rows = connection.rows(&sql.text, &sql.values).await?;
                let mut batch = Vec::with_capacity(Batch::ROWS);
                while let Some(row) = connection.next(&mut rows).await? {
                    let row = MatrixRow::read(&row, names, has_value);
                    batch.push(row.map_err(|error| fault::to_error(connection.name(), &error))?);
                    if batch.len() >= Batch::ROWS {
                        let full = std::mem::replace(&mut batch, Vec::with_capacity(Batch::ROWS));
                        if send.send(full).await.is_break() {
                            return Ok(());
                        }
                    }
                }
                // The task ends here, whether or not the batch is received.
                let _ = send.send(batch).await;
                Ok(())
            },
            &mut |batch: Vec<MatrixRow>| {
                for row in batch {
                    add(cells, row);
                }
                // More cells than this are an error.
                if cells.len() > request.max_cells { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )
    }
}
