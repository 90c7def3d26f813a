//! The flags for columns, input formats and row filters.

use clap::Args as ClapArgs;

use super::flags::Flags;
use crate::error::Result;
use crate::layer::{ColumnOptions, FilterOptions, InputOptions};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::{Columns, CoordinateSpace, Query, ReadOptions};

/// Column names, input options and row filters.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Rows")]
pub(super) struct RowArgs {
    #[command(flatten)]
    columns: Flags<ColumnOptions>,
    #[command(flatten)]
    input: Flags<InputOptions>,
    #[command(flatten)]
    filter: Flags<FilterOptions>,
}

impl RowArgs {
    /// Rejects filters that no row can match.
    pub(super) fn check(&self) -> Result<()> {
        self.filter.0.check()
    }

    /// The given columns.
    pub(super) fn columns(&self) -> Columns {
        self.columns.0.columns()
    }

    /// The given weight column.
    pub(super) fn weight(&self) -> Option<&str> {
        self.columns.0.weight.as_deref()
    }

    /// The input options.
    pub(super) fn read_options(&self) -> ReadOptions {
        self.input.0.read_options()
    }

    /// The coordinate space of the points: a plane with `--crs plane`.
    pub(super) fn coordinate_space(&self) -> CoordinateSpace {
        self.input.0.coordinate_space()
    }

    /// The first given parameter of columns or inputs, which does not apply to layers.
    pub(super) fn first_input_parameter(&self) -> Option<Parameter> {
        self.columns.0.first().or_else(|| self.input.0.first())
    }

    /// Returns `query` with the given filters.
    pub(super) fn filtered<'q>(&self, query: Query<'q>) -> Query<'q> {
        let FilterOptions { start_us, end_us, categories } = self.filter.0.clone();
        query.with_start(start_us).with_end(end_us).with_category_filter(categories.unwrap_or_default())
    }

    /// The query with the given columns and filters.
    pub(super) fn query(&self) -> Query<'static> {
        self.filtered(Query::default().with_names(self.columns()).with_coordinate_space(self.coordinate_space()))
    }
}
