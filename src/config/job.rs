//! `[[jobs]]`: images that are rendered on a schedule.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use super::origin::Fault;
use super::quantity::optional_scalar;
use super::sections::{ProjectionName, with_defaults};
use super::style::parts;
use super::{ReadConfig, StyleConfig, TimeSpan};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Projection};
use crate::jobs::{Job, Output, Place, Schedule, Subject, Window};
use crate::layer::LayerSpec;
use crate::parameter::Parameter;
use crate::postgis::TableSpec;
use crate::source::{Columns, CoordinateSpace, parse_time_us};

with_defaults! {
    /// A job: images that are rendered on a schedule.
    #[schemars(title = "a job")]
    pub struct JobConfig {
        /// Name of the job.
        #[schemars(extend("format" = "name"))]
        pub name: String,
        /// Layer to render.
        #[schemars(extend("format" = "layer"))]
        pub layer: Option<String>,
        /// Instead of a layer, files with points that are read for each run, relative to this file, or the URL of a
        /// database with its table.
        #[serde(rename = "input", skip_serializing_if = "<[String]>::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub inputs: Inputs,
        /// Instead of a layer, an SQL query of the database whose rows are the points.
        pub query: Option<String>,
        /// Longitude or x column of an input.
        pub lon: Option<String>,
        /// Latitude or y column of an input.
        pub lat: Option<String>,
        /// Geometry column of a query, or of an input instead of lon and lat.
        pub geometry: Option<String>,
        /// Weight column of an input or a query, or none.
        pub weight: Option<String>,
        /// Time column of an input or a query, or none.
        pub time: Option<String>,
        /// Options for reading inputs.
        #[serde(flatten)]
        pub read: ReadConfig,
        /// Cron pattern of five fields: minute, hour, day, month, day of the week. If it is missing, the job runs on
        /// request.
        pub schedule: Option<String>,
        /// Time zone of the schedule. If it is missing, UTC.
        pub timezone: Option<String>,
        /// Bounds of the image. If they are missing, those of the points.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "array"], "items" = { "type": "number" }, "format" = "bounds"))]
        pub bounds: Option<String>,
        /// Several places, each a table of name and bounds. Each run renders one image of each.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(!skip_serializing_if, extend("minItems" = 1, "format" = "places"))]
        pub places: Vec<PlaceConfig>,
        /// Size of an image. If it is missing, 1024.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "integer"], "format" = "pixels"))]
        pub size: Option<String>,
        /// Projection of the image. If it is missing, mercator, or plane for points on a plane.
        #[schemars(with = "Option<ProjectionName>")]
        pub projection: Option<String>,
        /// Parameters of the style, such as { scheme = "fire", radius = 12 }. The other parameters are those of the
        /// layer.
        #[serde(skip_serializing_if = "StyleConfig::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub style: StyleConfig,
        /// Time window of the points before each run, such as last 24h.
        pub window: Option<String>,
        /// Only points at or after this time.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "integer"], "format" = "time"))]
        pub start: Option<String>,
        /// Only points before this time.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "integer"], "format" = "time"))]
        pub end: Option<String>,
        /// Path of the images relative to this file, with the placeholders {job}, {place} and {time}, such as
        /// imgs/{job}/{time}.png.
        pub output: String,
        /// Number of images of each place to keep. If it is missing, all.
        #[schemars(range(min = 1, max = 100_000_000))]
        pub keep: Option<u64>,
        /// Whether the newest image is also saved with `latest` instead of {time} in its name.
        pub latest: bool,
        /// Number of retries of a failed run.
        #[schemars(range(min = 0, max = 100))]
        pub retries: u32 = 2,
        /// Whether images of a damaged layer are rendered without its damaged segments. Otherwise the run fails, and the
        /// previous images are kept.
        pub skip_damaged: bool,
    }

    /// A place: the bounds of an image.
    #[schemars(title = "a place")]
    pub struct PlaceConfig {
        /// Name of the place.
        #[schemars(extend("format" = "name"))]
        pub name: String,
        /// Bounds of the image.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "array"], "items" = { "type": "number" }, "format" = "bounds"))]
        pub bounds: Option<String>,
    }
}

impl JobConfig {
    /// Builds the job.
    ///
    /// # Errors
    /// [`Error::Config`] for the first invalid key.
    pub fn job(&self) -> Result<Job> {
        let error = |fault: Fault| Error::config(format!("jobs.{}.{}", self.name, fault.path), fault.message);
        self.read().map_err(error)
    }

