//! The flags about the rows of inputs.

use clap::Args as ClapArgs;

use super::flags::Flags;
use crate::error::Result;
use crate::layer::{ColumnOptions, FilterOptions, InputOptions};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::{Columns, Query, ReadOptions};

/// Which columns hold what, how inputs are read, and which rows count.
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
    /// Rejects what no row can pass.
    pub(super) fn check(&self) -> Result<()> {
        self.filter.0.check()
    }

    /// The columns that are named.
    pub(super) fn columns(&self) -> Columns {
        self.columns.0.columns()
    }

    /// The column of the weight that is named.
    pub(super) fn weight(&self) -> Option<&str> {
        self.columns.0.weight.as_deref()
    }

    /// How inputs are read.
    pub(super) fn read_options(&self) -> ReadOptions {
        self.input.0.read_options()
    }

    /// The first parameter about inputs, which points that are known already do not have.
    pub(super) fn first_of_inputs(&self) -> Option<Parameter> {
        self.columns.0.first().or_else(|| self.input.0.first())
    }

    /// `query` with the filters that are given, for points that are read again.
    pub(super) fn filtered<'q>(&self, query: Query<'q>) -> Query<'q> {
        let FilterOptions { start_us, end_us, categories } = self.filter.0.clone();
        query.with_start(start_us).with_end(end_us).with_category_filter(categories.unwrap_or_default())
    }

    /// The query of these columns and rows.
    pub(super) fn query(&self) -> Query<'static> {
        self.filtered(Query::default().with_names(self.columns()))
    }
}
