//! A job: pictures that are rendered on a schedule.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::job_context::JobContext;
use super::output::{Output, Series};
use super::schedule::Schedule;
use super::subject::{JobPoints, Subject};
use super::window::Window;
use crate::color::Scheme;
use crate::encode::geotiff::{self, Band, GeoReference};
use crate::encode::png::{self, PngOptions};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent, Projection};
use crate::images::AtomicFile;
use crate::layer::{
    Blend, Fit, Heatmap, Layer, SchemeFolders, Size, Style, StyleOptions, canvas_for, canvas_of, render_shaded,
};
use crate::raster::Aggregation;
use crate::source::{CoordinateSpace, DamagedPoints, Query};

/// Pictures that are rendered on a schedule.
#[derive(Clone, Debug)]
pub struct Job {
    /// The name.
    pub name: String,
    /// The source of the points.
    pub subject: Subject,
    /// The schedule; `None` if the job runs only on request.
    pub schedule: Option<Schedule>,
    /// The places, at least one; a run renders one picture of each.
    pub places: Vec<Place>,
    /// The size of each picture.
    pub size: Size,
    /// The projection. Default: Mercator, or the plane for points on a plane.
    pub projection: Option<Projection>,
    /// The style. Options that are `None` are those of the layer.
    pub style: StyleOptions,
    /// The time window of the points.
    pub window: Window,
    /// The paths of the pictures.
    pub output: Output,
    /// The number of pictures that are kept of each place; `None`: all.
    pub keep: Option<u64>,
    /// Whether a copy of the newest picture is written under a fixed name.
    pub latest: bool,
    /// The number of retries after a failure.
    pub retries: u32,
    /// Whether pictures of a damaged layer are rendered without its damaged segments, rather than not at all.
    pub skip_damaged: bool,
}

/// Bounds that a job renders.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The name; empty if it is the only place.
    pub name: String,
    /// The bounds; `None`: those of all points.
    pub bounds: Option<Bounds>,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobReport {
    /// The paths of the written pictures.
    pub files: Vec<PathBuf>,
    /// The number of points drawn, summed over the pictures.
    pub points: u64,
    /// The number of old pictures removed.
    pub removed: u64,
    /// Remarks on the inputs, which mention parameters by their configuration keys.
    pub remarks: Vec<String>,
}

