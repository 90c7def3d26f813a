//! Point filters of requests.

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::area::Area;
use super::fields::{Fields, query_string};
use crate::config::LimitsConfig;
use crate::error::{Error, Result};
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::FilterOptions;
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::{self, CategorySet, Comparison, Query};

/// A filter of points by time, parts of the local time, category and polygon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The parameters that the filter was read from.
    options: FilterOptions,
    /// Their filter.
    condition: source::Filter,
    area: Option<Area>,
}

impl Filter {
    /// Reads the parameters `start`, `end`, `hours`, `weekdays`, `months`, `tz` and `category`.
    pub(crate) fn read(fields: &mut Fields, limits: &LimitsConfig) -> HttpResult<Self> {
        let options: FilterOptions = fields.read()?;
        let categories = options.categories.as_ref().map_or((0, 0), |names| (names.len(), names.name_bytes()));
        if categories.0 > limits.categories {
            let detail =
                format!("{} categories exceed the limit of {}, limits.categories", categories.0, limits.categories);
            return Err(Problem::parameter(fields.name_of(Parameter::CATEGORY), detail));
        }
        check_text(fields.name_of(Parameter::CATEGORY), categories.1, limits)?;
        options.check()?;
        let options = options.with_instants()?;
        let condition = options.filter()?;
        Ok(Self { options, condition, area: None })
    }

    /// Returns the filter with `area` as its polygon.
    pub(crate) fn within(self, area: Option<Area>) -> Self {
        Self { area, ..self }
    }

    /// The polygon of the filter.
    pub(crate) fn area(&self) -> Option<&Area> {
        self.area.as_ref()
    }

    /// The time range: inclusive start and exclusive end.
    pub(crate) fn time_us(&self) -> [Option<i64>; 2] {
        [self.condition.start_us, self.condition.end_us]
    }

    /// The categories; empty: all.
    pub(crate) fn categories(&self) -> &CategorySet {
        &self.condition.categories
    }

    /// The time zone, if it is given.
    pub(crate) fn zone(&self) -> Result<Option<TimeZone>> {
        self.options.zone()
    }

    /// Returns the filter without its time range.
    pub(crate) fn without_times(&self) -> Self {
        let options = FilterOptions { start: None, end: None, ..self.options.clone() };
        let condition = source::Filter { start_us: None, end_us: None, ..self.condition.clone() };
        Self { options, condition, area: self.area.clone() }
    }

    /// The parameters that the filter was read from, without the polygon.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        self.options.pairs()
    }

    /// Returns the query with this filter added.
    pub(crate) fn applied_to<'q>(&self, query: Query<'q>) -> Query<'q> {
        let filter = query.filter.clone().and(&self.clone().selection(Vec::new()));
        query.with_filter(filter)
    }

    /// Rejects a polygon if the query already has one.
    pub(crate) fn check(&self, query: &Query<'_>) -> Result<()> {
        if self.area.is_some() && query.filter.polygon.is_some() {
            return Err(Error::invalid(
                Parameter::POLYGON,
                "the layer is a query that already has bounds or a polygon",
            ));
        }
        Ok(())
    }

    /// Converts to the filter of a query, with `comparisons`.
    pub(crate) fn selection(self, comparisons: Vec<Comparison>) -> source::Filter {
        let polygon = self.area.map(|area| Arc::clone(area.polygon()));
        source::Filter { polygon, comparisons, ..self.condition }
    }

    /// Converts the error of a missing time or category column to an error of the filter parameter.
    pub(crate) fn request_error(&self, error: Error) -> Error {
        match error {
            Error::Input { .. } if self.condition.filters_category() => {
                Error::invalid(Parameter::CATEGORY, "the layer has no category column")
            }
            Error::Input { .. } if self.condition.filters_time() => {
                let options = &self.options;
                let given = [
                    (Parameter::START, options.start.is_some()),
                    (Parameter::END, options.end.is_some()),
                    (Parameter::HOURS, options.hours.is_some()),
                    (Parameter::WEEKDAYS, options.weekdays.is_some()),
                ];
                let given = given.into_iter().find(|(_, is_given)| *is_given);
                let parameter = given.map_or(Parameter::MONTHS, |(parameter, _)| parameter);
                Error::invalid(parameter, "the layer has no time column")
            }
            other => other,
        }
    }

    /// The memory of the filter in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.condition.bytes() + self.area.as_ref().map_or(0, |area| area.polygon().bytes())
    }

    /// Whether every point passes.
    pub(crate) fn is_none(&self) -> bool {
        !self.condition.is_active() && self.area.is_none()
    }
}

impl fmt::Display for Filter {
    /// Writes the canonical text. It is the same in every process, and differs for different filters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&query_string(&self.pairs()))?;
        self.area.as_ref().map_or(Ok(()), |area| write!(f, "&polygon={:032x}", area.digest()))
    }
}

/// Checks the size of the texts in a filter, which the parameter `name` has set.
pub(crate) fn check_text(name: &str, bytes: usize, limits: &LimitsConfig) -> HttpResult<()> {
    let limit = limits.filter_text.bytes();
    if bytes as u64 <= limit {
        return Ok(());
    }
    Err(Problem::parameter(name, format!("{bytes} bytes of text exceed the limit of {limit}, limits.filter_text")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(query: &str) -> HttpResult<Filter> {
        Filter::read(&mut Fields::from_query(query).unwrap(), &LimitsConfig::default())
    }

    #[test]
    fn categories_are_limited_in_number_and_size() {
        let list = |count: usize| (0..count).map(|name| name.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(read(&format!("category={0},{0}", list(10_000))).unwrap().categories().len(), 10_000);
        let detail = |query: &str| read(query).unwrap_err().detail().to_owned();
        assert_eq!(
            detail(&format!("category={}", list(10_001))),
            "category: 10001 categories exceed the limit of 10000, limits.categories"
        );
        let long = detail(&format!("space_id={}", "a".repeat(300_000)));
        assert_eq!(long, "space_id: 300000 bytes of text exceed the limit of 262144, limits.filter_text");
    }

    #[test]
    fn a_filter_is_the_same_after_writing_and_parsing() {
        for query in [
            "",
            "start=2024-05-01",
            "start=2024-05-01&end=2024-05-02T12:00:00-07:00&tz=America/New_York",
            "start=1715000000.123456&end=1715000001",
            "start=-1.5&end=-0.25",
            "category=bus,tram",
            "hours=7-9,16&weekdays=mon-fri&months=6-8&tz=Europe/Paris",
            "category=%5B%22a,b%22,%22c%22%5D&end=1066-10-14T09:00:00Z",
        ] {
            let read = |query: &str| read(query).unwrap();
            let filter = read(query);
            assert_eq!(format!("{:?}", read(&filter.to_string())), format!("{filter:?}"), "{query}");
            assert_eq!(filter.is_none(), query.is_empty());
        }
        assert!(read("start=2024&end=2023").is_err());
    }
}