    /// Converts paths relative to `folder` to paths relative to the working directory.
    pub(super) fn move_to(&mut self, folder: &Path) -> Result<()> {
        for path in self.inputs.files_mut().chain([&mut self.output]) {
            *path = folder
                .join(&*path)
                .into_os_string()
                .into_string()
                .map_err(|path| Error::config(path.display().to_string(), "the path is not valid UTF-8"))?;
        }
        Ok(())
    }

    fn read(&self) -> Result<Job, Fault> {
        if self.name.is_empty() {
            return Err(Fault::value("name", "missing; give the job a name"));
        }
        if self.skip_damaged && self.layer.is_none() {
            return Err(Fault::value("skip_damaged", "no effect without a layer"));
        }
        let places = self.read_places()?;
        let projection = parse("projection", self.projection.as_ref())?;
        Ok(Job {
            name: self.name.clone(),
            subject: self.subject(projection)?,
            schedule: self.read_schedule()?,
            output: self.read_output(&places)?,
            places,
            size: parse("size", self.size.as_ref())?.unwrap_or_default(),
            projection,
            style: self.style.options().map_err(|fault| fault.within("style"))?,
            window: self.read_window()?,
            keep: self.keep,
            latest: self.latest,
            retries: self.retries,
            skip_damaged: self.skip_damaged,
        })
    }

    fn read_schedule(&self) -> Result<Option<Schedule>, Fault> {
        let zone = self.timezone.as_deref();
        let Some(pattern) = &self.schedule else {
            return match zone {
                Some(_) => Err(Fault::value("timezone", "no effect without a schedule")),
                None => Ok(None),
            };
        };
        Schedule::new(pattern, zone.unwrap_or("UTC")).map(Some).map_err(|error| match parts(error) {
            (Some(Parameter::TIMEZONE), message) => Fault::value("timezone", message),
            (_, message) => Fault::value("schedule", message),
        })
    }

    fn read_output(&self, places: &[Place]) -> Result<Output, Fault> {
        if self.output.is_empty() {
            return Err(Fault::value(
                "output",
                "missing; set the path of the images, such as \"imgs/{job}/{time}.png\"",
            ));
        }
        let output = Output::new(&self.output).map_err(|error| Fault::value("output", parts(error).1))?;
        let needs = |key: &str, placeholder: &str, reason: &str| {
            Err(Fault::value(key, format!("requires {placeholder} in the output `{}`: {reason}", self.output)))
        };
        match (output.has_place(), output.has_time()) {
            (false, _) if places.len() > 1 => {
                needs("output", "{place}", "the images of the places would have the same name")
            }
            (true, _) if self.places.is_empty() => {
                Err(Fault::value("output", "{place} requires places, and the job has none"))
            }
            (_, false) if self.latest => needs("latest", "{time}", "each run would replace the image"),
            (_, false) if self.keep.is_some() => needs("keep", "{time}", "each run would replace the image"),
            _ => Ok(output),
        }
    }

