//! Every key: what it is, what it accepts, and what it is called elsewhere.

use toml::Value;

use super::kind::Kind;
use super::{ByteSize, TimeSpan};
use crate::geo::Canvas;
use crate::spelling::{did_you_mean, nearest};

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// What it is.
    pub(super) about: &'static str,
    pub(super) kind: Kind,
    /// For a key that may be left out: what its absence means, and a value for example.
    pub(super) absent: Option<(&'static str, &'static str)>,
    /// A second environment variable, for a key that is set often.
    pub(super) short_variable: Option<&'static str>,
}

const fn key(section: &'static str, name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { section, name, about, kind, absent: None, short_variable: None }
}

impl Key {
    const fn or_absent(self, meaning: &'static str, example: &'static str) -> Self {
        Self { absent: Some((meaning, example)), ..self }
    }

    const fn or_variable(self, short: &'static str) -> Self {
        Self { short_variable: Some(short), ..self }
    }

    /// Its name with its section: `images.ttl`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Its environment variable: `KILN_IMAGES_TTL`.
    pub(super) fn variable(&self) -> String {
        format!("{}{}_{}", PREFIX, self.section, self.name).to_ascii_uppercase()
    }

    /// Whether an environment variable sets it.
    pub(super) fn is_set_by(&self, variable: &str) -> bool {
        self.short_variable == Some(variable) || self.variable() == variable
    }

    /// Whether it accepts `value`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be accepted.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        const LONGEST: usize = 60;
        if self.kind.takes(value) {
            return Ok(());
        }
        if self.kind == Kind::Secret {
            return Err(format!("what is there is not {}", self.kind.accepts()));
        }
        let mut shown = value.to_string().replace('\n', " ");
        if let Some((at, _)) = shown.char_indices().nth(LONGEST) {
            shown.truncate(at);
            shown.push('…');
        }
        Err(format!("{shown} is not {}", self.kind.accepts()))
    }
}

/// How the names of environment variables begin.
pub(super) const PREFIX: &str = "KILN_";

const SECOND: TimeSpan = TimeSpan::from_secs(1);
const DAY: TimeSpan = TimeSpan::from_secs(86_400);
const TEN_YEARS: TimeSpan = TimeSpan::from_secs(3650 * 86_400);

const fn size(least: u64, most: u64) -> Kind {
    Kind::Size(ByteSize::from_bytes(least), ByteSize::from_bytes(most))
}

