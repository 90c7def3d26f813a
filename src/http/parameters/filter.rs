//! Which points of a layer are used.

use std::fmt;
use std::sync::Arc;

use super::area::Area;
use super::fields::{Fields, query_string};
use crate::error::{Error, Result};
use crate::http::server::problem::Answer;
use crate::layer::FilterOptions;
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::{self, Comparison, Query};

/// Which points of a layer are used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    start_us: Option<i64>,
    end_us: Option<i64>,
    categories: Vec<String>,
    area: Option<Area>,
}

impl Filter {
    /// Reads the parameters `start`, `end` and `category`.
    pub(crate) fn read(fields: &mut Fields) -> Answer<Self> {
        let options: FilterOptions = fields.read()?;
        options.check()?;
        let FilterOptions { start_us, end_us, categories } = options;
        Ok(Self { start_us, end_us, categories: categories.unwrap_or_default(), area: None })
    }

    /// The same filter for points in `area` alone, if there is one.
    pub(crate) fn within(self, area: Option<Area>) -> Self {
        Self { area, ..self }
    }

    /// The polygon that the points lie in.
    pub(crate) fn area(&self) -> Option<&Area> {
        self.area.as_ref()
    }

    /// The filter as the parameters that it was read from; a polygon is none.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let Self { start_us, end_us, categories, .. } = self.clone();
        FilterOptions { start_us, end_us, categories: Some(categories) }.pairs()
    }

    /// The query with this filter.
    pub(crate) fn applied_to<'q>(&self, query: Query<'q>) -> Query<'q> {
        let filter = query.filter.clone().and(&self.clone().selection(Vec::new()));
        query.with_filter(filter)
    }

    /// Makes sure that there are not two polygons.
    pub(crate) fn check(&self, query: &Query<'_>) -> Result<()> {
        if self.area.is_some() && query.filter.polygon.is_some() {
            return Err(Error::invalid(
                Parameter::POLYGON,
                "the query behind this layer has bounds or a polygon of its own",
            ));
        }
        Ok(())
    }

    /// The points of a layer that pass, and `comparisons` too.
    pub(crate) fn selection(self, comparisons: Vec<Comparison>) -> source::Filter {
        let polygon = self.area.map(|area| Arc::clone(area.polygon()));
        let Self { start_us, end_us, categories, .. } = self;
        source::Filter { start_us, end_us, categories, polygon, comparisons }
    }

    /// The error of an input that has no column to filter by is one of the request.
    pub(crate) fn blamed(&self, error: Error) -> Error {
        match error {
            Error::Input { .. } if !self.categories.is_empty() => {
                Error::invalid(Parameter::CATEGORY, "the layer has no column of categories to filter by")
            }
            Error::Input { .. } if self.start_us.is_some() || self.end_us.is_some() => {
                Error::invalid(Parameter::START, "the layer has no column of times to filter by")
            }
            other => other,
        }
    }

    /// Whether every point passes.
    pub(crate) fn is_none(&self) -> bool {
        self.start_us.is_none() && self.end_us.is_none() && self.categories.is_empty() && self.area.is_none()
    }
}

impl fmt::Display for Filter {
    /// Writes the canonical text: equal for equal filters, in every process, and different for different ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&query_string(&self.pairs()))?;
        self.area.as_ref().map_or(Ok(()), |area| write!(f, "&polygon={:016x}", area.digest()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_comes_back_from_its_parameters() {
        for query in [
            "",
            "start=2024-05-01",
            "start=1715000000.123456&end=1715000001",
            "start=-1.5&end=-0.25",
            "category=bus,tram",
            "category=%5B%22a,b%22,%22c%22%5D&end=1066-10-14T09:00:00Z",
        ] {
            let read = |query: &str| Filter::read(&mut Fields::from_query(query).unwrap()).unwrap();
            let filter = read(query);
            assert_eq!(format!("{:?}", read(&filter.to_string())), format!("{filter:?}"), "{query}");
            assert_eq!(filter.is_none(), query.is_empty());
        }
        assert!(Filter::read(&mut Fields::from_query("start=2024&end=2023").unwrap()).is_err());
    }
}