impl Job {
    /// Renders and writes the pictures that are due at `due`. Each is written atomically, so a failure keeps the
    /// previous picture. A failure at one place does not affect the others.
    ///
    /// # Errors
    /// The first error: the layer no longer exists, an input cannot be read, the style is invalid, or a picture cannot
    /// be written. [`Error::Cancelled`] once `stop` is set.
    pub fn run(&self, context: JobContext<'_>, due: Timestamp, stop: &AtomicBool) -> Result<JobReport> {
        let (start_us, end_us) = self.window.at(due);
        let window = Query::default().with_start(start_us).with_end(end_us).with_stop(Some(stop));
        let has_bounds = self.places.iter().all(|place| place.bounds.is_some());
        let JobPoints { layer, query, extent, remarks } =
            self.subject.points(&self.name, &window, has_bounds, context, stop)?;
        let mut report = JobReport { remarks, ..JobReport::default() };
        report.remarks.extend(self.check_damage(&layer)?);
        let mut first_error = None;
        for place in &self.places {
            let rendered = self.render(context, &layer, &query, &extent, place);
            match rendered.and_then(|(heat, unit)| self.save(&heat, &unit, place, due, context.threads, &mut report)) {
                Ok(()) => {}
                Err(Error::Cancelled) if stop.load(Ordering::Relaxed) => return Err(Error::Cancelled),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        first_error.map_or(Ok(report), Err)
    }

    /// Checks the job as far as possible without reading its inputs.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an invalid key.
    pub fn check(&self, context: JobContext<'_>) -> Result<()> {
        let base = self.subject.check(&self.name, self.projection, context)?;
        resolve_style(&self.style.clone().or(base), context).map(drop)
    }

    /// The series of pictures, one per place.
    pub fn series(&self) -> impl Iterator<Item = Series> {
        self.places.iter().map(|place| self.output.series(&self.name, &place.name))
    }

    /// Checks that a layer is intact, or returns the remark on what is left out of its pictures.
    ///
    /// # Errors
    /// [`Error::Input`] if the layer is damaged, unless the job skips damaged segments.
    fn check_damage(&self, layer: &Layer) -> Result<Option<String>> {
        let Some(DamagedPoints { segments, reasons, .. }) = layer.damage() else { return Ok(None) };
        let plural = if segments == 1 { "segment" } else { "segments" };
        let first = reasons.into_iter().next().unwrap_or_default();
        let found = format!("{segments} damaged {plural}, such as {first}");
        if self.skip_damaged {
            if layer.parent().map_or(layer.points(), |parent| parent.points()) == 0 {
                let detail = format!("no points are left without {found}; the previous pictures are kept");
                return Err(Error::input(layer.name(), detail));
            }
            return Ok(Some(format!("the pictures of `{}` leave out {found}", layer.name())));
        }
        let detail = format!("{found}; restore the files, or set skip_damaged to leave them out");
        Err(Error::input(layer.name(), detail))
    }

    /// Renders the picture of a place, and returns the unit of its values.
    fn render(
        &self,
        context: JobContext<'_>,
        layer: &Layer,
        query: &Query<'_>,
        extent: &Extent,
        place: &Place,
    ) -> Result<(Heatmap, String)> {
        let style = resolve_style(&self.style.clone().or(layer.style().clone()), context)?;
        let is_globe = layer.coordinate_space().wraps();
        let default = if is_globe { Projection::Mercator } else { Projection::Plane };
        let projection = self.projection.unwrap_or(default);
        let canvas: Canvas = match place.bounds {
            Some(bounds) => canvas_of(projection, bounds, self.size)?,
            None => canvas_for(projection, extent, self.size, &style, Fit::Padded)?,
        };
        let style = if self.output.is_png() { style } else { style.for_geotiff() };
        let query = query
            .clone()
            .with_coordinate_space(if is_globe { CoordinateSpace::Globe } else { CoordinateSpace::Plane })
            .with_weights(style.aggregation != Aggregation::Count && style.blend == Blend::Add);
        let shading = layer.shading(&query, &canvas, &style, context.threads)?;
        let points = &**layer.point_set();
        let heat = render_shaded(points, &query, &canvas, &style, shading.as_deref(), context.threads)?;
        Ok((heat, style.unit(projection, layer.weight().filter(|_| query.columns.weights))))
    }

    /// Writes a picture, and removes the oldest pictures beyond the limit.
    fn save(
        &self,
        heat: &Heatmap,
        unit: &str,
        place: &Place,
        due: Timestamp,
        threads: usize,
        report: &mut JobReport,
    ) -> Result<()> {
        let series = self.output.series(&self.name, &place.name);
        let bytes = self.encode(heat, unit, threads)?;
        let path = series.path_of(due);
        write(&path, &bytes)?;
        if self.latest {
            write(&series.latest(), &bytes)?;
        }
        report.files.push(path);
        report.points += heat.drawn;
        if let Some(keep) = self.keep {
            report.removed += series.prune(keep)?;
        }
        Ok(())
    }

    fn encode(&self, heat: &Heatmap, unit: &str, threads: usize) -> Result<Vec<u8>> {
        let colors = heat.palette.colors();
        let mut bytes = Vec::new();
        if self.output.is_png() {
            png::write_indexed(&mut bytes, &heat.indices, colors, PngOptions::default())?;
            return Ok(bytes);
        }
        let reference = GeoReference::of(&heat.canvas);
        let mut file = Cursor::new(bytes);
        match &heat.values {
            Some(values) => {
                let nodata = if values.quantizer.is_amount() { None } else { Some(f32::NAN) };
                let band = Band { name: &values.aggregation.to_string(), unit, nodata };
                geotiff::write_density(&mut file, &values.density, &band, &reference, threads)?;
            }
            None => geotiff::write_colors(&mut file, &heat.indices, colors, &reference, threads)?,
        }
        Ok(file.into_inner())
    }
}

/// Builds the style of `options`, with the schemes from the context's folders.
fn resolve_style(options: &StyleOptions, context: JobContext<'_>) -> Result<Style> {
    let find = |name: &str| -> Result<Scheme> { SchemeFolders::open(context.scheme_folders)?.find(name) };
    options.resolve(find)
}

/// Atomically writes a file, and creates its folder if it does not exist.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, "create", error))?;
    }
    let mut file = AtomicFile::create_output(path)?;
    file.file().write_all(bytes).map_err(|error| Error::io(path, "write", error))?;
    file.commit_durably()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::{Catalog, LayerSpec};

