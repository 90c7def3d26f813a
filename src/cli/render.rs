//! `kiln render`: from files to one picture.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args as ClapArgs, ValueEnum};

use super::output::Output;
use super::{progress, summary};
use crate::color::{Background, Family, Gradient, Opacity, Palette, Scheme};
use crate::encode::geotiff::{self, Crs, GeoReference};
use crate::encode::png::{self, PngOptions};
use crate::encode::{Legend, nice_ticks, write_picture};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, EARTH_RADIUS_M, Projection};
use crate::layer::{
    Blend, Fit, Heat, Radius, SchemeFolders, Size, Style, Survey, Unit, Values, canvas_for, canvas_of, render,
};
use crate::raster::{Aggregation, Curve, Normalization, Shape, classic};
use crate::source::{Columns, Ground, Inputs, Query, ScanReport, open, parse_time_us};

/// Draw points from files as one heat-map picture.
///
/// Reads CSV, GeoJSON, JSON, newline-delimited JSON and (Geo)Parquet, gzipped or not. Without --bounds the picture fits
/// the points, with room for their dots.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln render cities.parquet -o cities.png
  kiln render quakes.geojson --weight mag --radius 100km --curve log -o quakes.png
  kiln render trips.csv --bounds=-74.1,40.6,-73.7,40.9 --size 1200 --scheme inferno -o nyc.png
  cat points.csv | kiln render - --format geotiff -o heat.tif")]
pub(super) struct Args {
    /// Files with points; `-` reads standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The picture to write; `-` writes to standard output
    #[arg(short, long, value_name = "FILE")]
    output: String,
    /// PNG, or GeoTIFF for GIS programs [default: by the file's ending, else png]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What a GeoTIFF holds: the density as float32, or the colors as RGBA
    #[arg(long, value_enum, default_value_t = Bands::Density)]
    bands: Bands,
    /// Draw the legend too, as a PNG [default file: the output's name with .legend.png]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[allow(clippy::option_option, reason = "the flag may be absent, bare, or name a file")]
    legend: Option<Option<String>>,

