//! `[[jobs]]`: pictures that are drawn again and again.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::layer::{read_inputs, read_style, style_options, write_inputs};
use super::{TimeSpan, quantity};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Projection};
use crate::jobs::{Job, Output, Place, Schedule, Subject, Window};
use crate::layer::{LayerSpec, Size};
use crate::parameter::Parameter;
use crate::postgis::{Address, TableSpec};
use crate::source::{Columns, Ground, parse_time_us};

/// A picture that is drawn again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobConfig {
    /// Its name, 1 to 64 letters, digits, `_` or `-`.
    pub name: String,
    /// The layer that it draws; or `inputs`, or `query`.
    pub layer: Option<String>,
    /// Files that are read anew for each run, or the address of a database with its table; or `layer`. In a file
    /// `input = "a.csv"`, or a list. Relative to the file.
    #[serde(
        rename = "input",
        serialize_with = "write_inputs",
        deserialize_with = "read_inputs",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub inputs: Vec<String>,
    /// A query of the database whose rows are the points, in SQL, asked anew for each run; or `layer`.
    pub query: Option<String>,
    /// Column of the inputs' longitude or x. Default: `None`, found by its usual names.
    pub lon: Option<String>,
    /// Column of the inputs' latitude or y. Default: `None`, found by its usual names.
    pub lat: Option<String>,
    /// Column of the weight, of inputs or of the query. Default: `None`, found by its usual names.
    pub weight: Option<String>,
    /// Column of the time, of inputs or of the query. Default: `None`, found by its usual names.
    pub time: Option<String>,
    /// When it runs, a cron pattern of five fields. Default: `None`, only when it is asked to.
    pub schedule: Option<String>,
    /// The time zone of the schedule. Default: `None`, UTC.
    pub timezone: Option<String>,
    /// The ground, as text. Default: `None`, all that has points.
    #[serde(deserialize_with = "read_bounds")]
    pub bounds: Option<String>,
    /// Several grounds, each with a name, in place of `bounds`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlaceConfig>,
    /// How many pixels a picture has, such as `800x600`, or the longer side. Default: `None`, 1024.
    #[serde(deserialize_with = "read_scalar")]
    pub size: Option<String>,
    /// How the ground is laid flat. Default: `None`, as usual for the points.
    pub projection: Option<String>,
    /// Parameters of the style, as [`StyleOptions::set`](crate::layer::StyleOptions::set) takes them. Default: the layer's.
    #[serde(deserialize_with = "read_style", skip_serializing_if = "BTreeMap::is_empty")]
    pub style: BTreeMap<String, String>,
    /// Which points, by their times: `last 24h` before it is due. Default: `None`, all, or as `start` and `end` say.
    pub window: Option<String>,
    /// The first time of its points. Default: `None`, no first one.
    #[serde(deserialize_with = "read_scalar")]
    pub start: Option<String>,
    /// The time before which its points are. Default: `None`, no end.
    #[serde(deserialize_with = "read_scalar")]
    pub end: Option<String>,
    /// Where the pictures are put: see [`Output`]. Relative to the file.
    pub output: String,
    /// How many pictures of each place stay, 1 or more. Default: `None`, all.
    pub keep: Option<u64>,
    /// Whether there is a copy of the newest picture named `latest`. Default: false.
    pub latest: bool,
    /// How often a scheduled run is tried again after it failed, 0 to 100. Default: 2.
    pub retries: u32,
}

/// A ground that a job draws.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlaceConfig {
    /// Its name, 1 to 64 letters, digits, `_` or `-`.
    pub name: String,
    /// The ground, as text.
    #[serde(deserialize_with = "read_bounds")]
    pub bounds: Option<String>,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            layer: None,
            inputs: Vec::new(),
            query: None,
            lon: None,
            lat: None,
            weight: None,
            time: None,
            schedule: None,
            timezone: None,
            bounds: None,
            places: Vec::new(),
            size: None,
            projection: None,
            style: BTreeMap::new(),
            window: None,
            start: None,
            end: None,
            output: String::new(),
            keep: None,
            latest: false,
            retries: 2,
        }
    }
}

