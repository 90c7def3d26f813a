//! `kiln bins sql`: engines sum the bins that Kiln has for the same points, to the cell and the bit.

mod data;
mod engines;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use crate::kiln::{data, kiln};
use engines::{Sail, duckdb, python};
use table::{Bins, Grouping, Sums, assert_same, of_files, of_layer, parquet_files};

const DAY_US: i64 = 86_400_000_000;
/// Zooms of the comparisons, and the levels of their cells.
const ZOOMS: [u8; 5] = [0, 4, 8, 12, 16];

/// The SQL for an engine.
fn sql(folder: &Path, engine: &str, arguments: &str) -> String {
    let arguments = format!("bins sql --engine {engine} {arguments}");
    let run = kiln(folder, arguments.split(' '));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments}");
    String::from_utf8(run.stdout).unwrap()
}

/// Bins without weights: every point weighs 1, and the columns are missing.
fn counts(bins: Bins) -> Bins {
    bins.into_iter().map(|(key, sums)| (key, Sums { weight: 0, max: 0, ..sums })).collect()
}

/// The pictures below a folder, by their paths.
fn tiles(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for path in below.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "png") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Writes the points and imports them as the layer `trips`.
fn random_layer(home: &Path) {
    let accepted = data::write_random(&home.join("trips.parquet"), data::count());
    let summary =
        kiln(home, "import trips.parquet --layer trips --weight fare --time paid_at --category-column kind".split(' '))
            .done();
    let grouping = Grouping { level: 8, ..Grouping::default() };
    let stored: u64 = of_layer(&home.join("store"), "trips", grouping).values().map(|sums| sums.n).sum();
    assert_eq!(stored, accepted as u64, "{summary}");
}

/// The groupings of random points that are compared: arguments, and how Kiln groups.
fn groupings() -> Vec<(String, Grouping)> {
    let plain = |zoom: u8| (format!("--zoom {zoom}"), Grouping { level: zoom + 8, ..Grouping::default() });
    let mut all: Vec<(String, Grouping)> = ZOOMS.into_iter().map(plain).collect();
    let day: fn(i64) -> i64 = |time| time.div_euclid(DAY_US) * DAY_US;
    let week: fn(i64) -> i64 = |time| (time + 3 * DAY_US).div_euclid(7 * DAY_US) * 7 * DAY_US - 3 * DAY_US;
    let quarter: fn(i64) -> i64 = |time| time.div_euclid(900_000_000) * 900_000_000;
    let month: fn(i64) -> i64 = |time| first_of(time, true);
    let year: fn(i64) -> i64 = |time| first_of(time, false);
    for (every, bucket) in [("15m", quarter), ("1d", day), ("1w", week), ("1mo", month), ("1y", year)] {
        let grouping = Grouping { level: 10, bucket: Some(bucket), has_categories: false };
        all.push((format!("--zoom 2 --time paid_at --every {every}"), grouping));
    }
    let grouping = Grouping { level: 14, bucket: None, has_categories: true };
    all.push(("--zoom 5 --dense --category kind".into(), grouping));
    all.push(("--zoom 24".into(), Grouping { level: 32, ..Grouping::default() }));
    all
}

/// The start of the month or year of a time in UTC: the civil calendar by days, without a library.
fn first_of(time: i64, is_month: bool) -> i64 {
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let (mut days, mut year) = (time.div_euclid(DAY_US), 1970);
    while days < 0 {
        year -= 1;
        days += 365 + i64::from(is_leap(year));
    }
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut day = days;
    for length in lengths {
        if day < length {
            break;
        }
        day -= length;
    }
    time.div_euclid(DAY_US) * DAY_US - DAY_US * if is_month { day } else { days }
}