    #[command(flatten)]
    ground: GroundArgs,
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

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Ground")]
struct GroundArgs {
    /// Ground to show, in degrees: west,south,east,north, or `world` [default: what fits the points]
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bounds: Option<Bounds>,
    /// Width x height in pixels, or the longer side [default: 1024]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Without --bounds: leave room for the dots, or take the points' own extent exactly
    #[arg(long, value_name = "padded|tight", default_value = "padded")]
    fit: Fit,
    /// mercator (Leaflet's default), platecarree (EPSG:4326) or plane (x and y as they are)
    #[arg(long, value_name = "NAME", default_value = "mercator")]
    projection: Projection,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Style")]
struct StyleArgs {
    /// Radius of a dot: 25, 25px, 500m, 10km [default: 20px]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, conflicts_with = "dot_size")]
    radius: Option<Radius>,
    /// Radius as the Python heatmap library's dot size, of which a lone dot shows 0.36 to each side
    #[arg(long, value_name = "PX", allow_hyphen_values = true, value_parser = read_dot_size)]
    dot_size: Option<f64>,
    /// gaussian, cone, quartic, epanechnikov, triangular, uniform
    #[arg(long, value_name = "SHAPE", default_value = "gaussian")]
    kernel: Shape,
    /// add: dots add up; classic: the Python heatmap library's multiplicative dots, to the byte with --projection plane
    #[arg(long, value_name = "add|classic", default_value = "add")]
    blend: Blend,
    /// What a pixel shows of the weights around it: sum, count, mean, max
    #[arg(long, value_name = "HOW", default_value = "sum")]
    agg: Aggregation,
    /// Colors by name; `kiln schemes` lists them [default: heat]
    #[arg(long, value_name = "NAME", conflicts_with = "gradient")]
    scheme: Option<String>,
    /// Colors from cold to hot: 'transparent,blue,lime 60%,red'
    #[arg(long, value_name = "COLORS")]
    gradient: Option<Gradient>,
    /// A folder of scheme files, beside ./schemes
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
    /// Opacity of the whole picture: 0.5, 50%, 128/255
    #[arg(long, value_name = "SHARE", default_value = "1")]
    opacity: Opacity,
    /// An opaque color to print the picture on; without it, it can be laid over a map
    #[arg(long, value_name = "COLOR")]
    background: Option<Background>,
    /// Where the hottest color is reached: max, or a percentile such as p99
    #[arg(long, value_name = "POLICY", default_value = "p99")]
    normalize: Normalization,
    /// Value of the coldest color, in the unit of the summary
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    vmin: Option<f64>,
    /// Value of the hottest color, in the unit of the summary
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    vmax: Option<f64>,
    /// How values are laid on the colors: linear, sqrt, log, eqhist
    #[arg(long, value_name = "CURVE", default_value = "linear")]
    curve: Curve,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Rows")]
struct RowArgs {
    /// Column of the longitude or x [default: lon, lng, long, longitude, x]
    #[arg(long, value_name = "COLUMN")]
    lon: Option<String>,
    /// Column of the latitude or y [default: lat, latitude, y]
    #[arg(long, value_name = "COLUMN")]
    lat: Option<String>,
    /// Column of the weight [default: weight, value, w, count if there is one; else every point weighs 1]
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// Column of the time [default: time, timestamp, date, datetime]
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Column that --category looks at [default: category, type, class, kind]
    #[arg(long, value_name = "COLUMN")]
    category_column: Option<String>,
    /// Only rows from this time on: a date, an RFC 3339 time, a year, or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    start: Option<i64>,
    /// Only rows before this time
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    end: Option<i64>,
    /// Only rows of this category; may be given several times
    #[arg(long, value_name = "NAME")]
    category: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Png,
    Geotiff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bands {
    Density,
    Rgba,
}

fn read_dot_size(text: &str) -> Result<f64> {
    match text.parse::<f64>() {
        Ok(size) if size > 0.0 && size <= f64::from(classic::MAX_DOT_SIZE) => Ok(size),
        _ => {
            let most = classic::MAX_DOT_SIZE;
            Err(Error::invalid("dot-size", format!("not a number of pixels above 0 and at most {most}")))
        }
    }
}

fn read_time(text: &str) -> Result<i64> {
    parse_time_us(text).ok_or_else(|| {
        Error::invalid("time", "not a time such as 2024-05-01, 2024-05-01T12:00:00Z or 2024, nor Unix seconds")
    })
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let style = args.style.read()?;
    args.rows.check()?;
    let format = args.format();
    if format == Format::Geotiff && args.bands == Bands::Density && style.blend == Blend::Classic {
        return Err(Error::invalid("bands", "the classic blend has no density, only colors: give --bands rgba"));
    }
    // Whatever can be refused is refused before the work begins, an unwritable file too.
    let mut output = Output::create(&args.output)?;
    let mut legend = args.legend_path()?.map(|path| Output::create(&path)).transpose()?;
    let source = Inputs(args.inputs.iter().map(|input| open(input)).collect::<Result<_>>()?);
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);

