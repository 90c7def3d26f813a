//! `kiln matrix`.

use std::path::Path;

use serde_json::{Value, json};

use crate::kiln::{Run, kiln, kiln_with_env, kiln_with_input};

/// A log without coordinates.
const LOG: &str = "time,delay,carrier\n\
    2024-05-06T07:30:00Z,10,AA\n\
    2024-05-06T07:45:00Z,20,BB\n\
    2024-05-07T09:00:00Z,-4,AA\n\
    ,3,AA\n";

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("log.csv", LOG);
    write("load.csv", ",web,db\ncpu,1,2\nmemory,,4\n");
    write("sales.json", r#"{"points": [{"x": "north", "y": "tea", "value": 3}], "title": "Sales", "scheme": "fire"}"#);
    home
}

fn run(home: &Path, line: &str) -> Run {
    kiln(home, line.split_whitespace())
}

fn json_of(home: &Path, line: &str) -> Value {
    let run = run(home, &format!("{line} -q -o - --format json"));
    assert_eq!(run.code, 0, "{line}: {}", run.stderr);
    serde_json::from_slice(&run.stdout).unwrap()
}

#[test]
fn files_of_points_need_no_coordinates() {
    let home = home();
    let home = home.path();
    let matrix = json_of(home, "matrix log.csv --x hour --y weekday");
    assert_eq!((&matrix["values"][0][7], &matrix["values"][1][9]), (&json!(2), &json!(1)));
    assert_eq!((&matrix["total"], &matrix["unplaced"]), (&json!(3), &json!(1)));
    // The value and the category are columns of the file.
    let delays = json_of(home, "matrix log.csv --x hour --y carrier --value delay --agg max");
    assert_eq!((&delays["y"]["labels"], &delays["values"][1][7]), (&json!(["AA", "BB"]), &json!(20)));
    assert_eq!(delays["unit"], "max of delay");
    let local =
        json_of(home, "matrix log.csv --x hour --y none --start 2024-05-06T09:40 --tz Europe/Paris --hours 7-9");
    assert_eq!((&local["total"], &local["values"]), (&json!(1), &json!([[null, null, 1]])));
    std::fs::write(home.join("log.json"), r#"[{"time": "2024-05-06T07:30:00Z"}]"#).unwrap();
    assert_eq!(json_of(home, "matrix log.json --x hour --y month")["total"], 1);
    let summary = run(home, "matrix log.csv --x hour -o week.csv").done();
    assert!(summary.contains("3 points in 24x7 cells, 1 point without a value on an axis"), "{summary}");
    let piped = kiln_with_input(home, "matrix - --x hour --y none -q -o - --format csv".split(' '), LOG.as_bytes());
    assert!(piped.stdout.starts_with(b",0,1,2,"), "{}", piped.stderr);
    let line = "matrix log.csv --x lon --y hour -o map.png";
    run(home, line).failed(1, &["log.csv: ", "longitude"]);
    run(home, "matrix log.csv --x hour --y gate -o gates.png").failed(1, &["log.csv: ", "gate", "carrier"]);
}

#[test]
fn text_on_standard_output_ends_with_its_line_and_is_not_named_in_the_summary() {
    let home = home();
    for input in ["load.csv", "log.csv --x hour"] {
        for format in ["json", "chartjs", "csv", "svg"] {
            let run = run(home.path(), &format!("matrix {input} -o - --format {format}"));
            assert!(run.stdout.ends_with(b"\n") && !run.stdout.ends_with(b"\n\n"), "{input} as {format}");
            assert!(run.stderr.contains(" cells") && run.stderr.trim_end().ends_with(" s"), "{}", run.stderr);
        }
    }
}

#[test]
fn the_format_is_that_of_the_extension() {
    let home = home();
    let home = home.path();
    kiln(home, "import log.csv --layer log --crs plane --lon delay --lat delay".split(' ')).done();
    let start = |name: &str| std::fs::read(home.join(name)).unwrap()[..5].to_vec();
    for (input, axes) in [("log", ""), ("log.csv", "--x hour"), ("load.csv", ""), ("sales.json", "")] {
        for (name, bytes) in [("a.png", &b"\x89PNG\r"[..]), ("a.svg", b"<svg "), ("a.json", b"{\"x\":")] {
            let summary = run(home, &format!("matrix {input} {axes} -o {name} -q")).done();
            assert_eq!((start(name).as_slice(), summary.as_str()), (bytes, ""), "{input} {name}");
        }
        run(home, &format!("matrix {input} {axes} -o a.csv")).done();
        assert_eq!(std::fs::read(home.join("a.csv")).unwrap()[0], b',', "{input}");
    }
    let sizes = ["1", "2"].map(|ratio| {
        run(home, &format!("matrix load.csv -o a.png -q --pixel-ratio {ratio}")).done();
        image::open(home.join("a.png")).unwrap().width()
    });
    assert_eq!(sizes[1], 2 * sizes[0]);
    let svg = |line: &str| {
        run(home, &format!("{line} -o a.svg -q")).done();
        std::fs::read_to_string(home.join("a.svg")).unwrap()
    };
    assert!(svg("matrix sales.json").contains("Sales"), "the keys of a JSON object are options");
    assert!(svg("matrix sales.json --title Other").contains("Other"));
    let labels = "matrix load.csv --x-labels one --x-labels two";
    assert!(json_of(home, labels)["x"]["labels"] == json!(["one", "two"]));
    let labels = json_of(home, "matrix load.csv --x-labels one,two --y-labels a,b --y-labels c");
    assert_eq!((&labels["x"]["labels"], &labels["y"]["labels"]), (&json!(["one", "two"]), &json!(["a,b", "c"])));
}

#[test]
fn a_table_with_a_row_per_cell_is_read_by_its_columns() {
    let home = home();
    let home = home.path();
    std::fs::write(home.join("long.csv"), "server,metric,load\nweb,cpu,1\nweb,cpu,3\ndb,cpu,5\n").unwrap();
    let matrix = json_of(home, "matrix long.csv --x server --y metric --value load --agg sum");
    assert_eq!((&matrix["y"]["labels"], &matrix["unit"]), (&json!(["cpu"]), &json!("sum of load")));
    run(home, "matrix long.csv --x server --y metric --value load -o a.png")
        .failed(2, &["--agg: the cell web, cpu occurs in row 2 and row 3"]);
    run(home, "matrix long.csv --x host --y metric --value load -o a.png")
        .failed(2, &["--x: no column is named `host`", "server"]);
    // An axis named like a part of the time selects points, unless the file has columns of the names of both axes.
    std::fs::write(home.join("hours.csv"), "Hour,day,mean\n7,Mon,1.5\n8,Tue,2\n").unwrap();
    std::fs::write(home.join("hours.json"), r#"[{"hour": "7", "day": "Mon", "mean": 1.5}]"#).unwrap();
    let matrix = json_of(home, "matrix hours.csv --x hour --y day --value mean");
    assert_eq!(matrix["values"], json!([[1.5, null], [null, 2]]));
    assert_eq!(json_of(home, "matrix hours.json --x hour --y day --value mean")["values"], json!([[1.5]]));
    run(home, "matrix hours.csv --x hour --y weekday -o a.png").failed(
        1,
        &["hours.csv: ", "no column has a usual name for the time", "--time", "\"Hour\", \"day\", \"mean\""],
    );
    run(home, "matrix hours.csv --kind points --x hour --y day -o a.png").failed(1, &["hours.csv: ", "--time"]);
}

#[test]
fn a_filter_by_a_part_of_the_time_limits_the_values_of_its_axis() {
    let home = home();
    let home = home.path();
    let filter = "--hours 7-9 --weekdays mon,tue";
    let matrix = json_of(home, &format!("matrix log.csv --x hour --y weekday {filter}"));
    assert_eq!((&matrix["x"]["keys"], &matrix["y"]["labels"]), (&json!([7, 8, 9]), &json!(["Mon", "Tue"])));
    assert_eq!(matrix["values"], json!([[2, null, null], [null, null, 1]]));
    let csv = run(home, &format!("matrix log.csv --x hour --y weekday {filter} -q -o - --format csv"));
    assert_eq!(String::from_utf8(csv.stdout).unwrap(), ",7,8,9\nMon,2,,\nTue,,,1\n");
    let other = json_of(home, "matrix log.csv --x day --y none --hours 7-9");
    assert_eq!(other["x"]["labels"].as_array().unwrap().len(), 31);
}

#[test]
fn sums_of_fractions_have_no_noise_of_their_weights() {
    let home = home();
    let home = home.path();
    let log = "time,amount\n2024-03-06T07:30:00Z,58.1\n2024-03-07T07:30:00Z,58.3\n2023-12-31T08:00:00Z,0.25\n";
    std::fs::write(home.join("sales.csv"), log).unwrap();
    for (aggregate, values) in [("sum", json!([[0.25, null, null, 116.4]])), ("max", json!([[0.25, null, null, 58.3]]))]
    {
        let matrix =
            json_of(home, &format!("matrix sales.csv --x year-month --y none --value amount --agg {aggregate}"));
        assert_eq!(matrix["values"], values);
        assert_eq!(matrix["x"]["keys"], json!(["2023-12", "2024-01", "2024-02", "2024-03"]));
    }
}

#[test]
fn a_file_of_times_alone_has_matrices() {
    let home = home();
    let home = home.path();
    for (text, flags) in [
        ("time\n2024-05-06T07:30:00Z\n2024-05-06T07:45:00Z\n", ""),
        ("Timestamp\n1714980600\n1714981500\n", ""),
        ("seen\n2024-05-06 07:30\n2024-05-06 07:45\n", "--time seen"),
    ] {
        std::fs::write(home.join("times.csv"), text).unwrap();
        let matrix = json_of(home, &format!("matrix times.csv --x hour --y weekday {flags}"));
        assert_eq!((&matrix["total"], &matrix["values"][0][7]), (&json!(2), &json!(2)), "{text}");
    }
    run(home, "render times.csv -o a.png").failed(1, &["times.csv: ", "longitude"]);
}

#[test]
fn a_terminal_shows_the_chart() {
    let home = home();
    let home = home.path();
    for input in ["load.csv", "log.csv --x hour --tz Asia/Tokyo"] {
        let line = format!("matrix {input} --term -q");
        let plain = kiln_with_env(home, line.split(' '), &[("COLUMNS", "60")]);
        assert_eq!(plain.code, 0, "{}", plain.stderr);
        let text = String::from_utf8(plain.stdout).unwrap();
        assert!(!text.contains('\x1b') && text.lines().count() > 2, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        let colors = kiln_with_env(home, line.split(' '), &[("COLUMNS", "60"), ("CLICOLOR_FORCE", "1")]);
        assert!(String::from_utf8(colors.stdout).unwrap().contains("\x1b["));
    }
    let both = run(home, "matrix load.csv --term -o a.png -q");
    assert!(both.code == 0 && !both.stdout.is_empty() && home.join("a.png").is_file(), "{}", both.stderr);
}

#[test]
fn invalid_flags_are_errors_in_one_line() {
    let home = home();
    let home = home.path();
    for (line, words) in [
        ("matrix load.csv", &["--output: missing", "--term"][..]),
        ("matrix load.csv -o a.gif", &["--output: `a.gif` has none of the extensions .png, .svg, .csv, .json"]),
        ("matrix load.csv --format chartjs", &["--output: missing", "chartjs to standard output with `-o -`"]),
        ("matrix load.csv -o -", &["--output: `-`", "--format"]),
        ("matrix load.csv --term --format png", &["--format: it applies to --output"]),
        ("matrix load.csv -o a.csv --scheme fire", &["--scheme: the flag applies to charts"]),
        ("matrix load.csv -o a.png --scheme fier", &["--scheme: ", "fire"]),
        ("matrix load.csv -o a.png --hours 7-9", &["--hours: the flag applies to points", "--kind"]),
        ("matrix load.csv -o a.png --x-labels one", &["x-labels"]),
        (
            "matrix log.csv --x hour -o a.png --x-labels one",
            &["--x-labels: the flag applies to an input that is a matrix"],
        ),
        ("matrix log.csv --x hour -o a.png --tz Mars", &["--tz: unknown time zone `Mars`"]),
        ("matrix log.csv --x hour -o a.png --hours 25", &["--hours"]),
        ("matrix log.csv --x hour --agg median -o a.png", &["--agg", "count, sum, mean, max"]),
        ("matrix log.csv load.csv --kind matrix -o a.png", &["--input: a matrix is one file"]),
    ] {
        run(home, line).failed(2, words);
    }
    run(home, "matrix nothing -o a.png").failed(1, &["there is no layer `nothing`"]);
    std::fs::create_dir(home.join("folder")).unwrap();
    run(home, "matrix folder -o a.png").failed(1, &["folder: the input is a folder"]);
    run(home, "matrix nothing.csv -o a.png").failed(1, &["nothing.csv"]);
    std::fs::write(home.join("ragged.csv"), ",a,b\nr,1,2\ns,x,2\n").unwrap();
    run(home, "matrix ragged.csv -o a.png").failed(1, &["ragged.csv: ", "x"]);
    std::fs::write(home.join("key.json"), r#"{"values": [[1]], "titel": "a"}"#).unwrap();
    run(home, "matrix key.json -o a.png").failed(1, &["key.json: unknown key `titel`; did you mean title?"]);
}
