//! Keys: rights, layers, expiry, origins, rates, signed URLs, and the reload of the configuration.

use std::process::Command;

use serde_json::{Value, json};

use crate::kiln::kiln;
use crate::min_count::{Sample, samples};
use crate::server::{Reply, Server, eventually};

/// Secrets, and what clients send in `Authorization`.
pub(crate) const SECRET_A: (&str, &str) = ("kiln_of_tenant_a", "Bearer kiln_of_tenant_a");
pub(crate) const SECRET_B: (&str, &str) = ("kiln_of_tenant_b", "Bearer kiln_of_tenant_b");

/// `printf kiln_of_tenant_a | sha256sum`
pub(crate) fn hash_of_a() -> &'static str {
    "sha256:f5ccedbec05e4e5d1b5c802f8cdbc87aab9b93c4b6a2ad1e5970728372be6b31"
}

pub(crate) fn hash_of_b() -> &'static str {
    "sha256:35214b4bd8b09c4ec1ca2b15114d4e7c9c460d3487d3a038f8024a7dc9bf2bd6"
}

/// `printf kiln_of_writer | sha256sum`
const HASH_OF_WRITER: &str = "sha256:63b957fcfac200339c4b21245f57746912c55d973cda8a88d6d424a5a5c3278a";

const POINTS: &str = "lon,lat,weight,category\n10,50,1,a\n11,51,2,a\n12,52,3,b\n40,20,9,b\n";
const OWNER: (&str, &str) = ("authorization", "Bearer s3cret");
const A: (&str, &str) = ("authorization", SECRET_A.1);
const B: (&str, &str) = ("authorization", SECRET_B.1);

/// Two tenants of one layer, and a layer that neither sees.
fn config() -> String {
    format!(
        "[server]\ntoken = \"s3cret\"\nsigning_secret = \"sign-me-sign-me-sign-me\"\n[layers.trips]\ninput = \"points.csv\"\n\
         [layers.hidden]\ninput = \"points.csv\"\n[layers.stored]\nstore = true\nmin_count = 2\n\
         [keys.tenant-a]\nhash = \"{}\"\nlayers = [\"trips\"]\nrights = [\"read\", \"queries\", \"sign\"]\n\
         filter = {{ category = [\"a\"] }}\n\
         [keys.tenant-b]\nhash = \"{}\"\nlayers = [\"trips\"]\nrights = [\"read\", \"queries\"]\n\
         filter = {{ category = [\"b\"] }}\n",
        hash_of_a(),
        hash_of_b()
    )
}

fn serve_with(config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    std::fs::write(home.path().join("points.csv"), POINTS).unwrap();
    Server::at(home, &[])
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    server.send("GET", path, headers, b"")
}

fn points(reply: Reply) -> Value {
    reply.ok(200).json()["points"].clone()
}

#[test]
fn tenants_share_a_layer_and_each_sees_its_points() {
    let server = serve_with(&config());
    assert_eq!(points(get(&server, "/trips/statistics", &[A])), 2);
    assert_eq!(points(get(&server, "/trips/statistics", &[OWNER])), 4);
    let of_b = get(&server, "/trips/statistics", &[B]).ok(200).json();
    assert_eq!((&of_b["points"], &of_b["weight"]["min"]), (&json!(2), &json!(3.0)));
    // Caches and tags keep them apart, in both orders.
    let [a, b] = [A, B].map(|key| get(&server, "/trips/0/0/0.png", &[key]).ok(200));
    let again = get(&server, "/trips/0/0/0.png", &[A]).ok(200);
    assert!(a.body != b.body && a.body == again.body && a.header("etag") != b.header("etag"));
    let tag = a.header("etag").unwrap();
    get(&server, "/trips/0/0/0.png", &[A, ("if-none-match", tag)]).ok(304);
    get(&server, "/trips/0/0/0.png", &[B, ("if-none-match", tag)]).ok(200);
    assert_eq!(a.header("cache-control"), Some("private, max-age=60"));
    assert!(a.header("vary").unwrap().contains("authorization"), "{:?}", a.headers);
    // Another tenant's category selects nothing.
    let of_other = get(&server, "/trips/statistics?category=b", &[A]).ok(200).json();
    assert_eq!(of_other["points"], 0);
    let names = get(&server, "/trips/categories", &[A]).ok(200).json();
    assert!(!names.to_string().contains("\"b\""), "{names}");
}

