//! Matrices of layers by HTTP.

use serde_json::{Value, json};

use crate::kiln::kiln;
use crate::server::Server;

/// Flights: two Mondays and a Tuesday in New York, one on the night of the change of clocks, and one without a time.
const FLIGHTS: &str = "lon,lat,time,delay,carrier\n\
    -73.9,40.7,2024-05-06T11:30:00Z,10,AA\n\
    -73.8,40.6,2024-05-13T11:45:00Z,20.5,B6\n\
    -118.4,33.9,2024-05-07T03:10:00Z,-4,AA\n\
    -87.9,41.9,2024-11-03T06:30:00Z,7,UA\n\
    -87.9,41.9,2024-11-03T05:30:00Z,9,UA\n\
    -80.2,25.8,,3,AA\n";

/// A server with the flights as a layer of a file and of the store, places without times and weights, and a plane.
fn flights(config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("flights.csv", FLIGHTS);
    write("places.csv", "lon,lat\n1,2\n3,4\n");
    write("office.csv", "x,y,weight\n0,0,1\n10,5,3\n10,0,5\n");
    let import = "import flights.csv --layer stored --weight delay --category-column carrier";
    kiln(home.path(), import.split(' ')).done();
    let layers = "[layers.flights]\ninput = \"flights.csv\"\nweight = \"delay\"\ncategory = \"carrier\"\ntitle = \"Flights <b>\"\n\
                  [layers.places]\ninput = \"places.csv\"\n\
                  [layers.office]\ninput = \"office.csv\"\nprojection = \"plane\"\n";
    write("kiln.toml", &format!("{config}{layers}"));
    Server::at(home, &[])
}

/// The values that are not missing: labels of the column and row, and the value.
fn cells(matrix: &Value) -> Vec<(String, String, f64)> {
    let labels = |axis: &str| matrix[axis]["labels"].as_array().unwrap().clone();
    let (x, y) = (labels("x"), labels("y"));
    let mut cells = Vec::new();
    for (row, values) in y.iter().zip(matrix["values"].as_array().unwrap()) {
        for (column, value) in x.iter().zip(values.as_array().unwrap()) {
            let text = |label: &Value| label.as_str().unwrap().to_owned();
            cells.extend(value.as_f64().map(|value| (text(column), text(row), value)));
        }
    }
    cells
}

fn owned<const N: usize>(cells: [(&str, &str, f64); N]) -> Vec<(String, String, f64)> {
    cells.map(|(x, y, value)| (x.to_owned(), y.to_owned(), value)).to_vec()
}

#[test]
fn points_are_grouped_by_parts_of_the_local_time() {
    let server = flights("");
    for layer in ["flights", "stored"] {
        let path = format!("/{layer}/matrix?tz=America/New_York");
        let matrix = server.get(&path).ok(200).json();
        // The hour from 1:00 is repeated, so two flights an hour apart are in the same one.
        let counts = [("7", "Mon", 2.0), ("23", "Mon", 1.0), ("1", "Sun", 2.0)];
        assert_eq!(cells(&matrix), owned(counts), "{layer}");
        assert_eq!(matrix["x"]["axis"], "hour");
        assert_eq!(matrix["x"]["labels"].as_array().unwrap().len(), 24);
        assert_eq!(matrix["y"]["keys"], json!([0, 1, 2, 3, 4, 5, 6]));
        assert_eq!((&matrix["values"][2][7], &matrix["counts"][2][7]), (&Value::Null, &json!(0)));
        let rest = json!({
            "min": 1, "max": 2, "agg": "count", "value": matrix["value"], "unit": "points", "tz": "America/New_York",
            "start": null, "end": null, "total": 5, "unplaced": 1,
        });
        for (name, value) in rest.as_object().unwrap() {
            assert_eq!(&matrix[name], value, "{layer}: {name}");
        }
        let axes: Vec<&str> = matrix["axes"].as_array().unwrap().iter().map(|axis| axis.as_str().unwrap()).collect();
        let expected = "hour weekday day week month year-month date year category lon lat value none";
        assert_eq!(axes, expected.split(' ').collect::<Vec<_>>(), "{layer}");
        let value = matrix["numbers"][0].as_str().unwrap();
        let mean = server.get(&format!("{path}&y=none&value={value}")).ok(200).json();
        assert_eq!(cells(&mean), owned([("1", "all", 8.0), ("7", "all", 15.25), ("23", "all", -4.0)]));
        assert_eq!(mean["unit"], format!("mean of {value}"));
        for (agg, expected) in [("sum", 30.5), ("max", 20.5), ("count", 2.0)] {
            let matrix = server.get(&format!("{path}&agg={agg}")).ok(200).json();
            assert_eq!(cells(&matrix)[0], ("7".into(), "Mon".into(), expected), "{agg}");
        }
    }
    assert_eq!(server.get("/flights/matrix?value=weight").ok(200).json()["value"], "delay");
}

