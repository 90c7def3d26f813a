//! The database groups points into matrices as a scan of a stored layer of the same points does.

use std::fmt::Write;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kiln::calendar::{TimePart, TimePartFilter};
use kiln::geo::{Bounds, Polygon};
use kiln::postgis::{Address, Database, DatabaseOptions, LiveSnapshot, TableSpec};
use kiln::source::{Columns, MemorySource, PointColumns, PointSet, Query, ReadOptions, Source, parse_time_us};
use kiln::store::{Description, ExistingPoints, Progress, Store};
use kiln_core::matrix::{Axis, AxisKeys, BinQuantity, MatrixRequest, NumberBins, PointMatrix, scan_matrix};
use serde_json::json;

use super::cluster::{self, Cluster};
use super::equivalence::{TABLE, points};
use crate::kiln::kiln;
use crate::server::Server;

/// The points of the equivalence tests at other times: over two years, some of them in the hours around changes of the
/// clocks, and some without a time.
fn timed_points(count: usize) -> String {
    let start = "2023-06-01T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
    let changes = ["2024-03-10T06:59:59Z", "2024-03-10T07:00:00Z", "2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z"];
    let mut text = String::from("lon,lat,weight,time,category\n");
    for (index, line) in points(count).lines().skip(1).enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        let time = match index % 10 {
            0 => String::new(),
            1 => changes[index / 10 % changes.len()].to_owned(),
            _ => Timestamp::from_second(start + index as i64 * 3169).unwrap().to_string(),
        };
        writeln!(text, "{},{},{},{time},{}", fields[0], fields[1], fields[2], fields[4]).unwrap();
    }
    text
}

/// The points of a stored layer of `text`, in memory.
fn stored_points(text: &str) -> PointColumns {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("points.csv");
    std::fs::write(&file, text).unwrap();
    let store = Store::open(&home.path().join("store")).unwrap();
    let layer = store.create("stored", Description::default()).unwrap();
    let input = kiln::source::open(file.to_str().unwrap(), &ReadOptions::default()).unwrap();
    layer.import(&*input, &Query::default(), ExistingPoints::Keep, None, 1, &Progress::default()).unwrap();
    let mut all = PointColumns::default();
    let query = Query::default().with_weights(true).with_times(true).with_categories(true);
    let mut sink = |points: kiln::geo::Points<'_>| {
        all.add(points);
        std::ops::ControlFlow::Continue(())
    };
    layer.snapshot().scan(&query, &mut [&mut sink]).unwrap();
    all
}

fn open(database: &cluster::Database, spec: &TableSpec, columns: &[&str]) -> LiveSnapshot {
    let address: Address = database.url().parse().unwrap();
    let connected = Database::open(&address, &DatabaseOptions::default()).unwrap();
    let relation = connected.relation("live", spec).unwrap();
    let comparable = columns.iter().map(|column| (*column).to_owned()).collect();
    let description = kiln::source::Description { comparable, ..kiln::source::Description::default() };
    LiveSnapshot::of(&connected, relation.with_description(description), None).unwrap()
}

fn assert_equal(found: &PointMatrix, expected: &PointMatrix, request: &MatrixRequest) {
    assert_eq!((&found.x, &found.y), (&expected.x, &expected.y), "{request:?}");
    assert_eq!(found.unplaced, expected.unplaced, "{request:?}");
    assert_eq!(found.cells.len(), expected.cells.len(), "{request:?}");
    for (found, expected) in found.cells.iter().zip(&expected.cells) {
        assert_eq!((found.x, found.y, found.count), (expected.x, expected.y, expected.count), "{request:?}");
        assert!((found.sum - expected.sum).abs() < 1e-6, "{request:?}: {found:?} {expected:?}");
        assert!((found.max - expected.max).abs() < 1e-6, "{request:?}: {found:?} {expected:?}");
    }
}

/// Filters of times, categories, parts of times and areas.
fn queries() -> Vec<Query<'static>> {
    let all = Query::default().with_weights(true);
    let filter = |hours: &str, weekdays: &str, months: &str, zone: &str| {
        let zone = TimeZone::get(zone).unwrap();
        TimePartFilter::new(hours.parse().ok(), weekdays.parse().ok(), months.parse().ok(), zone).unwrap()
    };
    let parts = vec![filter("22-8", "", "oct-apr", "America/New_York"), filter("", "fri-mon", "", "Asia/Kathmandu")];
    let area = Polygon::new(&[vec![vec![[-80.0, 0.5], [60.0, 5.0], [30.0, 70.0], [-80.0, 0.5]]]]).unwrap();
    vec![
        all.clone(),
        Query::default().with_start(parse_time_us("2024-01-05")).with_end(parse_time_us("2024-11-20T07:00:00Z")),
        all.clone().with_time_parts(parts).with_category_filter(vec!["tram".into(), "o'ferry".into()]),
        all.with_polygon(Some(Arc::new(area))),
    ]
}