#[test]
fn without_a_valid_key_nothing_is_read() {
    let server = serve_with(&config());
    for (headers, query) in [
        (&[][..], ""),
        (&[("authorization", "Bearer wrong")], ""),
        (&[("authorization", "Basic a2lsbg==")], ""),
        (&[("authorization", hash_of_a())], ""),
        (&[], "?key=wrong"),
        (&[], "?key="),
        (&[], "?key=tenant-a"),
        (&[], "?key=kiln_of_tenant_a&key=kiln_of_tenant_a"),
    ] {
        let reply = get(&server, &format!("/trips{query}"), headers);
        reply.rejected(401, &["key"]);
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"), "{query}");
    }
    for open in ["/health", "/", "/llms.txt", "/docs/keys.md", "/openapi.json", "/docs", "/favicon.ico"] {
        get(&server, open, &[]).ok(200);
    }
    // The parameter is no part of the query string that is parsed, cached and logged.
    get(&server, "/trips/0/0/0.png?key=kiln_of_tenant_a&radius=9", &[]).ok(200);
    get(&server, "/trips?key=kiln_of_tenant_a&nonsense=1", &[]).rejected(400, &["nonsense"]);
    eventually("the request is logged with the key's name", || server.log().contains("key=\"tenant-a\""));
    assert!(server.log().contains("/trips/0/0/0.png?radius=9"), "{}", server.log());
    // Secrets in parameters with other names.
    for name in ["token", "ACCESS_TOKEN", "k%65y"] {
        get(&server, &format!("/trips?{name}=kiln_of_tenant_a"), &[]).rejected(401, &["Authorization: Bearer"]);
    }
    get(&server, "/after", &[]);
    eventually("the requests are logged", || server.log().contains("/after"));
    assert!(server.log().contains("/trips?token=***"), "{}", server.log());
    assert!(!server.log().contains("kiln_of"), "{}", server.log());
}