#[test]
fn dates_are_those_from_the_first_to_the_last_and_names_are_sorted() {
    let server = flights("");
    for layer in ["flights", "stored"] {
        let get = |query: &str| server.get(&format!("/{layer}/matrix?{query}")).ok(200).json();
        let dates = get("x=date&y=category&end=2024-06-01&tz=America/New_York");
        let labels = dates["x"]["labels"].as_array().unwrap();
        assert_eq!((labels.len(), &labels[0], &labels[7]), (8, &json!("2024-05-06"), &json!("2024-05-13")));
        assert_eq!(dates["x"]["keys"], dates["x"]["labels"]);
        assert_eq!(dates["y"]["labels"], json!(["AA", "B6"]));
        // Midnight of June in New York.
        assert_eq!(dates["end"], "2024-06-01T04:00:00Z");
        let weeks = get("x=week&y=year")["x"]["labels"].as_array().unwrap().len();
        assert_eq!(weeks, 44 - 19 + 1);
        let filtered = get("x=month&y=none&hours=11&category=AA,B6");
        assert_eq!(cells(&filtered), owned([("May", "all", 2.0)]));
    }
}

#[test]
fn numbers_are_in_bins_and_bounds_limit_the_points() {
    let server = flights("");
    for layer in ["flights", "stored"] {
        let get = |query: &str| server.get(&format!("/{layer}/matrix?{query}")).ok(200).json();
        let map = get("x=lon&y=lat&x_bins=2&y_bins=2&bbox=-120,30,-80,40");
        assert_eq!(map["x"]["labels"], json!(["-120 to -100", "-100 to -80"]), "{layer}");
        assert_eq!(map["x"]["keys"][0], json!([-120, -100]));
        assert_eq!(map["y"]["labels"], json!(["35–40", "30–35"]), "north is on top");
        assert_eq!(cells(&map), owned([("-120 to -100", "30–35", 1.0)]), "{layer}");
        let delays = get("x=value&y=none&x_bins=2");
        assert_eq!(delays["x"]["keys"], json!([[-4, 8.25], [8.25, 20.5]]), "{layer}");
        assert_eq!(delays["values"], json!([[3, 3]]), "the maximum is in the last bin");
        // Bounds select points although no axis needs their positions.
        let east = get("x=month&y=none&bounds=-74,40,-70,45&agg=sum");
        assert_eq!(cells(&east), owned([("May", "all", 30.5)]), "{layer}");
        let east = get("x=value&y=none&x_bins=1&bounds=-74,40,-70,45");
        assert_eq!((&east["total"], &east["values"]), (&json!(2), &json!([[2]])), "{layer}");
        assert_eq!(get("x=lon&y=none")["x"]["labels"].as_array().unwrap().len(), 10);
    }
    let office = server.get("/office/matrix?x=x&y=y&x_bins=2&y_bins=1&agg=sum").ok(200).json();
    assert_eq!((&office["values"], &office["x"]["axis"]), (&json!([[1, 8]]), &json!("x")));
}