/// The key at fault, and what is wrong.
type Refused = (&'static str, String);

impl JobConfig {
    /// The job that it describes.
    ///
    /// # Errors
    /// [`Error::Config`] for the first key that makes no sense.
    pub fn job(&self) -> Result<Job> {
        self.read().map_err(|(key, message)| Error::config(format!("jobs.{}.{key}", self.name), message))
    }

    /// Whether everything in it makes sense.
    pub(super) fn check(&self) -> Result<(), Refused> {
        self.read().map(drop)
    }

    /// Makes paths that are relative to `folder` relative to where Kiln was started.
    pub(super) fn move_to(&mut self, folder: &Path) -> Result<()> {
        let moved = |path: &String| {
            let moved = folder.join(path).into_os_string().into_string();
            moved.map_err(|path| Error::config(path.display().to_string(), "the folder's name is not in UTF-8"))
        };
        self.output = moved(&self.output)?;
        for input in self.inputs.iter_mut().filter(|input| *input != "-" && !Address::is_meant(input)) {
            *input = moved(input)?;
        }
        Ok(())
    }

    fn read(&self) -> Result<Job, Refused> {
        let schedule = match (&self.schedule, &self.timezone) {
            (Some(pattern), zone) => Some(
                Schedule::new(pattern, zone.as_deref().unwrap_or("UTC")).map_err(|error| said(error, "schedule"))?,
            ),
            (None, Some(_)) => return Err(("timezone", "it says nothing without a schedule".into())),
            (None, None) => None,
        };
        if self.name.is_empty() {
            return Err(("name", "missing; give the job a name".into()));
        }
        if self.output.is_empty() {
            return Err(("output", "missing; say where the pictures go, such as \"imgs/{job}/{time}.png\"".into()));
        }
        let output = Output::new(&self.output).map_err(|error| said(error, "output"))?;
        let places = self.read_places()?;
        let needs =
            |key, part: &str, why: &str| Err((key, format!("`{}` has no {part} in it, so that {why}", self.output)));
        if places.len() > 1 && !output.has_place() {
            return needs("output", "{place}", "the places' pictures would have the same name");
        }
        if output.has_place() && self.places.is_empty() {
            return Err(("output", "there is {place} in it, but the job has no places".into()));
        }
        if self.latest && !output.has_time() {
            return needs("latest", "{time}", "there is only the latest picture");
        }
        if self.keep.is_some() && !output.has_time() {
            return needs("keep", "{time}", "there is only one picture");
        }
        let parsed = |key: &'static str, text: &Option<String>| {
            text.as_deref().map(str::parse::<Size>).transpose().map_err(|error| said(error, key))
        };
        let projection = self.projection.as_deref().map(str::parse::<Projection>).transpose();
        let projection = projection.map_err(|error| said(error, "projection"))?;
        Ok(Job {
            name: self.name.clone(),
            subject: self.subject(projection)?,
            schedule,
            places,
            size: parsed("size", &self.size)?.unwrap_or_default(),
            projection,
            style: style_options(&self.style).map_err(|(name, why)| ("style", format!("{name}: {why}")))?,
            window: self.read_window()?,
            output,
            keep: self.keep,
            latest: self.latest,
            retries: self.retries,
        })
    }

    fn subject(&self, projection: Option<Projection>) -> Result<Subject, Refused> {
        let columns = [("lon", &self.lon), ("lat", &self.lat), ("weight", &self.weight), ("time", &self.time)];
        let first = |columns: &[(&'static str, &Option<String>)]| {
            columns.iter().find(|(_, column)| column.is_some()).map(|(key, _)| *key)
        };
        let is_twice = |key| Err((key, "there is a layer, an input or a query already; leave one of them out".into()));
        let in_database = || -> Result<(), Refused> {
            if let Some(key) = first(&columns[..2]) {
                return Err((key, "the database has the places in one column".into()));
            }
            if projection == Some(Projection::Plane) {
                return Err(("projection", "the places of a database lie on the globe".into()));
            }
            Ok(())
        };
        match (&self.layer, &self.inputs[..], &self.query) {
            (Some(layer), [], None) => match first(&columns) {
                Some(key) => Err((key, format!("`{layer}` is a layer, whose columns are known"))),
                None => Ok(Subject::Layer(layer.clone())),
            },
            (None, [], Some(query)) => {
                in_database()?;
                Ok(Subject::Query(Box::new(TableSpec {
                    sql: Some(query.clone()),
                    weight: self.weight.clone(),
                    time: self.time.clone(),
                    ..TableSpec::default()
                })))
            }
            (Some(_), [_, ..], _) => is_twice("input"),
            (_, _, Some(_)) => is_twice("query"),
            (None, [], None) => {
                Err(("layer", "missing; name a layer, a file with points as input, or a query of the database".into()))
            }
            (None, inputs, None) => {
                if inputs.iter().any(|input| input == "-") {
                    return Err(("input", "standard input can be read only once; name a file".into()));
                }
                if let Some(address) = inputs.iter().find(|input| Address::is_meant(input)) {
                    address.parse::<Address>().map_err(|error| said(error, "input"))?;
                    if inputs.len() > 1 {
                        return Err(("input", "a database is read by itself, without other inputs".into()));
                    }
                    in_database()?;
                }
                Ok(Subject::Inputs(Box::new(LayerSpec {
                    name: self.name.clone(),
                    inputs: self.inputs.clone(),
                    columns: Columns {
                        lon: self.lon.clone(),
                        lat: self.lat.clone(),
                        weight: self.weight.clone(),
                        time: self.time.clone(),
                        category: None,
                    },
                    ground: if projection == Some(Projection::Plane) { Ground::Plane } else { Ground::Globe },
                    ..LayerSpec::default()
                })))
            }
        }
    }

    fn read_places(&self) -> Result<Vec<Place>, Refused> {
        let read = |text: &str| text.parse::<Bounds>().map_err(|error| said(error, "bounds"));
        if self.places.is_empty() {
            let bounds = self.bounds.as_deref().map(read).transpose()?;
            return Ok(vec![Place { name: String::new(), bounds }]);
        }
        if self.bounds.is_some() {
            return Err(("bounds", "each of the places has its own; leave it out".into()));
        }
        let mut places: Vec<Place> = Vec::new();
        for PlaceConfig { name, bounds } in &self.places {
            let Some(bounds) = bounds else { return Err(("places", format!("`{name}` has no bounds"))) };
            if name.is_empty() {
                return Err(("places", "one of them has no name".into()));
            }
            if places.iter().any(|place| place.name == *name) {
                return Err(("places", format!("there are two of the name `{name}`")));
            }
            places.push(Place { name: name.clone(), bounds: Some(read(bounds)?) });
        }
        Ok(places)
    }

    fn read_window(&self) -> Result<Window, Refused> {
        let moment = |key, text: &Option<String>| match text {
            Some(text) => parse_time_us(text).map(Some).ok_or_else(|| (key, format!("`{text}` is not a time"))),
            None => Ok(None),
        };
        match &self.window {
            None => match (moment("start", &self.start)?, moment("end", &self.end)?) {
                (None, None) => Ok(Window::All),
                (Some(start), Some(end)) if start >= end => Err(("start", "it is not before end".into())),
                (start, end) => Ok(Window::Between(start, end)),
            },
            Some(_) if self.start.is_some() || self.end.is_some() => {
                Err(("window", "there is start or end already; leave one of them out".into()))
            }
            Some(text) => {
                let span = text.trim().strip_prefix("last ").and_then(|span| span.parse::<TimeSpan>().ok());
                let span = span.filter(|span| span.as_secs() > 0);
                span.map(|span| Window::LastSeconds(span.as_secs()))
                    .ok_or_else(|| ("window", format!("`{text}` is not a window such as `last 24h` or `last 90m`")))
            }
        }
    }
}

/// Whether jobs go together: their names and their pictures'. Else the number of the one at fault, its key, and why.
pub(super) fn check_together(jobs: &[JobConfig]) -> Result<(), (usize, &'static str, String)> {
    let mut taken = HashMap::new();
    for (i, config) in jobs.iter().enumerate() {
        if jobs[..i].iter().any(|other| other.name == config.name) {
            return Err((i, "name", format!("there is a job `{}` already", config.name)));
        }
        let Ok(job) = config.read() else { continue };
        for series in job.series() {
            if let Some(other) = taken.insert(series, &config.name) {
                return Err((i, "output", format!("the pictures would go where those of `{other}` go")));
            }
        }
    }
    Ok(())
}

/// What an error says, and the key that it is about; `key` unless it names another one.
fn said(error: Error, key: &'static str) -> Refused {
    match error {
        Error::Invalid { parameter: Parameter::TIMEZONE, message } => ("timezone", message.with_keys()),
        Error::Invalid { message, .. } => (key, message.with_keys()),
        other => (key, other.to_string()),
    }
}

/// Reads bounds as a text, or as a list of four numbers.
fn read_bounds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Edges;
    impl<'de> Visitor<'de> for Edges {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("west, south, east and north in degrees")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut edges = Vec::new();
            while let Some(edge) = list.next_element::<f64>()? {
                edges.push(edge.to_string());
            }
            Ok(Some(edges.join(",")))
        }
    }
    deserializer.deserialize_any(Edges)
}

