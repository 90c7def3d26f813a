//! A job: what it draws.

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
use crate::encode::geotiff::{self, GeoReference};
use crate::encode::png::{self, PngOptions};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent, Projection};
use crate::images::AtomicFile;
use crate::layer::{
    Blend, Fit, Heatmap, Layer, SchemeFolders, Size, Style, StyleOptions, canvas_for, canvas_of, render_shaded,
};
use crate::raster::Aggregation;
use crate::source::{CoordinateSpace, Query};

/// What is drawn again and again.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// The points.
    pub subject: Subject,
    /// When it is due; never by itself, if `None`.
    pub schedule: Option<Schedule>,
    /// The ground of its pictures, at least one.
    pub places: Vec<Place>,
    /// How many pixels each picture has.
    pub size: Size,
    /// How the ground is laid flat; as usual for the points, if `None`.
    pub projection: Option<Projection>,
    /// How the points are drawn; what it leaves open is the layer's own.
    pub style: StyleOptions,
    /// Which points, by their times.
    pub window: Window,
    /// Where the pictures are put.
    pub output: Output,
    /// How many pictures of each place stay; all of them, if `None`.
    pub keep: Option<u64>,
    /// Whether there is a copy of the newest picture under a name that stays the same.
    pub latest: bool,
    /// How often it is tried again after it failed.
    pub retries: u32,
}

/// Bounds that a job renders.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its name; empty where there is only one.
    pub name: String,
    /// The ground; that of all points, if `None`.
    pub bounds: Option<Bounds>,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobReport {
    /// The pictures that were written.
    pub files: Vec<PathBuf>,
    /// How many points reach into them, added up.
    pub points: u64,
    /// How many old pictures were removed.
    pub removed: u64,
    /// Remarks on inputs that were read for the run, with keys of the configuration.
    pub remarks: Vec<String>,
}