#[test]
fn a_matrix_is_data_of_chart_js_csv_or_a_chart() {
    let server = flights("");
    let query = "/flights/matrix?x=month&y=category&agg=max";
    let chart = server.get(&format!("{query}&format=chartjs")).ok(200);
    assert_eq!(chart.header("content-type"), Some("application/json"));
    let chart = chart.json();
    assert_eq!(chart["labels"]["y"], json!(["AA", "B6", "UA"]));
    let may = json!({"x": "May", "y": "AA", "value": 10.0, "count": 2});
    let data = chart["datasets"][0]["data"].as_array().unwrap();
    assert!(data.len() == 3 && data.contains(&may), "{chart}");
    assert_eq!((&chart["datasets"][0]["label"], &chart["max"]), (&json!("max of delay"), &json!(20.5)));
    let csv = server.get(&format!("{query}&format=csv")).ok(200);
    assert_eq!(csv.header("content-type"), Some("text/csv"));
    let text = String::from_utf8(csv.body).unwrap();
    assert!(text.starts_with(",Jan,Feb,") && text.contains("\nB6,,,,,20.5,,,,,,,\n"), "{text}");
    let png = server.get(&format!("{query}&format=png&pixel_ratio=2&title=&show_values=always")).ok(200);
    assert_eq!(png.header("content-type"), Some("image/png"));
    assert!(png.body.starts_with(b"\x89PNG"));
    let svg = server.get(&format!("{query}&format=svg&tz=America/New_York&scheme=fire")).ok(200);
    assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
    let policy = Some("default-src 'none'; style-src 'unsafe-inline'");
    assert_eq!(
        (svg.header("x-content-type-options"), svg.header("content-security-policy")),
        (Some("nosniff"), policy)
    );
    let text = String::from_utf8(svg.body.clone()).unwrap();
    assert!(text.contains("month (America/New_York)") && text.contains("max of delay"), "{text}");
    assert!(text.contains("Flights &lt;b&gt;") && !text.contains("<b>"), "the title of the layer is escaped: {text}");
}

#[test]
fn a_matrix_is_cached_by_its_parameters() {
    let server = flights("");
    let reply = server.get("/stored/matrix").ok(200);
    let tag = reply.header("etag").unwrap().to_owned();
    let again = server.get_from(server.address(), "/stored/matrix", &[("if-none-match", &tag)]);
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag.as_str())));
    let tags: std::collections::BTreeSet<String> =
        ["", "?tz=Asia/Tokyo", "?hours=7-9", "?y=none", "?format=csv", "?agg=max"]
            .map(|query| server.get(&format!("/stored/matrix{query}")).ok(200).header("etag").unwrap().to_owned())
            .into();
    assert_eq!(tags.len(), 6, "each is another response");
}

