//! `kiln animate`: a layer through time, as one moving picture or as many.

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

use super::rows::RowArgs;
use super::sheet::RenderedPicture;
use super::signals::stoppable;
use super::store::StoreArgs;
use super::style::StyleArgs;
use super::subject::Subject;
use super::summary::{plural, short};
use super::{note, progress, say};
use crate::config::TimeSpan;
use crate::encode::{Animation, AnimationFormat, write_picture};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Projection};
use crate::images::AtomicFile;
use crate::layer::{Blend, Fit, Frames, Layer, Size, Style, Unit, canvas_for, canvas_of, render_shaded};
use crate::parameter::Parameter;
use crate::raster::Aggregation;
use crate::source::{CoordinateSpace, Query};

/// Draw a layer through time: an animated PNG or GIF, or a folder of frames.
///
/// Each frame shows the points of one stretch of time on a sheet with that time, a legend and a scale bar. The colors mean the
/// same in all of them: the hottest is that of the hottest frame, unless --vmax says otherwise. Every browser plays animated
/// PNGs, and has every color right; GIFs move in letters and slides too; a folder of frames is for video programs.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln animate trips --every 1d -o trips.png
  kiln animate quakes.geojson --every 6h --weight mag --radius 300km --bounds world --size 900 -o quakes.png
  kiln animate trips --every 1h --start 2024-05-01 --end 2024-05-02 -o frames/
  ffmpeg -framerate 4 -pattern_type glob -i 'frames/*.png' trips.mp4

Files and tables are read anew for each frame: `kiln import` large ones first, and animate the layer.")]
pub(super) struct Args {
    /// The layer, of the store, of kiln.toml or of its database; or files or a table, postgres://…, as `kiln render` reads them
    #[arg(required = true, value_name = "LAYER|INPUT")]
    subject: Vec<String>,
    /// How long a frame's stretch of time is: 30m, 1h, 1d, 7d
    #[arg(short, long, value_name = "TIME")]
    every: TimeSpan,
    /// The .png or .gif to write, or a folder for the frames
    #[arg(short, long, value_name = "FILE|DIR")]
    output: String,
    /// How long each frame is shown, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u16).range(10..=60_000))]
    delay: u16,
    /// Bounds in degrees: west,south,east,north, or `world` [default: what fits the points]
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bounds: Option<Bounds>,
    /// Width x height of the map in pixels, or the longer side [default: 800]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// A title above the map [default: the layer's]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Whom to thank, beneath it [default: the layer's]
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
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

/// Where the frames go.
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
    let every_us = every_us.ok_or_else(|| Error::invalid(Parameter::EVERY, "it is too long"))?;
    let Subject { layer, query, remarks } = Subject::find(&args.subject, &args.store, &args.rows)?;
    let style = args.style.resolve(&args.style.options().or(layer.style().clone()))?;
    let stop = AtomicBool::new(false);
    let query = args.rows.filtered(
        query
            .with_names(layer.query().columns.names)
            .with_coordinate_space(layer.coordinate_space())
            .with_weights(style.aggregation != Aggregation::Count && style.blend == Blend::Add)
            .with_stop(Some(&stop)),
    );
    let frames = Frames::of(&layer, &query, every_us)?;
    let projection =
        if layer.coordinate_space() == CoordinateSpace::Globe { Projection::Mercator } else { Projection::Plane };
    let size = args.size.unwrap_or(Size::Longest(800));
    let canvas = match args.bounds {
        Some(bounds) => canvas_of(projection, bounds, size)?,
        None => canvas_for(projection, layer.extent(), size, &style, Fit::Padded)?,
    };
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let style = style.per_pixel(&canvas);
    let film = Film { args, layer: &layer, query, frames, canvas, style, threads };
    let done = AtomicU64::new(0);
    // Each is looked at for the span before it is drawn.
    let total = 2 * frames.len() as u64;
    let work = || progress::shown_frames(args.quiet, &done, total, || film.write(format, &done));
    let (bytes, span) = stoppable(|| stop.store(true, Ordering::Relaxed), work).map_err(|error| match error {
        Error::Cancelled => Error::input(&args.output, "stopped"),
        other => other,
    })?;
    if !args.quiet {
        note(&remarks);
        let size = HumanBytes(bytes);
        let seconds = start.elapsed().as_secs_f64();
        let count = plural(frames.len() as u64, "frame");
        say(&format!("drew {count} of {}{span}, {size} in {seconds:.3} s: {}", layer.name(), args.output));
    }
    Ok(())
}

/// What is drawn.
struct Film<'a> {
    args: &'a Args,
    layer: &'a Layer,
    query: Query<'a>,
    frames: Frames,
    canvas: Canvas,
    style: Style,
    threads: usize,
}