#[test]
fn matrices_of_a_table_equal_those_of_a_stored_layer() {
    let text = timed_points(8_000);
    let database = Cluster::shared().database();
    database.sql("CREATE TABLE rows (lon float8, lat float8, weight float4, time timestamptz, category text)");
    database.sql_with("COPY rows FROM STDIN (FORMAT csv, HEADER, FORCE_NOT_NULL (category))", text.as_bytes());
    database.sql(TABLE);
    database.sql(
        "INSERT INTO live VALUES (NULL, 1, '2024-01-01', 'bus'), (ST_SetSRID(ST_MakePoint(1, 2), 4326), NULL, '2024-01-01', 'bus');
         CREATE VIEW mercator AS SELECT ST_Transform(place, 3857)::geometry(Point, 3857) AS place, weight,
           time AT TIME ZONE 'UTC' AS time, category FROM live WHERE ST_Y(place) BETWEEN -85.05 AND 85.05",
    );
    let live = open(&database, &TableSpec { table: Some("live".into()), ..TableSpec::default() }, &[]);
    let stored = stored_points(&text);
    let stored = MemorySource(stored.points());
    let limited = |quantity, min, max, count| Axis::Bins(quantity, NumberBins::between(min, max, count).unwrap());
    let unlimited = |quantity, width| Axis::Bins(quantity, NumberBins::of_width(width).unwrap());
    let mut axes = vec![
        limited(BinQuantity::Lon, -180.0, 180.0, 16),
        limited(BinQuantity::Lat, -11.25, 66.513_260_443_111_86, 9),
        unlimited(BinQuantity::Lon, 7.5),
        unlimited(BinQuantity::Lat, 11.25),
        limited(BinQuantity::Weight, -1.5, 6.25, 11),
        Axis::Category,
        unlimited(BinQuantity::Weight, 0.75),
        // So many that they are not passed as edges.
        limited(BinQuantity::Weight, -1.5, 6.25, 30_000),
        limited(BinQuantity::Lat, -90.0, 90.0, 40_000),
        Axis::Whole,
    ];
    axes.extend(TimePart::ALL.iter().map(|part| Axis::Time(*part)));
    let zones = ["UTC", "America/New_York", "CET"].map(|name| TimeZone::get(name).unwrap());
    for (index, x) in axes.iter().enumerate() {
        let y = &axes[(index + 3) % axes.len()];
        let zone = zones[index % zones.len()].clone();
        let request = MatrixRequest::new(x.clone(), y.clone()).with_zone(zone).with_max_cells(50_000_000);
        for query in &queries() {
            let expected = scan_matrix(&stored, query, &request, 1).unwrap();
            assert!(!expected.cells.is_empty());
            let found = PointSet::matrix(&live, query, &request, 1).unwrap();
            assert_equal(&found, &expected, &request);
        }
    }
    let mercator = open(&database, &TableSpec { table: Some("mercator".into()), ..TableSpec::default() }, &[]);
    let request =
        MatrixRequest::new(Axis::Time(TimePart::Hour), Axis::Time(TimePart::Weekday)).with_zone(zones[1].clone());
    let inside = Polygon::new(&[vec![vec![
        [-180.0, -85.05],
        [180.0, -85.05],
        [180.0, 85.05],
        [-180.0, 85.05],
        [-180.0, -85.05],
    ]]]);
    let query = Query::default().with_weights(true);
    let expected = scan_matrix(&stored, &query.clone().with_polygon(inside.ok().map(Arc::new)), &request, 1).unwrap();
    assert_equal(&mercator.matrix(&query, &request).unwrap(), &expected, &request);

    let few = MatrixRequest::new(Axis::Time(TimePart::Date), Axis::Category).with_max_cells(500);
    let error = live.matrix(&query, &few).unwrap_err().to_string();
    assert_eq!(error, "x: the matrix has more than 500 cells, the limit; use axes with fewer values, or fewer points");
    let near = query.clone().with_near(Bounds::new(17.0, 58.0, 20.0, 61.0).ok());
    assert!(live.matrix(&near, &request).unwrap().cells.len() <= 7 * 24);
}