    fn subject(&self, projection: Option<Projection>) -> Result<Subject, Fault> {
        let Self { lon, lat, geometry, weight, time, .. } = self;
        let columns = [("lon", lon), ("lat", lat), ("geometry", geometry), ("weight", weight), ("time", time)];
        let first = |columns: &[(&'static str, &Option<String>)]| {
            columns.iter().find(|(_, column)| column.is_some()).map(|(key, _)| *key)
        };
        let read = self.read.options()?;
        let conflict = |key: &str| Err(Fault::value(key, "only one of layer, input and query can be set"));
        let only_files = "only files have this key: a database table declares it";
        let check_database = || match (first(&columns[..2]), self.read.first()) {
            (Some(key), _) => {
                Err(Fault::value(key, "a database table has its points in a geometry column; set geometry"))
            }
            (None, Some(key)) => Err(Fault::value(key, only_files)),
            _ if projection == Some(Projection::Plane) => {
                Err(Fault::value("projection", "the points of a database are on the globe"))
            }
            _ => Ok(()),
        };
        match (&self.layer, &self.inputs[..], &self.query) {
            (Some(layer), [], None) => match first(&columns).or(self.read.first()) {
                Some(key) => Err(Fault::value(
                    key,
                    format!("only for an input or a query: `{layer}` is a layer and has columns"),
                )),
                None => Ok(Subject::Layer(layer.clone())),
            },
            (None, [], Some(query)) => {
                check_database()?;
                Ok(Subject::Query(Box::new(TableSpec {
                    sql: Some(query.clone()),
                    geometry: self.geometry.clone(),
                    weight: self.weight.clone(),
                    time: self.time.clone(),
                    ..TableSpec::default()
                })))
            }
            (Some(_), [_, ..], _) => conflict("input"),
            (_, _, Some(_)) => conflict("query"),
            (None, [], None) => {
                let message = "missing; set a layer, a file with points as input, or a database query";
                Err(Fault::value("layer", message))
            }
            (None, inputs, None) => {
                let space = self.read.coordinate_space();
                if space == CoordinateSpace::Plane && projection.is_some_and(Projection::wraps) {
                    let message = "the points are on a plane, as crs = \"plane\" says; use the projection plane";
                    return Err(Fault::value("projection", message));
                }
                if inputs.iter().any(|input| input == "-") {
                    return Err(Fault::value("input", "standard input can be read only once; name a file"));
                }
                self.inputs.check_objects().map_err(|message| Fault::value("input", message))?;
                if let Some(url) = self.inputs.database() {
                    Inputs::check_database(url).map_err(|error| Fault::value("input", parts(error).1))?;
                    if inputs.len() > 1 {
                        return Err(Fault::value("input", "a database cannot be combined with other inputs"));
                    }
                    check_database()?;
                }
                Ok(Subject::Inputs(Box::new(LayerSpec {
                    name: self.name.clone(),
                    inputs: inputs.to_vec(),
                    columns: Columns {
                        lon: self.lon.clone(),
                        lat: self.lat.clone(),
                        weight: self.weight.clone(),
                        time: self.time.clone(),
                        category: None,
                        track: None,
                        geometry: self.geometry.clone(),
                    },
                    read,
                    space: if projection == Some(Projection::Plane) { CoordinateSpace::Plane } else { space },
                    ..LayerSpec::default()
                })))
            }
        }
    }

    fn read_places(&self) -> Result<Vec<Place>, Fault> {
        let bounds: Option<Bounds> = parse("bounds", self.bounds.as_ref())?;
        if self.places.is_empty() {
            return Ok(vec![Place { name: String::new(), bounds }]);
        }
        if bounds.is_some() {
            return Err(Fault::value("bounds", "cannot be combined with places, which have their own bounds"));
        }
        let mut places: Vec<Place> = Vec::new();
        for (i, PlaceConfig { name, bounds }) in self.places.iter().enumerate() {
            let invalid = |key: &str, message: String| Err(Fault::value(format!("places[{i}].{key}"), message));
            if name.is_empty() {
                return invalid("name", "missing; give the place a name".into());
            }
            if bounds.is_none() {
                return invalid("bounds", format!("missing; set the bounds of `{name}`"));
            }
            if places.iter().any(|place| place.name == *name) {
                return invalid("name", format!("another place is already named `{name}`"));
            }
            let bounds = parse("bounds", bounds.as_ref()).map_err(|fault| fault.within(&format!("places[{i}]")))?;
            places.push(Place { name: name.clone(), bounds });
        }
        Ok(places)
    }

    fn read_window(&self) -> Result<Window, Fault> {
        let time = |key: &str, text: &Option<String>| match text {
            Some(text) => {
                parse_time_us(text).map(Some).ok_or_else(|| Fault::value(key, format!("`{text}` is not a time")))
            }
            None => Ok(None),
        };
        let Some(text) = &self.window else {
            return match (time("start", &self.start)?, time("end", &self.end)?) {
                (None, None) => Ok(Window::All),
                (Some(start), Some(end)) if start >= end => Err(Fault::value("start", "not before end")),
                (start, end) => Ok(Window::Between(start, end)),
            };
        };
        if self.start.is_some() || self.end.is_some() {
            return Err(Fault::value("window", "cannot be combined with start or end"));
        }
        let span = text.trim().strip_prefix("last ").and_then(|span| span.parse::<TimeSpan>().ok());
        let span = span.filter(|span| span.as_secs() > 0);
        let invalid = || Fault::value("window", format!("`{text}` is not a window such as `last 24h` or `last 90m`"));
        span.map(|span| Window::LastSeconds(span.as_secs())).ok_or_else(invalid)
    }
}

fn parse<T: FromStr<Err = Error>>(key: &str, text: Option<&String>) -> Result<Option<T>, Fault> {
    text.map(|text| text.parse()).transpose().map_err(|error| Fault::value(key, parts(error).1))
}

/// Checks each job, and that no two jobs have the same name or write to the same files.
pub(super) fn check_jobs(jobs: &[JobConfig]) -> Result<(), Fault> {
    let mut taken = HashMap::new();
    for (i, config) in jobs.iter().enumerate() {
        let within = |fault: Fault| fault.within(&format!("jobs[{i}]"));
        let job = config.read().map_err(within)?;
        if jobs[..i].iter().any(|other| other.name == config.name) {
            return Err(within(Fault::value("name", format!("another job is already named `{}`", config.name))));
        }
        for series in job.series() {
            if let Some(other) = taken.insert(series, &config.name) {
                let message = format!("the images would replace those of `{other}`");
                return Err(within(Fault::value("output", message)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Config;
    use super::*;

    const JOB: &str = "[[jobs]]\nname = \"rain\"\nlayer = \"a\"\noutput = \"o/{job}/{time}.png\"\n";

    fn read(text: &str) -> Result<Config> {
        Config::from_toml(Path::new("conf/kiln.toml"), text)
    }

    #[test]
    fn a_job_has_points_a_schedule_and_an_output() {
        let more = "schedule = \"*/15 * * * *\"\ntimezone = \"Europe/Berlin\"\nbounds = [5, 45.5, 10, 47]\nsize = 800\n\
            style = { radius = 5, scheme = \"fire\" }\nwindow = \"last 24h\"\nkeep = 96\nlatest = true\n";
        let config = read(&format!("{JOB}{more}")).unwrap();
        config.check().unwrap();
        let job = config.jobs[0].job().unwrap();
        assert_eq!(job.window, Window::LastSeconds(86_400));
        assert_eq!(job.schedule.unwrap().zone(), "Europe/Berlin");
        assert_eq!(
            job.places,
            [Place { name: String::new(), bounds: Some(Bounds::new(5.0, 45.5, 10.0, 47.0).unwrap()) }]
        );
        assert_eq!(
            (job.size, job.keep, job.latest, job.retries),
            (crate::layer::Size::Longest(800), Some(96), true, 2)
        );
        assert_eq!(job.style.radius, Some(crate::layer::Radius::Pixels(5.0)));
        assert_eq!(config.jobs[0].output, "conf/o/{job}/{time}.png", "relative to the file");
        let printed = config.to_toml().unwrap();
        assert_eq!(Config::from_toml(Path::new("kiln.toml"), &printed).unwrap(), config, "{printed}");
    }

    #[test]
    fn a_job_may_have_files_and_places() {
        let text = "[[jobs]]\nname = \"b\"\ninput = [\"a.csv\", \"/b.csv\"]\nweight = \"mag\"\nstart = 2024\nend = \"2025-01-01\"\n\
            output = \"{place}.tif\"\nplaces = [{ name = \"x\", bounds = \"0,0,1,1\" }, { name = \"y\", bounds = [1, 1, 2, 2] }]\n";
        let job = read(text).unwrap().jobs[0].job().unwrap();
        let spec = match job.subject {
            Subject::Inputs(spec) => Some(spec),
            _ => None,
        };
        let spec = spec.unwrap();
        assert_eq!(spec.inputs, ["conf/a.csv", "/b.csv"]);
        assert_eq!(spec.columns.weight.as_deref(), Some("mag"));
        assert_eq!(job.window, Window::Between(Some(1_704_067_200_000_000), Some(1_735_689_600_000_000)));
        assert_eq!((job.places.len(), job.places[1].name.as_str()), (2, "y"));
        assert!(job.schedule.is_none());
    }

    #[test]
    fn a_job_may_query_a_database_and_no_password_is_printed() {
        let text = "[[jobs]]\nname = \"b\"\nquery = \"SELECT place FROM stops\"\nweight = \"n\"\noutput = \"b.png\"\n\
            [[jobs]]\nname = \"c\"\ninput = \"postgres://ann:s3cret@h/d?table=stops\"\noutput = \"c.png\"\n";
        let config = read(text).unwrap();
        let [query, input] = [0, 1].map(|i| config.jobs[i].job().unwrap().subject);
        let columns = "sql: Some(\"SELECT place FROM stops\"), geometry: None, weight: Some(\"n\")";
        assert!(matches!(&query, Subject::Query(_)) && format!("{query:?}").contains(columns), "{query:?}");
        assert!(matches!(&input, Subject::Inputs(spec) if spec.inputs == ["postgres://ann:s3cret@h/d?table=stops"]));
        let printed = config.to_toml().unwrap();
        assert!(printed.contains("postgres://ann@h/d?table=stops") && !printed.contains("s3cret"), "{printed}");
    }

    #[test]
    fn invalid_jobs_are_reported_with_their_position() {
        for (text, place, words) in [
            ("jobs = 5".to_owned(), ":1:8: jobs: ", "write [[jobs]]"),
            ("[jobs.a]\nlayer = \"a\"".to_owned(), ":1:", "write [[jobs]]"),
            (
                format!("{JOB}scedule = \"x\""),
                ":5:1: jobs[0].scedule: ",
                "did you mean schedule? a job has name, layer",
            ),
            (format!("{JOB}schedule = \"often\""), ":5:12: jobs[0].schedule: ", "`often` is not a cron pattern"),
            (format!("{JOB}schedule = \"@daily\"\ntimezone = \"Mars\""), ":6:12: jobs[0].timezone: ", "`Mars`"),
            (format!("{JOB}timezone = \"UTC\""), ":5:12: jobs[0].timezone: ", "without a schedule"),
            (format!("{JOB}bounds = [5, 45]"), ":5:10: jobs[0].bounds: ", "west, south, east, north"),
            (format!("{JOB}style.radios = 5"), ":5:7: jobs[0].style.radios: ", "did you mean radius?"),
            (format!("{JOB}style.radius = \"wide\""), ":5:16: jobs[0].style.radius: ", "wide"),
            (format!("{JOB}window = \"yesterday\""), ":5:10: jobs[0].window: ", "last 24h"),
            (format!("{JOB}window = \"last 1h\"\nend = 2025"), ":5:10: jobs[0].window: ", "cannot be combined"),
            (format!("{JOB}start = 2025\nend = 2024"), ":5:9: jobs[0].start: ", "not before end"),
            (format!("{JOB}input = \"a.csv\""), ":5:9: jobs[0].input: ", "only one of layer, input and query"),
            (format!("{JOB}query = \"SELECT 1\""), ":5:9: jobs[0].query: ", "only one of layer, input and query"),
            (JOB.replace("layer = \"a\"", "query = \"SELECT 1\"\nlon = \"x\""), ":4:7: jobs[0].lon: ", "set geometry"),
            (
                JOB.replace("layer = \"a\"", "query = \"SELECT 1\"\nprojection = \"plane\""),
                ":4:14: jobs[0].projection: ",
                "on the globe",
            ),
            (
                JOB.replace("layer = \"a\"", "input = [\"a.csv\", \"postgres://h/d\"]"),
                ":3:9: jobs[0].input: ",
                "cannot be combined",
            ),
            (
                JOB.replace("layer = \"a\"", "input = \"postgres://h/d?sslmode=some\""),
                ":3:9: jobs[0].input: ",
                "sslmode must be",
            ),
            (format!("{JOB}weight = \"w\""), ":5:10: jobs[0].weight: ", "is a layer and has columns"),
            (format!("{JOB}crs = \"EPSG:25832\""), ":5:7: jobs[0].crs: ", "is a layer and has columns"),
            (
                JOB.replace("layer = \"a\"", "query = \"SELECT 1\"\nday_first = true"),
                ":4:13: jobs[0].day_first: ",
                "only files",
            ),
            (JOB.replace("layer", "input") + "order = \"xy\"", ":5:9: jobs[0].order: ", "one of lon-lat, lat-lon"),
            (format!("{JOB}keep = 0"), ":5:8: jobs[0].keep: ", "from 1"),
            (
                format!("{JOB}places = [{{ name = \"x\", bonds = 5 }}]"),
                ":5:25: jobs[0].places[0].bonds: ",
                "mean bounds?",
            ),
            (format!("{JOB}{JOB}"), ":6:8: jobs[1].name: ", "already"),
            (
                JOB.replace("{job}/{time}", "x-{time}")
                    + &JOB.replace("rain", "sun").replace("{job}/{time}", "x-{time}"),
                ":8:10: jobs[1].output: ",
                "would replace those of `rain`",
            ),
            (JOB.replace("{time}", "{when}"), ":4:10: jobs[0].output: ", "unknown placeholder"),
            (JOB.replace("{time}", "x") + "keep = 5", ":5:8: jobs[0].keep: ", "requires {time} in the output"),
            (JOB.replace("rain", "../rain"), ":2:8: jobs[0].name: ", "letters"),
            (JOB.replace("layer = \"a\"", ""), ":1:", "set a layer, a file"),
            (JOB.replace("name = \"rain\"", ""), ":1:", "give the job a name"),
        ] {
            let line = read(&text).unwrap_err().to_string();
            assert!(line.starts_with("conf/kiln.toml:") && line.contains(place), "{text}: {line}");
            assert!(line.contains(words), "{text}: {line}");
        }
    }
}
