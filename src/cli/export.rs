//! `kiln export`: writes a layer's tiles to a file or a folder.

use std::path::Path;
use std::time::Instant;

use clap::Args as ClapArgs;
use indicatif::HumanBytes;

use super::confirm::{self, YES};
use super::damage::DamageArgs;
use super::flags::whole_number;
use super::resolved_layer::ResolvedLayer;
use super::rows::RowArgs;
use super::signals::run_cancellable;
use super::store::StoreArgs;
use super::style::StyleArgs;
use super::summary::{grouped, plural};
use super::{print_message, print_notes, progress, summary};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::export::{BinsExport, BinsExportReport, Format, Progress, TileExport};
use crate::geo::{Bounds, Zooms};
use crate::layer::StyleOptions;
use crate::parameter::Parameter;

/// Write a layer's tiles to a file or a folder, for static hosting and other programs.
///
/// The format depends on the file extension of the output: .pmtiles for web maps on any web server, .mbtiles for
/// desktop and mobile maps, .tif for GIS (a cloud-optimized GeoTIFF in RGBA, with an overview for each zoom); without
/// an extension it is a folder of {z}/{x}/{y}.png. The tiles are the same as those of `kiln serve`. Empty tiles are
/// omitted, and identical ones are stored once.
///
/// The number of tiles is printed before the export starts. The output is written atomically. An interrupted export resumes when the same command is run again.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln export trips -o trips.pmtiles --zoom 0-10
  kiln export cities.parquet --weight population -o cities.mbtiles --zoom 0-6 --scheme fire
  kiln export trips -o nyc.tif --zoom 12 --bounds=-74.1,40.6,-73.7,40.9 --start 2024-05-01
  kiln export trips -o public/tiles/ --zoom 0-8
  kiln export trips --bins trips.parquet --zoom 8
  kiln export trips --bins days.parquet --zoom 10 --every 1d --by-category --at-least 5")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Args {
    /// Name of a layer in the store, in kiln.toml or in its database; or files or a table, postgres://…, as in `kiln
    /// render`
    #[arg(required = true, value_name = "LAYER|INPUT")]
    inputs: Vec<String>,
    /// Output file or folder
    #[arg(short, long, value_name = "FILE", required_unless_present = "bins", conflicts_with = "bins")]
    output: Option<String>,
    /// Instead of tiles, write the points summed per pixel of each zoom to a .parquet file with `level` (zoom + 8), `cell_x`,
    /// `cell_y` and `n`, and of weighted points `weight` (their sum) and `max_weight`
    #[arg(long, value_name = "FILE")]
    bins: Option<String>,
    /// With --bins: sum each period of this length since 1970-01-01 UTC for itself, with its begin as `time`: 1d, 6h
    #[arg(long, value_name = "DURATION")]
    every: Option<TimeSpan>,
    /// With --bins: sum each category for itself, with its name as `category`
    #[arg(long)]
    by_category: bool,
    /// With --bins: leave out sums of fewer points than this
    #[arg(long, value_name = "N")]
    at_least: Option<u64>,
    /// With --bins: sum per pixel of tiles of twice the density, @2x (level = zoom + 9)
    #[arg(long)]
    dense: bool,
    /// Zooms, 0 to 24: 5, 0-10. Each additional zoom has up to four times as many tiles
    #[arg(short, long, value_name = "ZOOMS")]
    zoom: Zooms,
    /// Bounds in degrees: west,south,east,north [default: the bounds of the points]
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bounds: Option<Bounds>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    damage: DamageArgs,
    #[command(flatten)]
    style: StyleArgs,
    #[command(flatten)]
    rows: RowArgs,
    /// Do not ask for confirmation of an export of more tiles than `limits.export_tiles` of the configuration, 1,000,000
    #[arg(short, long)]
    yes: bool,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = whole_number::<u16>(1..=1024))]
    threads: Option<u16>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    if let Some(bins) = &args.bins {
        return run_bins(args, bins, start);
    }
    // Clap does not require a flag that another flag, here --output, excludes.
    if args.every.is_some() || args.by_category || args.at_least.is_some() || args.dense {
        return Err(Error::invalid(Parameter::BINS, "required by --every, --by-category, --at-least and --dense"));
    }
    let output = args.output.as_deref().unwrap_or_default();
    let format = Format::of(output)?;
    let ResolvedLayer { layer, query, remarks, .. } =
        ResolvedLayer::find(&args.inputs, &args.store, &args.rows, &args.damage)?;
    let style = args.style.resolve(&args.style.options().or(layer.style().clone()))?;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let export = TileExport { layer: &layer, query, style, zooms: args.zoom, bounds: args.bounds, threads };
    let progress = Progress::default();
    let target = Path::new(output.trim_end_matches(['/', std::path::MAIN_SEPARATOR]));
    let work = || {
        args.confirm_tiles(&export, export.max_tiles(target, format, &progress)?)?;
        progress::with_export_progress(args.quiet, &progress, "tiles", || export.write(target, format, &progress))
    };
    let exported = run_cancellable(|| progress.stop(), work).map_err(|error| match error {
        Error::Cancelled => Error::input(output, "cancelled; run the same command again to resume"),
        other => other,
    })?;
    if !args.quiet {
        print_notes(&remarks);
        print_message(&summary::exported(&exported, layer.name(), args.zoom, output, start.elapsed()));
    }
    Ok(())
}