#[test]
fn filters_by_parts_of_time_apply_to_pictures_counts_and_scans() {
    let text = timed_points(3_000);
    let database = Cluster::shared().database();
    database.sql("CREATE TABLE rows (lon float8, lat float8, weight float4, time timestamptz, category text)");
    database.sql_with("COPY rows FROM STDIN (FORMAT csv, HEADER, FORCE_NOT_NULL (category))", text.as_bytes());
    database.sql(TABLE);
    database.sql("CREATE TABLE untimed AS SELECT place FROM live");
    let live = open(&database, &TableSpec { table: Some("live".into()), ..TableSpec::default() }, &[]);
    let stored = stored_points(&text);
    let stored = MemorySource(stored.points());
    let count = |source: &dyn Source, query: &Query<'_>| {
        let mut count = 0;
        let mut sink = |points: kiln::geo::Points<'_>| {
            count += points.len() as u64;
            std::ops::ControlFlow::Continue(())
        };
        source.scan(query, &mut [&mut sink]).unwrap();
        count
    };
    let canvas = kiln::geo::Canvas::tile(kiln::geo::TileCoord::new(0, 0, 0).unwrap(), 16).unwrap();
    for query in queries() {
        let expected = count(&stored, &query);
        assert!((1..3_000).contains(&expected));
        assert_eq!((live.count(&query).unwrap(), count(&live, &query)), (expected, expected));
        let (cells, _) = live.cells(&query, &canvas, kiln::raster::Reduction::Count, 1.0).unwrap();
        assert_eq!(cells.inside, expected);
    }
    let untimed = open(&database, &TableSpec { table: Some("untimed".into()), ..TableSpec::default() }, &[]);
    let error = untimed.count(&queries()[2].clone().with_category_filter(Vec::new())).unwrap_err().to_string();
    assert_eq!(error, "start: the layer's points have no times to filter by");
    let unnamed = TimePartFilter::new("7".parse().ok(), None, None, TimeZone::fixed(jiff::tz::offset(2))).unwrap();
    let error = live.count(&Query::default().with_time_parts(vec![unnamed])).unwrap_err().to_string();
    assert!(error.starts_with("tz: a database needs a time zone with a name"), "{error}");
}

/// A database without PostGIS, with a table of sales.
fn shop() -> cluster::Database {
    let database = Cluster::shared().bare_database();
    database.sql(
        "CREATE TYPE size AS ENUM ('S', 'L');
         CREATE TABLE sales (region text, day timestamp, amount numeric, \"odd \"\"; name\" int2, size size, paid bool,
           tags text[], doc json, secret text, precise float8) PARTITION BY LIST (region);
         CREATE TABLE sales_north PARTITION OF sales FOR VALUES IN ('north');
         CREATE TABLE sales_others PARTITION OF sales DEFAULT;
         INSERT INTO sales VALUES
           ('north', '2024-01-31 23:30', 10, 1, 'S', true, '{}', '{}', 'a', 0.25),
           ('north', '2024-02-10', 20.5, 2, 'L', false, '{}', '{}', 'b', 1e300),
           ('süd', '2024-02-11', 30, 1, 'L', true, '{}', '{}', 'c', 'NaN'),
           ('süd', '2024-02-12', NULL, NULL, 'L', true, '{}', '{}', 'd', NULL),
           ('', 'infinity', 1, 3, NULL, NULL, '{}', '{}', 'e', 1e-310),
           (NULL, NULL, 2, 3, NULL, NULL, '{}', '{}', 'f', 7);
         CREATE VIEW paid AS SELECT * FROM sales WHERE paid",
    );
    database
}

fn column(name: &str) -> Axis {
    Axis::Column(name.to_owned())
}

fn names(names: &[&str]) -> AxisKeys {
    AxisKeys::Names(names.iter().map(|name| (*name).into()).collect())
}

fn cells(matrix: &PointMatrix) -> Vec<(u32, u32, u64, f64, f64)> {
    matrix.cells.iter().map(|cell| (cell.x, cell.y, cell.count, cell.sum, cell.max)).collect()
}

