//! `kiln matrix`: a chart of points by two axes, or of a matrix.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args as ClapArgs;
use kiln_matrix::{Chart, ChartData, MatrixInput};

use super::damage::DamageArgs;
use super::flags::{Flags, whole_number};
use super::inputs::expand_inputs;
use super::matrix_input::{self, InputKind, is_object};
use super::output::Target;
use super::resolved_layer::ResolvedLayer;
use super::rows::RowArgs;
use super::signals::run_cancellable;
use super::store::StoreArgs;
use super::summary::plural;
use super::{print_message, print_notes, progress, terminal};
use crate::calendar::TimePart;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::layer::SchemeFolders;
use crate::matrix::write::{encode_data, encode_layer};
use crate::matrix::{
    ChartTexts, LayerMatrix, MatrixFormat, MatrixLayer, MatrixOptions, MatrixStyleOptions, MatrixTableOptions,
    TableColumnOptions,
};
use crate::message;
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::postgis::Address;

/// Draw a matrix: points by hour and day of the week or other axes, or a table of values with labels.
///
/// INPUT has points if it is a layer, a database table, several files or a format other than JSON and CSV, or if an axis
/// is a part of the time (hour, weekday, day, week, month, year-month, date, year), category, lon or lat. Otherwise, or if
/// it is a file with columns of the names of --x and --y, such as hour and weekday, it is the matrix itself: rows of
/// numbers, with or without labels; or a row per cell, with --x, --y and --value as columns. Files of points need no
/// coordinates unless an axis or a filter does.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln matrix trips.csv --x hour --y weekday --tz America/New_York -o week.png
  kiln matrix flights --x month --y category --value delay --agg mean -o delays.svg
  kiln matrix load.csv --title Load --unit % -o load.png --pixel-ratio 2
  kiln matrix sales.csv --x region --y product --value amount --agg sum -o sales.svg
  kiln matrix postgres://ann@db.example/shop --table sales --geometry none --x region --y month -o sales.png
  kiln matrix flights --hours 6-22 --term")]
pub(super) struct Args {
    /// Name of a layer in the store, in kiln.toml or in its database; files; or a table, postgres://…; `-` for standard
    /// input
    #[arg(value_name = "LAYER|INPUT", required_unless_present = "layer")]
    inputs: Vec<String>,
    /// Name of a layer, in place of an input
    #[arg(long, value_name = "NAME", conflicts_with = "inputs")]
    layer: Option<String>,
    /// Table of a database URL, in place of its ?table=
    #[arg(long = "table", value_name = "TABLE")]
    table_name: Option<String>,
    /// What the input has [default: points or matrix, by the axes and the input; see above]
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<InputKind>,
    /// Output file: .png, .svg, .csv or .json; `-` writes to standard output in the format of --format
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Output format: png, svg, csv, json or chartjs, the data of Chart.js [default: by the file extension]
    #[arg(long, value_name = "FORMAT")]
    format: Option<MatrixFormat>,
    /// Print the chart in the terminal
    #[arg(long)]
    term: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    damage: DamageArgs,
    #[command(flatten)]
    matrix: MatrixArgs,
    #[command(flatten)]
    style: StyleArgs,
    #[command(flatten)]
    rows: RowArgs,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = whole_number::<u16>(1..=1024))]
    threads: Option<u16>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Matrix")]