#[test]
fn other_layers_are_as_if_they_did_not_exist() {
    let server = serve_with(&config());
    let without_name = |path: &str, name: &str| {
        let reply = get(&server, path, &[A]);
        (reply.status, String::from_utf8(reply.body).unwrap().replace(name, "NAME"))
    };
    for rest in ["", "/statistics", "/0/0/0.png", "/points", "/legend.png", "/rooms", "/grid?resolution=1km"] {
        let hidden = without_name(&format!("/hidden{rest}"), "hidden");
        assert_eq!(hidden, without_name(&format!("/nowhere{rest}"), "nowhere"), "{rest}");
        assert_eq!(hidden.0, 404);
    }
    // Names are not suggested.
    let near = get(&server, "/hiddn", &[A]);
    near.rejected(404, &["hiddn"]);
    assert!(!String::from_utf8_lossy(&near.body).contains("hidden"));
    get(&server, "/hiddn", &[OWNER]).rejected(404, &["did you mean hidden?"]);
    let names: Vec<Value> = get(&server, "/catalog", &[A]).ok(200).json()["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["name"].clone())
        .collect();
    assert_eq!(names, ["trips"]);
    // The message of a missing layer lists the layers.
    let reply = server.send("POST", "/overlays", &[A, ("content-type", "application/json")], b"{}");
    reply.rejected(400, &["trips"]);
    assert!(!String::from_utf8_lossy(&reply.body).contains("hidden"));
}

#[test]
fn queries_belong_to_the_key_that_created_them() {
    let server = serve_with(&config());
    let json = ("content-type", "application/json");
    let body = json!({"layer": "trips", "bounds": [[-80, -180], [80, 180]]}).to_string();
    let query = server.send("POST", "/queries", &[A, json], body.as_bytes()).ok(201).json();
    let id = query["id"].as_str().unwrap();
    assert_eq!(query["points"], 2);
    assert_eq!(points(get(&server, &format!("/{id}/statistics"), &[A])), 2);
    get(&server, &format!("/{id}"), &[B]).rejected(404, &["there is no layer"]);
    assert_eq!(points(get(&server, &format!("/{id}/statistics"), &[OWNER])), 2);
    let body = json!({"layer": "hidden"}).to_string();
    server.send("POST", "/queries", &[A, json], body.as_bytes()).rejected(404, &["there is no layer"]);
}

#[test]
fn a_key_has_the_rights_of_its_section_alone() {
    let server = serve_with(&config());
    let csv = ("content-type", "text/csv");
    for (method, path) in [
        ("PUT", "/new"),
        ("PUT", "/trips"),
        ("DELETE", "/trips"),
        ("POST", "/trips/points"),
        ("PUT", "/stored/points"),
        ("DELETE", "/stored/rooms"),
        ("POST", "/_/inspect"),
    ] {
        server.send(method, path, &[A, csv], POINTS.as_bytes()).rejected(403, &["tenant-a", "write"]);
    }
    for (path, right) in [("/_/metrics", "metrics"), ("/jobs", "jobs")] {
        get(&server, path, &[A]).rejected(403, &[right]);
        get(&server, path, &[]).rejected(401, &["key"]);
        get(&server, path, &[OWNER]).ok(200);
    }
    server.send("POST", "/sign", &[B], b"{}").rejected(403, &["sign"]);

    let writer = config()
        + &format!("[keys.writer]\nhash = \"{HASH_OF_WRITER}\"\nlayers = [\"mine\"]\nrights = [\"read\", \"write\"]\n");
    let server = serve_with(&writer);
    let writer = ("authorization", "Bearer kiln_of_writer");
    server.send("PUT", "/mine/points", &[writer, csv], POINTS.as_bytes()).ok(201);
    server.send("POST", "/mine/points", &[writer, csv], POINTS.as_bytes()).ok(200);
    assert_eq!(points(get(&server, "/mine/statistics", &[writer])), 8);
    assert_eq!(get(&server, "/catalog", &[writer]).ok(200).json()["writes"]["access"], "open");
    // The same for a layer that exists, and for one that does not.
    let [exists, missing] = ["stored", "missing"].map(|name| {
        let reply = server.send("PUT", &format!("/{name}/points"), &[writer, csv], POINTS.as_bytes());
        (reply.status, reply.body)
    });
    assert!(exists.0 == 403 && exists == missing);
    server.send("DELETE", "/mine", &[writer], b"").ok(204);
}

#[test]
fn a_form_on_a_page_uploads_with_a_key_in_its_url() {
    let page = "https://shop.example";
    let key = format!(
        "[keys.form]\nhash = \"{HASH_OF_WRITER}\"\nlayers = [\"mine\"]\nrights = [\"write\"]\norigins = [\"{page}\"]\n"
    );
    let server = serve_with(&(config() + &key));
    server.send("PUT", "/mine", &[OWNER], b"{}").ok(201);
    let part = "Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv";
    let form = format!("--b\r\n{part}\r\n\r\n{POINTS}\r\n--b--\r\n");
    let submit = |path: &str, origin: &str| {
        let headers = [("content-type", "multipart/form-data; boundary=b"), ("origin", origin)];
        server.send("POST", path, &[&headers[..], &[("sec-fetch-site", "cross-site")]].concat(), form.as_bytes())
    };
    submit("/mine/points", page).rejected(401, &["key"]);
    submit("/mine/points?key=kiln_of_writer", "https://other.example").rejected(403, &["page"]);
    submit("/stored/points?key=kiln_of_writer", page).rejected(403, &[]);
    submit("/mine/points?key=kiln_of_writer", page).ok(200);
    assert_eq!(points(get(&server, "/mine/statistics", &[OWNER])), 4);
}

#[test]
fn every_route_rejects_a_key_without_its_right() {
    let config = config()
        + &format!(
            "[keys.none]\nhash = \"{HASH_OF_WRITER}\"\nlayers = [\"nothing\"]\nrights = [\"read\", \"write\", \"queries\", \"sign\", \"jobs\"]\n"
        );
    let server = serve_with(&config);
    let none = ("authorization", "Bearer kiln_of_writer");
    let openapi = server.get("/openapi.json").ok(200).json();
    let (mut anonymous, mut hidden) = (0, 0);
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        // The pages of a matrix and of a surface have no data.
        let open = ["/health", "/openapi.json", "/imgs/{filename}", "/matrix/{layer}", "/{layer}/surface"];
        let is_open = open.contains(&path.as_str()) || path.starts_with("/masks/");
        let example = path
            .replace("{layer}", "trips")
            .replace("{z}/{x}/{y}", "0/0/0")
            .replace("{lon},{lat}", "10,50")
            .replace("{bounds}/{size}", "0,0,20,60/64x64.png")
            .replace("{name}", "job");
        for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            if is_open {
                continue;
            }
            server.send(&method, &example, &[], b"").rejected(401, &["key"]);
            anonymous += 1;
            // A key that may do all, but sees another layer.
            if path.contains("{layer}") {
                let reply = server.send(&method, &example, &[none], b"");
                assert!([403, 404].contains(&reply.status), "{method} {example}: {}", reply.status);
                hidden += 1;
            }
        }
    }
    assert!(anonymous > 35 && hidden > 25, "{anonymous} {hidden}");
    // All samples of requests to layers.
    for Sample(method, path, body) in samples().into_values().flatten() {
        let path = path.replace("/files", "/trips").replace("/wide", "/hidden").replace("layer=files", "layer=trips");
        let body = body.to_string().replace("files", "trips").replace("wide", "hidden");
        let reply = server.send(method, &path, &[none, ("content-type", "application/json")], body.as_bytes());
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(reply.status >= 400 || path == "/catalog", "{method} {path}: {text}");
        assert!(
            !text.contains("hidden") || path.contains("hidden") || body.contains("hidden"),
            "{method} {path}: {text}"
        );
    }
}

