//! The options about the rows of inputs, and about the points of layers.

use crate::error::{Error, Result};
use crate::message;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::source::time::TimeFormat;
use crate::source::{AxisOrder, Columns, Quote, ReadOptions};

parameter_set! {
    /// Which columns of an input make a point.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ColumnOptions {
        /// Column of the longitude or x, by its name, or by its number from 1.
        pub lon: String = column(Parameter::LON).default("lon, lng, long, longitude, x"),
        /// Column of the latitude or y, by its name, or by its number from 1.
        pub lat: String = column(Parameter::LAT).default("lat, latitude, y"),
        /// Column of geometries, in place of longitude and latitude: WKT, WKB, GeoJSON or pairs of coordinates.
        pub geometry: String = column(Parameter::GEOMETRY)
            .default("geometry, geom, the_geom, wkt, location and the like")
            .conflicts_with(Parameter::LON),
        /// Column of the weight; `none` for points without weights. A column that is itself called none goes by its number.
        pub weight: String = column(Parameter::WEIGHT)
            .default("that of the layer, else weight, value, w, count if there is one; else every point weighs 1"),
        /// Column of the time; `none` for points without times.
        pub time: String = column(Parameter::TIME).default("time, timestamp, datetime, date"),
        /// Column of the category; `none` for points without categories.
        pub category: String = column(Parameter::CATEGORY_COLUMN).default("category, type, class, kind"),
    }
}

const fn column(parameter: Parameter) -> Declaration {
    Declaration::new(parameter, Kind::Text).value_name("COLUMN")
}

parameter_set! {
    /// How inputs are read, where they do not declare it themselves.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct InputOptions {
        /// Coordinate reference system of the coordinates, such as `EPSG:25832`.
        pub crs: String = Declaration::new(Parameter::CRS, Kind::Name)
            .value_name("CRS")
            .default("that of the input, else WGS 84 in degrees")
            .example("EPSG:25832"),
        /// Order of the coordinates in pairs without names, such as `[59.33, 18.07]`.
        pub order: AxisOrder = Declaration::new(Parameter::ORDER, Kind::Choice(AxisOrder::WORDS))
            .default("that of the format, mostly lon-lat")
            .example("lat-lon"),
        /// Format of the times: a pattern such as `%d.%m.%Y %H:%M`, `excel` for the days of a spreadsheet, or `unix-s`, `unix-ms`,
        /// `unix-us` or `unix-ns`.
        pub time_format: TimeFormat = Declaration::new(Parameter::TIME_FORMAT, Kind::Text)
            .value_name("FORMAT")
            .default("found out from the column")
            .example("%d.%m.%Y %H:%M"),
        /// Whether the day comes before the month in dates such as 05/01/2024.
        pub day_first: bool = Declaration::new(Parameter::DAY_FIRST, Kind::Boolean).default("found out from the column"),
        /// Character encoding of texts, such as `windows-1252`.
        pub encoding: String = Declaration::new(Parameter::ENCODING, Kind::Name)
            .value_name("ENCODING")
            .default("that of the byte order mark, else UTF-8")
            .example("windows-1252"),
        /// Quoting of the fields of a CSV: `double` for `"…"`, `none` if quotes are text.
        pub quote: Quote = Declaration::new(Parameter::QUOTE, Kind::Choice(Quote::WORDS)).default("found out from the file"),
        /// Path of the list of records within a JSON document, such as `data.items`, or the table of a GeoPackage.
        pub records: String = Declaration::new(Parameter::RECORDS, Kind::Text)
            .value_name("PATH")
            .default("the document, or its only list of objects; the only table")
            .example("data.items"),
    }
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
        let Self { lon, lat, geometry, weight, time, category } = self.clone();
        Columns { lon, lat, weight, time, category, geometry }
    }
}

impl InputOptions {
    /// The options of the readers.
    pub fn read_options(&self) -> ReadOptions {
        let Self { crs, order, time_format, day_first, encoding, quote, records } = self.clone();
        let time_format = time_format.unwrap_or_default();
        ReadOptions { crs, order, time_format, day_first, encoding, quote, records }
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