#[test]
fn bins_of_cities_in_duckdb_and_spark_connect_are_those_of_kiln() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cities = data("cities.parquet");
    let cities = cities.to_str().unwrap();
    kiln(home, ["import", cities, "--layer", "cities", "--weight", "population"]).done();
    let options = format!("--table {cities} --lon longitude --lat latitude");
    let (mut statements, mut selects) = (Vec::new(), Vec::new());
    for zoom in ZOOMS {
        let weighted = format!("{options} --weight population --zoom {zoom}");
        statements.push(sql(home, "duckdb", &format!("{weighted} --to duckdb-{zoom}.parquet")));
        selects.push((sql(home, "spark", &weighted), home.join(format!("sail-{zoom}"))));
    }
    statements.push(sql(home, "duckdb", &format!("{options} --zoom 8 --to counts")));
    duckdb(home, &statements);
    Sail::start(home).write(home, &selects);
    for zoom in ZOOMS {
        let level = zoom + 8;
        let expected = of_layer(&home.join("store"), "cities", Grouping { level, ..Grouping::default() });
        for output in [format!("duckdb-{zoom}.parquet"), format!("sail-{zoom}")] {
            assert_same(&output, &of_files(&home.join(&output), level), &expected);
        }
    }
    // Layers of the bins have the tiles of the points.
    let export = |layer: &str| {
        let folder = format!("{layer}-tiles");
        kiln(home, ["export", layer, "-o", &format!("{folder}/"), "--zoom", "0-3"]).done();
        tiles(&home.join(folder))
    };
    let of_points = export("cities");
    assert!(of_points.len() > 20);
    for (layer, input) in [("from-duckdb", "duckdb-4.parquet"), ("from-sail", "sail-4/*.parquet")] {
        kiln(home, ["import", input, "--layer", layer]).done();
        assert!(export(layer) == of_points, "tiles of {layer}");
    }
    let expected = counts(of_layer(&home.join("store"), "cities", Grouping { level: 16, ..Grouping::default() }));
    assert_same("counts", &of_files(&home.join("counts"), 16), &expected);
}

#[test]
fn bins_of_random_points_in_duckdb_and_spark_connect_are_those_of_kiln() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    random_layer(home);
    let (mut statements, mut selects) = (Vec::new(), Vec::new());
    let table = home.join("trips.parquet");
    let options = format!("--table {} --weight fare", table.to_str().unwrap());
    for (index, (arguments, _)) in groupings().iter().enumerate() {
        statements.push(sql(home, "duckdb", &format!("{options} {arguments} --to duckdb-{index}.parquet")));
        selects.push((sql(home, "spark", &format!("{options} {arguments}")), home.join(format!("sail-{index}"))));
    }
    duckdb(home, &statements);
    Sail::start(home).write(home, &selects);
    for (index, (arguments, grouping)) in groupings().into_iter().enumerate() {
        let expected = of_layer(&home.join("store"), "trips", grouping);
        for output in [format!("duckdb-{index}.parquet"), format!("sail-{index}")] {
            assert_same(&format!("{output} {arguments}"), &of_files(&home.join(&output), grouping.level), &expected);
        }
    }
}

#[test]
fn a_minimum_count_and_a_condition_remove_rows() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    random_layer(home);
    let options = ["bins", "sql", "--engine", "duckdb", "--table", "trips.parquet", "--weight", "fare", "--zoom", "4"];
    // A comment in a condition ends with its line; `OR` does not escape the other conditions.
    let condition = ["--where", "kind = 'bus' OR kind IS NULL -- all", "--category", "kind", "--to", "kinds.parquet"];
    let minimum = ["--at-least", "3", "--to", "minimum.parquet"];
    let statement = |more: &[&str]| String::from_utf8(kiln(home, options.iter().chain(more)).stdout).unwrap();
    duckdb(home, &[statement(&condition), statement(&minimum)]);
    let store = home.join("store");
    let mut expected = of_layer(&store, "trips", Grouping { level: 12, ..Grouping::default() });
    let all = expected.len();
    expected.retain(|_, sums| sums.n >= 3);
    assert!(!expected.is_empty() && expected.len() < all);
    assert_same("minimum", &of_files(&home.join("minimum.parquet"), 12), &expected);
    let found = of_files(&home.join("kinds.parquet"), 12);
    let expected = of_layer(&store, "trips", Grouping { level: 12, bucket: None, has_categories: true });
    let kinds = |bins: Bins, kind: &str| -> Bins {
        bins.into_iter().filter(|((_, _, _, found), _)| found.as_deref() == Some(kind)).collect()
    };
    assert_same("bus", &kinds(found.clone(), "bus"), &kinds(expected.clone(), "bus"));
    assert!(kinds(expected, "tram").len() > 100 && kinds(found, "tram").is_empty());
}