#[test]
fn a_plain_table_without_positions_has_matrices() {
    let database = shop();
    let spec = TableSpec { table: Some("sales".into()), geometry: Some("none".into()), ..TableSpec::default() };
    let columns = ["region", "amount", "odd \"; name", "size", "tags", "doc", "precise", "paid", "no such"];
    let live = open(&database, &spec, &columns);
    assert_eq!((live.points(), live.has_positions(), live.extent().bounds(true)), (6, false, None));
    let months = MatrixRequest::new(column("region"), Axis::Time(TimePart::Month)).with_value(Some("amount".into()));
    let matrix = live.matrix(&Query::default(), &months).unwrap();
    assert_eq!((&matrix.x, &matrix.y), (&names(&["north", "süd"]), &AxisKeys::Numbers(vec![1, 2])));
    // The row without an amount is skipped; those without a name or a finite time are in no cell.
    assert_eq!(cells(&matrix), [(0, 0, 1, 10.0, 10.0), (0, 1, 1, 20.5, 20.5), (1, 1, 1, 30.0, 30.0)]);
    assert_eq!(matrix.unplaced, 2);
    // In Berlin it is February at 23:30 UTC on January 31.
    let berlin = months.clone().with_zone(TimeZone::get("Europe/Berlin").unwrap());
    assert_eq!(live.matrix(&Query::default(), &berlin).unwrap().y, AxisKeys::Numbers(vec![2]));

    let named = MatrixRequest::new(column("size"), column("odd \"; name"));
    let matrix = live.matrix(&Query::default(), &named).unwrap();
    assert_eq!((&matrix.x, &matrix.y, matrix.unplaced), (&names(&["L", "S"]), &names(&["1", "2"]), 3));
    assert_eq!(cells(&matrix), [(0, 0, 1, 1.0, 1.0), (1, 0, 1, 1.0, 1.0), (0, 1, 1, 1.0, 1.0)]);

    for bins in [
        NumberBins::between(0.0, 7.0, 7).unwrap(),
        NumberBins::between(-1e307, 1e300, 40_000).unwrap(),
        NumberBins::of_width(1e299).unwrap(),
        NumberBins::of_width(1e-5).unwrap(),
    ] {
        let axis = Axis::Bins(BinQuantity::Column("precise".into()), bins);
        let mut keys: Vec<i64> = [0.25, 1e300, 1e-310, 7.0].iter().filter_map(|number| bins.index(*number)).collect();
        let unplaced = 6 - keys.len() as u64;
        keys.sort_unstable();
        keys.dedup();
        let matrix = live.matrix(&Query::default(), &MatrixRequest::new(axis, Axis::Whole)).unwrap();
        assert_eq!((matrix.x, matrix.unplaced), (AxisKeys::Numbers(keys), unplaced), "{bins:?}");
    }
    let view = TableSpec { table: Some("paid".into()), ..spec.clone() };
    let paid = open(&database, &view, &columns).matrix(&Query::default(), &months).unwrap();
    assert_eq!(cells(&paid), [(0, 0, 1, 10.0, 10.0), (1, 1, 1, 30.0, 30.0)]);
    let query = TableSpec { table: None, sql: Some("SELECT * FROM sales WHERE paid".into()), ..spec.clone() };
    let weighted = TableSpec { weight: Some("amount".into()), ..query };
    let query = open(&database, &weighted, &columns);
    assert_eq!((query.points(), query.count(&Query::default()).unwrap()), (2, 2));
    let weights = Query::default().with_weights(true);
    assert_eq!(cells(&query.matrix(&weights, &months.clone().with_value(None)).unwrap()), cells(&paid));
    assert_eq!(query.totals().unwrap().weight, Some([40.0, 10.0, 30.0]));
}

#[test]
fn decimals_are_summed_as_decimals() {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE TABLE sales AS SELECT ST_SetSRID(ST_MakePoint(i % 10, 5), 4326)::geometry(Point, 4326) AS place,
           (i * 0.01 + 30000000)::numeric(12, 2) AS amount, (i * 0.1)::float4 AS short FROM generate_series(1, 9999) AS i",
    );
    let spec = TableSpec { table: Some("sales".into()), weight: Some("amount".into()), ..TableSpec::default() };
    let live = open(&database, &spec, &["amount", "short"]);
    let request = MatrixRequest::new(Axis::Whole, Axis::Whole);
    let area = Polygon::new(&[vec![vec![[-1.0, 0.0], [20.0, 0.0], [20.0, 9.0], [-1.0, 9.0], [-1.0, 0.0]]]]).unwrap();
    let weights = Query::default().with_weights(true);
    // 0.01 · 9999 · 10000 / 2 and 9999 · 30 million.
    let expected = (499_950.0 + 299_970_000_000.0, 30_000_099.99);
    for query in [weights.clone(), weights.with_polygon(Some(Arc::new(area)))] {
        for value in [None, Some("amount".to_owned())] {
            let matrix = live.matrix(&query, &request.clone().with_value(value)).unwrap();
            assert!(matrix.has_doubles);
            assert_eq!((matrix.cells[0].sum, matrix.cells[0].max), expected);
        }
        let short = live.matrix(&query, &request.clone().with_value(Some("short".into()))).unwrap();
        assert!(!short.has_doubles && (short.cells[0].max - 999.9).abs() < 1e-4);
    }
}