impl Job {
    /// Draws the pictures that are due at `due`. Each is put in its place when it is whole: whatever fails, the one before stays.
    /// Where one place fails, the others are drawn all the same.
    ///
    /// # Errors
    /// The first that occurred: the layer is gone, an input cannot be read, the style does not fit, or a picture cannot be
    /// written. [`Error::Cancelled`] once `stop` says so.
    pub fn run(&self, context: JobContext<'_>, due: Timestamp, stop: &AtomicBool) -> Result<JobReport> {
        let (start_us, end_us) = self.window.at(due);
        let window = Query::default().with_start(start_us).with_end(end_us).with_stop(Some(stop));
        let is_framed = self.places.iter().all(|place| place.bounds.is_some());
        let JobPoints { layer, query, extent, remarks } =
            self.subject.points(&self.name, &window, is_framed, context, stop)?;
        let mut report = JobReport { remarks, ..JobReport::default() };
        let mut first_error = None;
        for place in &self.places {
            let drawn = self.draw(context, &layer, &query, &extent, place);
            match drawn.and_then(|heat| self.put(&heat, place, due, context.threads, &mut report)) {
                Ok(()) => {}
                Err(Error::Cancelled) if stop.load(Ordering::Relaxed) => return Err(Error::Cancelled),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        first_error.map_or(Ok(report), Err)
    }

    /// Makes sure that the job can be done, as far as that can be seen without reading its inputs.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the key at fault.
    pub fn check(&self, context: JobContext<'_>) -> Result<()> {
        let usual = self.subject.check(&self.name, self.projection, context)?;
        resolved(&self.style.clone().or(usual), context).map(drop)
    }

    /// The pictures of its places.
    pub fn series(&self) -> impl Iterator<Item = Series> {
        self.places.iter().map(|place| self.output.series(&self.name, &place.name))
    }

    fn draw(
        &self,
        context: JobContext<'_>,
        layer: &Layer,
        query: &Query<'_>,
        extent: &Extent,
        place: &Place,
    ) -> Result<Heatmap> {
        let style = resolved(&self.style.clone().or(layer.style().clone()), context)?;
        let is_globe = layer.coordinate_space().wraps();
        let usual = if is_globe { Projection::Mercator } else { Projection::Plane };
        let projection = self.projection.unwrap_or(usual);
        let canvas: Canvas = match place.bounds {
            Some(bounds) => canvas_of(projection, bounds, self.size)?,
            None => canvas_for(projection, extent, self.size, &style, Fit::Padded)?,
        };
        let style = style.per_pixel(&canvas);
        let query = query
            .clone()
            .with_coordinate_space(if is_globe { CoordinateSpace::Globe } else { CoordinateSpace::Plane })
            .with_weights(style.aggregation != Aggregation::Count && style.blend == Blend::Add);
        let shading = layer.shading(&query, &canvas, &style, context.threads)?;
        render_shaded(&**layer.point_set(), &query, &canvas, &style, shading.as_deref(), context.threads)
    }

    /// Writes a picture, and removes those that are too many.
    fn put(&self, heat: &Heatmap, place: &Place, due: Timestamp, threads: usize, report: &mut JobReport) -> Result<()> {
        let series = self.output.series(&self.name, &place.name);
        let bytes = self.encoded(heat, threads)?;
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

    fn encoded(&self, heat: &Heatmap, threads: usize) -> Result<Vec<u8>> {
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
                geotiff::write_density(&mut file, &values.density, nodata, &reference, threads)?;
            }
            None => geotiff::write_colors(&mut file, &heat.indices, colors, &reference, threads)?,
        }
        Ok(file.into_inner())
    }
}

/// The style of some options, with the colors from the context's scheme folders.
fn resolved(options: &StyleOptions, context: JobContext<'_>) -> Result<Style> {
    let find = |name: &str| -> Result<Scheme> { SchemeFolders::open(context.scheme_folders)?.find(name) };
    options.resolve(find)
}

/// Writes a file, whole or not at all, in a folder that is made if it is not there.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, "create", error))?;
    }
    let mut file = AtomicFile::create(path)?;
    file.file().write_all(bytes).map_err(|error| Error::io(path, "write", error))?;
    file.commit_durably()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::{Catalog, LayerSpec};

    impl Job {
        /// A job that draws a layer `spots`.
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
            }
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn catalog(home: &Path) -> Catalog {
        let path = home.join("spots.csv");
        fs::write(&path, "lon,lat,time\n5,5,1970-01-01T00:10:00Z\n6,5,1970-01-01T01:10:00Z\n").unwrap();
        let inputs = vec![path.to_str().unwrap().to_owned()];
        let spec = LayerSpec { name: "spots".into(), inputs, ..LayerSpec::default() };
        Catalog::new([Layer::open(spec).unwrap()])
    }

    fn context(catalog: &Catalog) -> JobContext<'_> {
        JobContext { catalog, database: None, scheme_folders: &[], threads: 1 }
    }

    fn output(home: &Path, name: &str) -> Output {
        Output::new(home.join(name).to_str().unwrap()).unwrap()
    }

    fn run(job: &Job, catalog: &Catalog, second: i64) -> Result<JobReport> {
        job.run(context(catalog), at(second), &AtomicBool::new(false))
    }

    #[test]
    fn a_run_writes_a_picture_and_the_latest_and_removes_the_oldest() {
        let home = tempfile::tempdir().unwrap();
        let catalog = catalog(home.path());
        let output = output(home.path(), "out/{job}/{time}.png");
        let job = Job { output, keep: Some(2), latest: true, window: Window::LastSeconds(3600), ..Job::example() };
        job.check(context(&catalog)).unwrap();
        let folder = home.path().join("out/example");
        let mut drawn = Vec::new();
        for second in [3600, 7200, 10_800, 14_400] {
            let done = run(&job, &catalog, second).unwrap();
            drawn.push(done.points);
            assert_eq!(fs::read(&done.files[0]).unwrap(), fs::read(folder.join("latest.png")).unwrap());
        }
        assert_eq!(drawn, [1, 1, 0, 0]);
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["19700101T030000Z.png", "19700101T040000Z.png", "latest.png"]);
    }

    #[test]
    fn inputs_are_read_anew_and_every_picture_shows_the_same_ground() {
        let home = tempfile::tempdir().unwrap();
        let none = Catalog::new([]);
        let path = home.path().join("a.csv");
        let spec = LayerSpec { inputs: vec![path.to_str().unwrap().to_owned()], ..LayerSpec::default() };
        let job = Job {
            subject: Subject::Inputs(Box::new(spec)),
            places: vec![Place { name: String::new(), bounds: None }],
            output: output(home.path(), "{time}.tif"),
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
    fn whatever_fails_the_last_good_picture_stays() {
        let home = tempfile::tempdir().unwrap();
        let catalog = catalog(home.path());
        let good = Job { output: output(home.path(), "out.png"), ..Job::example() };
        run(&good, &catalog, 0).unwrap();
        let before = fs::read(home.path().join("out.png")).unwrap();
        let gone = Job { subject: Subject::Layer("gone".into()), ..good.clone() };
        assert!(run(&gone, &catalog, 0).unwrap_err().to_string().contains("no such layer"));
        let why = gone.check(context(&catalog)).unwrap_err().to_string();
        assert!(why.starts_with("layer: there is no layer `gone`; ") && why.ends_with("there are spots"), "{why}");
        let stopped = good.run(context(&catalog), at(0), &AtomicBool::new(true));
        assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
        assert_eq!(fs::read(home.path().join("out.png")).unwrap(), before);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "nothing half is left");
    }

    #[test]
    fn a_place_that_fails_does_not_stop_the_others() {
        let home = tempfile::tempdir().unwrap();
        let catalog = catalog(home.path());
        // A file is where the folder of the first place would be.
        fs::write(home.path().join("a"), "").unwrap();
        let place = |name: &str| Place { name: name.into(), ..Job::example().places[0].clone() };
        let output = output(home.path(), "{place}/{time}.png");
        let job = Job { places: vec![place("a"), place("b")], output, ..Job::example() };
        assert_eq!(job.series().count(), 2);
        assert!(run(&job, &catalog, 0).unwrap_err().to_string().contains("cannot create"));
        assert!(home.path().join("b/19700101T000000Z.png").exists());
    }
}
