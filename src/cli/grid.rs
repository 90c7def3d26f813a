//! `kiln grid`: an occupancy grid of a layer or of files.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args as ClapArgs;

use super::damage::DamageArgs;
use super::flags::{Flags, whole_number};
use super::output::Target;
use super::resolved_layer::ResolvedLayer;
use super::rows::RowArgs;
use super::signals::run_cancellable;
use super::store::StoreArgs;
use super::summary::plural;
use super::{print_message, print_notes, progress};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::layer::{Layer, SchemeFolders};
use crate::occupancy::picture::{GridStyle, PictureLimits, contours, draw};
use crate::occupancy::write::{grid_json, write_contours, write_csv, write_geojson, write_parquet};
use crate::occupancy::{
    Grid, GridFormat, GridLayer, GridOptions, GridStyleOptions, PictureKind, Rooms, check_categories,
};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::Filter;

/// Count points per cell, over any span of time, as data or as a picture.
///
/// The cells are squares of a plane in meters, or cells of about the same area on the globe. The format is that of the
/// output's extension: .csv, .json, .parquet, .geojson or .png; without an output, CSV is printed.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln grid floor --resolution 0.5 --start 2024-01-01 --end 2024-01-08
  kiln grid floor --resolution 0.5 --compare 2024-01-08/2024-01-15 --start 2024-01-01 --end 2024-01-08 -o weeks.png
  kiln grid floor --resolution 1 --polygons rooms.geojson --profile hour_of_week --tz Europe/Paris -o rooms.json
  kiln grid cities.parquet --resolution 100km --heatmap-type sum -o cities.geojson")]
pub(super) struct Args {
    /// Name of a layer in the store, in kiln.toml or in its database; or files or a table, postgres://…, as in `kiln
    /// render`
    #[arg(value_name = "LAYER|INPUT", required_unless_present = "layer")]
    inputs: Vec<String>,
    /// Name of a layer, in place of an input
    #[arg(long, value_name = "NAME", conflicts_with = "inputs")]
    layer: Option<String>,
    /// Output file; `-` writes to standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: String,
    /// Output format: csv, json, parquet, geojson or png [default: by the file extension, else csv]
    #[arg(long, value_name = "FORMAT")]
    format: Option<GridFormat>,
    /// GeoJSON file with rooms: polygons with properties.name, in the coordinates of the points
    #[arg(long, value_name = "FILE")]
    polygons: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    damage: DamageArgs,
    #[command(flatten)]
    grid: GridArgs,
    #[command(flatten)]
    style: PictureArgs,
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
#[command(next_help_heading = "Grid")]
struct GridArgs {
    #[command(flatten)]
    options: Flags<GridOptions>,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Picture")]
struct PictureArgs {
    #[command(flatten)]
    options: Flags<GridStyleOptions>,
    /// Folder of scheme files, in addition to ./schemes; repeatable
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let format = args.format()?;
    let target = Target::new(&args.output, &args.inputs)?;
    let mut rows = args.rows.clone();
    rows.check()?;
    // The filter is not applied when files are read, since a comparison reads other times.
    let filter = rows.take_filter();
    let zone = filter.zone()?;
    let filter = filter.filter()?;
    let inputs = args.layer.as_ref().map_or_else(|| args.inputs.clone(), |name| vec![name.clone()]);
    let ResolvedLayer { layer, remarks, is_stored, .. } =
        ResolvedLayer::find(&inputs, &args.store, &rows, &args.damage)?;
    let config = args.store.load()?;
    let space = layer.coordinate_space();
    let polygons = args.polygons.as_ref().map(|path| Rooms::read(path, space).map(Arc::new)).transpose()?;
    let options = &args.grid.options.0;
    let wants_rooms = options.rooms == Some(true) && polygons.is_none();
    let rooms = if wants_rooms { args.rooms_of(&config, &layer, is_stored)? } else { None };
    let mut request =
        options.resolve(space, layer.weight().is_some(), polygons, rooms.as_ref(), config.limits.cells, zone)?;
    request.time_us = [filter.start_us, filter.end_us];
    let filter = Filter { start_us: None, end_us: None, ..filter };
    let rooms = [(Parameter::ROOMS, request.rooms.is_some()), (Parameter::PROFILE, request.profile.is_some())];
    if let Some((flag, _)) = rooms.into_iter().find(|(_, given)| *given && format != GridFormat::Json) {
        return Err(Error::invalid(flag, format!("{format} has cells only; use the format json")));
    }
    let styles = &args.style.options.0;
    if let (false, Some(flag)) = (matches!(format, GridFormat::Png | GridFormat::GeoJson), styles.first()) {
        return Err(Error::invalid(flag, format!("the flag applies to pictures; {format} is not one")));
    }
    let style = styles
        .clone()
        .or_style(layer.style())
        .resolve(request.compare.is_some(), |name| SchemeFolders::open(&args.style.schemes)?.find(name))?;

    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let limits = PictureLimits { pixels: config.limits.pixels, radius_px: config.limits.radius_px };
    let stop = AtomicBool::new(false);
    let mut output = target.create()?;
    let work = || {
        progress::with_scan_progress(args.quiet, |progress| {
            let query = layer.query();
            let both = query.filter.clone().and(&filter);
            let query = query.with_filter(both);
            let query = query.with_progress(progress).with_stop(Some(&stop));
            let points = GridLayer::new(&layer, &query, threads);
            let grid = points.grid(request)?;
            let categories = &filter.categories;
            if categories.len() > 1 || !categories.is_empty() && grid.total.count == 0 {
                check_categories(&layer, categories, &stop, threads)?;
            }
            let note = write(&grid, &points, &style, format, limits, BufWriter::new(output.file()))
                .map_err(|error| error.for_path(&args.output))?;
            Ok((grid, note))
        })
    };
    let (grid, note) = run_cancellable(|| stop.store(true, Ordering::Relaxed), work).map_err(|error| match error {
        Error::Cancelled => Error::input(&args.output, "cancelled; nothing was written"),
        other => other,
    })?;
    output.commit()?;
    if !args.quiet {
        print_notes(&remarks);
        let (cells, points) = (plural(grid.cells.len() as u64, "cell"), plural(grid.total.count, "point"));
        let (name, seconds) = (layer.name(), start.elapsed().as_secs_f64());
        print_message(&format!("grid of {name}: {points} in {cells}{note}; in {seconds:.3} s: {}", args.output));
    }
    Ok(())
}

impl Args {
    /// The rooms of the layer: those of the configuration, or else of the store.
    fn rooms_of(&self, config: &Config, layer: &Layer, is_stored: bool) -> Result<Option<Arc<Rooms>>> {
        let (name, space) = (layer.name(), layer.coordinate_space());
        if let Some(path) = config.layers.get(name).and_then(|layer| layer.rooms.as_ref()) {
            return Rooms::read(path, space).map(|rooms| Some(Arc::new(rooms)));
        }
        let text = if is_stored { self.store.open()?.rooms(name)? } else { None };
        let parse = |text: String| {
            let rooms = Rooms::parse(&text, space).map(Arc::new);
            rooms.map_err(|error| Error::input(format!("{name}/rooms"), error.into_message().with_keys()))
        };
        text.map(parse).transpose()
    }