#[test]
fn filters_and_column_ranges_apply_to_rows_without_positions() {
    let database = shop();
    let spec = TableSpec {
        table: Some("sales".into()),
        geometry: Some("none".into()),
        category: Some("region".into()),
        ..TableSpec::default()
    };
    let live = open(&database, &spec, &["amount", "precise", "size"]);
    let whole = MatrixRequest::new(Axis::Category, Axis::Whole);
    let february = Query::default().with_start(parse_time_us("2024-02-01"));
    let matrix = live.matrix(&february, &whole).unwrap();
    assert_eq!(cells(&matrix), [(0, 0, 1, 1.0, 1.0), (1, 0, 2, 2.0, 1.0)]);
    let saturdays = TimePartFilter::new(None, "sat".parse().ok(), None, TimeZone::UTC).unwrap();
    let saturdays = Query::default().with_time_parts(vec![saturdays]);
    assert_eq!((live.count(&saturdays).unwrap(), live.count(&Query::default()).unwrap()), (1, 6));
    let south = Query::default().with_category_filter(vec!["süd".into()]);
    let range = |query: &Query<'_>, column: &str| live.number_range(query, &BinQuantity::Column(column.to_owned()));
    assert_eq!(range(&south, "amount").unwrap(), Some([30.0, 30.0]));
    assert_eq!(range(&Query::default(), "precise").unwrap(), Some([1e-310, 1e300]));
    assert_eq!(range(&south, "precise").unwrap(), None);
    assert!(range(&south, "size").unwrap_err().to_string().starts_with("x: column `size` has the type size"));
    assert_eq!(live.number_range(&south, &BinQuantity::Weight).unwrap(), Some([1.0, 1.0]));
    assert!(live.number_range(&south, &BinQuantity::Lon).unwrap_err().to_string().contains("no geometry"));
    // Changes of columns that matrices may use change the version.
    let version = live.version().to_owned();
    database.sql("UPDATE sales SET secret = 'other'");
    assert_eq!(open(&database, &spec, &["amount", "precise", "size"]).version(), version);
    database.sql("UPDATE sales SET size = 'S'");
    assert_ne!(open(&database, &spec, &["amount", "precise", "size"]).version(), version);
}

#[test]
fn unsuitable_axes_values_and_requests_for_positions_are_errors() {
    let database = shop();
    let spec = TableSpec { table: Some("sales".into()), geometry: Some("none".into()), ..TableSpec::default() };
    let live = open(&database, &spec, &["region", "tags", "doc", "amount"]);
    let listed: Vec<(String, bool)> =
        PointSet::table_columns(&live).unwrap().into_iter().map(|column| (column.name, column.is_numeric)).collect();
    assert_eq!(listed, [("day".into(), false), ("region".into(), false), ("amount".into(), true)]);
    let matrix = |x: Axis, value: Option<&str>| {
        let request = MatrixRequest::new(x, Axis::Whole).with_value(value.map(str::to_owned));
        live.matrix(&Query::default(), &request).unwrap_err().to_string()
    };
    let bins = |quantity| Axis::Bins(quantity, NumberBins::of_width(1.0).unwrap());
    let attack = "region\" FROM sales; DROP TABLE sales; --";
    for (error, expected) in [
        (matrix(column("tags"), None), "x: column `tags` has the type _text; expected numbers"),
        (matrix(column("doc"), None), "x: column `doc` has the type json; expected numbers"),
        (
            matrix(column("secret"), None),
            "x: `secret` is unknown; the columns of the table that requests may use are day, region, amount",
        ),
        (matrix(column(attack), None), "x: `region\" FROM sales; DROP TABLE sales; --` is unknown"),
        (matrix(Axis::Whole, Some("region")), "value: column `region` has the type text; expected a numeric column"),
        (matrix(Axis::Whole, Some("secret")), "value: `secret` is unknown"),
        (matrix(bins(BinQuantity::Column("region".into())), None), "x: column `region` has the type text"),
        (matrix(bins(BinQuantity::Lon), None), "layer: the table of `live` has no geometry"),
        (matrix(Axis::Whole, Some("tags")), "value: column `tags` has the type _text"),
    ] {
        assert!(error.starts_with(expected), "{error}");
    }
    let canvas = kiln::geo::Canvas::tile(kiln::geo::TileCoord::new(0, 0, 0).unwrap(), 16).unwrap();
    let query = Query::default();
    let near = query.clone().with_near(Some(Bounds::WORLD));
    let area = Polygon::new(&[vec![vec![[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 0.0]]]]).unwrap();
    let area = query.clone().with_polygon(Some(Arc::new(area)));
    let request = MatrixRequest::new(column("region"), Axis::Whole);
    for error in [
        live.cells(&query, &canvas, kiln::raster::Reduction::Count, 1.0).unwrap_err(),
        live.sample(&query, 9, 9).unwrap_err(),
        live.scan(&query, &mut []).unwrap_err(),
        live.matrix(&near, &request).unwrap_err(),
        live.matrix(&area, &request).unwrap_err(),
        live.count(&area).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "layer: the table of `live` has no geometry, so it has matrices only");
    }
    // Another zone of the driver that the database lacks.
    let filter = TimePartFilter::new("7".parse().ok(), None, None, TimeZone::get("Etc/Unknown").unwrap()).unwrap();
    let error = live.count(&Query::default().with_time_parts(vec![filter])).unwrap_err().to_string();
    assert!(error.starts_with("tz: "), "{error}");
    assert_eq!(database.sql("SELECT count(*) FROM sales").trim(), "6");
}

