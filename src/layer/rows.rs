//! The parameters that select columns, control the readers, and filter points.

use jiff::tz::TimeZone;

use super::TimeBound;
use crate::calendar::{Hours, Months, TimePartFilter, Weekdays, find_zone};
use crate::error::{Error, Result};
use crate::message;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::source::time::TimeFormat;
use crate::source::{AxisOrder, CategorySet, Columns, CoordinateSpace, Filter, Quote, ReadOptions};

parameter_set! {
    /// The columns of an input.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ColumnOptions {
        /// Column of the longitude or x: its name, or its number, counted from 1.
        pub lon: String = column(Parameter::LON).default("lon, lng, long, longitude, x"),
        /// Column of the latitude or y: its name, or its number, counted from 1.
        pub lat: String = column(Parameter::LAT).default("lat, latitude, y"),
        /// Column of geometries, instead of longitude and latitude: WKT, WKB, GeoJSON or pairs of coordinates.
        pub geometry: String = column(Parameter::GEOMETRY)
            .default("geometry, geom, the_geom, wkt, location or similar")
            .conflicts_with(Parameter::LON),
        /// Column of the weight; `none` for points without weights. A column named `none` is selected by its number.
        pub weight: String = column(Parameter::WEIGHT)
            .default(
                "that of the layer, else the first of weight, value, w, count, population, pop, magnitude, mag and \
                 intensity; without any, every point has a weight of 1",
            ),
        /// Column of the time; `none` for points without times.
        pub time: String = column(Parameter::TIME).default("time, timestamp, datetime, date"),
        /// Column of the category; `none` for points without categories.
        pub category: String = column(Parameter::CATEGORY_COLUMN).default("category, type, class, kind, space_id, space"),
        /// Column of the track, the id of a person or device, for the time that each spends in a cell; `none` for points
        /// without tracks. Tracks are never output.
        pub track: String = column(Parameter::TRACK)
            .default("track, track_id, trajectory, object_id, person_id, device_id"),
    }
}

const fn column(parameter: Parameter) -> Declaration {
    Declaration::new(parameter, Kind::Text).value_name("COLUMN")
}

parameter_set! {
    /// The options of the readers, for what an input does not declare itself.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct InputOptions {
        /// Coordinate reference system of the coordinates, such as `EPSG:25832`; or `plane` for x and y in meters on a
        /// plane, such as a floor plan.
        pub crs: String = Declaration::new(Parameter::CRS, Kind::Name)
            .value_name("CRS")
            .default("that of the input, else WGS 84 in degrees")
            .example("EPSG:25832"),
        /// Axis order of coordinate pairs without names, such as `[59.33, 18.07]`.
        pub order: AxisOrder = Declaration::new(Parameter::ORDER, Kind::Choice(AxisOrder::WORDS))
            .default("that of the format, usually lon-lat")
            .example("lat-lon"),
        /// Format of the times: a pattern such as `%d.%m.%Y %H:%M`, `excel` for spreadsheet day numbers, or `unix-s`,
        /// `unix-ms`, `unix-us` or `unix-ns`.
        pub time_format: TimeFormat = Declaration::new(Parameter::TIME_FORMAT, Kind::Text)
            .value_name("FORMAT")
            .default("detected from the column")
            .example("%d.%m.%Y %H:%M"),
        /// Whether the day comes before the month in dates such as 05/01/2024.
        pub day_first: bool = Declaration::new(Parameter::DAY_FIRST, Kind::Boolean).default("detected from the column"),
        /// Character encoding of text, such as `windows-1252`.
        pub encoding: String = Declaration::new(Parameter::ENCODING, Kind::Name)
            .value_name("ENCODING")
            .default("that of the byte order mark, else UTF-8")
            .example("windows-1252"),
        /// Quoting of CSV fields: `double` for `"…"`, `none` if quotes are ordinary characters.
        pub quote: Quote = Declaration::new(Parameter::QUOTE, Kind::Choice(Quote::WORDS))
            .default("detected from the file"),
        /// Path of the array of records in a JSON document, such as `data.items`, or the name of a GeoPackage table.
        pub records: String = Declaration::new(Parameter::RECORDS, Kind::Text)
            .value_name("PATH")
            .default("the document, or its only array of objects; the only table")
            .example("data.items"),
    }
}

