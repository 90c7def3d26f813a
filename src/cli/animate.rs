//! `kiln animate`: renders a layer over time, as an animation or as a folder of frames.

use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Args as ClapArgs;
use image::RgbaImage;
use indicatif::HumanBytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::damage::DamageArgs;
use super::flags::whole_number;
use super::resolved_layer::ResolvedLayer;
use super::rows::RowArgs;
use super::sheet::{OutlineArgs, RenderedPicture};
use super::signals::run_cancellable;
use super::store::StoreArgs;
use super::style::StyleArgs;
use super::summary::{plural, short};
use super::{print_message, print_notes, progress};
use crate::config::TimeSpan;
use crate::encode::{Animation, AnimationFormat, Outlines, write_picture};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Projection};
use crate::images::AtomicFile;
use crate::layer::{Blend, Fit, Frames, Layer, Size, Style, canvas_for, canvas_of, render_shaded};
use crate::parameter::Parameter;
use crate::raster::Aggregation;
use crate::source::{CoordinateSpace, Query};

/// Render a layer over time: an animated PNG or GIF, or a folder of frames.
///
/// Each frame shows the points of one time interval on a sheet with land, coasts and borders, the interval, a legend and
/// a scale bar. All frames
/// share one color scale, which ends at the hottest value of all frames, or at --vmax. Animated PNGs keep all colors
/// and play in every browser; GIFs also play in e-mails and slides; a folder of frames is for video encoders.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln animate trips --every 1d -o trips.png
  kiln animate quakes.geojson --every 6h --weight mag --radius 300km --bounds world --size 900 -o quakes.png
  kiln animate trips --every 1h --start 2024-05-01 --end 2024-05-02 -o frames/
  ffmpeg -framerate 4 -pattern_type glob -i 'frames/*.png' -vf 'pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white' -pix_fmt yuv420p \
    -movflags +faststart trips.mp4

Tables, and files of more than 2 million points, are read again for each frame. For large files, run `kiln import` first,
and animate the layer.")]
pub(super) struct Args {
    /// Name of a layer in the store, in kiln.toml or in its database; or files or a table, postgres://…, as in `kiln
    /// render`
    #[arg(required = true, value_name = "LAYER|INPUT")]
    inputs: Vec<String>,
    /// Time interval of a frame: 30m, 1h, 1d, 7d
    #[arg(short, long, value_name = "TIME")]
    every: TimeSpan,
    /// Output file, .png or .gif, or a folder for the frames
    #[arg(short, long, value_name = "FILE|DIR")]
    output: String,
    /// Display time of a frame in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = whole_number::<u16>(10..=60_000))]
    delay: u16,
    /// Bounds in degrees: west,south,east,north, or `world` [default: fitted to the points]
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bounds: Option<Bounds>,
    /// Width x height of the map in pixels, or the longer side [default: 800]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Title above the map [default: the layer's title]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Attribution line below the map [default: the layer's attribution]
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
    #[command(flatten)]
    outlines: OutlineArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    damage: DamageArgs,
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

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Animation(AnimationFormat),
    Folder,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let format = Format::of(&args.output)?;
    let every_us = i64::try_from(args.every.as_secs()).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    let every_us = every_us.ok_or_else(|| Error::invalid(Parameter::EVERY, "the interval is too long"))?;
    let ResolvedLayer { layer, query, remarks, .. } =
        ResolvedLayer::find(&args.inputs, &args.store, &args.rows, &args.damage)?;
    let style = args.style.resolve(&args.style.options().or(layer.style().clone()))?;
    let stop = AtomicBool::new(false);
    let query = args.rows.filtered(
        query
            .with_names(layer.query().columns.names)
            .with_coordinate_space(layer.coordinate_space())
            .with_weights(style.aggregation != Aggregation::Count && style.blend == Blend::Add)
            .with_stop(Some(&stop)),
    )?;
    let frames = Frames::of(&layer, &query, every_us)?;
    let projection =
        if layer.coordinate_space() == CoordinateSpace::Globe { Projection::Mercator } else { Projection::Plane };
    let size = args.size.unwrap_or(Size::Longest(800));
    let canvas = if let Some(bounds) = args.bounds {
        canvas_of(projection, bounds, size)?
    } else {
        layer.require_positions()?;
        canvas_for(projection, layer.extent(), size, &style, Fit::Padded)?
    };
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let outlines = args.outlines.draw(&canvas)?;
    let renderer = FrameRenderer { args, layer: &layer, query, frames, canvas, outlines, style, threads };
    let done = AtomicU64::new(0);
    // Each frame is scanned for the span before it is rendered.
    let total = 2 * frames.len() as u64;
    let work = || progress::with_frame_progress(args.quiet, &done, total, || renderer.write(format, &done));
    let (bytes, span) = run_cancellable(|| stop.store(true, Ordering::Relaxed), work).map_err(|error| match error {
        Error::Cancelled => Error::input(&args.output, "cancelled"),
        other => other,
    })?;
    if !args.quiet {
        print_notes(&remarks);
        let size = HumanBytes(bytes);
        let seconds = start.elapsed().as_secs_f64();
        let count = plural(frames.len() as u64, "frame");
        print_message(&format!("drew {count} of {}{span}, {size} in {seconds:.3} s: {}", layer.name(), args.output));
    }
    Ok(())
}