    let (heat, style) = draw(args, &source, &style, threads)?;
    let weight = heat.values.as_ref().is_some_and(|values| values.weighted);
    let weight = weight.then(|| args.rows.weight.as_deref().unwrap_or("weight"));
    let unit = Unit::of(&heat.canvas, style.aggregation, weight);
    write_picture_file(args, format, &heat, &mut output, threads).map_err(|error| error.for_path(&args.output))?;
    if let Some(legend) = &mut legend {
        draw_legend(&heat, &style, &unit, legend)?;
    }
    output.commit()?;
    legend.map_or(Ok(()), Output::commit)?;
    if !args.quiet {
        eprintln!("{}", summary::of(&heat, &style, &unit, &args.output, start.elapsed()));
    }
    Ok(())
}

/// Draws the picture, and answers it with the style as it was applied.
fn draw(args: &Args, source: &Inputs, style: &Style, threads: usize) -> Result<(Heat, Style)> {
    let ground = &args.ground;
    let query = args.rows.query(style, ground.projection);
    let render_all = |canvas: &Canvas, style: &Style| {
        progress::shown(args.quiet, |progress| {
            render(source, &Query { progress, ..query.clone() }, canvas, style, threads)
        })
    };
    let size = ground.size.unwrap_or_default();
    if let Some(bounds) = ground.bounds {
        let canvas = canvas_of(ground.projection, bounds, size)?;
        let style = per_pixel(style, &canvas);
        let heat = render_all(&canvas, &style)?;
        check_points(args, &heat.report)?;
        return Ok((heat, style));
    }
    // A classic picture depends on the order of the points, which only a single worker keeps.
    let in_order = if style.blend == Blend::Classic { 1 } else { threads };
    let survey =
        progress::shown(args.quiet, |progress| Survey::of(source, &Query { progress, ..query.clone() }, in_order))?;
    check_points(args, &survey.report)?;
    if survey.report.rejected + survey.report.filtered == survey.report.read {
        let why =
            "no row passes --start, --end and --category, so there is nothing to fit the picture to; give --bounds";
        return Err(Error::input(args.inputs.join(", "), why));
    }
    let canvas = canvas_for(ground.projection, &survey.extent, size, style.radius, ground.fit)?;
    let style = per_pixel(style, &canvas);
    let mut heat = match survey.kept() {
        Some(kept) => {
            let all = Query { ground: query.ground, weights: query.weights, ..Query::default() };
            render(&kept, &all, &canvas, &style, threads)?
        }
        None => render_all(&canvas, &style)?,
    };
    heat.report = survey.report;
    Ok((heat, style))
}

/// The style with `vmin` and `vmax` turned from the unit they are told in to values per pixel.
fn per_pixel(style: &Style, canvas: &Canvas) -> Style {
    let factor = Unit::of(canvas, style.aggregation, None).factor;
    let value = |told: Option<f64>| told.map(|told| told / factor);
    Style { vmin: value(style.vmin), vmax: value(style.vmax), ..style.clone() }
}

/// A picture of nothing is no picture, unless the rows just do not pass the filters.
fn check_points(args: &Args, report: &ScanReport) -> Result<()> {
    let inputs = args.inputs.join(", ");
    if report.read == 0 {
        return Err(Error::input(inputs, "there are no rows in it"));
    }
    if report.rejected == report.read {
        let first = report.rejections.first().map(|rejection| {
            // One file is named already.
            let file = if args.inputs.len() > 1 { format!("{} ", rejection.input) } else { String::new() };
            format!("; {file}row {}: {}", rejection.row, rejection.reason)
        });
        let first = first.unwrap_or_default();
        return Err(Error::input(inputs, format!("none of the {} rows holds a valid point{first}", report.read)));
    }
    Ok(())
}

fn write_picture_file(args: &Args, format: Format, heat: &Heat, output: &mut Output, threads: usize) -> Result<()> {
    let reference = reference(&heat.canvas);
    let colors = heat.palette.colors();
    match (format, args.bands, &heat.values) {
        (Format::Png, ..) => {
            let mut bytes = Vec::new();
            png::write_indexed(&mut bytes, &heat.indices, colors, PngOptions::default())?;
            output.file().write_all(&bytes).map_err(|error| Error::io(&args.output, "write", error))
        }
        (Format::Geotiff, Bands::Density, Some(values)) => {
            let nodata = if values.quantizer.is_amount() { None } else { Some(f32::NAN) };
            geotiff::write_density(BufWriter::new(output.file()), &values.density, nodata, &reference, threads)
        }
        (Format::Geotiff, ..) => {
            geotiff::write_colors(BufWriter::new(output.file()), &heat.indices, colors, &reference, threads)
        }
    }
}

/// Where a canvas lies, in the units of its coordinate system.
fn reference(canvas: &Canvas) -> GeoReference {
    use std::f64::consts::PI;
    let [x0, y0] = canvas.world_at(0.0, 0.0);
    let [scale_x, scale_y] = canvas.scale();
    // World units to the system's: where the world's corner lies, and how long a unit is.
    let (crs, west, north, unit) = match canvas.projection() {
        Projection::Mercator => (Crs::Epsg3857, -PI * EARTH_RADIUS_M, PI * EARTH_RADIUS_M, 2.0 * PI * EARTH_RADIUS_M),
        Projection::PlateCarree => (Crs::Epsg4326, -180.0, 90.0, 360.0),
        Projection::Plane => (Crs::Plane, 0.0, 0.0, 1.0),
    };
    GeoReference {
        crs,
        west: west + x0 * unit,
        north: north - y0 * unit,
        pixel_width: unit / scale_x,
        pixel_height: unit / scale_y,
    }
}

fn draw_legend(heat: &Heat, style: &Style, unit: &Unit, output: &mut Output) -> Result<()> {
    let palette = Palette::from(&style.scheme).with_opacity(style.opacity);
    let ticks = match &heat.values {
        Some(Values { span, quantizer, .. }) => {
            let position = |value: f64| quantizer.position(value / unit.factor);
            nice_ticks(span.vmin * unit.factor, span.vmax * unit.factor, position)
        }
        None => Vec::new(),
    };
    let unit = if heat.values.is_some() { unit.name.as_str() } else { "classic dots: an absolute scale" };
    let legend = Legend { palette: &palette, ticks: &ticks, title: "", unit, pixel_ratio: 1.0 }.draw()?;
    write_picture(&legend, BufWriter::new(output.file())).map_err(|error| Error::io("legend", "write", error))
}

impl Args {
    fn format(&self) -> Format {
        let ending = self.output.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        self.format.unwrap_or(if matches!(ending.as_str(), "tif" | "tiff") { Format::Geotiff } else { Format::Png })
    }