impl Film<'_> {
    /// Draws and writes all frames, and answers how many bytes they take, and what their colors span.
    fn write(&self, format: Format, done: &AtomicU64) -> Result<(u64, String)> {
        let Self { layer, query, canvas, style, threads, .. } = self;
        let step = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        let span = self.frames.span(layer, query, canvas, style, *threads, step)?;
        done.store(self.frames.len() as u64, Ordering::Relaxed);
        // Without any value there is no color either, so that any span will do.
        let [vmin, vmax] = span.map_or([0.0, 1.0], |span| [span.vmin, span.vmax]);
        let style = match style.blend {
            Blend::Add => Style { vmin: Some(vmin), vmax: Some(vmax), ..style.clone() },
            Blend::Classic => style.clone(),
        };
        let unit = self.unit(&style);
        let bytes = match format {
            Format::Animation(format) => self.animation(format, &style, &unit, done)?,
            Format::Folder => self.folder(&style, &unit, done)?,
        };
        let told = span
            .map(|_| format!(", span {} to {} {}", short(vmin * unit.factor), short(vmax * unit.factor), unit.name));
        Ok((bytes, told.unwrap_or_default()))
    }

    fn unit(&self, style: &Style) -> Unit {
        Unit::of(&self.canvas, style, self.layer.weight().filter(|_| self.query.columns.weights))
    }

    fn animation(&self, format: AnimationFormat, style: &Style, unit: &Unit, done: &AtomicU64) -> Result<u64> {
        let path = Path::new(&self.args.output);
        let refused = |error: Error| error.for_path(path);
        let mut file = AtomicFile::create(path)?;
        let first = self.sheet(0, style, unit)?;
        let (width, height) = first.dimensions();
        let out = BufWriter::new(file.file());
        let mut animation =
            Animation::new(out, format, width, height, self.frames.len() as u32, self.args.delay).map_err(refused)?;
        animation.push(first).map_err(refused)?;
        for frame in 1..self.frames.len() {
            done.fetch_add(1, Ordering::Relaxed);
            animation.push(self.sheet(frame, style, unit)?).map_err(refused)?;
        }
        animation.finish().map_err(refused)?;
        let bytes = file.file().metadata().map_err(|error| Error::io(path, "write", error))?.len();
        file.commit_durably()?;
        Ok(bytes)
    }

    fn folder(&self, style: &Style, unit: &Unit, done: &AtomicU64) -> Result<u64> {
        let folder = Path::new(&self.args.output);
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, "create", error))?;
        let mut bytes = 0;
        for frame in 0..self.frames.len() {
            let [start_us, _] = self.frames.at(frame);
            let path = folder.join(format!("{}.png", time(start_us).strftime("%Y%m%dT%H%M%SZ")));
            let refused = |error| Error::io(&path, "write", error);
            let mut file = AtomicFile::create(&path)?;
            write_picture(&self.sheet(frame, style, unit)?, BufWriter::new(file.file())).map_err(refused)?;
            bytes += file.file().metadata().map_err(refused)?.len();
            file.commit()?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    /// A frame on its sheet.
    fn sheet(&self, frame: usize, style: &Style, unit: &Unit) -> Result<RgbaImage> {
        let query = self.frames.query(frame, &self.query);
        let heat = render_shaded(&**self.layer.point_set(), &query, &self.canvas, style, None, self.threads)?;
        let Args { title, attribution, .. } = self.args;
        let title = title.as_deref().unwrap_or(self.layer.title());
        let attribution = attribution.as_deref().or(self.layer.attribution()).unwrap_or_default();
        let [start_us, end_us] = self.frames.at(frame);
        RenderedPicture { heat: &heat, style, unit }.sheet(title, &stretch(start_us, end_us), attribution)
    }
}

impl Format {
    fn of(output: &str) -> Result<Self> {
        let is_folder = output.ends_with(['/', std::path::MAIN_SEPARATOR]) || Path::new(output).is_dir();
        let ending = Path::new(output).extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            _ if is_folder => Ok(Self::Folder),
            None => Ok(Self::Folder),
            Some("png" | "apng") => Ok(Self::Animation(AnimationFormat::Png)),
            Some("gif") => Ok(Self::Animation(AnimationFormat::Gif)),
            Some(other) => {
                let why = format!(
                    "no .{other} can be written: name a .png or a .gif, which will be animated, or a folder for frames"
                );
                Err(Error::invalid(Parameter::OUTPUT, why))
            }
        }
    }
}

fn time(us: i64) -> jiff::Zoned {
    Timestamp::from_microsecond(us).unwrap_or_default().to_zoned(TimeZone::UTC)
}

/// A stretch of time for people, in UTC: whole days by their dates, others to the minute, or to the second where they need it.
fn stretch(start_us: i64, end_us: i64) -> String {
    const DAY_US: i64 = 86_400_000_000;
    let [start, end] = [start_us, end_us].map(time);
    let date = |time: &jiff::Zoned| time.strftime("%Y-%m-%d").to_string();
    if start_us % DAY_US == 0 && end_us % DAY_US == 0 {
        let last = time(end_us - DAY_US);
        return if end_us - start_us == DAY_US { date(&start) } else { format!("{} to {}", date(&start), date(&last)) };
    }
    let is_whole = [start_us, end_us].iter().all(|us| us % 60_000_000 == 0);
    let clock = if is_whole { "%H:%M" } else { "%H:%M:%S" };
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
    fn stretches_of_time_are_told_as_short_as_they_can_be() {
        let us = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        for (start, end, told) in [
            ("2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z", "2024-05-01"),
            ("2024-05-01T00:00:00Z", "2024-05-08T00:00:00Z", "2024-05-01 to 2024-05-07"),
            ("2024-05-01T06:00:00Z", "2024-05-01T07:30:00Z", "2024-05-01 06:00 to 07:30 UTC"),
            ("2024-05-01T23:00:00Z", "2024-05-02T00:00:00Z", "2024-05-01 23:00 to 2024-05-02 00:00 UTC"),
            ("2024-05-01T06:00:05Z", "2024-05-01T06:00:10Z", "2024-05-01 06:00:05 to 06:00:10 UTC"),
        ] {
            assert_eq!(stretch(us(start), us(end)), told);
        }
    }

    #[test]
    fn names_stand_for_formats() {
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