/// All keys but those of the layers, section by section.
pub(super) const KEYS: &[Key] = &[
    key("server", "listen", Kind::Listen, "Address and port to listen on"),
    key("server", "base_url", Kind::Url, "What the URLs in answers begin with, behind a proxy")
        .or_absent("URLs are paths", "\"https://maps.example.org/heat\""),
    key("server", "render_threads", Kind::Count(1, 1024), "Threads that draw").or_absent("one per processor", "4"),
    key("server", "queue", Kind::Count(0, 100_000), "Pictures that may wait to be drawn"),
    key("server", "timeout", Kind::Time(SECOND, DAY), "How long a request may take"),
    key("server", "max_connections", Kind::Count(1, 1_000_000), "Connections at the same time"),
    key("server", "cors_origins", Kind::Origins, "Origins of the pages that may read answers"),
    key("server", "cache_control", Kind::CacheControl, "Header of drawn pictures that are not stored"),
    key(
        "server",
        "empty_tile",
        Kind::Choice(&["200", "204", "404"]),
        "Status of tiles with nothing to see; 200 is a picture",
    ),
    key("server", "token", Kind::Secret, "What clients show to write points and layers; it is never printed")
        .or_absent(
            "only clients of this machine write, and only where the server listens to it alone",
            "\"a-long-random-text\"",
        )
        .or_variable("KILN_TOKEN"),
    key("store", "folder", Kind::Folder, "Folder of the layers that are kept").or_variable("KILN_STORE"),
    key("store", "read_only", Kind::Flag, "Whether the layers are only read, beside another server perhaps"),
    key("postgis", "url", Kind::Secret, "Address of a database whose tables are layers; it is never printed")
        .or_absent("the one of the command line or of DATABASE_URL", "\"postgres://user@host/name\""),
    key(
        "postgis",
        "discover",
        Kind::Flag,
        "Whether all tables of points are layers, or only those under [layers.NAME]",
    ),
    key("postgis", "connections", Kind::Count(1, 1000), "The most connections at the same time"),
    key("postgis", "timeout", Kind::Time(SECOND, DAY), "How long a statement may take"),
    key("postgis", "refresh", Kind::Time(SECOND, DAY), "How often tables are looked at anew")
        .or_absent("when the database says that they have changed", "\"30s\""),
    key("images", "folder", Kind::Folder, "Folder that pictures are written to"),
    key("images", "ttl", Kind::Time(SECOND, TEN_YEARS), "How long a picture stays"),
    key("images", "max_count", Kind::Count(1, 100_000_000), "The most pictures; the oldest go first"),
    key("images", "max_size", size(1_000_000, 1 << 50), "The most bytes of all pictures; the oldest go first"),
    key("images", "sweep_every", Kind::Time(SECOND, DAY), "How often old pictures are removed"),
    key("cache", "size", size(0, 1 << 40), "The most bytes of pictures kept in memory; 0 keeps none"),
    key("limits", "body", size(1 << 10, 1 << 34), "The most bytes of a request's body, unpacked"),
    key("limits", "points", Kind::Count(1, 1_000_000_000), "The most points in a request"),
    key("limits", "ingest_body", size(1 << 10, 1 << 40), "The most bytes of points that a request adds, unpacked"),
    key("limits", "ingest_points", Kind::Count(1, 1_000_000_000), "The most points that a request adds"),
    key("limits", "answer_points", Kind::Count(1, 100_000_000), "The most points answered in place of a picture"),
    key("limits", "pixels", Kind::Count(1, Canvas::MAX_PIXELS), "The most pixels of a picture"),
    key("limits", "radius_px", Kind::Number(1.0, 1024.0), "The largest radius of a dot in pixels"),
    key("queries", "ttl", Kind::Time(SECOND, DAY), "How long a query of POST /queries can be asked for"),
    key("queries", "max_count", Kind::Count(1, 1_000_000), "The most of them; the oldest go first"),
    key("schemes", "folders", Kind::Folders, "Folders of scheme files, beside ./schemes"),
    key("bridge", "layer", Kind::LayerName, "Layer of the old page's requests")
        .or_absent("the first by name", "\"cities\""),
    key("bridge", "projection", Kind::Choice(&["mercator", "platecarree", "plane"]), "Projection of its pictures"),
    key("page", "basemap", Kind::Tiles, "Tiles of the map below the heat; browsers ask them of their server")
        .or_absent("outlines of the land, from here", "\"https://tiles.example.org/{z}/{x}/{y}.png\""),
    key("page", "attribution", Kind::Text, "Whom that map is owed to, as HTML")
        .or_absent("nobody is named", "\"© Example Maps\""),
    key("log", "level", Kind::Choice(&["error", "warn", "info", "debug", "trace"]), "The least that is told"),
    key("log", "format", Kind::Choice(&["text", "json"]), "Lines for people, or JSON for programs"),
];

/// The section of the layers, each of them a table in it.
pub(super) const LAYERS: &str = "layers";

/// The keys of a layer.
pub(super) const LAYER_KEYS: &[Key] = &[
    key(LAYERS, "input", Kind::Inputs, "Files with its points"),
    key(LAYERS, "table", Kind::Text, "Or a table of the database with its points"),
    key(LAYERS, "sql", Kind::Text, "Or a query of the database whose rows are its points"),
    key(LAYERS, "geometry", Kind::Text, "Column of the table's places"),
    key(LAYERS, "filter", Kind::Text, "Condition in SQL that the table's rows have to meet"),
    key(LAYERS, "srid", Kind::Count(1, 998_999), "Coordinate system of places that do not say it themselves"),
    key(LAYERS, "columns", Kind::Names, "Columns of the table that requests may compare"),
    key(LAYERS, "refresh", Kind::Time(SECOND, DAY), "How often the table is looked at anew"),
    key(LAYERS, "title", Kind::Text, "Its name for people"),
    key(LAYERS, "attribution", Kind::Text, "Whom the points are owed to"),
    key(LAYERS, "projection", Kind::Choice(&["globe", "plane"]), "Where its points lie"),
    key(LAYERS, "lon", Kind::Text, "Column of the longitude or x"),
    key(LAYERS, "lat", Kind::Text, "Column of the latitude or y"),
    key(LAYERS, "weight", Kind::Text, "Column of the weight"),
    key(LAYERS, "time", Kind::Text, "Column of the time"),
    key(LAYERS, "category", Kind::Text, "Column of the category"),
    key(LAYERS, "style", Kind::Style, "Parameters of its style"),
];

