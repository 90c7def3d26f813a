//! The flags about the rows of inputs.

use clap::Args as ClapArgs;

use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::source::{Columns, Query, parse_time_us};

/// Which columns hold what, and which rows count.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Rows")]
pub(super) struct RowArgs {
    /// Column of the longitude or x [default: lon, lng, long, longitude, x]
    #[arg(long, value_name = "COLUMN")]
    lon: Option<String>,
    /// Column of the latitude or y [default: lat, latitude, y]
    #[arg(long, value_name = "COLUMN")]
    lat: Option<String>,
    /// Column of the weight [default: weight, value, w, count if there is one; else every point weighs 1]
    #[arg(long, value_name = "COLUMN")]
    pub(super) weight: Option<String>,
    /// Column of the time [default: time, timestamp, date, datetime]
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Column of the category [default: category, type, class, kind]
    #[arg(long, value_name = "COLUMN")]
    category_column: Option<String>,
    /// Only rows from this time on: a date, an RFC 3339 time, a year, or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    start: Option<i64>,
    /// Only rows before this time
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    end: Option<i64>,
    /// Only rows of this category; may be given several times
    #[arg(long, value_name = "NAME")]
    category: Vec<String>,
}

impl RowArgs {
    /// Refuses what no row can pass.
    pub(super) fn check(&self) -> Result<()> {
        match (self.start, self.end) {
            (Some(start), Some(end)) if start >= end => {
                Err(Error::invalid(Parameter::START, "it is not before --end, so that no row could pass"))
            }
            _ => Ok(()),
        }
    }

    /// The columns that are named.
    pub(super) fn columns(&self) -> Columns {
        Columns {
            lon: self.lon.clone(),
            lat: self.lat.clone(),
            weight: self.weight.clone(),
            time: self.time.clone(),
            category: self.category_column.clone(),
        }
    }

    /// The first flag that names a column, if one does.
    pub(super) fn column_flag(&self) -> Option<Parameter> {
        let Self { lon, lat, weight, time, category_column, .. } = self;
        let flags = [
            (Parameter::LON, lon),
            (Parameter::LAT, lat),
            (Parameter::WEIGHT, weight),
            (Parameter::TIME, time),
            (Parameter::CATEGORY_COLUMN, category_column),
        ];
        flags.into_iter().find(|(_, column)| column.is_some()).map(|(flag, _)| flag)
    }

    /// `query` with the filters that are said, for points that are read anew.
    pub(super) fn filtered<'q>(&self, query: Query<'q>) -> Query<'q> {
        query.with_start(self.start).with_end(self.end).with_category_filter(self.category.clone())
    }

    /// The query of these columns and rows.
    pub(super) fn query(&self) -> Query<'static> {
        Query::default()
            .with_names(self.columns())
            .with_start(self.start)
            .with_end(self.end)
            .with_category_filter(self.category.clone())
    }
}

fn read_time(text: &str) -> Result<i64> {
    parse_time_us(text).ok_or_else(|| {
        Error::invalid(Parameter::TIME, "not a time such as 2024-05-01, 2024-05-01T12:00:00Z or 2024, nor Unix seconds")
    })
}