/// Names that would end a quoted identifier or string in some dialect.
#[test]
fn names_cannot_escape_from_their_quotes() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let names = ["x\"\"; DROP TABLE t; --", "y`; DROP TABLE t; --", "kiln_w", "select", "a\\", "it''s"];
    let columns = names.map(|name| format!("1.5 AS \"{name}\"")).join(", ");
    let create = format!("COPY (SELECT {columns}) TO 'it''s.parquet' (FORMAT parquet)");
    duckdb(home, &[create]);
    let table = home.join("it's.parquet");
    let (mut statements, mut selects) = (Vec::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        let quoted = format!("\"{name}\"");
        let arguments = |engine: &'static str, table: &str, more: &[&str]| {
            let arguments = ["bins", "sql", "--engine", engine, "--table", table, "--zoom", "3"];
            let columns = ["--lon", &quoted, "--lat", &quoted, "--weight", &quoted, "--category", &quoted];
            let run = kiln(home, arguments.iter().chain(&columns).chain(more));
            assert_eq!(run.code, 0, "{}", run.stderr);
            String::from_utf8(run.stdout).unwrap()
        };
        statements.push(arguments("duckdb", "it's.parquet", &["--to", &format!("o'{index}.parquet")]));
        selects.push((arguments("spark", table.to_str().unwrap(), &[]), home.join(format!("s'{index}"))));
    }
    duckdb(home, &statements);
    Sail::start(home).write(home, &selects);
    for index in 0..names.len() {
        for output in [format!("o'{index}.parquet"), format!("s'{index}")] {
            let bins = of_files(&home.join(&output), 11);
            let [(key, sums)] = bins.iter().collect::<Vec<_>>()[..] else { panic!("{output}: {bins:?}") };
            assert_eq!((sums.n, key.3.as_deref()), (1, Some("1.5")), "{output}");
        }
    }
}