/// The list of the jobs, each of them a table.
pub(super) const JOBS: &str = "jobs";

/// The keys of a job.
pub(super) const JOB_KEYS: &[Key] = &[
    key(JOBS, "name", Kind::JobName, "Its name"),
    key(JOBS, "layer", Kind::LayerName, "The layer that it draws"),
    key(JOBS, "input", Kind::Inputs, "Files with points, read anew each time, in place of a layer"),
    key(JOBS, "query", Kind::Text, "In place of a layer, a query of the database whose rows are the points, in SQL"),
    key(JOBS, "lon", Kind::Text, "Of an input: column of the longitude or x"),
    key(JOBS, "lat", Kind::Text, "Of an input: column of the latitude or y"),
    key(JOBS, "weight", Kind::Text, "Of an input or a query: column of the weight"),
    key(JOBS, "time", Kind::Text, "Of an input or a query: column of the time"),
    key(JOBS, "schedule", Kind::Text, "When it runs, as cron has it: minute, hour, day, month, day of the week"),
    key(JOBS, "timezone", Kind::Text, "Where the schedule's clock stands; UTC if it does not say"),
    key(JOBS, "bounds", Kind::Bounds, "The ground; all that has points if it does not say"),
    key(JOBS, "places", Kind::Places, "Several grounds, each a table of name and bounds"),
    key(JOBS, "size", Kind::Pixels, "Pixels of a picture"),
    key(JOBS, "projection", Kind::Choice(&["mercator", "platecarree", "plane"]), "How the ground is laid flat"),
    key(JOBS, "style", Kind::Style, "Parameters of its style; those of the layer where it does not say"),
    key(JOBS, "window", Kind::Text, "Which points, by their times, such as last 24h"),
    key(JOBS, "start", Kind::Moment, "Only points from this time on"),
    key(JOBS, "end", Kind::Moment, "Only points before this time"),
    key(
        JOBS,
        "output",
        Kind::Text,
        "The pictures, such as imgs/{job}/{time}.png, or with {place}; relative to this file",
    ),
    key(JOBS, "keep", Kind::Count(1, 100_000_000), "How many pictures of each place stay; all if it does not say"),
    key(JOBS, "latest", Kind::Flag, "Whether the newest picture is also called latest, in place of {time}"),
    key(JOBS, "retries", Kind::Count(0, 100), "How often it is tried again after it failed"),
];

/// The keys of a place of a job.
pub(super) const PLACE_KEYS: &[Key] =
    &[key(PLACES, "name", Kind::JobName, "Its name"), key(PLACES, "bounds", Kind::Bounds, "The ground")];

/// What a job has several of.
pub(super) const PLACES: &str = "places";

/// The sections of [`KEYS`], in their order.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().map(|key| key.section).collect();
    sections.dedup();
    sections
}

/// The key `section.name`.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// That there is no such key in `section`, with the nearest and all that there are.
pub(super) fn no_key(name: &str, section: &str, keys: &[Key]) -> String {
    let names: Vec<_> = keys.iter().filter(|key| key.section == section).map(|key| key.name).collect();
    let near = nearest(name, names.iter().copied(), spelled);
    let hint = if near.is_empty() { elsewhere(name) } else { did_you_mean(&near) };
    let heading = match section {
        LAYERS => "a layer",
        JOBS => "a job",
        PLACES => "a place",
        section => section,
    };
    format!("no such key; {hint}{heading} has {}", names.join(", "))
}

/// That there is no such section, with the nearest and all that there are.
pub(super) fn no_section(name: &str) -> String {
    let names: Vec<_> = sections().into_iter().chain([LAYERS, JOBS]).collect();
    let near = nearest(name, names.iter().copied(), spelled);
    let hint = if near.is_empty() { elsewhere(name) } else { did_you_mean(&near) };
    format!("no such section; {hint}there are {}", names.join(", "))
}

