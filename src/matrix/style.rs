//! The appearance of a matrix's chart.

use kiln_matrix::{CellShape, Chart, ChartData, ShowValues, ValueFormat};
use serde_json::{Map, Value};

use crate::color::{Family, Gradient, Scheme};
use crate::error::{Error, Result};
use crate::layer::of_style;
use crate::message;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, parameter_set};
use crate::spelling;

parameter_set! {
    /// The appearance of a matrix's chart.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct MatrixStyleOptions {
        /// Colors by name; `kiln schemes` and `GET /catalog` list them.
        pub scheme: String = of_style(Parameter::SCHEME).default("viridis"),
        /// Colors from cold to hot in place of a scheme, such as `white,orange 60%,red`.
        pub gradient: Gradient = of_style(Parameter::GRADIENT).example("white,orange 60%,red"),
        /// Value of the coldest color; lower values have the same color.
        pub vmin: f64 = Declaration::new(Parameter::VMIN, Kind::NUMBER)
            .default("the minimum value; symmetric around 0 for a diverging scheme and values of both signs"),
        /// Value of the hottest color; higher values have the same color.
        pub vmax: f64 = Declaration::new(Parameter::VMAX, Kind::NUMBER)
            .default("the maximum value; symmetric around 0 for a diverging scheme and values of both signs"),
        /// Title above the chart.
        pub title: String = Declaration::new(Parameter::TITLE, Kind::Text).default("that of the layer").example("Delays"),
        /// Title of the x axis.
        pub x_title: String =
            Declaration::new(Parameter::X_TITLE, Kind::Text).default("the name of the axis").example("Hour"),
        /// Title of the y axis.
        pub y_title: String =
            Declaration::new(Parameter::Y_TITLE, Kind::Text).default("the name of the axis").example("Day"),
        /// Unit of the values, at the legend.
        pub unit: String = Declaration::new(Parameter::UNIT, Kind::Text)
            .default("the aggregation, such as `mean of delay`")
            .example("min"),
        /// Format of the values: `0.0`, `0%`, `,0`, `0 °C` or `$0.0k`. The zeros after the point are the decimals.
        pub value_format: ValueFormat = Declaration::new(Parameter::VALUE_FORMAT, Kind::Text)
            .value_name("FORMAT")
            .default("auto, one scale and number of decimals for all values, by the largest")
            .example("0.0"),
        /// Shape of cells and points: squares, which fill their cell, or dots with a border.
        pub shape: CellShape = Declaration::new(Parameter::SHAPE, Kind::Choice(&["square", "dot"]))
            .default("square; dot for points on numeric axes"),
        /// Diameter of dots as a share of their cell.
        pub dot_size: f64 =
            Declaration::new(Parameter::DOT_SIZE, Kind::Number { min: 0.01, max: 1.0 }).default("0.8").example("0.6"),
        /// Whether values are written in the cells: `auto`, if all of them fit; `always`, where cells grow; or `never`.
        pub show_values: ShowValues =
            Declaration::new(Parameter::SHOW_VALUES, Kind::Choice(&["auto", "always", "never"])).default("auto"),
        /// Whether the chart has a legend of the colors.
        pub legend: bool = Declaration::new(Parameter::LEGEND, Kind::Boolean).default("true"),
        /// Whether the chart has labels and titles of its axes.
        pub axes: bool = Declaration::new(Parameter::AXES, Kind::Boolean).default("true"),
        /// Width and height of a cell in CSS pixels.
        pub cell_size: f64 = Declaration::new(Parameter::CELL_SIZE, Kind::Number { min: 1.0, max: 400.0 })
            .value_name("PX")
            .default("3 to 64, by the number of cells")
            .example("24"),
        /// Pixels of a PNG per CSS pixel: 2 for high-density screens.
        pub pixel_ratio: f64 =
            Declaration::new(Parameter::PIXEL_RATIO, Kind::Number { min: 1.0, max: 4.0 }).default("1").example("2"),
    }
}

/// The texts of a chart where its options have none.
#[derive(Clone, Debug, Default)]
pub struct ChartTexts {
    /// The title.
    pub title: String,
    /// The title of the x axis.
    pub x_title: String,
    /// The title of the y axis.
    pub y_title: String,
    /// The unit.
    pub unit: String,
}