    impl Job {
        /// A job that renders a layer `spots`.
        pub(in crate::jobs) fn example() -> Self {
            Self {
                name: "example".into(),
                subject: Subject::Layer("spots".into()),
                schedule: None,
                places: vec![Place { name: String::new(), bounds: Some(Bounds::new(0.0, 0.0, 10.0, 10.0).unwrap()) }],
                size: Size::Longest(64),
                projection: None,
                style: StyleOptions::default(),
                window: Window::All,
                output: Output::new("{time}.png").unwrap(),
                keep: None,
                latest: false,
                retries: 0,
                skip_damaged: false,
            }
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn catalog(folder: &Path) -> Catalog {
        let path = folder.join("spots.csv");
        fs::write(&path, "lon,lat,time\n5,5,1970-01-01T00:10:00Z\n6,5,1970-01-01T01:10:00Z\n").unwrap();
        let inputs = vec![path.to_str().unwrap().to_owned()];
        let spec = LayerSpec { name: "spots".into(), inputs, ..LayerSpec::default() };
        Catalog::new([Layer::open(spec).unwrap()])
    }

    fn context(catalog: &Catalog) -> JobContext<'_> {
        JobContext { catalog, database: None, scheme_folders: &[], threads: 1 }
    }

    fn output(folder: &Path, name: &str) -> Output {
        Output::new(folder.join(name).to_str().unwrap()).unwrap()
    }

    fn run(job: &Job, catalog: &Catalog, second: i64) -> Result<JobReport> {
        job.run(context(catalog), at(second), &AtomicBool::new(false))
    }

    #[test]
    fn a_run_writes_a_picture_and_its_copy_and_removes_the_oldest_picture() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = catalog(folder.path());
        let output = output(folder.path(), "out/{job}/{time}.png");
        let job = Job { output, keep: Some(2), latest: true, window: Window::LastSeconds(3600), ..Job::example() };
        job.check(context(&catalog)).unwrap();
        let pictures = folder.path().join("out/example");
        let mut drawn = Vec::new();
        for second in [3600, 7200, 10_800, 14_400] {
            let done = run(&job, &catalog, second).unwrap();
            drawn.push(done.points);
            assert_eq!(fs::read(&done.files[0]).unwrap(), fs::read(pictures.join("latest.png")).unwrap());
        }
        assert_eq!(drawn, [1, 1, 0, 0]);
        let mut names: Vec<_> = fs::read_dir(pictures).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["19700101T030000Z.png", "19700101T040000Z.png", "latest.png"]);
    }

    #[test]
    fn inputs_are_read_again_for_each_run_and_the_window_does_not_change_the_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let none = Catalog::new([]);
        let path = folder.path().join("a.csv");
        let spec = LayerSpec { inputs: vec![path.to_str().unwrap().to_owned()], ..LayerSpec::default() };
        let job = Job {
            subject: Subject::Inputs(Box::new(spec)),
            places: vec![Place { name: String::new(), bounds: None }],
            output: output(folder.path(), "{time}.tif"),
            window: Window::LastSeconds(1000),
            ..Job::example()
        };
        assert!(run(&job, &none, 600).is_err());
        fs::write(&path, "lon,lat,time\n5,5,1970-01-01T00:08:20Z\n").unwrap();
        assert_eq!(run(&job, &none, 600).unwrap().points, 1);
        fs::write(
            &path,
            "lon,lat,time\n5,5,1970-01-01T00:08:20Z\n6,5,1970-01-01T01:06:40Z\n7,5,1970-01-01T01:06:41Z\n",
        )
        .unwrap();
        assert_eq!(run(&job, &none, 600).unwrap().points, 1);
        let both = run(&job, &none, 4500).unwrap();
        assert_eq!((both.points, both.files.len()), (2, 1));
        assert_eq!(run(&job, &none, 9000).unwrap().points, 0);
    }

    #[test]
    fn a_failure_keeps_the_previous_picture() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = catalog(folder.path());
        let good = Job { output: output(folder.path(), "out.png"), ..Job::example() };
        run(&good, &catalog, 0).unwrap();
        let before = fs::read(folder.path().join("out.png")).unwrap();
        let gone = Job { subject: Subject::Layer("gone".into()), ..good.clone() };
        assert!(run(&gone, &catalog, 0).unwrap_err().to_string().contains("no longer exists"));
        let message = gone.check(context(&catalog)).unwrap_err().to_string();
        assert_eq!(message, "layer: there is no layer `gone`; the layers are spots");
        let stopped = good.run(context(&catalog), at(0), &AtomicBool::new(true));
        assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
        assert_eq!(fs::read(folder.path().join("out.png")).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file remains");
    }

    #[test]
    fn a_place_that_fails_does_not_stop_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = catalog(folder.path());
        // A file has the name of the folder of the first place.
        fs::write(folder.path().join("a"), "").unwrap();
        let place = |name: &str| Place { name: name.into(), ..Job::example().places[0].clone() };
        let output = output(folder.path(), "{place}/{time}.png");
        let job = Job { places: vec![place("a"), place("b")], output, ..Job::example() };
        assert_eq!(job.series().count(), 2);
        assert!(run(&job, &catalog, 0).unwrap_err().to_string().contains("cannot create"));
        assert!(folder.path().join("b/19700101T000000Z.png").exists());
    }
}
