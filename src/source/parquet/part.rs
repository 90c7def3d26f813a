//! The wanted columns of one part, read side by side and told to the intake row by row or, at best, as they are.

use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;

use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;

use super::cells::{Cells, Chunk, Instant, geometries};
use super::guarded;
use super::pages::Pages;
use super::schema::{Place, Wanted};
use super::wkb;
use crate::geo::Points;
use crate::source::intake::{Intake, Row};

/// The open columns of a part, and the batch of rows read last.
pub(super) struct PartReader {
    place: Coordinates,
    weight: Option<Column<f32>>,
    time: Option<Column<Instant>>,
    category: Option<Column<ByteArray>>,
    rows: usize,
}

enum Coordinates {
    Columns { lon: Column<f64>, lat: Column<f64> },
    Wkb { geometry: Column<ByteArray>, points: Vec<(f64, f64)> },
}

impl PartReader {
    /// Opens the wanted columns of a row group at its row `first`.
    pub(super) fn open(
        file: &Arc<File>,
        group: &RowGroupMetaData,
        wanted: &Wanted,
        first: u64,
    ) -> Result<Self, String> {
        let rows = group.num_rows() as usize;
        let chunk = |leaf: usize| {
            let metadata = group.column(leaf);
            let pages = guarded(|| Pages::open(file, metadata, rows));
            let pages = pages.map_err(|reason| format!("column `{}`: {reason}", metadata.column_path().string()))?;
            Ok::<_, String>(Chunk { column: metadata.column_descr_ptr(), pages: Box::new(pages) })
        };
        let place = match wanted.place {
            Place::Columns { lon, lat } => Coordinates::Columns {
                lon: Column::open(chunk(lon.0)?, first, |chunk| lon.1.cells(chunk))?,
                lat: Column::open(chunk(lat.0)?, first, |chunk| lat.1.cells(chunk))?,
            },
            Place::Wkb(leaf) => {
                Coordinates::Wkb { geometry: Column::open(chunk(leaf)?, first, geometries)?, points: Vec::new() }
            }
        };
        let weight = wanted.weight.map(|(leaf, number)| {
            Column::open(chunk(leaf)?, first, |chunk| number.cells_as(chunk, |weight| weight as f32))
        });
        let time = wanted.time.map(|(leaf, clock)| Column::open(chunk(leaf)?, first, |chunk| clock.cells(chunk)));
        let category =
            wanted.category.map(|(leaf, label)| Column::open(chunk(leaf)?, first, |chunk| label.cells(chunk)));
        Ok(Self {
            place,
            weight: weight.transpose()?,
            time: time.transpose()?,
            category: category.transpose()?,
            rows: 0,
        })
    }

    /// Reads the next `rows` rows of every column.
    pub(super) fn fill(&mut self, rows: usize) -> Result<(), String> {
        self.rows = rows;
        match &mut self.place {
            Coordinates::Columns { lon, lat } => {
                lon.fill(rows)?;
                lat.fill(rows)?;
            }
            Coordinates::Wkb { geometry, .. } => geometry.fill(rows)?,
        }
        self.weight.as_mut().map_or(Ok(()), |column| column.fill(rows))?;
        self.time.as_mut().map_or(Ok(()), |column| column.fill(rows))?;
        self.category.as_mut().map_or(Ok(()), |column| column.fill(rows))
    }