struct MatrixArgs {
    #[command(flatten)]
    options: Flags<MatrixOptions>,
    #[command(flatten)]
    table: Flags<MatrixTableOptions>,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Chart")]
struct StyleArgs {
    #[command(flatten)]
    options: Flags<MatrixStyleOptions>,
    /// Folder of scheme files, in addition to ./schemes; repeatable
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
}

/// A matrix to write, with its texts.
enum Matrix {
    OfLayer(Box<LayerMatrix>, String),
    OfInput(ChartData, ChartTexts),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let Some(path) = args.output.as_deref().or(args.term.then_some("")) else {
        let detail = match args.format {
            Some(format) => message!(format!("missing; write a file, or {format} to standard output with `-o -`")),
            None => message!("missing; write a file such as week.png, or print the chart with ", TERM),
        };
        return Err(Error::invalid(Parameter::OUTPUT, detail));
    };
    let target = match &args.output {
        Some(output) => Some((Target::new(output, &args.inputs)?, args.format(output)?)),
        None if args.format.is_some() => {
            let detail = message!("it applies to ", Parameter::OUTPUT, ", which `-` sets to standard output");
            return Err(Error::invalid(Parameter::FORMAT, detail));
        }
        None => None,
    };
    let styles = &args.style.options.0;
    let is_chart = args.term || target.as_ref().is_none_or(|(_, format)| format.is_chart());
    if let (false, Some(flag)) = (is_chart, styles.first()) {
        return Err(Error::invalid(flag, "the flag applies to charts; the output is not one"));
    }
    args.rows.check()?;
    let config = args.store.load()?;
    let options = &args.matrix.options.0;
    let axes = [options.x.as_deref(), options.y.as_deref()];
    let kind = args.kind.unwrap_or_else(|| match &args.layer {
        Some(_) => InputKind::Points,
        None => InputKind::of(&args.inputs, axes),
    });
    let (matrix, styles, remarks, summary) = match kind {
        InputKind::Points => args.of_points(&config)?,
        InputKind::Matrix => args.of_table(&config)?,
    };
    let find = |name: &str| SchemeFolders::open(&args.style.schemes)?.find(name);
    let max_pixels = config.limits.pixels;
    if args.term {
        let (data, texts) = matrix.chart();
        let chart = styles.chart(data, texts, max_pixels, find)?;
        print_chart(&chart)?;
    }
    if let Some((target, format)) = target {
        let chart = |data, texts| styles.chart(data, texts, max_pixels, find);
        // A signal ends the process while it draws.
        let stop = AtomicBool::new(false);
        let mut bytes = match &matrix {
            Matrix::OfLayer(matrix, title) => encode_layer(matrix, title, format, &stop, chart)?,
            Matrix::OfInput(data, texts) => {
                encode_data(data.clone(), styles.texts(texts.clone()), format, &stop, chart)?
            }
        };
        if !matches!(format, MatrixFormat::Png) && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        let mut output = target.create()?;
        output.file().write_all(&bytes).map_err(|error| Error::io(path, "write", error))?;
        output.commit()?;
    }
    if !args.quiet {
        print_notes(&remarks);
        let seconds = start.elapsed().as_secs_f64();
        let output = if path.is_empty() || path == "-" { String::new() } else { format!(": {path}") };
        print_message(&format!("{summary}; in {seconds:.3} s{output}"));
    }
    Ok(())
}

/// The flag `--term`.
const TERM: Parameter = Parameter::new("term");

/// A matrix with the style of its chart, remarks on the input, and a summary.
type Prepared = (Matrix, MatrixStyleOptions, Vec<String>, String);

impl Args {
    /// The matrix of points.
    fn of_points(&self, config: &Config) -> Result<Prepared> {
        if let Some(flag) = self.matrix.table.0.first() {
            return Err(Error::invalid(flag, "the flag applies to an input that is a matrix"));
        }
        let options = &self.matrix.options.0;
        let axes = [options.x.as_deref(), options.y.as_deref()];
        let mut rows = self.rows.clone();
        // The filter is applied by the query of the matrix.
        let filter = rows.take_filter();
        let (zone, filter) = (filter.zone()?, filter.filter()?);
        let inputs = self.layer.as_ref().map_or_else(|| self.inputs.clone(), |name| vec![name.clone()]);
        if self.layer.is_none() && has_files(&inputs)? {
            let value = options.value.as_deref().filter(|value| *value != "weight");
            let weight = rows.weight().map(str::to_owned).or_else(|| value.map(str::to_owned));
            rows.set_columns(value, matrix_input::category_column(axes, weight.as_deref()));
            let needs_positions = |axis: &str| ["lon", "lat", "x", "y"].contains(&axis);
            if options.bounds.is_none() && !axes.into_iter().flatten().any(needs_positions) {
                rows.set_without_positions();
            }
            if axes.into_iter().flatten().any(|axis| axis.parse::<TimePart>().is_ok()) {
                rows.set_required_times();
            }
        }
        let ResolvedLayer { layer, remarks, .. } = match (&inputs[..], &self.table_name) {
            ([url], table) if Address::is_database_url(url) => {
                let address: Address = url.parse()?;
                let address = match table {
                    Some(table) => address.with_table(table.clone()),
                    None => address,
                };
                ResolvedLayer::of_table(&address, &rows)?
            }
            (_, Some(_)) => return Err(Error::invalid(Parameter::TABLE, "the flag selects a table of a database URL")),
            (_, None) => ResolvedLayer::find(&inputs, &self.store, &rows, &self.damage)?,
        };
        let threads = self.threads.map_or_else(crate::available_threads, usize::from);
        let stop = AtomicBool::new(false);
        let work = || {
            progress::with_scan_progress(self.quiet, |progress| {
                let query = layer.query();
                let both = query.filter.clone().and(&filter);
                let query = query.with_filter(both).with_progress(progress).with_stop(Some(&stop));
                let points = MatrixLayer { layer: &layer, query: &query, threads, stop: &stop };
                points.matrix(options, zone, config.limits.cells)
            })
        };
        let matrix = run_cancellable(|| stop.store(true, Ordering::Relaxed), work).map_err(|error| match error {
            Error::Cancelled => Error::input(layer.name(), "cancelled; nothing was written"),
            other => other,
        })?;
        let size = format!("{}x{} cells", matrix.x.labels.len(), matrix.y.labels.len());
        let unplaced = match matrix.unplaced {
            0 => String::new(),
            count => format!(", {} without a value on an axis", plural(count, "point")),
        };
        let summary = format!("matrix of {}: {} in {size}{unplaced}", layer.name(), plural(matrix.total, "point"));
        let matrix = Matrix::OfLayer(Box::new(matrix), layer.title().to_owned());
        Ok((matrix, self.style.options.0.clone(), remarks, summary))
    }