parameter_set! {
    /// The filter of points by time, parts of the local time, and category.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct FilterOptions {
        /// Only points at or after this time: a date, an RFC 3339 time, a year, or Unix seconds. A time without an offset
        /// from UTC is a local time of `tz`.
        pub start: TimeBound = Declaration::new(Parameter::START, Kind::Time),
        /// Only points before this time.
        pub end: TimeBound = Declaration::new(Parameter::END, Kind::Time).aliases(&["stop"]),
        /// Only points in these hours of the day, in the time zone `tz`: a list of hours and ranges, such as `7-9`, from
        /// 7:00 to 9:59, or `22-4`.
        pub hours: Hours = Declaration::new(Parameter::HOURS, Kind::Text).list().value_name("HOURS").example("7-9,16-18"),
        /// Only points on these days of the week, in the time zone `tz`: names and ranges, such as `mon-fri`.
        pub weekdays: Weekdays =
            Declaration::new(Parameter::WEEKDAYS, Kind::Text).list().value_name("DAYS").example("mon-fri"),
        /// Only points in these months, in the time zone `tz`: names or numbers and ranges, such as `6-8` or `dec-feb`.
        pub months: Months = Declaration::new(Parameter::MONTHS, Kind::Text).list().value_name("MONTHS").example("6-8"),
        /// Time zone of hours, days of the week, months and other parts of the local time, and of `start` and `end` without
        /// an offset from UTC: its name in the IANA database. Times of the data without an offset are in UTC.
        pub zone: String = Declaration::new(Parameter::TZ, Kind::Name)
            .value_name("ZONE")
            .default("UTC")
            .example("Europe/Paris"),
        /// Only points of this category or these categories: an array in JSON, a repeated flag, or in a query string a
        /// repeated parameter or names separated by commas. The category of a detection indoors is its space, such as a floor.
        pub categories: CategorySet = Declaration::new(Parameter::CATEGORY, Kind::Texts).aliases(&["space_id"]),
    }
}

impl ColumnOptions {
    /// The selected columns.
    pub fn columns(&self) -> Columns {
        let Self { lon, lat, geometry, weight, time, category, track } = self.clone();
        Columns { lon, lat, weight, time, category, track, geometry }
    }
}

impl InputOptions {
    /// The coordinate space of the points.
    pub fn coordinate_space(&self) -> CoordinateSpace {
        let is_plane = self.crs.as_deref().is_some_and(is_plane);
        if is_plane { CoordinateSpace::Plane } else { CoordinateSpace::Globe }
    }

    /// The options of the readers. The coordinates of a plane are read as they are.
    pub fn read_options(&self) -> ReadOptions {
        let Self { crs, order, time_format, day_first, encoding, quote, records } = self.clone();
        let crs = crs.filter(|crs| !is_plane(crs));
        let time_format = time_format.unwrap_or_default();
        ReadOptions { crs, order, time_format, day_first, encoding, quote, records }
    }
}

/// Whether the name of a coordinate reference system is that of a plane in meters.
fn is_plane(crs: &str) -> bool {
    matches!(crs.parse(), Ok(CoordinateSpace::Plane))
}

impl FilterOptions {
    /// Rejects a filter that no point can pass.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the start is not before the end, or the time zone is unknown.
    pub fn check(&self) -> Result<()> {
        let Filter { start_us, end_us, .. } = self.filter()?;
        if start_us.zip(end_us).is_some_and(|(start_us, end_us)| start_us >= end_us) {
            let detail = message!("not before ", Parameter::END, ", so no point would be selected");
            return Err(Error::invalid(Parameter::START, detail));
        }
        Ok(())
    }

    /// The time zone, if it is given.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is unknown.
    pub fn zone(&self) -> Result<Option<TimeZone>> {
        self.zone.as_deref().map(find_zone).transpose()
    }

    /// The options with instants in place of local times.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the time zone is unknown.
    pub fn with_instants(self) -> Result<Self> {
        let zone = self.zone()?.unwrap_or(TimeZone::UTC);
        let [start, end] = [self.start, self.end].map(|time| time.map(|time| TimeBound::at(time.time_us(&zone))));
        Ok(Self { start, end, ..self })
    }

    /// The filter of a query.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the time zone is unknown.
    pub fn filter(&self) -> Result<Filter> {
        let zone = self.zone()?.unwrap_or(TimeZone::UTC);
        let [start_us, end_us] = [self.start, self.end].map(|time| time.map(|time| time.time_us(&zone)));
        let Self { hours, weekdays, months, categories, .. } = self.clone();
        let time_parts = TimePartFilter::new(hours, weekdays, months, zone).into_iter().collect();
        let categories = categories.unwrap_or_default();
        Ok(Filter { start_us, end_us, time_parts, categories, ..Filter::default() })
    }
}