/// A renderer of frames.
struct FrameRenderer<'a> {
    args: &'a Args,
    layer: &'a Layer,
    query: Query<'a>,
    frames: Frames,
    canvas: Canvas,
    outlines: Option<Outlines>,
    style: Style,
    threads: usize,
}

impl FrameRenderer<'_> {
    /// Renders and writes all frames. Returns their size in bytes, and the span of their colors for the summary.
    fn write(&self, format: Format, done: &AtomicU64) -> Result<(u64, String)> {
        let Self { layer, query, canvas, style, threads, .. } = self;
        let count_frame = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        let span = self.frames.span(layer, query, canvas, style, *threads, count_frame)?;
        done.store(self.frames.len() as u64, Ordering::Relaxed);
        // Without values there are no colors, so that the span has no effect.
        let [vmin, vmax] = span.map_or([0.0, 1.0], |span| [span.vmin, span.vmax]);
        let style = match style.blend {
            Blend::Add => Style { vmin: Some(vmin), vmax: Some(vmax), ..style.clone() },
            Blend::Classic => style.clone(),
        };
        let unit = &self.unit(&style);
        let bytes = match format {
            Format::Animation(format) => self.animation(format, &style, unit, done)?,
            Format::Folder => self.folder(&style, unit, done)?,
        };
        let summary = span.map(|_| format!(", span {} to {} {unit}", short(vmin), short(vmax)));
        Ok((bytes, summary.unwrap_or_default()))
    }

    fn unit(&self, style: &Style) -> String {
        style.unit(self.canvas.projection(), self.layer.weight().filter(|_| self.query.columns.weights))
    }

    fn animation(&self, format: AnimationFormat, style: &Style, unit: &str, done: &AtomicU64) -> Result<u64> {
        let path = Path::new(&self.args.output);
        let write_error = |error: Error| error.for_path(path);
        let mut file = AtomicFile::create_output(path)?;
        let first = self.sheet(0, style, unit)?;
        let (width, height) = first.dimensions();
        let out = BufWriter::new(file.file());
        let mut animation = Animation::new(out, format, width, height, self.frames.len() as u32, self.args.delay)
            .map_err(write_error)?;
        animation.push(first).map_err(write_error)?;
        for frame in 1..self.frames.len() {
            done.fetch_add(1, Ordering::Relaxed);
            animation.push(self.sheet(frame, style, unit)?).map_err(write_error)?;
        }
        animation.finish().map_err(write_error)?;
        let bytes = file.file().metadata().map_err(|error| Error::io(path, "write", error))?.len();
        file.commit_durably()?;
        Ok(bytes)
    }

    fn folder(&self, style: &Style, unit: &str, done: &AtomicU64) -> Result<u64> {
        let folder = Path::new(&self.args.output);
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, "create", error))?;
        let mut bytes = 0;
        for frame in 0..self.frames.len() {
            let [start_us, _] = self.frames.at(frame);
            let path = folder.join(format!("{}.png", time(start_us).strftime("%Y%m%dT%H%M%SZ")));
            let write_error = |error| Error::io(&path, "write", error);
            // Frames that a killed process left behind are removed once.
            let create = if frame == 0 { AtomicFile::create_output } else { AtomicFile::create };
            let mut file = create(&path)?;
            write_picture(&self.sheet(frame, style, unit)?, BufWriter::new(file.file())).map_err(write_error)?;
            bytes += file.file().metadata().map_err(write_error)?.len();
            file.commit_durably()?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    /// Renders a frame on a sheet.
    fn sheet(&self, frame: usize, style: &Style, unit: &str) -> Result<RgbaImage> {
        let query = self.frames.query(frame, &self.query);
        let heat = render_shaded(&**self.layer.point_set(), &query, &self.canvas, style, None, self.threads)?;
        let Args { title, attribution, .. } = self.args;
        let title = title.as_deref().unwrap_or(self.layer.title());
        let attribution = attribution.as_deref().or(self.layer.attribution()).unwrap_or_default();
        let [start_us, end_us] = self.frames.at(frame);
        let interval = format_interval(start_us, end_us);
        RenderedPicture { heat: &heat, style, unit }.sheet(title, &interval, attribution, self.outlines.as_ref())
    }
}

