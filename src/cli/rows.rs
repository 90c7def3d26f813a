//! The flags for columns, input formats and row filters.

use clap::Args as ClapArgs;

use super::flags::Flags;
use crate::config::Config;
use crate::error::Result;
use crate::layer::{ColumnOptions, FilterOptions, InputOptions};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::{Columns, CoordinateSpace, Query, ReadOptions};

/// Column names, input options and row filters.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Rows")]
pub(super) struct RowArgs {
    #[command(flatten)]
    columns: Flags<ColumnOptions>,
    #[command(flatten)]
    input: Flags<InputOptions>,
    #[command(flatten)]
    filter: Flags<FilterOptions>,
    /// Whether the command needs no positions, so that files without coordinates are accepted.
    #[arg(skip)]
    without_positions: bool,
    /// Whether a file without times is an error.
    #[arg(skip)]
    requires_times: bool,
}

/// Column names and input options of the files that are layers of the server.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Rows of the files", mut_arg(Parameter::CATEGORY_COLUMN.name(), |arg| arg.visible_alias("category")))]
pub(super) struct InputArgs {
    #[command(flatten)]
    columns: Flags<ColumnOptions>,
    #[command(flatten)]
    input: Flags<InputOptions>,
}

impl InputArgs {
    /// Adds a layer for each of `inputs` to a configuration.
    ///
    /// # Errors
    /// Those of [`Config::add_inputs_with`].
    pub(super) fn add_to(&self, config: &mut Config, inputs: &[String]) -> Result<()> {
        config.add_inputs_with(inputs, &self.columns.0, &self.input.0)
    }
}

impl RowArgs {
    /// Rejects filters that no row can match.
    pub(super) fn check(&self) -> Result<()> {
        self.filter.0.check()
    }

    /// Removes and returns the row filters, for a command that applies them itself.
    pub(super) fn take_filter(&mut self) -> FilterOptions {
        std::mem::take(&mut self.filter.0)
    }

    /// Accepts files without coordinates, for a command that needs no positions.
    pub(super) fn set_without_positions(&mut self) {
        self.without_positions = true;
    }

    /// Rejects files without times, for a command that needs them.
    pub(super) fn set_required_times(&mut self) {
        self.requires_times = true;
    }

    /// Sets the columns of the weight and the category, unless they are given by flags.
    pub(super) fn set_columns(&mut self, weight: Option<&str>, category: Option<&str>) {
        let columns = &mut self.columns.0;
        for (column, name) in [(&mut columns.weight, weight), (&mut columns.category, category)] {
            if column.is_none() {
                *column = name.map(str::to_owned);
            }
        }
    }

    /// The first given parameter of the filter.
    pub(super) fn first_filter(&self) -> Option<Parameter> {
        self.filter.0.first()
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
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if the time zone is unknown.
    pub(super) fn filtered<'q>(&self, query: Query<'q>) -> Result<Query<'q>> {
        let filter = query.filter.clone().and(&self.filter.0.filter()?);
        Ok(query.with_filter(filter))
    }

    /// The query with the given columns and filters.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if the time zone is unknown.
    pub(super) fn query(&self) -> Result<Query<'static>> {
        let query = Query::default().with_names(self.columns()).with_coordinate_space(self.coordinate_space());
        let query = query.with_positions(!self.without_positions).with_required_times(self.requires_times);
        self.filtered(query)
    }
}
