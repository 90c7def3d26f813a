//! What requests leave in memory and on disk: queries, images and temporary files, within their limits.

use serde_json::json;

use crate::kiln::{data, kiln};
use crate::server::{Reply, Server};

/// A layer whose points have categories, and a proxy that forwards the addresses of clients.
fn server(config: &str) -> Server {
    let cities = data("cities.parquet");
    let layer = format!("[layers.cities]\ninput = [{:?}]\ncategory = \"country\"\n", cities.to_str().unwrap());
    Server::with(&[], &format!("{config}\n{layer}[server]\ntrusted_proxies = [\"127.0.0.1\"]\n"))
}

/// Creates a query on behalf of a client.
fn query(server: &Server, client: &str, query: &serde_json::Value) -> Reply {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", client)];
    server.send("POST", "/queries", &headers, query.to_string().as_bytes())
}

fn id(reply: Reply) -> String {
    reply.ok(201).json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn equal_queries_share_an_id_and_other_ones_do_not() {
    let server = server("");
    let create = |body: serde_json::Value| id(query(&server, "192.0.2.1", &body));
    let first = create(json!({"layer": "cities", "category": ["FR", "DE", "FR"], "start": null}));
    assert_eq!(create(json!({"category": ["DE", "FR"], "layer": "cities"})), first);
    assert_eq!(id(query(&server, "192.0.2.2", &json!({"layer": "cities", "category": ["DE", "FR"]}))), first);
    let others = [
        create(json!({"layer": "cities", "category": ["DE"]})),
        create(json!({"layer": "cities", "category": ["DE,FR"]})),
        create(json!({"layer": "cities", "category": ["DE", "FR"], "bounds": [[35, -12], [60, 32]]})),
    ];
    assert!(!others.contains(&first) && others[0] != others[1], "{others:?}");
    let points = |id: &str| server.get(&format!("/{id}/statistics")).ok(200).json()["points"].as_u64().unwrap();
    assert!(points(&first) > points(&others[0]) && points(&others[0]) > 0);
    // Another server has another secret.
    let other = self::server("");
    assert_ne!(id(query(&other, "192.0.2.1", &json!({"layer": "cities", "category": ["DE", "FR"]}))), first);
}

#[test]
fn many_equal_categories_take_the_memory_of_one_and_many_distinct_ones_are_rejected() {
    let server = server("[limits]\ncategories = 100\nfilter_text = \"1KiB\"");
    let list = |count: usize, name: fn(usize) -> String| (0..count).map(name).collect::<Vec<_>>();
    let with =
        |categories: Vec<String>| query(&server, "192.0.2.1", &json!({"layer": "cities", "category": categories}));
    let alone = id(with(vec!["DE".into()]));
    assert_eq!(id(with(list(200_000, |_| "DE".into()))), alone);
    with(list(101, |number| number.to_string())).rejected(400, &["category", "101", "limits.categories"]);
    with(vec!["a".repeat(2000)]).rejected(400, &["category", "limits.filter_text"]);
    for path in ["/cities/0/0/0.png", "/cities/statistics", "/cities/points", "/cities/grid", "/cities/matrix"] {
        let names = list(101, |number| number.to_string()).join(",");
        server.get(&format!("{path}?category={names}")).rejected(400, &["limits.categories"]);
    }
    let repeated = "category=DE&".repeat(10_001);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    server.send("POST", "/queries", &form, repeated.as_bytes()).rejected(400, &["10000"]);
}

#[test]
fn a_client_with_many_queries_removes_its_own() {
    let server = server("[queries]\nmax_count = 4");
    let create =
        |client: &str, category: &str| id(query(&server, client, &json!({"layer": "cities", "category": category})));
    let quiet = create("192.0.2.1", "FR");
    let busy: Vec<String> = ["A", "B", "C", "D", "E", "F"].iter().map(|name| create("192.0.2.2", name)).collect();
    server.get(&format!("/{quiet}")).ok(200);
    let left = busy.iter().filter(|id| server.get(&format!("/{id}")).status == 200).count();
    assert_eq!(left, 3);
    server.get(&format!("/{}", busy[5])).ok(200);
}

#[test]
fn images_hold_their_limit_between_two_sweeps() {
    let server = Server::with(&[], "[images]\nmax_count = 3\nsweep_every = \"1d\"");
    let statuses: Vec<u16> = (0..6)
        .map(|radius| {
            let overlay =
                json!({"layer": "cities", "bounds": [[35, -12], [60, 32]], "size": [32, 32], "radius": 5 + radius});
            let json = [("content-type", "application/json")];
            server.send("POST", "/overlays", &json, overlay.to_string().as_bytes()).status
        })
        .collect();
    assert_eq!(statuses, [201, 201, 201, 503, 503, 503]);
    assert_eq!(server.files().len(), 3);
}

#[test]
fn an_output_removes_the_temporary_files_of_killed_commands() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    std::fs::write(home.join("a.csv"), "lon,lat\n1,2\n3,4\n").unwrap();
    for name in [".kiln-locked-a1B2c3.part", "mine.part"] {
        std::fs::write(home.join(name), "half").unwrap();
    }
    kiln(home, ["render", "a.csv", "-o", "a.png"]).done();
    let mut names: Vec<_> = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.csv", "a.png", "mine.part"]);
}
