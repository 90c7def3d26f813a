//! `kiln render`: renders files to a picture.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use clap::{Args as ClapArgs, ValueEnum};

use super::flags::whole_number;
use super::output::{Output, Target};
use super::rows::RowArgs;
use super::sheet::{self, SheetArgs};
use super::style::StyleArgs;
use super::{print_message, print_notes, progress, summary};
use crate::encode::geotiff::{self, Band, GeoReference};
use crate::encode::png::{self, PngOptions};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Projection};
use crate::inputs::OpenInputs;
use crate::layer::{
    Blend, ExtentScan, Fit, Heatmap, Size, Style, canvas_for, canvas_of, remarks, render, weight_label,
};
use crate::message;
use crate::parameter::Parameter;
use crate::raster::Aggregation;
use crate::source::{CoordinateSpace, Query};

/// Render points from files as a heat-map picture.
///
/// Input formats are CSV, GeoJSON, JSON, newline-delimited JSON, (Geo)Parquet, Arrow IPC (Feather), GPX, KML,
/// GeoPackage, FlatGeobuf and shapefiles, plain, gzip or zstd compressed. Without --bounds, the picture is fitted to
/// the points, padded by the radius of the dots.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln render cities.parquet -o cities.png
  kiln render quakes.geojson --weight mag --radius 100km --curve log -o quakes.png
  kiln render trips.csv --bounds=-74.1,40.6,-73.7,40.9 --size 1200 --scheme inferno -o nyc.png
  kiln render 'postgres://ann@db.example/maps?table=stops' -o heat.tif
  cat points.csv | kiln render - --format geotiff -o heat.tif")]
pub(super) struct Args {
    /// Files with points, URLs of them such as `s3://bucket/trips/*.parquet`, `-` for standard input, or the URL of a table,
    /// postgres://…
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Output file; `-` writes to standard output
    #[arg(short, long, value_name = "FILE")]
    output: String,
    /// Output format: PNG, or GeoTIFF for GIS programs [default: by the file extension, else png]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Bands of a GeoTIFF: the density as float32, or the colors as RGBA [default: density]
    #[arg(long, value_enum)]
    bands: Option<Bands>,

    #[command(flatten)]
    sheet: SheetArgs,
    #[command(flatten)]
    view: ViewArgs,
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
#[command(next_help_heading = "View")]
struct ViewArgs {
    /// Bounds in degrees: west,south,east,north, or `world` [default: fitted to the points]
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bounds: Option<Bounds>,
    /// Width x height in pixels, or the longer side [default: 1024]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Without --bounds: pad the extent of the points by the radius of the dots, or use it exactly
    #[arg(long, value_name = "padded|tight", default_value = "padded")]
    fit: Fit,
    /// Projection: mercator (Leaflet's default), platecarree (EPSG:4326) or plane (x and y unprojected) [default:
    /// mercator; plane with --crs plane]
    #[arg(long, value_name = "NAME")]
    projection: Option<Projection>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Png,
    Geotiff,
}

const BANDS: Parameter = Parameter::new("bands");

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bands {
    Density,
    Rgba,
}

/// The content of a picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Png,
    Geotiff(Bands),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let mut style = args.style.resolve(&args.style.options())?;
    let content = args.content(&style)?;
    if content != Content::Png {
        style = style.for_geotiff();
    }
    args.rows.check()?;
    let projection = args.projection()?;
    // All arguments are validated before the work, including that the files can be written.
    let target = Target::new(&args.output, &args.inputs)?;
    args.sheet.check(content == Content::Png, projection)?;
    let mut companions = Vec::new();
    for (flag, path) in args.sheet.companion_files(&args.output)? {
        let file = Target::new(&path, &args.inputs)?;
        if file.is_same_as(&target) {
            return Err(Error::invalid(flag, "the picture is written to the same file; use another name"));
        }
        companions.push((flag, file));
    }
    let open = || OpenInputs::open(&args.inputs, &args.rows.columns(), &args.rows.read_options());
    let opened = progress::with_copy_progress(args.quiet, open)?;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);

    let heat = draw(args, projection, &opened, &style, threads)?;
    let weight = heat.values.as_ref().is_some_and(|values| values.weighted);
    let column = args.rows.weight().or(opened.weight.as_deref()).or(heat.report.weight.as_deref());
    let unit = &style.unit(heat.canvas.projection(), weight.then(|| weight_label(column)));
    let picture = sheet::RenderedPicture { heat: &heat, style: &style, unit };
    let mut output = target.create()?;
    if args.sheet.has_sheet() {
        args.sheet.write(picture, &mut output).map_err(|error| error.for_path(&args.output))?;
    } else {
        write_picture_file(args, content, picture, &mut output, threads)
            .map_err(|error| error.for_path(&args.output))?;
    }
    let mut outputs = vec![output];
    for (flag, file) in companions {
        let mut file = file.create()?;
        SheetArgs::write_companion(flag, picture, &args.output, &mut file)?;
        outputs.push(file);
    }
    outputs.into_iter().try_for_each(Output::commit)?;
    if !args.quiet {
        print_notes(&remarks(&heat.report, Parameter::flag));
        print_message(&summary::rendered(&heat, &style, unit, &args.output, start.elapsed()));
    }
    Ok(())
}