    /// The matrix of an input.
    fn of_table(&self, config: &Config) -> Result<Prepared> {
        let [input] = &self.inputs[..] else {
            return Err(Error::invalid(Parameter::INPUT, "a matrix is one file"));
        };
        let MatrixOptions { x, y, aggregate, value, x_bins, y_bins, bounds } = self.matrix.options.0.clone();
        let given = [
            (Parameter::X_BINS, x_bins.is_some()),
            (Parameter::Y_BINS, y_bins.is_some()),
            (Parameter::BOUNDS, bounds.is_some()),
        ];
        let given = given.into_iter().find(|(_, given)| *given).map(|(parameter, _)| parameter);
        let of_rows = || self.rows.first_input_parameter().or_else(|| self.rows.first_filter());
        if let Some(flag) = given.or_else(of_rows) {
            let detail = message!("the flag applies to points, and the input is a matrix; see ", KIND);
            return Err(Error::invalid(flag, detail));
        }
        let columns = TableColumnOptions { x, y, value, aggregate };
        let options =
            self.matrix.table.0.clone().with_split_labels().input_options(&columns, input, config.limits.cells);
        let bytes = matrix_input::read(input)?;
        let read = MatrixInput::parse(&bytes, matrix_input::format(input, &bytes), &options)?;
        let styles = self.style.options.0.clone().over(MatrixStyleOptions::of_json(&read.other, input)?);
        let texts = ChartTexts {
            title: String::new(),
            x_title: read.x_title.unwrap_or_default(),
            y_title: read.y_title.unwrap_or_default(),
            unit: read.unit.unwrap_or_default(),
        };
        let summary = match &read.data {
            ChartData::Cells(matrix) => format!("read {}x{} cells", matrix.columns().len(), matrix.rows().len()),
            ChartData::Points(points) => format!("read {}", plural(points.len() as u64, "point")),
        };
        Ok((Matrix::OfInput(read.data, texts), styles, Vec::new(), summary))
    }

    /// The format of an output: the given one, or that of the extension.
    fn format(&self, output: &str) -> Result<MatrixFormat> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        let extension = Path::new(output).extension().map(|extension| extension.to_string_lossy().into_owned());
        let format = extension.filter(|_| output != "-").and_then(|extension| extension.parse().ok());
        format.filter(|format| *format != MatrixFormat::ChartJs).ok_or_else(|| {
            let detail = format!("`{output}` has none of the extensions .png, .svg, .csv, .json; or set ");
            Error::invalid(Parameter::OUTPUT, message!(detail, Parameter::FORMAT))
        })
    }
}

/// The flag `--kind`.
const KIND: Parameter = Parameter::new("kind");

/// Whether inputs are files rather than the name of a layer or a table.
fn has_files(inputs: &[String]) -> Result<bool> {
    let is_file = |input: &String| input == "-" || is_object(input) || Path::new(input).is_file();
    Ok(inputs.iter().any(is_file) || inputs.len() > 1 && expand_inputs(inputs)?.iter().any(is_file))
}

impl Matrix {
    /// The data and the texts of the chart.
    fn chart(&self) -> (ChartData, ChartTexts) {
        match self {
            Self::OfLayer(matrix, title) => (ChartData::Cells(matrix.matrix.clone()), matrix.chart_texts(title)),
            Self::OfInput(data, texts) => (data.clone(), texts.clone()),
        }
    }
}

/// Prints a chart in the terminal.
fn print_chart(chart: &Chart) -> Result<()> {
    let mut text = chart.text(terminal::columns(), terminal::has_colors())?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Error::io("-", "write", error))
}