#[test]
fn links_carry_the_key_on() {
    let server = serve_with(&config());
    let tile_json = get(&server, "/trips?key=kiln_of_tenant_a&radius=12", &[]).ok(200).json();
    let tile = tile_json["tiles"][0].as_str().unwrap().replace("{z}/{x}/{y}", "0/0/0");
    let path = |url: &str| url.split_once(server.address()).unwrap().1.to_owned();
    let linked = get(&server, &path(&tile), &[]).ok(200);
    assert_eq!(linked.body, get(&server, "/trips/0/0/0.png?radius=12", &[A]).ok(200).body);
    assert_eq!(linked.header("cache-control"), Some("private, max-age=31536000, immutable"));
    get(&server, &path(tile_json["legend"].as_str().unwrap()), &[]).ok(200);
    // A header is sent again by the client itself.
    let tile_json = get(&server, "/trips", &[A]).ok(200).json().to_string();
    assert!(!tile_json.contains("key="), "{tile_json}");
}

#[test]
fn signed_urls_read_below_their_prefix_until_they_expire() {
    let server = serve_with(&config());
    let sign = |body: Value, key: (&str, &str)| server.send("POST", "/sign", &[key], body.to_string().as_bytes());
    let body = json!({"prefix": "/trips", "expires_in": "1h", "pinned": {"radius": "12.0"}});
    let signed = sign(body.clone(), A).ok(200).json();
    let query = signed["query"].as_str().unwrap();
    let tile = get(&server, &format!("/trips/0/0/0.png?{query}"), &[]).ok(200);
    assert_eq!(tile.body, get(&server, "/trips/0/0/0.png?radius=12", &[A]).ok(200).body);
    // TileJSON links to tiles with the same signature, although it writes the radius in another way.
    let tile_json = get(&server, &format!("/trips?{query}"), &[]).ok(200).json();
    let url = tile_json["tiles"][0].as_str().unwrap().replace("{z}/{x}/{y}", "0/0/0");
    get(&server, url.split_once(server.address()).unwrap().1, &[]).ok(200);
    // The command makes the same URLs.
    let args = ["sign", "/trips", "--key", "tenant-a", "--expires", "1h", "--pin", "radius=12.0"];
    let printed = String::from_utf8(kiln(server.folder(), args).stdout).unwrap();
    get(&server, printed.trim(), &[]).ok(200);

    for (path, status) in [
        (format!("/hidden?{query}"), 403),
        (format!("/catalog?{query}"), 403),
        (format!("/trips2?{query}"), 403),
        (format!("/trips?{}", query.replace("radius=12.0", "radius=13")), 401),
        (format!("/trips?{}", query.replace("key=tenant-a", "key=tenant-b")), 401),
        (format!("/trips?{}", query.replace("expires=1", "expires=2")), 401),
    ] {
        assert_eq!(get(&server, &path, &[]).status, status, "{path}");
    }
    let json = ("content-type", "application/json");
    server.send("POST", &format!("/trips/statistics?{query}"), &[json], b"{}").rejected(403, &["GET"]);
    // A key signs for itself, and the owner for all keys.
    let with = |member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        body
    };
    sign(with("key", json!("tenant-b")), A).rejected(403, &["itself"]);
    sign(with("key", json!("tenant-b")), OWNER).ok(200);
    sign(body.clone(), OWNER).rejected(400, &["key"]);
    sign(with("prefix", json!("trips")), A).rejected(400, &["path"]);
    sign(with("prefix", json!("/trips/tiles")), A).rejected(400, &["no GET request"]);
    sign(with("pinned", json!({"scheme": "fires"})), A).rejected(400, &["scheme", "fires"]);
    sign(with("more", json!(1)), A).rejected(400, &["more"]);
    let short = sign(with("expires_in", json!("1s")), A).ok(200).json();
    let path = format!("/trips?{}", short["query"].as_str().unwrap());
    eventually("the URL has expired", || get(&server, &path, &[]).status == 401);
}