/// Renders the picture.
fn draw(args: &Args, projection: Projection, opened: &OpenInputs, style: &Style, threads: usize) -> Result<Heatmap> {
    let (view, source) = (&args.view, &opened.inputs);
    let query = args
        .rows
        .query()?
        .with_coordinate_space(if projection == Projection::Plane {
            CoordinateSpace::Plane
        } else {
            CoordinateSpace::Globe
        })
        .with_weights(style.aggregation != Aggregation::Count && style.blend == Blend::Add);
    let render_all = |canvas: &Canvas, style: &Style| {
        progress::with_scan_progress(args.quiet, |progress| {
            render(source, &query.clone().with_progress(progress), canvas, style, threads)
        })
    };
    let size = view.size.unwrap_or_default();
    if let Some(bounds) = view.bounds {
        let canvas = canvas_of(projection, bounds, size)?;
        let heat = render_all(&canvas, style)?;
        heat.report.require_points(&opened.names)?;
        return Ok(heat);
    }
    // A classic picture depends on the order of the points, which only a single thread preserves.
    let scan_threads = if style.blend == Blend::Classic { 1 } else { threads };
    let extent_scan = progress::with_scan_progress(args.quiet, |progress| {
        ExtentScan::of(source, &query.clone().with_progress(progress), scan_threads)
    })?;
    extent_scan.report.require_points(&opened.names)?;
    if extent_scan.report.rejected + extent_scan.report.filtered == extent_scan.report.read {
        let detail = "no row passes the filters (--start, --end, --hours, --weekdays, --months, --category), and the picture cannot be fitted to points; use --bounds";
        return Err(Error::input(opened.names.join(", "), detail));
    }
    let canvas = canvas_for(projection, &extent_scan.extent, size, style, view.fit)?;
    let mut heat = match extent_scan.kept() {
        Some(kept) => {
            let all = Query::default().with_coordinate_space(query.columns.space).with_weights(query.columns.weights);
            render(&kept, &all, &canvas, style, threads)?
        }
        None => render_all(&canvas, style)?,
    };
    heat.report = extent_scan.report;
    Ok(heat)
}

fn write_picture_file(
    args: &Args,
    content: Content,
    sheet::RenderedPicture { heat, unit, .. }: sheet::RenderedPicture<'_>,
    output: &mut Output,
    threads: usize,
) -> Result<()> {
    let reference = GeoReference::of(&heat.canvas);
    let colors = heat.palette.colors();
    match (content, &heat.values) {
        (Content::Png, _) => {
            let mut bytes = Vec::new();
            png::write_indexed(&mut bytes, &heat.indices, colors, PngOptions::default())?;
            output.file().write_all(&bytes).map_err(|error| Error::io(&args.output, "write", error))
        }
        (Content::Geotiff(Bands::Density), Some(values)) => {
            let nodata = if values.quantizer.is_amount() { None } else { Some(f32::NAN) };
            let band = Band { name: &values.aggregation.to_string(), unit, nodata };
            geotiff::write_density(BufWriter::new(output.file()), &values.density, &band, &reference, threads)
        }
        (Content::Geotiff(_), _) => {
            geotiff::write_colors(BufWriter::new(output.file()), &heat.indices, colors, &reference, threads)
        }
    }
}

impl Args {
    /// The projection, which is that of a plane for points on a plane.
    fn projection(&self) -> Result<Projection> {
        match (self.view.projection, self.rows.coordinate_space()) {
            (Some(projection), CoordinateSpace::Plane) if projection.wraps() => {
                let detail = message!("the points are on a plane; use plane, or omit ", Parameter::CRS);
                Err(Error::invalid(Parameter::PROJECTION, detail))
            }
            (Some(projection), _) => Ok(projection),
            (None, CoordinateSpace::Plane) => Ok(Projection::Plane),
            (None, CoordinateSpace::Globe) => Ok(Projection::Mercator),
        }
    }

    /// The content of the output file. Rejects conflicting flags.
    fn content(&self, style: &Style) -> Result<Content> {
        let extension = Path::new(&self.output).extension().and_then(|text| text.to_str()).unwrap_or_default();
        let format = match (self.format, extension.to_ascii_lowercase().as_str()) {
            (Some(format), _) => format,
            (None, "tif" | "tiff") => Format::Geotiff,
            (None, "jpg" | "jpeg" | "webp" | "gif" | "bmp" | "svg" | "pdf") => {
                let detail = format!("unsupported format .{extension}; expected .png or .tif, or use --format");
                return Err(Error::invalid(Parameter::OUTPUT, detail));
            }
            (None, _) => Format::Png,
        };
        let bands = match (format, self.bands) {
            (Format::Png, None) => return Ok(Content::Png),
            (Format::Png, Some(_)) => {
                return Err(Error::invalid(BANDS, "only a GeoTIFF has bands"));
            }
            (Format::Geotiff, bands) => bands.unwrap_or(Bands::Density),
        };
        let given = &self.style;
        if bands == Bands::Density {
            if style.blend == Blend::Classic {
                return Err(Error::invalid(BANDS, "the classic blend has no density, only colors; use --bands rgba"));
            }
            if given.has_colors() && !self.sheet.has_legend() {
                return Err(Error::invalid(BANDS, "a density has no colors; use --bands rgba for a colored GeoTIFF"));
            }
        }
        Ok(Content::Geotiff(bands))
    }
}