#[test]
fn invalid_parameters_are_errors_that_list_what_is_accepted() {
    let server = flights("[limits]\ncells = 400\n");
    for (path, words) in [
        ("/flights/matrix?x=hours", &["x: there is no axis `hours`; did you mean hour?", "category"][..]),
        ("/flights/matrix?y=kind", &["y: there is no axis `kind`", "expected one of hour, weekday"]),
        ("/places/matrix", &["x: the layer has no time column; expected one of lon, lat, none"]),
        ("/places/matrix?x=none&y=month", &["y: the layer has no time column"]),
        ("/places/matrix?x=lon&y=category", &["y: the layer has no category column"]),
        ("/places/matrix?x=lon&y=none&agg=mean", &["agg: the points have no weights", "use count"]),
        ("/places/matrix?x=lon&y=none&value=delay", &["value: there is no value `delay`"]),
        ("/stored/matrix?value=lat", &["value: there is no value `lat`", "expected one of"]),
        ("/flights/matrix?x=date&y=hour", &["x: the matrix has 182 columns and 24 rows", "400 cells, limits.cells"]),
        ("/flights/matrix?x=lon&x_bins=0", &["x_bins: `0` is not a whole number from 1"]),
        ("/flights/matrix?x_bins=4", &["x_bins: it applies to an axis of numbers"]),
        ("/flights/matrix?tz=America/NewYork", &["tz: unknown time zone `America/NewYork`", "America/New_York"]),
        ("/flights/matrix?agg=median", &["agg: `median` is unknown; expected one of count, sum, mean, max"]),
        ("/flights/matrix?format=xlsx", &["format: `xlsx` is unknown"]),
        ("/flights/matrix?scheme=fire", &["scheme: it applies to charts; json is not one"]),
        ("/flights/matrix?format=png&scheme=fier", &["scheme: ", "fire"]),
        ("/flights/matrix?format=png&vmin=3&vmax=1", &["vmin: not below vmax"]),
        ("/flights/matrix?format=svg&shape=star", &["shape: "]),
        ("/flights/matrix?category=ZZ", &["category: there are no points of `ZZ`"]),
        ("/flights/matrix?start=2024-05-02&end=2024-05-01", &["start: "]),
        ("/flights/matrix?bbox=1,2,3", &["bbox: "]),
        ("/flights/matrix?axis=hour", &["axis: unknown parameter"]),
    ] {
        server.get(path).rejected(400, words);
    }
    server.get("/nothing/matrix").rejected(404, &["no layer `nothing`"]);
    let long = "x".repeat(5000);
    server.get(&format!("/flights/matrix?x={long}")).rejected(400, &["there is no axis `xxx"]);
}

#[test]
fn local_times_of_a_filter_are_those_of_its_time_zone() {
    let server = flights("");
    let points =
        |layer: &str, query: &str| server.get(&format!("/{layer}/statistics?{query}")).ok(200).json()["points"].clone();
    for layer in ["flights", "stored"] {
        // The flight at 2024-05-07T03:10Z is on the evening of the 6th in New York.
        assert_eq!(points(layer, "start=2024-05-06&end=2024-05-07"), 1);
        assert_eq!(points(layer, "start=2024-05-06&end=2024-05-07&tz=America/New_York"), 2);
        assert_eq!(points(layer, "start=2024-05-06&end=2024-05-07T00:00:00Z&tz=America/New_York"), 1);
        // 1:30 occurs twice on 2024-11-03; the earlier one is meant.
        assert_eq!(points(layer, "start=2024-11-03T01:30&tz=America/New_York"), 2);
        assert_eq!(points(layer, "start=2024-11-03T01:31&tz=America/New_York"), 1);
        assert_eq!(points(layer, "hours=7&weekdays=mon&tz=America/New_York"), 2);
        assert_eq!(points(layer, "months=nov"), 2);
    }
}