    fn legend_path(&self) -> Result<Option<String>> {
        let stem = || self.output.rsplit_once('.').map_or(self.output.as_str(), |(stem, _)| stem);
        match &self.legend {
            None => Ok(None),
            Some(None) if self.output == "-" => {
                Err(Error::invalid("legend", "the picture goes to standard output, so name the legend's file"))
            }
            Some(None) => Ok(Some(format!("{}.legend.png", stem()))),
            Some(Some(path)) => Ok(Some(path.clone())),
        }
    }
}

impl StyleArgs {
    fn read(&self) -> Result<Style> {
        let scheme = match (&self.gradient, &self.scheme) {
            (Some(gradient), _) => Scheme::new("gradient", Family::Own, gradient.colors()),
            (None, name) => SchemeFolders::usual(&self.schemes)?.find(name.as_deref().unwrap_or(Scheme::DEFAULT))?,
        };
        let radius = match self.dot_size {
            Some(dot_size) => Radius::DotSize(dot_size),
            None => self.radius.unwrap_or_default(),
        };
        if let (Some(vmin), Some(vmax)) = (self.vmin, self.vmax)
            && vmin >= vmax
        {
            return Err(Error::invalid("vmin", format!("{vmin} is not below --vmax {vmax}")));
        }
        Ok(Style {
            blend: self.blend,
            shape: self.kernel,
            radius,
            aggregation: self.agg,
            scheme,
            opacity: self.opacity,
            background: self.background,
            normalization: self.normalize,
            vmin: self.vmin,
            vmax: self.vmax,
            curve: self.curve,
        })
    }
}

impl RowArgs {
    /// Refuses what no row can pass.
    fn check(&self) -> Result<()> {
        match (self.start, self.end) {
            (Some(start), Some(end)) if start >= end => {
                Err(Error::invalid("start", "it is not before --end, so that no row could pass"))
            }
            _ => Ok(()),
        }
    }

    fn query(&self, style: &Style, projection: Projection) -> Query<'static> {
        Query {
            columns: Columns {
                lon: self.lon.clone(),
                lat: self.lat.clone(),
                weight: self.weight.clone(),
                time: self.time.clone(),
                category: self.category_column.clone(),
            },
            ground: if projection == Projection::Plane { Ground::Plane } else { Ground::Globe },
            weights: style.aggregation != Aggregation::Count && style.blend == Blend::Add,
            start_us: self.start,
            end_us: self.end,
            categories: self.category.clone(),
            progress: None,
        }
    }
}