/// The question whether the key of that name in another section was meant.
fn elsewhere(name: &str) -> String {
    let paths: Vec<_> = KEYS.iter().filter(|key| spelled(key.name) == spelled(name)).map(Key::path).collect();
    did_you_mean(&paths.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What counts when names are compared: neither case nor hyphens.
pub(super) fn spelled(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use toml::Table;

    use super::super::{Config, JobConfig, LayerConfig, PlaceConfig};
    use super::*;

    #[test]
    fn the_table_and_the_types_have_the_same_keys() {
        let config = Config::default();
        let table = Table::try_from(&config).unwrap();
        for key in KEYS {
            let value = table[key.section].get(key.name);
            assert_eq!(value.is_none(), key.absent.is_some(), "{}", key.path());
            let example = key.absent.map(|(_, example)| example.parse::<Value>().unwrap());
            let value = value.cloned().or(example).unwrap();
            assert_eq!(key.check(&value), Ok(()), "{}", key.path());
            let mut alone = Table::new();
            alone.insert(key.section.into(), Value::Table([(key.name.to_owned(), value)].into_iter().collect()));
            assert!(alone.try_into::<Config>().is_ok(), "{}", key.path());
        }
        for (section, values) in table.iter().filter(|(section, _)| ![LAYERS, JOBS].contains(&section.as_str())) {
            for name in values.as_table().unwrap().keys() {
                assert!(find(section, name).is_some(), "{section}.{name} is missing");
            }
        }
        let full = || Some("x".to_owned());
        let layer = LayerConfig {
            inputs: vec!["a.csv".into()],
            table: full(),
            sql: full(),
            geometry: full(),
            filter: full(),
            srid: Some(3857),
            refresh: Some(SECOND),
            columns: vec!["size".into()],
            title: full(),
            attribution: full(),
            lon: full(),
            lat: full(),
            weight: full(),
            time: full(),
            category: full(),
            style: [("scheme".to_owned(), "fire".to_owned())].into(),
            ..LayerConfig::default()
        };
        let layer = Table::try_from(&layer).unwrap();
        assert_eq!(layer.len(), LAYER_KEYS.len());
        for key in LAYER_KEYS {
            assert_eq!(key.check(&layer[key.name]), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn a_job_has_the_keys_of_the_table() {
        let full = || Some("x".to_owned());
        let place = PlaceConfig { name: "x".into(), bounds: full() };
        let job = JobConfig {
            layer: full(),
            inputs: vec!["a.csv".into()],
            query: full(),
            lon: full(),
            lat: full(),
            weight: full(),
            time: full(),
            schedule: full(),
            timezone: full(),
            bounds: full(),
            places: vec![place],
            size: full(),
            projection: full(),
            style: [("scheme".to_owned(), "fire".to_owned())].into(),
            window: full(),
            start: full(),
            end: full(),
            keep: Some(1),
            ..JobConfig::default()
        };
        let job = Table::try_from(&job).unwrap();
        let names =
            |keys: &[Key]| keys.iter().map(|key| key.name.to_owned()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(job.keys().cloned().collect::<std::collections::BTreeSet<_>>(), names(JOB_KEYS));
        let place = job[PLACES][0].as_table().unwrap();
        assert_eq!(place.keys().cloned().collect::<std::collections::BTreeSet<_>>(), names(PLACE_KEYS));
    }

    #[test]
    fn the_radius_goes_as_far_as_a_kernel() {
        let (key, most) = (find("limits", "radius_px").unwrap(), crate::raster::Kernel::MAX_RADIUS_PX);
        assert!(key.check(&Value::Float(most)).is_ok() && key.check(&Value::Float(most + 1.0)).is_err());
    }

    #[test]
    fn variables_are_named_after_keys_and_no_two_are_the_same() {
        let mut names: Vec<_> = KEYS.iter().map(Key::variable).collect();
        assert!(names.contains(&"KILN_SERVER_CORS_ORIGINS".to_owned()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        let short: Vec<_> = KEYS.iter().filter_map(|key| key.short_variable).collect();
        assert!(short.iter().all(|short| !names.iter().any(|name| name == short)), "{short:?}");
    }

    #[test]
    fn what_was_meant_is_suggested() {
        assert!(no_key("Max-Count", "images", KEYS).contains("did you mean max_count? images has folder, ttl,"));
        assert!(no_key("ttl", "server", KEYS).contains("did you mean images.ttl or queries.ttl?"));
        assert!(no_key("colour", "layers", LAYER_KEYS).starts_with("no such key; a layer has input,"));
        assert!(no_section("imges").contains("did you mean images?"));
        assert!(no_section("listen").contains("did you mean server.listen?"));
    }
}