#[test]
fn a_server_serves_a_table_without_positions_of_a_database_without_postgis() {
    let database = shop();
    let config = format!(
        "[postgis]\nurl = \"{}\"\n[layers.sales]\ntable = \"sales\"\ngeometry = \"none\"\nweight = \"amount\"\n\
         category = \"region\"\ncolumns = [\"size\"]\n",
        database.url()
    );
    let server = Server::with(&[], &config);
    let catalog = server.get("/catalog").ok(200).json();
    assert_eq!((&catalog["layers"][0]["name"], &catalog["layers"][0]["points"]), (&json!("sales"), &json!(5)));
    assert_eq!(catalog["layers"][0]["positions"], json!(false));
    server.get("/sales").ok(200);
    let statistics = server.get("/sales/statistics").ok(200).json();
    assert_eq!((&statistics["points"], &statistics["bounds"]), (&json!(5), &serde_json::Value::Null));
    assert_eq!(statistics["weight"]["sum"], 63.5);
    let filtered = server.get("/sales/statistics?category=north&weekdays=sat").ok(200).json();
    assert_eq!((&filtered["points"], &filtered["bounds"]), (&json!(1), &serde_json::Value::Null));
    let matrix = server.get("/sales/matrix?x=size&y=month&value=amount&agg=max").ok(200).json();
    assert_eq!((&matrix["x"]["labels"], &matrix["total"]), (&json!(["L", "S"]), &json!(3)));
    assert_eq!(matrix["values"][1], json!([30, null]));
    server.get("/sales/matrix?x=secret").rejected(400, &["no axis `secret`", "size"]);
    server.get("/sales/matrix?x=size&bbox=0,0,1,1").rejected(400, &["no geometry"]);
    for path in [
        "/sales/0/0/0.png",
        "/sales/points",
        "/sales/point/1,2?z=3",
        "/sales/bbox/0,0,1,1/9x9.png",
        "/sales/legend.json",
        "/sales/grid?resolution=100m",
    ] {
        server.get(path).rejected(400, &["has no geometry"]);
    }
    server.post("/overlays", &json!({"layer": "sales"})).rejected(400, &["has no geometry"]);
    let body = json!({"layer": "sales", "where": [{"column": "size", "op": "=", "value": "L"}]});
    let reply = server.post("/queries", &body).ok(201).json();
    assert_eq!(reply["points"], 2);
    server.post("/queries", &json!({"layer": "sales", "bounds": [[0, 0], [1, 1]]})).rejected(400, &["no geometry"]);
    let secret = json!({"layer": "sales", "where": [{"column": "secret", "op": "=", "value": "a"}]});
    server.post("/queries", &secret).rejected(400, &["secret"]);

    let home = tempfile::tempdir().unwrap();
    for (layer, code, words) in [
        ("table = \"sales\"", 1, &["PostGIS is not installed", "geometry to none"][..]),
        ("table = \"sales\"\ngeometry = \"none\"\nmin_count = 5", 2, &["min_count", "without positions"]),
    ] {
        let config = format!("[postgis]\nurl = \"{}\"\n[layers.a]\n{layer}\n", database.url());
        std::fs::write(home.path().join("kiln.toml"), config).unwrap();
        kiln(home.path(), ["serve", "-l", "127.0.0.1:0"]).failed(code, words);
    }
}

