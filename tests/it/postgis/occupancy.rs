//! The database groups points into occupancy grids as a stored layer of the same points does.

use jiff::tz::TimeZone;
use kiln::occupancy::{CellSystem, OccupancyRequest, TimeGrouping};
use kiln::postgis::{Address, Database, DatabaseOptions, LiveSnapshot, TableSpec};
use kiln::source::{PointSet, Query, ReadOptions, parse_time_us};
use kiln::store::{Description, ExistingPoints, Progress, Store};

use super::cluster::Cluster;
use super::equivalence::{TABLE, points};

#[test]
fn grids_of_a_table_equal_those_of_a_stored_layer() {
    let text = points(20_000);
    let database = Cluster::shared().database();
    database.sql("CREATE TABLE rows (lon float8, lat float8, weight float4, time timestamptz, category text)");
    database.sql_with("COPY rows FROM STDIN (FORMAT csv, HEADER, FORCE_NOT_NULL (category))", text.as_bytes());
    database.sql(TABLE);
    let address: Address = database.url().parse().unwrap();
    let connected = Database::open(&address, &DatabaseOptions::default()).unwrap();
    let spec = TableSpec { table: Some("live".into()), ..TableSpec::default() };
    let live = LiveSnapshot::of(&connected, connected.relation("live", &spec).unwrap(), None).unwrap();

    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("points.csv");
    std::fs::write(&file, text).unwrap();
    let store = Store::open(&home.path().join("store")).unwrap();
    let layer = store.create("stored", Description::default()).unwrap();
    let input = kiln::source::open(file.to_str().unwrap(), &ReadOptions::default()).unwrap();
    let query = Query::default();
    layer.import(&*input, &query, ExistingPoints::Keep, None, 1, &Progress::default()).unwrap();
    let stored = layer.snapshot();
    assert_eq!((live.summary().points, live.summary().points > 15_000), (stored.points(), true));

    let query = Query::default().with_weights(true);
    let january = query.clone().with_start(parse_time_us("2024-01-05")).with_end(parse_time_us("2024-01-20T07:00:00Z"));
    let trams = query.clone().with_category_filter(vec!["tram".into(), "o'ferry".into()]);
    let week = TimeGrouping::HourOfWeek { zone: TimeZone::get("America/New_York").unwrap() };
    let day = TimeGrouping::Period { length_us: 86_400_000_000 };
    for side_m in [250.0, 10_000.0, 77_777.7, 5e6, 1e8] {
        let cells = CellSystem::ground(side_m).unwrap();
        let requests = [
            OccupancyRequest::new(cells),
            OccupancyRequest::new(cells).with_time(day.clone()).with_categories(true),
            OccupancyRequest::new(CellSystem::Whole).with_time(week.clone()),
        ];
        for (request, query) in
            requests.iter().flat_map(|request| [&query, &january, &trams].map(|query| (request, query)))
        {
            let [expected, found] =
                [&*stored as &dyn PointSet, &live].map(|set| set.occupancy(query, request, 2).unwrap());
            assert!(!found.groups.is_empty());
            let first_other = found.groups.iter().zip(&expected.groups).find(|(found, expected)| found != expected);
            assert_eq!(first_other, None, "{request:?}");
            assert_eq!(found.groups.len(), expected.groups.len(), "{request:?}");
            assert_eq!(found.categories, expected.categories, "{request:?}");
        }
    }
    let few = OccupancyRequest::new(CellSystem::ground(250.0).unwrap()).with_max_groups(100);
    let error = live.occupancy(&query, &few).unwrap_err().to_string();
    assert_eq!(error, "resolution: the points are in more than 100 cells, the limit; use larger cells");
}
