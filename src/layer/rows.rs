//! The options about the rows of inputs, and about the points of layers.

use crate::error::{Error, Result};
use crate::message;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::source::Columns;

parameter_set! {
    /// Which columns of an input make a point.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ColumnOptions {
        /// Column of the longitude or x.
        pub lon: String = column(Parameter::LON).default("lon, lng, long, longitude, x"),
        /// Column of the latitude or y.
        pub lat: String = column(Parameter::LAT).default("lat, latitude, y"),
        /// Column of the weight.
        pub weight: String = column(Parameter::WEIGHT)
            .default("that of the layer, else weight, value, w, count if there is one; else every point weighs 1"),
        /// Column of the time.
        pub time: String = column(Parameter::TIME).default("time, timestamp, date, datetime"),
        /// Column of the category.
        pub category: String = column(Parameter::CATEGORY_COLUMN).default("category, type, class, kind"),
    }
}

const fn column(parameter: Parameter) -> Declaration {
    Declaration::new(parameter, Kind::Text).value_name("COLUMN")
}

parameter_set! {
    /// Which points count, by their times and categories.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct FilterOptions {
        /// Only points from this time on: a date, an RFC 3339 time, a year, or Unix seconds.
        pub start_us: i64 = Declaration::new(Parameter::START, Kind::Time),
        /// Only points before this time.
        pub end_us: i64 = Declaration::new(Parameter::END, Kind::Time),
        /// Only points of this category, or of these: a list in JSON, flags that are given several times, or in a query
        /// string names separated by commas.
        pub categories: Vec<String> = Declaration::new(Parameter::CATEGORY, Kind::Texts),
    }
}

impl ColumnOptions {
    /// The columns that are named.
    pub fn columns(&self) -> Columns {
        let Self { lon, lat, weight, time, category } = self.clone();
        Columns { lon, lat, weight, time, category, geometry: None }
    }
}

impl FilterOptions {
    /// Rejects a filter that no point can pass.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the start is not before the end.
    pub fn check(&self) -> Result<()> {
        match (self.start_us, self.end_us) {
            (Some(start), Some(end)) if start >= end => {
                let why = message!("it is not before ", Parameter::END, ", so that no point could pass");
                Err(Error::invalid(Parameter::START, why))
            }
            _ => Ok(()),
        }
    }
}