#[test]
fn a_table_of_a_url_is_opened_with_all_of_its_columns() {
    let database = shop();
    let columns = Columns { geometry: Some("none".into()), weight: Some("amount".into()), ..Columns::default() };
    let url = format!("{}?table=sales", database.url());
    let [address, other]: [Address; 2] = [&url, &database.url()].map(|url| url.parse().unwrap());
    let table = kiln::inputs::open_table(&address, &columns, &ReadOptions::default()).unwrap();
    let matrix = table.matrix(&Query::default(), &MatrixRequest::new(column("secret"), column("size"))).unwrap();
    assert_eq!((matrix.x.len(), matrix.y.len()), (3, 2));
    let error = kiln::inputs::open_table(&other, &columns, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("?table="), "{error}");
    let named = Columns::default();
    let error = kiln::inputs::open_table(&address, &named, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("PostGIS is not installed"), "{error}");
    // A scan that needs no positions.
    let opened = kiln::inputs::OpenInputs::open(&[url], &columns, &ReadOptions::default()).unwrap();
    let months = MatrixRequest::new(Axis::Time(TimePart::Month), Axis::Whole);
    let weights = Query::default().with_weights(true);
    let scanned = scan_matrix(&opened.inputs, &weights, &months, 2).unwrap();
    assert_equal(&scanned, &table.matrix(&weights, &months).unwrap(), &months);
    let error = opened.inputs.scan(&weights, &mut []).unwrap_err().to_string();
    assert!(error.contains("has no geometry"), "{error}");

    let home = tempfile::tempdir().unwrap();
    let url = database.url();
    let flags = ["--geometry", "none", "--x", "region", "--y", "month", "--value", "amount", "--agg", "sum", "-q"];
    let run = |more: &[&str]| kiln(home.path(), [&["matrix", &url][..], &flags, more].concat());
    run(&["--table", "sales", "--hours", "0", "-o", "sales.json"]).done();
    let text = std::fs::read_to_string(home.path().join("sales.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["x"]["labels"], json!(["north", "süd"]));
    assert_eq!(json["values"][1], json!([20.5, 30]));
    assert_eq!(json["values"][0], json!([null, null]));
    assert!(!json["axes"].as_array().unwrap().contains(&json!("lon")) && json["numbers"][0] == "amount");
    run(&["--table", "sails", "-o", "sales.json"]).failed(1, &["no table or view `sails`"]);
    kiln(home.path(), ["matrix", "a.csv", "--x", "hour", "--table", "b", "-o", "a.png"]).failed(2, &["database URL"]);
}

#[test]
fn times_and_numbers_at_the_limits_of_their_types_count_as_missing() {
    let database = Cluster::shared().bare_database();
    database.sql(
        "CREATE TABLE edges (at timestamptz, plain timestamp, day date, huge numeric, load float8, name text);
         INSERT INTO edges VALUES
           ('2024-03-01 12:00+00', '2024-03-01 12:00', '2024-03-01', 1, 1, 'a'),
           ('2024-03-02 12:00+00', '2024-03-02 12:00', '2024-03-02', 3, 2, 'a'),
           ('294276-12-31 23:59:59+00', '294276-12-31 23:59:59', '5874897-12-31', '1e400', 1e308, 'b'),
           ('4714-11-24 00:00+00 BC', '4714-11-24 BC', '4714-11-24 BC', '-1e-400', -1e308, 'b'),
           ('infinity', '-infinity', 'infinity', 'NaN', 3, 'c')",
    );
    let zone = TimeZone::get("Pacific/Kiritimati").unwrap();
    let hours = TimePartFilter::new("0-23".parse().ok(), None, None, zone.clone()).unwrap();
    let all = Query::default();
    for time in ["at", "plain", "day"] {
        let spec = TableSpec {
            table: Some("edges".into()),
            geometry: Some("none".into()),
            time: Some(time.into()),
            ..TableSpec::default()
        };
        let live = open(&database, &spec, &["huge", "load", "at", "day"]);
        let days = ["2024-03-01T12:00Z", "2024-03-02T12:00Z", "2024-03-01T00:00Z", "2024-03-02T00:00Z"];
        let days = days.map(|day| parse_time_us(day).unwrap());
        let range = if time == "day" { [days[2], days[3]] } else { [days[0], days[1]] };
        assert_eq!(live.summary().time_us, Some(range), "{time}");
        for part in TimePart::ALL {
            let request = MatrixRequest::new(Axis::Time(*part), Axis::Whole).with_zone(zone.clone());
            let matrix = live.matrix(&all, &request).unwrap();
            let placed: u64 = matrix.cells.iter().map(|cell| cell.count).sum();
            assert_eq!((placed, matrix.unplaced), (2, 3), "{time} {part}");
        }
        let filtered = all.clone().with_time_parts(vec![hours.clone()]);
        assert_eq!((live.count(&filtered).unwrap(), live.count(&all).unwrap()), (2, 5), "{time}");
        assert_eq!(live.count(&all.clone().with_start(parse_time_us("2024-03-02"))).unwrap(), 1, "{time}");
        let text = MatrixRequest::new(column("at"), Axis::Whole).with_zone(zone.clone());
        let matrix = live.matrix(&all, &text).unwrap();
        assert_eq!((matrix.x, matrix.unplaced), (names(&["2024-03-02 02:00:00", "2024-03-03 02:00:00"]), 3));
    }
    let spec = TableSpec {
        table: Some("edges".into()),
        geometry: Some("none".into()),
        weight: Some("load".into()),
        ..TableSpec::default()
    };
    let live = open(&database, &spec, &["huge", "day"]);
    let bins = Axis::Bins(BinQuantity::Column("huge".into()), NumberBins::between(0.0, 4.0, 4).unwrap());
    let matrix = live.matrix(&all, &MatrixRequest::new(bins, Axis::Whole)).unwrap();
    assert_eq!((matrix.x, matrix.unplaced), (AxisKeys::Numbers(vec![1, 3]), 1));
    let range = |column: &str| live.number_range(&all, &BinQuantity::Column(column.to_owned())).unwrap();
    // Rows without a valid weight do not widen the range.
    assert_eq!((range("load"), range("huge")), (Some([1.0, 3.0]), Some([1.0, 3.0])));
    let values = MatrixRequest::new(Axis::Whole, Axis::Whole).with_value(Some("huge".into()));
    assert_eq!(cells(&live.matrix(&all, &values).unwrap()), [(0, 0, 2, 4.0, 3.0)]);
    let huge = TableSpec { weight: Some("huge".into()), ..spec };
    let live = open(&database, &huge, &["load", "day"]);
    assert_eq!((live.points(), live.summary().weight), (3, Some([4.0, 0.0, 3.0])));
}

#[test]
fn long_texts_of_axes_are_cut() {
    let database = Cluster::shared().bare_database();
    database.sql(
        "CREATE TABLE texts (name text, category text);
         INSERT INTO texts SELECT repeat('é', length) || more, repeat('c', length) || more
           FROM (VALUES (200, ''), (200, 'a'), (200, 'b'), (3000000, 'c'), (2, '')) AS rows (length, more)",
    );
    let spec = TableSpec { table: Some("texts".into()), geometry: Some("none".into()), ..TableSpec::default() };
    let live = open(&database, &spec, &["name"]);
    let matrix = live.matrix(&Query::default(), &MatrixRequest::new(column("name"), Axis::Category)).unwrap();
    let expected = |text: &str| names(&[&text.repeat(2), &text.repeat(200), &format!("{}…", text.repeat(200))]);
    assert_eq!((&matrix.x, &matrix.y), (&expected("é"), &expected("c")));
    assert_eq!(cells(&matrix), [(0, 0, 1, 1.0, 1.0), (1, 1, 1, 1.0, 1.0), (2, 2, 3, 3.0, 1.0)]);
}

#[test]
fn a_server_reports_invalid_values_of_a_layer_and_serves_the_others() {
    let database = shop();
    database.sql(
        "CREATE TABLE extremes (low float8);
         INSERT INTO extremes VALUES (-1e308), (1e308);
         CREATE VIEW broken AS SELECT 1 / (low - low) AS amount FROM extremes",
    );
    let layer = |name: &str, columns: &str| {
        format!("[layers.{name}]\ntable = \"{name}\"\ngeometry = \"none\"\ncolumns = [{columns}]\n")
    };
    let layers = [layer("broken", "\"amount\""), layer("extremes", "\"low\""), layer("sales", "\"size\"")].concat();
    let server = Server::with(&[], &format!("[postgis]\nurl = \"{}\"\n{layers}", database.url()));
    server.get("/sales/matrix?x=size&y=month").ok(200);
    server.get("/broken/matrix?x=amount").rejected(503, &["values that cannot be read"]);
    let log = server.log();
    assert!(log.contains("layer skipped") && log.contains("broken") && log.contains("division by zero"), "{log}");
    let reply = server.get("/extremes/matrix?x=low&y=none&x_bins=5");
    reply.rejected(400, &["x_bins", "5 bins from -1e308 to 1e308 are invalid"]);
    // The layer is opened once its values are valid.
    database.sql("UPDATE extremes SET low = 2 WHERE low > 0; CREATE OR REPLACE VIEW broken AS SELECT low AS amount FROM extremes");
    server.eventually("/broken/matrix?x=amount&y=none", 200);
}
