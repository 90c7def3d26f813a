//! `kiln export`: a layer's tiles in a file or a folder.

use std::path::Path;
use std::time::Instant;

use clap::Args as ClapArgs;
use indicatif::HumanBytes;

use super::rows::RowArgs;
use super::signals::stoppable;
use super::store::StoreArgs;
use super::style::StyleArgs;
use super::subject::Subject;
use super::summary::plural;
use super::{note, progress, say, summary};
use crate::error::{Error, Result};
use crate::export::{BinsExport, BinsExportReport, Format, Progress, TileExport};
use crate::geo::{Bounds, Zooms};
use crate::layer::StyleOptions;
use crate::parameter::Parameter;

/// Write a layer's tiles to a file or a folder, for where there is no Kiln.
///
/// The output's ending says what is written: .pmtiles for web maps on any web server, .mbtiles for programs, .tif for GIS
/// (a cloud-optimized GeoTIFF in RGBA, with an overview for each zoom), a folder of {z}/{x}/{y}.png without one. The tiles
/// are those that `kiln serve` answers. Tiles with nothing in them are left out, and identical ones stored once.
///
/// The output is there whole or not at all. An export that was stopped or killed goes on where it was when the same
/// command is run again.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln export trips -o trips.pmtiles --zoom 0-10
  kiln export cities.parquet --weight population -o cities.mbtiles --zoom 0-6 --scheme fire
  kiln export trips -o nyc.tif --zoom 12 --bounds=-74.1,40.6,-73.7,40.9 --start 2024-05-01
  kiln export trips -o public/tiles/ --zoom 0-8
  kiln export trips --bins trips.parquet --zoom 8")]
pub(super) struct Args {
    /// The layer, of the store, of kiln.toml or of its database; or files or a table, postgres://…, as `kiln render` reads them
    #[arg(required = true, value_name = "LAYER|INPUT")]
    subject: Vec<String>,
    /// The file or the folder to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "bins", conflicts_with = "bins")]
    output: Option<String>,
    /// Write no tiles, but the points summed up per pixel of each zoom: a .parquet file with `lon`, `lat`, `zoom`, `width_deg`,
    /// `count` and `weight`
    #[arg(long, value_name = "FILE")]
    bins: Option<String>,
    /// The zooms, 0 to 24: 5, 0-10. Each one more is up to four times as much
    #[arg(short, long, value_name = "ZOOMS")]
    zoom: Zooms,
    /// Bounds, in degrees: west,south,east,north [default: all that has points]
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bounds: Option<Bounds>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    style: StyleArgs,
    #[command(flatten)]
    rows: RowArgs,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    if let Some(bins) = &args.bins {
        return run_bins(args, bins, start);
    }
    let output = args.output.as_deref().unwrap_or_default();
    let format = Format::of(output)?;
    let Subject { layer, query, remarks } = Subject::find(&args.subject, &args.store, &args.rows)?;
    let style = args.style.resolve(&args.style.options().or(layer.style().clone()))?;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let export = TileExport { layer: &layer, query, style, zooms: args.zoom, bounds: args.bounds, threads };
    let progress = Progress::default();
    let target = Path::new(output.trim_end_matches(['/', std::path::MAIN_SEPARATOR]));
    let work = || progress::shown_export(args.quiet, &progress, "tiles", || export.write(target, format, &progress));
    let exported = stoppable(|| progress.stop(), work).map_err(|error| match error {
        Error::Cancelled => Error::input(output, "stopped; the same command goes on where it was"),
        other => other,
    })?;
    if !args.quiet {
        note(&remarks);
        say(&summary::exported(&exported, layer.name(), args.zoom, output, start.elapsed()));
    }
    Ok(())
}

/// Writes sums in place of tiles.
fn run_bins(args: &Args, output: &str, start: Instant) -> Result<()> {
    if !Path::new(output).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
        return Err(Error::invalid(Parameter::BINS, format!("`{output}` is no .parquet file")));
    }
    if args.style.options() != StyleOptions::default() {
        return Err(Error::invalid(Parameter::BINS, "sums are not drawn: leave out what says how"));
    }
    let Subject { layer, query, remarks } = Subject::find(&args.subject, &args.store, &args.rows)?;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let export = BinsExport { layer: &layer, query, zooms: args.zoom, bounds: args.bounds, threads };
    let progress = Progress::default();
    let work = || progress::shown_export(args.quiet, &progress, "cells", || export.write(Path::new(output), &progress));
    let exported = stoppable(|| progress.stop(), work).map_err(|error| match error {
        Error::Cancelled => Error::input(output, "stopped; nothing is written"),
        other => other,
    })?;
    if !args.quiet {
        note(&remarks);
        let BinsExportReport { cells, points, bytes } = exported;
        let (cells, points, size) = (plural(cells, "cell"), plural(points, "point"), HumanBytes(bytes));
        let (name, zoom, seconds) = (layer.name(), args.zoom, start.elapsed().as_secs_f64());
        say(&format!("summed up {points} of {name}, zoom {zoom}: {cells}, {size}; in {seconds:.3} s: {output}"));
    }
    Ok(())
}