impl Args {
    /// The length of the periods in microseconds.
    fn every_us(&self) -> Result<Option<i64>> {
        let Some(every) = self.every else { return Ok(None) };
        let length = i64::try_from(every.as_secs()).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
        match length {
            Some(0) => Err(Error::invalid(Parameter::EVERY, "expected a duration of at least 1s")),
            None => Err(Error::invalid(Parameter::EVERY, "the duration is too long")),
            length => Ok(length),
        }
    }

    /// Prints the number of tiles, and asks for confirmation of many.
    fn confirm_tiles(&self, export: &TileExport<'_>, tiles: u64) -> Result<()> {
        let limit = self.store.load()?.limits.export_tiles;
        let (name, zoom, count) = (export.layer.name(), self.zoom, plural(tiles, "tile"));
        if tiles <= limit || self.yes {
            if !self.quiet {
                print_message(&format!("exporting {name}, zoom {zoom}: at most {count}"));
            }
            return Ok(());
        }
        let exceeds =
            format!("zoom {zoom} of {name} has up to {count}, more than limits.export_tiles, {}", grouped(limit));
        if !confirm::is_interactive() {
            let detail = format!(
                "required without a terminal: {exceeds}; or use a lower --zoom, smaller --bounds or a higher limit"
            );
            return Err(Error::invalid(YES, detail));
        }
        if confirm::is_confirmed(&format!("{exceeds}. Export?"))? {
            Ok(())
        } else {
            Err(Error::input(name, "nothing was exported"))
        }
    }
}

/// Writes sums per cell instead of tiles.
fn run_bins(args: &Args, output: &str, start: Instant) -> Result<()> {
    if !Path::new(output).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
        return Err(Error::invalid(Parameter::BINS, format!("`{output}` is not a .parquet file")));
    }
    if args.style.options() != StyleOptions::default() {
        return Err(Error::invalid(Parameter::BINS, "counts and sums have no style; omit the style flags"));
    }
    let ResolvedLayer { layer, query, remarks, .. } =
        ResolvedLayer::find(&args.inputs, &args.store, &args.rows, &args.damage)?;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let export = BinsExport {
        layer: &layer,
        query,
        zooms: args.zoom,
        dense: args.dense,
        bounds: args.bounds,
        every_us: args.every_us()?,
        by_category: args.by_category,
        at_least: args.at_least.unwrap_or(1),
        threads,
    };
    let progress = Progress::default();
    let work =
        || progress::with_export_progress(args.quiet, &progress, "rows", || export.write(Path::new(output), &progress));
    let exported = run_cancellable(|| progress.stop(), work).map_err(|error| match error {
        Error::Cancelled => Error::input(output, "cancelled; nothing was written"),
        other => other,
    })?;
    if !args.quiet {
        print_notes(&remarks);
        let BinsExportReport { cells, points, bytes } = exported;
        // With periods or categories, a cell has several rows.
        let noun = if args.every.is_some() || args.by_category { "row" } else { "cell" };
        let (cells, points, size) = (plural(cells, noun), plural(points, "point"), HumanBytes(bytes));
        let (name, zoom, seconds) = (layer.name(), args.zoom, start.elapsed().as_secs_f64());
        print_message(&format!(
            "exported {points} of {name}, zoom {zoom}: {cells}, {size}; in {seconds:.3} s: {output}"
        ));
    }
    Ok(())
}