#[test]
fn a_body_of_rows_or_points_is_drawn() {
    let server = flights("");
    let body = json!({"values": [[1, null], [2, 3.5]], "x_labels": ["<i>", "مرحبا"], "y_labels": ["a", "b"],
                      "title": "Load", "unit": "%", "scheme": "fire"});
    let png = server.post("/matrix", &body).ok(200);
    assert_eq!(png.header("content-type"), Some("image/png"));
    assert!(png.body.starts_with(b"\x89PNG"));
    let svg = server.post("/matrix?format=svg&title=Other", &body).ok(200);
    assert_eq!(svg.header("x-content-type-options"), Some("nosniff"));
    assert!(svg.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    let svg = String::from_utf8(svg.body).unwrap();
    assert!(svg.contains("Other") && svg.contains("&lt;i&gt;") && !svg.contains("<i>"), "{svg}");
    let json = server.post("/matrix?format=json", &body).ok(200).json();
    assert_eq!((&json["values"], &json["unit"]), (&json!([[1, null], [2, 3.5]]), &json!("%")));
    assert_eq!(json["x"]["labels"][0], "<i>");
    let chart = server.post("/matrix?format=chartjs", &body).ok(200).json();
    assert_eq!(chart["datasets"][0]["data"].as_array().unwrap().len(), 3);
    let send = |path: &str, media_type: &str, body: &str| {
        server.send("POST", path, &[("content-type", media_type)], body.as_bytes())
    };
    let csv = ",web,db\ncpu,1,2\nmemory,,4\n";
    let text = send("/matrix?format=csv", "text/csv", csv).ok(200);
    assert_eq!(String::from_utf8(text.body).unwrap().replace("\r\n", "\n"), csv);
    let long = "server,metric,load\nweb,cpu,1\nweb,cpu,3\ndb,cpu,5\n";
    let query = "/matrix?x=server&y=metric&value=load&agg=mean&format=json";
    let json = send(query, "text/csv", long).ok(200).json();
    assert_eq!(json["values"].as_array().unwrap().len(), 1);
    assert_eq!(json["unit"], "mean of load");
    let points = r#"[{"x": 1.5, "y": 2, "value": 3}, {"x": 4, "y": 5.5, "value": 1, "label": "😀"}]"#;
    assert!(send("/matrix", "", points).ok(200).body.starts_with(b"\x89PNG"));
    send("/matrix?format=csv", "application/json", points).rejected(400, &["format: points on numeric axes"]);
}

#[test]
fn a_body_whose_labels_would_multiply_or_whose_picture_cannot_fit_is_an_error() {
    let server = flights("");
    let labels = vec!["x".repeat(10_000); 60];
    let body = json!({"values": vec![vec![1; 60]; 60], "x_labels": labels, "y_labels": labels});
    server.post("/matrix?format=chartjs", &body).rejected(400, &["format: chartjs repeats the labels", "use json"]);
    server.post("/matrix?format=json", &body).ok(200);
    server.post("/matrix?format=svg", &body).ok(200);
    let wide = json!({"points": [{"x": 999_999, "y": 0, "value": 1}], "index": true});
    server.post("/matrix", &wide).rejected(400, &["at least 3000040×43 pixels"]);
}

#[test]
fn invalid_bodies_are_errors() {
    let server = flights("[limits]\ncells = 5\nbody = \"64kiB\"\n");
    let rejected = |path: &str, body: &str, words: &[&str]| {
        server.send("POST", path, &[("content-type", "application/json")], body.as_bytes()).rejected(400, words);
    };
    rejected("/matrix", "{", &[]);
    rejected("/matrix", "", &[]);
    rejected("/matrix", "[[1, 2], [3]]", &[]);
    rejected("/matrix", r#"[[1, "x"]]"#, &["x"]);
    rejected("/matrix", r#"{"values": [[1, 2]], "x_labels": ["a"]}"#, &["x_labels"]);
    rejected("/matrix", r#"{"values": [[1, 2]], "colour": "red"}"#, &["colour: unknown parameter"]);
    rejected("/matrix", "[[1, 2, 3], [4, 5, 6]]", &["exceed the limit of 5, limits.cells"]);
    rejected("/matrix", "[[1e999]]", &[]);
    rejected("/matrix?format=tiff", "[[1]]", &["format: `tiff` is unknown"]);
    rejected("/matrix?shape=star", "[[1]]", &["shape: "]);
    let long = format!(r#"{{"values": [[1]], "x_labels": ["{}"]}}"#, "ab\u{202e}".repeat(3000));
    let png = server.send("POST", "/matrix", &[("content-type", "application/json")], long.as_bytes()).ok(200);
    assert!(png.body.starts_with(b"\x89PNG"));
    let csv = |body: &str| server.send("POST", "/matrix", &[("content-type", "text/csv")], body.as_bytes());
    csv(",a\nb,many\n").rejected(400, &["many"]);
    let media = server.send("POST", "/matrix", &[("content-type", "application/xml")], b"<a/>");
    media.rejected(415, &["application/json or text/csv"]);
    let large = vec![b'1'; 70_000];
    server.send("POST", "/matrix", &[("content-type", "text/csv")], &large).rejected(413, &[]);
}