#[test]
fn expiry_origins_and_rates_limit_a_key() {
    let config = config().replace("rights = [\"read\", \"queries\", \"sign\"]", "origins = [\"https://a.example\"]");
    let config = config.replace("[\"trips\"]\nrights = [\"read\", \"queries\"]", "[\"trips\"]\nrate = 0.01\nburst = 3");
    let expired = format!("[keys.old]\nhash = \"{HASH_OF_WRITER}\"\nexpires = \"2024-01-01\"\n");
    let server = serve_with(&(config + &expired));
    get(&server, "/trips", &[("authorization", "Bearer kiln_of_writer")]).rejected(401, &["expired"]);
    get(&server, "/trips", &[A]).rejected(403, &["page"]);
    // The log has the names of known keys also for rejected requests.
    eventually("the rejected requests are logged", || {
        let of_key = |status: &str, key: &str| {
            let log = server.log();
            log.lines().any(|line| line.contains(status) && line.contains(&format!("key=\"{key}\"")))
        };
        of_key("status=401", "old") && of_key("status=403", "tenant-a")
    });
    assert!(server.log().contains("the key has expired key=\"old\""), "{}", server.log());
    get(&server, "/trips", &[A, ("origin", "https://b.example")]).rejected(403, &["page"]);
    let allowed = get(&server, "/trips", &[A, ("origin", "https://a.example")]).ok(200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://a.example"));
    get(&server, "/trips/0/0/0.png", &[A, ("referer", "https://a.example/map")]).ok(200);
    let preflight = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization"),
    ];
    let preflight = server.send("OPTIONS", "/trips", &preflight, b"").ok(200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://a.example"));

    for _ in 0..3 {
        get(&server, "/trips", &[B]).ok(200);
    }
    let limited = get(&server, "/trips", &[B]);
    limited.rejected(429, &["keys.tenant-b.rate"]);
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=100).contains(&wait), "{wait}");
    // The others have rates of their own.
    get(&server, "/trips", &[OWNER]).ok(200);
}

