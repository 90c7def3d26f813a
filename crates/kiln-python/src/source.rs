//! Points to render.

use std::sync::Arc;

use kiln::layer::{ColumnOptions, InputOptions};
use kiln::parameters::ParameterSet;
use kiln::source::{Columns, CoordinateSpace, of_batches};
use kiln_core::source as points;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::arrays::{Arrays, CategoryCodes, Column};
use crate::error::exception;
use crate::keywords::Keywords;
use crate::table::{self, Table};
use crate::work;

/// Points of arrays, tables or files.
#[pyclass(frozen)]
pub(crate) struct Source {
    pub(crate) points: Arc<dyn points::Source>,
    /// The names of the inputs in messages.
    pub(crate) names: Vec<String>,
    /// The columns.
    pub(crate) columns: Columns,
    pub(crate) space: CoordinateSpace,
    /// The weight column, if it is known without a scan.
    pub(crate) weight: Option<String>,
}

impl Source {
    fn new(points: Arc<dyn points::Source>, names: Vec<String>, columns: &ColumnOptions, input: &InputOptions) -> Self {
        let (columns, space) = (columns.columns(), input.coordinate_space());
        Self { points, names, weight: columns.weight.clone(), columns, space }
    }

    /// A query for the points.
    pub(crate) fn query(&self) -> points::Query<'static> {
        points::Query::default().with_names(self.columns.clone()).with_coordinate_space(self.space)
    }
}

#[pymethods]
impl Source {
    /// Points in one-dimensional arrays of NumPy. `categories` are codes and names.
    #[staticmethod]
    #[pyo3(signature = (lon, lat, weight, time, categories, keywords))]
    fn arrays(
        lon: &Bound<'_, PyAny>,
        lat: &Bound<'_, PyAny>,
        weight: Option<&Bound<'_, PyAny>>,
        time: Option<&Bound<'_, PyAny>>,
        categories: Option<(Bound<'_, PyAny>, Vec<String>)>,
        keywords: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let Keywords { columns, input, .. } = Keywords::read(keywords)?;
        let column = |array: Option<&Bound<'_, PyAny>>, name| array.map(|array| Column::of(array, name)).transpose();
        let categories = categories.map(|(codes, names)| {
            let names = names.into_iter().map(String::into_boxed_str).collect();
            Column::of(&codes, "category_column").map(|codes| CategoryCodes { codes: codes.codes(), names })
        });
        let (lon, lat) = (Column::of(lon, "lon")?, Column::of(lat, "lat")?);
        let arrays = Arrays::new(lon, lat, column(weight, "weight")?, column(time, "time")?, categories.transpose()?)?;
        // Names of columns have no effect: each array has its role.
        let none = ColumnOptions::default();
        let given = columns.first();
        if let Some(parameter) = given {
            let detail = "the name of a column, but the points are arrays; give the array";
            return Err(exception(kiln::Error::invalid(parameter, detail)));
        }
        Ok(Self::new(Arc::new(arrays), vec!["points".into()], &none, &input))
    }

    /// The points of a table in a capsule of the Arrow C stream interface.
    #[staticmethod]
    fn stream(capsule: &Bound<'_, PyCapsule>, keywords: &Bound<'_, PyDict>) -> PyResult<Self> {
        let keywords = Keywords::read(keywords)?;
        Ok(Self::of_table(Table::of_stream(capsule)?, &keywords))
    }

    /// The points of a table of columns by name.
    #[staticmethod]
    fn columns(columns: &Bound<'_, PyDict>, keywords: &Bound<'_, PyDict>) -> PyResult<Self> {
        let keywords = Keywords::read(keywords)?;
        Ok(Self::of_table(Table::of_columns(columns)?, &keywords))
    }

    /// The points of files, or of a table of a database.
    #[staticmethod]
    fn files(py: Python<'_>, paths: Vec<String>, keywords: &Bound<'_, PyDict>) -> PyResult<Self> {
        let Keywords { columns, input, .. } = Keywords::read(keywords)?;
        let (names, options) = (columns.columns(), input.read_options());
        let opened = work::run(py, |_| kiln::inputs::OpenInputs::open(&paths, &names, &options))?;
        let mut source = Self::new(Arc::new(opened.inputs), opened.names, &columns, &input);
        source.weight = source.weight.or(opened.weight);
        Ok(source)
    }
}

impl Source {
    fn of_table(Table { schema, batches }: Table, keywords: &Keywords) -> Self {
        let points = of_batches(table::NAME, &schema, batches, &keywords.input.read_options());
        Self::new(Arc::from(points), vec![table::NAME.to_owned()], &keywords.columns, &keywords.input)
    }
}