/// Reads a text, or a number as text.
fn read_scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    quantity::scalar(deserializer).map(Some)
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
    fn a_job_says_what_when_and_where() {
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
        assert_eq!((job.size, job.keep, job.latest, job.retries), (Size::Longest(800), Some(96), true, 2));
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
    fn a_job_may_ask_a_database_and_no_password_is_printed() {
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
    fn what_makes_no_sense_is_told_with_its_place() {
        for (text, place, words) in [
            ("jobs = 5".to_owned(), ":1:8: jobs: ", "write [[jobs]]"),
            ("[jobs.a]\nlayer = \"a\"".to_owned(), ":1:", "write [[jobs]]"),
            (
                format!("{JOB}scedule = \"x\""),
                ":5:1: jobs[0].scedule: ",
                "did you mean schedule? a job has name, layer",
            ),
            (format!("{JOB}schedule = \"often\""), ":5:12: jobs[0].schedule: ", "`often` is no schedule"),
            (format!("{JOB}schedule = \"@daily\"\ntimezone = \"Mars\""), ":6:12: jobs[0].timezone: ", "`Mars`"),
            (format!("{JOB}timezone = \"UTC\""), ":5:12: jobs[0].timezone: ", "without a schedule"),
            (format!("{JOB}bounds = [5, 45]"), ":5:10: jobs[0].bounds: ", "west, south, east, north"),
            (format!("{JOB}style.radios = 5"), ":5:7: jobs[0].style.radios: ", "did you mean radius?"),
            (format!("{JOB}style.radius = \"wide\""), ":5:16: jobs[0].style.radius: ", "wide"),
            (format!("{JOB}window = \"yesterday\""), ":5:10: jobs[0].window: ", "last 24h"),
            (format!("{JOB}window = \"last 1h\"\nend = 2025"), ":5:10: jobs[0].window: ", "leave one of them out"),
            (format!("{JOB}start = 2025\nend = 2024"), ":5:9: jobs[0].start: ", "not before end"),
            (format!("{JOB}input = \"a.csv\""), ":5:9: jobs[0].input: ", "leave one of them out"),
            (format!("{JOB}query = \"SELECT 1\""), ":5:9: jobs[0].query: ", "leave one of them out"),
            (JOB.replace("layer = \"a\"", "query = \"SELECT 1\"\nlon = \"x\""), ":4:7: jobs[0].lon: ", "in one column"),
            (
                JOB.replace("layer = \"a\"", "query = \"SELECT 1\"\nprojection = \"plane\""),
                ":4:14: jobs[0].projection: ",
                "on the globe",
            ),
            (
                JOB.replace("layer = \"a\"", "input = [\"a.csv\", \"postgres://h/d\"]"),
                ":3:9: jobs[0].input: ",
                "by itself",
            ),
            (
                JOB.replace("layer = \"a\"", "input = \"postgres://h/d?sslmode=some\""),
                ":3:9: jobs[0].input: ",
                "sslmode is",
            ),
            (format!("{JOB}weight = \"w\""), ":5:10: jobs[0].weight: ", "columns are known"),
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
                "where those of `rain` go",
            ),
            (JOB.replace("{time}", "{when}"), ":4:10: jobs[0].output: ", "else in braces"),
            (JOB.replace("{time}", "x") + "keep = 5", ":5:8: jobs[0].keep: ", "has no {time} in it"),
            (JOB.replace("rain", "../rain"), ":2:8: jobs[0].name: ", "letters"),
            (JOB.replace("layer = \"a\"", ""), ":1:", "name a layer, a file"),
            (JOB.replace("name = \"rain\"", ""), ":1:", "give the job a name"),
        ] {
            let line = read(&text).unwrap_err().to_string();
            assert!(line.starts_with("conf/kiln.toml:") && line.contains(place), "{text}: {line}");
            assert!(line.contains(words), "{text}: {line}");
        }
    }
}
