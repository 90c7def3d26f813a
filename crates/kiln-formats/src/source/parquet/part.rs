//! The wanted columns of one part, read side by side and told to the intake row by row or, at best, as they are.

use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;

use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::ColumnDescriptor;

use super::cells::{Cells, Chunk, Clock, Instant, Instants, Label, geometries};
use super::guarded;
use super::pages::Pages;
use super::schema::{Place, Wanted};
use super::wkb;
use crate::source::batch::Row;
use crate::source::intake::Intake;
use crate::source::labels::Labels;
use kiln_core::geo::{Categories, Points};

/// The open columns of a part, and the batch of rows read last.
pub(super) struct PartReader {
    place: Coordinates,
    weight: Option<Column<f32>>,
    time: Option<Times>,
    category: Option<Names>,
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
        let time = wanted.time.map(|(leaf, clock)| Times::open(chunk(leaf)?, first, clock));
        let category = wanted.category.map(|(leaf, label)| Names::open(chunk(leaf)?, first, label));
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
        self.time.as_mut().map_or(Ok(()), |times| times.fill(rows))?;
        self.category.as_mut().map_or(Ok(()), |names| names.fill(rows))
    }

    /// Tells the rows read last.
    pub(super) fn tell(&mut self, intake: &mut Intake<'_, '_>) -> ControlFlow<()> {
        if let Some(points) = self.points() {
            return intake.columns(points);
        }
        let mut traits = Traits {
            weight: self.weight.as_ref().map(Column::cells),
            time: self.time.as_ref(),
            category: self.category.as_ref().map(Names::categories),
            index: 0,
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

    /// The rows as points, if each row has what it needs.
    fn points(&self) -> Option<Points<'_>> {
        let Coordinates::Columns { lon, lat } = &self.place else { return None };
        let mut points = Points::new(lon.all()?, lat.all()?).ok()?;
        if let Some(weight) = &self.weight {
            points = points.with_weight(weight.all()?).ok()?;
        }
        if let Some(times) = &self.time {
            points = points.with_time(times.all()?).ok()?;
        }
        if let Some(names) = &self.category {
            points = points.with_category(names.categories()).ok()?;
        }
        Some(points)
    }
}

/// What a row has besides its place.
struct Traits<'a> {
    weight: Option<Rows<'a, f32>>,
    time: Option<&'a Times>,
    category: Option<Categories<'a>>,
    /// Which row is the next.
    index: usize,
}

impl<'a> Traits<'a> {
    /// The next row, still without a place; or why it cannot be a point.
    fn next_row(&mut self) -> Result<Row<'a>, &'a str> {
        let weight = self.weight.as_mut().map(|weights| weights.next().flatten());
        let index = self.index;
        self.index += 1;
        let weight = match weight {
            Some(None) => return Err("the weight is null"),
            Some(Some(&weight)) => Some(f64::from(weight)),
            None => None,
        };
        let time_us = self.time.map_or(Ok(None), |times| times.at(index))?;
        let category = self.category.and_then(|category| category.name(index));
        Ok(Row { weight, time_us, category, ..Row::default() })
    }
}

/// The times of the rows read last.
struct Times {
    cells: TimeCells,
    /// A time for each row, [`Points::NO_TIME`] where there is none.
    time_us: Vec<i64>,
    /// The rows whose time cannot be read, and why.
    flaws: Vec<(usize, String)>,
}

enum TimeCells {
    Sure(Column<i64>),
    Doubtful(Column<Instant>),
}

impl Times {
    fn open(chunk: Chunk, first: u64, clock: Clock) -> Result<Self, String> {
        let column = chunk.column.clone();
        let cells = match clock.cells(chunk) {
            Instants::Sure(cells) => TimeCells::Sure(Column::of(&column, first, cells)?),
            Instants::Doubtful(cells) => TimeCells::Doubtful(Column::of(&column, first, cells)?),
        };
        Ok(Self { cells, time_us: Vec::new(), flaws: Vec::new() })
    }

    fn fill(&mut self, rows: usize) -> Result<(), String> {
        self.time_us.clear();
        self.flaws.clear();
        match &mut self.cells {
            TimeCells::Sure(column) => {
                column.fill(rows)?;
                self.time_us.extend(column.cells().map(|time_us| time_us.copied().unwrap_or(Points::NO_TIME)));
            }
            TimeCells::Doubtful(column) => {
                column.fill(rows)?;
                let flaws = &mut self.flaws;
                self.time_us.extend(column.cells().enumerate().map(|(index, instant)| match instant {
                    Some(Ok(time_us)) => *time_us,
                    Some(Err(flaw)) => {
                        flaws.push((index, flaw.clone()));
                        Points::NO_TIME
                    }
                    None => Points::NO_TIME,
                }));
            }
        }
        Ok(())
    }

    /// The time of each row, if none is flawed.
    fn all(&self) -> Option<&[i64]> {
        self.flaws.is_empty().then_some(&self.time_us)
    }

    /// The time of a row, if it has one; or what is wrong with it.
    fn at(&self, index: usize) -> Result<Option<i64>, &str> {
        match self.flaws.binary_search_by_key(&index, |flaw| flaw.0) {
            Ok(flaw) => Err(&self.flaws[flaw].1),
            Err(_) => Ok(self.time_us.get(index).copied().filter(|&time_us| time_us != Points::NO_TIME)),
        }
    }
}

/// The categories of the rows read last.
struct Names {
    column: Column<ByteArray>,
    codes: Vec<u32>,
    labels: Labels,
}

impl Names {
    fn open(chunk: Chunk, first: u64, label: Label) -> Result<Self, String> {
        let column = Column::open(chunk, first, |chunk| label.cells(chunk))?;
        Ok(Self { column, codes: Vec::new(), labels: Labels::default() })
    }

    fn fill(&mut self, rows: usize) -> Result<(), String> {
        self.column.fill(rows)?;
        self.labels.forget_many();
        let names = self.column.cells().map(|name| name.and_then(|name| name.as_utf8().ok()));
        self.codes.clear();
        self.codes.extend(names.map(|name| self.labels.code(name)));
        Ok(())
    }

    fn categories(&self) -> Categories<'_> {
        Categories { codes: &self.codes, names: self.labels.names() }
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
        let column = chunk.column.clone();
        Self::of(&column, first, cells(chunk))
    }

    /// The `cells` of `column` from the row `first` on.
    fn of(column: &ColumnDescriptor, first: u64, cells: Box<dyn Cells<V>>) -> Result<Self, String> {
        let (name, full_level) = (column.path().string(), column.max_def_level());
        let mut column = Self { name, cells, levels: Vec::new(), full_level, values: Vec::new(), rows: 0 };
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