    /// Tells the rows read last.
    pub(super) fn tell(&mut self, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        if let Some(points) = self.points() {
            return intake.columns(points);
        }
        let mut traits = Traits {
            weight: self.weight.as_ref().map(Column::cells),
            time: self.time.as_ref().map(Column::cells),
            category: self.category.as_ref().map(Column::cells),
        };
        match &mut self.place {
            Coordinates::Columns { lon, lat } => {
                for (lon, lat) in lon.cells().zip(lat.cells()).take(self.rows) {
                    match (lon, lat, traits.next_row()) {
                        (Some(&lon), Some(&lat), Ok(row)) => intake.row(Row { lon, lat, ..row })?,
                        (None, _, _) => intake.reject(|| "the longitude is null".to_owned()),
                        (_, None, _) => intake.reject(|| "the latitude is null".to_owned()),
                        (_, _, Err(reason)) => intake.reject(|| reason.to_owned()),
                    }
                }
            }
            Coordinates::Wkb { geometry, points } => {
                for wkb in geometry.cells().take(self.rows) {
                    let read = wkb.map(|wkb| wkb::read_points(wkb.data(), points));
                    match (read, traits.next_row()) {
                        (Some(Ok(())), Ok(row)) => {
                            for &(lon, lat) in &*points {
                                intake.row(Row { lon, lat, ..row })?;
                            }
                        }
                        (None, _) => intake.reject(|| "the geometry is null".to_owned()),
                        (Some(Err(flaw)), _) => intake.reject(|| flaw.to_string()),
                        (_, Err(reason)) => intake.reject(|| reason.to_owned()),
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// The rows as points, if nothing is null and nothing is to be filtered.
    fn points(&self) -> Option<Points<'_>> {
        let Coordinates::Columns { lon, lat } = &self.place else { return None };
        if self.time.is_some() || self.category.is_some() {
            return None;
        }
        let points = Points::new(lon.all()?, lat.all()?).ok()?;
        match &self.weight {
            Some(weight) => points.with_weight(weight.all()?).ok(),
            None => Some(points),
        }
    }
}

/// What a row has besides its place.
struct Traits<'a> {
    weight: Option<Rows<'a, f32>>,
    time: Option<Rows<'a, Instant>>,
    category: Option<Rows<'a, ByteArray>>,
}

impl<'a> Traits<'a> {
    /// The next row, still without a place; or why it cannot be a point.
    fn next_row(&mut self) -> Result<Row<'a>, &'a str> {
        let weight = self.weight.as_mut().map(|weights| weights.next().flatten());
        let time = self.time.as_mut().and_then(|times| times.next().flatten());
        let category = self.category.as_mut().and_then(|categories| categories.next().flatten());
        let weight = match weight {
            Some(None) => return Err("the weight is null"),
            Some(Some(&weight)) => Some(f64::from(weight)),
            None => None,
        };
        let time_us = time.map(|time| time.as_ref().copied().map_err(String::as_str)).transpose()?;
        let category = category.and_then(|category| category.as_utf8().ok());
        Ok(Row { weight, time_us, category, ..Row::default() })
    }
}

/// An open column chunk and the cells read last.
struct Column<V> {
    name: String,
    cells: Box<dyn Cells<V>>,
    /// A definition level for each row, unless the column cannot hold nulls.
    levels: Vec<i16>,
    /// The level of a cell that is not null.
    full_level: i16,
    /// The cells that are not null.
    values: Vec<V>,
    rows: usize,
}

impl<V> Column<V> {
    fn open(chunk: Chunk, first: u64, cells: impl FnOnce(Chunk) -> Box<dyn Cells<V>>) -> Result<Self, String> {
        let (name, full_level) = (chunk.column.path().string(), chunk.column.max_def_level());
        let mut column =
            Self { name, cells: cells(chunk), levels: Vec::new(), full_level, values: Vec::new(), rows: 0 };
        let skipped = if first > 0 { guarded(|| column.cells.skip(first as usize)) } else { Ok(0) };
        let skipped = skipped.map_err(|reason| column.flaw(&reason))?;
        if skipped as u64 == first { Ok(column) } else { Err(column.flaw("it ends too early")) }
    }

    fn flaw(&self, reason: &str) -> String {
        format!("column `{}`: {reason}", self.name)
    }

    fn fill(&mut self, rows: usize) -> Result<(), String> {
        self.levels.clear();
        self.values.clear();
        self.rows = rows;
        let read = guarded(|| self.cells.read(rows, &mut self.levels, &mut self.values));
        if read.map_err(|reason| self.flaw(&reason))? == rows { Ok(()) } else { Err(self.flaw("it ends too early")) }
    }

    /// All cells, if none is null.
    fn all(&self) -> Option<&[V]> {
        (self.values.len() == self.rows).then_some(&self.values)
    }

    /// The cells in order, `None` where they are null.
    fn cells(&self) -> Rows<'_, V> {
        let levels = if self.all().is_some() { &[] } else { &self.levels[..] };
        Rows { values: self.values.iter(), levels: levels.iter(), full_level: self.full_level }
    }
}

/// The cells of a column: as many as there are levels, or as there are values where there are no levels.
struct Rows<'a, V> {
    values: std::slice::Iter<'a, V>,
    levels: std::slice::Iter<'a, i16>,
    full_level: i16,
}

impl<'a, V> Iterator for Rows<'a, V> {
    /// `None` is a null.
    type Item = Option<&'a V>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.levels.next() {
            Some(&level) if level < self.full_level => Some(None),
            _ => self.values.next().map(Some),
        }
    }
}