    /// The format: the given one, or that of the extension.
    fn format(&self) -> Result<GridFormat> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        let extension = Path::new(&self.output).extension().map(|extension| extension.to_string_lossy().into_owned());
        match extension {
            Some(extension) if self.output != "-" => extension.parse().map_err(|_| {
                let known = GridFormat::NAMES.join(", .");
                Error::invalid(Parameter::OUTPUT, format!("`{}` has none of the extensions .{known}", self.output))
            }),
            _ => Ok(GridFormat::Csv),
        }
    }
}

/// Writes a grid, and returns a note on a picture.
fn write(
    grid: &Grid,
    layer: &GridLayer<'_>,
    style: &GridStyle,
    format: GridFormat,
    limits: PictureLimits,
    mut out: impl Write + Send,
) -> Result<String> {
    let to_error = |error: std::io::Error| Error::io("", "write", error);
    match format {
        GridFormat::Json => {
            serde_json::to_writer(&mut out, &grid_json(grid)).map_err(|error| to_error(error.into()))?;
            writeln!(out).map_err(to_error)?;
        }
        GridFormat::Csv => write_csv(grid, &mut out)?,
        GridFormat::Parquet => write_parquet(grid, &mut out)?,
        GridFormat::GeoJson if style.picture == PictureKind::Contours => {
            let (lines, unit) = contours(grid, layer, style, limits)?;
            write_contours(grid, &lines, &unit, &mut out)?;
        }
        GridFormat::GeoJson => write_geojson(grid, &mut out)?,
        GridFormat::Png => {
            let picture = draw(grid, layer, style, limits)?;
            out.write_all(&picture.png).map_err(to_error)?;
            out.flush().map_err(to_error)?;
            let [vmin, vmax] = picture.span;
            let scale = picture.height_scale.map(|scale| format!(", {scale} m of height per unit")).unwrap_or_default();
            return Ok(format!("; colors from {vmin} to {vmax} {}, bounds {}{scale}", picture.unit, picture.bounds));
        }
    }
    out.flush().map_err(to_error)?;
    Ok(String::new())
}