impl MatrixStyleOptions {
    /// The options in a JSON object, for example those of an input next to its values.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an invalid value; [`Error::Input`] of `input` for an unknown key.
    pub fn of_json(members: &Map<String, Value>, input: &str) -> Result<Self> {
        let mut options = Self::default();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !options.set(name, &text)? {
                let names: Vec<&str> = Self::names().collect();
                let near = spelling::nearest(name, names.iter().copied(), str::to_lowercase);
                let near = spelling::did_you_mean(&near);
                let name: String = name.chars().take(64).collect();
                let message = format!("unknown key `{name}`; {near}expected one of {}", names.join(", "));
                return Err(Error::input(input, message));
            }
        }
        Ok(options)
    }

    /// The texts of a chart: the given ones, and those of `default` otherwise.
    #[must_use]
    pub fn texts(&self, default: ChartTexts) -> ChartTexts {
        let text = |given: &Option<String>, default: String| given.clone().unwrap_or(default);
        let ChartTexts { title, x_title, y_title, unit } = default;
        ChartTexts {
            title: text(&self.title, title),
            x_title: text(&self.x_title, x_title),
            y_title: text(&self.y_title, y_title),
            unit: text(&self.unit, unit),
        }
    }

    /// The chart of `data`, of at most `max_pixels` pixels; `find` returns the scheme of a name.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a parameter is out of range or contradicts another one; errors of `find`.
    pub fn chart(
        &self,
        data: ChartData,
        texts: ChartTexts,
        max_pixels: u64,
        find: impl FnOnce(&str) -> Result<Scheme>,
    ) -> Result<Chart> {
        let scheme = self.color_scheme(find)?;
        let ChartTexts { title, x_title, y_title, unit } = self.texts(texts);
        let mut chart = Chart::new(data)
            .with_title(title)
            .with_axis_titles(x_title, y_title)
            .with_unit(unit)
            .with_range(self.vmin, self.vmax)
            .with_scheme(scheme);
        chart.value_format = self.value_format.clone().unwrap_or_default();
        chart.shape = self.shape;
        chart.dot_size = self.dot_size.map_or(chart.dot_size, |share| share as f32);
        chart.show_values = self.show_values.unwrap_or_default();
        chart.legend = self.legend.unwrap_or(true);
        chart.axes = self.axes.unwrap_or(true);
        chart.cell_size = self.cell_size.map(|px| px as f32);
        chart.pixel_ratio = self.pixel_ratio.map_or(1.0, |ratio| ratio as f32);
        chart.max_pixels = max_pixels;
        Ok(chart)
    }

    /// The colors.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a range of colors that is not one, and for a scheme with a gradient; errors of `find`.
    fn color_scheme(&self, find: impl FnOnce(&str) -> Result<Scheme>) -> Result<Scheme> {
        self.check_ranges()?;
        if let (Some(vmin), Some(vmax)) = (self.vmin, self.vmax)
            && vmin >= vmax
        {
            return Err(Error::invalid(Parameter::VMIN, message!("not below ", Parameter::VMAX, format!(", {vmax}"))));
        }
        match (&self.gradient, &self.scheme) {
            (Some(_), Some(_)) => {
                Err(Error::invalid(Parameter::GRADIENT, "give either a scheme or a gradient, not both"))
            }
            (Some(gradient), None) => Ok(Scheme::new("gradient", Family::Own, gradient.colors())),
            (None, name) => find(name.as_deref().unwrap_or(Chart::DEFAULT_SCHEME)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_set_from_text_and_written_so_that_it_reads_back() {
        let mut options = MatrixStyleOptions::default();
        for entry in MatrixStyleOptions::ENTRIES {
            let declaration = &entry.declaration;
            assert!(!declaration.doc.is_empty(), "{}", declaration.parameter);
            let text = match declaration.kind {
                Kind::Choice(names) => names[1],
                Kind::Number { .. } => "1",
                Kind::Boolean => "false",
                Kind::Colors => "red,blue",
                _ => "0.0",
            };
            assert!(options.set(declaration.parameter.key(), text).unwrap(), "{}", declaration.parameter);
        }
        let mut again = MatrixStyleOptions::default();
        options.pairs().iter().for_each(|(name, text)| assert!(again.set(name, text).unwrap()));
        assert_eq!(again, options);
    }

    #[test]
    fn options_that_contradict_each_other_are_errors() {
        let error = |texts: &[(&str, &str)]| {
            let mut options = MatrixStyleOptions::default();
            for (name, text) in texts {
                assert!(options.set(name, text).unwrap(), "{name}");
            }
            options.color_scheme(Scheme::named).unwrap_err().to_string()
        };
        assert_eq!(error(&[("vmin", "2"), ("vmax", "2")]), "vmin: not below vmax, 2");
        assert!(error(&[("scheme", "fire"), ("gradient", "red,blue")]).starts_with("gradient: give either"));
        assert!(error(&[("scheme", "fier")]).starts_with("scheme: "));
        let mut options = MatrixStyleOptions::default();
        for (name, text) in [("shape", "star"), ("dot_size", "2"), ("pixel_ratio", "9"), ("show_values", "x")] {
            assert!(options.set(name, text).unwrap_err().to_string().starts_with(name), "{name}");
        }
    }
}