#[test]
fn requests_without_a_key_have_the_access_of_the_anonymous_one() {
    let server = serve_with(&(config() + "[keys.anonymous]\nlayers = [\"trips\"]\nfilter = { category = [\"b\"] }\n"));
    let statistics = get(&server, "/trips/statistics", &[]).ok(200);
    assert_eq!(statistics.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(statistics.json()["points"], 2);
    assert_eq!(statistics.json()["categories"]["names"], json!(["b"]));
    assert_eq!(get(&server, "/trips/statistics", &[A]).ok(200).json()["categories"]["names"], json!(["a"]));
    get(&server, "/hidden", &[]).rejected(404, &["there is no layer"]);
    get(&server, "/trips", &[("authorization", "Bearer wrong")]).rejected(401, &["unknown"]);
    server.send("PUT", "/new", &[], b"").rejected(401, &["key"]);
    // The map page asks for the token, which is accepted.
    assert_eq!(get(&server, "/catalog", &[]).ok(200).json()["writes"]["access"], "token");
    assert_eq!(get(&server, "/catalog", &[A]).ok(200).json()["writes"]["access"], "closed");
    server.send("PUT", "/new", &[OWNER], b"").ok(201);
}

#[cfg(unix)]
#[test]
fn keys_are_read_again_after_sighup() {
    let server = serve_with(&config());
    let file = server.folder().join("kiln.toml");
    let hangup = || assert!(Command::new("kill").args(["-HUP", &server.id().to_string()]).status().unwrap().success());
    let count = |key| get(&server, "/trips/statistics", &[key]).json()["points"].clone();
    let body = json!({"layer": "trips"}).to_string();
    let query =
        server.send("POST", "/queries", &[A, ("content-type", "application/json")], body.as_bytes()).ok(201).json();
    let query = format!("/{}", query["id"].as_str().unwrap());
    get(&server, &query, &[A]).ok(200);
    let config = config();
    std::fs::write(&file, config.replace("filter = { category = [\"a\"] }", "filter = { category = [\"a\", \"b\"] }"))
        .unwrap();
    hangup();
    eventually("the filter has changed", || count(A) == 4);
    // A query of other points than the key sees now.
    get(&server, &query, &[A]).rejected(404, &["there is no layer"]);
    std::fs::write(&file, config.replace("[keys.tenant-a]", "[keys.tenant-a]\nnonsense = 1")).unwrap();
    hangup();
    eventually("the error is logged", || server.log().contains("nonsense"));
    assert_eq!(count(A), 4);
    std::fs::write(&file, config.split("[keys.tenant-b]").next().unwrap()).unwrap();
    hangup();
    eventually("the key is revoked", || get(&server, "/trips", &[B]).status == 401);
    assert!(server.log().contains("other parts of the configuration need a restart"), "{}", server.log());
    std::fs::write(&file, config.replace("layers = [\"trips\"]", "layers = [\"trpis\"]")).unwrap();
    hangup();
    eventually("the unknown layer is logged", || server.log().contains("layer=\"trpis\""));
}

#[cfg(unix)]
#[test]
fn no_reload_opens_a_server_with_keys() {
    let server = serve_with(&config());
    let file = server.folder().join("kiln.toml");
    let hangup = || assert!(Command::new("kill").args(["-HUP", &server.id().to_string()]).status().unwrap().success());
    let errors = || server.log().matches("so that everybody could read all layers; restart the server").count();
    let is_closed = || {
        get(&server, "/trips", &[]).rejected(401, &["key"]);
        get(&server, "/trips", &[A]).ok(200);
        get(&server, "/hidden", &[A]).rejected(404, &["there is no layer"]);
    };
    is_closed();
    // As an editor does that truncates the file before it writes, and one that moves it away.
    for (index, change) in ["", "# nothing\n", "[server]\ntoken = \"s3cret\"\n"].into_iter().enumerate() {
        std::fs::write(&file, change).unwrap();
        hangup();
        eventually("the error is logged", || errors() == index + 1);
        is_closed();
    }
    std::fs::remove_file(&file).unwrap();
    hangup();
    eventually("the error is logged", || errors() == 4);
    is_closed();
    assert!(server.log().contains("ERROR") && !server.log().contains("keys=0"), "{}", server.log());
    // The token of a running server stays the same.
    std::fs::write(&file, config().replace("s3cret", "an0ther")).unwrap();
    hangup();
    eventually("the warning is logged", || server.log().contains("server.token has changed"));
    get(&server, "/hidden", &[OWNER]).ok(200);
    get(&server, "/hidden", &[("authorization", "Bearer an0ther")]).rejected(401, &["unknown"]);
    assert!(!server.log().contains("an0ther"), "{}", server.log());
}

#[test]
fn no_spelling_of_a_parameter_gets_a_secret_into_the_log() {
    let home = tempfile::tempdir().unwrap();
    let made = kiln(home.path(), ["key", "new", "tenant-c", "--layer", "trips"]);
    let (table, secret) = (String::from_utf8(made.stdout).unwrap(), made.stderr.trim().rsplit(' ').next().unwrap());
    let server = serve_with(&(config() + &table));
    let paths = [
        format!("/trips?%6bey={secret}"),
        format!("/trips?KEY={secret}"),
        format!("/trips?radius=9&amp;key={secret}"),
        format!("/trips?radius=9;key={secret}"),
        format!("/{secret}/trips"),
        format!("/trips/{}", secret.replace('_', "%5f")),
        "/trips?Token=s3cret".to_owned(),
        "/s3cret".to_owned(),
    ];
    for path in &paths {
        get(&server, path, &[]);
    }
    eventually("the requests are logged", || server.log().matches(" request ").count() >= paths.len());
    let log = server.log();
    assert!(!log.contains(&secret[10..]) && !log.contains("s3cret"), "{log}");
    assert!(log.contains("***/trips"), "{log}");
}

#[test]
fn keys_are_made_by_the_command() {
    let home = tempfile::tempdir().unwrap();
    let made = kiln(home.path(), ["key", "new", "tenant-c", "--layer", "trips"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let table = String::from_utf8(made.stdout).unwrap();
    let secret = made.stderr.trim().rsplit(' ').next().unwrap();
    assert!(!table.contains(secret) && table.contains("[keys.tenant-c]"), "{table}");
    let server = serve_with(&(config() + &table));
    assert_eq!(points(get(&server, "/trips/statistics", &[("authorization", &format!("Bearer {secret}"))])), 4);
    kiln(home.path(), ["key", "new", "anonymous"]).failed(2, &["anonymous", "no secret"]);
    kiln(home.path(), ["key", "new", "a b"]).failed(2, &["a b", "the name of a key has"]);
    for (args, words) in [
        (&["/trips", "--expires", "30"][..], &["--expires", "`30` has no unit"][..]),
        (&["/trips/tiles", "--expires", "1h"], &["/trips/tiles", "no GET request"]),
        (&["/trips", "--expires", "1h", "--pin", "scheme=fires"], &["scheme", "fires"]),
        (&["/trips", "--expires", "1h", "--pin", "shceme=fire"], &["shceme", "unknown"]),
    ] {
        kiln(server.folder(), ["sign", "--key", "tenant-a"].iter().chain(args)).failed(2, words);
    }
    let all = kiln(server.folder(), ["sign", "/", "--key", "tenant-a", "--expires", "1h"]);
    assert!(all.code == 0 && all.stderr.contains("all layers of the key"), "{}", all.stderr);
    kiln(server.folder(), ["sign", "/trips", "--key", "nobody", "--expires", "1h"]).failed(2, &["nobody", "tenant-a"]);
    kiln(home.path(), ["sign", "/trips", "--key", "a", "--expires", "1h"]).failed(2, &["no keys"]);
}

#[test]
fn contradictory_keys_are_an_error() {
    let home = tempfile::tempdir().unwrap();
    let hash = hash_of_a();
    std::fs::write(home.path().join("empty.json"), "{\"type\": \"FeatureCollection\", \"features\": []}").unwrap();
    for (keys, words) in [
        ("[keys.a]\n", &["keys.a.hash", "kiln key new"][..]),
        ("[keys.a]\nhash = \"sha256:12\"\n", &["keys.a.hash", "64 hexadecimal digits"]),
        ("[keys.anonymous]\nhash = \"HASH\"\n", &["keys.anonymous.hash", "no secret"]),
        ("[keys.anonymous]\nrights = [\"write\"]\n", &["keys.anonymous.rights", "write"]),
        (
            "[keys.a]\nhash = \"HASH\"\nrights = [\"read\", \"write\"]\nfilter = { category = [\"x\"] }\n",
            &["keys.a.rights", "a key with `filter` cannot have the right `write`"],
        ),
        ("[keys.a]\nhash = \"HASH\"\nrights = [\"metrics\"]\nlayers = [\"x\"]\n", &["keys.a.rights", "metrics"]),
        ("[keys.a]\nhash = \"HASH\"\nlayers = []\n", &["keys.a.layers"]),
        ("[keys.a]\nhash = \"HASH\"\nburst = 5\n", &["keys.a.burst", "rate"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = { start = \"2024\", end = \"2023\" }\n", &["keys.a.filter.start"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = { min_count = 1 }\n", &["keys.a.filter.min_count"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = { color = 1 }\n", &["keys.a.filter.color"]),
        ("[keys.a]\nhash = \"HASH\"\nrights = [\"fly\"]\n", &["keys.a.rights", "read, write"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = {}\n", &["keys.a.filter", "empty", "category"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = { tz = \"Europe/Berlin\" }\n", &["keys.a.filter.tz", "hours"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = { bounds = [18.1, 59, 18.1, 60] }\n", &["keys.a.filter.bounds", "area"]),
        (
            "[layers.hall]\ninput = \"a.csv\"\nprojection = \"plane\"\n\
             [keys.a]\nhash = \"HASH\"\nfilter = { bounds = [10, 0, 5, 10] }\n",
            &["keys.a.filter.bounds", "hall", "plane"],
        ),
        ("[keys.a]\nhash = \"HASH\"\n[keys.b]\nhash = \"HASH\"\n", &["keys.b.hash", "`a`", "same secret"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = { polygon = \"none.json\" }\n", &["none.json"]),
        ("[keys.a]\nhash = \"HASH\"\nfilter = { polygon = \"empty.json\" }\n", &["keys.a.filter.polygon"]),
        ("[server]\nsigning_secret = \"0123456789abcde\"\n", &["server.signing_secret", "16"]),
    ] {
        std::fs::write(home.path().join("kiln.toml"), keys.replace("HASH", hash)).unwrap();
        kiln(home.path(), ["config", "check"]).failed(if words == ["none.json"] { 1 } else { 2 }, words);
    }
    // The secret of a key in place of its hash is not printed.
    std::fs::write(home.path().join("kiln.toml"), "[keys.a]\nhash = \"kiln_of_tenant_a\"\n").unwrap();
    let run = kiln(home.path(), ["config", "check"]);
    assert!(run.code == 2 && !run.stderr.contains("kiln_of") && run.stderr.contains("keys.a.hash"), "{}", run.stderr);
    // Bounds across the 180th meridian limit layers on the globe.
    let across = "[keys.a]\nhash = \"HASH\"\nfilter = { bounds = [170, 0, -170, 10] }\n";
    std::fs::write(home.path().join("kiln.toml"), across.replace("HASH", hash)).unwrap();
    kiln(home.path(), ["config", "check"]).done();
}

#[test]
fn a_query_needs_the_right_to_read_too() {
    let key = format!("[keys.asks]\nhash = \"{HASH_OF_WRITER}\"\nrights = [\"queries\"]\n");
    let server = serve_with(&(config() + &key));
    let body = json!({ "layer": "trips" }).to_string();
    let ask = |key| server.send("POST", "/queries", &[key, ("content-type", "application/json")], body.as_bytes());
    ask(("authorization", "Bearer kiln_of_writer")).rejected(403, &["`asks`", "`read`"]);
    assert_eq!(ask(A).json()["points"], 2);
}

#[test]
fn a_layer_may_have_the_name_of_the_route_that_signs() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("points.csv"), "lon,lat\n1,2\n").unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[layers.sign]\ninput = \"points.csv\"\n").unwrap();
    let server = Server::at(home, &[]);
    assert_eq!(get(&server, "/sign", &[]).ok(200).json()["name"], "sign");
    get(&server, "/sign/statistics", &[]).ok(200);
    server.send("POST", "/sign", &[], b"{}").rejected(409, &["no keys"]);
    server.send("POST", "/signs", &[], b"{}").rejected(405, &[]);
}