#[test]
fn the_pyspark_program_writes_complete_runs_only() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    random_layer(home);
    let table = home.join("trips.parquet");
    let arguments = ["bins", "sql", "--format", "pyspark", "--weight", "fare", "--zoom", "8", "--category", "kind"];
    let condition = "trim(kind) = '{partition}' AND '\"\"\"\\\\' <> ''";
    let more = ["--table", table.to_str().unwrap(), "--where", condition, "--to", home.to_str().unwrap()];
    let run = kiln(home, arguments.iter().chain(&more));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let program = String::from_utf8(run.stdout).unwrap();
    std::fs::write(home.join("bins.py"), &program).unwrap();
    let sail = Sail::start(home);
    let start = |program: &str, run: &str, partition: &str| {
        python(home, &[program, "--remote", &sail.url(), "--partition", partition, "--run", run])
    };

    let (is_ok, folder, message) = start("bins.py", "1", "tram");
    assert!(is_ok, "{message}");
    let folder = Path::new(folder.trim());
    assert_eq!(folder, home.join("tram/run=1"));
    let expected = of_layer(&home.join("store"), "trips", Grouping { level: 16, bucket: None, has_categories: true });
    let expected: Bins = expected.into_iter().filter(|(key, _)| key.3.as_deref() == Some("tram")).collect();
    assert!(expected.len() > 1000, "{}", expected.len());
    assert_same("pyspark", &of_files(folder, 16), &expected);
    let text = std::fs::read_to_string(folder.join("totals.json")).unwrap();
    let totals: serde_json::Value = serde_json::from_str(&text).unwrap();
    let n: u64 = expected.values().map(|sums| sums.n).sum();
    let files = parquet_files(folder).len();
    assert_eq!(totals, serde_json::json!({"level": 16, "n": n, "rows": expected.len(), "files": files}));
    assert!(folder.join("_SUCCESS").is_file());

    // A run is never written to again.
    let (is_ok, ..) = start("bins.py", "1", "tram");
    assert!(!is_ok);
    assert_eq!(
        (parquet_files(folder).len(), std::fs::read_to_string(folder.join("totals.json")).unwrap()),
        (files, text)
    );
    // Points that are lost between the table and the files.
    let losing = program.replace("SELECT COUNT(*) AS n", "SELECT COUNT(*) + 1 AS n");
    assert_ne!(losing, program);
    std::fs::write(home.join("losing.py"), losing).unwrap();
    let (is_ok, _, message) = start("losing.py", "2", "tram");
    assert!(!is_ok && message.contains("run it again"), "{message}");
    let lost = home.join("tram/run=2");
    assert!(!parquet_files(&lost).is_empty() && !lost.join("_SUCCESS").exists() && !lost.join("totals.json").exists());
    // A partition without points.
    let (is_ok, _, message) = start("bins.py", "4", "none");
    assert!(!is_ok && message.contains("nothing was written") && !home.join("none").exists(), "{message}");
    // Neither may a partition leave its folder or the quotes of the condition.
    for partition in ["../x", "a' OR '1' = '1", ".."] {
        let (is_ok, _, message) = start("bins.py", "3", partition);
        assert!(!is_ok && message.contains("invalid: "), "{message}");
    }
}

#[test]
fn what_an_engine_cannot_do_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        ("--table t", &["engine", "spark, duckdb"][..]),
        ("--engine mysql --table t", &["mysql", "clickhouse"]),
        ("--engine duckdb", &["--table"]),
        ("--engine duckdb --table t --zoom 25", &["--zoom", "24"]),
        ("--engine duckdb --table t --zoom 24 --dense", &["--zoom", "23"]),
        ("--engine duckdb --table t --time at", &["--every"]),
        ("--engine duckdb --table t --every 1d", &["--time"]),
        ("--engine duckdb --table t --time at --every 7h", &["7h", "divides a day"]),
        ("--engine duckdb --table t --at-least 0", &["--at-least", "expected a whole number from 1 to 1000000000"]),
        ("--engine duckdb --table t --lon a..b", &["--lon", "a..b"]),
        ("--engine trino --table a/b.parquet", &["--table", "trino", "external table"]),
        ("--engine snowflake --table t --to /tmp/x", &["--to", "@stage"]),
        ("--engine bigquery --table t --to https://x/y", &["--to", "gs://"]),
        ("--engine duckdb --table t --to https://x/y", &["--to", "s3://"]),
        ("--engine clickhouse --table t --to az://x/y", &["--to", "s3://"]),
        ("--engine trino --table t --to gs://x/y", &["--to", "new table"]),
        ("--engine duckdb --table t --format pyspark", &["--format", "spark, not duckdb"]),
        ("--engine spark --table t --format yaml", &["--format", "pyspark"]),
    ] {
        kiln(home.path(), format!("bins sql {arguments}").split(' ')).failed(2, words);
    }
    for arguments in [["--where", " "], ["--table", ""], ["--lat", "\"a"], ["--weight", "a\nb"], ["--to", ""]] {
        let fixed = ["bins", "sql", "--engine", "duckdb", "--zoom", "3"];
        let table: &[&str] = if arguments[0] == "--table" { &[] } else { &["--table", "t"] };
        kiln(home.path(), fixed.iter().chain(table).chain(&arguments)).failed(2, &[arguments[0]]);
    }
    let run = kiln(home.path(), "bins sql --engine trino --table lake.trips --to lake.bins".split(' '));
    assert!(run.code == 0 && run.stderr.contains("no test of Kiln runs SQL in trino"), "{}", run.stderr);
}
