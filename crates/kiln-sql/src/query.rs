//! What bins are made of.

use kiln_core::{Error, Parameter, Result};

use crate::bucket::Bucket;
use crate::engine::Engine;
use crate::name::check_characters;
use crate::{pyspark, select};

/// The parameter of a minimum count.
pub(crate) const AT_LEAST: Parameter = Parameter::new("at_least");

/// A request for bins of a table: counts, sums and maxima per cell of the lattice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinsQuery {
    /// The name of the table, such as `lake.trips`; parts with dots in double quotes. With a slash, or with the extension of
    /// a file, the path or URL of files.
    pub table: String,
    /// The deepest zoom at which tiles of the bins equal those of the points.
    pub zoom: u8,
    /// Whether tiles of 512 pixels, or at @2x, equal those of the points at this zoom too; the bins are a level deeper.
    pub is_dense: bool,
    /// The column of the longitude in degrees.
    pub lon: String,
    /// The column of the latitude in degrees.
    pub lat: String,
    /// The column of the weight.
    pub weight: Option<String>,
    /// The column of the time, and the length of the buckets.
    pub time: Option<(String, Bucket)>,
    /// The column of the category.
    pub category: Option<String>,
    /// A condition in the engine's SQL, which is used as it is, in parentheses.
    pub condition: Option<String>,
    /// The minimum number of points of a row.
    pub at_least: Option<u64>,
}

impl BinsQuery {
    /// The deepest zoom.
    pub const MAX_ZOOM: u8 = 24;

    /// The bins of all points of `table`, whose columns are `lon` and `lat`, without weights.
    pub fn new(table: impl Into<String>, zoom: u8) -> Self {
        Self {
            table: table.into(),
            zoom,
            is_dense: false,
            lon: "lon".into(),
            lat: "lat".into(),
            weight: None,
            time: None,
            category: None,
            condition: None,
            at_least: None,
        }
    }

    /// The level of the cells: a world of 2^level × 2^level.
    pub fn level(&self) -> u8 {
        self.zoom + if self.is_dense { 9 } else { 8 }
    }

    /// One `SELECT` of the bins.
    ///
    /// # Errors
    /// [`Error::Invalid`] if an option is invalid, or cannot be expressed in the engine's SQL.
    pub fn select(&self, engine: Engine) -> Result<String> {
        self.check()?;
        select::bins(self, engine.dialect())
    }

    /// The statement by which the engine writes the bins as Parquet to the path, URL or table `to`.
    ///
    /// # Errors
    /// As [`select`](Self::select), and if the engine cannot write to `to`.
    pub fn export(&self, engine: Engine, to: &str) -> Result<String> {
        check_characters(crate::engine::TO, to)?;
        engine.dialect().write(&self.select(engine)?, to)
    }

    /// A `PySpark` program for `spark-submit` and Spark Connect that writes the bins to a new folder of `to` each time it
    /// runs, with totals. `{partition}` in the condition is the partition that the program is started with.
    ///
    /// # Errors
    /// As [`select`](Self::select).
    pub fn pyspark(&self, to: Option<&str>) -> Result<String> {
        to.map_or(Ok(()), |to| check_characters(crate::engine::TO, to))?;
        self.check()?;
        pyspark::script(self, to)
    }

    fn check(&self) -> Result<()> {
        let max = Self::MAX_ZOOM - u8::from(self.is_dense);
        if self.zoom > max {
            let message = format!("{} exceeds {max}, the deepest zoom of the cells", self.zoom);
            return Err(Error::invalid(Parameter::ZOOM, message));
        }
        if self.at_least == Some(0) {
            return Err(Error::invalid(AT_LEAST, "the minimum number of points is at least 1"));
        }
        if let Some(condition) = &self.condition
            && (condition.trim().is_empty() || condition.contains('\0'))
        {
            return Err(Error::invalid(Parameter::WHERE, "the condition is empty"));
        }
        Ok(())
    }
}
