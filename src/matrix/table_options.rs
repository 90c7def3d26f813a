//! The parameters of an input that is a matrix itself.

use kiln_matrix::InputOptions;

use super::MatrixAggregate;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::raster::Aggregation;

parameter_set! {
    /// The columns of a table with a row per cell or point.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct TableColumnOptions {
        /// Column or key of the positions or names on the x axis.
        pub x: String = column(Parameter::X).default("x"),
        /// Column or key of the positions or names on the y axis.
        pub y: String = column(Parameter::Y).default("y"),
        /// Column or key of the values.
        pub value: String = column(Parameter::VALUE).default("value"),
        /// Aggregation of several rows in a cell; a count needs no values.
        pub aggregate: MatrixAggregate = Declaration::new(Parameter::AGG, Kind::Choice(MatrixAggregate::NAMES))
            .default("none: a cell that occurs twice is an error"),
    }
}

const fn column(parameter: Parameter) -> Declaration {
    Declaration::new(parameter, Kind::Name).value_name("COLUMN")
}

parameter_set! {
    /// The labels and the kind of axes of an input that is a matrix itself.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct MatrixTableOptions {
        /// Labels of the columns, from left to right. A single flag is split at commas; labels with commas are repeated flags.
        pub x_labels: Vec<String> = Declaration::new(Parameter::X_LABELS, Kind::Texts)
            .value_name("LABEL")
            .default("those of the input, else numbers from 1")
            .example("web,db,cache"),
        /// Labels of the rows, from top to bottom; as for `x_labels`.
        pub y_labels: Vec<String> = Declaration::new(Parameter::Y_LABELS, Kind::Texts)
            .value_name("LABEL")
            .default("those of the input, else numbers from 1")
            .example("cpu,memory"),
        /// Whether x and y of points are the numbers of columns and rows, from 0, rather than positions.
        pub index: bool =
            Declaration::new(Parameter::INDEX, Kind::Boolean).default("true for whole numbers of an axis with labels"),
        /// Whether numbers on an axis are names of columns and rows in ascending order, rather than positions.
        pub categorical: bool =
            Declaration::new(CATEGORICAL, Kind::Boolean).default("true for CSV, false for JSON"),
    }
}

/// `categorical`
const CATEGORICAL: Parameter = Parameter::new("categorical");

impl MatrixTableOptions {
    /// The options with lists of labels in place of a single text with commas.
    #[must_use]
    pub fn with_split_labels(self) -> Self {
        let split = |labels: Option<Vec<String>>| match labels.as_deref() {
            Some([text]) => Some(text.split(',').map(|label| label.trim().to_owned()).collect()),
            _ => labels,
        };
        Self { x_labels: split(self.x_labels), y_labels: split(self.y_labels), ..self }
    }

    /// The options of the reader, of at most `max_cells` cells or points; `name` is that of the input in messages.
    pub fn input_options(&self, columns: &TableColumnOptions, name: &str, max_cells: u64) -> InputOptions {
        let mut options = InputOptions::default();
        name.clone_into(&mut options.name);
        options.x_labels.clone_from(&self.x_labels);
        options.y_labels.clone_from(&self.y_labels);
        options.x.clone_from(&columns.x);
        options.y.clone_from(&columns.y);
        options.value.clone_from(&columns.value);
        options.agg = columns.aggregate.map(Aggregation::from);
        options.index = self.index.unwrap_or(false);
        options.categorical = self.categorical;
        options.max_cells = usize::try_from(max_cells).unwrap_or(usize::MAX);
        options
    }
}

impl From<MatrixAggregate> for Aggregation {
    fn from(aggregate: MatrixAggregate) -> Self {
        match aggregate {
            MatrixAggregate::Count => Self::Count,
            MatrixAggregate::Sum => Self::Sum,
            MatrixAggregate::Mean => Self::Mean,
            MatrixAggregate::Max => Self::Max,
        }
    }
}