impl Format {
    fn of(output: &str) -> Result<Self> {
        let is_folder = output.ends_with(['/', std::path::MAIN_SEPARATOR]) || Path::new(output).is_dir();
        let extension = Path::new(output).extension().map(|text| text.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            _ if is_folder => Ok(Self::Folder),
            None => Ok(Self::Folder),
            Some("png" | "apng") => Ok(Self::Animation(AnimationFormat::Png)),
            Some("gif") => Ok(Self::Animation(AnimationFormat::Gif)),
            Some(other) => {
                let detail = format!(
                    "unsupported format .{other}; expected .png or .gif for an animated picture, or a folder for frames"
                );
                Err(Error::invalid(Parameter::OUTPUT, detail))
            }
        }
    }
}

fn time(us: i64) -> jiff::Zoned {
    Timestamp::from_microsecond(us).unwrap_or_default().to_zoned(TimeZone::UTC)
}

/// Formats a time interval in UTC: whole days as dates, others to the minute, or to the second if necessary.
fn format_interval(start_us: i64, end_us: i64) -> String {
    const DAY_US: i64 = 86_400_000_000;
    let [start, end] = [start_us, end_us].map(time);
    let date = |time: &jiff::Zoned| time.strftime("%Y-%m-%d").to_string();
    if start_us % DAY_US == 0 && end_us % DAY_US == 0 {
        let last = time(end_us - DAY_US);
        return if end_us - start_us == DAY_US { date(&start) } else { format!("{} to {}", date(&start), date(&last)) };
    }
    let is_in_minutes = [start_us, end_us].iter().all(|us| us % 60_000_000 == 0);
    let clock = if is_in_minutes { "%H:%M" } else { "%H:%M:%S" };
    let from = format!("{} {}", date(&start), start.strftime(clock));
    let until = end.strftime(clock);
    if date(&start) == date(&end) {
        format!("{from} to {until} UTC")
    } else {
        format!("{from} to {} {until} UTC", date(&end))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_formatted_as_short_as_possible() {
        let us = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        for (start, end, text) in [
            ("2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z", "2024-05-01"),
            ("2024-05-01T00:00:00Z", "2024-05-08T00:00:00Z", "2024-05-01 to 2024-05-07"),
            ("2024-05-01T06:00:00Z", "2024-05-01T07:30:00Z", "2024-05-01 06:00 to 07:30 UTC"),
            ("2024-05-01T23:00:00Z", "2024-05-02T00:00:00Z", "2024-05-01 23:00 to 2024-05-02 00:00 UTC"),
            ("2024-05-01T06:00:05Z", "2024-05-01T06:00:10Z", "2024-05-01 06:00:05 to 06:00:10 UTC"),
        ] {
            assert_eq!(format_interval(us(start), us(end)), text);
        }
    }

    #[test]
    fn the_file_extension_selects_the_format() {
        for (name, format) in [
            ("a.PNG", Format::Animation(AnimationFormat::Png)),
            ("a.gif", Format::Animation(AnimationFormat::Gif)),
            ("frames", Format::Folder),
            ("v1.5/", Format::Folder),
        ] {
            assert_eq!(Format::of(name).unwrap(), format, "{name}");
        }
        assert!(Format::of("a.mp4").unwrap_err().to_string().contains("animated"));
    }
}
